// The workbench as a page of its own: the part of the kernel is played here, from the data inside the page.
const RESTS = new Set(["(none)", "(others)"]);

function cutShort(text) { return text.length <= 60 ? text : `${text.slice(0, 59)}…`; }

function bytesFrom(text) { return Uint8Array.from(atob(text), (c) => c.charCodeAt(0)); }

class LocalModel {
  constructor(data) {
    this.data = data;
    this.heard = new Map();
    this.n = data.ids.length;
    this.bits = Bits.make(this.n);
    this.done = [];
    this.undone = [];
    this.what = "selected";
    this.start = 0;
    this.columns = new Map(data.columns.map((c) => [c.name, this.column(c)]));
    this.values = {
      _hidden: [], _found: -1, _room: 30, _tile: 72, _height: 330, _wide_rows: 3, _blind: false, _tab: "distribution",
      _selected: this.bits, _sort: "table", _sort_options: [{ value: "table", label: "as in the table" },
        ...data.columns.map((c) => ({ value: c.name, label: `${c.name} ↑` }))],
    };
    this.showMap(data.map);
    this.showColour(data.colour);
    this.beside = data.beside;
  }
  get(name) { return this.values[name]; }
  set(name, value) { this.values[name] = value; this.tell(name); }
  save_changes() {}
  on(what, call) { this.heard.set(what, [...(this.heard.get(what) ?? []), call]); }
  off(what, call) { this.heard.set(what, (this.heard.get(what) ?? []).filter((c) => c !== call)); }
  tell(name) {
    for (const call of this.heard.get(`change:${name}`) ?? []) call();
    if (name === "_room") this.turn();
  }
  send(message, _, buffers) { this[`on_${message.kind}`]?.(message, buffers); }

  // --- columns ---
  column(about) {
    const codes = new Uint8Array(this.n);
    const bins = bytesFrom(about.bins);
    if (about.legend.kind !== "scale") return { ...about, codes: bytesFrom(about.values), bins };
    const values = new Float32Array(bytesFrom(about.values).buffer), { low, high } = about.legend;
    values.forEach((v, i) => {
      codes[i] = bins[i] < 255 ? Math.max(0, Math.min(254, Math.floor(((v - low) / (high - low)) * 254 + 0.5))) : 255;
    });
    return { ...about, values, codes, bins };
  }
  counts(column, chosen) {
    const counts = new Array(column.names.length).fill(0);
    column.bins.forEach((bin, i) => { if (bin < counts.length && (!chosen || Bits.has(this.bits, i))) counts[bin]++; });
    return counts;
  }
  shares(column, chosen) {
    const counts = this.counts(column, chosen), all = counts.reduce((a, b) => a + b, 0);
    return counts.map((c) => c / Math.max(all, 1));
  }

