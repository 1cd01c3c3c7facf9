import assert from "node:assert/strict";
import { test } from "node:test";

import { connect } from "../client.js";

class Wire {
  // stands where a WebSocket would: what the client sends is kept, what the hub says is put in by the test
  static all = [];
  constructor(url) {
    Object.assign(this, { url, readyState: 0, sent: [] });
    Wire.all.push(this);
  }
  open() {
    this.readyState = 1;
    this.onopen();
  }
  send(text) {
    this.sent.push(JSON.parse(text));
  }
  say(message) {
    this.onmessage({ data: JSON.stringify(message) });
  }
  drop() {
    this.readyState = 3;
    this.onclose();
  }
  close() {
    this.drop();
  }
}

function begin(extra = {}) {
  Wire.all = [];
  const seen = { events: [], gaps: [], states: [] };
  const later = [];
  const watches = [];
  const hub = connect("ws://hub/ws", {
    Socket: Wire, wait: (go) => later.push(go), watch: (go) => watches.push(go), onEvent: (e) => seen.events.push(e.offset),
    onGap: (g) => seen.gaps.push([g.from, g.to]), onState: (s) => seen.states.push(s), ...extra,
  });
  return { hub, seen, later, watches, wire: () => Wire.all.at(-1) };
}
const event = (offset, epoch = "e1") => ({ type: "test_execution_event", room: "test_events", epoch, offset });
const joined = (offset, extra = {}) => ({ type: "room_joined", room: "test_events", epoch: "e1", offset, was_recovering: false, recovered: false, ...extra });

test("a room asked for before the connection is open is joined when it is", () => {
  const { hub, wire } = begin();
  hub.join("test_events");
  assert.deepEqual(wire().sent, []);
  wire().open();
  assert.deepEqual(wire().sent, [{ type: "join_room", room: "test_events", history: false }]);
});

test("after a break it resumes from the last event it saw, and shows none twice", () => {
  const { hub, seen, later, wire } = begin();
  hub.join("test_events");
  wire().open();
  wire().say(joined(4));
  wire().say(event(5));
  wire().say(event(6));
  wire().drop();
  later.shift()();
  wire().open();
  assert.deepEqual(wire().sent, [{ type: "join_room", room: "test_events", epoch: "e1", offset: 6 }]);
  wire().say(joined(6, { was_recovering: true, recovered: true }));
  wire().say(event(6));
  wire().say(event(7));
  assert.deepEqual(seen.events, [5, 6, 7]);
});

test("a gap is told and the count goes on behind it", () => {
  const { hub, seen, wire } = begin();
  hub.join("test_events");
  wire().open();
  wire().say(joined(0));
  wire().say({ type: "gap", room: "test_events", epoch: "e1", from: 1, to: 90 });
  wire().say(event(90));
  wire().say(event(91));
  assert.deepEqual(seen, { events: [91], gaps: [[1, 90]], states: ["connected"] });
});

test("rooms that were not joined are not heard, and a closed client stays closed", () => {
  const { hub, seen, later, wire } = begin();
  wire().open();
  wire().say(event(1));
  hub.close();
  assert.deepEqual(seen.events, []);
  assert.equal(later.length, 0);
  assert.deepEqual(seen.states, ["connected", "closed"]);
});

test("a connection on which nothing is heard is given up; one with heartbeats is kept", () => {
  const { hub, watches, later, wire } = begin();
  hub.join("test_events");
  wire().open();
  wire().say({ type: "heartbeat", timestamp: "", tops: {} });
  watches.shift()(); // something was heard: watched again
  assert.equal(wire().readyState, 1);
  watches.shift()(); // nothing since
  assert.equal(wire().readyState, 3);
  later.shift()();
  assert.equal(Wire.all.length, 2);
});
