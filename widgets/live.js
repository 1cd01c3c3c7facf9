// The live page: what live-state.js knows, drawn. Every text is set as text, never as markup.

import { connect } from "./client.js";
import { ago, duration, isBad, Tests } from "./live-state.js";

const MARKS = { passed: "✓", failed: "✗", error: "!", running: "●", skipped: "–", aborted: "■", flaky: "↻" };
const WORDS = { error: "failed" };
const QUIET = 60_000; // a running test is said to be quiet after so long

const here = new URL(location.href);
const token = here.searchParams.get("token") || "";
const beside = (path) => {
  const url = new URL(path, here.href.split(/[?#]/)[0]);
  url.searchParams.set("token", token);
  return url;
};

const tests = new Tests();
const cards = new Map(); // execution id -> its card
const $ = (id) => document.getElementById(id);
let due = false;
let missing = 0;

function element(tag, className = "", content = "") {
  const made = document.createElement(tag);
  made.className = className;
  made.textContent = content;
  return made;
}

const looks = (test) => (test.status === "passed" && test.attempt > 1 ? "flaky" : test.status);

function mark(status) {
  const made = element("span", `mark ${status}`, MARKS[status] || "?");
  made.title = WORDS[status] || status;
  return made;
}

// ---- one test ----------------------------------------------------------------------------------
function card(id) {
  const root = element("details", "test");
  const summary = element("summary");
  const title = element("div", "title");
  const parts = {
    root, summary, mark: element("span"), name: element("b"), about: element("span", "about"), reason: element("span", "reason"),
    now: element("span", "now"), time: element("span", "time"), body: element("div", "body"), steps: new Map(), strip: element("ol", "strip"),
    hidden: element("p", "about"), opened: false, follow: true,
  };
  title.append(parts.name, parts.about, parts.now, parts.reason);
  summary.append(parts.mark, title, parts.time);
  parts.body.append(parts.hidden, parts.strip);
  root.append(summary, parts.body);
  summary.addEventListener("click", () => (parts.opened = true)); // from now on it is as the reader left it
  root.addEventListener("toggle", () => follow(parts));
  cards.set(id, parts);
  return parts;
}

function drawTest(test) {
  const parts = cards.get(test.id) || card(test.id);
  const status = looks(test);
  parts.root.className = `test ${status}`;
  parts.root.dataset.id = test.id;
  parts.root.dataset.status = status;
  const fresh = mark(status);
  parts.mark.replaceWith(fresh);
  parts.mark = fresh;
  parts.name.textContent = test.name || `execution ${test.id.slice(0, 12)}`;
  parts.about.textContent = [
    WORDS[status] || status, test.attempt > 1 ? `attempt ${test.attempt}` : "", test.notebook, test.browser,
    `${test.steps.size + test.hidden} step${test.steps.size + test.hidden === 1 ? "" : "s"}`,
  ].filter(Boolean).join(" · ");
  const steps = [...test.steps.values()];
  const last = steps.at(-1);
  parts.now.textContent = test.status === "running" && last ? last.name : "";
  const failed = steps.find((step) => isBad(step.status) && step.error);
  parts.reason.textContent = isBad(test.status) ? test.error || failed?.error || "" : "";
  parts.hidden.textContent = test.hidden ? `${test.hidden} earlier steps are not shown` : "";
  parts.hidden.hidden = !test.hidden;
  if (!parts.opened) parts.root.open = isBad(test.status) || test.status === "running";
  drawSteps(parts, steps);
  drawTime(test, parts);
}

function drawSteps(parts, steps) {
  const wanted = new Set(steps.map((step) => step.id));
  for (const [id, item] of parts.steps) {
    if (!wanted.has(id)) {
      item.remove();
      parts.steps.delete(id);
    }
  }
  const atEnd = parts.strip.scrollLeft + parts.strip.clientWidth >= parts.strip.scrollWidth - 8;
  for (const step of steps) {
    const look = JSON.stringify(step);
    const known = parts.steps.get(step.id);
    if (known?.look === look) continue;
    const item = drawStep(step);
    item.look = look;
    if (known) known.replaceWith(item);
    else parts.strip.append(item);
    if (atEnd) parts.follow = true;
    parts.steps.set(step.id, item);
  }
}

// Brings the step to look at into view, unless the reader has scrolled elsewhere: what failed, else the newest.
function follow(parts) {
  if (!parts.follow || !parts.root.open) return;
  parts.follow = false;
  const wanted = parts.strip.querySelector(".failed, .error, .aborted") || parts.strip.lastElementChild;
  if (wanted) parts.strip.scrollLeft = wanted.offsetLeft + wanted.offsetWidth - parts.strip.clientWidth + 8;
}

function drawStep(step) {
  const item = element("li", step.status);
  item.dataset.step = step.id;
  item.title = [step.name, step.error, step.url].filter(Boolean).join("\n");
  if (step.picture) {
    const link = element("a");
    link.href = beside(`artifact/${step.picture}`).href;
    link.target = "_blank";
    link.rel = "noopener noreferrer";
    const image = element("img");
    image.loading = "lazy";
    image.alt = `The page after: ${step.name}`;
    image.src = link.href;
    image.addEventListener("error", () => link.replaceWith(element("div", "blank", "picture is gone")), { once: true });
    link.append(image);
    item.append(link);
  } else {
    item.append(element("div", "blank", step.status === "running" ? "running …" : "no picture"));
  }
  const line = element("span", "line");
  line.append(mark(step.status), element("code", "", step.name), element("small", "", duration(step.duration)));
  item.append(line);
  return item;
}

function drawTime(test, parts) {
  if (test.status !== "running") parts.time.textContent = duration(test.duration);
  else {
    const quiet = Date.now() - test.heard;
    parts.time.textContent = quiet > QUIET ? `no news for ${ago(quiet)}` : `for ${ago(Date.now() - test.started)}`;
    parts.root.classList.toggle("quiet", quiet > QUIET);
  }
}

// ---- the page ----------------------------------------------------------------------------------
function draw() {
  due = false;
  for (const id of tests.touched) {
    const test = tests.tests.get(id);
    if (test) drawTest(test);
    else {
      cards.get(id)?.root.remove();
      cards.delete(id);
    }
  }
  const drawn = [...tests.touched];
  tests.touched.clear();
  arrange();
  for (const id of drawn) if (cards.has(id)) follow(cards.get(id));
  const counts = tests.counts();
  $("legend").replaceChildren(
    ...Object.entries(counts).filter(([, count]) => count).map(([status, count]) => {
      const item = element("li");
      item.append(mark(status), element("b", "", String(count)), ` ${status}`);
      return item;
    }),
  );
  $("top").className = counts.failed ? "failed" : counts.running ? "running" : counts.flaky ? "flaky" : counts.passed ? "passed" : "";
  $("empty").hidden = tests.tests.size > 0 || missing > 0;
  $("more").hidden = !tests.dropped;
  $("more").textContent = `${tests.dropped} older tests are not shown; ask the store: jbts query "select * from executions"`;
}

function arrange() {
  // Only what is not where it belongs is moved: moving an element closes its menus and loses its scroll.
  const list = $("list");
  let place = list.firstChild;
  for (const test of tests.sorted()) {
    const root = cards.get(test.id).root;
    if (root === place) place = place.nextSibling;
    else list.insertBefore(root, place);
  }
}

function drawSoon() {
  if (!due) {
    due = true;
    requestAnimationFrame(draw);
  }
}

function state(word) {
  const link = $("link");
  link.textContent = { connected: "live", waiting: "reconnecting …" }[word] || word;
  link.className = `link ${word}`;
}

const address = beside("ws");
address.protocol = address.protocol === "https:" ? "wss:" : "ws:";
const hub = connect(address.href, {
  onEvent: (event) => {
    tests.take(event);
    drawSoon();
  },
  onGap: (gap) => {
    missing += gap.to - gap.from + 1;
    $("gap").hidden = false;
    $("gap").textContent = `${missing} earlier events are no longer kept by the hub; the store has them.`;
    drawSoon();
  },
  onState: state,
});
hub.join("test_events", { history: true });
draw();
setInterval(() => {
  for (const test of tests.tests.values()) if (test.status === "running") drawTime(test, cards.get(test.id) || card(test.id));
}, 5_000);
