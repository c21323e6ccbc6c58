// The map: a Bokeh figure whose selection is sent to the kernel as row numbers, each change once.
function makeMap(host, model, signal) {
  const box = make("div", "ms-map", host);
  const tip = make("div", "ms-tip", host);
  tip.hidden = true;
  const pictures = new Map();
  let manager = null, view = null, figure = null, source = null, found = null, drawn = "", quiet = false, resting = -1, turn = 0;

  const rows = () => { const b = bytesOf(model.get("_selected")); return new Int32Array(b.slice().buffer); };

  async function draw() {
    const text = model.get("_figure");
    if (!text || text === drawn) return;
    drawn = text;
    box.dataset.busy = "true";
    const mine = ++turn;
    let Bokeh;
    try { Bokeh = await bokehReady(model); } catch (error) { box.textContent = `${error.message} Run this cell again.`; return; }
    if (mine !== turn || signal.aborted) return;
    const place = make("div", "ms-figure");
    const item = JSON.parse(text);
    const before = figure && { key: figure.tags[0], x: range(figure.x_range), y: range(figure.y_range) };
    // The figure is measured when it is drawn, so its place must already be on the page.
    place.style.visibility = "hidden";
    box.append(place);
    const made = await Bokeh.embed.embed_item(item, place);
    if (mine !== turn || signal.aborted) { made.clear(); place.remove(); return; }
    manager?.clear();
    for (const old of [...box.children]) if (old !== place) old.remove();
    place.style.visibility = "";
    manager = made;
    view = [...made.roots].find((v) => v.frame_view);
    figure = view.model;
    // Bokeh draws a ring around a plot that was clicked; it is only of use to the keyboard.
    make("style", "", view.canvas_view.el.shadowRoot, ".bk-events:focus:not(:focus-visible) { outline: none; }");
    source = figure.document.get_model_by_name("cells");
    found = figure.document.get_model_by_name("found");
    // The same map in other colours stays where the reader had zoomed to.
    if (before && before.key === figure.tags[0]) {
      figure.x_range.setv(before.x);
      figure.y_range.setv(before.y);
    }
    paint(figure, isDark(box));
    show();
    point();
    source.selected.properties.indices.change.connect(selectionChanged);
    source.inspect.connect(hovered);
    box.dataset.drawn = figure.tags[0];
    delete box.dataset.busy;
  }

  const range = (r) => ({ start: r.start, end: r.end });

  const same = (one, other) => one.length === other.length && one.every((row, i) => row === other[i]);

  function show() {
    if (!source) return;
    const wanted = rows();
    // What came from this map is on it already; drawing it again would only delay the gallery.
    if (same(wanted, Int32Array.from(source.selected.indices).sort())) return;
    quiet = true;
    source.selected.indices = [...wanted];
    quiet = false;
  }

  function point() {
    const row = model.get("_found");
    if (!found) return;
    found.data = row < 0 ? { x: [], y: [] } : { x: [source.data.x[row]], y: [source.data.y[row]] };
  }

  // Bokeh reports one drag two or three times; what is already known is not sent again.
  let timer = 0;
  function selectionChanged() {
    if (quiet) return;
    clearTimeout(timer);
    timer = setTimeout(() => {
      const now = Int32Array.from(source.selected.indices).sort();
      if (same(now, rows())) return;
      model.send({ kind: "selected" }, undefined, [now.buffer]);
    }, 0);
  }

  function hovered() {
    const row = source.inspected.indices[0] ?? -1;
    if (row === resting) return;
    resting = row;
    tip.hidden = true;
    if (row < 0) return;
    if (pictures.has(row)) fill(row);
    else setTimeout(() => { if (resting === row) model.send({ kind: "hover", row }); }, 60);
  }

  function fill(row) {
    const { lines, address } = pictures.get(row);
    tip.replaceChildren();
    if (address) make("img", "", tip).src = address;
    const words = make("div", "", tip);
    for (const line of lines) make("div", "", words, line);
    tip.hidden = false;
    const { x_scale, y_scale } = view.frame_view;
    const x = x_scale.compute(source.data.x[row]), y = y_scale.compute(source.data.y[row]);
    const canvas = box.getBoundingClientRect(), outer = host.getBoundingClientRect();
    const left = canvas.left - outer.left + x, top = canvas.top - outer.top + y;
    tip.style.left = `${Math.max(0, left + (left > outer.width / 2 ? -12 - tip.offsetWidth : 12))}px`;
    tip.style.top = `${Math.max(0, Math.min(top - 20, outer.height - tip.offsetHeight))}px`;
  }

  function received(message, buffers) {
    if (message.kind !== "hover") return;
    const address = buffers.length ? URL.createObjectURL(new Blob([buffers[0]], { type: "image/webp" })) : "";
    if (pictures.size > 300) forget();
    pictures.set(message.row, { lines: message.lines, address });
    if (resting === message.row) fill(message.row);
  }

  function forget() {
    for (const { address } of pictures.values()) URL.revokeObjectURL(address);
    pictures.clear();
  }

  const theme = new MutationObserver(() => { if (figure) paint(figure, isDark(box)); });
  theme.observe(document.body, { attributes: true, attributeFilter: ["data-jp-theme-light", "data-jp-theme-name"] });
  model.on("msg:custom", received);
  listen(model, signal, ["_figure"], once(draw));
  listen(model, signal, ["_selected"], once(show));
  listen(model, signal, ["_found"], once(point));
  box.addEventListener("pointerleave", () => { resting = -1; tip.hidden = true; });
  signal.addEventListener("abort", () => {
    theme.disconnect();
    model.off("msg:custom", received);
    forget();
    manager?.clear();
  });
  draw();
}
