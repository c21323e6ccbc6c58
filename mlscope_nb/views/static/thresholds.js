// A slider under a histogram; the kernel answers each position with the cells that lie beyond it.
function tuneThreshold(root, model, signal) {
  const head = make("div", "ms-row ms-cut-head", root);
  const column = choice("Score", (value) => model.send({ kind: "score", column: value }));
  const side = choice("Leave out cells", (value) => model.send({ kind: "side", side: value }));
  fillSelect(side, [{ value: "below", label: "below" }, { value: "above", label: "above" }], "below");
  const value = make("output", "ms-cut-value", head), usual = make("button", "ms-button", head, "Usual threshold");
  usual.title = "Back to where flag_quality has it: the median of the plates (▲ on the axis: each plate)";
  const body = make("div", "ms-cut-body", root), left = make("div", "ms-cut-left", body);
  const plot = make("div", "", left), slider = make("input", "ms-slider ms-cut-slider", left), right = make("div", "ms-cut-right", body);
  slider.type = "range";
  const key = make("div", "ms-row ms-cut-key", left);
  const first = make("p", "ms-found ms-cut-first", root), lines = make("div", "ms-cut-lines", root);
  first.setAttribute("role", "status");
  const compared = make("div", "ms-note ms-cut-compared", root), differs = make("div", "ms-row ms-note ms-warning", root);
  const other = make("span", "ms-grow", differs), agree = make("button", "ms-button", differs, "Select the cells left out");
  makeGallery(make("div", "ms-panel ms-side ms-cut-gallery", root), model, signal);
  const line = make("div", "ms-row ms-line", root);
  const code = make("code", "ms-code ms-grow", line), copy = make("button", "ms-button", line, "Copy");
  let histogram = () => {}, curve = () => {}, grid = [], turn = 0, asked = 0, next = null, held = false;

  function choice(text, changed) {
    const holder = make("label", "ms-choice", head), node = make("select", "", holder);
    holder.prepend(make("span", "", null, text));
    node.setAttribute("aria-label", text);
    node.addEventListener("change", () => changed(node.value));
    return node;
  }

  // One question at a time: a slow kernel gets the newest position next, never a queue of old ones.
  function ask() {
    next = grid[Number(slider.value)];
    root.dataset.busy = "true";
    if (asked === turn) send();
  }
  function send() {
    turn = Math.max(turn, Number(model.get("_cut").turn ?? 0)) + 1;
    model.send({ kind: "threshold", value: next, turn });
    next = null;
  }
  slider.addEventListener("input", () => {
    held = true;
    say(Number(slider.value) / (grid.length - 1), grid[Number(slider.value)]);
    ask();
  });
  // Not left to the browser, where a page may be any part of the way.
  slider.addEventListener("keydown", (event) => {
    const step = { PageUp: 20, PageDown: -20 }[event.key];
    if (!step) return;
    event.preventDefault();
    slider.value = Number(slider.value) + step;
    slider.dispatchEvent(new Event("input"));
  });
  usual.addEventListener("click", () => { held = false; next = model.get("_score").start; root.dataset.busy = "true"; if (asked === turn) send(); });
  agree.addEventListener("click", () => model.send({ kind: "agree" }));

  function say(place, threshold) {
    histogram(place);
    const score = model.get("_score"), number = Number(threshold.toPrecision(4)).toLocaleString("en", { maximumSignificantDigits: 4 });
    value.textContent = score.unit ? `${number} (${score.unit})` : number;
    slider.setAttribute("aria-valuetext", `${score.column} ${value.textContent}`);
  }

  function nearest(threshold) {
    let best = 0;
    grid.forEach((v, i) => { if (Math.abs(v - threshold) < Math.abs(grid[best] - threshold)) best = i; });
    return best;
  }

  function openScore() {
    const score = model.get("_score"), wide = left.clientWidth;
    if (!score.grid || !wide) return;
    grid = score.grid;
    fillSelect(column, model.get("_columns"), score.column);
    side.value = score.side;
    Object.assign(slider, { min: 0, max: grid.length - 1, step: 1 });
    slider.setAttribute("aria-label", `Threshold of ${score.column}`);
    // The knob is 16 pixels wide, and its middle has to stand under the line.
    slider.style.marginLeft = `${PLOT.left - 8}px`;
    slider.style.width = `${wide - PLOT.left - PLOT.right + 16}px`;
    histogram = drawHistogram(plot, score, wide);
    plot.firstChild.setAttribute("aria-label", `Histogram of ${score.column}`);
    right.hidden = !score.curve;
    if (score.curve) curve = drawCurve(right, score.curve);
    key.replaceChildren();
    for (const [colour, text, on] of [[PLOT.left_out, "left out", true], [PLOT.stays, "stay", true], [PLOT.faulty, "truly faulty", score.faulty.length], ["", "▲ usual threshold of each plate", score.usual.length]]) {
      if (!on) continue;
      const item = make("span", "ms-chip", key);
      if (colour) make("i", "", item).style.background = colour;
      make("span", "", item, text);
    }
    held = false;
    answer();
  }

  function answer() {
    const cut = model.get("_cut");
    if (!grid.length || cut.threshold === undefined) return;
    asked = Math.max(asked, Number(cut.turn));
    turn = Math.max(turn, asked);
    first.textContent = cut.first;
    lines.replaceChildren(...cut.lines.map((text) => make("div", "", null, text)));
    curve(cut.point);
    code.textContent = cut.code;
    root.dataset.threshold = String(cut.threshold);
    if (next !== null) { send(); return; }
    // While a hand holds the slider, it is ahead of the kernel.
    if (!held || cut.threshold !== grid[Number(slider.value)]) { slider.value = nearest(cut.threshold); say(cut.place, cut.threshold); }
    held = false;
    root.dataset.busy = "false";
  }

  function notes() {
    const found = model.get("_compared");
    compared.textContent = found.text || "…";
    compared.classList.toggle("ms-warning", Boolean(found.warning));
    differs.hidden = !model.get("_differs");
    other.textContent = model.get("_differs");
  }

  copy.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(code.textContent);
      copy.textContent = "Copied";
    } catch {
      getSelection().selectAllChildren(code);
      copy.textContent = "Marked: press Ctrl+C";
    }
    setTimeout(() => { copy.textContent = "Copy"; }, 2500);
  });
  let seen = 0;
  const watcher = new ResizeObserver(() => { if (left.clientWidth !== seen) { seen = left.clientWidth; openScore(); } });
  watcher.observe(left);
  signal.addEventListener("abort", () => watcher.disconnect());
  listen(model, signal, ["_score"], once(openScore));
  listen(model, signal, ["_cut"], once(answer));
  listen(model, signal, ["_compared", "_differs"], once(notes));
  openScore();
  notes();
}

function render({ model, el, signal: given }) {
  const ending = new AbortController();
  given?.addEventListener("abort", () => ending.abort());
  const root = make("div", "mlscope ms-threshold", el);
  ownKeys(root);
  tuneThreshold(root, model, ending.signal);
  lost(root, model, ending.signal);
  present(model, ending.signal);
  return () => ending.abort();
}

export default { render };
