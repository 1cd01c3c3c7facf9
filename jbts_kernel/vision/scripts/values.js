// Values that cannot be meant: a price below zero, the first day of 1970, a time as a bare number, the same record twice,
// and text that was written in Markdown and shown as it was typed.
const MONEY = "(?:[$\\u20ac\\u00a3\\u00a5\\u20b9]|EUR|USD|GBP|CHF|PLN|z\\u0142|kr)", LESS = "[-\\u2212]";
const BELOW = new RegExp(`^(?:${MONEY}\\s?${LESS}\\s?\\d|${LESS}\\s?${MONEY}?\\s?\\d[\\d.,\\u00a0 ]*(?:${MONEY})?$)`), WITH_MONEY = new RegExp(MONEY);
const PRICED = /\b(?:(?:sub)?total|grand total|price|unit price|amount due|to pay|you pay|shipping|preis|st\u00fcckpreis|gesamt(?:summe|preis|betrag)?|zu zahlen|summe|prix|montant \u00e0 payer|precio|total a pagar|pre\u00e7o|prezzo|totale|prijs|totaal|cena|razem)\b/i;
const TAKEN_OFF = /\b(?:discounts?|vouchers?|coupons?|refund\w*|credit\w*|saved?|savings?|off|returns?|returned|deal|promo\w*|sale|adjust\w*|change|profit|loss|net|balance|cash ?flow|variance|difference|gift card|rabatt\w*|gutschein\w*|gutschrift\w*|erstattung\w*|retoure\w*|storno\w*|saldo|differenz|gewinn|verlust|remise\w*|r\u00e9duction|avoir|remboursement\w*|solde|variation\w*|descuento\w*|reembolso\w*|ahorr\w*|desconto\w*|sconto|rimborso|korting\w*|zni\u017ck\w*)\b/i;
const COUNTED = /\b(?:qty|quantity|stock|in stock|items?|pieces?|seats?|nights?|guests?|age|menge|st\u00fcck|bestand|anzahl|quantit\u00e9|cantidad|quantidade|quantit\u00e0|aantal)\b/i;
const DATED = /\b(?:date|time|created|updated|modified|expires?|expiry|last|since|until|when|due|deliver\w*|sent|ordered|published|posted|joined|datum|zeit|erstellt|ge\u00e4ndert|g\u00fcltig|liefer\w*|ablauf|seit|fecha|hora|creado|entrega|data|cr\u00e9\u00e9e?|livraison|modifi\u00e9e?|expire)\b|(?:datum|termin)$/i;
const ZERO_DAY = /^(?:(?:0?1[./-]0?1[./-](?:19)?70|1970-01-01|12[./-]31[./-](?:19)?69|1969-12-31|31[./-]12[./-]1969)(?:[ T,].{0,14})?|(?:jan(?:uary|uar)?\.? 0?1(?:st)?,? 1970|0?1(?:st|\.|er)? (?:jan\w*|enero|ene|gennaio|stycznia)\.?,? 1970|dec(?:ember)? 31,? 1969)(?:[ ,].{0,14})?)$/i;
const STAMP = /^(?:1[0-9]{9}|2[01][0-9]{8}|1[0-9]{12})(?:\.\d+)?$/, BORN = /\b(?:born|birth\w*|geb\w*|n\u00e9e?|naissance|nac\w*|dob|founded|gegr\u00fcndet|id|ids|number|no|nr|phone|tel\w*|isbn|ean|epoch|unix|timestamps?)\b/i;
function* labelled() {  // pairs of a label and its value: "Total: 3", a row of a table under its heading, a term and its definition
  for (const b of blocks()) {
    if (b.text.length > 90 || isCode(b.el)) continue;
    const pair = /^([^:\uff1a]{2,40})[:\uff1a]\s*(.{1,40})$/.exec(b.text), cell = b.el.closest("td");
    if (cell) {
      const table = cell.closest("table"), heads = table && table.rows[0] ? [...table.rows[0].cells] : [], head = heads[cell.cellIndex];
      if (head && head.nodeName === "TH" && cell.parentElement !== table.rows[0] && cell.cellIndex > 0) yield { el: b.el, label: fold(head.textContent), value: b.text, around: fold(cell.parentElement.textContent), table: `${fold(table.caption ? table.caption.textContent : "")} ${heads.map((h) => h.textContent).join(" ")}` };
      if (cell.cellIndex > 0 && !(head && head.nodeName === "TH")) yield { el: b.el, label: fold(cell.parentElement.cells[0].textContent), value: b.text, around: fold(cell.parentElement.textContent), table: "" };
      if (fold(cell.parentElement.cells[0].textContent) && cell.cellIndex > 0 && PRICED.test(cell.parentElement.cells[0].textContent)) yield { el: b.el, label: fold(cell.parentElement.cells[0].textContent), value: b.text, around: fold(cell.parentElement.textContent), table: "" };
    } else if (b.el.nodeName === "DD" && b.el.previousElementSibling && b.el.previousElementSibling.nodeName === "DT") yield { el: b.el, label: fold(b.el.previousElementSibling.textContent), value: b.text, around: "", table: "" };
    else if (pair) yield { el: b.el, label: pair[1], value: pair[2], around: b.text, table: "" };
    else if (/price|preis|prix|precio|prezzo|amount|total/i.test(`${typeof b.el.className === "string" ? b.el.className : ""} ${b.el.getAttribute("itemprop") || ""} ${b.el.id}`)) yield { el: b.el, label: "price", value: b.text, around: fold((b.el.closest("li,article,tr,p") || b.el).textContent), table: "" };
    else if (b.el.previousElementSibling && fold(b.el.previousElementSibling.textContent).length < 30 && b.el.parentElement && b.el.parentElement.children.length === 2) yield { el: b.el, label: fold(b.el.previousElementSibling.textContent), value: b.text, around: "", table: "" };
  }
}
const SUMMED = /^\s*(?:sub)?(?:total|grand total|gesamt\w*|summe|totale?|totaal|razem)\b/i;  // a line of a bill may take something off
const PRICED_ROW = (el) => { const row = el.closest("tr"); return Boolean(row && row.cells[0] && SUMMED.test(row.cells[0].textContent)); };
const OVER_ALL = /\b(?:save|spare\w*|discount(?: of)?|rabatt|remise)\s?:?\s?-?(?:10[1-9]|1[1-9]\d|[2-9]\d\d)\s?%|(?:^|\s)-?(?:10[1-9]|1[1-9]\d|[2-9]\d\d)\s?%\s(?:off|discount|rabatt|de r\u00e9duction|complete|completed|abgeschlossen)\b/i;
const NO_DAY = /\b(?:3[01]\.?(?: de)? (?:feb|f\u00e9v)\w*|(?:feb|f\u00e9v)\w* 3[01]\b(?!:)|31\.?(?: de)? (?:apr(?:il)?|june?|juni|sept?(?:ember)?|nov(?:ember)?|novembre)\b|(?:apr(?:il)?|june?|sept?(?:ember)?|nov(?:ember)?) 31\b|3[2-9]\.? (?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)\w*)|\b(?:19|20)\d\d-(?:(?:1[3-9]|00)-\d\d|\d\d-(?:3[2-9]|00)|02-3[01])\b|\b(?:3[2-9]\.\d\d|3[01]\.02|\d\d\.(?:1[3-9]|00))\.(?:19|20)\d\d\b/i;
function impossibleValues() {
  const say = (v, why) => report("impossible-value", v.el, `${why}: ${clip(v.label === "price" ? v.value : `${v.label} ${v.value}`, 80)}`, v.value);
  const told = new Set(), past = (document.body.innerText.match(/\b19[5-8]\d\b/g) || []).length > 1;
  for (const v of labelled()) {
    if (told.has(v.el)) continue;
    const cells = v.el.closest("table"), summed = cells && !PRICED_ROW(v.el) && [...cells.rows].some((row) => row.cells[0] && SUMMED.test(row.cells[0].textContent));
    const offset = summed || [v.label, v.around, v.table].some((text) => TAKEN_OFF.test(text));
    const why = PRICED.test(v.label) && BELOW.test(v.value) && (WITH_MONEY.test(v.value) || /price|preis|prix|precio/i.test(v.label)) && !offset ? "a price is below zero"
      : COUNTED.test(v.label) && /^[-\u2212]\s?\d+$/.test(v.value) && !offset ? "a quantity is below zero"
      : ZERO_DAY.test(v.value) && !past && !BORN.test(v.label) ? "a date was never set"
      : STAMP.test(v.value) && DATED.test(v.label) && !BORN.test(v.label) ? "a time is shown as a bare number" : "";
    if (why) { told.add(v.el); say(v, why); }
  }
  const bad = new RegExp(`(?:^|^only |you have |there are |noch |vous avez )[-\\u2212]\\d+ (?:items?|results?|in stock|left|reviews?|nights?|seats?|products?|people|guests?|(?:days?|hours?|minutes?|tage|stunden) (?:left|remaining|ago|\u00fcbrig)|Tage?\\b)`, "i");
  const years = new Date().getFullYear() - 1970, since1970 = new RegExp(`(?:^|[\u00b7|,(] ?|ed |seen |login:? )(?:${years - 1}|${years}) (?:years ago|yrs ago)|^vor (?:${years - 1}|${years}) Jahren$|^il y a (?:${years - 1}|${years}) ans$`);
  for (const b of blocks()) {
    if (told.has(b.el) || b.text.length > 120 || isCode(b.el) || documented(b.el) || QUOTED.test(b.text) || prose(b.el)) continue;
    const why = bad.test(b.text) ? "a quantity is below zero" : OVER_ALL.test(b.text) ? "a share is more than all of it" : NO_DAY.test(b.text) ? "there is no such day" : b.text.length < 60 && since1970.test(b.text) && !past ? "a date was never set" : "";
    if (why) say({ el: b.el, label: "price", value: b.text }, why);
  }
}
const RECORD = /^#?[A-Z]{0,5}[-\/ ]?\d{2,}$/;
function sameRecords() {  // rows whose number no other row has, once more with all that stands in them
  for (const table of every("table")) {
    const rows = [...table.rows].filter((row) => row.cells.length > 1 && !row.querySelector("th:not([scope=row])") && drawn(row)), keys = rows.map((row) => fold(row.cells[0].textContent)), all = rows.map((row) => fold(row.textContent));
    if (rows.length < 3 || !keys.every((key) => RECORD.test(key))) continue;
    const again = all.findIndex((text, i) => all.indexOf(text) < i);
    if (again > 0 && new Set(keys).size === new Set(all).size && new Set(all).size > all.length / 2) report("impossible-value", rows[again], `the same record stands in the table twice: ${clip(all[again], 60)}`, [...rows[again].cells].map((c) => fold(c.textContent)).join(" | "));
  }
}
const MARKDOWN = [/(?:^|[\s(])\*\*[^\s*][^*]{0,80}?[^\s*]?\*\*(?=$|[\s.,:;!?)])/, /^#{2,5} \p{Lu}/u, /\[[^\]\n]{2,60}\]\((?:https?:\/\/|\/|mailto:)[^\s)]*\)/];
function markdown(all) {
  if (/\bmark\s?down\b/i.test(document.body.innerText) || every("textarea,[contenteditable=true]").length) return;
  for (const b of all) {
    const text = fold(b.pieces.filter((p) => !isCode(p.el)).map((p) => p.node.data).join(""));
    const hit = !documented(b.el) && MARKDOWN.map((p) => p.exec(text)).find(Boolean);
    if (hit && !inQuotes(text, hit)) report("encoding", b.el, `formatting is shown as it was typed: ${clip(text, 80)}`, hit[0].trim());
  }
}
