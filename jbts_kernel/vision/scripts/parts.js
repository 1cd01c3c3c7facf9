// What is wrong with parts of a page as wholes: squeezed to nothing, lost behind an edge or a bar, empty, named twice,
// drawn in a font that is not there, or a form that cannot be sent.
const HEADING = "h1,h2,h3,h4,h5,h6,[role=heading]";
const DISCLOSED = "[class*=accordion i],[class*=collaps i],[class*=dropdown i],[class*=drawer i],[class*=menu i],[class*=modal i],[class*=popover i],[class*=tooltip i],[class*=toast i],[class*=hidden i],[class*=closed i],[class*=fold i],[class*=sr-only i],[role=tabpanel],[role=region][aria-labelledby],[popover],dialog,nav,details";
function opensLater(el) {  // a part that something else opens, or that is on its way
  const s = styleOf(el);
  if (el.matches(DISCLOSED) || moving(el) || s.maxHeight === "0px" || s.maxWidth === "0px" || parseFloat(s.transitionDuration) > 0 || /^(absolute|fixed)$/.test(s.position)) return true;
  if (el.id && document.querySelector(`[aria-controls~="${CSS.escape(el.id)}"],[for="${CSS.escape(el.id)}"],[data-bs-target="#${CSS.escape(el.id)}"],[href="#${CSS.escape(el.id)}"]`)) return true;
  const before = el.previousElementSibling;
  return Boolean(before && (before.matches("button,summary,label,input,[role=button],[aria-expanded]") || before.querySelector("button,summary,[role=button],[aria-expanded]")));
}
function lostContent() {
  for (const el of [...document.body.querySelectorAll("*")].slice(0, MOST_ELEMENTS)) {  // a box without height around what should be read
    if (el.clientHeight > 2 || !el.firstElementChild || el.scrollHeight < 20) continue;
    const s = styleOf(el), r = rectOf(el);
    if (!clips(s, "y") || INLINE.test(s.display) || r.width < 100 || !drawn(el) || matchesUp(el, HIDDEN_ON_PURPOSE) || fold(el.textContent).length < 20 || !visiblePart({ left: r.left, right: r.right, top: r.top - 2, bottom: r.bottom + 2 }, clippers(el).filter((c) => c !== el))) continue;
    if (anyAncestor(el, (e) => e !== document.body && e !== document.documentElement && opensLater(e))) continue;
    report("lost-content", el, `a part of the page has no height, so nothing of it is seen: \u201c${clip(fold(el.textContent), 60)}\u201d`, fold(el.textContent));
  }
  const told = new Set();
  const lost = (el, r, what) => {  // below the edge of a box that shows what comes before it and cannot be scrolled
    const cutter = clippers(el).find((c) => c !== el && r.top + (r.bottom - r.top) * 0.4 > rectOf(c).bottom && !["auto", "scroll"].includes(styleOf(c).overflowY) && clips(styleOf(c), "y"));
    if (!cutter || told.has(cutter) || clippers(el).some((c) => scrolls(c, "y") && within(cutter, c))) return;
    const b = rectOf(cutter), s = styleOf(cutter);
    if (b.width < 60 || b.height < 40 || matchesUp(el, CAROUSEL) || matchesUp(el, HIDDEN_ON_PURPOSE) || opaqueSibling(cutter, el)) return;
    if (parseFloat(s.transitionDuration) > 0 || anyAncestor(el, (e) => e !== cutter && within(cutter, e) && (/absolute|fixed/.test(styleOf(e).position) || styleOf(e).transform !== "none" || parseFloat(styleOf(e).transitionDuration) > 0 && !e.matches(CONTROLS)))) return;
    if (foldedOnPurpose(cutter) || moving(el) || found.some((f) => f.rule === "clipped-text" && (f.el === cutter || within(cutter, f.el)))) return;
    if (!texts().some((t) => within(cutter, t.el) && t.rects.some((q) => q.bottom <= b.bottom + 1 && q.top >= b.top - 1))) return;
    told.add(cutter);
    report("lost-content", el, `${what} lies below the edge of its box, where nobody can scroll to: ${named(el)}`, words(el), r);
  };
  for (const el of every("button,input:not([type=hidden]),select,textarea,[role=button]")) if (drawn(el) && !forReaders(el) && rectOf(el).height > 3) lost(el, rectOf(el), "a control");
  for (const b of blocks()) if (b.text.length > 2 && !b.el.closest("svg")) lost(b.el, unite(b.pieces.flatMap((p) => p.rects)), "a text");
}
// Slides stacked in a window as high as one of them: the rest is meant to wait.
const opaqueSibling = (cutter, el) => [cutter, ...cutter.children].some((home) => home.children.length > 1 && [...home.children].every((c) => rectOf(c).height >= cutter.clientHeight * 0.9) && within(home, el));

