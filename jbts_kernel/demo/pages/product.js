// One product: quantity, the cart, and the rating, which lives in a shadow root.

import { addToCart, ask, toast } from "./shop.js";

const find = (id) => document.getElementById(id);
const slug = find("product").dataset.slug;

find("add-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  const problem = find("quantity-error");
  problem.hidden = true;
  try {
    await addToCart(slug, find("quantity").valueAsNumber);
  } catch (error) {
    problem.textContent = error.message;
    problem.hidden = false;
  }
});

class Rating extends HTMLElement {
  connectedCallback() {
    const root = this.attachShadow({ mode: "open" });
    root.innerHTML = `
      <style>
        :host { display: flex; align-items: center; gap: 2px; flex-wrap: wrap; }
        button { border: 0; background: none; padding: 2px 3px; font: inherit; font-size: 22px; line-height: 1; color: #b9b09f; cursor: pointer; }
        button.lit { color: #b4622d; }
        button:focus-visible { outline: 3px solid #d99a6a; border-radius: 5px; }
        .value { margin-left: 8px; color: #5d6862; }
      </style>
      ${[1, 2, 3, 4, 5].map((n) => `<button type="button" aria-label="${n} star${n > 1 ? "s" : ""}" data-stars="${n}">&#9733;</button>`).join("")}
      <output class="value"></output>`;
    root.addEventListener("click", (event) => {
      const button = event.target.closest("button");
      if (button) this.rate(Number(button.dataset.stars));
    });
    this.show(Number(this.dataset.stars));
  }

  async rate(stars) {
    try {
      this.show((await ask(`/api/products/${slug}/rating`, { method: "PUT", body: { stars } })).stars);
    } catch (error) {
      toast(error.message);
    }
  }

  show(stars) {
    for (const button of this.shadowRoot.querySelectorAll("button")) {
      button.classList.toggle("lit", Number(button.dataset.stars) <= stars);
      button.setAttribute("aria-pressed", String(Number(button.dataset.stars) === stars));
    }
    this.shadowRoot.querySelector(".value").textContent = stars ? `${stars} of 5` : "Not rated";
  }
}
customElements.define("shop-rating", Rating);
