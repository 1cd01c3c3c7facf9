// Four waits, each with its own clock, started when the page is there.

const find = (id) => document.getElementById(id);
const say = (id, text) => () => { find(id).textContent = text; };

setTimeout(() => {
  const late = document.createElement("button");
  late.id = late.dataset.testid = "late";
  late.textContent = "Call the courier";
  late.addEventListener("click", say("late-result", "Called"));
  find("late-place").append(late);
}, 700);
setTimeout(() => { find("busy").disabled = false; }, 600);
setTimeout(() => find("veil").remove(), 600);

find("busy").addEventListener("click", say("busy-result", "Weighed"));
find("under").addEventListener("click", say("under-result", "Printed"));
find("start").addEventListener("click", () => setTimeout(() => find("vanish")?.remove(), 500));
