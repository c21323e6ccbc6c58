// A further part below the labels is made by `more`.
function drawWorkbench({ model, el, signal: given }, more) {
  // Older anywidget hands over no signal; the function returned below serves both.
  const ending = new AbortController();
  const signal = ending.signal;
  given?.addEventListener("abort", () => ending.abort());
  const root = make("div", "mlscope ms-workbench", el);
  ownKeys(root);

  const head = make("div", "ms-row ms-head", root);
  const name = make("div", "ms-title ms-grow", head);
  const maps = choice(head, "Map", (value) => model.send({ kind: "map", name: value }));
  const colours = choice(head, "Colour by", (value) => model.send({ kind: "colour", name: value }));
  const state = make("div", "ms-state", root);
  state.setAttribute("role", "status");

  const body = make("div", "ms-body", root);
  makeMap(make("div", "ms-panel ms-map-panel", body), model, signal);
  makeGallery(make("div", "ms-panel ms-side", body), model, signal);

  const summary = make("div", "ms-summary", root);
  const labels = makeLabelling(root, model, signal);
  more?.(root, model, signal);
  const note = make("div", "ms-note", root), origin = make("div", "ms-note ms-warning ms-one-sided", root);
  note.setAttribute("role", "status");
  origin.setAttribute("role", "status");
  makeBeside(make("div", "ms-below", root), model, signal);
  lost(root, model, signal);
  present(model, signal);

  function choice(parent, text, changed) {
    const holder = make("label", "ms-choice", parent);
    make("span", "", holder, text);
    const select = make("select", "", holder);
    select.setAttribute("aria-label", text);
    select.addEventListener("change", () => changed(select.value));
    return select;
  }

  function refresh() {
    const words = model.get("_words");
    name.textContent = words.title;
    fillSelect(maps, model.get("_map_options"), model.get("_map"));
    fillSelect(colours, model.get("_colour_options"), model.get("_colour"));
    maps.parentElement.hidden = model.get("_map_options").length < 2;
    state.textContent = words.state;
    state.hidden = !words.state;
    state.classList.toggle("ms-busy", Boolean(words.busy));
    summary.textContent = words.summary;
    note.textContent = words.note;
    note.hidden = !words.note;
    note.classList.toggle("ms-warning", Boolean(words.warning));
    origin.textContent = words.one_sided;
    origin.hidden = !words.one_sided;
  }

  root.addEventListener("keydown", (event) => {
    if (!(event.ctrlKey || event.metaKey) || event.key.toLowerCase() !== "z" || labels.isTyping(event.target)) return;
    event.preventDefault();
    model.send({ kind: event.shiftKey ? "redo" : "undo" });
  });
  listen(model, signal, ["_words", "_map_options", "_map", "_colour_options", "_colour"], once(refresh));
  refresh();
  return () => ending.abort();
}
