import assert from "node:assert/strict";
import { test } from "node:test";

import { MOST_STEPS, MOST_TESTS, Tests, ago, duration } from "../live-state.js";

const at = (second) => new Date(1_700_000_000_000 + second * 1000).toISOString();
const started = (id, second, more = {}) => ({ event_type: "started", test_execution_id: id, timestamp: at(second), data: { test_name: id, attempt: 1, ...more } });
const ended = (id, second, status, more = {}) => ({
  event_type: status === "passed" ? "completed" : "failed", test_execution_id: id, timestamp: at(second), data: { test_name: id, status, duration_ms: 5, ...more },
});
const step = (id, number, status, more = {}) => ({
  event_type: "progress", test_execution_id: id, timestamp: at(50), data: { step_id: `${id}-${number}`, ordinal: number, verb: "click", locator: "#go", status, ...more },
});
const names = (tests) => tests.sorted().map((one) => one.id);

test("failures come first, then what runs, then the rest, the newest of each first", () => {
  const tests = new Tests();
  for (const [id, second] of [["old-pass", 1], ["old-fail", 2], ["runs", 3], ["new-fail", 4], ["new-pass", 5]]) tests.take(started(id, second));
  for (const id of ["old-pass", "new-pass"]) tests.take(ended(id, 9, "passed"));
  for (const id of ["old-fail", "new-fail"]) tests.take(ended(id, 9, "error"));
  assert.deepEqual(names(tests), ["new-fail", "old-fail", "runs", "new-pass", "old-pass"]);
  assert.deepEqual(tests.counts(), { failed: 2, running: 1, flaky: 0, passed: 2, skipped: 0 });
});

test("hearing everything again changes nothing, also from the beginning", () => {
  const tests = new Tests();
  const all = [started("a", 1), step("a", 1, "running"), step("a", 1, "passed", { duration_ms: 7 }), ended("a", 2, "passed")];
  all.forEach((event) => tests.take(event));
  const before = structuredClone([...tests.tests.values()]);
  all.forEach((event) => tests.take(event));
  assert.deepEqual([...tests.tests.values()], before);
});

test("a pass on a later attempt is counted as flaky, not as passed", () => {
  const tests = new Tests();
  tests.take(ended("a", 2, "passed", { attempt: 2 }));
  assert.deepEqual(tests.counts(), { failed: 0, running: 0, flaky: 1, passed: 0, skipped: 0 });
});

test("a step that was still running when its test ended did not end itself", () => {
  const tests = new Tests();
  tests.take(started("a", 1));
  tests.take(step("a", 1, "running"));
  tests.take(ended("a", 2, "error", { error_type: "BrowserGone", error_message: "it died" }));
  const [one] = tests.sorted();
  assert.equal([...one.steps.values()][0].status, "aborted");
  assert.equal(one.error, "BrowserGone: it died");
});

test("what a page or a stranger put into an event cannot break the page", () => {
  const tests = new Tests();
  tests.take({ event_type: "progress", test_execution_id: "a", data: null });
  tests.take({ event_type: "started", test_execution_id: 7, data: {} });
  tests.take({ event_type: "failed", test_execution_id: "a", timestamp: "never", data: { test_name: { no: 1 }, status: 3, duration_ms: "x", error_message: "y".repeat(9000) } });
  tests.take(step("a", 1, "passed", { screenshot: "../../etc/passwd", name: 5 }));
  const [one] = tests.sorted();
  assert.equal(one.status, "failed");
  assert.ok(one.error.length < 700);
  assert.equal([...one.steps.values()][0].picture, "");
  assert.equal([...one.steps.values()][0].name, "click #go");
});

test("tests and steps are bounded, and what runs is kept longest", () => {
  const tests = new Tests();
  tests.take(started("runs", 0));
  for (let n = 0; n < MOST_TESTS + 10; n += 1) tests.take(ended(`t${n}`, n + 1, "passed"));
  assert.equal(tests.tests.size, MOST_TESTS);
  assert.equal(tests.dropped, 11);
  assert.ok(tests.tests.has("runs"));
  for (let n = 0; n < MOST_STEPS + 5; n += 1) tests.take(step("runs", n, "passed"));
  assert.equal(tests.tests.get("runs").hidden, 5);
});

test("times are short", () => {
  assert.deepEqual([null, 12.4, 1500, 61_000].map(duration), ["", "12 ms", "1.5 s", "1 min 1 s"]);
  assert.deepEqual([0, 61_000, 7_200_000, 200_000_000].map(ago), ["0 s", "1 min", "2 h", "2 d"]);
});
