// BokehJS comes from the kernel, once a page: no network, and nothing of it is saved in the notebook.
function bokehReady(model) {
  const version = model.get("_bokeh");
  if (window.Bokeh?.version === version) return Promise.resolve(window.Bokeh);
  const shared = (window.__mlscopeBokeh ??= {});
  shared[version] ??= new Promise((resolve, reject) => {
    const got = async (message, buffers) => {
      if (message.kind !== "library") return;
      model.off("msg:custom", got);
      try {
        const packed = new Blob([buffers[0]]).stream().pipeThrough(new DecompressionStream("gzip"));
        const address = URL.createObjectURL(new Blob([await new Response(packed).blob()], { type: "text/javascript" }));
        const script = make("script", "");
        script.src = address;
        script.onload = () => { URL.revokeObjectURL(address); resolve(window.Bokeh); };
        script.onerror = () => reject(new Error("The plot library could not be started."));
        document.head.append(script);
      } catch (error) { reject(error); }
    };
    model.on("msg:custom", got);
    model.send({ kind: "library" });
  });
  // A lost message must not spoil the page: the next view asks again.
  shared[version].catch(() => { delete shared[version]; });
  return shared[version];
}

function paint(figure, dark) {
  const ink = dark ? "#e0e0e0" : "#212121";
  const line = dark ? "#8a8a8a" : "#757575";
  const clear = "rgba(0, 0, 0, 0)";
  // Points that are not chosen stay behind the chosen ones on either ground.
  for (const { nonselection_glyph: glyph } of figure.renderers) glyph?.setv?.({ fill_color: dark ? "#5f5f5f" : "#c4c4c4" });
  figure.setv({ background_fill_color: clear, border_fill_color: clear, outline_line_color: line });
  for (const part of [...figure.left, ...figure.below, ...figure.right, ...figure.above, ...figure.center]) {
    if (part.type === "LinearAxis") {
      part.setv({ axis_label_text_color: ink, major_label_text_color: ink, axis_line_color: line,
        major_tick_line_color: line, minor_tick_line_color: line });
    } else if (part.type === "Title") {
      part.setv({ text_color: ink });
    } else if (part.type === "Legend") {
      part.setv({ label_text_color: ink, title_text_color: ink, background_fill_color: clear });
    } else if (part.type === "ColorBar") {
      part.setv({ major_label_text_color: ink, title_text_color: ink, background_fill_color: clear });
    }
  }
}