function tinyText() {  // sentences in letters that nobody can read
  for (const b of blocks()) {
    const size = parseFloat(styleOf(b.pieces[0].el).fontSize);
    if (size > 0 && size < 6 && b.text.length > 20 && !b.el.closest("svg,sup,sub,[aria-hidden=true]") && !anyAncestor(b.el, (e) => styleOf(e).transform !== "none" || styleOf(e).zoom > 1)) report("tiny-text", b.el, `text of ${size} px cannot be read: ${named(b.el)}`, b.text);
  }
}

// ---- under a bar that stays ---------------------------------------------------------------------------------
function barOver(el, r) {  // what is pinned over the middle of a line, narrow enough to be a bar
  const hit = document.elementFromPoint((r.left + r.right) / 2, (r.top + r.bottom) / 2);
  const bar = hit && !within(hit, el) && !within(el, hit) && floats(hit);
  return bar && !within(bar, el) && !popup(bar) && rectOf(bar).height < innerHeight * 0.4 && anyAncestor(hit, (e) => within(bar, e) && opaque(e)) ? bar : null;
}
function underBars() {
  const bars = [...document.body.querySelectorAll("*")].slice(0, MOST_ELEMENTS).some((e) => /fixed|sticky/.test(styleOf(e).position) && drawn(e));
  if (!bars) return;
  const target = location.hash.length > 1 && document.getElementById(decodeURIComponent(location.hash.slice(1)));
  for (const b of blocks()) {
    if (floats(b.el) || matchesUp(b.el, HIDDEN_ON_PURPOSE) || b.el.closest('a[href^="#"],svg') || clippers(b.el).some((c) => scrolls(c, "y")) || moving(b.el)) continue;
    const r = visiblePart(b.pieces[0].rects[0], clippers(b.pieces[0].el));
    if (!r || r.bottom < 0 || r.top > innerHeight) continue;
    const here = target && (target === b.el || within(target, b.el) && rectOf(target).bottom - r.top < 120), bar = barOver(b.el, r);
    if (!bar || !(styleOf(bar).position === "fixed" && root.scrollTop < 1 && rectOf(bar).top < innerHeight / 2 || here)) continue;
    report("under-bar", b.el, `${named(b.el)} lies under ${named(bar)}, and the page cannot be scrolled to show it`, b.text, r);
    break;
  }
}

// ---- nothing where something should be -------------------------------------------------------------------------
const SAYS_NONE = /\b(?:no|none|nothing|empty|yet|zero|0|add|create|select|choose|search|keine?|nichts|leer|noch|aucune?|rien|vide|ning[u\u00fa]n[oa]?|sin|nada|vac\u00edo|nenhum|nessun[oa]?|vuoto|geen|leeg|brak|inga?)\b/i;
function emptyParts() {
  for (const el of every("select:enabled")) {
    if (!drawn(el) || forReaders(el) || el.closest("[aria-busy=true]")) continue;
    const real = [...el.options].filter((o) => !(o.disabled || o.hidden) && (o.value !== "" || o.index > 0));
    const waits = [...(el.form || document).querySelectorAll("select")].some((s) => s !== el && s.options.length > 1 && s.selectedIndex <= 0 && s.compareDocumentPosition(el) & Node.DOCUMENT_POSITION_FOLLOWING && s.options[0].value === "");
    if (!real.length && !waits) report("empty", el, `a choice has nothing to choose from: ${named((el.labels && el.labels[0]) || el)}`, el.outerHTML.slice(0, 200));
  }
  const explained = (el) => { const home = el.closest("section,article,[role=region],main > *,form") || el.parentElement || el; return SAYS_NONE.test(fold([...home.querySelectorAll("p,div,span,caption,tfoot,td,output")].filter((e) => !e.children.length && drawn(e)).map((e) => e.textContent).join(" "))); };
  for (const el of every("table")) {
    if (!drawn(el) || forReaders(el) || el.closest("[aria-busy=true]") || !el.querySelector("thead th,tr th") || el.rows.length > 1 && [...el.rows].slice(1).some((row) => shows(row))) continue;
    if (!el.querySelector("td") || ![...el.querySelectorAll("td")].some(shows)) if ([...el.rows].filter(shows).length === 1 && !el.querySelector("tbody th[scope=row]") && !explained(el)) report("empty", el, `a table has a heading and no rows: ${named(el)}`, words(el));
  }
  for (const el of every("ul,ol,dl,[role=list]")) {
    const head = el.previousElementSibling;
    if (el.children.length || fold(el.textContent) || !head || !head.matches(HEADING) || !drawn(head) || !drawn(el) || el.matches("[aria-live],[aria-busy=true],[role=listbox],[role=log]") || explained(el)) continue;
    if (el.nextElementSibling && !el.nextElementSibling.matches(HEADING) && shows(el.nextElementSibling)) continue;
    report("empty", el, `a list has nothing in it: ${named(head)}`, words(head), rectOf(head));
  }
  for (const part of every("section,article,[role=region]")) {  // a heading over a container that nothing was put into
    const head = part.querySelector(HEADING), hollow = [...part.querySelectorAll("div")].find((e) => !e.children.length && !fold(e.textContent) && !e.matches("[aria-live],[aria-busy=true],[role]") && !matchesUp(e, HIDDEN_ON_PURPOSE));
    if (!head || !hollow || !drawn(head) || rectOf(hollow).height > 2 || fold(part.innerText) !== fold(head.innerText) || [...part.children].some((e) => e !== head && shows(e) && !within(e, head)) || SAYS_NONE.test(fold(head.textContent))) continue;
    if (!found.some((f) => f.rule === "empty" && within(part, f.el))) report("empty", hollow, `a part has nothing but its heading: ${named(head)}`, words(head), rectOf(head));
  }
}

