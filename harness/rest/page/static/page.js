// Fetches the board every second and puts it in place of the old one. The server has escaped everything in it.
"use strict";

const board = document.getElementById("board");
const lost = document.getElementById("lost");

async function refresh() {
  try {
    const answer = await fetch("/ui/board", { cache: "no-store" });
    if (!answer.ok) throw new Error(answer.statusText);
    const focused = document.activeElement && document.activeElement.dataset.speed;
    const scrolled = document.querySelector(".scroll")?.scrollLeft ?? 0;
    board.innerHTML = await answer.text();
    const table = document.querySelector(".scroll");
    if (table) table.scrollLeft = scrolled;
    if (focused) document.querySelector(`[data-speed="${CSS.escape(focused)}"]`)?.focus();
    lost.hidden = true;
  } catch {
    lost.hidden = false;
  }
}

board.addEventListener("click", async (event) => {
  const wanted = event.target.dataset?.speed;
  if (wanted === undefined) return;
  const speed = Number.isNaN(Number(wanted)) ? wanted : Number(wanted);
  await fetch("/clock", { method: "PUT", body: JSON.stringify({ speed }) });
  refresh();
});

setInterval(() => { if (!document.hidden) refresh(); }, 1000);
