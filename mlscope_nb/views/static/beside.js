// Beside the map: bars of all cells and of the selection, what is different, and where the cells come from.
function makeBeside(host, model, signal, names = { distribution: "Distribution", differences: "What is different", sources: "Where from" }) {
  const head = make("div", "ms-row ms-tabs", host), tabs = make("div", "ms-row", head), body = make("div", "ms-beside", host);
  tabs.setAttribute("role", "tablist");
  const buttons = Object.entries(names).map(([value, text]) => {
    const node = make("button", "ms-tab", tabs, text);
    node.setAttribute("role", "tab");
    node.addEventListener("click", () => {
      model.set("_tab", model.get("_tab") === value ? "" : value);
      model.save_changes();
      mark();
    });
    return [value, node];
  });
  const holder = make("label", "ms-choice", head), column = make("select", "", holder);
  make("span", "", holder, "of").after(column);
  column.setAttribute("aria-label", "Column of the distribution");
  column.addEventListener("change", () => model.send({ kind: "column", name: column.value }));

  function mark() { for (const [value, node] of buttons) node.setAttribute("aria-selected", String(model.get("_tab") === value)); }
  function draw() {
    mark();
    const panel = model.get("_panel"), open = panel.tab;
    host.hidden = Boolean(model.get("_blind"));
    if (host.hidden) fillSelect(column, [], "");
    body.replaceChildren();
    body.hidden = !open;
    holder.hidden = open !== "distribution" || !panel.options;
    if (open === "distribution" && panel.parts) {
      if (panel.options) fillSelect(column, panel.options, panel.parts[0].column);
      drawBars(make("div", "ms-part", body), panel.parts[0], model, 2.4);
    } else if (open === "sources") {
      const parts = make("div", "ms-parts", body);
      for (const part of panel.parts) {
        const place = make("div", "ms-part", parts);
        make("div", "ms-part-title", place, part.column);
        drawBars(place, part, model, 1);
      }
      if (panel.note) make("div", "ms-where", body, panel.note);
    } else if (open === "differences") {
      if (panel.rows.length) drawEffects(make("div", "ms-effects", body), panel.rows, model);
      make("div", "ms-where", body, panel.note);
    }
  }
  const watcher = new ResizeObserver(() => draw());
  watcher.observe(host);
  listen(model, signal, ["_panel", "_blind"], once(draw));
  signal.addEventListener("abort", () => watcher.disconnect());
}

// Grey: all cells. Colour: the selection. Both as shares, so that a small group can be compared with all.
function drawBars(host, part, model, wanted) {
  const wide = Math.max(200, Math.min(host.clientWidth || 600, 300 * wanted)), high = 132, left = 52, right = 6, top = 6;
  const numbers = part.edges.length > 1, bottom = numbers ? 34 : 40, n = part.names.length, room = (wide - left - right) / n;
  if (!numbers && part.names.some((name) => fitMiddle(name, room - 5) !== name)) { drawRows(host, part, model, wide); return; }
  const peak = Math.max(...part.all, ...part.chosen, 1e-9), base = high - bottom;
  const svg = barsOf(host, part, wide, high);
  const y = (share) => base - (share / peak) * (base - top);
  for (const share of [0, peak / 2, peak]) {
    drawn("line", svg, { x1: left, x2: wide - right, y1: y(share), y2: y(share), class: "ms-grid" });
    drawn("text", svg, { x: left - 4, y: y(share) + 4, class: "ms-tick", "text-anchor": "end" }, `${(100 * share).toFixed(peak < 0.1 ? 1 : 0)} %`);
  }
  part.names.forEach((name, i) => {
    const at = left + i * room, gap = numbers ? 0.5 : Math.min(8, room * 0.15), colour = numbers ? "#0072b2" : part.colours[i];
    drawn("rect", svg, { x: at + gap, y: y(part.all[i]), width: Math.max(1, room - 2 * gap), height: base - y(part.all[i]), class: "ms-bar-all" });
    if (part.chosen.length) drawn("rect", svg, { x: at + gap + room * 0.18, y: y(part.chosen[i]), width: Math.max(1, room * 0.64 - 2 * gap), height: base - y(part.chosen[i]), fill: colour, class: "ms-bar-chosen" });
    area(svg, part, i, { x: at, y: top, width: room, height: base - top });
    if (!numbers) label(svg, name, at + room / 2, base + 14, room, n);
  });
  if (numbers) ends(svg, part, left, room, base);
  const words = numbers ? `${part.column} (${keyOf(part)})` : keyOf(part);
  drawn("text", svg, { x: left + (wide - left - right) / 2, y: high - 4, class: "ms-tick", "text-anchor": "middle" }, words);
  brush(svg, part, model, { from: left, room, down: false, cross: top, length: base - top });
}

