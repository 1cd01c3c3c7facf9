// What the live page knows: events in, tests out. No page and no network, so that it can be tested alone.
//
// Taking the same event twice changes nothing (tests and steps are known by their ids), so a hub that starts
// over and tells everything again does no harm.

export const MOST_TESTS = 200;
export const MOST_STEPS = 200;

const BAD = new Set(["failed", "error", "aborted"]);

const text = (value, most = 400) => (typeof value === "string" ? (value.length > most ? value.slice(0, most) + "…" : value) : "");
const time = (value) => Date.parse(value) || 0;
const number = (value) => (typeof value === "number" && Number.isFinite(value) ? value : null);

export const isBad = (status) => BAD.has(status);

export class Tests {
  constructor() {
    this.tests = new Map(); // execution id -> test
    this.touched = new Set(); // ids whose looks may have changed since take() was asked last
    this.dropped = 0;
  }

  take(event) {
    const id = event.test_execution_id;
    const data = event.data && typeof event.data === "object" ? event.data : {};
    if (typeof id !== "string" || !id) return;
    const test = this.tests.get(id) || this.#begin(id, event);
    test.heard = Math.max(test.heard, time(event.timestamp));
    if (event.event_type === "progress") this.#step(test, data, event);
    else this.#about(test, data, event);
    this.touched.add(id);
  }

  #begin(id, event) {
    const test = {
      id, name: "", status: "running", started: time(event.timestamp), heard: 0, duration: null, attempt: 1,
      notebook: "", browser: "", error: "", steps: new Map(), hidden: 0,
    };
    this.tests.set(id, test);
    if (this.tests.size > MOST_TESTS) {
      const oldest = [...this.tests.values()].find((one) => one.status !== "running" && one.id !== id) || this.tests.values().next().value;
      this.tests.delete(oldest.id);
      this.touched.add(oldest.id);
      this.dropped += 1;
    }
    return test;
  }

  #about(test, data, event) {
    test.name = text(data.test_name) || test.name;
    test.notebook = text(data.notebook) || test.notebook;
    test.browser = text(data.browser, 60) || test.browser;
    test.attempt = number(data.attempt) ?? test.attempt;
    if (event.event_type === "started") return;
    test.status = text(data.status, 20) || (event.event_type === "completed" ? "passed" : "failed");
    test.duration = number(data.duration_ms);
    test.error = [text(data.error_type, 80), text(data.error_message, 600)].filter(Boolean).join(": ");
    for (const step of test.steps.values()) if (step.status === "running") step.status = "aborted";
  }

  #step(test, data, event) {
    const id = text(data.step_id, 80);
    if (!id) return;
    const known = test.steps.get(id);
    if (known && known.status !== "running" && data.status === "running") return; // told again
    test.steps.set(id, {
      id,
      ordinal: number(data.ordinal) ?? known?.ordinal ?? 0,
      name: text(data.name, 200) || [text(data.verb, 40), text(data.locator, 160)].filter(Boolean).join(" "),
      status: text(data.status, 20) || "running",
      duration: number(data.duration_ms),
      error: [text(data.error_type, 80), text(data.error_message, 600)].filter(Boolean).join(": "),
      picture: /^[0-9a-f]{64}$/.test(data.screenshot) ? data.screenshot : "",
      url: text(data.url),
    });
    if (test.steps.size > MOST_STEPS) {
      test.steps.delete(test.steps.keys().next().value);
      test.hidden += 1;
    }
  }

  // Failures first, then what runs, then the rest; the newest of each first.
  sorted() {
    const rank = (test) => isBad(test.status) ? 0 : test.status === "running" ? 1 : 2;
    return [...this.tests.values()].sort((a, b) => rank(a) - rank(b) || b.started - a.started || (a.id < b.id ? 1 : -1));
  }

  counts() {
    const found = { failed: 0, running: 0, flaky: 0, passed: 0, skipped: 0 };
    for (const test of this.tests.values()) {
      if (isBad(test.status)) found.failed += 1;
      else if (test.status === "running" || test.status === "skipped") found[test.status] += 1;
      else found[test.attempt > 1 ? "flaky" : "passed"] += 1;
    }
    return found;
  }
}

export function duration(ms) {
  if (ms === null) return "";
  if (ms < 1000) return `${Math.round(ms)} ms`;
  const s = ms / 1000;
  if (s < 60) return `${s.toFixed(1)} s`;
  return `${Math.floor(s / 60)} min ${Math.round(s % 60)} s`;
}

export function ago(ms) {
  const s = Math.max(0, Math.round(ms / 1000));
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min`;
  return s < 86400 ? `${Math.floor(s / 3600)} h` : `${Math.floor(s / 86400)} d`;
}
