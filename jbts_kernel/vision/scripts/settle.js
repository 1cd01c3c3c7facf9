// One short watch of a page that may still be changing: {changed, quiet, busy}. `quiet` is how many
// milliseconds ago the last change was, `busy` whether something on it says that it is loading.
const NAMED = /(^|[-_\s])(spinner|spin|loader|loading|skeleton|shimmer|preloader|lds|busy|placeholder-(?:glow|wave)|\w*CircularProgress\w*)([-_\s\d]|$)/i;
const LOADING = /^(loading|please wait|one moment|fetching|just a moment|processing|l\u00e4dt|wird geladen|chargement|cargando)\b[^.!?\u2026]{0,40}(\u2026|\.{2,4})$/i;
const namesOf = (el) => `${typeof el.className === "string" ? el.className : el.getAttribute("class") || ""} ${el.id} ${el.getAttribute("data-testid") || ""} ${el.getAttribute("aria-label") || ""}`;
const endless = (a) => a.playState === "running" && a.effect && a.effect.getComputedTiming().iterations === Infinity;
const framesOf = (animation) => (animation.effect.getKeyframes ? animation.effect.getKeyframes() : []);
const QUICK = 4000;  // ms: what turns slower than that is a decoration
function turns(animation) {  // its keyframes rotate, as fast as a spinner does
  return Number(animation.effect.getComputedTiming().duration) <= QUICK && framesOf(animation).some((f) => /rotate/.test(f.transform || "") || (f.rotate && f.rotate !== "none") || /^-?\d/.test(f.strokeDashoffset || ""));
}
function ring(el, s) {  // a circle with one side drawn in another colour, or an arc of an SVG
  const svg = el.closest("svg");
  if (svg) return [...svg.querySelectorAll("circle,path")].some((p) => styleOf(p).stroke !== "none" && (styleOf(p).fill === "none" || alpha(styleOf(p).fill) < 0.05));
  const sides = [s.borderTopColor, s.borderRightColor, s.borderBottomColor, s.borderLeftColor];
  const wide = parseFloat(s.borderTopWidth) + parseFloat(s.borderLeftWidth) + parseFloat(s.borderBottomWidth) > 1;
  return (wide && new Set(sides).size > 1 && parseFloat(s.borderTopLeftRadius) > 0) || /conic-gradient/.test(s.backgroundImage);
}
function bones() {  // boxes without content that shimmer: two or more are a skeleton
  const groups = new Map();
  for (const animation of document.getAnimations ? document.getAnimations() : []) {
    const el = animation.effect && animation.effect.target;
    if (!endless(animation) || !el || !el.getBoundingClientRect || el.closest("svg") || texts().some((t) => within(el, t.el)) || el.querySelector("img,svg,canvas,video")) continue;
    if (!framesOf(animation).some((f) => ["backgroundPosition", "backgroundPositionX", "backgroundColor", "opacity", "left", "transform"].some((p) => p in f)) || framesOf(animation).some((f) => /rotate|scale/.test(f.transform || "") || f.rotate || f.scale)) continue;
    const leaves = [el, ...el.querySelectorAll("*")].filter((e) => !e.children.length && rectOf(e).width >= 40 && rectOf(e).height >= 6 && rectOf(e).height <= 320 && (alpha(styleOf(e).backgroundColor) > 0.05 || styleOf(e).backgroundImage !== "none") && drawn(e));
    const name = animation.animationName || "";
    groups.set(name, [...(groups.get(name) || []), ...leaves]);
  }
  return [...groups.values()].filter((group) => group.length > 1).map((group) => group[0]);
}
function busyElements() {  // what says, for a person to see, that something is still loading
  const found = new Map();
  const add = (el, why) => { if (el && drawn(el) && !forReaders(el) && rectOf(el).width > 2 && rectOf(el).height > 2 && visiblePart(rectOf(el), clippers(el)) && ![...found.keys()].some((k) => within(k, el))) found.set(el, why); };
  for (const el of every("[aria-busy=true]")) add(el, "aria-busy is true");
  for (const el of every("progress:not([value]),[role=progressbar]:not([aria-valuenow]):not([value])")) if (el.nodeName === "PROGRESS" || !el.getAttribute("aria-valuetext")) add(el, "a progress bar without a value");
  for (const animation of document.getAnimations ? document.getAnimations() : []) {
    if (!endless(animation)) continue;
    const el = animation.effect.target, pseudo = animation.effect.pseudoElement;
    if (!el || !el.getBoundingClientRect) continue;
    const s = pseudo ? getComputedStyle(el, pseudo) : styleOf(el);
    const r = pseudo ? { width: parseFloat(s.width) || 0, height: parseFloat(s.height) || 0 } : rectOf(el), named = anyAncestor(el, (e) => e !== document.body && e !== document.documentElement && NAMED.test(namesOf(e)) && (e === el || within(e, el)));
    const small = r.width <= 160 && r.height <= 160;
    if (named && (small || /skeleton|shimmer|loading/i.test(namesOf(named)))) add(small ? el : named, "an endless animation named as loading");
    else if (small && turns(animation) && ring(el, s) && Math.abs(r.width - r.height) <= Math.max(r.width, r.height) * 0.5) add(el, "a ring that turns for ever");
  }
  for (const turning of every("animateTransform[type=rotate][repeatCount=indefinite]")) {
    const svg = turning.closest("svg");
    if (svg && rectOf(svg).width <= 160 && parseFloat(turning.getAttribute("dur")) * 1000 <= QUICK && ring(svg, styleOf(svg))) add(svg, "a ring that turns for ever");
  }
  for (const el of bones()) add(el, "grey boxes that shimmer for ever");
  for (const el of every("img")) if (/(spinner|loader|loading)[^/]*\.(gif|svg|webp|png)/i.test(el.currentSrc || el.src) && rectOf(el).width <= 200) add(el, "a picture named as loading");
  for (const b of blocks()) if (b.text.length < 60 && LOADING.test(b.text) && !isCode(b.el) && !matchesUp(b.el, "a,option,dt,summary,article p")) add(b.el, "it says that it is loading");
  return [...found];
}
const plainChange = (r) => r.type !== "attributes" || !/^(style|transform|d|points|cx|cy|x|y|r|width|height|data-time.*)$/.test(r.attributeName);
function settle() {
  return new Promise((go) => {
    let last = -1, changed = false;
    const begun = performance.now();
    const observer = new MutationObserver((records) => { if (records.some(plainChange)) { changed = true; last = performance.now(); } });
    observer.observe(document, { subtree: true, childList: true, characterData: true, attributes: true });
    setTimeout(() => {
      observer.disconnect();
      const loading = document.readyState !== "complete";
      go({ changed: changed || loading, quiet: changed ? performance.now() - last : performance.now() - begun, busy: loading || busyElements().length > 0 });
    }, args.slice);
  });
}
