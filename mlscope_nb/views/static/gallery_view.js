function render({ model, el, signal: given }) {
  const ending = new AbortController();
  given?.addEventListener("abort", () => ending.abort());
  const root = make("div", "mlscope ms-alone", el);
  ownKeys(root);
  makeGallery(make("div", "ms-panel ms-side", root), model, ending.signal);
  lost(root, model, ending.signal);
  present(model, ending.signal);
  return () => ending.abort();
}

export default { render };
