// One look at a page: every rule, then what the other layers want to know of it.
async function look() {
  const empty = blank();
  if (!empty) {
    const all = [...blocks(), ...blocks(textsIn(framed(), 1000))];
    clippedText(); spillingText(); overlaps(); tightLines(); hiddenText(); offScreen(); overflow(); covered();
    lostContent(); tinyText(); underBars(); emptyParts(); unsendable(); namedTwice(); headingLevels(); missingGlyphs();
    await pictures();
    errorTexts(all); errorAnswer(all); stackTraces(); encodings(all); unfilled(all); unfilledParts(); impossibleValues(); sameRecords(); markdown(all);
    for (const [el, why] of busyElements()) report("spinner", el, `something is still loading: ${named(words(el) || !el.parentElement ? el : el.parentElement)}`, why);
  }
  const inside = (f) => !args.el || within(args.el, f.el) || within(f.el, args.el) && f.rule !== "blank";
  const entry = performance.getEntriesByType("navigation")[0];
  return {
    findings: found.map(inFrame).filter(inside).map((f) => ({ rule: f.rule, message: f.message, evidence: f.evidence, locator: locate(f.el), box: boxOf(f.rect) })),
    status: entry && entry.responseStatus ? entry.responseStatus : null,
    broken: every("img").filter((i) => i.complete && i.naturalWidth === 0).map((i) => i.currentSrc || i.src).filter(Boolean).slice(0, 100),
    canvases: every("canvas").filter((c) => drawn(c) && rectOf(c).width >= 60 && rectOf(c).height >= 16 && inside({ el: c })).map((c) => ({ locator: locate(c), box: boxOf(rectOf(c)) })),
    ...facts(),
  };
}
function read() {  // the rules for words, over lines that were read in a picture
  const home = document.createElement("div");
  const all = args.lines.map((line) => {
    const el = home.appendChild(document.createElement("p"));
    el.textContent = line;
    return { el, text: fold(line), pieces: [{ node: el.firstChild, el, text: fold(line), rects: [] }] };
  });
  errorTexts(all); encodings(all); unfilled(all);
  return { findings: found.map((f) => ({ rule: f.rule, message: f.message, line: [...home.children].indexOf(f.el) })) };
}
function inFrame(f) {  // what stands in a frame is told of the frame, where it is drawn
  const frame = f.el.ownerDocument !== document && f.el.ownerDocument.defaultView && f.el.ownerDocument.defaultView.frameElement;
  if (!frame) return f;
  const [r, dx, dy] = [f.rect, rectOf(frame).left + frame.clientLeft, rectOf(frame).top + frame.clientTop];
  return { ...f, el: frame, rect: { left: r.left + dx, right: r.right + dx, top: r.top + dy, bottom: r.bottom + dy } };
}
function facts() {
  return {
    url: location.href, title: clip(document.title, 300), began: performance.timeOrigin / 1000, scale: devicePixelRatio,
    width: innerWidth, height: innerHeight, scrollX: root.scrollLeft, scrollY: root.scrollTop, pageWidth: root.scrollWidth, pageHeight: root.scrollHeight,
    empty: !document.body || !texts().length,
  };
}
function outline() {  // the page's texts and things, to hold an answer against and to tell a model what is there
  const items = [];
  const add = (el, text, rect) => items.push({ text: clip(text, 200), tag: el.localName, locator: "", box: boxOf(rect || rectOf(el)), el });
  for (const b of blocks()) add(b.el, b.text, unite(b.pieces.flatMap((p) => p.rects)));
  for (const el of every("img,input:not([type=hidden]),select,textarea,canvas,video")) if (drawn(el) && rectOf(el).width > 2) add(el, el.alt || (el.labels && el.labels[0] ? fold(el.labels[0].textContent) : "") || el.placeholder || el.getAttribute("aria-label") || "");
  const skip = args.skip || [];
  const masked = (b) => skip.some((s) => b.x < s.x + s.width && s.x < b.x + b.width && b.y < s.y + s.height && s.y < b.y + b.height);
  const kept = items.filter((i) => (!args.el || within(args.el, i.el)) && !masked(i.box)).slice(0, 600);
  const said = blocks().filter((b) => (!args.el || within(args.el, b.el)) && !masked(boxOf(unite(b.pieces.flatMap((p) => p.rects)))));
  for (const item of kept) { item.locator = locate(item.el); delete item.el; }
  return { items: kept, text: clip(said.map((b) => b.text).join("\n"), 40000), ...facts() };
}
const nameOf = (el) => fold(el.getAttribute("aria-label") || (el.labels && el.labels[0] ? el.labels[0].textContent : "") || el.placeholder || words(el));
const INPUTS = { checkbox: "checkbox", radio: "radio", submit: "button", button: "button", reset: "button", image: "button", range: "slider", number: "spinbutton", search: "searchbox" };
const ROLES = { a: "link", button: "button", select: "combobox", textarea: "textbox", summary: "button", h1: "heading", h2: "heading", h3: "heading", output: "status" };
const roleOf = (el) => el.getAttribute("role") || (el.localName === "input" ? INPUTS[el.type] || "textbox" : ROLES[el.localName] || "");
function marks() {  // the things a test can act on or look at, each with a locator that means it alone
  const items = [];
  for (const el of [...every(CONTROLS), ...every("h1,h2,h3,[role=alert],[role=status],output,[data-testid]")]) {
    if (items.length >= 150 || items.some((i) => i.el === el) || !drawn(el) || forReaders(el)) continue;
    items.push({ el, locator: locate(el), tag: el.localName, type: el.getAttribute("type") || "", role: roleOf(el), name: clip(nameOf(el), 100), text: clip(words(el), 100),
      required: Boolean(el.required), href: el.localName === "a" ? el.href : "", options: el.localName === "select" ? [...el.options].slice(0, 12).map((o) => clip(fold(o.label), 40)) : [], form: el.form ? locate(el.form) : "", disabled: el.matches(":disabled"), box: boxOf(rectOf(el)) });
  }
  for (const item of items) delete item.el;
  return { marks: items, ...facts() };
}
function around() {  // the markup near a point of the page, without what a person cannot see
  const home = (args.el && args.el.isConnected && (args.el.closest("form,section,article,main,dialog") || args.el.parentElement)) || document.body;
  const copy = home.cloneNode(true);
  for (const e of copy.querySelectorAll("script,style,svg,noscript,template,iframe")) e.remove();
  for (const e of copy.querySelectorAll("input")) e.removeAttribute("value");
  return { html: clip(copy.outerHTML.replace(/\s+/g, " "), args.limit || 6000), ...facts() };
}
// A text caret blinks: without it two pictures of one page are the same to the last pixel.
function caret() {
  const el = document.activeElement;
  if (!el || !el.style || el === document.body) return {};
  if (args.hide) { el.dataset.jbtsCaret = el.style.caretColor || " "; el.style.caretColor = "transparent"; }
  else if (el.dataset.jbtsCaret !== undefined) { el.style.caretColor = el.dataset.jbtsCaret.trim(); delete el.dataset.jbtsCaret; if (!el.getAttribute("style")) el.removeAttribute("style"); }
  return {};
}
const COMMANDS = { settle, look, read, outline, marks, around, caret, facts };
Promise.resolve().then(() => COMMANDS[command]()).then(done, (error) => done({ failed: `${error.message}`, trace: error.stack }));