// Names that do not fit below their bars stand beside them.
function drawRows(host, part, model, wide) {
  const pitch = 22, n = part.names.length, counts = part.n_chosen ?? [], right = 8 + textWidth(counts.map((c) => c.toLocaleString("en")));
  const left = Math.min(0.45 * wide, 8 + textWidth(part.names)), high = n * pitch + 20;
  const peak = Math.max(...part.all, ...part.chosen, 1e-9), room = wide - left - right, long = (share) => (share / peak) * room;
  const svg = barsOf(host, part, wide, high);
  part.names.forEach((name, i) => {
    const y = i * pitch + 2;
    drawn("rect", svg, { x: left, y, width: long(part.all[i]), height: pitch - 4, class: "ms-bar-all" });
    if (part.chosen.length) drawn("rect", svg, { x: left, y: y + 5, width: long(part.chosen[i]), height: pitch - 14, fill: part.colours[i], class: "ms-bar-chosen" });
    const text = drawn("text", svg, { x: left - 6, y: y + 13, class: "ms-tick", "text-anchor": "end" }, fitMiddle(name, left - 8));
    drawn("title", text, {}, name);
    if (counts.length) drawn("text", svg, { x: wide, y: y + 13, class: "ms-tick", "text-anchor": "end" }, counts[i].toLocaleString("en"));
    area(svg, part, i, { x: left, y: y - 2, width: room, height: pitch });
  });
  drawn("text", svg, { x: 0, y: high - 4, class: "ms-tick" }, keyOf(part));
  brush(svg, part, model, { from: 0, room: pitch, down: true, cross: left, length: room });
}

function barsOf(host, part, wide, high) {
  const svg = drawn("svg", host, { width: wide, height: high, class: "ms-bars", role: "img", tabindex: 0, "data-lm-suppress-shortcuts": "true" });
  svg.setAttribute("aria-label", `Distribution of ${part.column}`);
  svg.setAttribute("aria-description", "Arrow keys go from bar to bar, with Shift over several; Enter selects their cells.");
  return svg;
}

function keyOf(part) { return part.chosen.length ? "grey: all cells, colour: selection" : "grey: all cells"; }

// Where the mouse rests for the numbers of a bar.
function area(svg, part, i, place) {
  const counted = part.n_chosen?.length ? ` (${part.n_chosen[i].toLocaleString("en")})` : "";
  const shown = part.chosen.length ? `, of the selection ${(100 * part.chosen[i]).toFixed(1)} %${counted}` : "";
  const node = drawn("rect", svg, { ...place, class: "ms-bar-area" });
  drawn("title", node, {}, `${part.names[i]}: ${(100 * part.all[i]).toFixed(1)} % of all${shown}`);
}

function textWidth(texts) {
  ruler.font = `13px ${FONT}`;
  return Math.max(0, ...texts.map((text) => ruler.measureText(text.slice(0, 80)).width));
}

function label(svg, name, x, y, room, n) {
  const node = drawn("text", svg, { x, y, class: "ms-tick", "text-anchor": "middle" }, fitMiddle(name, room - 5));
  drawn("title", node, {}, name);
}

