// Quantities and removals. Every amount shown is one the server answered.

import { ask, showCount } from "./shop.js";

const find = (id) => document.getElementById(id);
const table = find("cart");
let asked = 0; // answers may overtake each other; only the newest may be shown

function show(cart) {
  for (const row of table.querySelectorAll("tbody tr")) {
    const line = cart.lines.find((candidate) => candidate.slug === row.dataset.slug);
    if (!line) {
      row.remove();
      continue;
    }
    row.querySelector("input").value = line.quantity;
    row.querySelector(".line-total").textContent = line.total;
  }
  find("total").textContent = cart.total;
  find("cart-full").hidden = cart.lines.length === 0;
  find("cart-empty").hidden = cart.lines.length > 0;
  showCount(cart);
}

async function change(path, options) {
  const mine = ++asked;
  const problem = find("cart-error");
  table.setAttribute("aria-busy", "true");
  try {
    const cart = await ask(path, options);
    if (mine !== asked) return;
    problem.hidden = true;
    show(cart);
  } catch (error) {
    if (mine !== asked) return;
    show(await ask("/api/cart"));
    problem.textContent = error.message;
    problem.hidden = false;
  }
  table.setAttribute("aria-busy", "false");
}

table.addEventListener("change", (event) => {
  if (event.target.value === "") return; // cleared on the way to another number: nothing to ask yet
  const { slug } = event.target.closest("tr").dataset;
  change("/api/cart", { method: "PATCH", body: { slug, quantity: event.target.valueAsNumber } });
});
table.addEventListener("click", (event) => {
  const button = event.target.closest(".remove");
  if (!button) return;
  const { slug } = button.closest("tr").dataset;
  change(`/api/cart?${new URLSearchParams({ slug })}`, { method: "DELETE" });
});
