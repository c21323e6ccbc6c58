// Points on a plane: which of them are chosen, which lie inside a line, which is nearest.
const Bits = {
  make: (n) => new Uint8Array((n + 7) >> 3),
  has: (bits, i) => (bits[i >> 3] >> (i & 7)) & 1,
  put: (bits, i) => { bits[i >> 3] |= 1 << (i & 7); },
  count(bits) {
    let n = 0;
    for (let byte of bits) for (; byte; byte &= byte - 1) n++;
    return n;
  },
  same: (one, other) => one.length === other.length && one.every((byte, i) => byte === other[i]),
  // How a drag changes what was chosen before.
  join(before, now, mode) {
    if (mode === "add") return now.map((byte, i) => byte | before[i]);
    if (mode === "remove") return now.map((byte, i) => before[i] & ~byte);
    return now;
  },
};

// Crossing number: a point is inside when a ray from it meets the line an odd number of times.
function isInside(x, y, line) {
  let inside = false;
  for (let i = 0, j = line.length - 1; i < line.length; j = i++) {
    const [xi, yi] = line[i], [xj, yj] = line[j];
    if ((yi > y) !== (yj > y) && x < xi + ((y - yi) * (xj - xi)) / (yj - yi)) inside = !inside;
  }
  return inside;
}

// Tells for any number of points whether they lie inside a closed line: exact only where a part of the line is near.
function insideOf(line) {
  const SIDE = 128;
  const xs = line.map((p) => p[0]), ys = line.map((p) => p[1]);
  const left = Math.min(...xs), right = Math.max(...xs), top = Math.min(...ys), bottom = Math.max(...ys);
  const wide = Math.max(right - left, 1e-9) / SIDE, high = Math.max(bottom - top, 1e-9) / SIDE;
  const state = new Uint8Array(SIDE * SIDE); // 0 not known yet, 1 inside, 2 outside, 3 crossed by the line
  const bin = (value, first, size) => Math.max(0, Math.min(SIDE - 1, Math.floor((value - first) / size)));
  line.forEach(([x2, y2], i) => {
    const [x1, y1] = line[(i || line.length) - 1];
    const from = bin(Math.min(y1, y2), top, high), to = bin(Math.max(y1, y2), top, high);
    for (let row = from; row <= to; row++) {
      // One bin of margin on every side, so that rounding cannot hide a crossing.
      const reach = [top + (row - 1) * high, top + (row + 2) * high].map((y) =>
        y1 === y2 ? null : x1 + ((Math.max(Math.min(y1, y2), Math.min(Math.max(y1, y2), y)) - y1) * (x2 - x1)) / (y2 - y1));
      const ends = reach.includes(null) ? [x1, x2] : reach;
      const a = bin(Math.min(...ends) - wide, left, wide), b = bin(Math.max(...ends) + wide, left, wide);
      for (let r = Math.max(0, row - 1); r <= Math.min(SIDE - 1, row + 1); r++) state.fill(3, r * SIDE + a, r * SIDE + b + 1);
    }
  });
  return (x, y) => {
    if (!(x >= left && x <= right && y >= top && y <= bottom)) return false;
    const column = bin(x, left, wide), row = bin(y, top, high), at = row * SIDE + column;
    if (state[at] === 3) return isInside(x, y, line);
    if (!state[at]) state[at] = isInside(left + (column + 0.5) * wide, top + (row + 0.5) * high, line) ? 1 : 2;
    return state[at] === 1;
  };
}

// Points sorted into squares of the plane, so that the nearest one is found without looking at all.
function nearestIn(x, y, box) {
  const n = x.length, side = Math.max(1, Math.min(512, Math.round(Math.sqrt(n / 2))));
  const wide = (box.right - box.left) / side || 1, high = (box.top - box.bottom) / side || 1;
  const place = (value, first, size) => Math.max(0, Math.min(side - 1, Math.floor((value - first) / size)));
  const starts = new Uint32Array(side * side + 1), square = new Uint32Array(n), rows = new Uint32Array(n);
  for (let i = 0; i < n; i++) {
    square[i] = x[i] === x[i] && y[i] === y[i] ? place(y[i], box.bottom, high) * side + place(x[i], box.left, wide) : 0;
    starts[square[i] + 1]++;
  }
  for (let k = 0; k < side * side; k++) starts[k + 1] += starts[k];
  const next = starts.slice();
  for (let i = 0; i < n; i++) rows[next[square[i]]++] = i;
  // `across` and `up` are what a screen pixel measures on the plane; `reach` is in pixels.
  return (px, py, across, up, reach, visible) => {
    let best = -1, least = reach * reach;
    const r1 = place(py - reach * up, box.bottom, high), r2 = place(py + reach * up, box.bottom, high);
    const c1 = place(px - reach * across, box.left, wide), c2 = place(px + reach * across, box.left, wide);
    for (let r = r1; r <= r2; r++) {
      for (let k = starts[r * side + c1]; k < starts[r * side + c2 + 1]; k++) {
        const i = rows[k], dx = (x[i] - px) / across, dy = (y[i] - py) / up, away = dx * dx + dy * dy;
        if (away < least && visible(i)) { least = away; best = i; }
      }
    }
    return best;
  };
}

// The smallest box around all points that have a place, with a little room.
function boxOf(x, y) {
  let left = Infinity, right = -Infinity, bottom = Infinity, top = -Infinity;
  for (let i = 0; i < x.length; i++) {
    if (x[i] < left) left = x[i];
    if (x[i] > right) right = x[i];
    if (y[i] < bottom) bottom = y[i];
    if (y[i] > top) top = y[i];
  }
  if (!(right >= left) || !(top >= bottom)) return { left: 0, right: 1, bottom: 0, top: 1 };
  const wide = 0.04 * (right - left) || 0.5, high = 0.04 * (top - bottom) || 0.5;
  return { left: left - wide, right: right + wide, bottom: bottom - high, top: top + high };
}

// Round numbers for an axis, about one every `room` pixels.
function ticks(low, high, pixels, room) {
  const rough = (high - low) / Math.max(1, Math.floor(pixels / room));
  const ten = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((m) => m * ten).find((s) => s >= rough) ?? 10 * ten;
  const found = [];
  for (let k = Math.ceil(low / step); k * step <= high && found.length < 50; k++) found.push(k * step);
  const digits = Math.max(0, -Math.floor(Math.log10(step)));
  return found.map((value) => ({ value, text: tickText(value, digits, step) }));
}

function tickText(value, digits, step) {
  if (Math.abs(value) < step / 1e6) return "0";
  if (Math.abs(value) >= 1e5 || digits > 4) return value.toExponential(1).replace("e+", "e");
  return value.toFixed(Math.min(digits, 6));
}
