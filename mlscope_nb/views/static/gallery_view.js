function render({ model, el }) {
  const ending = new AbortController();
  const root = make("div", "mlscope ms-alone", el);
  ownKeys(root);
  makeGallery(make("div", "ms-panel ms-side", root), model, ending.signal);
  return () => ending.abort();
}

export default { render };
