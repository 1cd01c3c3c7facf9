// What is wrong with where things are: cut, overlapping, out of reach, covered, broken or missing.
// Each rule pushes {rule, el, message, evidence, rect}; thresholds are in CSS pixels and were chosen so that
// the ways people do these things on purpose stay silent.
const found = [];
const report = (rule, el, message, evidence, rect) => { if (found.length < 200) found.push({ rule, el, message, evidence: clip(evidence || "", 300), rect: rect || rectOf(el) }); };
const named = (el) => { const text = words(el); return text ? `\u201c${clip(text, 60)}\u201d` : `<${el.localName}>`; };
const CAROUSEL = '[aria-roledescription=carousel],[class*=carousel i],[class*=slider i],[class*=slide i],[class*=swiper i],[class*=marquee i],[class*=ticker i],[class*=scroller i]';
const HIDDEN_ON_PURPOSE = "[aria-hidden=true],[inert]";

// ---- cut text -----------------------------------------------------------------------------------------
const MORE = /\b(more|expand|show|read|full|all|details|mehr|plus)\b/i;
function foldedOnPurpose(cutter) {  // a teaser that fades out or opens
  const s = styleOf(cutter), r = rectOf(cutter);
  if ((s.maskImage || s.webkitMaskImage || "none") !== "none") return true;
  for (const pseudo of ["::after", "::before"]) if (/gradient/.test(getComputedStyle(cutter, pseudo).backgroundImage)) return true;
  if ([...cutter.children].some((c) => /gradient/.test(styleOf(c).backgroundImage) && /absolute|sticky/.test(styleOf(c).position))) return true;
  if (cutter.id && document.querySelector(`[aria-controls~="${CSS.escape(cutter.id)}"]`)) return true;
  const near = cutter.parentElement ? [...cutter.parentElement.querySelectorAll("button,a,summary,label,[role=button]")] : [];
  return near.some((b) => !within(b, cutter) && (b.getAttribute("aria-expanded") === "false" || MORE.test(b.textContent)) && rectOf(b).top >= r.top - 4 && rectOf(b).top - r.bottom < 80);
}
function clippedText() {
  const told = new Set();
  for (const t of texts()) {
    if (matchesUp(t.el, HIDDEN_ON_PURPOSE) || t.el.closest("svg")) continue;
    const cutters = clippers(t.el);
    for (const [depth, cutter] of cutters.entries()) {
      if (told.has(cutter)) break;
      const s = styleOf(cutter), b = rectOf(cutter);
      const outer = cutters.slice(depth + 1);
      if (b.width <= 2 || b.height <= 2 || !visiblePart(b, outer)) break;
      const [sx, sy] = [clips(s, "x") && !scrolls(cutter, "x"), clips(s, "y") && !scrolls(cutter, "y")];
      const inner = cutters.slice(0, depth);
      const rects = t.rects.map((r) => visiblePart(r, inner)).filter(Boolean);
      if (!rects.length || inner.some((e) => scrolls(e, "x") || scrolls(e, "y"))) continue;
      if (moving(t.el) || matchesUp(t.el, CAROUSEL)) break;
      const block = blockOf(t.el), ellipsis = anyAncestor(t.el, (e) => styleOf(e).textOverflow !== "clip" && clips(styleOf(e), "x"));
      const clamped = anyAncestor(t.el, (e) => styleOf(e).webkitLineClamp !== "none" && styleOf(e).webkitLineClamp !== "" && within(cutter, e));
      // sideways: the line begins in the box and runs out of it
      if (sx && !ellipsis) {
        const cut = rects.filter((r) => r.left < b.right - 4 && r.right > b.left + 4 && (r.right - b.right > 4 || b.left - r.left > 4) && r.bottom > b.top + 2 && r.top < b.bottom - 2);
        const track = block !== cutter && within(cutter, block) && rectOf(block).right - b.right > 4 && (block.parentElement === cutter ? cutter : block.parentElement).children.length > 2 && styleOf(block.parentElement).display.includes("flex");
        const shifted = anyAncestor(t.el, (e) => e !== cutter && within(cutter, e) && styleOf(e).transform !== "none");
        if (cut.length && !track && !shifted && !t.el.title && !cutter.title && !matchesUp(t.el, "[title]")) {
          told.add(cutter);
          report("clipped-text", cutter, `text is cut off at the side of its box: ${named(t.el)}`, t.text, b);
          break;
        }
      }
      // downwards: one line is seen and a later one is cut or gone
      if (sy && !clamped && !told.has(cutter)) {
        const lines = (block === cutter || within(cutter, block) ? texts().filter((o) => blockOf(o.el) === block).flatMap((o) => o.rects) : rects);
        const height = (r) => r.bottom - r.top, inside = (r) => Math.max(0, Math.min(r.bottom, b.bottom) - Math.max(r.top, b.top)) / Math.max(1, height(r));
        const whole = lines.some((r) => inside(r) > 0.75), lost = lines.filter((r) => inside(r) < 0.7 && r.bottom > b.bottom);
        const through = lines.some((r) => inside(r) > 0.12 && inside(r) < 0.62);
        const root = rectOf(cutter).height > innerHeight * 0.9 && styleOf(cutter).position !== "static" ? cutter : null;
        if (!root && (through || (whole && lost.length)) && lines.some((r) => inside(r) > 0.1) && !foldedOnPurpose(cutter)) {
          told.add(cutter);
          report("clipped-text", cutter, `text is cut off at the bottom of its box: ${named(block)}`, clip(words(block), 200), b);
          break;
        }
      }
      if (sx || sy) { if (!rects.some((r) => visiblePart(r, [cutter]))) break; }
    }
  }
}
function spillingText() {  // text that runs out of the box drawn around it
  const told = new Set();
  for (const t of texts()) {
    if (matchesUp(t.el, HIDDEN_ON_PURPOSE) || t.el.closest("svg") || moving(t.el)) continue;
    for (let e = t.el; e && e !== document.body; e = parentOf(e)) {
      const s = styleOf(e);
      if (told.has(e) || s.overflowX !== "visible" || s.overflowY !== "visible") break;
      if (e !== t.el && /absolute|fixed/.test(s.position) && !opaque(e)) break;
      const drawnBox = s.display !== "inline" && (parseFloat(s.borderRightWidth) > 0 || alpha(s.backgroundColor) > 0.05);
      if (drawnBox) {
        const b = rectOf(e), out = t.rects.filter((r) => r.right - b.right > 5 && r.left < b.right - 5 && r.top < b.bottom && r.bottom > b.top);
        const down = t.rects.filter((r) => r.top + (r.bottom - r.top) * 0.5 > b.bottom && r.left < b.right && r.right > b.left);
        if (b.width > 12 && b.height > 8 && (out.length || (down.length && t.rects.some((r) => r.top < b.bottom)))) {
          told.add(e);
          report("text-spills", e, `text runs out of its box: ${named(t.el)}`, t.text, b);
        }
        break;
      }
      if (/absolute|fixed|sticky/.test(s.position) || s.transform !== "none" || s.float !== "none") break;
    }
  }
}

