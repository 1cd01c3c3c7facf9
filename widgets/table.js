// The answer to a query: one page of it, and which column it is sorted by. The kernel holds the rows.
// Everything a cell holds is set as text, never as markup.

export function pages(total, size) {
  return Math.max(1, Math.ceil(total / size));
}

// A press on a column: ascending, then descending, then as it came.
export function nextOrder(sort, descending, column) {
  if (sort !== column) return { sort: column, descending: false };
  return descending ? { sort: -1, descending: false } : { sort: column, descending: true };
}

export function line(document, row, numbers) {
  const tr = document.createElement("tr");
  tr.append(...row.map((value, i) => {
    const td = document.createElement("td");
    td.textContent = value;
    if (numbers[i]) td.className = "n";
    return td;
  }));
  return tr;
}

function render({ model, el }) {
  const document = el.ownerDocument;
  const make = (name, text = "") => Object.assign(document.createElement(name), { textContent: text });
  const root = make("div");
  root.className = "jbts-pager";
  const wide = make("div");
  const table = make("table");
  const head = table.createTHead().insertRow();
  const body = table.createTBody();
  wide.append(table);
  const bar = make("nav");
  const [first, back, where, next, last] = ["«", "‹", null, "›", "»"].map((sign) => make(sign ? "button" : "span", sign ?? ""));
  [[first, "first page"], [back, "page before"], [next, "next page"], [last, "last page"]].forEach(([button, label]) => {
    button.type = "button";
    button.title = label;
    button.setAttribute("aria-label", label);
  });
  where.setAttribute("aria-live", "polite");
  bar.append(first, back, where, next, last);
  root.append(wide, bar);
  el.append(root);

  const set = (values) => {
    for (const [name, value] of Object.entries(values)) model.set(name, value);
    model.save_changes();
  };
  const turn = (to) => () => set({ page: Math.min(Math.max(to(model.get("page")), 0), pages(model.get("total"), model.get("size")) - 1) });
  first.onclick = turn(() => 0);
  back.onclick = turn((page) => page - 1);
  next.onclick = turn((page) => page + 1);
  last.onclick = turn(() => Infinity);

  function draw() {
    const [sort, descending, numbers] = ["sort", "descending", "numbers"].map((name) => model.get(name));
    const [total, size, page] = ["total", "size", "page"].map((name) => model.get(name));
    head.replaceChildren(...model.get("columns").map((name, i) => {
      const th = make("th");
      const button = make("button", name);
      const mark = make("i", i === sort ? (descending ? "▼" : "▲") : "");
      button.type = "button";
      button.title = `sort by ${name}`;
      button.append(mark);
      button.onclick = () => set(nextOrder(model.get("sort"), model.get("descending"), i));
      th.setAttribute("aria-sort", i === sort ? (descending ? "descending" : "ascending") : "none");
      if (numbers[i]) th.className = "n";
      th.append(button);
      return th;
    }));
    body.replaceChildren(...model.get("rows").map((row) => line(document, row, numbers)));
    const count = pages(total, size);
    where.textContent = count > 1 ? `page ${page + 1} of ${count}, ${total.toLocaleString()} rows` : `${total} rows`;
    for (const button of [first, back, next, last]) button.hidden = count < 2;
    first.disabled = back.disabled = page <= 0;
    next.disabled = last.disabled = page >= count - 1;
  }

  for (const name of ["columns", "numbers", "rows", "total", "page", "sort", "descending"]) model.on(`change:${name}`, draw);
  draw();
}

export default { render };
