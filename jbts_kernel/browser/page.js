// The page's side of a step: find, describe, check, read. Sent whole with each call (it is small and
// the engine caches its compilation), so nothing of ours is left in the page for it to see or change.
// Called as the body of an asynchronous WebDriver script: (command, args, ...elements, done). WebKit's driver
// turns references into elements only where they are arguments of their own, as args.el is.
const [command, args, ...elements] = arguments;
const done = elements.pop();
if (args.loose) args.el = elements.shift();
const HIDDEN_TEXT = new Set(["script", "style", "noscript", "template", "head"]);
const fold = (text) => (text || "").replace(/[\s\u00a0]+/g, " ").trim();
const squeeze = (text) => (text || "").replace(/[\s\u00a0]+/g, "").toLowerCase();
const clip = (text, limit) => (text.length > limit ? text.slice(0, limit - 1) + "\u2026" : text);
const matches = (text, part) => part.exact ? fold(text) === fold(part.value)
  : fold(text).toLowerCase().includes(fold(part.value).toLowerCase());

class Invalid extends Error {}
// A host does not show its closed root; the driver knows it and passes it in.
const closed = new Map((args.closed || []).map((root) => [root.host, root]));
const shadowOf = (el) => el.shadowRoot || closed.get(el) || null;

// ---- finding ------------------------------------------------------------------------------------
function* scopes(root) {  // root and every shadow root below it that is open or was passed in
  yield root;
  for (const host of [root, ...root.querySelectorAll("*")]) if (shadowOf(host)) yield* scopes(shadowOf(host));
}
const everywhere = (root, css) => [...scopes(root)].flatMap((scope) => [...scope.querySelectorAll(css)]);

function visible(el) {
  if (el.localName === "option" || el.localName === "optgroup") return visible(el.closest("select") || el.parentElement);
  const style = el.ownerDocument.defaultView.getComputedStyle(el);
  if (style.display === "contents") return [...el.children].some(visible) || fold(el.textContent) !== "";
  if (style.visibility !== "visible") return false;
  if (el.checkVisibility && !el.checkVisibility()) return false;  // what a closed <details> holds has a box
  const box = el.getBoundingClientRect();
  return drawn(el) ? box.width > 0 || box.height > 0 : box.width > 0 && box.height > 0;
}
const drawn = (el) => el instanceof SVGGeometryElement;  // a line may have no height, a ring no middle
function textOf(el) {
  if (el.localName === "input") return /^(button|submit|reset)$/.test(el.type) ? el.value : "";
  const text = el.innerText === undefined ? el.textContent : el.innerText;
  const shadow = shadowOf(el);
  return shadow ? `${text} ${[...shadow.children].filter((c) => !HIDDEN_TEXT.has(c.localName)).map(textOf).join(" ")}` : text;
}
const unseen = (el) => Math.min(el.offsetWidth ?? 2, el.offsetHeight ?? 2) <= 1;  // text for screen readers only
// The parent in the tree that is drawn: what a slot shows lies inside the slot.
const parentOf = (el) => el.assignedSlot || el.parentElement || (el.getRootNode().host ?? null);

function byText(root, part) {
  const wanted = squeeze(part.value);
  const found = [];
  for (const el of everywhere(root, "*")) {
    if (HIDDEN_TEXT.has(el.localName) || el.closest("head")) continue;
    const raw = el.localName === "input" ? textOf(el) : el.textContent;
    if (!squeeze(raw).includes(wanted)) continue;
    if (!visible(el) || unseen(el)) continue;
    const shown = textOf(el);  // as CSS cases it; the markup's own case is as good, if the text is seen
    if (matches(shown, part) || (el.localName !== "select" && squeeze(shown).includes(wanted) && matches(raw, part))) found.push(el);
  }
  const outer = new Set();
  for (const el of found) for (let p = parentOf(el); p && !outer.has(p); p = parentOf(p)) outer.add(p);
  return found.filter((el) => !outer.has(el) && el.localName !== "option");
}
const referenced = (el, attribute) => (el.getAttribute(attribute) || "").split(/\s+/).filter(Boolean)
  .map((id) => el.getRootNode().getElementById?.(id)).filter(Boolean).map((e) => e.textContent).join(" ");
