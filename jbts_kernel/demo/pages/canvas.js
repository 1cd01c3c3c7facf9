// A dot where the board was clicked, and its place in the canvas's own pixels.

const find = (id) => document.getElementById(id);
const board = find("board");
const pen = board.getContext("2d");
let dots = 0;

function clear() {
  pen.fillStyle = "#fbf9f4";
  pen.fillRect(0, 0, board.width, board.height);
  pen.strokeStyle = "#e4dfd5";
  for (let at = 20.5; at < board.width; at += 20) {
    pen.beginPath();
    pen.moveTo(at, 0);
    pen.lineTo(at, board.height);
    pen.moveTo(0, at);
    pen.lineTo(board.width, at);
    pen.stroke();
  }
  find("dots").textContent = dots = 0;
  find("where").textContent = "";
}

board.addEventListener("click", (event) => {
  const box = board.getBoundingClientRect();
  const x = Math.round(event.clientX - box.left - board.clientLeft);
  const y = Math.round(event.clientY - box.top - board.clientTop);
  pen.fillStyle = "#b4622d";
  pen.beginPath();
  pen.arc(x, y, 6, 0, 2 * Math.PI);
  pen.fill();
  find("where").textContent = `${x},${y}`;
  find("dots").textContent = ++dots;
});
find("clear-board").addEventListener("click", clear);
clear();
