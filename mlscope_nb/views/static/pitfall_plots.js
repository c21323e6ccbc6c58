// Drawings of the pitfall laboratory. Orange: done carelessly. Blue: with the remedy. Grey: what is so, or no danger.
const INKS = { done: "#d55e00", remedy: "#0072b2", truth: "#767676", damage: "#d55e00", mitigated: "#0072b2", control: "#767676" };
const WIDE = 400, ROOM = { left: 58, right: 16, top: 12, bottom: 44 };

function canvas(host, high, says) {
  host.replaceChildren();
  const svg = drawn("svg", host, { viewBox: `0 0 ${WIDE} ${high}`, width: "100%", class: "ms-plot", role: "img" });
  svg.setAttribute("aria-label", says);
  return svg;
}

// Round steps between two ends, about five of them.
function stepsOf(low, high) {
  const rough = (high - low) / 5, ten = 10 ** Math.floor(Math.log10(rough || 1));
  const step = [1, 2, 2.5, 5, 10].map((m) => m * ten).find((s) => s >= rough) ?? rough;
  const found = [];
  for (let k = Math.ceil(low / step); k * step <= high + 1e-9; k++) found.push(Number((k * step).toPrecision(6)));
  return found;
}

function across(svg, high, low, top, words) {
  const x = (v) => ROOM.left + (v - low) / (top - low) * (WIDE - ROOM.left - ROOM.right), base = high - ROOM.bottom;
  for (const v of stepsOf(low, top)) {
    drawn("line", svg, { x1: x(v), x2: x(v), y1: ROOM.top, y2: base, class: "ms-grid" });
    drawn("text", svg, { x: x(v), y: base + 17, class: "ms-tick", "text-anchor": "middle" }, String(v));
  }
  drawn("text", svg, { x: (ROOM.left + WIDE - ROOM.right) / 2, y: high - 6, class: "ms-tick", "text-anchor": "middle" }, words);
  return x;
}

function upwards(svg, high, low, top, words) {
  const base = high - ROOM.bottom, y = (v) => base - (v - low) / (top - low) * (base - ROOM.top), middle = (base + ROOM.top) / 2;
  for (const v of stepsOf(low, top)) {
    drawn("line", svg, { x1: ROOM.left, x2: WIDE - ROOM.right, y1: y(v), y2: y(v), class: "ms-grid" });
    drawn("text", svg, { x: ROOM.left - 6, y: y(v) + 4, class: "ms-tick", "text-anchor": "end" }, String(v));
  }
  drawn("text", svg, { x: 14, y: middle, class: "ms-tick", "text-anchor": "middle", transform: `rotate(-90 14 ${middle})` }, words);
  return y;
}

function mark(svg, role, x, y, size = 5) {
  const fill = INKS[role];
  if (role === "remedy" || role === "mitigated") return drawn("rect", svg, { x: x - size, y: y - size, width: 2 * size, height: 2 * size, fill, stroke: "#ffffff" });
  if (role === "truth" || role === "control") return drawn("path", svg, { d: `M${x} ${y - size - 1} l${size + 1} ${2 * size} h${-2 * size - 2} z`, fill, stroke: "#ffffff" });
  return drawn("circle", svg, { cx: x, cy: y, r: size, fill, stroke: "#ffffff" });
}

// Parts from the first remedy on are shown once the remedy is applied.
function seen(parts, remedy) {
  const first = parts.findIndex((part) => part.role === "remedy");
  return remedy || first < 0 ? parts : parts.slice(0, first);
}