// ---- forms and names ------------------------------------------------------------------------------------------------
function unsendable() {
  const fields = "input:is([type=text],[type=email],[type=password],[type=tel],[type=url],[type=number],:not([type])):enabled,textarea:enabled";
  for (const form of every("form")) {
    const typed = [...form.querySelectorAll(fields)].filter((f) => drawn(f) && !forReaders(f) && !f.readOnly);
    const near = form.parentElement && form.parentElement !== document.body ? form.parentElement : form;
    if (typed.length < 2 || form.closest("[role=search]") || [...form.elements].some((e) => e.localName === "button" || /^(submit|image|button)$/.test(e.type))) continue;
    if (near.querySelector("button,[role=button],input[type=submit],input[type=button],input[type=image],a[class*=btn i],a[class*=button i]") || form.querySelector("a[href]")) continue;
    report("no-submit", form, "a form has nothing to send it with: no button, and Enter does not send more than one field", typed.map((f) => f.name || f.id).join(", "));
  }
}
function namedTwice() {
  const first = new Map(), told = new Set();
  for (const el of document.body.querySelectorAll("[id]:not(svg *)")) {
    if (!el.id || told.has(el.id)) continue;
    if (first.has(el.id)) {
      told.add(el.id);
      if (drawn(el) && drawn(first.get(el.id))) report("duplicate-id", el, `two elements have the id \u201c${clip(el.id, 40)}\u201d`, el.outerHTML.slice(0, 200));
    } else first.set(el.id, el);
  }
}
function headingLevels() {  // a heading three levels below the one before it: a reader looks for what lies between
  let before = 0;
  for (const el of every("h1,h2,h3,h4,h5,h6")) {
    if (!drawn(el) || matchesUp(el, HIDDEN_ON_PURPOSE) || el.getAttribute("role") || !fold(el.textContent)) continue;
    const level = Number(el.localName[1]);
    if (before && level > before + 2) report("heading-order", el, `a heading of level ${level} follows one of level ${before}: ${named(el)}`, words(el));
    before = level;
  }
}

// ---- signs of a font that is not there --------------------------------------------------------------------------------
const OWN_SIGN = /[\ue000-\uf8ff]|[\u{f0000}-\u{10fffd}]/u, NO_SIGN = "\u{10fff0}";
let easel = null;
function undrawn(sign, s) {  // the sign looks as one that no font has
  easel ||= Object.assign(document.createElement("canvas"), { width: 32, height: 32 }).getContext("2d", { willReadFrequently: true });
  const [a, b] = [sign, NO_SIGN].map((text) => {
    easel.clearRect(0, 0, 32, 32);
    easel.font = `${s.fontWeight} 20px ${s.fontFamily}`;
    easel.fillText(text, 4, 24);
    return easel.getImageData(0, 0, 32, 32).data;
  });
  return a.some(Boolean) && a.every((v, i) => v === b[i]);
}
function missingGlyphs() {
  const told = new Set();
  const say = (el, sign) => { if (told.size < 5 && !told.has(el.className)) { told.add(el.className); report("missing-glyph", el, `a sign is drawn as an empty box, its font is not there: U+${sign.codePointAt(0).toString(16).toUpperCase()}`, styleOf(el).fontFamily); } };
  for (const t of texts()) {
    const sign = OWN_SIGN.exec(t.text);
    if (sign && undrawn(sign[0], styleOf(t.el))) say(t.el, sign[0]);
    if (/material-(?:icons|symbols)/i.test(typeof t.el.className === "string" ? t.el.className : "") && /^[a-z0-9_]{3,}$/.test(t.text) && unite(t.rects).right - unite(t.rects).left > 2 * parseFloat(styleOf(t.el).fontSize)) report("missing-glyph", t.el, `the name of a sign is shown, its font is not there: ${clip(t.text, 40)}`, t.text);
  }
  for (const el of [...every("i,[class*=icon i],[class*=fa-],[class*=glyph i]")].slice(0, 300)) {
    for (const pseudo of ["::before", "::after"]) {
      const s = getComputedStyle(el, pseudo), sign = OWN_SIGN.exec(s.content || "");
      if (sign && s.fontFamily !== bodyFont && drawn(el) && undrawn(sign[0], s)) say(el, sign[0]);
    }
  }
}
