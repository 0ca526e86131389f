// What the pages do beyond links and forms. Everything works without it.
"use strict";

const clock = new Intl.DateTimeFormat(undefined, {
  year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit", second: "2-digit",
});

/** Show times in the reader's zone; the title keeps UTC. */
function localize(root) {
  for (const element of root.querySelectorAll("time[datetime]:not([data-local])")) {
    const moment = new Date(element.dateTime.replace(/(\.\d{3})\d+/, "$1"));
    if (Number.isNaN(moment.valueOf())) continue;
    element.dataset.local = "";
    element.textContent = clock.format(moment);
  }
  const zone = new Intl.DateTimeFormat(undefined, { timeZoneName: "short" }).formatToParts(new Date())
    .find((part) => part.type === "timeZoneName");
  for (const element of root.querySelectorAll(".zone")) element.textContent = zone ? `(${zone.value})` : "";
}

/** Open an event below its row, or close it. */
async function toggle(link) {
  const row = link.closest("tr");
  const below = row.nextElementSibling;
  if (below?.classList.contains("opened")) {
    below.remove();
    link.setAttribute("aria-expanded", "false");
    return;
  }
  const opened = document.createElement("tr");
  opened.className = "opened";
  const cell = document.createElement("td");
  cell.colSpan = row.cells.length;
  opened.append(cell);
  row.after(opened);
  link.setAttribute("aria-expanded", "true");
  await htmx.ajax("GET", link.dataset.detail, { target: cell, swap: "innerHTML" });
}

function rowsOf(table) {
  return [...table.querySelectorAll("tr.event a.open")];
}

document.addEventListener("click", (event) => {
  if (event.defaultPrevented || event.button || event.ctrlKey || event.metaKey || event.shiftKey) return;
  const row = event.target.closest("tr.event");
  if (!row || event.target.closest("a:not(.open)") || String(getSelection())) return;
  event.preventDefault();
  toggle(row.querySelector("a.open"));
});

document.addEventListener("keydown", (event) => {
  const link = event.target.closest?.("a.open");
  if (!link || !["ArrowDown", "ArrowUp"].includes(event.key)) return;
  const links = rowsOf(link.closest("table"));
  const next = links[links.indexOf(link) + (event.key === "ArrowDown" ? 1 : -1)];
  if (next) {
    event.preventDefault();
    next.focus();
  }
});

// Empty fields say nothing, and need not stand in an address.
document.addEventListener("submit", (event) => {
  if (event.target.method !== "get") return;
  for (const field of event.target.querySelectorAll("input")) {
    if (field.type !== "checkbox" && !field.value) field.disabled = true;
  }
});
addEventListener("pageshow", () => {
  for (const field of document.querySelectorAll("form[method=get] input:disabled")) field.disabled = false;
});

/** Renew the newest page while somebody looks at it and has nothing open. */
function live() {
  const list = document.querySelector("#events[data-live]");
  if (!list) return;
  setInterval(async () => {
    const now = document.querySelector("#events[data-live]");
    if (!now || document.hidden || now.querySelector(".opened") || now.contains(document.activeElement)) return;
    const known = new Set([...now.querySelectorAll("tr.event")].map((row) => row.dataset.event));
    await htmx.ajax("GET", now.dataset.live, { target: "#events", select: "#events", swap: "outerHTML" });
    const fresh = [...document.querySelectorAll("#events tr.event")].filter((row) => !known.has(row.dataset.event));
    for (const row of fresh) row.classList.add("fresh");
    if (fresh.length) document.querySelector("#said").textContent = `${fresh.length} new`;
  }, 5000);
}

document.addEventListener("htmx:afterSwap", (event) => localize(event.detail.target.isConnected ? event.detail.target : document));
document.addEventListener("htmx:sendError", () => {
  document.querySelector("#said")?.replaceChildren("The server does not answer.");
});
// The text of a refusal is shown where the answer would have been.
document.addEventListener("htmx:beforeSwap", (event) => {
  if (event.detail.xhr.status >= 400) event.detail.shouldSwap = event.detail.target.tagName === "TD";
});

localize(document);
live();
