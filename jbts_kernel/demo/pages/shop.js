// What several pages need: talking to the server, the toast, the number beside "Cart".

const TOAST_MS = 2000;
let toastTimer = 0;

/** Ask the API; resolves to the parsed answer, rejects with an Error that carries the server's message. */
export async function ask(path, { method = "GET", body, signal } = {}) {
  const headers = body === undefined ? {} : { "Content-Type": "application/json" };
  const reply = await fetch(path, { method, headers, signal, body: body === undefined ? undefined : JSON.stringify(body) });
  const answer = await reply.json();
  if (!reply.ok) throw new Error(answer.message);
  return answer;
}

/** Show a line in the corner for two seconds; a second one replaces the first and starts the time anew. */
export function toast(text) {
  const place = document.getElementById("toast");
  place.textContent = text;
  place.hidden = false;
  clearTimeout(toastTimer);
  toastTimer = setTimeout(() => { place.hidden = true; place.textContent = ""; }, TOAST_MS);
}

/** Put the cart's size into the navigation. */
export function showCount(cart) {
  document.getElementById("cart-count").textContent = cart.count;
}

/** Add to the cart, then say so. */
export async function addToCart(slug, quantity) {
  const cart = await ask("/api/cart", { method: "POST", body: { slug, quantity } });
  showCount(cart);
  toast(`Added ${cart.added}`);
}
