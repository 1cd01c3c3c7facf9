import assert from "node:assert/strict";
import { test } from "node:test";

import { MARKS, entry } from "../workbench.js";

// Just enough of a document to see what is set as text and what as anything else.
const document = {
  createElement: (name) => ({ name, dataset: {}, children: [], append(...nodes) { this.children.push(...nodes); } }),
};

test("a step's line and error are text, whatever they hold", () => {
  const item = entry(document, { status: "failed", source: "click <img onerror=x>", took: "5 ms", error: "<script>" });
  const [mark, line, took, why] = item.children;
  assert.equal(mark.textContent, MARKS.failed);
  assert.equal(line.textContent, "click <img onerror=x>");
  assert.equal(took.textContent, "5 ms");
  assert.equal(why.textContent, "<script>");
  assert.ok(![item, ...item.children].some((node) => "innerHTML" in node));
});

test("a passed step has no error line, and a status nobody knows is shown as one", () => {
  assert.equal(entry(document, { status: "passed", source: "x", took: "1 ms", error: "" }).children.length, 3);
  assert.equal(entry(document, { status: "odd", source: "x", took: "1 ms", error: "" }).children[0].textContent, "?");
});
