// What the other scripts stand on: which elements and texts are drawn, where, and how to name them.
// Put in front of one of them and run as the body of a function: (command, args, done).
// Everything here only reads. Scrolling to look at a point is undone within the same task, so that neither
// an event nor an observer of the page's sees it.
const command = arguments[0], args = arguments[1], done = arguments[arguments.length - 1];
if (args.loose) args.el = arguments[2];
const MOST_TEXTS = 6000, MOST_ELEMENTS = 20000;
const root = document.scrollingElement || document.documentElement;
const fold = (text) => (text || "").replace(/[\s\u00a0]+/g, " ").trim();
const clip = (text, limit) => (text.length > limit ? text.slice(0, limit - 1) + "\u2026" : text);
const styles = new Map();
const styleOf = (el) => { let s = styles.get(el); if (!s) styles.set(el, (s = getComputedStyle(el))); return s; };
const parentOf = (el) => el.assignedSlot || el.parentElement || (el.getRootNode().host ?? null);
const ancestors = function* (el) { for (let e = el; e; e = parentOf(e)) yield e; };
const anyAncestor = (el, test) => { for (const e of ancestors(el)) if (test(e)) return e; return null; };
const within = (el, other) => Boolean(anyAncestor(other, (e) => e === el));  // other lies in el
const matchesUp = (el, css) => anyAncestor(el, (e) => e.matches(css));
const rectOf = (el) => el.getBoundingClientRect();
const area = (r) => Math.max(0, r.right - r.left) * Math.max(0, r.bottom - r.top);
const cross = (a, b) => ({ left: Math.max(a.left, b.left), top: Math.max(a.top, b.top), right: Math.min(a.right, b.right), bottom: Math.min(a.bottom, b.bottom) });
const unite = (rects) => ({ left: Math.min(...rects.map((r) => r.left)), top: Math.min(...rects.map((r) => r.top)), right: Math.max(...rects.map((r) => r.right)), bottom: Math.max(...rects.map((r) => r.bottom)) });
const boxOf = (r) => ({ x: r.left, y: r.top, width: Math.max(0, r.right - r.left), height: Math.max(0, r.bottom - r.top) });

function* scopes(node) {
  yield node;
  for (const host of node.querySelectorAll("*")) if (host.shadowRoot) yield* scopes(host.shadowRoot);
}
const roots = document.body ? [...scopes(document)] : [];
const every = (css) => roots.flatMap((scope) => [...scope.querySelectorAll(css)]);

