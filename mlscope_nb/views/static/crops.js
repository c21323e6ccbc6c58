// Crops on a canvas: tiles cut from one picture, with marks, rings and a cursor.
const GAP = 6, BAR = 4;

function cropLayout(wide, side) {
  const pitch = side + GAP, columns = Math.max(1, Math.floor((wide + GAP) / pitch));
  return { pitch, columns, at: (i) => ({ x: (i % columns) * pitch, y: Math.floor(i / columns) * (pitch + BAR) }) };
}

// `tile(i)` says where the picture of the i-th crop is: [bitmap, x, y, size].
function paintCrops(canvas, page, { side, found, tile }) {
  const layout = cropLayout(canvas.parentElement.clientWidth, side), ratio = window.devicePixelRatio || 1;
  const rows = page.rows ?? [], lines = Math.max(1, Math.ceil(rows.length / layout.columns));
  const wide = layout.columns * layout.pitch - GAP, high = lines * (layout.pitch + BAR) - GAP;
  canvas.style.width = `${wide}px`;
  canvas.style.height = `${high}px`;
  canvas.width = Math.round(wide * ratio);
  canvas.height = Math.round(high * ratio);
  const pen = canvas.getContext("2d");
  pen.scale(ratio, ratio);
  const crops = rows.map((row, i) => ({ row, id: page.ids[i], name: page.names?.[i] ?? page.ids[i], ...layout.at(i) }));
  crops.forEach((crop, i) => {
    const [bitmap, x, y, size] = tile(i);
    pen.imageSmoothingEnabled = size > side;
    if (bitmap) pen.drawImage(bitmap, x, y, size, size, crop.x, crop.y, side, side);
    if (page.marks?.[i]) { pen.fillStyle = page.marks[i]; pen.fillRect(crop.x, crop.y + side + 1, side, BAR); }
    if (page.chosen[i] && page.rings) ring(pen, crop, side, "#ffffff", "#000000");
    if (crop.row === found) ring(pen, crop, side, "#ff7f0e", "#000000");
  });
  return crops;
}

function ring(pen, crop, side, inner, outer) {
  for (const [ink, wide] of [[outer, 4], [inner, 2]]) {
    pen.lineWidth = wide; pen.strokeStyle = ink; pen.strokeRect(crop.x + 2, crop.y + 2, side - 4, side - 4);
  }
}
