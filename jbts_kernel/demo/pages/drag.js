// Native dragging for the queue and the box, pointer events for the knob: the two ways the web drags.

const find = (id) => document.getElementById(id);
const queue = find("queue");
const drop = find("drop");
let moving = null;

const showOrder = () => {
  find("queue-order").textContent = [...queue.children].map((item) => item.textContent).join(", ");
};

queue.addEventListener("dragstart", (event) => {
  moving = event.target.closest("li");
  event.dataTransfer.setData("text/plain", moving.textContent);
  event.dataTransfer.effectAllowed = "copyMove";
  moving.classList.add("moving");
});
queue.addEventListener("dragover", (event) => event.preventDefault());
// The list changes on the drop and not on the way, so that the target stays where the pointer is going.
queue.addEventListener("drop", (event) => {
  event.preventDefault();
  const target = event.target.closest("li");
  if (!moving || !target || target === moving) return;
  const items = [...queue.children];
  if (items.indexOf(moving) < items.indexOf(target)) target.after(moving);
  else target.before(moving);
  showOrder();
});
queue.addEventListener("dragend", () => {
  moving?.classList.remove("moving");
  moving = null;
});

drop.addEventListener("dragover", (event) => {
  event.preventDefault();
  drop.classList.add("over");
});
drop.addEventListener("dragleave", () => drop.classList.remove("over"));
drop.addEventListener("drop", (event) => {
  event.preventDefault();
  drop.classList.remove("over");
  find("dropped").textContent = event.dataTransfer.getData("text/plain");
});

const knob = find("knob");
const track = find("track");
let level = 0;

function set(value) {
  level = Math.max(0, Math.min(100, Math.round(value)));
  knob.style.left = `${level}%`;
  knob.setAttribute("aria-valuenow", level);
  find("knob-value").textContent = level;
}

knob.addEventListener("pointerdown", (event) => {
  knob.setPointerCapture(event.pointerId);
  event.preventDefault();
  knob.focus();
});
knob.addEventListener("pointermove", (event) => {
  if (!knob.hasPointerCapture(event.pointerId)) return;
  const box = track.getBoundingClientRect();
  set(((event.clientX - box.left) / box.width) * 100);
});
knob.addEventListener("keydown", (event) => {
  const step = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1, PageUp: 10, PageDown: -10, Home: -100, End: 100 }[event.key];
  if (step === undefined) return;
  event.preventDefault();
  set(level + step);
});
