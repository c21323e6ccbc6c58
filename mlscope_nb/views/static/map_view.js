function render({ model, el, signal: given }) {
  const ending = new AbortController();
  given?.addEventListener("abort", () => ending.abort());
  const root = make("div", "mlscope ms-alone", el);
  ownKeys(root);
  const title = make("div", "ms-title", root);
  const say = () => { title.textContent = model.get("_frame").name; };
  listen(model, ending.signal, ["_frame"], once(say));
  say();
  makeMap(make("div", "ms-panel ms-map-panel", root), model, ending.signal);
  lost(root, model, ending.signal);
  present(model, ending.signal);
  return () => ending.abort();
}

export default { render };
