// Rows of channels: on or off, and two sliders for what is shown as black and as full colour.
function makeChannels(panel, model, settings, changed) {
  const rows = model.get("_channels").map((channel, i) => row(channel, i));
  const auto = make("button", "ms-button", panel, "Auto contrast");
  const hint = make("p", "ms-where ms-hint", panel);
  auto.addEventListener("click", () => { settings().limits = structuredClone(settings().auto); changed(); });
  const number = (value) => Number(value.toPrecision(3)).toLocaleString("en");

  function row(channel, i) {
    const box = make("div", "ms-channel", panel);
    const label = make("label", "ms-channel-name", box);
    const on = make("input", "ms-check", label);
    on.type = "checkbox";
    make("i", "", label).style.background = channel.colour;
    make("span", "ms-channel-text", label, channel.name).title = channel.name;
    const range = make("span", "ms-where ms-range", label);
    const low = slider(box, `${channel.name}: shown as black`);
    const high = slider(box, `${channel.name}: shown as full colour`);
    on.addEventListener("change", () => { settings().on[i] = on.checked; changed(); });
    low.addEventListener("input", () => move(i, 0, low));
    high.addEventListener("input", () => move(i, 1, high));
    return { on, low, high, range };
  }

  function slider(parent, name) {
    const node = make("input", "ms-slider", parent);
    Object.assign(node, { type: "range", min: 0, max: 1000, title: name });
    node.setAttribute("aria-label", name);
    return node;
  }

  // Sliders are finer where it is dark, as most signal is.
  function toGrey(i, value) { const [a, b] = model.get("_field").ranges[i]; return a + (value / 1000) ** 2 * (b - a); }
  function toSlider(i, grey) {
    const [a, b] = model.get("_field").ranges[i];
    return Math.round(1000 * Math.sqrt(Math.min(1, Math.max(0, (grey - a) / (b - a)))));
  }

  function move(i, end, node) {
    const pair = [...settings().limits[i]];
    pair[end] = toGrey(i, Number(node.value));
    const [a, b] = model.get("_field").ranges[i];
    const least = (b - a) / 1000;
    // Black stays below full colour: the other end gives way.
    if (pair[1] - pair[0] < least) pair[1 - end] = end ? pair[1] - least : pair[0] + least;
    settings().limits[i] = pair;
    changed();
  }

  return function words() {
    rows.forEach((control, i) => {
      const [low, high] = settings().limits[i];
      control.on.checked = settings().on[i];
      control.low.value = toSlider(i, low);
      control.high.value = toSlider(i, high);
      control.range.textContent = `${number(low)} – ${number(high)}`;
    });
    auto.disabled = JSON.stringify(settings().limits) === JSON.stringify(settings().auto);
    hint.textContent = auto.disabled
      ? "Contrast is chosen once for all fields (0.5–99.8 % of the grey values), so they can be compared."
      : "You changed the contrast: only the picture is different, the data are not.";
  };
}
