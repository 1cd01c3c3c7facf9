// A client of the event hub for a page: joins rooms, and after a break goes on where it was, each event once.
//   const hub = connect("ws://127.0.0.1:PORT/ws?token=T", { onEvent, onGap, onState });
//   hub.join("test_events");
// The hub says something at least every quarter of a minute: a connection silent for three times that is made anew.
// Where the hub no longer has what was missed, onGap is told what is missing.
const SILENCE = 45_000;

export function connect(url, { onEvent, onGap = () => {}, onState = () => {}, Socket = globalThis.WebSocket, wait = setTimeout, watch = setTimeout } = {}) {
  const rooms = new Map(); // name -> { history, epoch, offset }: whether that was asked for, and the last event seen
  let [socket, closed, delay, heard] = [null, false, 250, 0]; // heard counts messages
  const send = (message) => socket.readyState === 1 && socket.send(JSON.stringify(message));
  const ask = (room) => {
    const { epoch, offset, history } = rooms.get(room);
    send({ type: "join_room", room, ...(epoch ? { epoch, offset } : { history }) });
  };

  function receive(message) {
    heard += 1;
    const room = rooms.get(message.room);
    const reach = (offset, tell = () => {}) => Object.assign(room, { epoch: message.epoch, offset }) && tell(message);
    if (!room) return;
    if (message.type === "room_joined" && !message.recovered) reach(message.offset);
    if (message.type === "gap") reach(message.to, onGap);
    const news = message.epoch !== room.epoch || message.offset > room.offset;
    if (message.type === "test_execution_event" && news) reach(message.offset, onEvent);
  }

  function listen(wire, before = heard) {
    watch(() => {
      if (!closed && wire === socket) heard === before ? wire.close(4000, "silent") : listen(wire);
    }, SILENCE);
  }

  function open() {
    socket = new Socket(url);
    socket.onopen = () => {
      delay = 250;
      listen(socket);
      onState("connected");
      for (const room of rooms.keys()) ask(room);
    };
    socket.onmessage = ({ data }) => receive(JSON.parse(data));
    socket.onclose = () => {
      if (closed) return;
      onState("waiting");
      wait(open, delay);
      delay = Math.min(delay * 2, 8000);
    };
  }

  open();
  const join = (room, { history = false } = {}) => ask(rooms.set(room, { history }) && room);
  const leave = (room) => rooms.delete(room) && send({ type: "leave_room", room });
  const close = () => {
    closed = true;
    socket.close();
    onState("closed");
  };
  return { join, leave, close };
}
