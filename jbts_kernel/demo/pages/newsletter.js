// Both frames: a form that says what it did. Nothing is sent anywhere.

const answer = (form, result, words) =>
  document.getElementById(form)?.addEventListener("submit", (event) => {
    event.preventDefault();
    document.getElementById(result).textContent = words();
  });

answer("newsletter-form", "subscribed", () => `Subscribed ${document.getElementById("newsletter-email").value}`);
answer("preferences-form", "saved", () => `Saved: ${document.getElementById("topic").value}`);
