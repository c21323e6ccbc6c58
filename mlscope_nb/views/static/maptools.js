// What stands around the points: tools above, the legend beside, the picture of the cell under the mouse.

function stroke(pen, x1, y1, x2, y2) { pen.beginPath(); pen.moveTo(x1, y1); pen.lineTo(x2, y2); pen.stroke(); }

function fitText(pen, text, room) {
  if (pen.measureText(text).width <= room) return text;
  let n = text.length;
  while (n > 1 && pen.measureText(`${text.slice(0, n)}…`).width > room) n--;
  return `${text.slice(0, n)}…`;
}

function makeTools(host) {
  const row = make("div", "ms-row ms-tools", host);
  row.setAttribute("role", "toolbar");
  let tool = "lasso";
  const acts = {}, modes = {};
  for (const [name, text, hint] of [["lasso", "Lasso", "Draw around points. Shift adds, Alt removes"],
    ["box", "Box", "Drag a rectangle. Shift adds, Alt removes"], ["move", "Move", "Drag the map (or with the middle mouse button)"]]) {
    modes[name] = button(text, hint);
    modes[name].addEventListener("click", () => { tool = name; press(); });
  }
  for (const [name, text, hint] of [["in", "+", "Zoom in (mouse wheel, or key +)"], ["out", "−", "Zoom out (key −)"], ["whole", "Whole map", "Show all points (double click, or key 0)"]]) {
    acts[name] = button(text, hint);
  }
  function button(text, hint) {
    const node = make("button", "ms-button ms-tool", row, text);
    node.title = hint;
    return node;
  }
  function press() { for (const name of Object.keys(modes)) modes[name].setAttribute("aria-pressed", String(name === tool)); }
  press();
  return { tool: () => tool, on: (calls) => { for (const name of Object.keys(calls)) acts[name].addEventListener("click", calls[name]); } };
}

// The wheel zooms only when it was turned over the map from the start: a page that scrolls past is left alone.
function wheelOn(node, signal, zoom) {
  let last = 0, outside = false;
  document.addEventListener("wheel", (event) => {
    const now = performance.now();
    if (now - last > 300) outside = !node.contains(event.target);
    last = now;
  }, { passive: true, capture: true, signal });
  node.addEventListener("wheel", (event) => {
    if (outside) return;
    event.preventDefault();
    zoom(event);
  }, { passive: false });
}

function rgbOf(colour) { return [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16)); }

// Categories with a switch each, or a scale of colours with its ends.
function makeLegend(host, model, signal) {
  const SHOWN = 16;
  let every = false;
  const about = () => model.get("_inks");
  function hidden() {
    const off = new Set(model.get("_hidden")), flags = new Uint8Array(256);
    if (about().kind === "categories") about().entries.forEach((entry, i) => { flags[i] = off.has(entry.name) ? 1 : 0; });
    return flags;
  }
  function inks() {
    const colours = (about().kind === "scale" ? [...about().palette, about().missing] : about().entries.map((e) => e.colour)).map(rgbOf);
    while (colours.length < 256) colours.push([128, 128, 128]);
    return colours;
  }
  function draw() {
    host.replaceChildren();
    const { kind, name, entries } = about();
    host.hidden = kind === "one";
    if (kind === "one") return;
    make("div", "ms-legend-title", host, name).title = name;
    if (kind === "scale") { scale(about()); return; }
    const off = new Set(model.get("_hidden"));
    for (const entry of every ? entries : entries.slice(0, SHOWN)) {
      const node = make("button", "ms-entry", host);
      node.setAttribute("aria-pressed", String(!off.has(entry.name)));
      node.title = `${entry.name}: ${entry.count.toLocaleString("en")} cells. Click to hide or show, double click for only these`;
      make("i", "", node).style.background = entry.colour;
      make("span", "", node, fitMiddle(entry.name, 110));
      node.addEventListener("click", () => toggle(entry.name));
      node.addEventListener("dblclick", () => put(entries.map((e) => e.name).filter((n) => n !== entry.name)));
    }
    if (entries.length > SHOWN) {
      const more = make("button", "ms-entry ms-entry-more", host, every ? "show fewer" : `… and ${entries.length - SHOWN} more`);
      more.addEventListener("click", () => { every = !every; draw(); });
    }
    if (off.size) make("button", "ms-entry ms-entry-more", host, "show all").addEventListener("click", () => put([]));
  }
  function scale({ palette, low, high, missing, n_missing }) {
    const holder = make("div", "ms-scale-bar", host), bar = make("div", "ms-scale-colours", holder);
    bar.style.background = `linear-gradient(to top, ${palette.filter((_, i) => i % 8 === 0).join(", ")})`;
    const ends = make("div", "ms-scale-ends", holder);
    for (const value of [high, (low + high) / 2, low]) make("span", "", ends, Number(value.toPrecision(3)).toLocaleString("en", { maximumSignificantDigits: 3 }));
    if (!n_missing) return;
    const node = make("div", "ms-entry", host);
    make("i", "", node).style.background = missing;
    make("span", "", node, `no value: ${n_missing.toLocaleString("en")}`);
  }
  function toggle(name) {
    const now = new Set(model.get("_hidden"));
    if (!now.delete(name)) now.add(name);
    put([...now]);
  }
  function put(names) { model.set("_hidden", names); model.save_changes(); draw(); }
  return { draw, inks, hidden };
}

// The picture and the words of the cell under the mouse; asked for once, when the mouse rests.
function makeTip(host, box, model, signal) {
  const tip = make("div", "ms-tip", host), known = new Map();
  tip.hidden = true;
  let resting = -1, place = [0, 0];
  function show(row, x, y) {
    place = [x, y];
    if (row === resting) return;
    resting = row;
    tip.hidden = true;
    if (known.has(row)) fill(row);
    else setTimeout(() => { if (resting === row) model.send({ kind: "hover", row }); }, 60);
  }
  function hide() { resting = -1; tip.hidden = true; }
  function fill(row) {
    const { lines, address } = known.get(row);
    tip.replaceChildren();
    if (address) make("img", "", tip).src = address;
    const words = make("div", "", tip);
    for (const line of lines) make("div", "", words, line);
    tip.hidden = false;
    const outer = host.getBoundingClientRect(), inner = box.getBoundingClientRect();
    const left = place[0] + inner.left - outer.left, top = place[1] + inner.top - outer.top;
    tip.style.left = `${Math.max(0, left + (left > outer.width / 2 ? -12 - tip.offsetWidth : 12))}px`;
    tip.style.top = `${Math.max(0, Math.min(top - 20, outer.height - tip.offsetHeight))}px`;
  }
  function received(message, buffers) {
    if (message.kind === "forget") { forget(); return; }
    if (message.kind !== "hover") return;
    if (known.size > 300) forget();
    known.set(message.row, { lines: message.lines, address: buffers.length ? URL.createObjectURL(new Blob([buffers[0]], { type: "image/webp" })) : message.address ?? "" });
    if (resting === message.row) fill(message.row);
  }
  function forget() {
    for (const { address } of known.values()) if (address.startsWith("blob:")) URL.revokeObjectURL(address);
    known.clear();
    hide();
    tip.replaceChildren();
  }
  model.on("msg:custom", received);
  listen(model, signal, ["_codes"], forget);
  signal.addEventListener("abort", () => { model.off("msg:custom", received); forget(); });
  return { show, hide };
}
