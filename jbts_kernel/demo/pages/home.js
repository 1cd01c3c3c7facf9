// The product list: asked for after the page is there, and again for every search, sort and filter.

import { addToCart, ask, toast } from "./shop.js";

const find = (id) => document.getElementById(id);
const list = find("products");
const card = find("card").content.firstElementChild;
let current = null; // the request whose answer may still be shown; an older one must not overwrite a newer

function fill(product) {
  const node = card.cloneNode(true);
  node.id = node.dataset.testid = `product-${product.slug}`;
  node.querySelector("a").href = product.url;
  node.querySelector("img").src = product.picture;
  node.querySelector("h2").textContent = product.name;
  node.querySelector(".blurb").textContent = product.blurb;
  node.querySelector(".price").textContent = product.price;
  node.querySelector(".badge").hidden = product.in_stock;
  const button = node.querySelector("button");
  button.id = button.dataset.testid = `add-${product.slug}`;
  button.disabled = !product.in_stock;
  button.addEventListener("click", () => addToCart(product.slug, 1).catch((error) => toast(error.message)));
  return node;
}

async function load() {
  current?.abort();
  const mine = (current = new AbortController());
  const words = find("q").value.trim();
  const query = new URLSearchParams({ q: words, sort: find("sort").value, in_stock: find("in-stock").checked ? "1" : "0" });
  list.replaceChildren();
  list.setAttribute("aria-busy", "true");
  find("result-count").textContent = "";
  find("empty").hidden = true;
  find("loading").hidden = false;
  let answer;
  try {
    answer = await ask(`/api/products?${query}`, { signal: mine.signal });
  } catch (error) {
    if (mine !== current || mine.signal.aborted) return;
    find("loading").hidden = true;
    toast(error.message);
    return;
  }
  if (mine !== current) return;
  find("loading").hidden = true;
  list.replaceChildren(...answer.products.map(fill));
  list.setAttribute("aria-busy", "false");
  find("result-count").textContent = answer.count === 1 ? "1 product" : `${answer.count} products`;
  find("empty").textContent = `Nothing matches "${words}"`;
  find("empty").hidden = answer.count > 0;
}

find("search").addEventListener("submit", (event) => {
  event.preventDefault();
  const words = find("q").value.trim();
  history.pushState(null, "", words ? `/?${new URLSearchParams({ q: words })}` : "/");
  load();
});
addEventListener("popstate", () => {
  find("q").value = new URLSearchParams(location.search).get("q") ?? "";
  load();
});
find("sort").addEventListener("change", load);
find("in-stock").addEventListener("change", load);
load();
