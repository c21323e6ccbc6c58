// Any Bokeh figure, drawn as it is.
function render({ model, el }) {
  const root = make("div", "mlscope ms-alone", el);
  ownKeys(root);
  let made = null, ended = false;
  bokehReady(model).then(async (Bokeh) => {
    if (ended) return;
    made = await Bokeh.embed.embed_item(JSON.parse(model.get("_figure")), root);
    if (ended) made.clear();
  }, (error) => { root.textContent = `${error.message} Run this cell again.`; });
  return () => { ended = true; made?.clear(); };
}

export default { render };
