// axe-core's answer about the page, small enough to send: (command, args, done). Where the comment stands, axe-core
// itself is put in; it leaves nothing behind in the page.
const args = arguments[1], done = arguments[arguments.length - 1], scope = args.loose ? arguments[2] : args.el;
const before = Object.getOwnPropertyDescriptor(window, "axe");
{
  const define = undefined, module = undefined, exports = undefined, require = undefined;
  /* axe-core */
}
const axe = window.axe;
if (before) Object.defineProperty(window, "axe", before); else delete window.axe;
function elementOf(target) {
  let scope = document, found = null;
  for (const selector of [].concat(target).flat()) {
    found = scope.querySelector(selector);
    if (!found) return null;
    scope = found.shadowRoot || found.contentDocument || found;
  }
  return found;
}
function faint(el) {  // a decoration: hidden from readers, and hardly there for eyes
  let o = 1;
  for (let e = el; e; e = e.parentElement) o *= Number(getComputedStyle(e).opacity);
  return o < 0.3 && Boolean(el.closest("[aria-hidden=true]"));
}
function part(node) {
  const el = elementOf(node.target), short = { target: [].concat(node.target).flat(), html: node.html.slice(0, 300) };
  if (!el) return short;
  const r = el.getBoundingClientRect(), s = getComputedStyle(el), range = document.createRange();
  range.selectNodeContents(el);
  const lines = [...range.getClientRects()].filter((l) => l.width > 1).slice(0, 12).map((l) => [l.left, l.top, l.right, l.bottom]);
  return { ...short, box: { x: r.x, y: r.y, width: r.width, height: r.height }, color: s.color, size: parseFloat(s.fontSize), weight: Number(s.fontWeight), text: (el.innerText || "").slice(0, 120), lines, faint: faint(el) };
}
const TINY = 18;  // px: hard to hit for anybody; between that and the 24 of WCAG 2.2 designs differ
const rows = (rules) => rules.map((v) => ({ id: v.id, impact: v.impact, help: v.help, nodes: v.nodes.slice(0, 40).map(part).filter((n) => v.id !== "target-size" || (n.box && Math.max(n.box.width, n.box.height) < TINY && !/^<input/i.test(n.html))) }));
axe.run(scope || document, { runOnly: { type: "tag", values: args.tags }, rules: Object.fromEntries(args.rules.map((id) => [id, { enabled: true }])), resultTypes: ["violations", "incomplete"], iframes: false, elementRef: false, preload: false })
  .then((r) => done({ violations: rows(r.violations), incomplete: rows(r.incomplete) }), (error) => done({ failed: String(error) }));
