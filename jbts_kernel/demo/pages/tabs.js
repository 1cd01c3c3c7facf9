// A window that a script opens, as opposed to a link.

document.getElementById("open-window").addEventListener("click", () => {
  const opened = window.open("/size-guide", "size-guide", "width=640,height=480");
  document.getElementById("window-result").textContent = opened ? "Opened" : "Blocked";
});
