// The browser's dialogs stop the script until answered, so each result is written after its answer.

const find = (id) => document.getElementById(id);

find("alert").addEventListener("click", () => {
  alert("Stock is low");
  find("alert-result").textContent = "Seen";
});
find("confirm").addEventListener("click", () => {
  find("confirm-result").textContent = confirm("Empty the cart?") ? "Accepted" : "Dismissed";
});
find("prompt").addEventListener("click", () => {
  find("prompt-result").textContent = prompt("Gift message?") ?? "Dismissed";
});
find("open-modal").addEventListener("click", () => find("modal").showModal());
find("close-modal").addEventListener("click", () => find("modal").close());
