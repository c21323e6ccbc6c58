// Labels: a name for the selection, number keys for single cells, blind mode, the work taken home.
const PIECE = 2e6, MOST_BYTES = 2e8;

function makeLabelling(host, model, signal) {
  const foot = make("div", "ms-row ms-foot", host);
  const name = make("input", "ms-label", foot);
  name.placeholder = "name these cells, e.g. dividing";
  name.maxLength = 200;
  name.setAttribute("aria-label", "Label for the selected cells");
  const give = make("button", "ms-button ms-main", foot, "Label selection");
  const invert = action("Invert", "invert", "Select all other cells");
  const clear = action("Clear", "clear", "Select nothing (Escape on the map)");
  const undo = action("↶ Undo", "undo", "Take back the last selection or label (Ctrl+Z)");
  const redo = action("↷ Redo", "redo", "Put it back (Ctrl+Shift+Z)");
  const keys = make("div", "ms-row ms-keys", host);
  const second = make("div", "ms-row ms-more-row", host);
  const holder = make("label", "ms-choice", second), blind = make("input", "ms-check", holder);
  blind.type = "checkbox";
  make("span", "", holder, "blind: hide plates, classes and names");
  holder.title = "So that what you know about a cell cannot sway its label; the order is mixed";
  blind.addEventListener("change", () => model.send({ kind: "blind", on: blind.checked }));
  const take = action("Download my work", "download", "Labels, answers and notebooks in one zip file", second);
  const put = make("button", "ms-button ms-tool", second, "Restore…");
  put.title = "Bring back a zip file that was downloaded earlier";
  take.classList.add("ms-tool");
  const file = make("input", "", second);
  Object.assign(file, { type: "file", accept: ".zip", hidden: true });
  put.addEventListener("click", () => file.click());
  // In pieces: the server breaks the line to the kernel at messages of more than 10 MB.
  file.addEventListener("change", async () => {
    const [zip] = file.files, size = zip?.size ?? 0;
    for (let at = 0; at < size; at += PIECE) {
      model.send({ kind: "upload", at, size }, undefined, [await zip.slice(at, at + PIECE).arrayBuffer()]);
      if (size > MOST_BYTES) break;
    }
    file.value = "";
  });

  function action(text, kind, hint, parent = foot) {
    const button = make("button", "ms-button", parent, text);
    button.title = hint;
    button.addEventListener("click", () => model.send({ kind }));
    return button;
  }
  function assign() {
    const text = name.value.trim();
    if (!text) { name.focus(); return; }
    model.send({ kind: "assign", text });
  }
  give.addEventListener("click", assign);
  name.addEventListener("keydown", (event) => { if (event.key === "Enter") assign(); });

  function received(message, buffers) {
    if (message.kind !== "work") return;
    const link = make("a", "");
    link.href = URL.createObjectURL(new Blob([buffers[0]], { type: "application/zip" }));
    link.download = message.name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
  }
  function refresh() {
    const words = model.get("_words");
    undo.disabled = !words.can_undo;
    redo.disabled = !words.can_redo;
    clear.disabled = give.disabled = !words.n_selected;
    blind.checked = model.get("_blind");
    const named = model.get("_keys");
    keys.replaceChildren();
    keys.hidden = !named.length;
    if (named.length) make("span", "ms-where", keys, "Keys on a crop:");
    named.forEach((text, i) => {
      const chip = make("button", "ms-key", keys);
      make("kbd", "", chip, String(i + 1));
      make("span", "", chip, text);
      chip.title = `Label the marked cell “${text}” (key ${i + 1})`;
      chip.addEventListener("click", () => model.send({ kind: "key", key: String(i + 1) }));
    });
    if (named.length) make("span", "ms-where", keys, "0 takes it away, arrows move");
  }
  model.on("msg:custom", received);
  signal.addEventListener("abort", () => model.off("msg:custom", received));
  listen(model, signal, ["_words", "_keys", "_blind"], once(refresh));
  refresh();
  return { isTyping: (target) => target === name };
}
