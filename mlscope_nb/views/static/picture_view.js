// A view of a table of pictures: `shown` draws it, clicks go to the kernel, chosen cells come back from it.
function render({ model, el, signal: given }) {
  const ending = new AbortController(), signal = ending.signal;
  given?.addEventListener("abort", () => ending.abort());
  const { root, press } = shown(el, model.get("_data"), (id, add) => model.send({ kind: "pick", id, add }));
  const tell = () => press(model.get("_chosen"));
  listen(model, signal, ["_chosen"], once(tell));
  tell();
  lost(root, model, signal);
  return () => ending.abort();
}

export default { render };
