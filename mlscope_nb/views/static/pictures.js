// A table of pictures: heads that are cells choose them, and pictures may take turns (steps of a walk).
function makePictures(host, table, picked) {
  make("div", "ms-title", host, table.title);
  const grid = make("table", "ms-pictures", host), top = make("tr", "", make("thead", "", grid));
  make("td", "", top);
  const heads = table.columns.map((head) => oneHead(make("th", "", top), head, "col", picked));
  const body = make("tbody", "", grid), images = [];
  table.rows.forEach((head, i) => {
    const line = make("tr", "", body);
    heads.push(oneHead(make("th", "", line), head, "row", picked));
    for (const turns of table.pictures[i]) {
      const image = make("img", "ms-picture", make("td", "", line));
      image.draggable = false;
      images.push({ image, turns });
    }
  });
  if (table.legend.length) diverging(make("div", "ms-row ms-diverging", host), table.legend);
  if (table.note) make("div", "ms-where", host, table.note);
  grid.addEventListener("keydown", (event) => alongHeads(event, heads.filter((head) => head.button)));

  function turn(step) {
    for (const { image, turns } of images) {
      const one = turns[Math.min(step, turns.length - 1)];
      image.src = one.src;
      image.alt = image.title = one.alt;
    }
  }
  function press(ids) {
    const chosen = new Set(ids);
    for (const { button, id } of heads) button?.setAttribute("aria-pressed", String(chosen.has(id)));
  }
  turn(0);
  return { turn, press };
}

function oneHead(parent, head, scope, picked) {
  parent.scope = scope;
  const button = head.cell_id && picked ? make("button", "ms-button ms-cell-head", parent, head.text) : null;
  if (button) {
    button.title = `Choose ${head.cell_id} in every view (shift: add or remove)`;
    button.addEventListener("click", (event) => picked(head.cell_id, event.shiftKey));
  } else {
    make("span", "", parent, head.text);
  }
  if (head.words) make("div", "ms-where", parent, head.words);
  return { button, id: head.cell_id };
}

function diverging(host, legend) {
  const bar = make("span", "ms-diverging-bar", host);
  bar.style.background = `linear-gradient(to right, ${legend.map((entry) => entry.colour).join(", ")})`;
  make("span", "", host, legend.map((entry) => entry.words).filter(Boolean).join(" · "));
}

// Arrow keys go from cell to cell.
function alongHeads(event, heads) {
  const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
  const at = heads.findIndex((head) => head.button === event.target);
  if (!step || at < 0) return;
  event.preventDefault();
  heads[at + step]?.button.focus();
}