// ---- overlapping text -----------------------------------------------------------------------------------
const POPUP = "[role=menu],[role=listbox],[role=dialog],[role=alertdialog],[role=tooltip],[role=tree],[role=grid],[popover],dialog,[aria-modal=true],details[open] > :not(summary)";
const floats = (el) => anyAncestor(el, (e) => /fixed|sticky/.test(styleOf(e).position));
function popup(el) {  // something opened over the page on purpose
  if (matchesUp(el, POPUP)) return true;
  const open = every("[aria-expanded=true]");
  return open.some((o) => { const id = o.getAttribute("aria-controls"); const target = id && document.getElementById(id); return target ? within(target, el) : o.parentElement && within(o.parentElement, el) && !within(o, el) && /absolute|fixed/.test(styleOf(anyAncestor(el, (e) => /absolute|fixed/.test(styleOf(e).position)) || el).position); });
}
const rotated = (el) => anyAncestor(el, (e) => { const m = /matrix\(([^)]+)\)/.exec(styleOf(e).transform); const p = m ? m[1].split(",").map(Number) : null; return /matrix3d/.test(styleOf(e).transform) || (p && (Math.abs(p[1]) > 0.05 || Math.abs(p[2]) > 0.05)); });
const outside = (el, spot) => { const [r, x, y] = [rectOf(el), (spot.left + spot.right) / 2, (spot.top + spot.bottom) / 2]; return x < r.left - 1 || x > r.right + 1 || y < r.top - 1 || y > r.bottom + 1; };
const TYPED = /^(text|search|email|url|tel|number|textarea)$/;
let measuring = null;
function writtenIn(el) {  // where the value or the hint of a field is drawn
  const text = fold(TYPED.test(el.type) ? el.value || (el.placeholder || "").trim() : "");
  if (!text || !drawn(el) || forReaders(el) || matchesUp(el, HIDDEN_ON_PURPOSE)) return null;
  const s = styleOf(el), r = rectOf(el), size = parseFloat(s.fontSize), at = (side) => parseFloat(s[`padding${side}`]) + parseFloat(s[`border${side}Width`]);
  measuring ||= document.createElement("canvas").getContext("2d");
  measuring.font = `${s.fontWeight} ${s.fontSize} ${s.fontFamily}`;
  const box = { left: r.left + at("Left"), right: r.right - at("Right"), top: r.top + at("Top"), bottom: r.bottom - at("Bottom") };
  const middle = el.localName === "textarea" ? box.top + size * 0.6 : (box.top + box.bottom) / 2, width = Math.min(box.right - box.left, measuring.measureText(text).width);
  if (/end|right|center/.test(s.textAlign) || s.direction === "rtl" || alpha(s.color) * opacityOf(el) < 0.3) return null;
  return { text, size, r: { left: box.left, right: box.left + width, top: middle - size * 0.35, bottom: middle + size * 0.35 } };
}
function tightLines() {  // lines of one text so close that they run into each other
  const told = new Set();
  for (const t of texts()) {
    const block = blockOf(t.el), size = parseFloat(styleOf(t.el).fontSize);
    if (t.rects.length < 2 || told.has(block) || matchesUp(t.el, HIDDEN_ON_PURPOSE) || t.el.closest("svg,ruby") || rotated(t.el) || moving(t.el) || !/^horizontal/.test(styleOf(t.el).writingMode)) continue;
    const tight = t.rects.some((r, i) => { const n = t.rects[i + 1], d = n && n.top - r.top; return n && d > 1 && d < size * 0.62 && Math.min(r.right, n.right) - Math.max(r.left, n.left) > 20; });
    if (!tight || !visiblePart(unite(t.rects), clippers(t.el))) continue;
    told.add(block);
    report("overlap", block, `lines of a text run into each other: ${named(block)}`, t.text);
  }
}
const placed = (el) => /absolute|relative/.test(styleOf(blockOf(el)).position) && !/^(auto|0px)$/.test(styleOf(blockOf(el)).top) || parseFloat(styleOf(blockOf(el)).marginTop) < 0;
function overlaps() {
  const items = [];
  for (const t of texts()) {
    if (matchesUp(t.el, HIDDEN_ON_PURPOSE) || t.el.closest("svg,ruby") || alpha(styleOf(t.el).color) * opacityOf(t.el) < 0.3 || rotated(t.el) || moving(t.el)) continue;
    const cutters = clippers(t.el), size = parseFloat(styleOf(t.el).fontSize);
    for (const whole of t.rects) {
      const r = visiblePart(whole, cutters);
      if (!r) continue;
      const h = whole.bottom - whole.top, middle = { left: r.left, right: r.right, top: Math.max(r.top, whole.top + h * 0.22), bottom: Math.min(r.bottom, whole.bottom - h * 0.18) };
      if (middle.bottom > middle.top) items.push({ t, size, block: blockOf(t.el), r: middle, whole: { left: r.left, right: r.right, top: Math.max(r.top, whole.top + h * 0.08), bottom: Math.min(r.bottom, whole.bottom) } });
    }
  }
  for (const el of every("input,textarea")) {  // what stands in a field is text too
    const value = writtenIn(el);
    if (value) items.push({ t: { el, text: value.text }, size: value.size, block: el, r: value.r, whole: value.r });
  }
  items.sort((a, b) => a.whole.top - b.whole.top);
  const told = new Set();
  for (let i = 0; i < items.length; i += 1) {
    for (let j = i + 1; j < items.length && items[j].whole.top < items[i].whole.bottom; j += 1) {
      const [a, b] = [items[i], items[j]];
      if (a.block === b.block || told.has(a.block) && told.has(b.block) || a.t.text === b.t.text) continue;
      const middles = cross(a.r, b.r), c = middles.bottom > middles.top ? middles : cross(a.whole, b.whole), w = c.right - c.left, high = (key) => { const one = cross(a[key], b[key]); return (one.bottom - one.top) / Math.min(a[key].bottom - a[key].top, b[key].bottom - b[key].top); };
      if (w < 5 || (high("r") < 0.25 && (high("whole") < (placed(a.t.el) || placed(b.t.el) ? 0.18 : 0.3) || w < 24)) || Math.max(a.size, b.size) > 3 * Math.min(a.size, b.size)) continue;
      if (w < 0.12 * Math.min(a.r.right - a.r.left, b.r.right - b.r.left) && w < 14) continue;
      if (floats(a.t.el) !== floats(b.t.el) || popup(a.t.el) !== popup(b.t.el)) continue;  // one lies above the page
      const stack = hits((c.left + c.right) / 2, (c.top + c.bottom) / 2) || [];
      const [ia, ib] = [stack.findIndex((e) => e === a.block || within(a.block, e)), stack.findIndex((e) => e === b.block || within(b.block, e))];
      if (ia < 0 && ib < 0 && outside(a.block, c) && outside(b.block, c) && stack[0] && within(stack[0], a.block) && within(stack[0], b.block)) {
        told.add(a.block); told.add(b.block);
        report("overlap", b.t.el, `two texts run out of their boxes and over each other: ${named(a.t.el)} and ${named(b.t.el)}`, `${a.t.text} / ${b.t.text}`, unite([a.r, b.r]));
        continue;
      }
      const runs = (item, other, depth) => depth === 0 && outside(item.block, c) && !within(item.block, other.block);  // the browser does not name what spills
      if ((ia < 0 && runs(a, b, ib)) || (ib < 0 && runs(b, a, ia))) {
        const [out, under] = ia < 0 ? [a, b] : [b, a];
        told.add(a.block); told.add(b.block);
        report("overlap", out.t.el, `${named(out.t.el)} runs out of its box and over ${named(under.t.el)}`, `${out.t.text} / ${under.t.text}`, unite([a.r, b.r]));
        continue;
      }
      if (ia < 0 || ib < 0) continue;  // one of them is turned away, behind, or lets presses through
      const [upper, lower] = ia < ib ? [a, b] : [b, a];
      const between = stack.slice(0, Math.max(ia, ib)).find((e) => opaque(e) && !within(e, lower.t.el));
      if (between) {  // it hides the text below: all of it is a stack of layers, a corner of it a badge
        const hidden = area(cross(rectOf(between), lower.r)) / Math.max(1, area(lower.r));
        if (hidden < 0.35 || hidden > 0.97 || popup(between) || floats(between) || rectOf(between).width < 48) continue;
        told.add(a.block); told.add(b.block);
        report("overlap", lower.t.el, `${named(upper.t.el)} lies over ${named(lower.t.el)} and hides part of it`, `${lower.t.text} / ${upper.t.text}`, unite([a.r, b.r]));
      } else {
        told.add(a.block); told.add(b.block);
        report("overlap", upper.t.el, `two texts are drawn over each other: ${named(upper.t.el)} and ${named(lower.t.el)}`, `${upper.t.text} / ${lower.t.text}`, unite([a.r, b.r]));
      }
    }
  }
}

