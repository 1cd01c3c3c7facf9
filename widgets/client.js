// A client of the event hub for a page: joins rooms, and after a break goes on where it was.
//
//   const hub = connect("ws://127.0.0.1:PORT/ws?token=T", { onEvent: (event) => ... });
//   hub.join("test_events");
//
// The hub says something at least every quarter of a minute; a connection that is silent for three times that
// is given up and made anew. Each room's epoch and offset are remembered, so that after a reconnection no event is missed or seen
// twice; where the hub no longer has what was missed, onGap is told what is missing.

const SILENCE = 45_000;

export function connect(url, { onEvent, onGap = () => {}, onState = () => {}, Socket = globalThis.WebSocket, wait = setTimeout, watch = setTimeout } = {}) {
  const rooms = new Map(); // name -> { epoch, offset } of the last event seen
  let socket = null;
  let closed = false;
  let delay = 250;
  let heard = 0;

  const send = (message) => socket?.readyState === 1 && socket.send(JSON.stringify(message));
  const ask = (room, { history = false } = {}) => {
    const seen = rooms.get(room);
    send(seen?.epoch ? { type: "join_room", room, epoch: seen.epoch, offset: seen.offset } : { type: "join_room", room, history });
  };

  function receive(message) {
    const room = rooms.get(message.room);
    if (message.type === "room_joined" && room) {
      if (!message.was_recovering || !message.recovered) rooms.set(message.room, { ...room, epoch: message.epoch, offset: message.offset });
    } else if (message.type === "gap" && room) {
      rooms.set(message.room, { ...room, epoch: message.epoch, offset: message.to });
      onGap(message);
    } else if (message.type === "test_execution_event" && room) {
      if (message.epoch === room.epoch && message.offset <= room.offset) return; // seen before the break
      rooms.set(message.room, { ...room, epoch: message.epoch, offset: message.offset });
      onEvent(message);
    }
  }

  function listen(wire) {
    const before = heard;
    watch(() => {
      if (closed || wire !== socket) return;
      if (heard === before) wire.close(4000, "silent");
      else listen(wire);
    }, SILENCE);
  }

  function open() {
    socket = new Socket(url);
    socket.onopen = () => {
      delay = 250;
      listen(socket);
      onState("connected");
      for (const [room, { history }] of rooms) ask(room, { history });
    };
    socket.onmessage = ({ data }) => {
      heard += 1;
      receive(JSON.parse(data));
    };
    socket.onclose = () => {
      if (closed) return;
      onState("waiting");
      wait(open, delay);
      delay = Math.min(delay * 2, 8000);
    };
  }

  open();
  return {
    join(room, { history = false } = {}) {
      rooms.set(room, { epoch: null, offset: 0, history });
      ask(room, { history });
    },
    leave(room) {
      rooms.delete(room);
      send({ type: "leave_room", room });
    },
    close() {
      closed = true;
      socket.close();
      onState("closed");
    },
  };
}
