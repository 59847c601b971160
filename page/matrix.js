"use strict";
const form = document.getElementById("filter"), heat = document.querySelector(".heat"), lines = [...heat.querySelectorAll("tbody tr")];
const dialog = document.querySelector("dialog"), unpacked = new Map();

// Shows the scenarios that all three fields let through: the verdict is that of
// any target.
function filter() {
  const { text, family, verdict } = Object.fromEntries(new FormData(form));
  const words = text.toLowerCase().split(/\s+/);
  let shown = 0;
  for (const l of lines) {
    const id = l.firstElementChild.textContent.toLowerCase();
    l.hidden = !(words.every(w => id.includes(w)) && (!family || l.dataset.family === family) && (!verdict || l.querySelector("a." + verdict)));
    if (!l.hidden) shown++;
  }
  form.querySelector("output").textContent = shown + (shown === 1 ? " scenario" : " scenarios");
}

// What the page tells of a target's scenarios, by id.
function unpack(target) {
  if (!unpacked.has(target)) unpacked.set(target, (async () => {
    const packed = Uint8Array.from(atob(document.getElementById("data-" + target).textContent), c => c.charCodeAt(0));
    return new Response(new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"))).json();
  })());
  return unpacked.get(target);
}

// The name in the address; a malformed one names nothing.
function named() {
  try { return decodeURIComponent(location.hash.slice(1)); } catch { return ""; }
}

// Shows the cell that the address names.
async function go() {
  const name = named(), slash = name.indexOf("/");
  const target = name.slice(0, slash), id = name.slice(slash + 1);
  if (slash < 0 || !document.getElementById("data-" + target)) return;
  const cells = await unpack(target);
  if (!Object.hasOwn(cells, id)) return;
  dialog.querySelector("h2").textContent = target + ": " + id;
  dialog.lastElementChild.innerHTML = cells[id]; // finwait's own templates wrote it, and escaped what is not finwait's
  if (!dialog.open) dialog.showModal();
  dialog.scrollTop = 0;
}

form.addEventListener("input", filter);
form.addEventListener("submit", e => e.preventDefault());
addEventListener("hashchange", go);
dialog.addEventListener("close", () => {
  const cell = [...heat.querySelectorAll("a")].find(a => a.hash === location.hash);
  history.replaceState(null, "", location.pathname + location.search);
  if (cell) at(cell);
});

// The arrow keys move within the map, so that it is one stop of the Tab key.
let current = heat.querySelector("a");
function at(cell) {
  if (current) current.tabIndex = -1;
  current = cell;
  cell.tabIndex = 0;
  cell.focus();
}
if (current) current.tabIndex = 0;
heat.addEventListener("keydown", e => {
  const td = document.activeElement.closest("td"), step = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[e.key];
  if (!td || !step) return;
  e.preventDefault();
  const shown = lines.filter(l => !l.hidden);
  for (let y = shown.indexOf(td.parentElement) + step[0], x = td.cellIndex + step[1]; shown[y]?.cells[x]; y += step[0], x += step[1]) {
    const cell = shown[y].cells[x].querySelector("a");
    if (cell) return at(cell);
  }
});
filter();
go();
