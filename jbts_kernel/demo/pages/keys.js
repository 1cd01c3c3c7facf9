// Writes down keys, hover choices and the less usual clicks.

const find = (id) => document.getElementById(id);
const MODIFIERS = [["ctrlKey", "Control"], ["altKey", "Alt"], ["shiftKey", "Shift"], ["metaKey", "Meta"]];

/** "Control+A", "Shift+Tab", "Enter": modifiers first, single letters as capitals. */
function chord(event) {
  const held = MODIFIERS.filter(([flag, name]) => event[flag] && event.key !== name).map(([, name]) => name);
  const key = event.key === " " ? "Space" : event.key.length === 1 ? event.key.toUpperCase() : event.key;
  return [...held, key].join("+");
}

find("keys").addEventListener("keydown", (event) => { find("pressed").textContent = chord(event); });
find("notes").addEventListener("input", (event) => { find("notes-length").textContent = event.target.innerText.trim().length; });
find("menu-items").addEventListener("click", (event) => {
  if (event.target.matches("button")) find("menu-result").textContent = event.target.textContent;
});

const count = (pad, output, kind) =>
  find(pad).addEventListener(kind, (event) => {
    event.preventDefault();
    find(output).textContent = Number(find(output).textContent) + 1;
  });
count("double-pad", "double", "dblclick");
count("right-pad", "right", "contextmenu");