  // --- what is shown ---
  showMap(name) {
    const map = this.data.maps[name], flat = new Float32Array(bytesFrom(map.points).buffer);
    this.values._frame = { key: name, name: `${map.title} map`, x_label: map.x_label, y_label: map.y_label };
    this.set("_points", new Uint8Array(Float64Array.from(flat).buffer));
    this.set("_map", name);
  }
  showColour(name) {
    const column = this.columns.get(name);
    this.values._hidden = [];
    this.values._inks = column ? column.legend : { kind: "one", name: "", entries: [{ name: "", colour: "#0072b2", count: this.n }] };
    this.set("_colour", name);
    this.set("_codes", column ? column.codes : new Uint8Array(this.n));
  }
  rows() {
    const every = this.what === "all" || !Bits.count(this.bits), found = [];
    for (let i = 0; i < this.n; i++) if (every || Bits.has(this.bits, i)) found.push(i);
    const by = this.columns.get(this.values._sort);
    if (by) {
      const key = by.legend.kind === "scale" ? by.values : by.bins;
      found.sort((a, b) => (Number.isFinite(key[a]) ? key[a] : Infinity) - (Number.isFinite(key[b]) ? key[b] : Infinity) || a - b);
    }
    return found;
  }
  turn() {
    const rows = this.rows(), room = this.values._room, chosen = Bits.count(this.bits), every = this.what === "all" || !chosen;
    if (this.start >= rows.length) this.start = 0;
    const page = this.data.thumbnails.length ? rows.slice(this.start, this.start + room) : [];
    const count = (n) => n.toLocaleString("en");
    this.set("_page", {
      title: every ? `All ${count(this.n)} cells` : `${count(chosen)} selected cells`,
      rows: page, ids: page.map((i) => this.data.ids[i]), chosen: page.map((i) => Bits.has(this.bits, i)), rings: every,
      start: this.start, total: rows.length, where: `${count(this.start + 1)}–${count(this.start + page.length)} of ${count(rows.length)}`,
      choices: [{ value: "selected", label: "show selected" }, { value: "all", label: "show all" }], show: this.what,
      channels: this.data.channels, contrast: this.data.contrast,
    });
  }
  follow() {
    this.turn();
    const column = this.columns.get(this.beside);
    if (column) {
      const part = { column: column.name, names: column.names, colours: column.colours, edges: column.edges, all: this.shares(column), chosen: Bits.count(this.bits) ? this.shares(column, true) : [], n_chosen: Bits.count(this.bits) ? this.counts(column, true) : [] };
      this.set("_panel", { tab: "distribution", parts: [part], options: this.data.columns.map((c) => ({ value: c.name, label: c.name })) });
    }
    this.set("_words", this.sentence());
    this.set("_one_sided", this.oneSided());
  }
  // As _sentences.py has it: most of the selection from one batch or unit that holds far fewer of all cells.
  oneSided() {
    const n = Bits.count(this.bits);
    if (n < 10) return "";
    for (const name of this.data.origins) {
      const { codes, legend } = this.columns.get(name), kinds = legend.entries ?? [];
      if (kinds.filter((kind) => !RESTS.has(kind.name)).length < 2) continue;
      const counts = new Array(kinds.length).fill(0);
      codes.forEach((code, i) => { if (Bits.has(this.bits, i) && !RESTS.has(kinds[code].name)) counts[code]++; });
      const most = counts.indexOf(Math.max(...counts)), part = counts[most] / n, usual = kinds[most].count / this.n;
      if (part >= 0.6 && part * (1 - usual) >= 4 * usual * (1 - part)) {
        return `${(100 * part).toFixed(0)} % of the selected cells come from ${cutShort(name)} ${cutShort(kinds[most].name)}, which holds ${(100 * usual).toFixed(0)} % of all cells: this may be an effect of the ${cutShort(name)}.`;
      }
    }
    return "";
  }
  sentence() {
    const n = Bits.count(this.bits), all = `${this.n.toLocaleString("en")} cells`;
    if (!n) return `No cells selected. Draw around some on the map (${all}).`;
    const parts = this.data.design.map((name) => {
      const column = this.columns.get(name);
      const found = this.shares(column, true).map((s, i) => [s, column.names[i]]).filter(([s]) => s > 0).sort((a, b) => b[0] - a[0]);
      return `${name} ${found.slice(0, 4).map(([s, v]) => `${v} ${(100 * s).toFixed(0)} %`).join(", ")}`;
    });
    return `${n.toLocaleString("en")} of ${all} selected${parts.length ? `: ${parts.join(" · ")}` : "."}`;
  }
  // All cells stay in view while a selection is built from their crops, and where that was asked for.
  choose(bits, remember = true, toggled = false) {
    if (Bits.same(bits, this.bits)) return;
    if (remember) { this.done.push(this.bits); this.undone = []; }
    this.bits = bits;
    if (this.what !== "all" || (this.building && !toggled)) { this.start = 0; this.what = "selected"; this.building = false; }
    this.set("_selected", bits);
    this.follow();
  }

