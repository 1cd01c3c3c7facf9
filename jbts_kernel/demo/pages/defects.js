// The defects that need a script: an error in the console and a request that fails.

console.error("Price service: no price for product 13");
fetch("/api/broken").then((reply) => {
  document.getElementById("defect-network").textContent = reply.ok ? "Stock level: 7" : "Stock level: not available";
});
