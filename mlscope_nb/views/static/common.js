// Small pieces shared by all views. Text from data only ever reaches the page through textContent.
const TAKES_KEYS = new Set(["button", "canvas", "input", "select", "summary"]);

function make(tag, name, parent, text) {
  const node = document.createElement(tag);
  if (name) node.className = name;
  // Notebook 7 sees a key before the view does and asks the element that has the focus, not those around it.
  if (TAKES_KEYS.has(tag)) node.dataset.lmSuppressShortcuts = "true";
  if (text !== undefined) node.textContent = text;
  if (parent) parent.append(node);
  return node;
}

// The title of a page that holds one view alone.
function asHeading(title) {
  title.setAttribute("role", "heading");
  title.setAttribute("aria-level", "1");
}

const SVG = "http://www.w3.org/2000/svg";

function drawn(tag, parent, attributes, text) {
  const node = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  if (text !== undefined) node.textContent = text;
  parent.append(node);
  return node;
}

const FONT = "system-ui, sans-serif";

// Names that begin alike differ at their ends: a name too long for its room loses its middle.
const ruler = document.createElement("canvas").getContext("2d");
function fitMiddle(text, room) {
  ruler.font = `13px ${FONT}`;
  const fits = (t) => ruler.measureText(t).width <= room;
  // Nobody reads a name of thousands of letters here; measuring it would take long.
  const name = text.length > 80 ? `${text.slice(0, 40)}…${text.slice(-39)}` : text;
  if (fits(name)) return name;
  for (let n = name.length - 1; n > 1; n--) {
    const cut = `${name.slice(0, Math.floor(n / 2))}…${name.slice(name.length - Math.ceil(n / 2))}`;
    if (fits(cut)) return cut;
  }
  return "…";
}

// Keys pressed in a view are the view's: JupyterLab would otherwise cut (x) or delete (d d) the cell around it.
function ownKeys(root) {
  root.dataset.lmSuppressShortcuts = "true";
  root.tabIndex = -1;
  root.addEventListener("keydown", (event) => event.stopPropagation());
  root.addEventListener("pointerdown", (event) => {
    if (!event.target.closest("input, select, button, [tabindex='0']")) root.focus({ preventScroll: true });
  }, true);
  // JupyterLab moves the focus to the cell once the mouse button is down.
  root.addEventListener("mousedown", (event) => event.stopPropagation());
  root.addEventListener("contextmenu", (event) => event.stopPropagation());
}

function fillSelect(select, options, value) {
  const known = JSON.stringify(options);
  if (select.dataset.known !== known) {
    select.dataset.known = known;
    select.replaceChildren();
    const groups = new Map();
    for (const option of options) {
      let parent = select;
      if (option.group) {
        if (!groups.has(option.group)) {
          const group = make("optgroup", "", select);
          group.label = option.group;
          groups.set(option.group, group);
        }
        parent = groups.get(option.group);
      }
      const node = make("option", "", parent, option.label);
      node.value = option.value;
    }
  }
  select.value = value;
}

function listen(model, signal, names, callback) {
  for (const name of names) model.on(`change:${name}`, callback);
  signal.addEventListener("abort", () => { for (const name of names) model.off(`change:${name}`, callback); });
}

function bytesOf(view) {
  return view && view.byteLength ? new Uint8Array(view.buffer, view.byteOffset, view.byteLength) : new Uint8Array(0);
}

// Followed by exactly one redraw, however many traits changed in one message.
function once(callback) {
  let waiting = false;
  return () => {
    if (waiting) return;
    waiting = true;
    queueMicrotask(() => { waiting = false; callback(); });
  };
}

// anywidget hands over a part of the model only; this is all of it.
async function wholeModel(model) {
  const id = model.get("_own_id");
  return id ? model.widget_manager.get_model(id) : null;
}

const GONE = "The kernel was restarted or is gone: run this cell again.";
const CUT = "No connection to the kernel: this view waits. If it does not come back, reload the page and run this cell again.";

// Calls back whenever the line to the kernel breaks or is there again; what is sent in between is lost.
async function onLine(model, signal, changed) {
  const kernel = (await wholeModel(model))?.widget_manager?.kernel;
  if (!kernel?.connectionStatusChanged || signal.aborted) return;
  const look = () => changed(kernel.connectionStatus === "connected");
  kernel.connectionStatusChanged.connect(look);
  signal.addEventListener("abort", () => kernel.connectionStatusChanged.disconnect(look));
  look();
}

// A view whose kernel cannot be reached shows its last state; it must not look as if it still worked.
async function lost(root, model, signal) {
  const note = make("div", "ms-note ms-warning ms-lost");
  note.setAttribute("role", "alert");
  note.hidden = true;
  root.prepend(note);
  const whole = await wholeModel(model);
  if (!whole || signal.aborted) return;
  let connected = true;
  const look = () => {
    const works = whole.comm_live && connected;
    note.textContent = whole.comm_live ? CUT : GONE;
    note.hidden = works;
    for (const part of root.children) if (part !== note) part.inert = !works;
    root.classList.toggle("ms-cut-off", !works);
  };
  model.on("comm_live_update", look);
  signal.addEventListener("abort", () => model.off("comm_live_update", look));
  onLine(model, signal, (on) => { connected = on; look(); });
  look();
}

// The kernel keeps a view up to date while it is shown somewhere.
let places = 0;
function present(model, signal) {
  const place = `${performance.timeOrigin}-${performance.now()}-${places++}`;
  model.send({ kind: "opened", place });
  signal.addEventListener("abort", async () => {
    if ((await wholeModel(model))?.comm_live) model.send({ kind: "shut", place });
  });
}

function isDark(node) {
  const parts = getComputedStyle(node).getPropertyValue("color").match(/[\d.]+/g)?.map(Number) ?? [0, 0, 0];
  return parts[0] + parts[1] + parts[2] > 384;
}
