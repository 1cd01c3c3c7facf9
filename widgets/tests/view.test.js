import assert from "node:assert/strict";
import { test } from "node:test";

import { KEPT, message, queue } from "../view.js";

test("a press says the data of its element, a field its value too", () => {
  assert.deepEqual(message({ localName: "button", value: "", dataset: { do: "turn", page: "2", key: "next" } }), { do: "turn", page: "2" });
  assert.deepEqual(message({ localName: "input", value: "<b>", dataset: { do: "filter", key: "filter" } }), { do: "filter", value: "<b>" });
});

test("lines wait while somebody looks, and are told", () => {
  const put = [], counts = [];
  const lines = queue((rows) => put.push(...rows), (count) => counts.push(count));
  lines.add(["a"]);
  lines.hold(true);
  lines.add(["b", "c"]);
  assert.deepEqual([put, counts.at(-1)], [["a"], 2]);
  lines.hold(false);
  assert.deepEqual([put, counts.at(-1)], [["a", "b", "c"], 0]);
});

test("what waits is bounded; the newest stay", () => {
  let put = [];
  const lines = queue((rows) => { put = rows; }, () => {});
  lines.hold(true);
  for (let i = 0; i < 3 * KEPT; i += 1) lines.add([i]);
  lines.hold(false);
  assert.deepEqual([put.length, put.at(-1)], [KEPT, 3 * KEPT - 1]);
});
