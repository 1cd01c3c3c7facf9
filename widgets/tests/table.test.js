import assert from "node:assert/strict";
import { test } from "node:test";

import { line, nextOrder, pages } from "../table.js";

const document = { createElement: (name) => ({ name, children: [], append(...nodes) { this.children.push(...nodes); } }) };

test("a cell is text, whatever it holds, and numbers stand to the right", () => {
  const row = line(document, ["<img onerror=x>", "5"], [false, true]);
  assert.equal(row.children[0].textContent, "<img onerror=x>");
  assert.equal(row.children[1].className, "n");
  assert.ok(!row.children.some((node) => "innerHTML" in node));
});

test("a column is sorted up, then down, then as it came", () => {
  assert.deepEqual(nextOrder(-1, false, 2), { sort: 2, descending: false });
  assert.deepEqual(nextOrder(2, false, 2), { sort: 2, descending: true });
  assert.deepEqual(nextOrder(2, true, 2), { sort: -1, descending: false });
  assert.deepEqual(nextOrder(1, true, 2), { sort: 2, descending: false });
});

test("there is always a page", () => {
  assert.deepEqual([pages(0, 50), pages(50, 50), pages(51, 50)], [1, 1, 2]);
});
