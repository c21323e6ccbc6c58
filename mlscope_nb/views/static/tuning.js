// Sliders for the segmentation of the field beside them; each release is computed by the kernel.
const MEANINGS = {
  threshold: ["Threshold", "lower takes in more, higher less"],
  split: ["Split", "0 leaves touching objects together, 2 cuts at every neck"],
  min_area_px: ["Smallest area", "smaller objects are left out"],
  max_area_px: ["Largest area", "larger objects are left out"],
  diameter_px: ["Typical diameter", "how far around an object its background is looked for"],
};

function tuneField(context) {
  const { model } = context, view = drawField(context), { signal } = view;
  const size = model.get("_field").full_height * model.get("_field").full_width;
  const side = Math.min(model.get("_field").full_height, model.get("_field").full_width);
  // Areas and lengths are on a scale of ratios; a null at the end of a slider leaves it automatic.
  const ratios = (low, high) => ({ min: 0, max: 200, step: 1,
    value: (at) => Number((low * (high / low) ** (at / 200)).toPrecision(2)),
    place: (value) => Math.round((200 * Math.log(value / low)) / Math.log(high / low)) });
  const plain = (min, max, step) => ({ min, max, step, value: (at) => Number(at.toFixed(2)), place: (value) => value });
  const scales = {
    threshold: plain(0.2, 1.9, 0.05), split: plain(0, 2, 0.1),
    min_area_px: { ...ratios(5, Math.max(500, size / 20)), empty: "min" }, max_area_px: { ...ratios(5, Math.max(500, size / 4)), empty: "max" },
    diameter_px: { ...ratios(3, Math.max(10, side)), empty: "min" },
  };
  const automatic = { threshold: 1, split: 1, min_area_px: null, max_area_px: null, diameter_px: null, polarity: "auto" };
  let tuning = structuredClone(model.get("_tuning"));

  const box = make("div", "ms-tuning", view.extra);
  const state = make("p", "ms-found", box);
  state.setAttribute("role", "status");
  const rows = Object.keys(MEANINGS).map(slider);
  const choices = make("div", "ms-row", box);
  const polarity = choice("Objects are", [["auto", "automatic"], ["bright", "bright"], ["dark", "dark"]], "polarity");
  const names = model.get("_channels").map((c) => c.name);
  const channel = names.length > 1 ? choice("Channel", [["", "automatic"], ...names.map((n, i) => [String(i), n])], "channel") : null;
  const reset = make("button", "ms-button", box, "All automatic");
  const more = make("details", "ms-more", view.extra.parentElement);
  make("summary", "", more, "Colours and contrast");
  more.append(...[...view.extra.parentElement.children].filter((node) => node !== view.extra && node !== more));
  const line = make("div", "ms-row ms-line", view.root);
  const code = make("code", "ms-code ms-grow", line), copy = make("button", "ms-button ms-main", line, "Copy");
  const error = make("p", "ms-note ms-warning ms-error", view.root);
  error.setAttribute("role", "alert");

  function slider(name) {
    const [title, meaning] = MEANINGS[name], scale = scales[name];
    const row = make("div", "ms-tune", box), head = make("div", "ms-channel-name", row);
    make("span", "", head, title);
    const value = make("span", "ms-where ms-range", head);
    const node = make("input", "ms-slider", row);
    Object.assign(node, { type: "range", min: scale.min, max: scale.max, step: scale.step, title: meaning });
    node.setAttribute("aria-label", title);
    make("div", "ms-where ms-small", row, meaning);
    const read = () => {
      const at = Number(node.value);
      return (scale.empty === "min" && at <= scale.min) || (scale.empty === "max" && at >= scale.max) ? null : scale.value(at);
    };
    node.addEventListener("input", () => { value.textContent = said(name, read()); }, { signal });
    node.addEventListener("change", () => ask({ [name]: read() }), { signal });
    return { name, node, value, scale };
  }

  function choice(title, options, name) {
    const label = make("label", "ms-choice", choices), node = make("select", "", label);
    label.prepend(make("span", "", null, title));
    fillSelect(node, options.map(([value, text]) => ({ value, label: text })), options[0][0]);
    node.setAttribute("aria-label", title);
    node.addEventListener("change", () => ask({ [name]: name === "channel" ? (node.value === "" ? null : names[Number(node.value)]) : node.value }), { signal });
    return node;
  }

  function said(name, value) {
    if (value === null) return "automatic";
    if (name === "threshold" || name === "split") return value === 1 ? "automatic (1)" : String(value);
    return `${value.toLocaleString("en")} px`;
  }

  function ask(change) {
    tuning = { ...tuning, ...change };
    model.set("_tuning", tuning);
    model.save_changes();
    words();
  }

  function words() {
    const report = model.get("_report"), busy = JSON.stringify(report.tuning) !== JSON.stringify(tuning);
    state.classList.toggle("ms-busy", busy);
    state.textContent = busy ? "Working …" : report.error ? "Nothing new found, see below." : report.text;
    for (const { name, node, value, scale } of rows) {
      const now = tuning[name];
      node.value = now === null ? scale[scale.empty] : scale.place(now);
      value.textContent = said(name, now);
    }
    polarity.value = tuning.polarity;
    if (channel) channel.value = tuning.channel === null ? "" : String(names.indexOf(tuning.channel));
    reset.disabled = Object.entries(automatic).every(([name, value]) => tuning[name] === value);
    code.textContent = report.code;
    error.hidden = busy || !report.error;
    error.textContent = report.error;
    view.root.dataset.busy = busy;
  }

  async function take() {
    const text = code.textContent;
    try {
      await navigator.clipboard.writeText(text);
      copy.textContent = "Copied";
    } catch {
      // Without the right to write, the line is marked, ready for the keys of the browser.
      getSelection().selectAllChildren(code);
      copy.textContent = "Marked: press Ctrl+C";
    }
    setTimeout(() => { copy.textContent = "Copy"; }, 2500);
  }

  copy.addEventListener("click", take, { signal });
  reset.addEventListener("click", () => ask(automatic), { signal });
  listen(model, signal, ["_report"], once(words));
  listen(model, signal, ["_tuning"], once(() => { tuning = structuredClone(model.get("_tuning")); words(); }));
  words();
  return view;
}

function render(context) {
  const view = tuneField(context);
  return () => view.end();
}

export default { render };
