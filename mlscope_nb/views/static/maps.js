// Attribution maps beside their cells.
function shown(el, data, picked) {
  const root = make("div", "mlscope ms-workbench", el);
  ownKeys(root);
  return { root, ...makePictures(make("div", "ms-panel", root), data.table, picked) };
}
