// The live panel: the page's picture and the steps so far, kept in step with the kernel.
// Everything a page says is set as text, never as markup.

export const MARKS = { passed: "\u2713", failed: "\u2717", error: "!", skipped: "\u2013", aborted: "\u25a0" };

export function entry(document, step) {
  const item = document.createElement("li");
  item.dataset.status = step.status;
  const mark = document.createElement("i");
  mark.textContent = MARKS[step.status] ?? "?";
  mark.title = step.status;
  const line = document.createElement("code");
  line.textContent = step.source;
  const took = document.createElement("span");
  took.textContent = step.took;
  item.append(mark, line, took);
  if (step.error) {
    const why = document.createElement("small");
    why.textContent = step.error;
    item.append(why);
  }
  return item;
}

function render({ model, el }) {
  const document = el.ownerDocument;
  const panel = document.createElement("div");
  panel.className = "jbts-panel";
  const head = document.createElement("header");
  const test = document.createElement("b");
  const where = document.createElement("span");
  head.append(test, where);
  const picture = document.createElement("img");
  const list = document.createElement("ol");
  list.setAttribute("aria-label", "steps");
  list.setAttribute("aria-live", "polite");
  const empty = document.createElement("p");
  empty.className = "jbts-empty";
  empty.textContent = "No step has run yet. Run one, and the page shows here.";
  panel.append(head, picture, list, empty);
  el.append(panel);
  let address = null;

  function draw() {
    const steps = model.get("steps");
    const bytes = model.get("picture");
    test.textContent = model.get("test") || "no test is open";
    where.textContent = [model.get("title"), model.get("url")].filter(Boolean).join("  ");
    if (address) URL.revokeObjectURL(address);
    address = bytes && bytes.byteLength ? URL.createObjectURL(new Blob([bytes], { type: "image/webp" })) : null;
    picture.hidden = !address;
    if (address) picture.src = address;
    picture.alt = `the page: ${model.get("title")}`;
    empty.hidden = steps.length > 0;
    list.replaceChildren(...steps.map((step) => entry(document, step)));
    list.scrollTop = list.scrollHeight;
  }

  for (const name of ["steps", "picture", "url", "title", "test"]) model.on(`change:${name}`, draw);
  draw();
  return () => address && URL.revokeObjectURL(address);
}

export default { render };
