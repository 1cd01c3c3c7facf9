"use strict";
(() => {
  const tests = [...document.querySelectorAll(".test")];
  const buttons = [...document.querySelectorAll("[data-filter]")];
  const search = document.getElementById("search");
  const empty = document.getElementById("no-match");
  let kind = "all";

  const texts = new Map(); // read once, when somebody searches
  const fits = (test, words) => {
    if (kind !== "all" && test.dataset.kind !== kind) return false;
    if (words.length === 0) return true;
    if (!texts.has(test)) texts.set(test, test.textContent.toLowerCase());
    return words.every((word) => texts.get(test).includes(word));
  };
  const apply = () => {
    const words = search ? search.value.toLowerCase().split(/\s+/).filter(Boolean) : [];
    let shown = 0;
    for (const test of tests) {
      test.hidden = !fits(test, words);
      shown += test.hidden ? 0 : 1;
    }
    for (const button of buttons) button.setAttribute("aria-pressed", String(button.dataset.filter === kind));
    empty.hidden = shown > 0 || tests.length === 0;
  };
  const all = () => {
    kind = "all";
    if (search) search.value = "";
    apply();
  };
  for (const button of buttons) {
    button.addEventListener("click", () => {
      kind = button.dataset.filter;
      apply();
    });
  }
  if (search) search.addEventListener("input", apply);
  document.querySelector("[data-all]").addEventListener("click", all);

  const reveal = (root) => {
    for (const strip of root.querySelectorAll(".strip")) {
      const bad = strip.querySelector(".failed, .error");
      if (bad) strip.scrollLeft = bad.offsetLeft - strip.offsetLeft - (strip.clientWidth - bad.offsetWidth) / 2;
    }
  };
  reveal(document);
  document.addEventListener("toggle", (event) => reveal(event.target), true);

  const viewer = document.getElementById("viewer");
  const picture = document.getElementById("viewer-img");
  const caption = document.getElementById("viewer-text");
  let shots = [];
  let at = 0;
  const show = (index) => {
    if (index < 0 || index >= shots.length) return;
    at = index;
    picture.src = shots[at].getAttribute("href");
    picture.alt = shots[at].dataset.text;
    caption.textContent = shots[at].dataset.text;
  };
  document.addEventListener("click", (event) => {
    const shot = event.target.closest("[data-shot]");
    if (!shot || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    const strip = shot.closest(".strip");
    shots = strip ? [...strip.querySelectorAll("[data-shot]")] : [shot];
    show(shots.indexOf(shot));
    viewer.showModal();
  });
  viewer.addEventListener("click", (event) => {
    if (event.target.closest("[data-close]") || event.target.classList.contains("viewer-shot")) viewer.close();
    const go = event.target.closest("[data-go]");
    if (go) show(at + Number(go.dataset.go));
  });

  const step = (by) => {
    const shown = tests.filter((test) => !test.hidden);
    const heads = shown.map((test) => test.firstElementChild);
    const now = heads.indexOf(document.activeElement);
    const next = heads[Math.min(Math.max(now + by, 0), heads.length - 1)];
    if (next) next.focus();
  };
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (viewer.open) {
      if (event.key === "ArrowRight") show(at + 1);
      if (event.key === "ArrowLeft") show(at - 1);
      return;
    }
    if (event.target === search) {
      if (event.key === "Escape") all();
      return;
    }
    if (event.key === "j") step(1);
    else if (event.key === "k") step(-1);
    else if (event.key === "o") {
      const test = document.activeElement.closest(".test");
      if (test) test.open = !test.open;
    } else if (event.key === "/" && search) {
      event.preventDefault();
      search.focus();
    }
  });
})();
