// Any Bokeh figure, drawn as it is, and no wider than there is room: a legend that is cut off helps nobody.
function figuresOf(model) {
  const parts = model.children ?? model.tabs ?? [];
  return model.type === "Figure" ? [model] : parts.flatMap((part) => figuresOf(Array.isArray(part) ? part[0] : part.child ?? part));
}

// What is drawn, in words: the title, and what is on the axes.
function wordsOf(figure) {
  const named = (parts) => parts.map((part) => part.axis_label).find((text) => typeof text === "string" && text);
  const [up, along, title] = [named(figure.left), named(figure.below), figure.title?.text];
  return [title, up && along ? `${up} against ${along}` : (up ?? along)].filter(Boolean).join(": ");
}

function fitted(roots) {
  const first = new Map(roots.flatMap(figuresOf).map((figure) => [figure, figure.width]));
  const grids = new Map(roots.filter((root) => /^Grid(Plot|Box)$/.test(root.type)).map((root) => [root, root.children]));
  return (room) => {
    for (const [grid, cells] of grids) {
      const widest = Math.max(...cells.map(([part]) => Math.max(...figuresOf(part).map((figure) => first.get(figure)), 1)));
      const across = Math.max(...cells.map(([, , column]) => column)) + 1, columns = Math.max(1, Math.min(across, Math.floor(room / widest)));
      const next = columns === across ? cells : cells.map(([part], i) => [part, Math.floor(i / columns), i % columns]);
      if (JSON.stringify(next.map((cell) => cell.slice(1, 3))) !== JSON.stringify(grid.children.map((cell) => cell.slice(1, 3)))) grid.setv({ children: next });
    }
    for (const [figure, wide] of first) {
      const width = wide && Math.min(wide, Math.floor(room));
      if (width && figure.width !== width) figure.setv({ width });
    }
  };
}
function render({ model, el }) {
  const root = make("div", "mlscope ms-alone", el);
  ownKeys(root);
  let made = null, ended = false, watcher = null;
  bokehReady(model).then(async (Bokeh) => {
    if (ended) return;
    made = await Bokeh.embed.embed_item(JSON.parse(model.get("_figure")), root);
    if (ended) { made.clear(); return; }
    const roots = [...made.roots].map((view) => view.model), fit = fitted(roots);
    root.setAttribute("role", "figure");
    root.setAttribute("aria-label", `Plot. ${roots.flatMap(figuresOf).map(wordsOf).filter(Boolean).join("; ")}`);
    watcher = new ResizeObserver(() => { if (root.clientWidth > 100) fit(root.clientWidth - 8); });
    watcher.observe(root);
  }, (error) => { root.textContent = `${error.message} Run this cell again.`; });
  return () => { ended = true; watcher?.disconnect(); made?.clear(); };
}

export default { render };
