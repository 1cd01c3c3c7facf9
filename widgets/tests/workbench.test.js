import assert from "node:assert/strict";
import { test } from "node:test";

import { MARKS, chord, emptyCell, entry, latest, make, pagePoint, place, preview } from "../workbench.js";

// Just enough of a document to see what is set as text and what as anything else.
const document = {
  createElement: (name) => ({
    name, dataset: {}, children: [], attributes: {}, listeners: {}, className: "", title: "", type: "",
    append(...nodes) { this.children.push(...nodes); },
    setAttribute(key, value) { this.attributes[key] = value; },
    addEventListener(key, value) { this.listeners[key] = value; },
  }),
};

test("a step's line and error are text, whatever they hold", () => {
  const chosen = [];
  const step = { status: "failed", source: "click <img onerror=x>", took: "5 ms", error: "<script>" };
  const item = entry(document, step, (one) => chosen.push(one));
  const [button] = item.children;
  const [mark, line, took, why] = button.children;
  assert.deepEqual([mark, line, took, why].map((node) => node.children[0]), [MARKS.failed, "click <img onerror=x>", "5 ms", "<script>"]);
  assert.ok(![item, button, ...button.children].some((node) => "innerHTML" in node));
  button.listeners.click();
  assert.deepEqual(chosen, [step]);
});

test("a passed step has no error line, and a status nobody knows is shown as one", () => {
  assert.equal(entry(document, { status: "passed", source: "x", took: "1 ms", error: "" }).children[0].children.length, 3);
  assert.equal(entry(document, { status: "odd", source: "x", took: "1 ms", error: "" }).children[0].children[0].children[0], "?");
});

test("a node takes properties it has, attributes it has not, and listeners", () => {
  const node = make(document, "button", { title: "t", "aria-label": "a", onclick: () => 1 }, "text");
  assert.deepEqual([node.title, node.attributes, Object.keys(node.listeners), node.children], ["t", { "aria-label": "a" }, ["click"], ["text"]]);
});

test("one question at a time, then the last that came meanwhile, and a lost answer is not waited for", () => {
  const sent = [];
  let now = 0;
  const hover = latest((value) => sent.push(value), () => now);
  for (const value of [1, 2, 3]) hover.ask(value);
  assert.deepEqual(sent, [1]);
  hover.answered();
  assert.deepEqual(sent, [1, 3]);
  hover.ask(4);
  hover.forget();
  hover.answered();
  hover.ask(5);
  assert.deepEqual(sent, [1, 3, 5]);
  now = 10_000;
  hover.ask(6);
  assert.deepEqual(sent, [1, 3, 5, 6]);
});

test("a point of the picture is a point of the page, and back", () => {
  const rectangle = { left: 100, top: 50, width: 640, height: 400 }, size = { width: 1280, height: 800 };
  assert.deepEqual(pagePoint({ clientX: 420, clientY: 250 }, rectangle, size), { x: 640, y: 400 });
  assert.equal(pagePoint({ clientX: 99, clientY: 60 }, rectangle, size), null);
  assert.equal(pagePoint({ clientX: 100, clientY: 50 }, { ...rectangle, width: 0 }, size), null);
  assert.deepEqual(place({ x: 640, y: 400, width: 128, height: 80 }, size), { left: "50.000%", top: "50.000%", width: "10.000%", height: "10.000%" });
});

test("keys go to the page by the names that press takes; letters, Tab and Save stay here", () => {
  const key = (name, held = {}) => chord({ key: name, ctrlKey: false, altKey: false, metaKey: false, shiftKey: false, ...held });
  assert.deepEqual([key("Enter"), key(" "), key("a", { ctrlKey: true }), key("ArrowUp", { shiftKey: true })], ["Enter", "Space", "Control+A", "Shift+ArrowUp"]);
  assert.deepEqual([key("a"), key("Tab"), key("s", { ctrlKey: true }), key("Shift", { shiftKey: true })], [null, null, null, null]);
});

test("the line is shown as it will be written, a password never", () => {
  assert.equal(preview({ head: "click", tail: "", asks: "" }, "#go", ""), "%click #go");
  assert.equal(preview({ head: "expect", tail: 'text "Hi"', asks: "" }, "#go", ""), '%expect #go text "Hi"');
  assert.equal(preview({ head: "type", tail: "", asks: "text" }, "#a", "x y"), '%type #a "x y"');
  assert.ok(!preview({ head: "type", tail: "", asks: "password" }, "#a", "hunter2").includes("hunter2"));
});

test("only an empty code cell is written into", () => {
  const line = (text, placeholder = null) => ({ textContent: text, querySelector: () => placeholder });
  const notebook = (lines) => ({ querySelector: () => lines && { querySelector: () => ({ querySelectorAll: () => lines }) } });
  const root = (lines) => ({ closest: () => notebook(lines) });
  assert.equal(emptyCell({}, root([line("")])), true);
  assert.equal(emptyCell({}, root([line("Type here", {})])), true);
  assert.equal(emptyCell({}, root([line(""), line("x = 1")])), false);
  assert.equal(emptyCell({}, root(null)), false);
  assert.equal(emptyCell({ querySelector: () => null }, { closest: () => null }), false);
});
