// The gallery: one page of crops on a canvas, cut from one picture that the kernel sends.
function makeGallery(host, model, signal) {
  const GAP = 6, BAR = 4;
  const head = make("div", "ms-row ms-gallery-head", host);
  const title = make("div", "ms-title", head);
  const which = make("select", "", head);
  which.title = "Which cells are shown";
  const canvas = make("canvas", "ms-crops", host);
  canvas.tabIndex = 0;
  canvas.setAttribute("role", "img");
  const foot = make("div", "ms-row", host);
  const back = make("button", "ms-button", foot, "‹ Back");
  const where = make("span", "ms-where", foot);
  const next = make("button", "ms-button", foot, "Next ›");
  const contrast = make("div", "ms-contrast", host);
  let bitmap = null, cells = [], columns = 1, turn = 0;

  const side = () => model.get("_tile");

  function room() {
    const pitch = side() + GAP;
    const wide = canvas.parentElement.clientWidth;
    const across = Math.max(1, Math.floor((wide + GAP) / pitch));
    const down = Math.max(2, Math.floor((model.get("_height") + GAP) / (pitch + BAR)));
    const count = across * (wide > 620 && model.get("_wide_rows") ? model.get("_wide_rows") : down);
    if (wide > 0 && count !== model.get("_room")) {
      model.set("_room", count);
      model.save_changes();
    }
    place();
  }

  async function load() {
    const mine = ++turn;
    const bytes = bytesOf(model.get("_sheet"));
    const fresh = bytes.length ? await createImageBitmap(new Blob([bytes], { type: "image/webp" })) : null;
    if (mine !== turn || signal.aborted) { fresh?.close(); return; }
    bitmap?.close();
    bitmap = fresh;
    place();
  }

  function place() {
    const page = model.get("_page");
    const pitch = side() + GAP;
    const wide = canvas.parentElement.clientWidth;
    columns = Math.max(1, Math.floor((wide + GAP) / pitch));
    const lines = Math.max(1, Math.ceil((page.rows ?? []).length / columns));
    const high = lines * (pitch + BAR) - GAP, ratio = window.devicePixelRatio || 1;
    canvas.style.width = `${columns * pitch - GAP}px`;
    canvas.style.height = `${high}px`;
    canvas.width = Math.round((columns * pitch - GAP) * ratio);
    canvas.height = Math.round(high * ratio);
    paintCrops(canvas.getContext("2d"), page, ratio);
    words(page);
  }

  function paintCrops(pen, page, ratio) {
    pen.scale(ratio, ratio);
    pen.imageSmoothingEnabled = page.size > side();
    cells = (page.rows ?? []).map((row, i) => ({
      row, id: page.ids[i], x: (i % columns) * (side() + GAP), y: Math.floor(i / columns) * (side() + GAP + BAR),
    }));
    const found = model.get("_found");
    cells.forEach((cell, i) => {
      if (bitmap) {
        const from = [(i % page.columns) * page.size, Math.floor(i / page.columns) * page.size];
        pen.drawImage(bitmap, ...from, page.size, page.size, cell.x, cell.y, side(), side());
      }
      if (page.marks[i]) { pen.fillStyle = page.marks[i]; pen.fillRect(cell.x, cell.y + side() + 1, side(), BAR); }
      if (page.chosen[i] && page.rings) outline(pen, cell, "#ffffff", "#000000");
      if (cell.row === found) outline(pen, cell, "#ff7f0e", "#000000");
    });
    // What is shown can be checked, and read aloud, without looking at the pixels.
    canvas.dataset.ids = JSON.stringify(cells.map((cell) => cell.id));
    canvas.dataset.ready = bitmap || !cells.length ? "true" : "false";
  }

  function outline(pen, cell, inner, outer) {
    pen.lineWidth = 4; pen.strokeStyle = outer; pen.strokeRect(cell.x + 2, cell.y + 2, side() - 4, side() - 4);
    pen.lineWidth = 2; pen.strokeStyle = inner; pen.strokeRect(cell.x + 2, cell.y + 2, side() - 4, side() - 4);
  }

  function words(page) {
    title.textContent = page.title ?? "";
    canvas.setAttribute("aria-label", `${page.title ?? ""}. ${page.where ?? ""}`);
    where.textContent = page.where ?? "";
    back.disabled = !(page.start > 0);
    next.disabled = !(page.start + cells.length < page.total);
    foot.hidden = page.total <= cells.length;
    which.hidden = !page.choices;
    if (page.choices) fillSelect(which, page.choices, page.show);
    contrast.replaceChildren();
    for (const channel of page.channels ?? []) {
      const item = make("span", "ms-chip", contrast);
      make("i", "", item).style.background = channel.colour;
      make("span", "", item, channel.text);
    }
    make("span", "", contrast, page.contrast ?? "");
  }

  function at(event) {
    const box = canvas.getBoundingClientRect();
    const x = event.clientX - box.left, y = event.clientY - box.top;
    return cells.find((c) => x >= c.x && x < c.x + side() && y >= c.y && y < c.y + side());
  }

  canvas.addEventListener("click", (event) => {
    const cell = at(event);
    if (!cell) return;
    if (event.shiftKey || event.ctrlKey || event.metaKey) model.send({ kind: "toggle", row: cell.row });
    else model.send({ kind: "find", row: cell.row });
  });
  canvas.addEventListener("pointermove", (event) => { canvas.title = at(event)?.id ?? ""; });
  const turnPage = (by) => model.send({ kind: "page", by });
  back.addEventListener("click", () => turnPage(-1));
  next.addEventListener("click", () => turnPage(1));
  canvas.addEventListener("keydown", (event) => {
    const by = { ArrowRight: 1, PageDown: 1, ArrowLeft: -1, PageUp: -1 }[event.key];
    if (by) { turnPage(by); event.preventDefault(); }
  });
  which.addEventListener("change", () => model.send({ kind: "show", what: which.value }));
  const watcher = new ResizeObserver(() => room());
  watcher.observe(host);
  listen(model, signal, ["_sheet", "_page"], once(load));
  listen(model, signal, ["_found"], once(place));
  signal.addEventListener("abort", () => { watcher.disconnect(); bitmap?.close(); });
  load();
}
