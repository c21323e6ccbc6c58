// One field: the kernel sends the channels once, colours and contrast are mixed here.
function render({ model, el }) {
  const ending = new AbortController();
  const signal = ending.signal;
  const root = make("div", "mlscope ms-field", el);
  ownKeys(root);
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
  const body = make("div", "ms-field-body", root);
  const frame = make("div", "ms-frame", body);
  const canvas = make("canvas", "ms-field-canvas", frame);
  canvas.setAttribute("role", "img");
  const bar = make("div", "ms-scale", frame);
  const panel = make("div", "ms-channels", body);
  const controls = model.get("_channels").map((channel, i) => channelRow(channel, i));
  const auto = make("button", "ms-button", panel, "Auto contrast");
  const hint = make("p", "ms-where ms-hint", panel);
  let planes = null, drawing = null, settings = structuredClone(model.get("_settings")), turn = 0, waiting = 0;

  function channelRow(channel, i) {
    const box = make("div", "ms-channel", panel);
    const label = make("label", "ms-channel-name", box);
    const on = make("input", "ms-check", label);
    on.type = "checkbox";
    make("i", "", label).style.background = channel.colour;
    make("span", "", label, channel.name);
    const range = make("span", "ms-where ms-range", label);
    const low = slider(box, `${channel.name}: shown as black`);
    const high = slider(box, `${channel.name}: shown as full colour`);
    on.addEventListener("change", () => { settings.on[i] = on.checked; changed(); });
    low.addEventListener("input", () => move(i, 0, low));
    high.addEventListener("input", () => move(i, 1, high));
    return { on, low, high, range };
  }

  function slider(parent, name) {
    const node = make("input", "ms-slider", parent);
    Object.assign(node, { type: "range", min: 0, max: 1000, title: name });
    node.setAttribute("aria-label", name);
    return node;
  }

  // Sliders are finer where it is dark, as most signal is.
  function toGrey(i, value) { const [a, b] = model.get("_field").ranges[i]; return a + (value / 1000) ** 2 * (b - a); }
  function toSlider(i, grey) {
    const [a, b] = model.get("_field").ranges[i];
    return Math.round(1000 * Math.sqrt(Math.min(1, Math.max(0, (grey - a) / (b - a)))));
  }

  function move(i, end, node) {
    const pair = [...settings.limits[i]];
    pair[end] = toGrey(i, Number(node.value));
    const [a, b] = model.get("_field").ranges[i];
    const least = (b - a) / 1000;
    // Black stays below full colour: the other end gives way.
    if (pair[1] - pair[0] < least) pair[1 - end] = end ? pair[1] - least : pair[0] + least;
    settings.limits[i] = pair;
    changed();
  }

  function changed() {
    words();
    cancelAnimationFrame(waiting);
    waiting = requestAnimationFrame(mix);
    clearTimeout(changed.timer);
    changed.timer = setTimeout(() => { model.set("_settings", structuredClone(settings)); model.save_changes(); }, 200);
  }

  async function load() {
    const mine = ++turn;
    const field = model.get("_field");
    const decode = (name, type) => {
      const bytes = bytesOf(model.get(name));
      return bytes.length ? createImageBitmap(new Blob([bytes], { type })) : null;
    };
    const [stack, edges] = await Promise.all([decode("_planes", "image/webp"), decode("_lines", "image/png")]);
    if (mine !== turn || signal.aborted) return;
    planes = split(stack, field);
    words();
    Object.assign(canvas, { width: field.width, height: field.height });
    drawing = edges && outlineLayer(edges, field);
    mix();
  }

  function split(stack, field) {
    const scratch = new OffscreenCanvas(stack.width, stack.height);
    const pen = scratch.getContext("2d", { willReadFrequently: true });
    pen.drawImage(stack, 0, 0);
    const pixels = pen.getImageData(0, 0, stack.width, stack.height).data;
    const size = field.width * field.height;
    return field.ranges.map((_, i) => {
      const plane = new Uint8Array(size);
      for (let k = 0, at = i * size * 4; k < size; k++, at += 4) plane[k] = pixels[at];
      return plane;
    });
  }

  // White lines in a black rim are seen on every colour, by every reader; as wide on the screen at every size.
  function outlineLayer(edges, field) {
    const mask = new OffscreenCanvas(field.width, field.height), pen = mask.getContext("2d");
    pen.drawImage(edges, 0, 0);
    const image = pen.getImageData(0, 0, field.width, field.height);
    for (let at = 0; at < image.data.length; at += 4) image.data[at + 3] = image.data[at];
    pen.putImageData(image, 0, 0);
    const layer = new OffscreenCanvas(field.width, field.height), out = layer.getContext("2d");
    const unit = canvas.clientWidth ? field.width / canvas.clientWidth : 1;
    spread(out, mask, unit);
    out.globalCompositeOperation = "source-in";
    out.fillRect(0, 0, field.width, field.height);
    out.globalCompositeOperation = "source-over";
    spread(out, mask, 0.45 * unit);
    return layer;
  }

  function spread(pen, mask, radius) {
    const most = Math.round(radius);
    for (let y = -most; y <= most; y++) {
      for (let x = -most; x <= most; x++) if (Math.hypot(x, y) <= radius + 0.2) pen.drawImage(mask, x, y);
    }
  }

  function mix() {
    if (!planes) return;
    const field = model.get("_field");
    const pen = canvas.getContext("2d");
    const image = pen.createImageData(field.width, field.height);
    const out = new Uint32Array(image.data.buffer);
    const tables = planes.map((_, i) => table(i)).filter(Boolean);
    for (let k = 0; k < out.length; k++) {
      let r = 0, g = 0, b = 0;
      for (const t of tables) { const v = t.plane[k]; r += t.r[v]; g += t.g[v]; b += t.b[v]; }
      out[k] = 0xff000000 | ((b > 255 ? 255 : b) << 16) | ((g > 255 ? 255 : g) << 8) | (r > 255 ? 255 : r);
    }
    pen.putImageData(image, 0, 0);
    if (drawing && settings.outlines) pen.drawImage(drawing, 0, 0);
    canvas.dataset.drawn = field.id;
    scale(field);
  }

  function table(i) {
    if (!settings.on[i]) return null;
    const [a, b] = model.get("_field").ranges[i], [low, high] = settings.limits[i];
    const colour = model.get("_channels")[i].colour;
    const part = [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16));
    const shades = part.map(() => new Float32Array(256));
    for (let v = 0; v < 256; v++) {
      const grey = a + (v / 255) ** 2 * (b - a);
      const level = Math.min(1, Math.max(0, (grey - low) / (high - low)));
      shades.forEach((shade, c) => { shade[v] = level * part[c]; });
    }
    return { plane: planes[i], r: shades[0], g: shades[1], b: shades[2] };
  }

  // A round length that takes about a fifth of the width.
  function scale(field) {
    bar.hidden = !field.um;
    if (!field.um) return;
    const shown = canvas.clientWidth, wide = field.width * field.um;
    const ten = 10 ** Math.floor(Math.log10(wide / 5));
    const length = [5, 2, 1].map((m) => m * ten).find((l) => l <= wide / 5) ?? ten;
    bar.style.width = `${(length / wide) * shown}px`;
    bar.textContent = `${Number(length.toPrecision(2))} µm`;
  }

  function words() {
    const field = model.get("_field");
    fillSelect(which, field.fields.map((id) => ({ value: id, label: id })), field.id);
    text.textContent = field.text;
    overlay.hidden = !field.has_outlines;
    lines.checked = settings.outlines;
    // The picture keeps its proportions inside the height that was asked for.
    canvas.style.maxHeight = `${settings.height}px`;
    canvas.style.aspectRatio = `${field.width} / ${field.height}`;
    canvas.setAttribute("aria-label", `Field ${field.id}. ${field.text}`);
    controls.forEach((control, i) => {
      const [low, high] = settings.limits[i];
      control.on.checked = settings.on[i];
      control.low.value = toSlider(i, low);
      control.high.value = toSlider(i, high);
      control.range.textContent = `${number(low)} – ${number(high)}`;
    });
    auto.disabled = JSON.stringify(settings.limits) === JSON.stringify(settings.auto);
    hint.textContent = auto.disabled
      ? "Contrast is chosen once for all fields (0.5–99.8 % of the grey values), so they can be compared."
      : "You changed the contrast: only the picture is different, the data are not.";
  }

  const number = (value) => Number(value.toPrecision(3)).toLocaleString("en");
  which.addEventListener("change", () => model.send({ kind: "field", id: which.value }));
  lines.addEventListener("change", () => { settings.outlines = lines.checked; changed(); });
  auto.addEventListener("click", () => { settings.limits = structuredClone(settings.auto); changed(); });
  const watcher = new ResizeObserver(() => scale(model.get("_field")));
  watcher.observe(canvas);
  listen(model, signal, ["_field", "_planes", "_lines"], once(load));
  listen(model, signal, ["_settings"], once(() => { settings = structuredClone(model.get("_settings")); words(); mix(); }));
  signal.addEventListener("abort", () => watcher.disconnect());
  load();
  return () => ending.abort();
}

export default { render };
