// Roles and accessible names, after HTML-AAM 1.0 (https://www.w3.org/TR/html-aam-1.0/) and accname 1.2
// (https://www.w3.org/TR/accname-1.2/). Our own, since a browser's computedRole walks the whole page for each
// element it is asked about (400 buttons: seconds), and not every engine has it. Comes before page.js.
const ROLES = new Set(("alert alertdialog application article banner blockquote button caption cell checkbox code columnheader "
  + "combobox comment complementary contentinfo definition deletion dialog directory document emphasis feed figure form generic "
  + "grid gridcell group heading img image insertion link list listbox listitem log main mark marquee math menu menubar menuitem "
  + "menuitemcheckbox menuitemradio meter navigation none note option paragraph presentation progressbar radio radiogroup region "
  + "row rowgroup rowheader scrollbar search searchbox separator slider spinbutton status strong subscript suggestion superscript "
  + "switch tab table tablist tabpanel term textbox time timer toolbar tooltip tree treegrid treeitem").split(" "));
const NAMED_BY_CONTENT = new Set(("button cell checkbox columnheader comment gridcell heading link menuitem menuitemcheckbox "
  + "menuitemradio option radio row rowheader switch tab tooltip treeitem").split(" "));
const SAME_ROLE = { image: "img", presentation: "none" };
const INPUT_ROLES = { button: "button", submit: "button", reset: "button", image: "button", checkbox: "checkbox", radio: "radio",
  range: "slider", number: "spinbutton", search: "searchbox", text: "textbox", email: "textbox", tel: "textbox", url: "textbox",
  password: "textbox", file: "button" };
const TAG_ROLES = { address: "group", article: "article", aside: "complementary", blockquote: "blockquote", button: "button",
  caption: "caption", code: "code", datalist: "listbox", dd: "definition", del: "deletion", details: "group", dfn: "term",
  dialog: "dialog", dt: "term", em: "emphasis", fieldset: "group", figure: "figure", form: "form", h1: "heading", h2: "heading",
  h3: "heading", h4: "heading", h5: "heading", h6: "heading", hr: "separator", html: "document", ins: "insertion", li: "listitem",
  main: "main", mark: "mark", math: "math", menu: "list", meter: "meter", nav: "navigation", ol: "list", optgroup: "group",
  option: "option", output: "status", p: "paragraph", progress: "progressbar", search: "search", strong: "strong",
  sub: "subscript", summary: "button", sup: "superscript", svg: "img", table: "table", tbody: "rowgroup", textarea: "textbox",
  tfoot: "rowgroup", thead: "rowgroup", time: "time", tr: "row", ul: "list" };
const within_ = (el, css) => Boolean(el.parentElement && el.parentElement.closest(css));
const COMPUTED_ROLES = {
  a: (el) => (el.hasAttribute("href") ? "link" : "generic"),
  area: (el) => (el.hasAttribute("href") ? "link" : "generic"),
  footer: (el) => (within_(el, "article,aside,main,nav,section") ? "generic" : "contentinfo"),
  header: (el) => (within_(el, "article,aside,main,nav,section") ? "generic" : "banner"),
  img: (el) => (el.getAttribute("alt") === "" && !el.hasAttribute("title") && !el.hasAttribute("aria-label") ? "none" : "img"),
  input: (el) => (el.list && /^(text|search|tel|url|email)$/.test(el.type) ? "combobox" : INPUT_ROLES[el.type] || "generic"),
  section: (el) => (nameOf(el, "region") ? "region" : "generic"),
  select: (el) => (el.multiple || el.size > 1 ? "listbox" : "combobox"),
  td: (el) => (el.closest("table,[role]")?.matches("[role=grid],[role=treegrid]") ? "gridcell" : "cell"),
  th: (el) => (el.scope === "row" || el.scope === "rowgroup" ? "rowheader" : el.scope || within_(el, "thead") ? "columnheader"
    : el.parentElement && [...el.parentElement.children].some((c) => c.localName === "td") ? "rowheader" : "columnheader"),
};
function ownRole(el) {  // what the markup asks for; null where it asks for nothing that exists
  for (const token of (el.getAttribute("role") || "").toLowerCase().split(/\s+/)) {
    if (!ROLES.has(token)) continue;
    const role = SAME_ROLE[token] || token;
    return role === "none" && (el.tabIndex >= 0 || el.hasAttribute("aria-label")) ? null : role;
  }
  return null;
}
function roleOf(el) {
  const own = ownRole(el);
  if (own) return own;
  const name = el.localName, compute = Object.hasOwn(COMPUTED_ROLES, name) && COMPUTED_ROLES[name];
  if (compute) return compute(el);
  if (Object.hasOwn(TAG_ROLES, name)) return TAG_ROLES[name];
  return el.isContentEditable && !el.parentElement?.isContentEditable ? "textbox" : "generic";
}