const NEVER = new Set(["SCRIPT", "STYLE", "NOSCRIPT", "TEMPLATE", "HEAD", "TITLE", "OPTION", "OPTGROUP", "DATALIST"]);
const seen = new Map();
function opacityOf(el) { let o = 1; for (const e of ancestors(el)) o *= Number(styleOf(e).opacity); return o; }
function drawn(el) {  // rendered, visible, and not made transparent
  let known = seen.get(el);
  if (known === undefined) {
    known = el.checkVisibility ? el.checkVisibility({ visibilityProperty: true, contentVisibilityAuto: true }) : styleOf(el).visibility === "visible" && el.getClientRects().length > 0;
    if (known) known = opacityOf(el) > 0.05;
    seen.set(el, known);
  }
  return known;
}
// Text for screen readers only: a box of a pixel or two, or cut away by clip or clip-path.
function forReaders(el) {
  return Boolean(anyAncestor(el, (e) => {
    const s = styleOf(e);
    if (s.clip !== "auto" && s.position !== "static" && /rect\((0|1)(px)?[, ]/.test(s.clip)) return true;
    if (/^inset\((5\d|[6-9]\d|100)%/.test(s.clipPath) || s.clipPath === "circle(0px)" || s.clipPath === "polygon(0px 0px, 0px 0px, 0px 0px)") return true;
    if (s.overflowX === "visible" && s.overflowY === "visible") return false;
    return e.clientWidth <= 2 || e.clientHeight <= 2;
  }));
}
const clips = (s, axis) => { const o = axis === "x" ? s.overflowX : s.overflowY; return o !== "visible"; };
// Whether a scroller holds content the person can move to: then nothing outside its box is lost.
const scrolls = (el, axis) => { const o = axis === "x" ? styleOf(el).overflowX : styleOf(el).overflowY; return o === "auto" || o === "scroll"; };
function clippers(el) {  // ancestors that cut what sticks out, nearest first; the page itself is none
  const found = [];
  let escape = "";  // an absolutely positioned box is not cut by what lies between it and its container
  for (let e = el, first = true; e && e !== document.body && e !== document.documentElement; e = parentOf(e), first = false) {
    const s = styleOf(e);
    const held = escape === "fixed" ? s.transform !== "none" || s.filter !== "none" : escape !== "absolute" || s.position !== "static" || s.transform !== "none";
    if (held) escape = "";
    if (!escape && (clips(s, "x") || clips(s, "y")) && s.display !== "inline" && s.display !== "contents") found.push(e);
    if (!escape && (s.position === "absolute" || s.position === "fixed")) escape = s.position;
  }
  return found;
}
function visiblePart(rect, cutters) {  // what is left of a rectangle after its clippers, null if nothing
  let r = rect;
  for (const e of cutters) {
    const s = styleOf(e), b = rectOf(e);
    r = cross(r, { left: clips(s, "x") ? b.left : -Infinity, right: clips(s, "x") ? b.right : Infinity, top: clips(s, "y") ? b.top : -Infinity, bottom: clips(s, "y") ? b.bottom : Infinity });
  }
  return r.right - r.left > 0.5 && r.bottom - r.top > 0.5 ? r : null;
}
let linesOf = null;
const texts = () => linesOf || (linesOf = textsIn(roots, MOST_TEXTS));
function textsIn(places, most) {  // every drawn piece of text: its node, element, folded text and line rectangles
  const lines = [];
  for (const scope of places) {
    const page = scope.ownerDocument || scope, walker = page.createTreeWalker(scope.body || scope, NodeFilter.SHOW_TEXT);
    while (walker.nextNode() && lines.length < most) {
      const node = walker.currentNode, el = node.parentElement || node.getRootNode().host;
      if (!el || NEVER.has(el.nodeName) || !/\S/.test(node.data) || el.closest("noscript,template")) continue;
      if (!drawn(el) || forReaders(el)) continue;
      const range = page.createRange();
      range.selectNodeContents(node);
      const rects = [...range.getClientRects()].filter((r) => r.width > 0.5 && r.height > 0.5);
      if (rects.length) lines.push({ node, el, text: fold(node.data), rects });
    }
  }
  return lines;
}
const INLINE = /^(inline|contents|ruby.*)$/;
const blockOf = (el) => anyAncestor(el, (e) => !INLINE.test(styleOf(e).display)) || el;
function framed() {  // documents of this site's that are drawn in frames of the page; another site's are closed to us
  return every("iframe,frame").filter((f) => drawn(f) && rectOf(f).width > 20 && rectOf(f).height > 20 && f.contentDocument && f.contentDocument.body).map((f) => f.contentDocument);
}
function blocks(lines = texts()) {  // texts joined by the block they stand in: what a person reads as one piece
  const found = new Map();
  for (const t of lines) {
    const block = blockOf(t.el);
    const entry = found.get(block) || { el: block, text: "", pieces: [] };
    entry.text += t.node.data;
    entry.pieces.push(t);
    found.set(block, entry);
  }
  for (const entry of found.values()) entry.text = fold(entry.text);
  return [...found.values()];
}
const bodyFont = document.body ? getComputedStyle(document.body).fontFamily : "";
const MONO = /mono|courier|consolas|menlo|\bcode\b/i;
const CODE = "code,pre,kbd,samp,var,tt,textarea,[contenteditable]:not([contenteditable=false]),[class*=code i],[class*=highlight i],.CodeMirror,.monaco-editor";
const isCode = (el) => Boolean(matchesUp(el, CODE)) || (styleOf(el).fontFamily !== bodyFont && MONO.test(styleOf(el).fontFamily) && !MONO.test(bodyFont));

// ---- looking at a point, wherever it is ---------------------------------------------------------------
function at(x, y, ask) {  // x, y in the viewport as it is; ask(x, y) is called where the point is in view
  if (x >= 0 && y >= 0 && x < innerWidth && y < innerHeight) return ask(x, y);
  const before = [root.scrollLeft, root.scrollTop];
  root.scrollTo({ left: Math.max(0, before[0] + x - innerWidth / 2), top: Math.max(0, before[1] + y - innerHeight / 2), behavior: "instant" });
  const [nx, ny] = [x + before[0] - root.scrollLeft, y + before[1] - root.scrollTop];
  const answer = nx >= 0 && ny >= 0 && nx < innerWidth && ny < innerHeight ? ask(nx, ny) : null;
  root.scrollTo({ left: before[0], top: before[1], behavior: "instant" });
  return answer;
}
const hits = (x, y) => at(x, y, (a, b) => {
  const deep = (scope) => { const top = scope.elementFromPoint(a, b); return top && top.shadowRoot && top.shadowRoot !== scope && top.shadowRoot.elementFromPoint(a, b) !== top ? [...top.shadowRoot.elementsFromPoint(a, b), ...deepRest(scope, a, b)] : scope.elementsFromPoint(a, b); };
  const deepRest = (scope, p, q) => scope.elementsFromPoint(p, q);
  return deep(document);
});
const alpha = (color) => { const m = /rgba?\(([^)]+)\)/.exec(color); const p = m ? m[1].split(/[ ,/]+/) : []; return m ? (p.length > 3 ? Number(p[3]) : 1) : color === "transparent" ? 0 : 1; };
const opaque = (el) => { const s = styleOf(el); if (el.ownerSVGElement) return /^(rect|circle|ellipse|path|polygon|image)$/.test(el.localName) && s.fill !== "none" && alpha(s.fill) * Number(s.fillOpacity) * opacityOf(el) > 0.85; return /^(IMG|VIDEO|CANVAS|IFRAME)$/.test(el.nodeName) || ((alpha(s.backgroundColor) > 0.85 || s.backgroundImage !== "none") && opacityOf(el) > 0.85); };
const moving = (el) => Boolean(anyAncestor(el, (e) => e.getAnimations && e.getAnimations().some((a) => a.playState === "running")));

// ---- naming -------------------------------------------------------------------------------------------
const one = (css, el) => { try { const found = document.querySelectorAll(css); return found.length === 1 && found[0] === el; } catch { return false; } };
const quoted = (text) => `"${text.replace(/\\/g, "\\\\").replace(/"/g, '\\"')}"`;
function path(el) {
  const steps = [];
  for (let e = el; e && e.nodeType === 1; e = e.parentElement) {
    if (e.id && one(`#${CSS.escape(e.id)}`, e)) { steps.unshift(`#${CSS.escape(e.id)}`); break; }
    const same = e.parentElement ? [...e.parentElement.children].filter((c) => c.localName === e.localName) : [e];
    steps.unshift(same.length > 1 ? `${e.localName}:nth-of-type(${same.indexOf(e) + 1})` : e.localName);
    if (steps.length > 1 && one(steps.join(" > "), el)) break;
  }
  return steps.join(" > ");
}
function locate(el) {  // a locator that means this element alone, the one a tester would write first
  const id = args.testid || "data-testid", testid = el.getAttribute(id);
  if (testid && one(`[${id}=${JSON.stringify(testid)}]`, el)) return `testid=${testid}`;
  if (el.id && one(`#${CSS.escape(el.id)}`, el)) return `#${CSS.escape(el.id)}`;
  if (el.name && typeof el.name === "string" && one(`${el.localName}[name=${JSON.stringify(el.name)}]`, el)) return `name=${el.name}`;
  const host = el.getRootNode().host;
  return host ? `${locate(host)} >> ${el.id ? `#${CSS.escape(el.id)}` : el.localName}` : path(el);
}
const words = (el) => clip(fold(el.nodeName === "INPUT" ? el.value : el.innerText ?? el.textContent), 160);
const CONTROLS = 'a[href],button,input:not([type=hidden]),select,textarea,summary,[role=button],[role=link],[role=checkbox],[role=radio],[role=tab],[role=switch],[role=menuitem],[role=combobox],[role=textbox],[contenteditable=true],[contenteditable=""]';