const PLOTS = {
  // A row for each way of doing it: a point for each study, a bar at their mean.
  strips(host, picture, data, remedy) {
    const rows = seen(picture.rows, remedy), all = picture.rows.length, line = 46, high = ROOM.top + all * line + ROOM.bottom;
    const svg = canvas(host, high, data.plan.axis), [low, top] = data.span, x = across(svg, high, low, top, data.plan.axis);
    if (data.plan.line !== null) drawn("line", svg, { x1: x(data.plan.line), x2: x(data.plan.line), y1: ROOM.top, y2: high - ROOM.bottom, stroke: "#767676", "stroke-dasharray": "5 4", "stroke-width": 1.5 });
    for (const row of rows) {
      const y = ROOM.top + picture.rows.indexOf(row) * line + 32, mean = row.values.reduce((a, b) => a + b, 0) / (row.values.length || 1);
      drawn("text", svg, { x: ROOM.left, y: y - 15, class: "ms-tick ms-over" }, `${row.says}: ${mean.toFixed(2)}`);
      row.values.forEach((value, k) => mark(svg, row.role, x(value), y + 6 * (k % 3 - 1) * 0.6, 4).setAttribute("opacity", 0.7));
      drawn("line", svg, { x1: x(mean), x2: x(mean), y1: y - 11, y2: y + 11, stroke: INKS[row.role], "stroke-width": 3 });
    }
    if (data.plan.line !== null) keys(host, [{ says: data.plan.line ? "dashed: guessing" : "dashed: none", role: null }]);
  },
  histogram(host, picture, data, remedy) {
    const high = 250, svg = canvas(host, high, data.plan.axis), parts = seen(picture.series, remedy);
    const peak = Math.max(picture.even, ...picture.series.flatMap((one) => one.shares)), x = across(svg, high, 0, 1, data.plan.axis);
    const y = upwards(svg, high, 0, peak * 1.05, "share of p-values"), n = picture.series[0].shares.length, base = high - ROOM.bottom;
    parts.forEach((one) => one.shares.forEach((share, i) => drawn("rect", svg, { x: x(i / n) + 1, width: x(1 / n) - x(0) - 2, y: y(share), height: base - y(share), fill: INKS[one.role], "fill-opacity": 0.55 })));
    drawn("line", svg, { x1: x(0), x2: x(1), y1: y(picture.even), y2: y(picture.even), stroke: "#212121", "stroke-dasharray": "5 4", "stroke-width": 1.5 });
    keys(host, [...parts, { says: "dashed: what chance alone gives", role: null }]);
  },
  lines(host, picture, data, remedy) {
    const high = 260, svg = canvas(host, high, data.plan.axis), values = picture.along.filter((v) => v !== null);
    const low = Math.min(...values), top = Math.max(...values), parts = seen(picture.series, remedy);
    const up = picture.series.flatMap((one) => one.values).filter((v) => v !== null), floor = Math.min(low, ...up);
    const x = across(svg, high, low - 0.02, top + 0.02, data.plan.axis), y = upwards(svg, high, floor - 0.02, 1.02, data.plan.up);
    drawn("line", svg, { x1: x(low), x2: x(top), y1: y(low), y2: y(top), stroke: "#212121", "stroke-dasharray": "5 4", "stroke-width": 1.5 });
    for (const one of parts) {
      const points = picture.along.map((v, i) => [v, one.values[i]]).filter(([a, b]) => a !== null && b !== null);
      drawn("polyline", svg, { points: points.map(([a, b]) => `${x(a)},${y(b)}`).join(" "), fill: "none", stroke: INKS[one.role], "stroke-width": 2 });
      for (const [a, b] of points) mark(svg, one.role, x(a), y(b));
    }
    keys(host, [...parts, { says: "dashed: as sure as right", role: null }]);
  },
  // The first map and the one without the danger; the one that the remedy needs comes last.
  maps(host, picture, data, remedy) {
    host.replaceChildren();
    const line = make("div", "ms-pitfall-pair", host);
    for (const map of remedy ? picture.maps : picture.maps.slice(0, -1)) {
      const figure = make("figure", "", line), svg = drawn("svg", figure, { viewBox: "-0.05 -0.05 1.1 1.1", width: 210, height: 210, role: "img", class: "ms-plot" });
      svg.setAttribute("aria-label", map.says);
      for (const [a, b] of map.points) drawn("circle", svg, { cx: a, cy: 1 - b, r: 0.014, fill: "#0072b2", "fill-opacity": 0.6 });
      make("figcaption", "", figure, map.says);
    }
  },
  pairs(host, picture) {
    host.replaceChildren();
    for (const row of picture.rows) {
      const line = make("div", "ms-pitfall-pair", host);
      for (const one of row.pictures) {
        const figure = make("figure", "", line), image = make("img", "", figure);
        image.src = one.src;
        image.alt = `${one.says} nucleus, ${row.says}`;
        make("figcaption", "", figure, `${one.says}, ${row.says}`);
      }
    }
  },
};

function keys(host, parts) {
  const line = make("div", "ms-row", host);
  for (const part of parts) {
    const key = make("span", "", line);
    if (part.role) mark(drawn("svg", key, { width: 16, height: 14, "aria-hidden": "true" }), part.role, 7, 8);
    key.append(part.says);
  }
}

// The damage at every dose up to the one that is shown, with intervals.
function drawDamage(host, data, step, remedy, control) {
  const high = 250, svg = canvas(host, high, `damage by dose: ${data.measures}`), n = data.doses.length;
  const arms = ["damage", ...(remedy ? ["mitigated"] : []), ...(control ? ["control"] : [])];
  const all = data.runs.flatMap((run) => [...run.damage, ...run.mitigated, ...run.control]).filter((v) => v !== null);
  const low = Math.min(0, ...all), top = Math.max(...all), margin = 0.05 * (top - low) || 0.05;
  const y = upwards(svg, high, low - margin, top + margin, "damage"), base = high - ROOM.bottom;
  const x = (i) => ROOM.left + 24 + (n > 1 ? i / (n - 1) : 0.5) * (WIDE - ROOM.left - ROOM.right - 48);
  drawn("line", svg, { x1: ROOM.left, x2: WIDE - ROOM.right, y1: y(0), y2: y(0), stroke: "#212121", "stroke-width": 1 });
  data.doses.forEach((dose, i) => drawn("text", svg, { x: x(i), y: base + 17, class: "ms-tick", "text-anchor": "middle" }, String(dose)));
  drawn("text", svg, { x: (ROOM.left + WIDE - ROOM.right) / 2, y: high - 6, class: "ms-tick", "text-anchor": "middle" }, data.unit ? `dose (${data.unit})` : "dose");
  arms.forEach((arm, k) => data.runs.slice(0, step + 1).forEach((run, i) => {
    const [value, from, to] = run[arm], at = x(i) + 9 * (k - (arms.length - 1) / 2);
    if (value === null) return;
    if (from !== null && to !== null) drawn("line", svg, { x1: at, x2: at, y1: y(from), y2: y(to), stroke: INKS[arm], "stroke-width": 3, "stroke-opacity": 0.5 });
    mark(svg, arm, at, y(value));
  }));
  const words = { damage: "as it is done", mitigated: "with the remedy", control: "danger absent" };
  keys(host, arms.map((arm) => ({ says: words[arm], role: arm })));
}
