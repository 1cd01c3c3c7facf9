// The live panel: the page's picture to point at and to drive, what to do there, and the steps so far.
// It speaks with the kernel in messages (each an m) and keeps nothing. What a page says is set as text, never as markup.

const KEYS = /^(Enter|Escape|Backspace|Delete|Arrow(Up|Down|Left|Right)|Page(Up|Down)|Home|End| )$/;
const GIVEN_UP = 4000;  // milliseconds after which an answer will not come any more
const TWICE = 250, DRAGGED = 6;  // milliseconds in which two presses are one; pixels from which one is a drag

// A node with its properties, listeners (on...) and children; a text is always a text.
export function make(document, tag, properties = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name in node) node[name] = value;
    else node.setAttribute(name, value);
  }
  node.append(...children);
  return node;
}

// One question at a time: what is asked meanwhile waits, and only the last of it is asked.
export function latest(send, now = () => performance.now()) {
  let since = null, next = null;
  const go = (value) => { since = now(); send(value); };
  return {
    ask(value) { if (since === null || now() - since > GIVEN_UP) go(value); else next = value; },
    answered() { const value = next; next = null; since = null; if (value !== null) go(value); },
    forget() { next = null; },
  };
}

// A point of the picture as a point of the page, in CSS pixels; null beside it.
export function pagePoint(event, rectangle, size) {
  const x = (event.clientX - rectangle.left) / rectangle.width, y = (event.clientY - rectangle.top) / rectangle.height;
  return x < 0 || y < 0 || x >= 1 || y >= 1 || !(rectangle.width > 0) ? null : { x: Math.round(x * size.width * 10) / 10, y: Math.round(y * size.height * 10) / 10 };
}
export function place(box, size) {  // a box of the page on the picture, in per cent
  const part = (value, whole) => `${(100 * value / whole).toFixed(3)}%`;
  return { left: part(box.x, size.width), top: part(box.y, size.height), width: part(box.width, size.width), height: part(box.height, size.height) };
}

export function chord(event) {  // the keys of an event as %press takes them; null for what is none of ours
  const held = [["ctrlKey", "Control"], ["altKey", "Alt"], ["metaKey", "Meta"], ["shiftKey", "Shift"]].filter(([name]) => event[name]).map(([, name]) => name);
  const letter = event.key.length === 1 && /[a-rt-z]/i.test(event.key) && (event.ctrlKey || event.metaKey);
  if (!KEYS.test(event.key) && !letter) return null;
  return [...held, event.key === " " ? "Space" : letter ? event.key.toUpperCase() : event.key].join("+");
}

// The line of an offer with this locator, as it will be written; a password is never shown.
export function preview(offer, locator, given) {
  const tail = offer.asks === "password" ? "${…}" : offer.asks ? JSON.stringify(given || "…") : offer.tail;
  return `%${[offer.head, locator, tail].filter(Boolean).join(" ")}`;
}

// Whether the notebook's current cell is an empty one, to write into instead of below it.
export function emptyCell(document, root) {
  const notebook = root.closest(".jp-NotebookPanel") || document.querySelector(".jp-NotebookPanel:not(.lm-mod-hidden)");
  const cell = notebook?.querySelector(".jp-CodeCell.jp-mod-active");
  const text = cell?.querySelector(".cm-content");
  return Boolean(text) && [...text.querySelectorAll(".cm-line")].every((line) => line.textContent.trim() === "" || line.querySelector(".cm-placeholder"));
}

export function entry(document, step, choose = () => {}) {
  const item = make(document, "li", {});
  item.dataset.status = step.status;
  const parts = [
    make(document, "i", { title: step.status }, step.mark), make(document, "code", {}, step.source), make(document, "span", {}, step.took),
  ];
  if (step.error) parts.push(make(document, "small", {}, step.error));
  item.append(make(document, "button", { type: "button", title: "what happened", onclick: () => choose(step) }, ...parts));
  return item;
}

// What to choose from: each lights up what it means.
export function options(document, entries, light, take) {
  return make(document, "ul", { className: "jbp-elements" }, ...entries.map((one) => {
    const lit = () => light([one.box], one.text), h = (tag, text) => make(document, tag, {}, text);
    const offer = { type: "button", "aria-current": Boolean(one.here), onclick: () => take(one), onfocus: lit, onmouseenter: lit };
    return h("li", make(document, "button", offer, h("code", one.text), h("span", one.about)));
  }));
}