const SPOTS = [0.06, 0.2, 0.35, 0.5, 0.65, 0.8, 0.94];
function coverAt(block, el, x, y) {  // the opaque thing that lies over a text there
  const hit = document.elementFromPoint(x, y);
  if (!hit || within(block, hit) || within(hit, el)) return null;
  const cover = anyAncestor(hit, (e) => within(e, el) || opaque(e));
  return cover && !within(cover, el) ? cover : null;
}
function onPurpose(cover, el) {  // a bar, a menu, a dialog, a badge
  return popup(cover) || (floats(cover) && floats(cover) !== floats(el)) || rectOf(cover).width < 48 || moving(cover);
}
function hiddenText() {  // a box over a good part of a line, or over whole lines of a text that goes on beside it
  const shown = new Set(), buried = [];
  let looks = 0;
  for (const b of blocks()) {
    if (looks > 800) break;
    if (matchesUp(b.el, HIDDEN_ON_PURPOSE) || b.el.closest("svg,label") || rotated(b.el) || moving(b.el) || matchesUp(b.el, CAROUSEL)) continue;
    if (anyAncestor(b.el, (e) => styleOf(e).pointerEvents === "none")) continue;
    if (found.some((f) => f.rule === "overlap" && (within(b.el, f.el) || within(f.el, b.el)))) continue;
    let [open, partly, whole] = [0, null, null];
    for (const t of b.pieces) {
      const cutters = clippers(t.el);
      for (const line of t.rects) {
        const r = visiblePart(line, cutters);
        if (!r || r.right - r.left < 16) continue;
        looks += SPOTS.length;
        const covers = SPOTS.map((p) => at(r.left + (r.right - r.left) * p, (r.top + r.bottom) / 2, (x, y) => coverAt(b.el, t.el, x, y))).filter(Boolean);
        if (covers.length < 3) open += 1;
        else if (!onPurpose(covers[0], t.el)) { if (covers.length < SPOTS.length) partly = { t, r, cover: covers[0] }; else whole = { t, r, cover: covers[0] }; }
      }
    }
    if (open) shown.add(b.el);
    if (whole && !open && !partly) buried.push({ el: b.el, ...whole });
    const one = partly || (open ? whole : null);  // a text that is hidden altogether is a layer behind another
    if (one) report("overlap", one.t.el, `${named(one.cover)} lies over ${named(one.t.el)} and hides part of it`, one.t.text, one.r);
  }
  const one = buried.find((f) => ["P", "LI"].includes(f.el.nodeName) && !within(f.el.parentElement, f.cover) && [...f.el.parentElement.children].some((e) => e.nodeName === f.el.nodeName && shown.has(e)));
  if (one) report("overlap", one.t.el, `${named(one.cover)} lies over ${named(one.t.el)} and hides it, and not what stands beside it`, one.t.text, one.r);  // a paragraph among others is no layer
}

