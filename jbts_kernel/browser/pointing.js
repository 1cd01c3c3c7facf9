// The page's side of pointing at it: what lies under a point, which locators mean it, what can be named at all, and
// what changed since the last look. Comes between roles.js and page.js, whose words it uses; it only reads.
const ACTED_ON = "a[href],button,summary,select,option,textarea,input,label,[role=button],[role=link],[role=tab],[role=menuitem],"
  + "[role=menuitemcheckbox],[role=menuitemradio],[role=checkbox],[role=radio],[role=switch],[role=option],[role=treeitem]";
const OFFERED = 'a[href],button,input:not([type=hidden]),select,textarea,summary,[role=button],[role=link],[role=checkbox],[role=radio],'
  + '[role=tab],[role=switch],[role=menuitem],[role=combobox],[role=textbox],[contenteditable=true],[contenteditable=""],'
  + "h1,h2,h3,[role=alert],[role=status],[role=dialog],output,[data-testid],iframe,[placeholder]";
const TOLD = "h1,h2,h3,h4,p,li,td,th,dt,dd,label,legend,output,span,div,strong,em,b,i,a,button,summary,small,[role=alert],[role=status]";
const LOUD = "[role=alert],[role=status],[role=dialog],dialog,output,h1,h2,h3,[aria-live]";
const PICK_MS = 600, HOVER_MS = 30, OFFER_MS = 250, SURVEY_MS = 250, MOST_TEXTS = 500, MOST_COUNTS = 40;