  // --- what the views ask for ---
  on_selected(_, [buffer]) { this.choose(new Uint8Array(buffer)); }
  on_find({ row }) { this.set("_found", row); }
  on_toggle({ row }) {
    const bits = this.bits.slice();
    bits[row >> 3] ^= 1 << (row & 7);
    if (!Bits.count(this.bits) && this.what !== "all") { this.what = "all"; this.building = true; }
    this.choose(bits, true, true);
  }
  on_page({ by }) {
    const last = Math.floor(Math.max(0, this.rows().length - 1) / this.values._room) * this.values._room;
    this.start = Math.max(0, Math.min(last, this.start + by * this.values._room));
    this.turn();
  }
  on_move({ by }) {
    const rows = this.rows(), at = rows.indexOf(this.values._found);
    if (!rows.length) return;
    const place = at < 0 ? this.start : Math.max(0, Math.min(rows.length - 1, at + by));
    this.start = Math.floor(place / this.values._room) * this.values._room;
    this.set("_found", rows[place]);
    this.turn();
  }
  on_show({ what }) { this.what = what; this.start = 0; this.building = false; this.turn(); }
  on_sort({ by }) { this.values._sort = by; this.start = 0; this.turn(); }
  on_map({ name }) { this.showMap(name); }
  on_colour({ name }) { this.showColour(name); if (name) this.on_column({ name }); }
  on_column({ name }) { this.beside = name; this.follow(); }
  on_brush({ column, first, last, add }) {
    const { bins } = this.columns.get(column), [low, high] = [Math.min(first, last), Math.max(first, last)];
    const bits = add ? this.bits.slice() : Bits.make(this.n);
    bins.forEach((bin, i) => { if (bin >= low && bin <= high) Bits.put(bits, i); });
    this.choose(bits);
  }
  on_clear() { this.choose(Bits.make(this.n)); }
  on_invert() {
    const bits = Bits.make(this.n);
    for (let i = 0; i < this.n; i++) if (!Bits.has(this.bits, i)) Bits.put(bits, i);
    this.choose(bits);
  }
  on_undo() { if (this.done.length) { this.undone.push(this.bits); this.choose(this.done.pop(), false); } }
  on_redo() { if (this.undone.length) { this.done.push(this.bits); this.choose(this.undone.pop(), false); } }
  on_hover({ row }) {
    const column = this.columns.get(this.values._colour), lines = [this.data.ids[row]];
    if (column) lines.push(`${column.name}: ${column.legend.kind === "scale" ? (column.bins[row] < 255 ? Number(column.values[row].toPrecision(4)) : "(none)") : column.legend.entries[column.codes[row]].name}`);
    const address = this.picture(row);
    for (const call of this.heard.get("msg:custom") ?? []) call({ kind: "hover", row, lines, address }, []);
  }
  picture(row) {
    if (!this.data.thumbnails.length) return "";
    const canvas = make("canvas", ""), [bitmap, x, y, size] = this.tile(row);
    canvas.width = canvas.height = size;
    canvas.getContext("2d").drawImage(bitmap, x, y, size, size, 0, 0, size, size);
    return canvas.toDataURL();
  }
  tile(row) {
    const { size, across, each } = this.data.atlas, at = row % each;
    return [this.bitmaps[Math.floor(row / each)], (at % across) * size, Math.floor(at / across) * size, size];
  }
  async decode() {
    this.bitmaps = await Promise.all(this.data.thumbnails.map((text) => createImageBitmap(new Blob([bytesFrom(text)], { type: "image/webp" }))));
  }
}

async function openPage() {
  const data = JSON.parse(document.getElementById("data").textContent), root = document.getElementById("page");
  const model = new LocalModel(data), signal = new AbortController().signal;
  await model.decode();
  const head = make("div", "ms-row ms-head", root);
  asHeading(make("div", "ms-title ms-grow", head, data.title));
  choice(head, "Map", Object.entries(data.maps).map(([value, m]) => ({ value, label: m.title })), data.map, (name) => model.send({ kind: "map", name }));
  choice(head, "Colour by", [{ value: "", label: "(nothing)" }, ...data.columns.map((c) => ({ value: c.name, label: c.name }))], data.colour, (name) => model.send({ kind: "colour", name }));
  const body = make("div", "ms-body", root), map = make("div", "ms-panel ms-map-panel", body);
  const side = make("div", "ms-panel ms-side", body);
  const foot = make("div", "ms-row ms-foot", root), summary = make("div", "ms-summary ms-grow", foot);
  for (const [text, kind] of [["Invert", "invert"], ["Clear", "clear"], ["↶ Undo", "undo"], ["↷ Redo", "redo"]]) {
    make("button", "ms-button", foot, text).addEventListener("click", () => model.send({ kind }));
  }
  const origin = make("div", "ms-note ms-warning ms-one-sided", root);
  model.on("change:_words", () => { summary.textContent = model.get("_words"); });
  model.on("change:_one_sided", () => { origin.textContent = model.get("_one_sided"); origin.hidden = !origin.textContent; });
  model.follow();
  makeMap(map, model, signal);
  makeGallery(side, model, signal, { page: () => model.get("_page"), tile: (i) => model.tile(model.get("_page").rows[i]), load: async () => {}, close() {} });
  makeBeside(make("div", "ms-below", root), model, signal, { distribution: "Distribution" });
  make("p", "ms-where", root, data.note);
  document.body.dataset.ready = "true";
}

function choice(parent, text, options, value, changed) {
  const holder = make("label", "ms-choice", parent);
  make("span", "", holder, text);
  const select = make("select", "", holder);
  select.setAttribute("aria-label", text);
  fillSelect(select, options, value);
  holder.hidden = options.length < 2;
  select.addEventListener("change", () => changed(select.value));
}

openPage();
