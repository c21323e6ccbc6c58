// A walk along a decision: a slider turns the pictures of all cells at once, and the features go with them.
function shown(el, data, picked) {
  const root = make("div", "mlscope ms-workbench", el);
  ownKeys(root);
  const panel = make("div", "ms-panel", root), pictures = makePictures(panel, data.table, picked);
  const line = make("div", "ms-row ms-walk", panel);
  const back = make("button", "ms-button", line, "‹"), slider = make("input", "ms-slider", line);
  const next = make("button", "ms-button", line, "›"), where = make("div", "ms-summary", panel);
  back.title = "One step back";
  next.title = "One step on";
  for (const button of [back, next]) button.setAttribute("aria-label", button.title);
  Object.assign(slider, { type: "range", min: 0, max: data.steps.length - 1, step: 1, value: 0 });
  slider.setAttribute("aria-label", `Place on the walk, from ${data.least} to ${data.target}`);
  where.setAttribute("role", "status");
  const bars = makeBars(panel, data);

  function go() {
    const step = Number(slider.value);
    pictures.turn(step);
    bars(step);
    where.textContent = data.steps[step];
    slider.setAttribute("aria-valuetext", data.steps[step]);
    back.disabled = step === 0;
    next.disabled = step === data.steps.length - 1;
  }
  const by = (n) => { slider.value = Number(slider.value) + n; go(); };
  slider.addEventListener("input", go);
  back.addEventListener("click", () => by(-1));
  next.addEventListener("click", () => by(1));
  go();
  return { root, press: pictures.press };
}

// Features as bars to the left (less than at the start) or to the right (more), with the number beside.
function makeBars(host, data) {
  const table = make("table", "ms-walk-features", host), rows = [];
  for (const feature of data.features) {
    const line = make("tr", "", table), name = make("th", "", line, feature.name);
    name.scope = "row";
    name.title = feature.says;
    const bar = make("i", "", make("div", "ms-walk-bar", make("td", "", line)));
    rows.push({ bar, number: make("td", "ms-effect-number", line), values: feature.values });
  }
  make("div", "ms-where", host, data.what);
  return (step) => {
    for (const { bar, number, values } of rows) {
      const share = 50 * values[step] / data.most;
      bar.style.left = `${share < 0 ? 50 + share : 50}%`;
      bar.style.width = `${Math.abs(share)}%`;
      bar.style.background = share < 0 ? "#2171b5" : "#d94801";
      number.textContent = (values[step] < 0 ? "−" : "+") + Math.abs(values[step]).toFixed(2);
    }
  };
}
