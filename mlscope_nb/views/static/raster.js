// Draws points into pixels: single discs while there is room, density when there are too many to tell apart.
const CROWD = 20000;

// What each point looks like: `codes` name its colour in `inks` ([r, g, b] each); `chosen` null when nothing is selected.
function rasterise(size, place, look) {
  const { width, height } = size;
  const rows = place.x.length <= CROWD ? place.order : fewInView(width, height, place);
  return rows ? drawDiscs(width, height, { ...place, order: rows }, look) : drawDensity(width, height, place, look);
}

// The points in view, if the reader has zoomed in so far that they can be told apart; else null.
function fewInView(width, height, { x, y, ax, bx, ay, by, order }) {
  const found = [];
  for (const i of order) {
    const px = ax * x[i] + bx, py = ay * y[i] + by;
    if (px >= 0 && py >= 0 && px < width && py < height && found.push(i) > CROWD) return null;
  }
  return found;
}

function drawDiscs(width, height, { x, y, ax, bx, ay, by, order }, { codes, inks, hidden, chosen, grey, radius, alpha }) {
  const layer = new Float32Array(width * height * 4), reach = Math.ceil(radius + 1), side = 2 * reach + 1;
  const stamps = discs(radius, reach);
  const passes = chosen ? [0, 1] : [1];
  for (const wanted of passes) {
    const ink = wanted ? null : grey, strength = wanted ? (chosen ? Math.max(alpha, 0.8) : alpha) : 0.4;
    for (const i of order) {
      if (hidden[codes[i]] || (chosen && Bits.has(chosen, i) !== wanted)) continue;
      const px = ax * x[i] + bx, py = ay * y[i] + by;
      if (!(px > -reach && py > -reach && px < width + reach && py < height + reach)) continue;
      stamp(layer, width, height, px, py, stamps, reach, side, ink ?? inks[codes[i]], strength);
    }
  }
  return unmixed(layer, width, height);
}

// A disc with soft edges at each of 4 × 4 positions between the pixels.
function discs(radius, reach) {
  const side = 2 * reach + 1, made = [];
  for (let sy = 0; sy < 4; sy++) {
    for (let sx = 0; sx < 4; sx++) {
      const mask = new Float32Array(side * side);
      for (let y = 0; y < side; y++) {
        for (let x = 0; x < side; x++) {
          const away = Math.hypot(x - reach - (sx - 1.5) / 4, y - reach - (sy - 1.5) / 4);
          mask[y * side + x] = Math.max(0, Math.min(1, radius + 0.5 - away));
        }
      }
      made.push(mask);
    }
  }
  return made;
}

function stamp(layer, width, height, px, py, stamps, reach, side, ink, strength) {
  const cx = Math.floor(px), cy = Math.floor(py);
  const mask = stamps[4 * Math.floor((py - cy) * 4) + Math.floor((px - cx) * 4)];
  const top = Math.max(0, reach - cy), bottom = Math.min(side, height + reach - cy);
  const left = Math.max(0, reach - cx), right = Math.min(side, width + reach - cx);
  for (let y = top; y < bottom; y++) {
    for (let x = left, at = 4 * ((cy - reach + y) * width + cx - reach + left); x < right; x++, at += 4) {
      const a = mask[y * side + x] * strength;
      if (!a) continue;
      const rest = 1 - a;
      layer[at] = layer[at] * rest + ink[0] * a;
      layer[at + 1] = layer[at + 1] * rest + ink[1] * a;
      layer[at + 2] = layer[at + 2] * rest + ink[2] * a;
      layer[at + 3] = layer[at + 3] * rest + a;
    }
  }
}

function unmixed(layer, width, height) {
  const image = new ImageData(width, height), out = image.data;
  for (let at = 0; at < layer.length; at += 4) {
    const a = layer[at + 3];
    if (!a) continue;
    out[at] = layer[at] / a; out[at + 1] = layer[at + 1] / a; out[at + 2] = layer[at + 2] / a; out[at + 3] = 255 * a;
  }
  return image;
}

// Every pixel gets the mean colour of its points, the stronger the more there are (on a logarithmic scale).
function drawDensity(width, height, { x, y, ax, bx, ay, by }, { codes, inks, hidden, chosen, grey, wide }) {
  const area = width * height;
  const behind = new Float32Array(chosen ? area : 0), front = new Float32Array(area), mix = new Float32Array(3 * area);
  const flat = Float32Array.from(inks.flat());
  for (let i = 0; i < x.length; i++) {
    const code = codes[i];
    if (hidden[code]) continue;
    const px = ax * x[i] + bx, py = ay * y[i] + by;
    if (!(px >= 0 && py >= 0 && px < width - 1 && py < height - 1)) continue;
    const at = Math.floor(py) * width + Math.floor(px), lit = !chosen || (chosen[i >> 3] >> (i & 7)) & 1;
    for (let k = 0; k < (wide ? 4 : 1); k++) {
      const pixel = at + (k & 1) + (k & 2 ? width : 0);
      if (!lit) { behind[pixel]++; continue; }
      front[pixel]++;
      mix[3 * pixel] += flat[3 * code]; mix[3 * pixel + 1] += flat[3 * code + 1]; mix[3 * pixel + 2] += flat[3 * code + 2];
    }
  }
  return shaded(width, height, behind, front, mix, grey);
}

function shaded(width, height, behind, front, mix, grey) {
  const image = new ImageData(width, height), out = image.data;
  const above = strength(front, 0.35, 1), below = behind.length ? strength(behind, 0.15, 0.75) : null;
  for (let k = 0, at = 0; k < front.length; k++, at += 4) {
    const n = front[k], a = n ? above(n) : 0, b = below && behind[k] ? below(behind[k]) : 0;
    const whole = a + b * (1 - a);
    if (!whole) continue;
    for (let c = 0; c < 3; c++) out[at + c] = ((n ? mix[3 * k + c] / n : 0) * a + grey[c] * b * (1 - a)) / whole;
    out[at + 3] = 255 * whole;
  }
  return image;
}

function strength(counts, least, most) {
  let peak = 1;
  for (const n of counts) if (n > peak) peak = n;
  const table = Float32Array.from({ length: Math.min(peak, 65535) + 1 }, (_, n) =>
    Math.min(most, least + ((most - least) * Math.log1p(n - 1)) / Math.max(Math.log1p(peak - 1), 1e-9)));
  return (n) => table[Math.min(n, table.length - 1)];
}

// The order in which points are drawn: mixed, so that no class lies on top of the others.
function mixedOrder(n) {
  const order = Uint32Array.from({ length: n }, (_, i) => i);
  let state = 2463534242;
  for (let i = n - 1; i > 0; i--) {
    state ^= state << 13; state ^= state >>> 17; state ^= state << 5;
    const j = (state >>> 0) % (i + 1);
    [order[i], order[j]] = [order[j], order[i]];
  }
  return order;
}
