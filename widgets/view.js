// A view that the kernel draws. HTML comes from the one place that escapes what pages say; what is pressed here goes
// back as a message. Nothing is synced state, so nothing of a page is saved with the notebook.

export const KEPT = 200;

// What a press says: the data of its element, and the value of one that has one.
export function message(target) {
  const { key, lmSuppressShortcuts, ...said } = target.dataset;
  return target.localName === "button" ? said : { ...said, value: target.value };
}

// Lines that come while somebody looks closely wait until they look away; the oldest go.
export function queue(put, count) {
  let waiting = [], held = false;
  const flush = () => { if (!held && waiting.length) put(waiting.splice(0)); count(waiting.length); };
  return {
    add(lines) { waiting = waiting.concat(lines).slice(-KEPT); flush(); },
    hold(on) { held = on; flush(); },
  };
}

function render({ model, el }) {
  const document = el.ownerDocument;
  const root = Object.assign(document.createElement("div"), { className: "jbts-live", tabIndex: -1 });
  const find = (name, value) => root.querySelector(`[data-${name}="${CSS.escape(value)}"]`);
  const say = (target) => model.send(message(target));

  // A part is drawn anew without taking the focus from who uses the keyboard.
  function show({ part, html }) {
    const key = root.contains(document.activeElement) && document.activeElement.dataset.key;
    const place = part ? find("part", part) : root;
    if (!place) return;
    place.innerHTML = html;
    // JupyterLab would take Enter and the arrow keys for its own; it asks the element that has the focus.
    for (const one of place.querySelectorAll("button, input, [tabindex]")) one.dataset.lmSuppressShortcuts = "true";
    if (key) find("key", key)?.focus({ preventScroll: true });
  }
  const lines = queue((rows) => {
    const list = find("part", "lines");
    if (!list) return;
    for (const [id, html] of rows) {
      find("line", id)?.remove();  // what is over takes the place of what ran
      list.insertAdjacentHTML("afterbegin", html);
    }
    while (list.children.length > KEPT) list.lastElementChild.remove();
  }, (waiting) => {
    const told = find("part", "held");
    if (told) told.textContent = waiting ? `${waiting} more wait while you look` : "";
  });

  let due = 0;
  root.addEventListener("click", (event) => {
    const button = event.target.closest("button[data-do]");
    if (button && button.getAttribute("aria-disabled") !== "true") say(button);
  });
  root.addEventListener("input", ({ target }) => {
    if (target.type === "range") target.parentElement.style.setProperty("--at", `${target.value}%`);
    else if (target.dataset.do) {
      clearTimeout(due);
      due = setTimeout(say, target.type === "search" ? 150 : 0, target);
    }
  });
  const hold = (on) => (event) => { if (event.target.closest("[data-part=lines]")) lines.hold(on); };
  root.addEventListener("mouseover", hold(true));
  root.addEventListener("mouseout", hold(false));
  root.addEventListener("focusin", hold(true));
  root.addEventListener("focusout", hold(false));
  // The notebook would take presses for its own, and the focus with each key.
  for (const name of ["mousedown", "click", "focusin", "keydown"]) root.addEventListener(name, (event) => event.stopPropagation());

  model.on("msg:custom", (told) => { if (told.is === "lines") lines.add(told.lines); else if (told.is === "show") show(told); });
  el.append(root);
  model.send({ do: "hello" });
  return () => clearTimeout(due);
}

export default { render };
