import assert from "node:assert/strict";
import { mock, test } from "node:test";

import { chord, emptyCell, entry, gestures, latest, make, options, pagePoint, place, preview } from "../workbench.js";

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
  const step = { status: "failed", mark: "✗", source: "click <img onerror=x>", took: "5 ms", error: "<script>" };
  const item = entry(document, step, (one) => chosen.push(one));
  const [button] = item.children;
  const [mark, line, took, why] = button.children;
  assert.deepEqual([mark, line, took, why].map((node) => node.children[0]), ["✗", "click <img onerror=x>", "5 ms", "<script>"]);
  assert.ok(![item, button, ...button.children].some((node) => "innerHTML" in node));
  button.listeners.click();
  assert.deepEqual(chosen, [step]);
});

test("a passed step has no error line", () => {
  assert.equal(entry(document, { status: "passed", source: "x", took: "1 ms", error: "" }).children[0].children.length, 3);
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

test("one press, two, the other button and a drag are told apart", () => {
  mock.timers.enable({ apis: ["setTimeout"] });
  const told = [], at = ({ clientX, clientY }) => (clientX < 500 ? { x: clientX, y: clientY } : null);
  const hand = gestures(at, (what) => told.push(what));
  const event = (clientX, more = {}) => ({ clientX, clientY: 5, button: 0, preventDefault() {}, ...more });
  const press = (from, to = from, detail = 1) => { hand.down(event(from)); hand.up(event(to)); hand.press(event(to, { detail })); };
  const after = (milliseconds) => { mock.timers.tick(milliseconds); return told.splice(0); };
  press(10);
  assert.deepEqual(after(100), []);
  press(12, 12, 2);
  assert.deepEqual(after(1000), [{ x: 12, y: 5, how: "double" }]);
  for (const place of [10, 80]) press(place);  // two places, however soon
  assert.deepEqual(after(1000), [{ x: 10, y: 5 }, { x: 80, y: 5 }]);
  press(10);
  assert.deepEqual(after(1000), [{ x: 10, y: 5 }]);
  press(10, 14);  // a hand that trembles
  assert.deepEqual(after(1000), [{ x: 14, y: 5 }]);
  press(10, 90);
  assert.deepEqual(after(1000), [{ x: 10, y: 5, to: { x: 90, y: 5 } }]);
  press(10, 600);  // beside the picture
  for (const more of [{ button: 2 }, { ctrlKey: true }, {}]) hand.other(event(7, more));
  assert.deepEqual(after(1000), [{ x: 7, y: 5, how: "right" }, { x: 7, y: 5, how: "right" }]);
  mock.timers.reset();
});

test("what can be chosen lights up as it is passed, and says what steps run in", () => {
  const told = [], entries = [{ text: "<b>", about: "", box: null, here: true }, { text: "in it", about: "2", box: { x: 1 } }];
  const buttons = options(document, entries, (...lit) => told.push(lit), (one) => told.push(one.text)).children.map((item) => item.children[0]);
  assert.deepEqual(buttons.map((one) => one.attributes["aria-current"]), [true, false]);
  assert.deepEqual(buttons.map((one) => one.children.map((part) => part.children[0])), [["<b>", ""], ["in it", "2"]]);
  buttons[1].listeners.focus();
  buttons[1].listeners.click();
  assert.deepEqual(told, [[[{ x: 1 }], "in it"], "in it"]);
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
