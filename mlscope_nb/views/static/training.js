// Train on the labels, show what the model doubts, and list the score of each round.
const TRAINING_KEYS = { t: "train", u: "uncertain" };
const ROUND_COLUMNS = ["Round", "Labels", "Changed", "Score on locked units", "Test cells", "Seconds"];

function makeTraining(root, model, signal) {
  const host = make("div", "ms-training", root), line = make("div", "ms-row ms-foot", host);
  const train = button("Train", "train", "Train on the labels given so far (key t)");
  const uncertain = button("Show uncertain", "uncertain", "The cells that the model doubts most, to be labelled or corrected (key u)");
  const test = button("Show test cells", "test", "Cells of the locked units: what you label here is never learned from, it is the test");
  const said = make("div", "ms-note ms-training-said", host);
  said.setAttribute("role", "status");
  const table = make("table", "ms-rounds", host);

  function button(text, kind, hint) {
    const node = make("button", "ms-button", line, text);
    node.title = hint;
    node.addEventListener("click", () => ask(kind), { signal });
    return node;
  }
  function ask(kind) {
    if (kind === "train") { said.textContent = "Training …"; said.hidden = false; }
    model.send({ kind });
  }
  function refresh() {
    const state = model.get("_training");
    train.classList.toggle("ms-pressed", !state.rounds.length);
    train.disabled = !state.can_train;
    uncertain.disabled = !state.trained;
    test.hidden = !state.by_hand;
    said.textContent = state.text;
    said.hidden = !state.text;
    said.classList.toggle("ms-warning", Boolean(state.warning));
    table.replaceChildren();
    table.hidden = !state.rounds.length;
    const head = make("tr", "", make("thead", "", table));
    for (const text of ROUND_COLUMNS) make("th", "", head, text).scope = "col";
    const body = make("tbody", "", table);
    for (const row of state.rounds) {
      const line = make("tr", "", body);
      for (const text of row) make("td", "", line, text);
    }
  }
  root.addEventListener("keydown", (event) => {
    const kind = TRAINING_KEYS[event.key];
    if (!kind || event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, select")) return;
    event.preventDefault();
    if (!(kind === "train" ? train : uncertain).disabled) ask(kind);
  }, { signal });
  listen(model, signal, ["_training"], once(refresh));
  refresh();
}

function render(context) {
  return drawWorkbench(context, makeTraining);
}

export default { render };
