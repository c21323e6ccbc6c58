function render({ model, el, signal: given }) {
  // Older anywidget hands over no signal; the function returned below serves both.
  const ending = new AbortController();
  const signal = ending.signal;
  given?.addEventListener("abort", () => ending.abort());
  const root = make("div", "mlscope ms-workbench", el);
  ownKeys(root);

  const head = make("div", "ms-row ms-head", root);
  const name = make("div", "ms-title ms-grow", head);
  const maps = choice(head, "Map");
  const colours = choice(head, "Colour by");
  const state = make("div", "ms-state", root);
  state.setAttribute("role", "status");

  const body = make("div", "ms-body", root);
  makeMap(make("div", "ms-panel ms-map-panel", body), model, signal);
  makeGallery(make("div", "ms-panel ms-side", body), model, signal);

  const summary = make("div", "ms-summary", root);
  const foot = make("div", "ms-row ms-foot", root);
  const label = make("input", "ms-label", foot);
  label.placeholder = "name these cells, for example: dividing";
  label.maxLength = 200;
  label.setAttribute("aria-label", "Label for the selected cells");
  const give = make("button", "ms-button ms-main", foot, "Label selection");
  const invert = action(foot, "Invert", "invert", "Select all other cells");
  const clear = action(foot, "Clear", "clear", "Select nothing");
  const undo = action(foot, "↶ Undo", "undo", "Take back the last selection or label (Ctrl+Z)");
  const redo = action(foot, "↷ Redo", "redo", "Put it back (Ctrl+Shift+Z)");
  const note = make("div", "ms-note", root);
  note.setAttribute("role", "status");

  function choice(parent, text) {
    const holder = make("label", "ms-choice", parent);
    make("span", "", holder, text);
    const select = make("select", "", holder);
    select.setAttribute("aria-label", text);
    return select;
  }

  function action(parent, text, kind, hint) {
    const button = make("button", "ms-button", parent, text);
    button.title = hint;
    button.addEventListener("click", () => model.send({ kind }));
    return button;
  }

  function assign() {
    const text = label.value.trim();
    if (!text) { label.focus(); return; }
    model.send({ kind: "assign", text });
  }

  function refresh() {
    const words = model.get("_words");
    name.textContent = words.title;
    fillSelect(maps, model.get("_map_options"), model.get("_map"));
    fillSelect(colours, model.get("_colour_options"), model.get("_colour"));
    state.textContent = words.state;
    state.hidden = !words.state;
    state.classList.toggle("ms-busy", Boolean(words.busy));
    summary.textContent = words.summary;
    note.textContent = words.note;
    note.hidden = !words.note;
    note.classList.toggle("ms-warning", Boolean(words.warning));
    undo.disabled = !words.can_undo;
    redo.disabled = !words.can_redo;
    clear.disabled = give.disabled = !words.n_selected;
  }

  give.addEventListener("click", assign);
  label.addEventListener("keydown", (event) => { if (event.key === "Enter") assign(); });
  maps.addEventListener("change", () => model.send({ kind: "map", name: maps.value }));
  colours.addEventListener("change", () => model.send({ kind: "colour", name: colours.value }));
  root.addEventListener("keydown", (event) => {
    if (!(event.ctrlKey || event.metaKey) || event.key.toLowerCase() !== "z" || event.target === label) return;
    event.preventDefault();
    model.send({ kind: event.shiftKey ? "redo" : "undo" });
  });
  listen(model, signal, ["_words", "_map_options", "_map", "_colour_options", "_colour"], once(refresh));
  refresh();
  return () => ending.abort();
}

export default { render };