function labelsOf(el) {
  const texts = [];
  for (const label of labelsFor(el)) texts.push(ownLabelText(label, el));
  if (el.hasAttribute("aria-labelledby")) texts.push(referenced(el, "aria-labelledby"));
  if (el.hasAttribute("aria-label")) texts.push(el.getAttribute("aria-label"));
  return texts;
}
function ownLabelText(label, control) {  // the text of a label without that of the control it wraps
  const copy = label.cloneNode(true);
  for (const inner of copy.querySelectorAll("select,textarea,option,script,style")) inner.remove();
  return label.contains(control) ? copy.textContent : label.innerText || label.textContent;
}
function byLabel(root, part) {
  const css = "input:not([type=hidden]),textarea,select,button,meter,output,progress,[aria-label],[aria-labelledby]";
  return everywhere(root, css).filter((el) => labelsOf(el).some((text) => matches(text, part)));
}

function hasRoleState(el, [key, value, exact]) {
  if (key === "name") return matches(named(el), { value, exact });
  if (key === "level") return String(el.getAttribute("aria-level") || (/^h([1-6])$/.exec(el.localName) || [])[1]) === value;
  if (key === "disabled") return String(disabled(el)) === value;
  const own = { checked: el.indeterminate ? "mixed" : el.checked, selected: el.selected, expanded: el.open }[key];
  return String(el.getAttribute(`aria-${key}`) ?? own ?? "false") === value;
}
function named(el) {
  if (!memo.names.has(el)) memo.names.set(el, nameOf(el));
  return memo.names.get(el);
}
function ofRole(root, role) {
  if (root !== document || !memo.roles) return everywhere(root, "*").filter((el) => roleOf(el) === role);
  if (!memo.roles.size) for (const el of everywhere(root, "*")) (memo.roles.get(roleOf(el)) || memo.roles.set(roleOf(el), []).get(roleOf(el))).push(el);
  return memo.roles.get(role) || [];
}
function byRole(root, part) {
  const role = SAME_ROLE[part.value] || part.value;
  return ofRole(root, role).filter((el) => part.attributes.every((attribute) => hasRoleState(el, attribute)) && visible(el));
}

