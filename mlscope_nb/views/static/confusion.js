// A table of given and predicted classes; each number is a button that chooses its cells.
function render({ model, el, signal: given }) {
  const ending = new AbortController(), signal = ending.signal;
  given?.addEventListener("abort", () => ending.abort());
  const root = make("div", "mlscope ms-workbench", el);
  ownKeys(root);
  const title = make("div", "ms-title", root), body = make("div", "ms-body", root);
  const panel = make("div", "ms-panel ms-matrix-panel", body);
  const buttons = makeMatrix(panel, model.get("_matrix"), (row, column) => {
    model.send({ kind: "pick", given: row, predicted: column });
  });
  title.textContent = model.get("_matrix").title;
  makeGallery(make("div", "ms-panel ms-side", body), model, signal);
  const summary = make("div", "ms-summary", root);
  summary.setAttribute("role", "status");

  function refresh() {
    const [row, column] = model.get("_pressed");
    buttons.forEach((line, i) => line.forEach((button, j) => {
      button.setAttribute("aria-pressed", String(i === row && j === column));
    }));
    summary.textContent = model.get("_summary");
  }
  listen(model, signal, ["_pressed", "_summary"], once(refresh));
  refresh();
  lost(root, model, signal);
  present(model, signal);
  return () => ending.abort();
}

function makeMatrix(parent, matrix, picked) {
  const table = make("table", "ms-matrix", parent), head = make("thead", "", table), top = make("tr", "", head);
  make("th", "ms-matrix-corner", top, "given ↓  predicted →").scope = "col";
  for (const name of matrix.classes) {
    const cell = make("th", "ms-matrix-column", top);
    cell.scope = "col";
    make("span", "", cell, name).title = name;
  }
  const lines = make("tbody", "", table);
  const buttons = matrix.counts.map((counts, i) => {
    const line = make("tr", "", lines), name = make("th", "ms-matrix-row", line, matrix.classes[i]);
    name.scope = "row";
    name.title = matrix.classes[i];
    return counts.map((n, j) => oneNumber(make("td", "", line), matrix, i, j, n, picked));
  });
  make("div", "ms-where", parent, "Numbers are cells; the darker, the larger the share of their row.");
  table.addEventListener("keydown", (event) => walk(event, buttons));
  return buttons;
}

function oneNumber(parent, matrix, i, j, n, picked) {
  const button = make("button", "ms-number", parent, String(n)), share = matrix.shares[i][j];
  // Never so strong that the number, in the ink of the theme, would not stand out.
  button.style.background = `color-mix(in srgb, #0072b2 ${Math.round(share * 60)}%, var(--ms-paper))`;
  const percent = `${Math.round(share * 100)} %`;
  button.title = `${matrix.classes[i]} taken for ${matrix.classes[j]}: ${n} cells, ${percent} of the class`;
  button.setAttribute("aria-label", button.title);
  button.classList.toggle("ms-right", i === j);
  button.disabled = n === 0;
  button.addEventListener("click", () => picked(i, j));
  return button;
}

// Arrow keys go from number to number, past those that are zero.
function walk(event, buttons) {
  const step = { ArrowRight: [0, 1], ArrowLeft: [0, -1], ArrowDown: [1, 0], ArrowUp: [-1, 0] }[event.key];
  const row = buttons.findIndex((line) => line.includes(event.target));
  if (!step || row < 0) return;
  event.preventDefault();
  let i = row + step[0], j = buttons[row].indexOf(event.target) + step[1];
  while (buttons[i]?.[j]?.disabled) { i += step[0]; j += step[1]; }
  buttons[i]?.[j]?.focus();
}

export default { render };
