// Sends the form and shows the server's answer; the page stays.

const form = document.getElementById("fields");
const echo = document.getElementById("echo");

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const reply = await fetch(form.action, { method: "POST", body: new URLSearchParams(new FormData(form)) });
  echo.textContent = JSON.stringify(await reply.json(), null, 2);
});
form.addEventListener("reset", () => { echo.textContent = "{}"; });