// ---- out of reach ---------------------------------------------------------------------------------------
const ASIDE = "nav,aside,[role=dialog],[role=menu],[role=navigation],[class*=menu i],[class*=drawer i],[class*=sidebar i],[class*=offcanvas i],[class*=off-canvas i],[class*=panel i],[class*=skip i],[class*=sr-only i],[class*=hidden i],[class*=toast i],[class*=tooltip i],[class*=modal i]";
const unscrollable = (axis) => [document.documentElement, document.body].some((e) => /hidden|clip/.test(axis === "x" ? styleOf(e).overflowX : styleOf(e).overflowY));
const modalOpen = () => every("dialog[open],[aria-modal=true]").some(drawn) || [...document.body.querySelectorAll("*")].slice(0, 4000).some((e) => styleOf(e).position === "fixed" && drawn(e) && area(cross(rectOf(e), { left: 0, top: 0, right: innerWidth, bottom: innerHeight })) > 0.5 * innerWidth * innerHeight);
function cutByWindow(pinned) {  // a dialog that is taller than the window, not one that waits outside or peeks in
  const r = rectOf(pinned), shown = cross(r, { left: 0, top: 0, right: innerWidth, bottom: innerHeight });
  return !scrolls(pinned, "y") && shown.right - shown.left > 0.5 * (r.right - r.left) && shown.bottom - shown.top > Math.max(0.25 * (r.bottom - r.top), 120);
}
function offScreen() {
  const told = new Set(), [dx, dy] = [root.scrollLeft, root.scrollTop];
  const rtl = styleOf(document.documentElement).direction === "rtl" || styleOf(document.body).direction === "rtl";
  const right = unscrollable("x") ? document.documentElement.clientWidth : Infinity;
  const bottom = unscrollable("y") && !modalOpen() ? innerHeight : Infinity;
  for (const t of texts()) {
    if (matchesUp(t.el, HIDDEN_ON_PURPOSE) || moving(t.el) || matchesUp(t.el, CAROUSEL) || t.el.closest("svg")) continue;
    const cutters = clippers(t.el);
    if (cutters.some((e) => scrolls(e, "x") || scrolls(e, "y"))) continue;
    for (const whole of t.rects) {
      const r = visiblePart(whole, cutters);
      if (!r || told.has(blockOf(t.el))) continue;
      const pinned = anyAncestor(t.el, (e) => styleOf(e).position === "fixed");
      const p = { left: pinned ? r.left : r.left + dx, right: pinned ? r.right : r.right + dx, top: pinned ? r.top : r.top + dy, bottom: pinned ? r.bottom : r.bottom + dy };
      const edge = { left: rtl && !pinned ? -Infinity : 0, right: pinned ? innerWidth : right, top: 0, bottom: pinned ? innerHeight : bottom };
      const [w, h] = [p.right - p.left, p.bottom - p.top];
      const inX = Math.max(0, Math.min(p.right, edge.right) - Math.max(p.left, edge.left)) / w, inY = Math.max(0, Math.min(p.bottom, edge.bottom) - Math.max(p.top, edge.top)) / h;
      const seenShare = inX * inY, lostX = (1 - inX) * w;
      const block = blockOf(t.el);
      if (pinned && seenShare < 0.5 && inX > 0.5 && cutByWindow(pinned)) {
        told.add(block);
        report("off-screen", t.el, `text lies above or below the window and cannot be scrolled to: ${named(t.el)}`, t.text, r);
        continue;
      }
      if (seenShare >= 0.995 || (inX < 1 && inX > 0 && lostX < 5) || (inX === 1 && inY > 0.7)) continue;
      if (seenShare > 0.02) {
        if (anyAncestor(t.el, (e) => e !== document.body && styleOf(e).transform !== "none") && matchesUp(t.el, ASIDE)) continue;
        told.add(block);
        report("off-screen", t.el, `text runs out of the page, where nobody can scroll to: ${named(t.el)}`, t.text, r);
      } else {
        // wholly outside: menus, skip links and texts for screen readers wait there on purpose
        const away = Math.max(-p.right, p.left - edge.right, -p.bottom, p.top - edge.bottom);
        const placed = anyAncestor(t.el, (e) => e !== document.body && (styleOf(e).position !== "static" || parseFloat(styleOf(e).marginLeft) < -20 || parseFloat(styleOf(e).marginTop) < -20));
        const waiting = anyAncestor(t.el, (e) => e !== document.body && (styleOf(e).transform !== "none" || styleOf(e).position === "fixed" || (parseFloat(styleOf(e).transitionDuration) > 0 && !e.matches("a,button")) || parseFloat(styleOf(e).textIndent) < -50));
        const skip = t.el.closest('a[href^="#"]'), list = placed && placed.querySelectorAll("a,button,[role=menuitem]").length > 1;
        const below = away === p.top - edge.bottom;
        if (away > 1500 || skip || matchesUp(t.el, ASIDE) || (!below && (!placed || waiting || list))) continue;
        told.add(block);
        report("off-screen", t.el, `text lies outside the page, where nobody can see it: ${named(t.el)}`, t.text, r);
      }
    }
  }
}
function overflow() {
  const width = document.documentElement.clientWidth;
  if (unscrollable("x") || root.scrollWidth - width <= 2) return;
  if ([document.documentElement, document.body].some((e) => /x|both|inline/.test(styleOf(e).scrollSnapType) && /mandatory|proximity/.test(styleOf(e).scrollSnapType))) return;
  const limit = width - root.scrollLeft + 1.5, wide = [];
  for (const el of [...document.body.querySelectorAll("*")].slice(0, MOST_ELEMENTS)) {
    const r = rectOf(el);
    if (r.right <= limit || r.width === 0 || anyAncestor(el, (e) => styleOf(e).position === "fixed")) continue;
    if (clippers(el).some((c) => c !== el && clips(styleOf(c), "x"))) continue;
    wide.push(el);
  }
  const leaf = wide.filter((el) => !wide.some((o) => o !== el && within(el, o) && rectOf(o).right >= rectOf(el).right - 1));
  const el = (leaf.length ? leaf : wide).sort((a, b) => rectOf(b).right - rectOf(a).right)[0];
  const by = Math.round(root.scrollWidth - width);
  report("overflow", el || document.body, `the page is ${by} px wider than the window, so it scrolls sideways${el ? ` (${named(el)})` : ""}`, `scrollWidth ${root.scrollWidth}, window ${width}`);
}

