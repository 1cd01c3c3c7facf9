// What is wrong with what the page says: errors of the machine's, wrong encodings, values that were never
// filled in. Texts are judged block by block, as a person reads them; code samples and prose about errors
// are what these rules must not take for errors.
const NONE = "(?:undefined|NaN|null)";
const alertLike = (el) => anyAncestor(el, (e) => /^(alert|status|alertdialog)$/.test(e.getAttribute("role") || "") || /(^|[-_\s])(error|danger|alert|exception|failure|fatal|crash|oops)/i.test(typeof e.className === "string" ? e.className : ""));
function prose(el) {  // inside something written to be read: several long paragraphs
  const home = el.closest("article,main,[role=main],[role=article],.post,.article,.content") || document.body;
  return [...home.querySelectorAll("p,li,dd")].filter((p) => p.textContent.trim().length > 90).length >= 2;
}
const documented = (el) => { const home = el.closest("table,dl,ul,ol,article,section") || el; return Boolean(home.querySelector("code,pre,kbd,samp")); };
const QUOTED = /^["'\u201c\u201d\u2018\u2019\u00ab`(]/;
const inQuotes = (text, found) => { const before = text[found.index - 1] || "", after = text[found.index + found[0].length] || ""; return /["'\u201c\u2018\u00ab`]/.test(before) && /["'\u201d\u2019\u00bb`]/.test(after); };

// ---- errors -----------------------------------------------------------------------------------------------
const THROWN = [
  /^(?:[Uu]ncaught\s+(?:\(in promise\)\s+)?)?(?:[A-Z]\w*\.)*[A-Z]\w*(?:Error|Exception)\b\s*:\s*\S/, /^Traceback \(most recent call last\)/, /\bat (?:Object\.)?<anonymous> \(|\n?\s+at [\w.$<>]+ \([^)]*:\d+:\d+\)/,
  /^(?:PHP )?(?:Fatal error|Parse error|Warning|Notice|Deprecated):.{3,300} (?:on|at) line \d+/i, /\bSQLSTATE\[\w+\]/, /^(?:Error: )?(?:connect |read |write |getaddrinfo )?(?:ECONN(?:REFUSED|RESET)|ENOTFOUND|ETIMEDOUT|ENOENT|EACCES|EPIPE)\b/, /\bORA-\d{5}\b/, /\bException in thread "/, /^(?:[a-z]+\.){2,}[A-Z]\w*(?:Error|Exception)\b/,
  /^Cannot (?:GET|POST|PUT|DELETE) \/\S*$/, /\bWhitelabel Error Page\b/, /^You have an error in your SQL syntax/i, /^(?:Segmentation fault|panic: )/, /^(?:Unhandled|Uncaught) (?:Runtime )?(?:Error|Exception|rejection)\b/i, /^(?:Error )?HTTP(?:\/\d(?:\.\d)?)? (?:4|5)\d\d\b(?!:\s*[\d.,]+\s*$)/,
  /^(?:[A-Z]\w*(?:Error|Exception)|DoesNotExist|Http404) at \/\S*$/, /\bmatching query does not exist\b/, /\brequest failed with status(?: code)? [45]\d\d\b/i, /\b(?:unexpected token .{1,20} in JSON|is not valid JSON$)/i,
];
const STATUS = "(?:bad request|unauthori[sz]ed|forbidden|not found|page not found|method not allowed|too many requests|internal (?:server )?error|server error|not implemented|bad gateway|service (?:temporarily )?unavailable|gateway time-?out)";
const FAILED = [
  new RegExp(`^(?:http )?(?:error)?[\\s:#-]*(?:4|5)\\d\\d\\b[\\s:|\\u2013\\u2014-]*(?:error[\\s:-]*)?${STATUS}`, "i"), /^(?:internal server error|bad gateway|service (?:temporarily )?unavailable|gateway time-?out|application error|server error)\b/i, /^error\s*(?:code)?[\s:#-]*[45]\d\d\b/i,
  /^(?:(?:oops|uh[- ]oh|whoops|sorry|we'?re sorry|error)[\s,!.:\u2026-]*)?(?:but )?(?:something went (?:terribly )?wrong|an? (?:unexpected |unknown |internal |server |fatal )?error (?:has )?occurr?ed|there was an? (?:error|problem) (?:loading|while|processing|with your request|fetching))/i,
  /^(?:(?:oops|sorry|error)[\s,!.:-]*)?(?:we )?(?:failed|unable|could(?: not|n't)|couldn\u2019t|can(?:not|'t|\u2019t)) (?:to )?(?:be )?(?:load|fetch|retrieve|connect|reach|process your|complete your request|display)\b/i,
  /^[\w' \u2019-]{2,40} (?:could not|couldn't|couldn\u2019t|cannot|failed to) (?:be )?load(?:ed)?\b/i, /^(?:oops|uh[- ]oh|whoops)\s*[!.\u2026]*$/i, /^(?:(?:network error|failed to fetch|load failed|connection (?:refused|lost))\b(?=\s*(?:$|[.!,:;\u2013\u2014-]))|networkerror when attempting\b)/i, /^(?:(?:oops|sorry)[\s,!.:\u2026-]*)?(?:but )?(?:this|the|that) page (?:(?:you (?:requested|(?:are|were) looking for) )?(?:does not|doesn.t|no longer) exists?|isn.t working|could not be found|cannot be found|you (?:requested|are looking for) (?:could not|cannot|can't) be found)/i,
  /^(?:(?:oops|sorry)[\s,!.:\u2026-]*)?(?:but )?we (?:can.t|cannot|could not|couldn.t) (?:seem to )?find (?:the|that|this) page\b/i,
  /^(?:(?:ups|hoppla|entschuldigung|d\u00e9sol\u00e9|lo sentimos|desculpe|scusa)[\s,!.:-]*)?(?:es ist (?:leider )?ein (?:\S+ ){0,2}fehler aufgetreten|(?:leider )?ist (?:leider )?ein (?:\S+ )?fehler aufgetreten|ein (?:\S+ )?fehler ist aufgetreten|etwas ist schief\s?gelaufen|seite (?:wurde )?nicht gefunden|une erreur (?:\S+ )?(?:s.est produite|est survenue)|page (?:introuvable|non trouv\u00e9e)|(?:se )?ha (?:producido|ocurrido) un error|algo (?:ha salido|sali\u00f3) mal|p\u00e1gina no encontrada|ocorreu um erro|algo deu errado|p\u00e1gina n\u00e3o encontrada|si \u00e8 verificato un errore|pagina non trovata|er is (?:een |iets )?(?:fout|misgegaan)|\u043f\u0440\u043e\u0438\u0437\u043e\u0448\u043b\u0430 \u043e\u0448\u0438\u0431\u043a\u0430|\u30a8\u30e9\u30fc\u304c\u767a\u751f|\u53d1\u751f\u9519\u8bef|\u51fa\u9519\u4e86)/i,
  /^error (?:establishing|connecting|loading|fetching|opening|reading|retrieving|processing)\b/i, /^page not found\b/i, /^(?:database|connection|server|system|fatal|critical|runtime|unknown|unexpected) error\b\s*(?:[:.!(\u2013-]|$)/i,
];
const REFUSED = /^(?:[\w\u2019' ]{0,40}\s)?(?:failed\b(?!\s+(?:attempts?|jobs?|sign|login|payments?|tests?))|could not be (?:saved|loaded|sent|completed|processed|updated|deleted)|unable to (?:save|load|connect|send|complete|process|reach|update|delete))\b/i;
const NAVIGATIONAL = "a,button,[role=button],[role=tab],[role=menuitem],summary,dt,label,option,nav,th,caption,figcaption,blockquote,q,cite,address,time";
function errorTexts(all) {
  for (const b of all) {
    if (isCode(b.el) || FIXED.test(b.text) || b.pieces.every((p) => isCode(p.el) || matchesUp(p.el, NAVIGATIONAL))) continue;
    if (b.el.nodeName === "PRE" && introduced(b.el)) continue;
    const thrown = b.text.length < 3000 && THROWN.find((p) => p.test(b.text));
    if (thrown && (!prose(b.el) || alertLike(b.el)) && !QUOTED.test(b.text)) { report("error-text", b.el, `an error of the program is shown: ${clip(b.text, 80)}`, b.text); continue; }
    if (b.text.length > 180) continue;
    const failed = FAILED.map((p) => p.exec(b.text)).find(Boolean) || (alertLike(b.el) && REFUSED.exec(b.text));
    if (!failed || b.text[failed[0].length] === "?" || /\?\s*$/.test(b.text) || (prose(b.el) && !alertLike(b.el))) continue;
    report("error-text", b.el, `the page says that something failed: ${clip(b.text, 80)}`, b.text);
  }
}
const ANSWER = /^[{[].*"(?:error|errors|exception|stack|status_?code|status)"\s*:\s*(?!null|0|200|"ok"|\[\s*\]|false|"")/is;
function errorAnswer(all) {  // an interface's answer shown as the page
  for (const b of all) if (all.length > 1 && /^(?:\{|\[\s*\{)\s*"errors?"\s*:/.test(b.text) && !isCode(b.el) && !prose(b.el)) report("error-text", b.el, `an error of the program is shown: ${clip(b.text, 80)}`, b.text);
  const [only] = all;
  if (all.length === 1 && ANSWER.test(only.text) && /"(?:error|errors|exception|stack)"|:\s*"?[45]\d\d\b/i.test(only.text)) report("error-text", only.el, `an error of the program is shown: ${clip(only.text, 80)}`, only.text);
}
function introduced(pre) {  // a sentence before it says what it is: a report, a lesson
  const before = pre.previousElementSibling;
  return Boolean(before && before.matches("p,li,dd,div") && /[:\uff1a]$/.test(fold(before.textContent)) && fold(before.textContent).length >= 40);
}
function stackTraces() {  // a trace in <pre> on a page that is nothing but an error
  for (const pre of every("pre")) if (drawn(pre) && !prose(pre) && !introduced(pre) && every("code,pre").length === 1 && every("p,h1,h2,li").filter((e) => drawn(e) && fold(e.textContent).length > 20).length < 6) {
    const text = fold(pre.textContent);
    if (!pre.querySelector("code") && THROWN.slice(0, 4).some((p) => p.test(text))) report("error-text", pre, `an error of the program is shown: ${clip(text, 80)}`, text);
  }
}

// ---- encodings --------------------------------------------------------------------------------------------
const CP1252 = "\u20ac\u0081\u201a\u0192\u201e\u2026\u2020\u2021\u02c6\u2030\u0160\u2039\u0152\u008d\u017d\u008f\u0090\u2018\u2019\u201c\u201d\u2022\u2013\u2014\u02dc\u2122\u0161\u203a\u0153\u009d\u017e\u0178";
const TAIL = `[\\u0080-\\u00bf${CP1252}]`;
// "AMANH\u00c3 \u2013" or "\u00abIRM\u00c3\u00bb": an upper-case word that ends in such a letter, and what stands behind it.
const ENDS_WORD = /[\u00a0\u00ab\u00bb\u00ae\u2018\u2019\u201c\u201d\u201e\u2026\u2013\u2014\u2022\u2122]/;
function mojibake(text) {
  for (const hit of text.matchAll(MOJIBAKE)) {
    const before = text[hit.index - 1] || "";
    if (!(/[\u00c2\u00c3]/.test(hit[0][0]) && hit[0].length === 2 && ENDS_WORD.test(hit[0][1]) && /\p{Lu}/u.test(before))) return hit;
  }
  return null;
}
const MOJIBAKE = new RegExp(`[\\u00c2\\u00c3]${TAIL}|\\u00e2${TAIL}${TAIL}|\\u00f0${TAIL}{3}|\\u00ef\\u00bb\\u00bf|(?:[\\u00c4\\u00c5\\u00ce\\u00cf\\u00d0\\u00d1]${TAIL}){2}|\\u00e2\\u20ac`, "gu");
const ENTITY = /&(?:amp|lt|gt|quot|apos|nbsp|copy|reg|euro|pound|hellip|ndash|mdash|[lr][sd]quo|[aeiouAEIOU](?:acute|grave|uml|circ)|ntilde|ccedil|szlig|#\d{2,5}|#x[0-9a-fA-F]{2,5});/;
const TAGS = /<(b|i|u|em|strong|p|div|span|a|ul|ol|li|h[1-6]|small|font)(?:\s[^<>]{0,120})?>.{0,200}<\/\1>|<br\s*\/?>|<\/(?:p|div|span|strong|em|b|a)>/i;
const LETTERS = /\\u[0-9a-fA-F]{4}|\\x[0-9a-fA-F]{2}|[A-Za-z]{2,}%20[A-Za-z]{2,}/;
function encodings(all) {
  for (const b of all) {
    const pieces = b.pieces.filter((p) => !isCode(p.el) && !matchesUp(p.el, "q,[translate=no]"));
    const text = fold(pieces.map((p) => p.node.data).join(" "));
    for (const pattern of [MOJIBAKE, /\ufffd/, ENTITY, TAGS, LETTERS]) {
      const hit = pattern === MOJIBAKE ? mojibake(text) : pattern.exec(text);
      if (!hit || inQuotes(text, hit) || (pattern !== MOJIBAKE && (documented(b.el) || /[(]\s*$/.test(text.slice(0, hit.index)))) || (pattern === LETTERS && /[:/.]\S*$/.test(text.slice(0, hit.index)))) continue;
      if (pattern === MOJIBAKE && documented(b.el) && prose(b.el)) continue;
      report("encoding", b.el, `text in a wrong encoding: ${clip(text, 80)}`, text);
      break;
    }
  }
}

// ---- values never filled in ---------------------------------------------------------------------------------
const TEMPLATE = [/\{\{(?=[^}]*\w)\{?\s*[#/]?[\w.$|'"()[\] -]{1,60}\s*\}?\}\}/, /\$\{[\w.$()[\]' -]{1,60}\}/, /<%=?\s*[\w.@ ()'"]{1,60}%>/, /\{%\s*\w[^%]{0,60}%\}/, /%\{\w+\}|%\(\w+\)[sd]/, /\[\[\s*\$?\{?[\w.]{1,40}\}?\s*\]\]/, /@@\w+@@|##[A-Z_]{3,}##|%%[A-Z_a-z]{3,}%%|%[A-Z]{2,}(?:_[A-Z]+)+%/, /\b(?:MISSING[_ ]TRANSLATION|TRANSLATE_ME|translation missing:)/i, /\[missing "[^"]+" translation\]/, /\[[A-Z]{2,}(?:_[A-Z]+)+\]/, /^(?:dear|hello|hi|welcome|hallo|liebe[r]?|bonjour|hola|ciao),? [[<][A-Za-z_ ]{3,30}[\]>]/i, /lorem ipsum dolor sit amet/i];
const OBJECT = /\[object (?:Object|Array|Undefined|Null|HTML\w+|Promise|Map|Set|Date|Function)\]|\bfunction\s*\w*\s*\([^)]{0,60}\)\s*\{\s*\[native code\]\s*\}|\[Function(?:: \w+)?\]/;
const TO_DO = /^(?:TODO|FIXME|TBD|XXX)\s*[:\u2013-]\s*\S|\b(?:heading|title|text|content|copy|headline|description) goes here\b|^(?:insert|your) (?:heading|title|text|content|headline|description) here\b/i;
const SINGLE = /(?:^|[\s,(:])\{(?:\d|[a-z][A-Za-z0-9_.]{1,30})\}(?=$|[\s,.!?):])/;
const PRINTF = /(?:^|[A-Za-z,:] )%(?:s|d|i|\d\$s)(?=$|[\s.,!:])/;
const KEY_UP = /^(?=.*_)[A-Z][A-Z0-9_]+(?:\.[A-Z][A-Z0-9_]+)+$|^[A-Z][A-Z0-9]{2,}(?:\.[A-Z][A-Z0-9_]{2,}){2,}$/, PACKAGE = /^(?:com|org|net|io|de|uk|fr|eu|edu|gov|dev)\./i;
const KEY = /^(?=.*[a-z])(?!www\.)[a-z][a-z0-9_-]*(?:\.[a-z][A-Za-z0-9_-]*){2,}$/i;
const KEY2 = /^[a-z][a-zA-Z0-9_]*\.(?:[a-z]\w*_\w+|title|subtitle|label|button|heading|header|description|placeholder|message|submit|greeting|welcome|text|cta)$/;
const KEY_SNAKE = /^[a-z]{2,}(?:_[a-z0-9]+){2,}$/, FIXED = /^(?:fix(?:ed|es)?|bug ?fix\w*|resolved?|corrected|behoben|korrigiert|corrig\w+|arregl\w+)\b/i, RAW = /^(?:\{|\[\s*\{)\s*"[\w$-]+"\s*:.+[}\]]$/s;
const DOMAIN = /\.(?:com|org|net|io|dev|app|co|uk|de|fr|eu|gov|edu|js|ts|py|md|txt|json|html?|css|png|jpe?g|svg|pdf|zip|csv|test|example|local)$/i;
const BARE = [
  new RegExp(`[$\\u20ac\\u00a3\\u00a5]\\s?-?(?:${NONE}|Infinity)\\b`), new RegExp(`\\b(?:${NONE}|Infinity)\\s?(?:%|[$\\u20ac\\u00a3\\u00a5]|\\u00b0)`), new RegExp(`\\b${NONE}\\s*(?:/|of)\\s*(?:\\d|${NONE})`), new RegExp(`\\d\\s*(?:/|of)\\s*${NONE}\\b`),
  new RegExp(`\\b${NONE}[ ,:/.-]+${NONE}\\b`), /(?:^|: )None,? None$/, new RegExp(`^${NONE}\\s+(?:items?|results?|reviews?|products?|days?|hours?|minutes?|points?|users?|people|comments?|orders?|stars?|left|remaining|in stock)\\b`),
  new RegExp(`^(?:hello|hi|hey|dear|welcome(?: back)?|thanks|thank you|good (?:morning|evening|afternoon)|(?:signed|logged) in as|by|hallo|bonjour|hola)[,:]?\\s+(?:${NONE}|None)\\b`, "i"),
];
// A sentence of the page with a value missing in its middle; not one about such values.
const LOOSE = /(?:^|[\s(#:,])(undefined|NaN)(?=$|[\s.,!?);:])/, ABOUT = /\b(?:variables?|values?|functions?|types?|javascript|numbers?|slope|operators?|behaviou?rs?|errors?|hypothes[ei]s|means?|properties|math\w*|python|pandas|terms?|boundar\w+|roles?|rights?|period|divid\w+|zero|limit)\b/i;
const AFTER_ARTICLE = /\b(?:an?|the|is|are|was|were|be|been|being|so|or|and|not|left|as|remains?|stays?|becomes?|largely|still|yet|currently|otherwise|some|any|no|more|most|very|somewhat|often|said|says|reads|word|called|\w+ly)\s+$/i;
const BY_NULL = /\b(?:by|from|with|on|at)\s+null\s*[.,!]?(?:$|\s)|^(?:showing|found|displaying|you have|there are)\s+null\b/i;
function missingValue(text) {
  if (QUOTED.test(text)) return null;
  const loose = LOOSE.exec(text);
  if (loose && !ABOUT.test(text) && !AFTER_ARTICLE.test(text.slice(0, loose.index + loose[0].indexOf(loose[1])))) return loose;
  return BY_NULL.exec(text);
}
const LABELLED = new RegExp(`^[^:.?!]{1,40}:\\s*#?${NONE}\\s*[.,;)!]?$`), INNER = new RegExp(`\\b(?:page|step|item|items|qty|quantity|total|subtotal|price|age|size|order|room|score|rating|balance|id)\\s*[:#]?\\s*#?${NONE}\\b`, "i"), PARENS = new RegExp(`\\(${NONE}\\)`);
const EXACT = new RegExp(`^(?:${NONE}|\\[object Object\\])$`), INVALID = /\bInvalid Date\b|\bNaN[-/.:]NaN/;
const PROSE_WORDS = /\b(?:is|are|was|be|returns?|means?|means|becomes|called|value|operator|hypothesis|result of|divid\w+|slope|left|remains?|stays?|considered)\s+(?:an?\s+)?(?:undefined|null|NaN)\b/i;
function* generated() {  // text that the style sheet puts before and behind elements
  for (const el of [...document.body.querySelectorAll("[data-count],[data-value],[data-label],[data-text],[data-content],[data-title],[data-badge],[data-total],[data-price],[data-unit],[class*=badge i],[class*=count i]")].slice(0, 400)) {
    for (const pseudo of ["::before", "::after"]) {
      const content = getComputedStyle(el, pseudo).content;
      if (!content || content === "none" || content === "normal" || !drawn(el) || isCode(el)) continue;
      const text = fold(content.replace(/attr\(([\w-]+)[^)]*\)|"((?:[^"\\]|\\.)*)"/g, (_, name, plain) => (name ? el.getAttribute(name) || "" : plain)));
      if (text) yield [el, text];
    }
  }
}
const NAMES = new RegExp(`\\b${NONE}\\s+\\p{L}+|\\p{L}+\\s+${NONE}\\b`, "gu"), COUNTABLE = /\b(?:items?|results?|reviews?|products?|back|hello|hi|dear|welcome|page|total|price)\b/i;
function byName() {  // a thing whose name holds such a word is named in the title and in headings
  const heads = every("h1,h2,h3").map((h) => fold(h.textContent)), names = [...heads.flatMap((h) => h.match(NAMES) || []), ...(document.title.match(NAMES) || [])].filter((n) => !COUNTABLE.test(n));
  return names.filter((name, i) => names.indexOf(name) < i || heads.filter((h) => h.includes(name)).length > 1);
}
function unfilled(all) {
  const say = (el, text, value) => report("placeholder", el, `a value was never filled in: ${clip(text, 80)}`, value || text);
  const samples = every("code,pre,kbd,samp").map((e) => e.textContent).join(" ");
  const told = new RegExp(`\\b${NONE}\\b|isNaN`).test(samples) || byName().length > 0, templates = /\{\{|\$\{|<%/.test(samples);  // the page is about such values
  for (const b of all) {
    const pieces = b.pieces.filter((p) => !isCode(p.el) && !matchesUp(p.el, "[translate=no],q"));
    if (!pieces.length) continue;
    const text = fold(pieces.map((p) => p.node.data).join("\u0001")).replace(/\u0001/g, pieces.length === b.pieces.length ? "" : " ");
    const plain = pieces.length === b.pieces.length ? b.text : text;
    const template = !templates && TEMPLATE.map((p) => p.exec(plain)).find((m) => m && !inQuotes(plain, m));
    if (template) { say(b.el, plain, template[0]); continue; }
    if (TO_DO.test(plain) && /^H[1-6]|BUTTON|LABEL|LEGEND$/.test(b.el.nodeName) && !prose(b.el)) { say(b.el, plain); continue; }
    if (KEY_SNAKE.test(plain) && b.el.matches("button,label,legend,summary,h1,h2,h3,[role=button]") && !documented(b.el)) { say(b.el, plain); continue; }
    if (RAW.test(plain) && !ANSWER.test(plain) && !documented(b.el) && !prose(b.el)) { say(b.el, plain); continue; }
    const object = OBJECT.exec(plain);
    if (object && !inQuotes(plain, object) && !(documented(b.el) && prose(b.el))) { say(b.el, plain, object[0]); continue; }
    if (INVALID.test(plain) && !documented(b.el) && !/Invalid Date\s*[:(]/.test(plain) && plain.length < 120) { say(b.el, plain); continue; }
    if (plain.length < 120 && !documented(b.el)) {
      const single = SINGLE.exec(plain) || PRINTF.exec(plain);
      if (single && !inQuotes(plain, single) && !prose(b.el) && !/\b(?:brac(?:es|kets?)|curly|placeholders?|variables?|syntax|wildcards?)\b/i.test(plain)) { say(b.el, plain, single[0].trim()); continue; }
      if ((KEY.test(plain) || KEY2.test(plain) || KEY_UP.test(plain)) && !PACKAGE.test(plain) && !DOMAIN.test(plain) && !/@|\d{2}/.test(plain) && !b.el.closest("a[href^=http],a[href^=mailto]")) { say(b.el, plain); continue; }
    }
    if (told || documented(b.el) || PROSE_WORDS.test(plain) || FIXED.test(plain)) continue;
    const bare = BARE.map((p) => p.exec(plain)).find((m) => m && !inQuotes(plain, m));
    if (bare && plain.length < 200) { say(b.el, plain, bare[0].trim()); continue; }
    if (plain.length < 80 && (LABELLED.test(plain) || INNER.test(plain) || PARENS.test(plain)) && !prose(b.el)) { say(b.el, plain); continue; }
    const missing = plain.length < 120 && !EXACT.test(plain) && !/^(H[1-6])$/.test(b.el.nodeName) && missingValue(plain);
    if (missing && !inQuotes(plain, missing) && !prose(b.el)) { say(b.el, plain, (missing[1] || missing[0]).trim()); continue; }
    const exact = pieces.find((p) => EXACT.test(p.text) && !/^(H[1-6]|DT|TH|DFN|OPTION|EM|I|Q|CITE|MARK)$/.test(p.el.nodeName) && !p.el.closest("dfn,dt,th,nav"));
    if (exact && (plain.length < 60 || exact.el !== b.el) && !(prose(b.el) && plain.length > 60)) say(exact.el, plain, exact.text);
  }
}
function unfilledParts() {  // the same in fields, attributes, style sheets and the title
  const say = (el, text, value) => report("placeholder", el, `a value was never filled in: ${clip(text, 80)}`, value || text);
  for (const el of every("input:not([type=hidden]):not([type=password]),textarea")) {
    if (!drawn(el) || isCode(el) && el.nodeName !== "TEXTAREA") continue;
    for (const value of [el.value, el.placeholder]) if (value && (EXACT.test(fold(value)) || (el.nodeName === "INPUT" && (OBJECT.test(value) || /^\{\{.{1,60}\}\}$/.test(value))))) { say(el, value); break; }
  }
  for (const el of every("select")) {
    const wrong = drawn(el) && [...el.options].find((o) => EXACT.test(fold(o.label)) || /^\{\{.{1,60}\}\}$/.test(fold(o.label)));
    if (wrong) say(el, `${fold(wrong.label)} (a choice)`, fold(wrong.label));
  }
  for (const [el, text] of generated()) if (EXACT.test(text) || OBJECT.test(text) || /\{\{.{1,60}\}\}/.test(text) || /^(?:undefined|NaN|null)\s|\s(?:undefined|NaN|null)$/.test(text)) say(el, text);
  for (const el of every("img[alt],a[href],[aria-label],[title]")) {
    if (!drawn(el)) continue;
    const href = el.getAttribute("href") || "";
    const wrong = [el.getAttribute("alt"), el.getAttribute("aria-label"), el.getAttribute("title")].find((v) => v && (EXACT.test(v) || /^\{\{.{1,60}\}\}$/.test(v)));
    if (wrong) say(el, `${wrong} (an attribute)`, wrong);
    else if (/(^|[/=])(undefined|NaN|\[object(?:%20| )Object\]|\{\{.+\}\})($|[/?#&])/.test(href)) say(el, `a link to ${href}`, href);
  }
  const title = document.title, about = every("h1 code,h1 kbd,h1 samp").some((e) => EXACT.test(fold(e.textContent))) || byName().length > 0;
  if (OBJECT.test(title) || /\{\{.{1,60}\}\}|\$\{\w+\}/.test(title) || EXACT.test(title.trim()) || (!about && new RegExp(`(?:^|[-|\u2013:] )${NONE}(?: [-|\u2013:]|$)`).test(title))) say(document.documentElement, `the page's title: ${title}`, title);
}
