// Which part of a field the screen shows. Wheel, drag, double click and keys move it; `moved` is called after each.
function makeCamera(canvas, keys, signal, size, moved, clicked) {
  const camera = { zoom: 1, y: 0, x: 0 };
  let held = null, rested = 0;
  // Screen pixels for one pixel of the field when all of it is shown.
  const base = () => canvas.width / size().width;
  // A pixel of the field never takes more than 32 pixels of the page.
  const most = () => Math.max(1, Math.min(400, (32 * size().width) / Math.max(1, canvas.clientWidth)));

  function set(zoom, y, x, quiet = false) {
    const { height, width } = size();
    camera.zoom = Math.min(most(), Math.max(1, zoom));
    const hold = (value, whole) => Math.min(whole - whole / camera.zoom / 2, Math.max(whole / camera.zoom / 2, value));
    camera.y = hold(y, height);
    camera.x = hold(x, width);
    moved(quiet);
  }

  function view() {
    const { height, width } = size(), scale = base() * camera.zoom;
    return { scale, top: camera.y - height / camera.zoom / 2, left: camera.x - width / camera.zoom / 2, height: height / camera.zoom, width: width / camera.zoom };
  }

  function fieldPoint(event) {
    const box = canvas.getBoundingClientRect(), shown = view();
    return { y: shown.top + ((event.clientY - box.top) / box.height) * shown.height, x: shown.left + ((event.clientX - box.left) / box.width) * shown.width };
  }

  // What is under the pointer stays there.
  function zoomAt(factor, point) {
    const zoom = Math.min(most(), Math.max(1, camera.zoom * factor)), by = camera.zoom / zoom;
    set(zoom, point.y + (camera.y - point.y) * by, point.x + (camera.x - point.x) * by);
  }
  const zoomBy = (factor) => zoomAt(factor, { y: camera.y, x: camera.x });
  const reset = () => set(1, 0, 0);
  const pan = (rows, columns) => set(camera.zoom, camera.y + rows, camera.x + columns);

  canvas.addEventListener("wheel", (event) => {
    const away = event.deltaY > 0;
    // With nothing left to zoom out of, the wheel is the page's again.
    if (away && camera.zoom <= 1 && performance.now() - rested > 400) return;
    event.preventDefault();
    event.stopPropagation();
    if (away) rested = performance.now();
    const notches = event.deltaY * (event.deltaMode === 1 ? 20 : event.deltaMode === 2 ? 300 : 1);
    zoomAt(2 ** (-Math.max(-300, Math.min(300, notches)) / (event.ctrlKey ? 100 : 300)), fieldPoint(event));
  }, { passive: false, signal });

  canvas.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    held = { id: event.pointerId, x: event.clientX, y: event.clientY, start: { ...camera }, dragged: false };
    canvas.setPointerCapture(event.pointerId);
    canvas.focus({ preventScroll: true });
  }, { signal });
  canvas.addEventListener("pointermove", (event) => {
    if (!held || held.id !== event.pointerId) return;
    const dx = event.clientX - held.x, dy = event.clientY - held.y;
    // A hand that trembles still clicks.
    if (!held.dragged && Math.hypot(dx, dy) < 4) return;
    held.dragged = true;
    canvas.classList.add("ms-held");
    const box = canvas.getBoundingClientRect(), shown = view();
    set(camera.zoom, held.start.y - (dy / box.height) * shown.height, held.start.x - (dx / box.width) * shown.width);
  }, { signal });
  const release = (event, ends) => {
    if (!held || held.id !== event.pointerId) return;
    const dragged = held.dragged;
    held = null;
    canvas.classList.remove("ms-held");
    if (ends && !dragged) clicked(fieldPoint(event), event.shiftKey);
  };
  canvas.addEventListener("pointerup", (event) => release(event, true), { signal });
  canvas.addEventListener("pointercancel", (event) => release(event, false), { signal });
  canvas.addEventListener("dblclick", (event) => { if (!event.shiftKey) reset(); }, { signal });

  keys.addEventListener("keydown", (event) => {
    if (event.target.closest("input, select, textarea") || event.ctrlKey || event.metaKey || event.altKey) return;
    const shown = view(), rows = shown.height / 8, columns = shown.width / 8;
    const act = {
      "+": () => zoomBy(1.5), "=": () => zoomBy(1.5), "-": () => zoomBy(1 / 1.5), "0": reset,
      ArrowUp: () => pan(-rows, 0), ArrowDown: () => pan(rows, 0), ArrowLeft: () => pan(0, -columns), ArrowRight: () => pan(0, columns),
    }[event.key];
    if (!act) return;
    event.preventDefault();
    act();
  }, { signal });
  return { camera, set, view, zoomBy, reset, most };
}
