// What lies in a folder, a form to correct it, and the line of code that reads it. Everything is computed by the kernel.
function drawFolder({ model, el, signal: given }) {
  const ending = new AbortController(), { signal } = ending;
  given?.addEventListener("abort", () => ending.abort());
  const root = make("div", "mlscope ms-folder", el);
  ownKeys(root);
  const title = make("div", "ms-title", root), others = make("label", "ms-choice", root);
  make("span", "", others, "Also here:");
  const which = make("select", "", others);
  which.setAttribute("aria-label", "What to read");
  const body = make("div", "ms-folder-body", root), left = make("div", "", body), right = make("div", "", body);
  const facts = make("table", "ms-facts", left), pictures = make("div", "", left), plates = make("div", "ms-plates", left);
  const form = make("div", "", right);
  const problems = make("div", "ms-note ms-warning ms-folder-problems", root);
  problems.tabIndex = 0;
  problems.dataset.lmSuppressShortcuts = "true";
  const line = make("div", "ms-row ms-line", root), code = make("code", "ms-code", line), copy = make("button", "ms-button", line, "Copy");
  const foot = make("div", "ms-row", root), read = make("button", "ms-button ms-main", foot, "Read");
  const said = make("div", "ms-note ms-folder-said", root), error = make("div", "ms-note ms-warning ms-folder-said", root);
  said.setAttribute("role", "status");
  error.setAttribute("role", "alert");

  function ask(message, words) {
    root.dataset.busy = "true";
    said.hidden = false;
    said.classList.add("ms-busy");
    said.textContent = words;
    model.send(message);
  }

  function table() {
    facts.replaceChildren();
    for (const [name, text] of model.get("_data").facts) {
      const row = make("tr", "", facts);
      make("th", "", row, name).scope = "row";
      make("td", "", row, text);
    }
  }

  function picture(data) {
    pictures.replaceChildren();
    if (!data.pictures.length) return;
    make("div", "ms-folder-part", pictures, "A few of them");
    const host = make("div", "ms-folder-pictures", pictures);
    for (const { src, words } of data.pictures) {
      const figure = make("figure", "", host), image = make("img", "", figure);
      image.src = src;
      image.alt = image.title = words;
      make("figcaption", "", figure, words).title = words;
    }
    chips(make("div", "ms-row ms-small", pictures), data.legend);
  }

  function chips(host, entries) {
    for (const { name, colour } of entries) {
      const chip = make("span", "ms-chip", host);
      make("i", "", chip).style.background = colour;
      make("span", "", chip, name);
    }
  }

  function wells(plate) {
    const host = make("div", "", plates);
    make("div", "ms-small", host, plate.name || "Wells");
    const grid = make("table", "ms-wells", host);
    // Large plates share the room that there is; small ones take what they need.
    host.style.flex = `0 1 ${24 * (plate.columns + 1)}px`;
    const top = make("tr", "", grid);
    make("td", "", top).style.border = "0";
    for (let i = 1; i <= plate.columns; i++) make("th", "", top, String(i)).scope = "col";
    plate.wells.forEach((row, i) => {
      const one = make("tr", "", grid);
      make("th", "", one, plate.rows[i]).scope = "row";
      for (const well of row) {
        const cell = make("td", "", one, well.text);
        cell.style.background = well.colour;
        cell.style.color = well.ink;
        cell.title = well.words;
      }
    });
  }

  function part(words) {
    make("div", "ms-folder-part", form, words);
    return make("div", "ms-folder-form", form);
  }

  function row(host, title, hint, field, name, changed) {
    make("span", "", host, title);
    host.append(field);
    field.setAttribute("aria-label", title);
    field.dataset.name = name;
    if (hint) make("div", "ms-small", host, hint);
    field.addEventListener("change", changed, { signal });
  }

  function fill(data) {
    const had = root.contains(document.activeElement) ? document.activeElement.dataset?.name : null;
    form.replaceChildren();
    if (data.channels.length) {
      const host = part("Channels"), fields = [];
      data.channels.forEach(({ key, name }, i) => {
        const field = make("input", "", null);
        field.value = name;
        fields.push(field);
        row(host, key, "", field, `channel ${i}`, () => ask({ kind: "change", name: "channels", value: fields.map((f) => f.value) }, "Looking …"));
      });
    }
    if (data.form.length) {
      const host = part("How to read it");
      for (const one of data.form) {
        const field = make(one.kind === "menu" ? "select" : "input", "", null);
        if (one.kind === "menu") fillSelect(field, one.options, one.value);
        else Object.assign(field, { value: one.value, placeholder: one.placeholder ?? "" });
        row(host, one.title, one.hint, field, one.name, () => ask({ kind: "change", name: one.name, value: field.value }, "Looking …"));
      }
    }
    // The form was made anew: whoever came by the keyboard stays where they were.
    if (had) [...form.querySelectorAll("input, select")].find((field) => field.dataset.name === had)?.focus();
  }

  function refresh() {
    const data = model.get("_data");
    title.textContent = data.path;
    others.hidden = !data.others.length;
    fillSelect(which, data.others.map((label, i) => ({ value: String(i), label })), String(data.at));
    table();
    picture(data);
    plates.replaceChildren();
    data.plates.plates.forEach(wells);
    if (data.plates.plates.length) {
      const key = make("div", "ms-row ms-small ms-plates-key", plates);
      chips(key, data.plates.legend);
      make("span", "ms-where", key, data.plates.note);
    }
    fill(data);
    problems.replaceChildren();
    problems.hidden = !(data.problems.length || data.needs.length);
    const list = make("ul", "", problems);
    for (const text of [...data.needs.map((t) => `Choose first: ${t}`), ...data.problems]) make("li", "", list, text);
    code.textContent = data.code;
    read.disabled = !data.can_read;
    said.classList.remove("ms-busy");
    said.hidden = !data.says;
    said.textContent = data.says;
    error.hidden = !data.error;
    error.textContent = data.error;
    root.dataset.busy = "false";
    root.dataset.turn = String(data.turn);
  }

  async function take() {
    try {
      await navigator.clipboard.writeText(code.textContent);
      copy.textContent = "Copied";
    } catch {
      // Without the right to write, the line is marked, ready for the keys of the browser.
      getSelection().selectAllChildren(code);
      copy.textContent = "Marked: press Ctrl+C";
    }
    setTimeout(() => { copy.textContent = "Copy"; }, 2500);
  }

  copy.addEventListener("click", take, { signal });
  read.addEventListener("click", () => ask({ kind: "read" }, "Reading …"), { signal });
  which.addEventListener("change", () => ask({ kind: "choose", number: Number(which.value) }, "Looking …"), { signal });
  listen(model, signal, ["_data"], once(refresh));
  lost(root, model, signal);
  refresh();
  return () => ending.abort();
}

export default { render: drawFolder };
