// The gallery: one page of crops, what is shown in which order, channels and contrast.
function makeGallery(host, model, signal, source = sheetOf(model)) {
  const head = make("div", "ms-row ms-gallery-head", host);
  const title = make("div", "ms-title", head);
  const choosers = make("div", "ms-row", head);
  const which = chooser("Which cells are shown", (value) => model.send({ kind: "show", what: value }));
  const order = chooser("Order of the cells", (value) => model.send({ kind: "sort", by: value }));
  const canvas = make("canvas", "ms-crops", host);
  canvas.tabIndex = 0;
  canvas.setAttribute("role", "img");
  const foot = make("div", "ms-row", host);
  const back = make("button", "ms-button", foot, "‹ Back");
  const where = make("span", "ms-where", foot);
  const next = make("button", "ms-button", foot, "Next ›");
  const more = make("button", "ms-button", foot, "More like this");
  const contrast = makeContrast(host, model);
  let crops = [], turn = 0;

  function chooser(text, changed) {
    const node = make("select", "", choosers);
    node.title = text;
    node.setAttribute("aria-label", text);
    node.addEventListener("change", () => changed(node.value));
    return node;
  }
  const side = () => model.get("_tile");

  function room() {
    const wide = canvas.parentElement.clientWidth, { pitch, columns } = cropLayout(wide, side());
    const down = Math.max(2, Math.floor((model.get("_height") + GAP) / (pitch + BAR)));
    const count = columns * (wide > 620 && model.get("_wide_rows") ? model.get("_wide_rows") : down);
    if (wide > 0 && count !== model.get("_room")) {
      model.set("_room", count);
      model.save_changes();
    }
    place();
  }

  async function load() {
    const mine = ++turn;
    await source.load();
    if (mine === turn && !signal.aborted) place();
  }

  function place() {
    const page = source.page();
    if (!page) return;
    crops = paintCrops(canvas, page, { side: side(), found: model.get("_found"), tile: source.tile });
    canvas.title = "";
    // What is shown can be checked, and read aloud, without looking at the pixels.
    canvas.dataset.ids = JSON.stringify(crops.map((crop) => crop.id));
    canvas.dataset.ready = "true";
    words(page);
  }

  function words(page) {
    title.textContent = title.title = page.title ?? "";
    canvas.setAttribute("aria-label", `${page.title ?? ""}. ${page.where ?? ""}`);
    where.textContent = page.where ?? "";
    back.disabled = !(page.start > 0);
    next.disabled = !(page.start + crops.length < page.total);
    back.hidden = next.hidden = page.total <= crops.length;
    which.hidden = !page.choices;
    if (page.choices) fillSelect(which, page.choices, page.show);
    const orders = model.get("_sort_options") ?? [];
    order.hidden = orders.length < 2 || !page.total || page.show === "similar";
    if (!order.hidden) fillSelect(order, orders, model.get("_sort"));
    more.hidden = !page.similar;
    more.title = "Show the cells that are most like the one you clicked, or like the selection";
    canvas.hidden = !crops.length;
    contrast.draw(page);
  }

  function at(event) {
    const box = canvas.getBoundingClientRect(), x = event.clientX - box.left, y = event.clientY - box.top;
    return crops.find((c) => x >= c.x && x < c.x + side() && y >= c.y && y < c.y + side());
  }
  canvas.addEventListener("click", (event) => {
    const crop = at(event);
    if (!crop) return;
    if (event.shiftKey || event.ctrlKey || event.metaKey) model.send({ kind: "toggle", row: crop.row });
    else model.send({ kind: "find", row: crop.row });
  });
  canvas.addEventListener("pointermove", (event) => { canvas.title = at(event)?.name ?? ""; });
  const turnPage = (by) => model.send({ kind: "page", by });
  back.addEventListener("click", () => turnPage(-1));
  next.addEventListener("click", () => turnPage(1));
  more.addEventListener("click", () => model.send({ kind: "similar" }));
  canvas.addEventListener("keydown", (event) => {
    const { columns } = cropLayout(canvas.parentElement.clientWidth, side());
    const step = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: columns, ArrowUp: -columns }[event.key];
    const leaf = { PageDown: 1, PageUp: -1 }[event.key];
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (step) model.send({ kind: "move", by: step });
    else if (leaf) turnPage(leaf);
    else if (event.key === " " && model.get("_found") >= 0) model.send({ kind: "toggle", row: model.get("_found") });
    else if (/^[0-9]$/.test(event.key)) model.send({ kind: "key", key: event.key });
    else return;
    event.preventDefault();
  });
  const watcher = new ResizeObserver(() => room());
  watcher.observe(host);
  listen(model, signal, ["_sheet", "_page"], once(load));
  listen(model, signal, ["_found"], once(place));
  signal.addEventListener("abort", () => { watcher.disconnect(); source.close(); });
  load();
}

