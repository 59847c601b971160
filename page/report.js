"use strict";
const form = document.getElementById("filter"), all = [...document.querySelectorAll("main details[id]")];

// Shows the scenarios that all four fields let through.
function filter() {
  const { text, family, verdict, grade } = Object.fromEntries(new FormData(form));
  const words = text.toLowerCase().split(/\s+/);
  let shown = 0;
  for (const d of all) {
    const summary = d.firstElementChild.textContent.toLowerCase();
    d.hidden = !(words.every(w => summary.includes(w)) && (!family || d.dataset.family === family) &&
      (!verdict || d.parentElement.dataset.verdict === verdict) && (!grade || d.dataset.grades.split(" ").includes(grade)));
    if (!d.hidden) shown++;
  }
  for (const s of document.querySelectorAll("main section")) s.hidden = !s.querySelector(":scope > details:not([hidden])");
  form.querySelector("output").textContent = shown + (shown === 1 ? " scenario" : " scenarios");
}

// The name in the address; a malformed one names nothing.
function named() {
  try { return decodeURIComponent(location.hash.slice(1)); } catch { return ""; }
}

// Opens the scenario that the address names.
function go() {
  const d = document.getElementById(named());
  if (!d || d.tagName !== "DETAILS") return;
  if (d.hidden) { form.reset(); filter(); }
  d.open = true;
  d.scrollIntoView();
  d.firstElementChild.focus({ preventScroll: true });
}

form.addEventListener("input", filter);
form.addEventListener("submit", e => e.preventDefault());
addEventListener("hashchange", go);
addEventListener("beforeprint", () => { for (const d of document.querySelectorAll("section[data-verdict=fail] > details, section[data-verdict=warn] > details, section[data-verdict=error] > details")) d.open = true; });
filter(); // a reload may have kept the fields
go();
