// Pixels of a field. A layer is the whole field, thinned, or a part of it in more detail; both are drawn the same way.
async function decodeLayer(words, planes, labels) {
  const decode = (bytes, type) => bytes.length
    ? createImageBitmap(new Blob([bytes], { type }), { colorSpaceConversion: "none", premultiplyAlpha: "none" }) : null;
  const [sheet, numbers] = await Promise.all([decode(planes, "image/webp"), decode(labels, "image/png")]);
  const { y, x, step, height, width, ranges } = words;
  const picture = new OffscreenCanvas(width, height);
  return { y, x, step, height, width, ranges, picture, planes: splitPlanes(sheet, words), labels: numbers && splitLabels(numbers) };
}

function pixelsOf(bitmap) {
  const pen = new OffscreenCanvas(bitmap.width, bitmap.height).getContext("2d", { willReadFrequently: true });
  pen.drawImage(bitmap, 0, 0);
  return pen.getImageData(0, 0, bitmap.width, bitmap.height).data;
}

function splitPlanes(sheet, { height, width, ranges, per_column: perColumn }) {
  const pixels = pixelsOf(sheet);
  return ranges.map((_, i) => {
    const plane = new Uint8Array(height * width), left = Math.floor(i / perColumn) * width;
    for (let row = 0, k = 0; row < height; row++) {
      let at = (((i % perColumn) * height + row) * sheet.width + left) * 4;
      for (let column = 0; column < width; column++, at += 4) plane[k++] = pixels[at];
    }
    return plane;
  });
}

function splitLabels(bitmap) {
  const pixels = pixelsOf(bitmap), labels = new Uint32Array(bitmap.width * bitmap.height);
  for (let k = 0, at = 0; k < labels.length; k++, at += 4) labels[k] = pixels[at] | (pixels[at + 1] << 8) | (pixels[at + 2] << 16);
  return labels;
}

// Channels that are on, each in its colour between its two grey values, added up.
function mixLayer(layer, channels, settings) {
  const pen = layer.picture.getContext("2d");
  const image = pen.createImageData(layer.width, layer.height);
  const out = new Uint32Array(image.data.buffer);
  const tables = layer.planes.map((plane, i) => settings.on[i] && shadesOf(plane, layer.ranges[i], settings.limits[i], channels[i].colour)).filter(Boolean);
  for (let k = 0; k < out.length; k++) {
    let r = 0, g = 0, b = 0;
    for (const t of tables) { const v = t.plane[k]; r += t.r[v]; g += t.g[v]; b += t.b[v]; }
    out[k] = 0xff000000 | ((b > 255 ? 255 : b) << 16) | ((g > 255 ? 255 : g) << 8) | (r > 255 ? 255 : r);
  }
  pen.putImageData(image, 0, 0);
}

function shadesOf(plane, [a, b], [low, high], colour) {
  const part = [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16));
  const [r, g, blue] = part.map(() => new Float32Array(256));
  for (let v = 0; v < 256; v++) {
    const grey = a + (v / 255) ** 2 * (b - a);
    const level = Math.min(1, Math.max(0, (grey - low) / (high - low)));
    r[v] = level * part[0]; g[v] = level * part[1]; blue[v] = level * part[2];
  }
  return { plane, r, g, b: blue };
}

// `view` is what the screen shows: {top, left, scale}, scale in screen pixels for one pixel of the field.
function drawPicture(pen, layer, view) {
  const by = layer.step * view.scale;
  // Larger than the screen's pixels they are shown as they are, as squares; smaller ones are averaged.
  pen.imageSmoothingEnabled = by < 1;
  pen.imageSmoothingQuality = "high";
  pen.drawImage(layer.picture, (layer.x - view.left) * view.scale, (layer.y - view.top) * view.scale, layer.width * by, layer.height * by);
}

// The object under each pixel of the screen, the layers from coarse to fine.
function labelsOnScreen(layers, view, width, height) {
  const labels = new Uint32Array(width * height);
  for (const layer of layers) {
    if (!layer?.labels) continue;
    const columns = Int32Array.from({ length: width }, (_, i) => Math.floor((view.left + (i + 0.5) / view.scale - layer.x) / layer.step));
    for (let j = 0; j < height; j++) {
      const row = Math.floor((view.top + (j + 0.5) / view.scale - layer.y) / layer.step);
      if (row < 0 || row >= layer.height) continue;
      for (let i = 0, at = j * width; i < width; i++, at++) {
        const column = columns[i];
        if (column >= 0 && column < layer.width) labels[at] = layer.labels[row * layer.width + column];
      }
    }
  }
  return labels;
}

// Outlines are found on the screen, so they are as thin at every zoom and cost the same for any number of objects.
// `kinds` says for each object: 0 not drawn, 1 white, 2 orange and thicker. A black rim is seen on every colour.
function outlineImage(labels, width, height, kinds, thin, thick) {
  const marked = new Uint8Array(width * height), reach = [0, thin, thick];
  for (let j = 0, at = 0; j < height; j++) {
    for (let i = 0; i < width; i++, at++) {
      const label = labels[at], kind = label && kinds[label];
      if (!kind) continue;
      const d = reach[kind];
      if ((i >= d && labels[at - d] !== label) || (i < width - d && labels[at + d] !== label)
        || (j >= d && labels[at - d * width] !== label) || (j < height - d && labels[at + d * width] !== label)) marked[at] = kind;
    }
  }
  const image = new ImageData(width, height), out = new Uint32Array(image.data.buffer);
  const ink = [0, 0xffffffff, 0xff009fe6], rim = 0xb0000000;
  for (let j = 0, at = 0; j < height; j++) {
    for (let i = 0; i < width; i++, at++) {
      if (marked[at]) out[at] = ink[marked[at]];
      else if ((i && marked[at - 1]) || (i < width - 1 && marked[at + 1]) || (j && marked[at - width]) || (j < height - 1 && marked[at + width])) out[at] = rim;
    }
  }
  return image;
}

function drawRing(pen, x, y, radius, unit) {
  for (const [ink, wide] of [["#000000", 5], ["#e69f00", 2.5]]) {
    pen.strokeStyle = ink;
    pen.lineWidth = wide * unit;
    pen.beginPath();
    pen.arc(x, y, radius, 0, 2 * Math.PI);
    pen.stroke();
  }
}