// ---- names --------------------------------------------------------------------------------------
const spoken = (text) => (text || "").replace(/\s+/g, " ").trim();
const styleOf = (el, pseudo) => el.ownerDocument.defaultView.getComputedStyle(el, pseudo);
const cased = (text, how) => (how === "uppercase" ? text.toUpperCase() : how === "lowercase" ? text.toLowerCase()
  : how === "capitalize" ? text.replace(/(^|\s)(\S)/g, (_, gap, c) => gap + c.toUpperCase()) : text);
const generated = (el, pseudo) => {  // text of ::before and ::after
  const content = styleOf(el, pseudo).content;
  return (content.match(/"(?:[^"\\]|\\.)*"/g) || []).map((s) => s.slice(1, -1).replace(/\\(.)/g, "$1")).join("");
};
const byIds = (el, attribute) => (el.getAttribute(attribute) || "").split(/\s+/).filter(Boolean)
  .map((id) => el.getRootNode().getElementById?.(id)).filter(Boolean);
let memo = { names: new WeakMap(), labels: new WeakMap() };  // what one look at the page has worked out
function labelsFor(el) {  // like el.labels, which walks the whole page for each element it is asked about
  const root = el.getRootNode();
  if (!memo.labels.has(root)) {
    const found = new Map();
    for (const label of root.querySelectorAll("label")) if (label.control) found.set(label.control, [...(found.get(label.control) || []), label]);
    memo.labels.set(root, found);
  }
  return memo.labels.get(root).get(el) || [];
}
function nativeName(el) {  // what the element's own markup calls it; null where it says nothing
  const child = (tag) => [...el.children].find((c) => c.localName === tag);
  const part = { fieldset: "legend", figure: "figcaption", table: "caption" }[el.localName];
  if (part) return child(part) ? nameFrom(child(part)) : null;
  if (el.localName === "svg") return child("title") ? child("title").textContent : null;
  if (el.localName === "optgroup") return el.label;
  if (el.localName === "img" || el.localName === "area") return el.getAttribute("alt");
  if (el.localName === "input") {
    if (/^(button|submit|reset)$/.test(el.type) && el.value) return el.value;
    if (el.type === "image" && el.alt) return el.alt;
  }
  const labels = labelsFor(el);
  if (labels.length) return labels.map((label) => nameFrom(label, el)).join(" ");
  if (el.localName === "input") return { submit: "Submit", reset: "Reset", image: "Submit", file: "Choose File" }[el.type] ?? null;
  return null;
}
function valueInside(el) {  // a control in the middle of a label or a heading counts as what it holds
  const role = roleOf(el);
  if (role === "textbox" || role === "searchbox") return el.value ?? el.textContent;
  if (role === "combobox" || role === "listbox") return el.selectedOptions ? [...el.selectedOptions].map((o) => o.label).join(" ") : el.value ?? null;
  if (role === "slider" || role === "spinbutton" || role === "progressbar" || role === "meter") {
    return el.getAttribute("aria-valuetext") ?? el.getAttribute("aria-valuenow") ?? (el.value === undefined ? null : String(el.value));
  }
  return null;
}
function nameFrom(el, except, seen = new Set()) {  // the text of what is inside, as it is read out
  if (seen.has(el)) return "";
  seen.add(el);
  const style = styleOf(el), shown = style.visibility === "visible";
  let text = shown ? generated(el, "::before") : "";
  const nodes = el.localName === "slot" && el.assignedNodes().length ? el.assignedNodes() : (shadowOf(el) || el).childNodes;
  for (const node of nodes) {
    if (node.nodeType === 3) { if (shown) text += cased(node.data, style.textTransform); continue; }
    if (node.nodeType !== 1 || node === except) continue;
    const inner = styleOf(node);
    if (inner.display === "none" || node.getAttribute("aria-hidden") === "true" || /^(script|style|template|noscript)$/.test(node.localName)) continue;
    const piece = valueInside(node) ?? (inner.visibility === "visible" ? spoken(node.getAttribute("aria-label")) || nativeName(node) : null) ?? nameFrom(node, except, seen);
    text += /^(inline|contents)/.test(inner.display) && node.localName !== "br" && inner.display !== "inline-block" ? piece : ` ${piece} `;
    if (!piece && node.hasAttribute("title")) text += ` ${node.title} `;
  }
  return text + (shown ? generated(el, "::after") : "");
}
function nameOf(el, role = roleOf(el)) {
  const referred = byIds(el, "aria-labelledby");
  if (referred.length) {
    const named = spoken(referred.map((e) => spoken(e.getAttribute("aria-label")) || (e === el ? "" : valueInside(e)) || nativeName(e) || nameFrom(e)).join(" "));
    if (named) return named;
  }
  const label = spoken(el.getAttribute("aria-label"));
  if (label) return label;
  const native = role === "none" ? "" : spoken(nativeName(el));
  if (native) return native;
  const content = NAMED_BY_CONTENT.has(role) ? spoken(nameFrom(el)) : "";
  return content || spoken(el.getAttribute("title")) || spoken(el.getAttribute("placeholder") ?? el.getAttribute("aria-placeholder"));
}
