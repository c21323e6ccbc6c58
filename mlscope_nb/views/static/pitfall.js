// A pitfall of the laboratory: a slider gives the dose, a button applies the remedy.
function shown(el, data, state = null, told = () => {}) {
  const root = make("div", "mlscope ms-workbench ms-pitfall", el);
  ownKeys(root);
  const head = make("div", "", root), picker = make("select", "", head), panel = make("div", "ms-panel", root);
  picker.hidden = true;
  picker.setAttribute("aria-label", "Pitfall");
  const title = make("div", "ms-title", panel), danger = make("div", "ms-where", panel);
  const line = make("div", "ms-row ms-pitfall-dose", panel);
  const back = make("button", "ms-button", line, "‹"), slider = make("input", "ms-slider", line), next = make("button", "ms-button", line, "›");
  back.title = "Less";
  next.title = "More";
  for (const button of [back, next]) button.setAttribute("aria-label", button.title);
  const dose = make("div", "ms-where", panel), sentence = make("div", "ms-pitfall-number", panel);
  sentence.setAttribute("role", "status");
  const body = make("div", "ms-pitfall-body", panel), picture = make("div", "", make("div", "", body)), damage = make("div", "", make("div", "", body));
  const buttons = make("div", "ms-row", panel), remedy = make("button", "ms-button", buttons), control = make("button", "ms-button", buttons);
  const figures = make("div", "", panel), note = make("div", "ms-where", panel);
  let now = { step: 0, remedy: false, control: false, ...state };

  function change(some) {
    now = { ...now, ...some };
    draw();
    told(now);
  }

  function draw() {
    const run = data.runs[now.step], amount = data.amounts[now.step];
    title.textContent = data.title;
    danger.textContent = data.danger;
    Object.assign(slider, { type: "range", min: 0, max: data.doses.length - 1, step: 1, value: now.step });
    slider.setAttribute("aria-label", `Dose: ${data.dose_is}`);
    slider.setAttribute("aria-valuetext", amount);
    back.disabled = now.step === 0;
    next.disabled = now.step === data.doses.length - 1;
    dose.textContent = `Dose: ${amount} (${data.dose_is})`;
    sentence.textContent = `Damage: ${run.says.damage}`;
    PLOTS[data.plan.kind](picture, data.pictures[now.step], data, now.remedy);
    drawDamage(damage, data, now.step, now.remedy, now.control);
    remedy.textContent = now.remedy ? "Take the remedy back" : "Apply the remedy";
    control.textContent = now.control ? "Hide the study without the danger" : "Compare with a study without the danger";
    remedy.setAttribute("aria-pressed", String(now.remedy));
    control.setAttribute("aria-pressed", String(now.control));
    figures.replaceChildren();
    if (now.remedy) {
      make("div", "ms-pitfall-number", figures, `With the remedy (${data.mitigation}): ${run.says.mitigated}`);
      make("div", "", figures, run.sentence);
    }
    if (now.control) make("div", "", figures, `Without the danger: ${run.says.control}`);
    note.textContent = `Damage: ${data.measures}.${now.remedy && data.note ? ` ${data.note}` : ""} Source: ${data.source}. Met in notebook ${data.notebook}.`;
  }

  slider.addEventListener("input", () => change({ step: Number(slider.value) }));
  back.addEventListener("click", () => change({ step: now.step - 1 }));
  next.addEventListener("click", () => change({ step: now.step + 1 }));
  remedy.addEventListener("click", () => change({ remedy: !now.remedy }));
  control.addEventListener("click", () => change({ control: !now.control }));
  draw();
  return {
    root,
    picker,
    say(text) { sentence.textContent = text; },
    take(newer, state) { data = newer; now = { ...now, ...state }; draw(); },
  };
}

function render({ model, el, signal: given }) {
  const ending = new AbortController(), signal = ending.signal;
  given?.addEventListener("abort", () => ending.abort());
  const mine = () => model.get("_state");
  const tell = (some) => { model.set("_state", { ...mine(), ...some }); model.save_changes(); };
  const view = shown(el, model.get("_data"), mine(), ({ step, remedy, control }) => tell({ step, remedy, control }));
  const names = model.get("_names");
  view.picker.hidden = !names.length;
  if (names.length) fillSelect(view.picker, names, mine().name);
  view.picker.addEventListener("change", () => {
    view.say("Computing all doses: a few seconds …");
    tell({ name: view.picker.value, step: 0, remedy: false, control: false });
  });
  const refresh = () => {
    // Another pitfall was asked for, and what it found is still under way.
    if (mine().name !== model.get("_data").name) return;
    view.picker.value = mine().name;
    view.take(model.get("_data"), mine());
  };
  listen(model, signal, ["_data", "_state"], once(refresh));
  lost(view.root, model, signal);
  return () => ending.abort();
}

export default { render };