function target(hit) {  // what a person means by pointing there: the button, not the picture inside it
  for (let e = hit, steps = 0; e && steps < 12; e = parentOf(e), steps += 1) {
    if (!e.matches(ACTED_ON)) continue;
    return e.localName === "label" && e.control && /^(checkbox|radio)$/.test(e.control.type) ? e.control : e;
  }
  return hit instanceof SVGElement ? hit.closest("svg") || hit : hit;
}
function kindOf(el) {
  const type = (el.type || "").toLowerCase(), role = roleOf(el);
  if (/^i?frame$/.test(el.localName)) return "frame";
  if (el.localName === "select") return "choice";
  if (el.localName === "input" && type === "file") return "file";
  if (/^(checkbox|radio)$/.test(type) || /^(checkbox|radio|switch)$/.test(role)) return "tick";
  if (el.isContentEditable || el.localName === "textarea" || (el.localName === "input" && !/^(button|submit|reset|image|range|color)$/.test(type))) return "field";
  if (el.localName === "canvas") return "canvas";
  return "plain";
}
function about(el) {
  const kind = kindOf(el), large = el.textContent.length > 20000;  // the text of a whole page is nobody's
  const value = kind === "field" && el.type !== "password" ? clip(shownText(el), 200) : kind === "choice" ? clip([...el.selectedOptions].map((o) => fold(o.label)).join(", "), 200) : "";
  return {
    state: "ready", text: large ? `<${el.localName}>` : clip(describe(pressed(el)), 160), box: plain(pressed(el).getBoundingClientRect()), tag: el.localName, kind,
    role: roleOf(el), name: clip(fold(named(el)), 80), words: large ? "" : clip(fold(textOf(el)), 200), value, password: el.type === "password",
    checked: kind === "tick" ? isChecked(el) : null, disabled: disabled(el),
    options: kind === "choice" ? [...el.options].slice(0, 60).map((o) => clip(fold(o.label), 80)) : [],
  };
}
function best(el, milliseconds) {  // the first that means it alone, as far as there is time to look
  const end = performance.now() + milliseconds;
  for (const one of candidates(el)) {
    if (means(one.chain, el)) return { locator: one.locator, count: 1 };
    if (performance.now() > end) break;
  }
  return { locator: path(el), count: 1 };
}
function lasting(el, text) {  // a name that stays when its text changes, if it has one that is no path through the markup
  for (const one of candidates(el)) {
    if (!one.locator.includes(text) && !/ > |^(html|body)$/.test(one.locator) && means(one.chain, el)) return one.locator;
  }
  return best(el, 60).locator;
}
function ranked(el) {  // every way to name it with how many elements each means; what means it alone comes first
  const end = performance.now() + PICK_MS, found = [];
  for (const { engine, locator, chain } of candidates(el)) {
    if (performance.now() > end && found.some((f) => f.count === 1)) break;
    const hits = all(chain, null);
    if (hits.includes(el) && !found.some((f) => f.locator === locator)) found.push({ engine, locator, count: hits.length });
  }
  return [...found.filter((f) => f.count === 1), ...found.filter((f) => f.count !== 1)].slice(0, 10);
}
function counted() {  // how many there are of what comes in numbers: equal test ids, list items, rows; known ones also when few
  const attribute = args.testid || "data-testid", numbers = {}, known = new Set(args.counted || []);
  const note = (locator, number) => { if (number > 1 || known.has(locator)) numbers[locator] = number; };
  const ids = new Map();
  for (const el of everywhere(document, `[${attribute}]`)) ids.set(el.getAttribute(attribute), (ids.get(el.getAttribute(attribute)) || 0) + 1);
  for (const [id, number] of ids) if (!/[\s"']/.test(id)) note(`testid=${id}`, number);
  for (const role of ["article", "listitem", "row"]) note(`role=${role}`, all([{ engine: "role", value: role, attributes: [] }], null).length);
  for (const locator of known) numbers[locator] ??= 0;
  return Object.keys(numbers).length > MOST_COUNTS ? {} : numbers;
}
// In a world of our own, what elements are called is remembered from move to move, until anything on the page changes.
function remembered() {
  const home = globalThis;
  if (!home.jbtsNames) {
    home.jbtsNames = Object.assign(memo, { roles: new Map() });
    new MutationObserver((_, observer) => { observer.disconnect(); home.jbtsNames = null; })
      .observe(document, { subtree: true, childList: true, attributes: true, characterData: true });
  }
  memo = home.jbtsNames;
}
const POINTING = {
  hit: () => {
    if (args.apart && !args.deep) remembered();
    const found = args.chain ? all(args.chain, null)[0] : deepHit(args.x, args.y);
    if (!found || !found.isConnected || /^(html|body)$/.test(found.localName)) return { state: "nothing" };
    const el = target(found), box = el.getBoundingClientRect();
    const said = { ...about(el), born: parent === window ? performance.timeOrigin : null };
    if (args.deep) return { ...said, locators: ranked(el), at: args.chain ? null : [Math.round(args.x - box.x), Math.round(args.y - box.y)] };
    return { ...said, locators: [best(el, HOVER_MS)] };
  },
  offers: () => {  // what can be named on the page, each by the first locator of this kind that means it alone
    const end = performance.now() + OFFER_MS, word = (args.word || "").toLowerCase(), prefer = args.engine || undefined;
    const offered = [], seen = new Set();
    for (const el of everywhere(document, args.engine === "css" ? `${OFFERED},[id]` : OFFERED)) {
      if (offered.length >= args.limit || performance.now() > end) break;
      if (!visible(pressed(el)) || unseen(el)) continue;
      for (const { engine, locator, chain } of candidates(el, prefer)) {
        if (prefer && engine !== prefer) break;
        if (!locator.toLowerCase().startsWith(word) || seen.has(locator) || !means(chain, el)) continue;
        seen.add(locator);
        offered.push({ locator, text: clip(describe(el), 100), role: roleOf(el), name: clip(fold(named(el)), 80), box: plain(pressed(el).getBoundingClientRect()) });
        break;
      }
    }
    return { offers: offered };
  },
  inner: () => {  // a frame that a step can enter: what it is called, and the first locator that means it alone
    const el = everywhere(document, "iframe,frame").filter(visible)[args.number];
    if (!el) return {};
    const one = [...candidates(el)].find(({ chain }) => means(chain, el));
    return { el, inset: placement(el), width: el.clientWidth, height: el.clientHeight, locator: one ? one.locator : "", named: [el.title, el.name, el.id].map((word) => clip(fold(word), 60)).find(Boolean) || "", src: clip(el.src || "", 500) };
  },
  lit: () => ({ boxes: all(args.chain, null).slice(0, 40).filter(visible).map((el) => plain(el.getBoundingClientRect())) }),
  survey: () => {  // what the page says now, and of that what it did not say before
    const end = performance.now() + SURVEY_MS, before = args.before && new Set(args.before), texts = [], fresh = [];
    for (const el of document.body ? everywhere(document, TOLD) : []) {
      if (texts.length >= MOST_TEXTS || performance.now() > end) break;
      if (!el.matches(LOUD) && ![...el.childNodes].some((n) => n.nodeType === 3 && /\S/.test(n.data))) continue;
      const text = clip(fold(el.textContent), 120);
      if (!text || !visible(el) || unseen(el)) continue;
      texts.push(text);
      if (before && !before.has(text) && !fresh.some((f) => f.text === text)) fresh.push({ el, text, loud: el.matches(LOUD) });
    }
    fresh.sort((a, b) => b.loud - a.loud);
    const now = new Set(texts);
    return {
      url: location.href, title: clip(document.title, 200), texts: [...now], counts: performance.now() < end ? counted() : {},
      fresh: fresh.slice(0, 6).map(({ el, text, loud }) => ({ text, loud, whole: fold(el.textContent).length <= 119, locator: lasting(el, text) })),
      gone: before ? args.before.filter((text) => !now.has(text)).slice(0, 20) : [],
    };
  },
};
