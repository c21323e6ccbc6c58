// One field: the kernel sends it once, colours and contrast are mixed here; parts in full detail come when asked for.
function drawField({ model, el }) {
  const ending = new AbortController();
  const signal = ending.signal;
  const root = make("div", "mlscope ms-field", el);
  ownKeys(root);
  lost(root, model, signal);
  const head = make("div", "ms-row ms-head", root);
  const holder = make("label", "ms-choice", head);
  make("span", "", holder, "Field");
  const which = make("select", "", holder);
  which.setAttribute("aria-label", "Field");
  const text = make("span", "ms-where ms-grow", head);
  const overlay = make("label", "ms-choice", head);
  const lines = make("input", "ms-check", overlay);
  lines.type = "checkbox";
  make("span", "", overlay, "outlines");
  const away = make("div", "ms-row ms-note ms-away", root);
  const awayText = make("span", "ms-grow", away), awayButton = make("button", "ms-button", away, "Show it");
  const body = make("div", "ms-field-body", root);
  const left = make("div", "ms-field-left", body);
  const frame = make("div", "ms-frame", left);
  const canvas = make("canvas", "ms-field-canvas", frame);
  canvas.tabIndex = 0;
  const bar = make("div", "ms-scale", frame);
  const tools = make("div", "ms-row ms-zoom", left);
  const closer = make("button", "ms-button", tools, "Zoom in"), farther = make("button", "ms-button", tools, "Zoom out");
  const all = make("button", "ms-button", tools, "Whole field");
  const often = make("span", "ms-where ms-times", tools);
  const link = make("p", "ms-where ms-hint ms-link", left), note = make("p", "ms-note ms-warning ms-misfit", left);
  const panel = make("div", "ms-channels", body);
  const extra = make("div", "ms-extra", panel);
  const size = () => { const f = model.get("_field"); return { height: f.full_height, width: f.full_width }; };
  let settings = structuredClone(model.get("_settings"));
  let layer = null, layerOf = "", detail = null, turn = 0, parts = 0, waiting = 0, asked = "", drawnFor = "";
  const camera = makeCamera(canvas, root, signal, size, moved, (point, shift) => {
    model.send({ kind: "click", id: model.get("_field").id, y: point.y, x: point.x, shift, reach: (8 * devicePixelRatio) / camera.view().scale });
  });
  const channelWords = makeChannels(panel, model, () => settings, changed);

  function later() {
    cancelAnimationFrame(waiting);
    waiting = requestAnimationFrame(draw);
  }

  function mix() {
    for (const one of [layer, detail]) if (one) mixLayer(one, model.get("_channels"), settings);
    later();
  }

  function changed() {
    words();
    cancelAnimationFrame(waiting);
    waiting = requestAnimationFrame(() => { mix(); draw(); });
    clearTimeout(changed.timer);
    changed.timer = setTimeout(() => { model.set("_settings", structuredClone(settings)); model.save_changes(); }, 200);
  }

  function moved(quiet) {
    later();
    clearTimeout(moved.timer);
    if (quiet) return;
    // With the number of the last camera from Python: what was decided before a later one is not taken there.
    moved.timer = setTimeout(() => { model.set("_camera", { ...camera.camera, turn: model.get("_camera").turn }); model.save_changes(); }, 150);
  }

  async function load() {
    const mine = ++turn, field = model.get("_field");
    const next = await decodeLayer(field, bytesOf(model.get("_planes")), bytesOf(model.get("_labels")));
    if (mine !== turn || signal.aborted) return;
    layer = next;
    layerOf = field.id;
    detail = null;
    asked = "";
    drawnFor = `${field.id} ${field.drawing}`;
    words();
    room();
    look();
    mix();
  }

  // Screen pixels follow the place that the page gives.
  function room() {
    const { height, width } = size();
    frame.style.width = `${(settings.height * width) / height}px`;
    canvas.style.aspectRatio = `${width} / ${height}`;
    const wide = Math.max(1, Math.round(canvas.clientWidth * devicePixelRatio));
    const high = Math.max(1, Math.round((wide * height) / width));
    if (canvas.width !== wide || canvas.height !== high) Object.assign(canvas, { width: wide, height: high });
    later();
  }

  function look() {
    const { zoom, y, x } = model.get("_camera");
    camera.set(zoom, y, x, true);
  }

  function draw() {
    cancelAnimationFrame(waiting);
    // The next field is known a moment before its pixels are here; the last one is not drawn under its name.
    if (!layer || signal.aborted || layerOf !== model.get("_field").id) return;
    const pen = canvas.getContext("2d", { willReadFrequently: true }), view = camera.view();
    pen.fillStyle = "#000000";
    pen.fillRect(0, 0, canvas.width, canvas.height);
    drawPicture(pen, layer, view);
    if (detail) drawPicture(pen, detail, view);
    marks(pen, view);
    scale(view);
    const whole = camera.camera.zoom <= 1;
    [farther.disabled, all.disabled, closer.disabled] = [whole, whole, camera.camera.zoom >= camera.most() - 1e-6];
    often.textContent = whole ? "wheel: zoom · drag: move" : `${Number(camera.camera.zoom.toPrecision(2))} × · double click: whole field`;
    canvas.classList.toggle("ms-near", !whole);
    Object.assign(canvas.dataset, { drawn: layerOf, drawing: drawnFor, detail: detail ? detail.step : "", view: [view.top, view.left, view.scale].map((v) => v.toFixed(4)).join(" ") });
    finer(view);
  }

  function marks(pen, view) {
    const spots = bytesOf(model.get("_spots")), chosen = bytesOf(model.get("_chosen")), unit = devicePixelRatio;
    const places = new Float32Array(spots.slice().buffer);
    const n = Math.min(places.length / 4, chosen.length), kinds = new Uint8Array(model.get("_field").n_objects + 1);
    if (settings.outlines) kinds.fill(1);
    let any = settings.outlines;
    for (let i = 0; i < n; i++) if (chosen[i] && places[4 * i]) { kinds[places[4 * i]] = 2; any = true; }
    if (any && layer.labels) {
      const over = new OffscreenCanvas(canvas.width, canvas.height);
      const labels = labelsOnScreen([layer, detail], view, canvas.width, canvas.height);
      over.getContext("2d").putImageData(outlineImage(labels, canvas.width, canvas.height, kinds, Math.max(1, Math.round(unit)), Math.max(2, Math.round(2 * unit))), 0, 0);
      pen.drawImage(over, 0, 0);
    }
    const place = (i) => [(places[4 * i + 2] + 0.5 - view.left) * view.scale, (places[4 * i + 1] + 0.5 - view.top) * view.scale];
    const around = (i) => Math.max(7 * unit, places[4 * i + 3] * view.scale);
    for (let i = 0; i < n; i++) if (chosen[i] && !places[4 * i] && places[4 * i + 1] >= 0) drawRing(pen, ...place(i), around(i), unit);
    const found = model.get("_link").found ?? -1;
    if (found >= 0 && found < n && places[4 * found + 1] >= 0) {
      drawRing(pen, ...place(found), around(found) + 3 * unit, unit);
      drawRing(pen, ...place(found), around(found) + 9 * unit, unit);
    }
    canvas.dataset.found = found;
  }

  // Asks for the visible part where the screen could show more than is there.
  function finer(view) {
    const near = view.scale >= devicePixelRatio && camera.camera.zoom > 1;
    const step = Math.max(1, Math.floor(1 / view.scale));
    clearTimeout(finer.timer);
    if (camera.camera.zoom <= 1 || (!near && step >= layer.step)) return;
    const covers = (box) => box.step <= step && box.top <= Math.max(0, view.top) && box.left <= Math.max(0, view.left)
      && box.bottom >= Math.min(size().height, view.top + view.height) && box.right >= Math.min(size().width, view.left + view.width);
    if (detail && covers({ ...detail, top: detail.y, left: detail.x, bottom: detail.y + detail.height * detail.step, right: detail.x + detail.width * detail.step })) return;
    finer.timer = setTimeout(() => {
      const more = [view.height / 4, view.width / 4];
      const box = {
        top: Math.floor(Math.max(0, view.top - more[0])), bottom: Math.ceil(Math.min(size().height, view.top + view.height + more[0])),
        left: Math.floor(Math.max(0, view.left - more[1])), right: Math.ceil(Math.min(size().width, view.left + view.width + more[1])), step,
      };
      const request = JSON.stringify([drawnFor, box]);
      if (request === asked) return;
      asked = request;
      model.send({ kind: "detail", id: model.get("_field").id, ...box });
    }, 120);
  }

  async function receive(words, buffers) {
    if (words.kind !== "detail") return;
    const same = () => `${words.id} ${words.drawing}` === drawnFor;
    if (!same()) return;
    const mine = ++parts;
    const part = await decodeLayer(words, bytesOf(buffers[0]), bytesOf(buffers[1]));
    if (!same() || mine !== parts || signal.aborted) return;
    mixLayer(part, model.get("_channels"), settings);
    detail = part;
    draw();
  }

  // A round length that takes about a fifth of the width.
  function scale(view) {
    const um = model.get("_field").um;
    bar.hidden = !um;
    if (!um) return;
    const wide = view.width * um, ten = 10 ** Math.floor(Math.log10(wide / 5));
    const length = [5, 2, 1].map((m) => m * ten).find((l) => l <= wide / 5) ?? ten;
    bar.style.width = `${(length / wide) * canvas.clientWidth}px`;
    bar.textContent = `${Number(length.toPrecision(2))} µm`;
  }

  function words() {
    const field = model.get("_field"), { counts, cell, elsewhere, reachable, text: linked, note: odd } = model.get("_link");
    const named = (id, i) => (counts?.[i] ? `${id} (${counts[i]} selected)` : id);
    fillSelect(which, field.fields.map((id, i) => ({ value: id, label: named(id, i) })), field.id);
    text.textContent = field.text;
    overlay.hidden = !field.has_outlines;
    lines.checked = settings.outlines;
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", `Field ${field.id}. ${field.text}`);
    away.hidden = !elsewhere;
    awayButton.hidden = !reachable;
    awayText.textContent = elsewhere ? `Cell ${cell} is in field ${elsewhere}${reachable ? "." : ", which is not among these."}` : "";
    link.hidden = !linked;
    link.textContent = linked ?? "";
    note.hidden = !odd;
    note.textContent = odd ?? "";
    channelWords();
  }

  which.addEventListener("change", () => model.send({ kind: "field", id: which.value }));
  lines.addEventListener("change", () => { settings.outlines = lines.checked; changed(); });
  awayButton.addEventListener("click", () => model.send({ kind: "goto" }));
  closer.addEventListener("click", () => camera.zoomBy(1.5));
  farther.addEventListener("click", () => camera.zoomBy(1 / 1.5));
  all.addEventListener("click", () => camera.reset());
  const watcher = new ResizeObserver(room);
  watcher.observe(canvas);
  const custom = (content, buffers) => receive(content, buffers);
  model.on("msg:custom", custom);
  listen(model, signal, ["_field", "_planes", "_labels"], once(load));
  listen(model, signal, ["_camera"], once(() => { if (layer) look(); }));
  listen(model, signal, ["_spots", "_chosen", "_link"], once(() => { words(); later(); }));
  listen(model, signal, ["_settings"], once(() => {
    clearTimeout(changed.timer);
    settings = structuredClone(model.get("_settings"));
    words(); room(); mix();
  }));
  signal.addEventListener("abort", () => { watcher.disconnect(); model.off("msg:custom", custom); clearTimeout(finer.timer); });
  load();
  return { root, extra, left, signal, end: () => ending.abort() };
}