function ends(svg, part, left, room, base) {
  const every = Math.max(1, Math.ceil(part.edges.length / 8));
  part.edges.forEach((edge, i) => {
    if (i % every) return;
    const x = left + i * room;
    const anchor = i === 0 ? "start" : x > svg.getAttribute("width") - 20 ? "end" : "middle"; // neither in the axis nor cut off
    drawn("text", svg, { x, y: base + 14, class: "ms-tick", "text-anchor": anchor }, String(Number(edge.toPrecision(4))));
  });
}

// Dragging over bars selects their cells; with the keyboard: arrows and Enter. Bars stand side by side, or go `down`.
function brush(svg, part, model, { from, room, down, cross, length }) {
  const mark = drawn("rect", svg, { [down ? "x" : "y"]: cross, [down ? "width" : "height"]: length, class: "ms-brush", visibility: "hidden" });
  let first = -1, last = -1;
  const along = (event, box) => (down ? event.clientY - box.top : event.clientX - box.left);
  const bin = (event) => Math.max(0, Math.min(part.names.length - 1, Math.floor((along(event, svg.getBoundingClientRect()) - from) / room)));
  const show = () => {
    mark.setAttribute(down ? "y" : "x", from + Math.min(first, last) * room);
    mark.setAttribute(down ? "height" : "width", (Math.abs(last - first) + 1) * room);
    mark.setAttribute("visibility", first < 0 ? "hidden" : "visible");
  };
  const take = (add) => {
    if (first >= 0) model.send({ kind: "brush", column: part.column, first, last, add });
    first = last = -1;
    show();
  };
  svg.addEventListener("pointerdown", (event) => { first = last = bin(event); svg.setPointerCapture(event.pointerId); show(); });
  svg.addEventListener("pointermove", (event) => { if (first >= 0 && event.buttons) { last = bin(event); show(); } });
  svg.addEventListener("pointerup", (event) => take(event.shiftKey));
  svg.addEventListener("pointercancel", () => { first = last = -1; show(); });
  svg.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) {
      last = Math.max(0, Math.min(part.names.length - 1, last + step));
      if (!event.shiftKey) first = last;
      show();
    } else if (event.key === "Enter" && first >= 0) take(false);
    else return;
    event.preventDefault();
  });
}

// One line for each feature: the difference as a dot, its interval as a bar, zero as a line.
function drawEffects(host, rows, model) {
  const far = Math.max(0.5, ...rows.map((r) => Math.min(5, Math.max(Math.abs(r.effect), Math.abs(r.low ?? 0), Math.abs(r.high ?? 0)))));
  const wide = 220, x = (value) => wide / 2 + (Math.max(-far, Math.min(far, value)) / far) * (wide / 2 - 6);
  for (const row of rows) {
    const line = make("button", "ms-effect", host), name = make("span", "ms-effect-name", line, row.name);
    line.title = `${row.name}: show its distribution`;
    name.dir = "auto";
    const svg = drawn("svg", line, { width: wide, height: 16, "aria-hidden": "true" });
    drawn("line", svg, { x1: wide / 2, x2: wide / 2, y1: 0, y2: 16, class: "ms-grid" });
    if (row.low !== null && row.high !== null) drawn("line", svg, { x1: x(row.low), x2: x(row.high), y1: 8, y2: 8, stroke: "#0072b2", "stroke-width": 3 });
    drawn("circle", svg, { cx: x(row.effect), cy: 8, r: 4.5, fill: "#d55e00" });
    const interval = row.low === null ? "" : ` [${row.low.toFixed(2)}, ${row.high.toFixed(2)}]`;
    make("span", "ms-effect-number", line, Math.abs(row.effect) >= 1e6 ? "no overlap at all" : `${row.effect.toFixed(2)}${interval}`);
    line.addEventListener("click", () => model.send({ kind: "column", name: row.name }));
  }
}