function find(root, part, nested) {
  const css = (selector) => {
    try { return nested ? everywhere(root, selector) : [...root.querySelectorAll(selector)]; }
    catch (error) { throw new Invalid(error.message); }
  };
  const attribute = (name) => everywhere(root, `[${name}=${JSON.stringify(part.value)}]`);
  switch (part.engine) {
    case "css": return css(part.value);
    case "id": return nested ? attribute("id") : [...root.querySelectorAll(`[id=${JSON.stringify(part.value)}]`)];
    case "name": return nested ? attribute("name") : [...root.querySelectorAll(`[name=${JSON.stringify(part.value)}]`)];
    case "testid": return attribute(args.testid || "data-testid");
    case "text": return byText(root, part);
    case "label": return byLabel(root, part);
    case "placeholder": return everywhere(root, "[placeholder],[aria-placeholder]").filter((el) =>
      matches(el.getAttribute("placeholder") ?? el.getAttribute("aria-placeholder"), part));
    case "role": return byRole(root, part);
    case "xpath": {
      try {
        const path = nested ? part.value.replace(/^(\(*)\//, "$1./") : part.value;
        const result = document.evaluate(path, root, null, XPathResult.ORDERED_NODE_SNAPSHOT_TYPE, null);
        return Array.from({ length: result.snapshotLength }, (_, i) => result.snapshotItem(i)).filter((n) => n.nodeType === 1);
      } catch (error) { throw new Invalid(error.message); }
    }
  }
  throw new Invalid(`unknown engine ${part.engine}`);
}
function all(chain, root = args.root) {
  let roots = [root || document];
  chain.forEach((part, i) => {
    if (part.engine === "nth") {
      const n = Number(part.value);
      const one = roots[n < 0 ? roots.length + n : n];
      roots = one ? [one] : [];
    } else {
      const nested = i > 0 || Boolean(root);
      const hits = roots.flatMap((root) => find(root, part, nested));
      roots = roots.length > 1 ? [...new Set(hits)] : hits;
    }
  });
  return roots;
}

// ---- describing ---------------------------------------------------------------------------------
function describe(el) {
  const names = ["id", "name", "type", "role", "data-testid", "href", "aria-label", "placeholder", "class"];
  const shown = names.filter((n) => el.hasAttribute(n)).slice(0, 4).map((n) => ` ${n}="${clip(el.getAttribute(n), 40)}"`);
  const text = clip(fold(textOf(el)), 40);
  return `<${el.localName}${shown.join("")}>${text ? `${text}</${el.localName}>` : ""}`;
}
const quoted = (text) => `"${text.replace(/\\/g, "\\\\").replace(/"/g, '\\"')}"`;
// A locator's rank: what a person sees or hears of the element before what its markup happens to be. `prefer` puts one
// kind first, as a tester began with it. Each is a chain for all() with its text.
const RANK = ["testid", "role", "label", "placeholder", "text", "css"];
const MADE_UP = /\d{4,}|[0-9a-f]{8}|^:|:$|^(ember|radix|react|headlessui|mui|ext-gen)[-_:]?\w*\d/i;  // ids a framework counts up
function* candidates(el, prefer) {
  const host = el.getRootNode().host;
  for (const engine of [...RANK].sort((a, b) => (b === prefer) - (a === prefer))) {
    for (const [value, locator, attributes] of WAYS[engine](el)) {
      const chain = [{ engine, value, exact: true, attributes: attributes || [] }];
      if (engine !== "css" || !host) yield { engine, locator, chain };
      else {
        const outer = alone(host);
        yield { engine, locator: `${outer.locator} >> ${locator}`, chain: [...outer.chain, ...chain] };
      }
    }
  }
}
const WAYS = {
  testid: (el) => [el.getAttribute(args.testid || "data-testid")].filter(Boolean).map((id) => [id, `testid=${/[\s"']/.test(id) ? quoted(id) : id}`]),
  role: (el) => {
    const role = roleOf(el), name = /^(generic|none)$/.test(role) ? "" : fold(named(el));
    return name && name.length < 60 ? [[role, `role=${role}[name=${quoted(name)}]`, [["name", name, true]]]] : [];
  },
  label: (el) => [fold(labelsOf(el)[0])].filter(Boolean).map((label) => [label, `label=${quoted(label)}`]),
  placeholder: (el) => [fold(el.getAttribute("placeholder") ?? el.getAttribute("aria-placeholder"))].filter(Boolean).map((text) => [text, `placeholder=${quoted(text)}`]),
  text: (el) => {
    const text = el.textContent.length > 2000 ? "" : fold(textOf(el));
    return text && text.length < 50 ? [[text, `text=${quoted(text)}`]] : [];
  },
  css: (el) => {
    const found = [path(el)], name = el.getAttribute("name");
    if (name && /^(input|select|textarea|button|form|iframe)$/.test(el.localName)) found.unshift(`${el.localName}[name=${JSON.stringify(name)}]`);
    if (el.id && !MADE_UP.test(el.id)) found.unshift(`#${CSS.escape(el.id)}`);
    return [...new Set(found)].map((css) => [css, css]);
  },
};
const means = (chain, el) => { const hits = all(chain, null); return hits.length === 1 && hits[0] === el; };
function alone(el, prefer) {  // the first locator of that order which means this element and no other
  let last;
  for (last of candidates(el, prefer)) if (means(last.chain, el)) return last;
  return last;
}
const suggest = (el, prefer = "css") => alone(el, prefer).locator;
function path(el) {
  const steps = [], root = el.getRootNode();
  for (let e = el; e && e.nodeType === 1; e = e.parentElement) {
    if (e.id && !MADE_UP.test(e.id)) { steps.unshift(`#${CSS.escape(e.id)}`); if (root.querySelectorAll(steps.join(" > ")).length === 1) break; steps.shift(); }
    const same = e.parentElement ? [...e.parentElement.children].filter((c) => c.localName === e.localName) : [e];
    steps.unshift(same.length > 1 ? `${e.localName}:nth-of-type(${same.indexOf(e) + 1})` : e.localName);
    if (steps.length > 1 && root.querySelectorAll(steps.join(" > ")).length === 1) break;
  }
  return steps.join(" > ");
}
const listed = (elements, limit) => elements.slice(0, limit).map((el) => ({ text: describe(el), locator: suggest(el), visible: visible(el) }));

function grams(text) {
  const padded = ` ${text.toLowerCase()} `;
  return new Set(Array.from({ length: Math.max(0, padded.length - 1) }, (_, i) => padded.slice(i, i + 2)));
}
function likeness(a, b) {  // Sorensen-Dice over letter pairs, 0 to 1
  const [x, y] = [grams(a), grams(b)];
  let shared = 0;
  for (const gram of x) if (y.has(gram)) shared += 1;
  return x.size + y.size ? (2 * shared) / (x.size + y.size) : 0;
}
function closest(chain, limit) {
  const last = chain.filter((p) => p.engine !== "nth").pop();
  const words = last.engine === "role" ? (last.attributes.find(([k]) => k === "name") || [])[1] || last.value
    : last.engine === "css" || last.engine === "xpath" ? last.value.replace(/[^\w-]+/g, " ") : last.value;
  const scored = [];
  for (const el of everywhere(document, "body *").slice(0, 20000)) {
    if (HIDDEN_TEXT.has(el.localName) || (last.engine === "label" && el.localName === "label")) continue;
    const keys = [...(last.engine === "label" ? labelsOf(el).map(fold) : []), el.id, el.getAttribute("name"), el.getAttribute(args.testid || "data-testid"), el.getAttribute("aria-label"),
      el.getAttribute("placeholder"), el.className && typeof el.className === "string" ? el.className : ""];
    if (el.children.length === 0 || /^(button|a|label|h[1-6]|li|option)$/.test(el.localName)) keys.push(clip(fold(el.textContent), 80));
    let score = 0;
    for (const key of keys) if (key) score = Math.max(score, likeness(words, key));
    if (last.engine === "role" && roleOf(el) === last.value) score += 0.3;
    if (score > 0.35) scored.push([score, el]);
  }
  scored.sort((a, b) => b[0] - a[0]);
  return listed(scored.slice(0, limit).map(([, el]) => el), limit);
}

function sealed(chain) {  // the component that a nested locator looks into, where it shows no root of its own
  for (let count = chain.length - 1; count > 0; count -= 1) {
    const hosts = all(chain.slice(0, count));
    if (hosts.length === 0) continue;
    const host = hosts.find((el) => el.localName.includes("-") && !shadowOf(el));
    return host ? suggest(host) : null;
  }
  return null;
}

// ---- acting -------------------------------------------------------------------------------------
const disabled = (el) => el.matches(":disabled") || Boolean(el.closest('button:disabled, [aria-disabled="true"]'));
const editable = (el) => el.isContentEditable || (/^(input|textarea|select)$/.test(el.localName) && !el.readOnly && !disabled(el));
// Without a prototype: a driver also sends what a page has added to all objects.
const plain = (r) => Object.assign(Object.create(null), { x: r.x, y: r.y, width: r.width, height: r.height });
const deepHit = (x, y) => {
  let hit = document.elementFromPoint(x, y);
  while (hit && shadowOf(hit)) {
    const inner = shadowOf(hit).elementFromPoint(x, y);
    if (!inner || inner === hit) break;
    hit = inner;
  }
  return hit;
};
function within(el, hit) {  // does a press on hit reach el?
  for (let e = hit; e; e = parentOf(e)) if (e === el) return true;
  const label = hit && hit.closest && hit.closest("label");
  return Boolean(label && label.control === el);
}
function onShape(el) {  // a point of an SVG shape: its middle, or half way along its line where that is empty
  const toScreen = el.getScreenCTM(), box = el.getBBox(), middle = new DOMPoint(box.x + box.width / 2, box.y + box.height / 2);
  const inked = getComputedStyle(el).fill !== "none" && el.isPointInFill(middle);
  const p = (inked ? middle : DOMPoint.fromPoint(el.getPointAtLength(el.getTotalLength() / 2))).matrixTransform(toScreen);
  return [p.x, p.y];
}
function beyond(el) {  // a point that was asked for and lies outside of the element
  const { width, height } = el.getBoundingClientRect(), [x, y] = args.at || [0, 0];
  return x < 0 || y < 0 || x > width || y > height ? { state: "beyond", by: `${Math.round(width)}x${Math.round(height)}` } : null;
}
function point(el) {
  const rects = [...el.getClientRects()].filter((r) => r.width > 0 && r.height > 0);
  if (drawn(el) && !args.at) return onShape(el);
  if (args.at) { const r = el.getBoundingClientRect(); return [r.left + args.at[0], r.top + args.at[1]]; }
  for (const r of rects) {
    const [left, right] = [Math.max(0, r.left), Math.min(innerWidth, r.right)];
    const [top, bottom] = [Math.max(0, r.top), Math.min(innerHeight, r.bottom)];
    if (right > left && bottom > top) return [(left + right) / 2, (top + bottom) / 2];
  }
  return null;
}
// Nobody can reach it: its part of the page is inert, or a modal dialog is open elsewhere.
function inert(el) {
  for (let e = el; e; e = parentOf(e)) if (e.inert || e.matches(":modal")) return Boolean(e.inert);
  return document.querySelector(":modal") !== null;
}
// What is ticked: a label, and what is in one, stands for its control. Where that is not drawn, its label is pressed.
const controlOf = (el) => ("checked" in el || el.hasAttribute("aria-checked") ? el : el.closest("label")?.control || el);
const pressed = (el) => (visible(el) ? el : labelsFor(el).find(visible) || el);
const BLOCKS = ["center", "end", "start", "nearest"];
function actionable(el, memory) {  // null when it can be acted on, else why not
  const wants = args.wants || [];
  if (!el.isConnected) return { state: "stale" };
  if (!visible(el)) return { state: "hidden" };
  if (wants.includes("enabled") && disabled(el)) return { state: "disabled" };
  if (wants.includes("editable") && !editable(el)) return { state: "readonly" };
  if (wants.length && inert(el)) return { state: "inert" };
  if (wants.includes("focus")) {
    el.focus();
    if (!within(el, deepActive())) return { state: "unfocusable" };
  }
  if (!wants.includes("point")) return null;
  const key = () => { const r = el.getBoundingClientRect(); return [r.x, r.y, r.width, r.height].join(); };
  // A look outside a frame may stand on the time the next frame has: only two times tell whether it moves.
  const time = document.timeline.currentTime, sameTime = timers && time === memory.time && (memory.sameTime = (memory.sameTime || 0) + 1) < 4;
  const replaced = memory.el !== undefined && memory.el !== el;  // who presses one and lets go over another presses none
  const moved = memory.box !== key() || replaced || sameTime;
  const unjudged = memory.box === undefined || (sameTime && memory.box === key());  // no reason yet, should time be up
  memory.time = time;
  const view = point(el);
  const outside = !view || view[0] < 0 || view[1] < 0 || view[0] >= innerWidth || view[1] >= innerHeight;
  if (!outside && !memory.framed && window !== window.top) {  // the frame itself may be out of view
    memory.framed = true;
    el.scrollIntoView({ block: "nearest", inline: "nearest", behavior: "instant" });
  }
  if (outside || memory.covered) {
    el.scrollIntoView({ block: BLOCKS[memory.scrolls++ % 4], inline: "nearest", behavior: "instant" });
    const [x, y] = (args.at && point(el)) || [0, 0];  // a point of an element larger than the view
    const amiss = (at, size) => (at < 0 || at >= size ? at - size / 2 : 0);  // to the middle: at the rim lie scroll bars
    if (args.at) scrollBy({ left: amiss(x, innerWidth), top: amiss(y, innerHeight), behavior: "instant" });
    memory.covered = false;
  } else if (window.parent !== window && memory.box === undefined) {
    el.scrollIntoView({ block: "nearest", inline: "nearest", behavior: "instant" });  // the frame may be out of sight
  }
  const redrawn = replaced && memory.box === key();
  [memory.box, memory.el] = [key(), el];  // after our own scrolling, which is no movement of the page's
  if (moved) return { state: redrawn ? "redrawn" : "moving", unjudged };
  const [x, y] = point(el) || [-1, -1];
  if (x < 0 || y < 0 || x >= innerWidth || y >= innerHeight) return { state: "offscreen" };
  const hit = deepHit(x, y);
  if (!within(el, hit)) {
    memory.covered = true;
    return getComputedStyle(el).pointerEvents === "none" ? { state: "untouchable" } : beyond(el) || { state: "covered", by: hit ? describe(hit) : "nothing" };
  }
  memory.point = [x, y];
  return null;
}

// ---- conditions ---------------------------------------------------------------------------------
const valueOf = (el) => el.localName === "select" && el.multiple ? [...el.selectedOptions].map((o) => o.value).join(",") : el.value ?? el.getAttribute("value");
const isChecked = (el) => controlOf(el).checked ?? el.getAttribute("aria-checked") === "true";
const checkable = (el) => /^(checkbox|radio)$/.test(el.type) || controlOf(el) !== el || el.hasAttribute("aria-checked")
  || /^(checkbox|radio|switch)$/.test(el.getAttribute("role"));
const STATES = {
  visible, hidden: (el) => !visible(el), enabled: (el) => !disabled(el), disabled, checked: isChecked, unchecked: (el) => checkable(el) && !isChecked(el),
  selected: (el) => el.selected ?? el.getAttribute("aria-selected") === "true", focused: (el) => deepActive() === el, editable,
  empty: (el) => (/^(input|textarea|select)$/.test(el.localName) ? el.value === "" : fold(el.textContent) === "" && !el.querySelector("img,svg,canvas,video,input")),
  present: () => true,
};
function deepActive() {
  let active = document.activeElement;
  while (active && shadowOf(active)?.activeElement) active = shadowOf(active).activeElement;
  return active;
}
function shownText(el) {
  return /^(input|textarea)$/.test(el.localName) ? el.value : fold(textOf(el));
}
const spaced = (text) => fold(text).replace(/\s*,\s*/g, ", ");  // as browsers write a colour's numbers
// A computed value by the property's CSS name or its script name; a colour in another space is drawn, to be rgb().
function styled(el, name) {
  const css = name.startsWith("--") ? name : name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
  const value = getComputedStyle(el).getPropertyValue(css);
  if (!/^(oklch|oklab|lch|lab|color|hwb)\([^()]*\)$/.test(value)) return value;
  const canvas = document.createElement("canvas"), pen = canvas.getContext("2d");
  canvas.width = canvas.height = 1;
  pen.fillStyle = value;
  pen.fillRect(0, 0, 1, 1);
  const [r, g, b, a] = pen.getImageData(0, 0, 1, 1).data;
  return a === 255 ? `rgb(${r}, ${g}, ${b})` : `rgba(${r}, ${g}, ${b}, ${Number((a / 255).toFixed(3))})`;
}
function condition(found) {  // {ok, actual, el}
  const { word, argument, value, negated, first } = args;
  const judge = (holds, actual, el) => ({ ok: holds !== negated, actual, el });
  if (word === "count") return judge(found.length === Number(value), String(found.length), found[0]);
  if (word === "gone") return judge(found.length === 0, found.length ? "present" : "gone", found[0]);
  if (found.length === 0) {
    if (word === "hidden" || word === "present") return judge(word === "hidden", "absent");
    if (word === "visible") return judge(false, "absent");
    return { ok: false, actual: "absent", absent: true };
  }
  if (found.length > 1 && (word === "hidden" || (negated && word === "visible"))) {
    const shown = found.some(visible);
    return judge((word === "visible") === shown, shown ? "visible" : "hidden", found[0]);
  }
  if (word === "present" && negated) return judge(true, "present", found[0]);
  if (found.length > 1 && !first) return { ambiguous: true };
  if (word === "clickable") {
    args.wants = ["enabled", "point"];
    const why = actionable(found[0], args.memory ||= { scrolls: 0 });
    return { ...judge(why === null, why ? why.state : "clickable", found[0]), unjudged: why?.unjudged };
  }
  const el = found[0];
  if (word in STATES) {
    const holds = Boolean(STATES[word](el));
    const opposite = { visible: "hidden", hidden: "visible", enabled: "disabled", disabled: "enabled", checked: "unchecked", unchecked: "checked" };
    const untickable = word === "unchecked" && !checkable(el) ? "nothing that can be ticked" : "";
    return judge(holds, holds ? word : untickable || opposite[word] || `not ${word}`, el);
  }
  const actual = word === "text" || word === "contains" ? shownText(el) : word === "value" ? valueOf(el)
    : word === "attribute" ? el.getAttribute(argument) : styled(el, argument);
  if (actual === null || actual === undefined) return judge(false, null, el);
  const holds = word === "contains" ? fold(actual).includes(fold(value))
    : word === "attribute" && value === null ? true
    : word === "css" ? spaced(actual) === spaced(value) : fold(actual) === fold(value);
  return judge(holds, clip(String(actual), 2000), el);
}

// ---- waiting ------------------------------------------------------------------------------------
// A background tab gets no animation frames, so a timer runs beside them. It is slow where the tab is seen:
// two looks within one frame of a busy machine cannot tell whether an element moves.
// Where a page may run no scripts (a sandbox) no timer of ours fires either: one answer, and we are asked again.
const timers = !matchMedia("(scripting: none)").matches;
const frame = () => timers && new Promise((go) => { requestAnimationFrame(go); setTimeout(go, document.hidden ? 40 : 1000); });
const pause = (ms) => timers && new Promise((go) => setTimeout(go, ms));
async function poll(check) {  // the last answer, with what was seen on the way to it
  const begun = performance.now(), end = begun + args.slice, seen = [];
  for (let turn = 0; ; turn += 1) {
    memo = { names: new WeakMap(), labels: new WeakMap() };
    const answer = check(), { state, by, count } = answer, last = seen[seen.length - 1];
    const actual = state === "unmet" ? clip(String(answer.actual ?? ""), 200) : undefined;
    if (last && last.state === state && last.by === by && last.actual === actual) last.looks += 1;
    else if (seen.length < 20) seen.push({ state, by, count, actual, at: performance.now() - begun, looks: 1 });
    const over = !answer.unjudged && performance.now() >= end;  // one look alone cannot tell whether it moves
    if (!answer.again || over || (turn > 0 && !timers)) return { ...answer, seen };
    await (turn < 6 || state === "moving" || state === "redrawn" ? frame() : pause(Math.min(100, 10 * turn)));
  }
}

// ---- frames -------------------------------------------------------------------------------------
// Where a frame's own viewport lies in its parent's, as the six numbers of a CSS matrix(). The middle of a box
// stays its middle under every transform, so only turning and scaling have to be gathered from the ancestors.
function placement(el) {
  let turn = new DOMMatrix();
  for (let e = el; e; e = parentOf(e)) {
    const style = styleOf(e), own = new DOMMatrix();
    if (style.rotate !== "none") own.multiplySelf(new DOMMatrix(`rotate(${style.rotate})`));
    if (style.scale !== "none") own.multiplySelf(new DOMMatrix(`scale(${style.scale.split(" ").slice(0, 2).join()})`));
    if (style.transform !== "none") own.multiplySelf(new DOMMatrix(style.transform));
    turn = own.multiplySelf(turn);
  }
  const box = el.getBoundingClientRect(), style = styleOf(el), zoom = el.currentCSSZoom ?? 1;
  const { a, b, c, d } = turn.scale(zoom);
  const dx = el.clientLeft + parseFloat(style.paddingLeft) - el.offsetWidth / 2;
  const dy = el.clientTop + parseFloat(style.paddingTop) - el.offsetHeight / 2;
  return { a, b, c, d, x: box.x + box.width / 2 + a * dx + c * dy, y: box.y + box.height / 2 + b * dx + d * dy };
}
// ---- covering -----------------------------------------------------------------------------------
const secret = (text) => Boolean(text) && args.secrets.some((s) => text.includes(s));
function secretBoxes(scope, add) {
  for (const el of scope.querySelectorAll("input,textarea")) if (el.type !== "password" && secret(el.value) && visible(el)) add(el.getBoundingClientRect());
  const page = scope.ownerDocument || scope;
  const walker = page.createTreeWalker(scope, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) if (secret(walker.currentNode.data)) {
    const list = walker.currentNode.parentElement?.closest("select");  // an option's own text has no box
    if (list && visible(list)) add(list.getBoundingClientRect());
    const range = page.createRange();
    range.selectNodeContents(walker.currentNode);
    for (const box of range.getClientRects()) add(box);
  }
}

const TABLES = "table,[role=table],[role=grid],[role=treegrid]";
const CELLS = "td,th,[role=cell],[role=gridcell],[role=columnheader],[role=rowheader]";
function tableOf(el) {  // its rows of texts; of what is no table and has no rows, the tables there are
  const rows = [...(el.rows || el.querySelectorAll("tr,[role=row]"))];
  if (!rows.length && !el.rows && !el.matches(TABLES)) return { matches: listed(everywhere(document, TABLES).filter(visible), 5) };
  return { value: rows.map((row) => [...(row.cells || row.querySelectorAll(CELLS))].map((cell) => fold(textOf(cell)))) };
}
const COMMANDS = {
  element: () => {
    const memory = { scrolls: 0 };
    return poll(() => {
      const found = all(args.chain);
      if (found.length === 0) return { state: "absent", again: true };
      if (found.length > 1 && !args.first) return { state: "ambiguous", count: found.length, matches: listed(found, 6) };
      const el = args.tick ? controlOf(found[0]) : found[0];
      const why = args.tick && disabled(el) ? { state: "disabled" } : actionable(args.tick ? pressed(el) : el, memory);
      if (why) return { ...why, again: true, matches: [{ text: describe(el) }], label: pressed(el) === el ? null : suggest(pressed(el)) };
      return { state: "ready", el, box: plain(el.getBoundingClientRect()), point: memory.point, text: describe(el), kind: el.localName, type: el.type || "" };
    });
  },
  condition: () => poll(() => {
    const found = all(args.chain);
    const result = condition(found);
    if (result.ambiguous) return { state: "ambiguous", count: found.length, matches: listed(found, 6) };
    return { state: result.ok ? "ready" : "unmet", again: !result.ok, actual: result.actual, absent: result.absent, none: found.length === 0, el: result.el, unjudged: result.unjudged,
      box: result.el && result.el.isConnected ? plain(result.el.getBoundingClientRect()) : null };
  }),
  page: () => poll(() => {
    const actual = { url: location.href, title: document.title, text: args.word === "text" ? clip(fold(textOf(document.body || document.documentElement)), 100000) : "" }[args.word];
    const holds = args.pattern ? new RegExp(args.pattern).test(actual)
      : args.word === "text" ? fold(actual).toLowerCase().includes(fold(args.value).toLowerCase()) : fold(actual) === fold(args.value);
    return { state: holds !== args.negated ? "ready" : "unmet", again: holds === args.negated, actual: clip(actual, 300) };
  }),
  count: () => { const count = all(args.chain).length; return { count, none: count === 0 }; },
  pick: () => ({ el: all(args.chain)[0] }),
  ...(typeof POINTING === "undefined" ? {} : POINTING),  // pointing.js, where it came before
  closest: () => ({ matches: closest(args.chain, args.limit || 5), sealed: sealed(args.chain) }),
  loaded: () => new Promise((go) => {
    if (document.readyState === "complete") go({ state: "ready" });
    else if (!timers) go({ state: document.readyState });
    else addEventListener("load", () => go({ state: "ready" }), { once: true });
    setTimeout(() => go({ state: document.readyState === "complete" ? "ready" : document.readyState }), args.slice);
  }),
  probe: async () => {
    await pause(0);  // a form's navigation begins in a task of its own, after the click's
    const entry = performance.getEntriesByType("navigation")[0];
    const el = args.el && args.el.isConnected ? args.el : null;
    const box = el ? el.getBoundingClientRect() : null;
    return { url: location.href, title: clip(document.title, 500), width: innerWidth, height: innerHeight, top: window.top === window,
      status: entry && entry.responseStatus ? entry.responseStatus : null, box: box && box.width ? plain(box) : null };
  },
  // Has the page seen the pointer where it was moved to? (Rounding moves it, in a frame that is scaled more so.)
  listen: () => {
    if (!globalThis.pointing) addEventListener("mousemove", (event) => { pointing.at = [event.clientX, event.clientY]; }, true);
    globalThis.pointing = { at: null };
    return {};
  },
  pointed: () => poll(() => {
    const at = globalThis.pointing?.at, there = at && Math.hypot(at[0] - args.x, at[1] - args.y) < 4;
    return { state: there ? "ready" : "elsewhere", again: !there };
  }),
  focus: () => {
    const el = args.el, rich = el.isContentEditable;
    el.focus();
    if (args.caret && rich) getSelection().selectAllChildren(el);
    if (args.caret === "end" && rich) getSelection().collapseToEnd();
    const placed = rich || (el.selectionEnd ?? null) !== null;  // e-mail and number inputs have no caret to set
    if (args.caret === "end" && !rich && placed) el.setSelectionRange(el.value.length, el.value.length);
    if (args.caret === "all" && el.select && el.value) el.select();
    return { value: rich ? el.textContent : el.value ?? "", placed, nested: el.getRootNode() !== document };
  },
  assign: () => {  // inputs that a keyboard fills differently on every platform: date, time, colour, range
    const el = args.el;
    Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, "value").set.call(el, args.value);
    for (const type of ["input", "change"]) el.dispatchEvent(new Event(type, { bubbles: true }));
    return { value: el.value };
  },
  options: () => ({ options: [...(args.el.options || [])].map((o) => ({ label: fold(o.label), value: o.value, index: o.index, selected: o.selected, disabled: o.disabled })), multiple: args.el.multiple }),
  select: () => {
    const wanted = new Set(args.indexes);
    for (const option of args.el.options) {
      const on = args.mode === "set" ? wanted.has(option.index) : args.mode === "remove" ? option.selected && !wanted.has(option.index) : option.selected;
      if (option.selected !== on) option.selected = on;
    }
    for (const type of ["input", "change"]) args.el.dispatchEvent(new Event(type, { bubbles: true }));
    return { values: [...args.el.selectedOptions].map((o) => o.value) };
  },
  read: () => {
    const el = args.el;
    switch (args.what) {
      case "text": return { value: shownText(el) };
      case "value": return { value: valueOf(el) };
      case "draggable": return { value: Boolean(el.closest('[draggable="true"]')) };
      case "attribute": return { value: el.getAttribute(args.argument) };
      case "checked": return { value: checkable(el) ? isChecked(el) : null };
      case "table": return tableOf(el);
    }
  },
  inset: () => placement(args.el),
  // What must not be seen in a picture, each from its own frame's viewport.
  masks: () => ({ boxes: args.chains.flatMap((chain) => all(chain)).filter(visible).map((el) => plain(el.getBoundingClientRect())) }),
  covers: () => {
    const boxes = [];
    if (args.secrets.length) for (const scope of scopes(document)) secretBoxes(scope, (box) => boxes.push(plain(box)));
    return { boxes, x: scrollX, y: scrollY };
  },
  frame: () => {
    const el = everywhere(document, "iframe,frame").filter(visible)[args.number];
    return el ? { el, inset: placement(el), width: el.clientWidth, height: el.clientHeight } : {};
  },
  scroll: () => {
    if (args.el) args.el.scrollIntoView({ block: "center", inline: "center", behavior: "instant" });
    else window.scrollTo({ left: args.x ?? scrollX, top: args.y === "bottom" ? document.documentElement.scrollHeight : args.y, behavior: "instant" });
    return { x: scrollX, y: scrollY };
  },
};
// A driver goes on in the whole page, without a word, when the frame it was in is removed.
const gone = args.framed && window.parent === window;
Promise.resolve().then(() => (gone ? { state: "unframed" } : COMMANDS[command]())).then(done, (error) => done({ state: "invalid", message: error.message, ours: error instanceof Invalid, trace: error.stack }));