// ---- controls that cannot be reached ----------------------------------------------------------------------
function covered() {
  const said = new Set();
  for (const el of every(CONTROLS)) {
    if (said.size >= 20) break;
    if (!drawn(el) || opacityOf(el) < 0.3 || forReaders(el) || el.matches(":disabled,[aria-disabled=true]") || matchesUp(el, HIDDEN_ON_PURPOSE)) continue;
    if (anyAncestor(el, (e) => styleOf(e).pointerEvents === "none") || moving(el) || el.getRootNode() !== document) continue;
    const full = [...el.getClientRects()].find((r) => r.width > 3 && r.height > 3);
    const r = full && visiblePart(full, clippers(el).filter((c) => c !== el));
    if (!r || r.right + root.scrollLeft < 1 || r.bottom + root.scrollTop < 1) continue;
    const label = el.labels && el.labels[0], spots = [[0.5, 0.5], [0.2, 0.25], [0.8, 0.25], [0.2, 0.75], [0.8, 0.75]];
    const covers = spots.map(([px, py]) => at(r.left + (r.right - r.left) * px, r.top + (r.bottom - r.top) * py, (x, y) => {
      const hit = document.elementFromPoint(x, y);
      if (!hit || hit === document.documentElement || hit === document.body || within(el, hit) || within(hit, el)) return null;
      const own = hit.closest("label");
      if (own && (own.control === el || own === label)) return null;
      return hit;
    }));
    const cover = covers[0];
    if (!cover || covers.filter(Boolean).length < 4) continue;
    const pinned = floats(cover);
    if (popup(cover) || cover.matches("input[type=file]")) continue;  // what lies over a button to take its presses
    if (pinned && pinned !== floats(el)) {
      const whole = area(rectOf(pinned)) > 0.6 * innerWidth * innerHeight;
      const dialog = whole && (words(pinned) || pinned.querySelector(CONTROLS) || every("dialog[open],[aria-modal=true],[role=dialog],[role=alertdialog]").some(drawn));
      if (dialog || (!whole && !stuckUnder(el, pinned))) continue;
    }
    if (matchesUp(cover, CAROUSEL) && matchesUp(el, CAROUSEL)) continue;
    if (said.has(pinned || cover) && pinned) continue;
    said.add(pinned || cover);
    report("covered", el, `${named(el)} is covered by ${named(cover)} and cannot be pressed`, `<${cover.localName}${cover.id ? ` id=${cover.id}` : ""}>`, r);
  }
}
const PRESSED = "button,input,select,textarea,[role=button],[class*=btn i],[class*=button i]";
function stuckUnder(el, pinned) {  // even scrolled as far as the page goes, it stays below what is pinned there
  if (pinned.querySelector("button,[role=button],a") && !el.matches(PRESSED)) return false;  // it can be closed, or is a bar of its own
  const r = rectOf(el), p = rectOf(pinned);
  if (anyAncestor(el, (e) => styleOf(e).position === "fixed")) return true;
  const up = Math.min(root.scrollHeight - innerHeight - root.scrollTop, r.bottom - p.top), down = Math.min(root.scrollTop, p.bottom - r.top);
  return p.top > innerHeight / 2 ? r.bottom - Math.max(0, up) > p.top + 4 : r.top + Math.max(0, down) < p.bottom - 4;
}

