// Memory in use, and the notebooks that are running: the page asks its own Jupyter server, nobody else.
function server() {
  const node = document.getElementById("jupyter-config-data");
  let config;
  try { config = JSON.parse(node.textContent); } catch { return null; }
  if (typeof config?.baseUrl !== "string") return null;
  const base = new URL(config.baseUrl, location.href), headers = {};
  if (base.origin !== location.origin) return null;
  const cookie = /(?:^|; )_xsrf=([^;]*)/.exec(document.cookie);
  if (cookie) headers["X-XSRFToken"] = cookie[1];
  if (config.token) headers.Authorization = `token ${config.token}`;
  return async (method, path) => {
    const answer = await fetch(new URL(path, base), { method, headers, credentials: "same-origin" });
    if (!answer.ok) throw new Error(`${answer.status}`);
    return answer.status === 204 ? null : answer.json();
  };
}

const gigabytes = (mb) => (mb === undefined ? "" : `${(mb / 1000).toFixed(1)} GB`);
const nameOf = (session) => String(session.path || session.name || "a console").split("/").pop();

function render({ model, el, signal: given }) {
  const ending = new AbortController(), signal = ending.signal;
  given?.addEventListener("abort", () => ending.abort());
  const root = make("div", "mlscope ms-running", el), ask = server(), state = model.get("_data").ending;
  ownKeys(root);
  const memory = make("div", "ms-summary", root), table = make("table", "ms-running-list", root);
  const says = make("div", "ms-note", root);
  says.setAttribute("role", "status");
  memory.hidden = state;

  function say(text) { says.textContent = text; says.hidden = !text; }
  async function shutDown(session, button) {
    button.disabled = true;
    try {
      await ask("DELETE", `api/sessions/${encodeURIComponent(session.id)}`);
      say(`'${nameOf(session)}' is shut down. Its labels and answers are kept.`);
    } catch (error) {
      say(`'${nameOf(session)}' could not be shut down (${error.message}). Use the menu: Kernel → Shut Down Kernel.`);
    }
    if (session.kernel?.id !== model.get("_data").own) { model.send({ kind: "measure" }); await list(); }
  }
  function row(session, words) {
    const line = make("tr", "", table), data = model.get("_data");
    make("th", "", line, nameOf(session)).scope = "row";
    make("td", "", line, gigabytes(data.kernels[session.kernel?.id]));
    const button = make("button", "ms-button", make("td", "", line), words);
    button.addEventListener("click", () => shutDown(session, button));
  }
  async function list() {
    const data = model.get("_data");
    let sessions = [];
    try { sessions = ask ? await ask("GET", "api/sessions") : []; } catch { sessions = null; }
    if (signal.aborted) return;
    table.replaceChildren();
    const own = sessions?.find((s) => s.kernel?.id === data.own), others = sessions?.filter((s) => s !== own) ?? [];
    if (state) {
      if (own) row(own, "Shut this notebook down");
      else say("Shut this notebook down in the menu: Kernel → Shut Down Kernel.");
      root.dataset.ready = "true";
      return;
    }
    for (const session of others) row(session, "Shut down");
    if (!sessions || !ask) say("Which other notebooks are running can be seen in the list of running kernels, at the left edge.");
    root.dataset.ready = "true";
  }
  function measured() {
    const data = model.get("_data");
    memory.textContent = `Memory: ${data.used.toFixed(1)} of ${data.limit.toFixed(1)} GB in use`;
    memory.classList.toggle("ms-warning", data.full);
    if (data.full && !state) say("Little memory is left. Shut down the notebooks that you do not need now.");
  }
  say("");
  measured();
  list();
  listen(model, signal, ["_data"], once(() => { measured(); list(); }));
  return () => ending.abort();
}

export default { render };
