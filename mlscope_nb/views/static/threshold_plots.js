// Drawings beside a threshold: the histogram that the slider runs under, and precision against recall.
const PLOT = { left: 52, right: 14, top: 14, high: 156, bottom: 40, left_out: "#c98500", stays: "#949494", faulty: "#0072b2", line: "#d55e00" };

// Equal steps up are equal factors, so that ten bad cells are seen beside three thousand good ones.
function drawHistogram(host, score, wide) {
  host.replaceChildren();
  const { left, right, top, high, bottom } = PLOT, base = high - bottom, room = wide - left - right, n = score.bars.length;
  const peak = Math.max(2, ...score.bars), up = (count) => base - (Math.log1p(count) / Math.log1p(peak)) * (base - top);
  const svg = drawn("svg", host, { width: wide, height: high, class: "ms-plot", role: "img" });
  for (const count of [0, 1, 10, 100, 1000, 10000, 100000].filter((v) => v <= peak)) {
    drawn("line", svg, { x1: left, x2: wide - right, y1: up(count), y2: up(count), class: "ms-grid" });
    drawn("text", svg, { x: left - 5, y: up(count) + 4, class: "ms-tick", "text-anchor": "end" }, count.toLocaleString("en"));
  }
  drawn("text", svg, { x: 13, y: (base + top) / 2, class: "ms-tick", "text-anchor": "middle", transform: `rotate(-90 13 ${(base + top) / 2})` }, "cells");
  for (const tick of score.ticks) {
    const x = left + tick.at * room;
    drawn("line", svg, { x1: x, x2: x, y1: base, y2: base + 4, class: "ms-grid" });
    drawn("text", svg, { x, y: base + 17, class: "ms-tick", "text-anchor": "middle" }, tick.text);
  }
  const name = score.unit ? `${score.column} (${score.unit})` : score.column;
  drawn("text", svg, { x: left + room / 2, y: high - 5, class: "ms-tick", "text-anchor": "middle" }, fitMiddle(name, room));
  const below = score.side === "below", out = drawn("g", svg, { fill: PLOT.left_out }), stay = drawn("g", svg, { fill: PLOT.stays });
  const parts = score.bars.map((count, i) => ({ from: i / n, to: (i + 1) / n, y: up(count), count })).filter((bar) => bar.count);
  const rects = parts.map((bar) => ({ bar, out: rect(out, bar), stay: rect(stay, bar) }));
  const wide_bar = room / n;
  score.faulty.forEach((count, i) => {
    if (count) drawn("rect", svg, { x: left + i * wide_bar + wide_bar * 0.28, width: wide_bar * 0.44, y: up(count), height: base - up(count), fill: PLOT.faulty });
  });
  for (const at of score.usual) drawn("path", svg, { d: `M${left + at * room} ${base} l-4 7 h8 z`, class: "ms-usual" });
  const line = drawn("line", svg, { y1: 2, y2: base, stroke: PLOT.line, "stroke-width": 3 });
  function rect(parent, bar) { return drawn("rect", parent, { y: bar.y, height: base - bar.y }); }
  // One bar may lie on both sides of the line.
  return (place) => {
    for (const { bar, out: gone, stay: kept } of rects) {
      const cut = Math.max(bar.from, Math.min(bar.to, place)), lower = below ? gone : kept, upper = below ? kept : gone;
      span(lower, bar.from, cut);
      span(upper, cut, bar.to);
    }
    line.setAttribute("x1", left + place * room);
    line.setAttribute("x2", left + place * room);
  };
  function span(node, from, to) {
    node.setAttribute("x", left + from * room);
    node.setAttribute("width", Math.max(0, (to - from) * room - (to > from ? 0.5 : 0)));
  }
}

function drawCurve(host, curve) {
  host.replaceChildren();
  const wide = 250, { top, high, bottom } = PLOT, left = 46, right = 12, base = high - bottom;
  const x = (v) => left + v * (wide - left - right), y = (v) => base - v * (base - top);
  const svg = drawn("svg", host, { width: wide, height: high, class: "ms-plot", role: "img" });
  svg.setAttribute("aria-label", `Precision against recall, average precision ${curve.area}`);
  for (const share of [0, 0.5, 1]) {
    drawn("line", svg, { x1: left, x2: wide - right, y1: y(share), y2: y(share), class: "ms-grid" });
    drawn("text", svg, { x: left - 5, y: y(share) + 4, class: "ms-tick", "text-anchor": "end" }, String(share));
    drawn("text", svg, { x: x(share), y: base + 17, class: "ms-tick", "text-anchor": "middle" }, String(share));
  }
  drawn("text", svg, { x: 12, y: (base + top) / 2, class: "ms-tick", "text-anchor": "middle", transform: `rotate(-90 12 ${(base + top) / 2})` }, "precision");
  drawn("text", svg, { x: (left + wide - right) / 2, y: high - 5, class: "ms-tick", "text-anchor": "middle" }, `recall (average precision ${curve.area})`);
  drawn("line", svg, { x1: x(0), x2: x(1), y1: y(curve.chance), y2: y(curve.chance), class: "ms-chance" });
  drawn("polyline", svg, { points: curve.points.map(([r, p]) => `${x(r)},${y(p)}`).join(" "), fill: "none", stroke: PLOT.faulty, "stroke-width": 2.5 });
  const here = drawn("circle", svg, { r: 6, fill: PLOT.line, stroke: "#ffffff", "stroke-width": 1.5 });
  return (point) => {
    here.setAttribute("visibility", point ? "visible" : "hidden");
    if (!point) return;
    here.setAttribute("cx", x(point[0]));
    here.setAttribute("cy", y(point[1]));
  };
}
