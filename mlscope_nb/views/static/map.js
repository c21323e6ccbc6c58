// The map: points drawn on a canvas; what is drawn around reaches the kernel as one bit for each cell.
const MARGIN = { left: 56, right: 8, top: 8, bottom: 44 };

function makeMap(host, model, signal) {
  const tools = makeTools(host);
  const body = make("div", "ms-map-body", host);
  const box = make("div", "ms-map", body);
  const base = make("canvas", "ms-layer", box), over = make("canvas", "ms-layer", box);
  over.tabIndex = 0;
  over.setAttribute("role", "application");
  const legend = makeLegend(make("div", "ms-legend", body), model, signal);
  const tip = makeTip(host, box, model, signal);
  let x = new Float64Array(0), y = x, whole = boxOf(x, y), view = whole, order = [], nearest = null, key = null;
  let codes = new Uint8Array(0), bits = new Uint8Array(0), waiting = 0, path = [];

  // --- what the kernel says -------------------------------------------------------------------------------
  function points() {
    const all = new Float64Array(bytesOf(model.get("_points")).slice().buffer), n = all.length / 2;
    x = all.subarray(0, n); y = all.subarray(n);
    whole = boxOf(x, y);
    if (order.length !== n) order = mixedOrder(n);
    nearest = null;
    const { key: fresh, name } = model.get("_frame");
    // The same map drawn again stays where the reader had zoomed to.
    if (fresh !== key) view = whole;
    key = fresh;
    over.setAttribute("aria-label", `${name}. Arrow keys, + and − move it, 0 shows all; Enter selects the points in view, with Shift adds them; Escape selects none.`);
    schedule();
  }
  function colours() { codes = bytesOf(model.get("_codes")); legend.draw(); schedule(); }
  function chosen() {
    const fresh = bytesOf(model.get("_selected"));
    // What came from this map is on it already.
    if (Bits.same(fresh, bits)) return;
    bits = fresh;
    schedule();
  }
  // What was drawn around just when the line broke did not reach the kernel.
  onLine(model, signal, (on) => { if (on) chosen(); });

  // --- from places to screen pixels -----------------------------------------------------------------------
  function area() {
    return { width: Math.max(20, box.clientWidth - MARGIN.left - MARGIN.right), height: Math.max(20, box.clientHeight - MARGIN.top - MARGIN.bottom) };
  }
  function scales() {
    const { width, height } = area();
    const ax = width / (view.right - view.left), ay = -height / (view.top - view.bottom);
    return { ax, bx: MARGIN.left - ax * view.left, ay, by: MARGIN.top - ay * view.top };
  }
  const isHidden = () => legend.hidden();
  // Pixel positions and the selection as drawn, for whoever wants to check them.
  box.geometry = (each = false) => {
    const at = over.getBoundingClientRect(), s = scales(), { width, height } = area();
    const found = { ax: s.ax, bx: s.bx + at.left, ay: s.ay, by: s.by + at.top, left: at.left + MARGIN.left, top: at.top + MARGIN.top,
      width, height, range: [view.left, view.right, view.bottom, view.top], n: x.length, chosen: Bits.count(bits) };
    if (!each) return found;
    const rows = [...x.keys()].filter((i) => Bits.has(bits, i));
    return { ...found, x: Array.from(x, (v) => found.ax * v + found.bx), y: Array.from(y, (v) => found.ay * v + found.by), selected: rows };
  };

  // --- drawing --------------------------------------------------------------------------------------------
  function schedule() {
    if (!waiting) waiting = requestAnimationFrame(() => { waiting = 0; if (!signal.aborted) draw(); });
  }
  function draw() {
    const ratio = window.devicePixelRatio || 1, dark = isDark(box), { width, height } = area(), s = scales();
    if (box.clientWidth < 30) return;
    for (const layer of [base, over]) {
      layer.width = Math.round(box.clientWidth * ratio);
      layer.height = Math.round(box.clientHeight * ratio);
    }
    const pen = base.getContext("2d");
    if (codes.length === x.length && x.length) {
      const size = { width: Math.round(width * ratio), height: Math.round(height * ratio) };
      const place = { x, y, ax: s.ax * ratio, bx: (s.bx - MARGIN.left) * ratio, ay: s.ay * ratio, by: (s.by - MARGIN.top) * ratio, order };
      pen.putImageData(rasterise(size, place, look(ratio, dark)), Math.round(MARGIN.left * ratio), Math.round(MARGIN.top * ratio));
    }
    pen.scale(ratio, ratio);
    axes(pen, width, height, s, dark ? "#e0e0e0" : "#212121", dark ? "#8a8a8a" : "#757575");
    drawOver();
    box.dataset.drawn = key ?? "";
    box.dataset.chosen = String(Bits.count(bits));
  }
  function look(ratio, dark) {
    const n = x.length, any = Bits.count(bits) > 0, diameter = model.get("_frame").size ?? Math.min(9, Math.max(2.4, 9 - 1.9 * Math.log10(Math.max(n, 50) / 50)));
    return { codes, inks: legend.inks(dark), hidden: isHidden(), chosen: any ? bits : null, grey: dark ? [96, 96, 96] : [176, 176, 176],
      radius: (diameter / 2) * ratio, alpha: n > 1000 ? 0.7 : 0.9, wide: ratio > 1 || n < 2e5 };
  }
  function axes(pen, width, height, s, ink, line) {
    const { x_label, y_label } = model.get("_frame"), right = MARGIN.left + width, bottom = MARGIN.top + height;
    pen.strokeStyle = line; pen.fillStyle = ink; pen.lineWidth = 1;
    pen.strokeRect(MARGIN.left - 0.5, MARGIN.top - 0.5, width + 1, height + 1);
    pen.font = `13px ${FONT}`; pen.textAlign = "center"; pen.textBaseline = "top";
    for (const { value, text } of ticks(view.left, view.right, width, 80)) {
      const at = Math.round(s.ax * value + s.bx) + 0.5;
      stroke(pen, at, bottom, at, bottom + 5);
      if (at < right - 8) pen.fillText(text, at, bottom + 7);
    }
    pen.textAlign = "right"; pen.textBaseline = "middle";
    for (const { value, text } of ticks(view.bottom, view.top, height, 50)) {
      const at = Math.round(s.ay * value + s.by) + 0.5;
      stroke(pen, MARGIN.left - 5, at, MARGIN.left, at);
      pen.fillText(text, MARGIN.left - 7, at, MARGIN.left - 22);
    }
    pen.font = `14px ${FONT}`; pen.textAlign = "center"; pen.textBaseline = "bottom";
    pen.fillText(fitText(pen, x_label ?? "", width), MARGIN.left + width / 2, bottom + MARGIN.bottom - 2);
    pen.save();
    pen.translate(1, MARGIN.top + height / 2); pen.rotate(-Math.PI / 2); pen.textBaseline = "top";
    pen.fillText(fitText(pen, y_label ?? "", height), 0, 0);
    pen.restore();
  }
  function drawOver() {
    const pen = over.getContext("2d"), ratio = window.devicePixelRatio || 1, s = scales(), row = model.get("_found");
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.clearRect(0, 0, box.clientWidth, box.clientHeight);
    if (row >= 0 && row < x.length) {
      for (const [ink, wide] of [["#000000", 5], ["#ff7f0e", 2.5]]) {
        pen.beginPath(); pen.arc(s.ax * x[row] + s.bx, s.ay * y[row] + s.by, 9, 0, 2 * Math.PI);
        pen.strokeStyle = ink; pen.lineWidth = wide; pen.stroke();
      }
    }
    if (path.length < 2) return;
    pen.beginPath();
    path.forEach(([px, py], i) => (i ? pen.lineTo(px, py) : pen.moveTo(px, py)));
    pen.closePath();
    pen.fillStyle = "rgba(0, 114, 178, 0.12)"; pen.fill();
    pen.strokeStyle = "#0072b2"; pen.lineWidth = 1.5; pen.stroke();
  }

  // --- the mouse ------------------------------------------------------------------------------------------
  const here = (event) => { const at = over.getBoundingClientRect(); return [event.clientX - at.left, event.clientY - at.top]; };
  const modeOf = (event) => (event.shiftKey ? "add" : event.altKey || event.ctrlKey || event.metaKey ? "remove" : "set");
  let drag = null;
  over.addEventListener("pointerdown", (event) => {
    if (event.button > 1 || drag) return;
    over.setPointerCapture(event.pointerId);
    drag = { start: here(event), tool: event.button === 1 ? "move" : tools.tool(), view, moved: false };
    tip.hide();
  });
  over.addEventListener("pointermove", (event) => {
    if (!drag) { rest(event); return; }
    const now = here(event);
    drag.moved ||= Math.hypot(now[0] - drag.start[0], now[1] - drag.start[1]) > 4;
    if (drag.tool === "move") pan(now);
    else if (drag.tool === "box") path = corners(drag.start, now);
    else path.push(...(path.length ? [] : [drag.start]), ...(event.getCoalescedEvents?.().map(here) ?? []), now);
    requestAnimationFrame(() => { if (!signal.aborted) drawOver(); });
  });
  over.addEventListener("pointerup", (event) => {
    if (!drag) return;
    const { moved, tool, start } = drag, line = path;
    drag = null; path = [];
    if (!moved) click(start, modeOf(event));
    else if (tool !== "move") take(line, modeOf(event));
    drawOver();
  });
  const cancel = () => { drag = null; path = []; drawOver(); };
  over.addEventListener("pointercancel", cancel);
  over.addEventListener("pointerleave", () => { if (!drag) tip.hide(); });
  over.addEventListener("dblclick", () => zoomTo(whole));
  over.addEventListener("keydown", (event) => {
    const key = event.key, step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[key];
    if (key === "Escape") { if (drag) cancel(); else model.send({ kind: "clear" }); }
    else if (key === "+" || key === "=") zoom(0.8);
    else if (key === "-") zoom(1.25);
    else if (key === "0") zoomTo(whole);
    else if (key === "Enter") take(inView(), modeOf(event));
    else if (step) shift((0.1 * step[0]) * (view.right - view.left), (0.1 * step[1]) * (view.top - view.bottom));
    else return;
    event.preventDefault();
  });

  // What the keyboard has in the place of a lasso: everything between the axes.
  function inView() {
    const { width, height } = area();
    return corners([MARGIN.left, MARGIN.top], [MARGIN.left + width, MARGIN.top + height]);
  }
  function corners([x1, y1], [x2, y2]) { return [[x1, y1], [x2, y1], [x2, y2], [x1, y2]]; }
  // Points that are hidden in the legend are not seen, so they are not taken.
  function take(line, mode) {
    if (line.length < 3) return;
    const s = scales(), inside = insideOf(line), hidden = isHidden(), found = Bits.make(x.length);
    for (let i = 0; i < x.length; i++) if (!hidden[codes[i]] && inside(s.ax * x[i] + s.bx, s.ay * y[i] + s.by)) Bits.put(found, i);
    send(found, mode);
  }
  function click(at, mode) {
    const row = nearestTo(at, 8);
    if (row < 0) return;
    if (mode !== "set") { model.send({ kind: "toggle", row }); return; }
    const found = Bits.make(x.length);
    Bits.put(found, row);
    send(found, mode);
    model.send({ kind: "find", row });
  }
  function send(found, mode) {
    const now = Bits.join(bits.length ? bits : Bits.make(x.length), found, mode);
    if (Bits.same(now, bits)) return;
    model.send({ kind: "selected" }, undefined, [now.slice().buffer]);
    bits = now;
    schedule();
  }
  function nearestTo([px, py], reach) {
    if (!x.length) return -1;
    nearest ??= nearestIn(x, y, whole);
    const s = scales(), hidden = isHidden();
    return nearest((px - s.bx) / s.ax, (py - s.by) / s.ay, 1 / s.ax, -1 / s.ay, reach, (i) => !hidden[codes[i]]);
  }
  function rest(event) {
    const at = here(event), row = nearestTo(at, 8);
    if (row < 0) { tip.hide(); return; }
    const s = scales();
    tip.show(row, s.ax * x[row] + s.bx, s.ay * y[row] + s.by);
  }

  // --- moving about ---------------------------------------------------------------------------------------
  function zoomTo(next) { view = next; tip.hide(); schedule(); }
  function zoom(factor, px = MARGIN.left + area().width / 2, py = MARGIN.top + area().height / 2) {
    const s = scales(), cx = (px - s.bx) / s.ax, cy = (py - s.by) / s.ay;
    const wide = (view.right - view.left) * factor;
    if (wide > 20 * (whole.right - whole.left) || wide < 1e-6 * (whole.right - whole.left)) return;
    zoomTo({ left: cx + (view.left - cx) * factor, right: cx + (view.right - cx) * factor,
      bottom: cy + (view.bottom - cy) * factor, top: cy + (view.top - cy) * factor });
  }
  function shift(dx, dy) { zoomTo({ left: view.left + dx, right: view.right + dx, bottom: view.bottom + dy, top: view.top + dy }); }
  function pan([px, py]) {
    const s = scales(), dx = (px - drag.start[0]) / s.ax, dy = (py - drag.start[1]) / s.ay, v = drag.view;
    zoomTo({ left: v.left - dx, right: v.right - dx, bottom: v.bottom - dy, top: v.top - dy });
  }
  wheelOn(over, signal, (event) => zoom(Math.exp(Math.max(-100, Math.min(100, event.deltaY)) * 0.002), ...here(event)));
  tools.on({ in: () => zoom(0.7), out: () => zoom(1 / 0.7), whole: () => zoomTo(whole) });

  const watcher = new ResizeObserver(schedule), theme = new MutationObserver(schedule);
  watcher.observe(box);
  theme.observe(document.body, { attributes: true, attributeFilter: ["data-jp-theme-light", "data-jp-theme-name"] });
  listen(model, signal, ["_points", "_frame"], once(points));
  listen(model, signal, ["_codes", "_inks", "_hidden"], once(colours));
  listen(model, signal, ["_selected"], once(chosen));
  listen(model, signal, ["_found"], once(drawOver));
  signal.addEventListener("abort", () => { watcher.disconnect(); theme.disconnect(); cancelAnimationFrame(waiting); });
  bits = bytesOf(model.get("_selected"));
  points();
  colours();
}