// Pictures that the kernel sends page by page.
function sheetOf(model) {
  let bitmap = null, page = null, turn = 0;
  return {
    page: () => page,
    tile: (i) => [bitmap, (i % page.columns) * page.size, Math.floor(i / page.columns) * page.size, page.size],
    close: () => bitmap?.close(),
    // Page and picture change together: words never stand beside the crops of another selection.
    async load() {
      const mine = ++turn, fresh = model.get("_page"), bytes = bytesOf(model.get("_sheet"));
      const made = bytes.length ? await createImageBitmap(new Blob([bytes], { type: "image/webp" })) : null;
      if (mine !== turn) { made?.close(); return; }
      bitmap?.close();
      bitmap = made;
      page = fresh;
    },
  };
}

// Channels as chips; opened, each has a switch and two sliders.
function makeContrast(host, model) {
  const box = make("details", "ms-contrast", host), line = make("summary", "ms-contrast-line", box);
  const rows = make("div", "ms-contrast-rows", box);
  line.title = "Channels and contrast";
  let known = "";
  function draw(page) {
    const channels = page.channels ?? [];
    box.hidden = !channels.length;
    // A page without a kernel cannot draw its crops anew.
    box.classList.toggle("ms-fixed", !page.contrast_mode);
    line.replaceChildren();
    for (const channel of channels.filter((c) => c.on)) {
      const item = make("span", "ms-chip", line);
      make("i", "", item).style.background = channel.colour;
      make("span", "", item, `${channel.name} ${grey(channel.low)}–${grey(channel.high)}`);
    }
    make("span", "", line, page.contrast ?? "");
    const state = JSON.stringify([channels, page.contrast_mode]);
    if (page.contrast_mode && state !== known && !rows.contains(rows.getRootNode().activeElement)) { known = state; controls(channels, page.contrast_mode); }
  }
  function controls(channels, mode) {
    rows.replaceChildren();
    const names = make("div", "ms-contrast-row", rows);
    for (const text of ["", "shown as black", "shown as full colour"]) make("span", "", names, text);
    for (const channel of channels) row(channel);
    const foot = make("div", "ms-row", rows);
    for (const [value, text] of [["set", "Auto, the same for all cells"], ["crop", "Auto for each crop (cannot be compared)"]]) {
      const node = make("button", "ms-button ms-tool", foot, text);
      node.setAttribute("aria-pressed", String(mode === value));
      node.addEventListener("click", () => { known = ""; node.blur(); model.send({ kind: "channel", mode: value }); });
    }
  }
  function row(channel) {
    const holder = make("div", "ms-contrast-row", rows), label = make("label", "ms-channel-name", holder);
    const on = make("input", "ms-check", label);
    on.type = "checkbox"; on.checked = channel.on;
    make("i", "", label).style.background = channel.colour;
    make("span", "", label, channel.name);
    on.addEventListener("change", () => model.send({ kind: "channel", name: channel.name, on: on.checked }));
    const [first, last] = [Math.min(channel.auto[0], channel.low), channel.auto[1] + 1.5 * (channel.auto[1] - channel.auto[0])];
    const sliders = [["shown as black", channel.low], ["shown as full colour", channel.high]].map(([text, value]) => {
      const node = make("input", "ms-slider", holder);
      Object.assign(node, { type: "range", min: first, max: Math.max(last, channel.high), step: (last - first) / 500, value, title: `${channel.name}: ${text}` });
      node.setAttribute("aria-label", node.title);
      return node;
    });
    for (const node of sliders) {
      node.addEventListener("change", () => {
        const [low, high] = sliders.map((s) => Number(s.value));
        if (low < high) model.send({ kind: "channel", name: channel.name, low, high });
      });
    }
  }
  const grey = (value) => Number(value.toPrecision(4)).toLocaleString("en", { maximumFractionDigits: 4 });
  return { draw };
}