// What the mouse does: a press once no second one follows, two, the other button, or from here to there.
export function gestures(at, tell) {
  let begun = null, dragged = false, first = null, due = 0;
  const alone = () => { if (first) tell(first); first = null; };
  return {
    down(event) { begun = event.button ? null : event; dragged = false; },
    up(event) {
      dragged = Boolean(begun && at(event)) && Math.hypot(event.clientX - begun.clientX, event.clientY - begun.clientY) > DRAGGED;
      if (dragged) { alone(); tell({ ...at(begun), to: at(event) }); }
      begun = null;
    },
    press(event) {
      const point = at(event), twice = first && event.detail > 1;
      clearTimeout(due);
      if (!twice) alone();
      first = point && !twice && !dragged ? point : null;
      if (twice) tell({ ...point, how: "double" });
      else due = setTimeout(alone, TWICE);
    },
    other(event) {
      event.preventDefault();
      const point = (event.button || event.ctrlKey) && at(event);  // the keyboard's comes from nowhere
      if (point) tell({ ...point, how: "right" });
    },
  };
}

function render({ model, el }) {
  const document = el.ownerDocument;
  const h = (tag, properties, ...children) => make(document, tag, properties, ...children);
  const send = (m) => model.send(m);
  const button = (text, label, onclick, more = {}) => h("button", { type: "button", title: label, "aria-label": label, onclick, ...more }, text);
  const toggle = (label, title, checked, onchange = () => {}) => { const box = h("input", { type: "checkbox", checked, onchange }); return [box, h("label", { title }, box, label)]; };
  const size = { width: 1280, height: 800, x: 0, y: 0 };
  const urls = new Map();
  let mode = "point", picked = null, streaming = false, visible = true, chosen = null, stale = false, mine = false, again = 0, later = 0, born = 0;
  let source = "";  // what is to be dragged, once its target is pointed at

  // ---- the parts ----
  const ways = [["←", "back"], ["→", "forward"], ["↻", "reload"]].map(([sign, verb]) => button(sign, verb, () => act(verb)));
  const address = h("input", { type: "text", spellcheck: false, "aria-label": "address" });
  const go = h("form", { onsubmit: (event) => { event.preventDefault(); write({ do: "go", url: address.value }); } }, address);
  const places = Object.fromEntries([["tabs", "tab"], ["frames", "frame that steps run in"], ["screens", "viewport or device"]].map(([name, what]) =>
    [name, h("button", { type: "button", className: "jbp-place", title: `the ${what}; choose another`, hidden: true, onclick: () => send({ do: name }) })]));
  const stop = button("■ Stop", "stop the step that is running", () => halt(), { disabled: true, className: "jbp-stop" });
  const modes = [["point", "Point", "a press offers what to do there"], ["drive", "Drive", "a press presses the page"]].map(([name, text, title]) =>
    h("button", { type: "button", title, onclick: () => setMode(name) }, text));
  const [record, recordLabel] = toggle("Record", "write what you do on the picture into cells", true);
  const [run, runLabel] = toggle("Run", "run what is written at once", true);
  const [live, liveLabel] = toggle("Live", "show the page as it moves", false, () => setStream());
  const looks = [
    button("≡ Elements", "list what can be named on the page, to choose by keyboard", () => send({ do: "elements" })),
    button("⟳ Picture", "take a new picture", () => send({ do: "refresh" })),
    button("▲", "scroll up", () => scroll(-0.8)), button("▼", "scroll down", () => scroll(0.8)),
  ];
  const image = h("img", { alt: "", draggable: false });
  const lights = h("div", { className: "jbp-lights", "aria-hidden": "true" });
  const tip = h("div", { className: "jbp-tip", hidden: true });
  const fill = h("form", { className: "jbp-fill", hidden: true });
  const blank = h("p", { className: "jbp-empty" }, "No page yet: type an address above, or run %navigate in a cell.");
  const picture = h("div", { className: "jbp-picture", tabIndex: 0, role: "application", "aria-label": "the page; in Drive, keys go to it; Elements lists what is on it" }, image, lights, tip, blank);
  const choice = h("section", { className: "jbp-choice", "aria-label": "what to do with the element" });
  const expects = h("ul", { className: "jbp-expects" });
  const expected = h("section", { hidden: true, "aria-label": "expectations" }, h("h4", {}, "Expect what changed"), expects);
  const steps = h("ol", { "aria-label": "steps" });
  const details = h("section", { className: "jbp-details", hidden: true, "aria-label": "the step" });
  const test = h("h4", {}, "");
  const status = h("p", { className: "jbp-status", role: "status" });
  const stage = h("div", { className: "jbp-stage" }, picture, fill, status);
  const root = h("div", { className: "jbts-panel", tabIndex: -1, "data-lm-suppress-shortcuts": "true" },
    h("div", { className: "jbp-bar" }, ...ways, go, ...Object.values(places), stop, button("⇥", "move to the side bar", () => send({ do: "aside" }))),
    h("div", { className: "jbp-bar" }, h("span", { className: "jbp-modes", role: "group", "aria-label": "what a press does" }, ...modes), recordLabel, runLabel, liveLabel, ...looks),
    h("div", { className: "jbp-body" }, stage, h("div", { className: "jbp-side" }, choice, expected, h("section", {}, test, steps), details)));
  // The notebook would take presses and keys for its own: its current cell stays where the tester was.
  for (const name of ["mousedown", "click", "dblclick", "contextmenu", "focusin", "focusout", "keydown"]) root.addEventListener(name, (event) => event.stopPropagation());
  root.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && (mode === "point" || choice.contains(event.target))) choose(null);
    // the one shortcut of JupyterLab's that one would miss here
    if (!(event.ctrlKey || event.metaKey) || event.key !== "s") return;
    event.preventDefault();
    send({ do: "save" });
  });
  el.append(root);

  // ---- acting ----
  const here = () => emptyCell(document, root);
  const act = (line) => write({ do: "line", line });
  const say = (text, tone = "passed") => { status.textContent = text; status.dataset.tone = tone; };
  const scroll = (share) => send({ do: "line", line: `scroll ${size.x},${Math.max(0, Math.round(size.y + share * size.height))}` });  // a step scrolls by itself
  function setMode(name) {
    mode = name;
    modes.forEach((one, i) => one.setAttribute("aria-pressed", String((i === 0) === (name === "point"))));
    picture.dataset.mode = name;
    light([]);
    closeFill();
  }
  function setStream() {
    const wanted = live.checked && visible && !document.hidden;
    if (wanted !== streaming) send({ do: "stream", on: (streaming = wanted) });
  }
  function halt() {  // a kernel that does not hear it now is interrupted like by JupyterLab's own button
    send({ do: "stop" });
    setTimeout(() => { if (!stop.disabled) model.widget_manager?.kernel?.interrupt?.(); }, 1000);
  }
  function lookAgain(times = 6) {  // as often as the page moves on after a step, or is late
    again = times;
    stale = !visible || document.hidden;
    if (!stale) { pictureAnew.ask(true); send({ do: "suggest" }); }
  }
  function write(m) { mine = true; send({ here: here(), record: record.checked, run: run.checked, ...m }); }

  const drive = (where) => write({ do: "drive", ...where });
  function attend() { setStream(); if (stale) lookAgain(); }

  // ---- the picture ----
  const hover = latest((point) => send({ do: "hover", ...point }));
  const pictureAnew = latest(() => send({ do: "refresh" }));
  function paint(slot, buffer, type = "image/webp") {
    if (urls.has(slot)) URL.revokeObjectURL(urls.get(slot));
    const made = URL.createObjectURL(new Blob([buffer], { type }));
    urls.set(slot, made);
    return made;
  }
  function showPicture(buffer, type) {
    image.src = paint("page", buffer, type);
    blank.hidden = true;
  }
  function light(wanted, words = "") {
    const boxes = wanted.filter(Boolean);
    lights.replaceChildren(...boxes.map((box) => { const one = h("i", {}); Object.assign(one.style, place(box, size)); return one; }));
    tip.hidden = !words || !boxes[0];
    tip.textContent = words;
    if (!tip.hidden) Object.assign(tip.style, { left: `min(${place(boxes[0], size).left}, 60%)`, top: `${Math.min(94, 100 * (boxes[0].y + boxes[0].height) / size.height)}%` });
  }
  const at = (event) => pagePoint(event, picture.getBoundingClientRect(), size);
  picture.addEventListener("pointermove", (event) => { const point = at(event); if (point && !blank.checkVisibility?.() && fill.hidden) hover.ask(point); });
  picture.addEventListener("pointerleave", () => { hover.forget(); light([picked?.box]); });
  const hand = gestures(at, drive), drives = () => mode === "drive" && !source;
  picture.addEventListener("pointerdown", hand.down);
  picture.addEventListener("pointerup", (event) => { if (drives()) hand.up(event); });
  picture.addEventListener("contextmenu", (event) => { if (drives()) hand.other(event); });
  picture.addEventListener("click", (event) => {
    const point = at(event);
    picture.focus({ preventScroll: true });
    hover.forget();
    if (drives()) hand.press(event);
    else if (point) send({ do: "pick", ...point });
  });
  picture.addEventListener("keydown", (event) => {
    const driven = mode === "drive" && fill.hidden, keys = driven ? chord(event) : null;
    const typed = driven && event.key.length === 1 && !event.ctrlKey && !event.metaKey && !event.altKey ? event.key : "";
    if (!keys && !typed) return;
    event.preventDefault();
    if (keys) write({ do: "write", head: `press ${keys}`, run: true });
    else drive({ locator: ":focus", typed });  // the field that has the page's focus opens to be typed into
  });
  let turned = 0, timer = 0;
  picture.addEventListener("wheel", (event) => {
    if (mode !== "drive") return;
    event.preventDefault();
    turned += event.deltaY;
    clearTimeout(timer);
    timer = setTimeout(() => { scroll(turned / size.height); turned = 0; }, 150);
  }, { passive: false });

  // ---- what is to be put in ----
  function asking(asks, options, value = "") {
    if (asks === "option") return h("select", { "aria-label": "option" }, ...options.map((text) => h("option", { value: text, selected: text === value }, text)));
    const label = { text: "text", password: "password, kept as a secret", file: "file name" }[asks];
    return h("input", { type: asks === "password" ? "password" : "text", "aria-label": label, placeholder: label, autocomplete: "off", spellcheck: false, value });
  }
  function closeFill() { fill.hidden = true; fill.replaceChildren(); }
  function openFill(m) {
    const input = asking(m.asks, m.options || [], (m.value || "") + (m.typed || ""));
    let done = false;
    const put = (enter) => {
      if (done) return;
      done = true;
      closeFill();
      write({ do: "write", head: m.head, locator: m.locator, asks: m.asks, name: m.name, given: input.value, enter, run: true });
    };
    const enters = m.asks === "text" || m.asks === "password";
    fill.onsubmit = (event) => { event.preventDefault(); put(false); };
    input.addEventListener("keydown", (event) => {
      event.stopPropagation();
      if (event.key === "Escape") { done = true; closeFill(); picture.focus(); }
      if (event.key === "Enter" && enters && !event.isComposing) { event.preventDefault(); put(true); }
    });
    fill.replaceChildren(input, h("button", { type: "submit", title: "put it in" }, "✓"));
    if (enters) fill.append(button("⏎", "put it in and press Enter", () => put(true)));
    Object.assign(fill.style, { left: `min(${place(m.box, size).left}, 50%)`, top: `min(${place(m.box, size).top}, 90%)` });
    fill.hidden = false;
    input.focus({ preventScroll: true });
    light([m.box]);
  }
  function choose(m) {  // an element was pointed at: its locators, and what can be done with it
    const from = source;
    source = "";
    if (from && m?.locators.length) {
      write({ do: "write", head: "drag", locator: from, asks: "target", given: m.locators[0].locator, record: true });
      m = null;
    }
    picked = m;
    choice.replaceChildren();
    light([m?.box]);
    if (!m) return;
    let locator = m.locators[0]?.locator ?? "";
    const line = h("code", { className: "jbp-line" });
    const asked = h("form", { className: "jbp-asked", hidden: true });
    let offer = m.offers[0], input = null;
    const draw = () => { line.textContent = offer ? preview(offer, locator, input?.value) : ""; };
    const think = (one) => { if (!input) { offer = one; draw(); } };
    const put = () => { write({ do: "write", head: offer.head, tail: offer.tail, asks: offer.asks, name: m.name, locator, given: input?.value ?? "", record: true }); };
    const take = (one) => {
      if (one.asks === "target") {
        choose(null);
        source = locator;
        say("and where to? Press it on the picture, or choose it from the list", "running");
        send({ do: "elements", onto: true });
        return;
      }
      offer = one;
      input = null;
      asked.hidden = !one.asks;
      asked.replaceChildren();
      if (one.asks) {
        input = asking(one.asks, m.options || []);
        input.addEventListener("input", draw);
        asked.append(input, h("button", { type: "submit" }, "Write"));
        input.focus({ preventScroll: true });
      } else put();
      draw();
    };
    asked.addEventListener("submit", (event) => { event.preventDefault(); put(); });
    const group = `jbts-${Math.random().toString(36).slice(2)}`;
    const locators = h("ul", {}, ...m.locators.map((one, i) => h("li", {}, h("label", {},
      h("input", { type: "radio", name: group, checked: i === 0, onchange: () => { locator = one.locator; draw(); } }),
      h("code", {}, one.locator), h("span", { className: one.count === 1 ? "" : "jbp-many" }, one.count === 1 ? "1 match" : `${one.count} matches`)))));
    choice.append(h("h4", {}, m.text), h("div", { className: "jbp-offers", role: "group", "aria-label": "do" },
      ...m.offers.map((one) => h("button", { type: "button", onclick: () => take(one), onmouseenter: () => think(one), onfocus: () => think(one) }, one.label))), asked, line, locators);
    draw();
  }
  function list({ title, entries }) {
    const take = ({ ask }) => { if (ask.do === "pick") send(ask); else { choose(null); write(ask); } };
    picked = null;
    choice.replaceChildren(h("h4", {}, title), options(document, entries, light, take));
    choice.querySelector("button")?.focus({ preventScroll: true });
  }

  // ---- the steps ----
  const items = new Map();
  function addStep(step) {
    const item = entry(document, step, (one) => { chosen = one.id; send({ do: "details", id: one.id }); });
    items.get(step.id)?.remove();
    items.set(step.id, item);
    steps.append(item);
    while (steps.children.length > 200) steps.firstChild.remove();
    steps.scrollTop = steps.scrollHeight;
  }
  function thumbnail(id, buffer) {
    const item = items.get(id);
    if (item) item.firstChild.prepend(h("img", { alt: "", src: paint(id, buffer) }));
  }
  function running(source) {
    stop.disabled = !source;
    root.dataset.running = source ? "yes" : "";
    if (source) say(`running ${source}`, "running");
  }
  function showDetails(m, buffers) {
    details.hidden = false;
    details.replaceChildren(
      h("h4", {}, h("code", {}, m.source), button("×", "close", () => { details.hidden = true; chosen = null; })),
      ...m.about.map((text) => h("p", {}, text)), h("p", { className: "jbp-why" }, m.error),
      h("div", { className: "jbp-shots" }, ...m.pictures.map((name, i) => h("figure", {}, h("img", { alt: `the page ${name} the step`, src: paint(`details-${name}`, buffers[i]) }), h("figcaption", {}, name)))),
      button("↻ Run again from here", "bring the page back to before this step; run it and those after it", () => send({ do: "again", ordinal: m.ordinal })),
      ...m.rows.flatMap(([title, lines]) => [h("h5", {}, title), h("ul", {}, ...lines.map((text) => h("li", {}, text)))]));
    details.scrollIntoView({ block: "nearest" });
  }
  function showExpectations({ lines }) {
    expected.hidden = lines.length === 0;
    expects.replaceChildren(...lines.map((line) => { const item = h("li", {}, h("code", {}, line)); item.prepend(button("+", `write ${line}`, () => { write({ do: "expect", line, record: true }); item.remove(); expected.hidden = !expects.children.length; })); return item; }));
  }

  // ---- what the kernel says ----
  const HEARD = {
    state(m) {
      steps.replaceChildren();
      items.clear();
      m.steps.forEach(addStep);
      test.textContent = m.test || "no test is open";
      running(m.running);
      lookAgain();
    },
    thumbnail: (m, buffers) => thumbnail(m.id, buffers[0]),
    begin: (m) => running(m.source),
    step(m, buffers) {
      if (m.test !== test.textContent) { steps.replaceChildren(); items.clear(); test.textContent = m.test; }
      addStep(m.step);
      if (buffers[0]) { thumbnail(m.step.id, buffers[0]); showPicture(buffers[0]); }
      running("");
      light([m.step.box]);
      say(`${m.step.mark} ${m.step.source} ${m.step.took} ${m.step.error}`, m.step.status);
      if (picked) choose(null);
      if (mine) root.scrollIntoView({ block: "nearest" });  // the notebook has gone to the cell that was written
      if (mine && mode === "drive" && fill.hidden) picture.focus({ preventScroll: true });
      mine = false;
      lookAgain();
    },
    picture(m, buffers) {
      pictureAnew.answered();
      clearTimeout(later);
      if (again > 0 && (m.late || (m.moved && !streaming))) later = setTimeout(() => lookAgain(again - 1), 700 * (7 - again));
      if (m.none) return;
      if (m.born !== born || (m.url !== address.value && !picked)) light([]);  // what was outlined is not in this picture
      if (picked && m.born !== born) picked.box = null;
      born = m.born;
      if (m.width) { size.width = m.width; size.height = m.height; size.x = m.x; size.y = m.y; picture.style.aspectRatio = `${m.width} / ${m.height}`; }
      if (buffers[0]) showPicture(buffers[0]);
      image.alt = `the page: ${m.title}`;
      if (document.activeElement !== address) address.value = m.url;
      if (m.dialog) askDialog(m.dialog);
    },
    hover(m) {
      hover.answered();
      if (!fill.hidden) return;
      if (m.born && m.born !== born) pictureAnew.ask(true);
      else if (m.state === "ready") light([m.box], m.locators[0]?.locator ?? m.text);
      else if (m.state === "nothing") light([picked?.box]);
    },
    pick: choose,
    list,
    fill: openFill,
    lit: (m) => light(m.boxes),
    details: (m, buffers) => { if (m.id === chosen) showDetails(m, buffers); },
    suggest: showExpectations,
    places(m) { for (const [name, one] of Object.entries(places)) { one.textContent = m[name]; one.hidden = !m[name]; } },
    note: (m) => say(m.text, m.tone),
    stream(m) { live.checked = streaming = m.on; },
    frame(m, buffers) { showPicture(buffers[0], "image/jpeg"); requestAnimationFrame(() => send({ do: "taken" })); },
    wrote(m) {
      if (m.written) { say(`wrote ${m.line}`); return; }
      say(m.line);
      status.append(" ", button("Copy", "copy the line; this place cannot write cells", () => navigator.clipboard.writeText(m.line)));
    },
  };
  function askDialog(text) {
    say(text, "skipped");
    status.append(" ", button("Accept", "accept the dialog", () => act("dialog accept")), " ", button("Dismiss", "dismiss the dialog", () => act("dialog dismiss")));
  }
  const heard = (m, buffers) => HEARD[m.is]?.(m, buffers || []);
  const gone = () => { running(""); say("the kernel of this panel has gone; run %workbench again", "error"); };
  model.on("msg:custom", heard);
  model.on("comm_live_update", gone);
  const seen = typeof IntersectionObserver === "undefined" ? null : new IntersectionObserver(([one]) => { visible = one.isIntersecting; attend(); });
  seen?.observe(root);
  document.addEventListener("visibilitychange", attend);
  setMode("point");
  requestAnimationFrame(() => send({ do: "hello" }));
  return () => {
    clearTimeout(later);
    model.off("msg:custom", heard);
    model.off("comm_live_update", gone);
    seen?.disconnect();
    document.removeEventListener("visibilitychange", attend);
    if (streaming) send({ do: "stream", on: false });
    for (const made of urls.values()) URL.revokeObjectURL(made);
  };
}

export default { render };
