// Two maps side by side; each is a model of its own, the selection is one.
async function render({ model, el, signal: given }) {
  const ending = new AbortController(), signal = ending.signal;
  given?.addEventListener("abort", () => ending.abort());
  const root = make("div", "mlscope ms-workbench", el);
  ownKeys(root);
  const body = make("div", "ms-pair", root);
  for (const side of ["_left", "_right"]) {
    const part = await model.widget_manager.get_model(model.get(side).slice("IPY_MODEL_".length));
    const panel = make("div", "ms-panel ms-map-panel", body), title = make("div", "ms-title", panel);
    const say = () => { title.textContent = part.get("_frame").name; };
    listen(part, signal, ["_frame"], once(say));
    say();
    makeMap(panel, part, signal);
    present(part, signal);
  }
  const foot = make("div", "ms-row ms-foot", root), summary = make("div", "ms-summary ms-grow", foot);
  for (const [text, kind] of [["Invert", "invert"], ["Clear", "clear"], ["↶ Undo", "undo"], ["↷ Redo", "redo"]]) {
    make("button", "ms-button", foot, text).addEventListener("click", () => model.send({ kind }));
  }
  const tell = () => { summary.textContent = model.get("_summary"); };
  listen(model, signal, ["_summary"], once(tell));
  tell();
  lost(root, model, signal);
  return () => ending.abort();
}

export default { render };