// ---- pictures and empty pages ---------------------------------------------------------------------------------
function drawing(src) {  // an SVG keeps its shape by itself, unless it has no viewBox and more in it than an even ground
  if (!/^data:image\/svg/.test(src)) return /\.svg([?#]|$)/.test(src);
  let text = src;
  try { text = /^[^,]*;base64,/.test(src) ? atob(src.slice(src.indexOf(",") + 1)) : decodeURIComponent(src); } catch { return true; }
  return /viewBox|%/.test(text) || !/<(?:circle|ellipse|path|polygon|image|line|text)\b/.test(text);
}
async function pictures() {
  for (const img of every("img")) {
    const src = img.currentSrc || img.getAttribute("src") || "";
    if (!src || styleOf(img).display === "none" || !drawn(img)) continue;
    const r = rectOf(img), set = [Number(img.getAttribute("width")), Number(img.getAttribute("height"))];
    const waits = img.loading === "lazy" && !img.complete;
    if (waits || (Math.max(set[0], r.width) <= 2 && Math.max(set[1], r.height) <= 2 && (set[0] === 1 || r.width > 0))) continue;
    if (img.complete && img.naturalWidth === 0) {
      const broken = await Promise.race([img.decode().then(() => false, () => true), new Promise((go) => setTimeout(() => go(true), 400))]);
      if (broken) report("broken-image", img, `a picture did not load: ${clip(img.alt || src.split("/").pop() || src, 60)}`, clip(src, 200));
      continue;
    }
    const [nw, nh] = [img.naturalWidth, img.naturalHeight];
    if (!nw || !nh || nw < 24 || nh < 24 || r.width < 24 || r.height < 24 || styleOf(img).objectFit !== "fill" || drawing(src) || rotated(img)) continue;
    const s = styleOf(img), [w, h] = [img.clientWidth - parseFloat(s.paddingLeft) - parseFloat(s.paddingRight), img.clientHeight - parseFloat(s.paddingTop) - parseFloat(s.paddingBottom)];
    const ratio = (w / h) / (nw / nh);
    if (ratio > 1.25 || ratio < 1 / 1.25) report("stretched-image", img, `a picture is stretched: ${nw}\u00d7${nh} drawn as ${Math.round(w)}\u00d7${Math.round(h)}`, clip(src, 200));
  }
}
const MEDIA = "img,svg,canvas,video,iframe,object,embed,input:not([type=hidden]),select,textarea,button,progress,meter,hr";
const shows = (el) => texts().some((t) => within(el, t.el)) || [...el.querySelectorAll(MEDIA)].some((m) => drawn(m) && rectOf(m).width > 4 && rectOf(m).height > 4)
  || [el, ...el.querySelectorAll("*")].slice(0, 3000).some((e) => styleOf(e).backgroundImage !== "none" && drawn(e) && area(rectOf(e)) > 400) || [...el.querySelectorAll("*")].some((e) => e.shadowRoot);
function blank() {
  if (!document.body || !shows(document.body)) { report("blank", document.body || document.documentElement, "the page is empty: no text, no picture and no control can be seen", clip(location.href, 200), { left: 0, top: 0, right: innerWidth, bottom: innerHeight }); return true; }
  for (const main of every("main,[role=main]")) if (drawn(main) && !shows(main) && main.getAttribute("aria-busy") !== "true") report("blank-main", main, "the main part of the page is empty", `<${main.localName}>`);
  return false;
}
