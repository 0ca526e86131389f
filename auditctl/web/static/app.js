// Enhances links and forms. Every page works without it.
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

/** Show or hide the details of an event below its row. */
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
  // The cell is its own source: htmx drops a request while its source has another one.
  await htmx.ajax("GET", link.dataset.detail, { source: cell, target: cell, swap: "innerHTML" });
  opened.scrollIntoView({ block: "nearest" });
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

// Do not send empty fields, nor that the server should ignore them.
document.addEventListener("submit", (event) => {
  if (event.target.method !== "get") return;
  for (const field of event.target.querySelectorAll("input")) {
    if (field.type !== "checkbox" && (!field.value || field.name === "form")) field.disabled = true;
  }
});
addEventListener("pageshow", () => {
  for (const field of document.querySelectorAll("form[method=get] input:disabled")) field.disabled = false;
});

/** After a refresh reopen the details that were open, with their rows if the list no longer has them, and the focus. */
function restore(opened, focused) {
  const list = document.querySelector("#events");
  const rowOf = (event) => list.querySelector(`tr.event[data-event="${event}"]`);
  for (const [row, below] of opened) {
    const found = rowOf(row.dataset.event);
    if (found) {
      found.after(below);
      found.querySelector("a.open").setAttribute("aria-expanded", "true");
    } else {
      list.querySelector("tbody")?.append(row, below);
    }
  }
  const row = focused.closest("tr.event");
  (row ? rowOf(row.dataset.event)?.querySelector("a.open") : focused)?.focus({ preventScroll: true });
}

/** Refresh the newest page every 5 seconds while it is visible. */
function live() {
  if (!document.querySelector("#events[data-live]")) return;
  setInterval(async () => {
    const now = document.querySelector("#events[data-live]");
    if (!now || document.hidden || String(getSelection()) || document.activeElement.closest(".paging")) return;
    const known = new Set([...now.querySelectorAll("tr.event")].map((row) => row.dataset.event));
    await htmx.ajax("GET", now.dataset.live, { target: "#events", select: "#events", swap: "outerHTML" });
    const fresh = [...document.querySelectorAll("#events tr.event")].filter((row) => !known.has(row.dataset.event));
    for (const row of fresh) row.classList.add("fresh");
    if (fresh.length) document.querySelector("#status").textContent = `${fresh.length} new`;
  }, 5000);
}

document.addEventListener("htmx:afterSwap", (event) => localize(event.detail.target.isConnected ? event.detail.target : document));
document.addEventListener("htmx:sendError", () => {
  document.querySelector("#status")?.replaceChildren("The server does not answer.");
});
// Collect the open details as late as possible: the visitor may open one while the server answers.
document.addEventListener("htmx:beforeSwap", (event) => {
  const { target: list, xhr } = event.detail;
  if (list.id !== "events" || xhr.status >= 400) return;
  const opened = [...list.querySelectorAll("tr.opened")].map((below) => [below.previousElementSibling, below]);
  const focused = document.activeElement;
  document.addEventListener("htmx:afterSwap", () => restore(opened, focused), { once: true });
});
// Show an error in place of the details.
document.addEventListener("htmx:beforeSwap", (event) => {
  if (event.detail.xhr.status >= 400) event.detail.shouldSwap = event.detail.target.tagName === "TD";
});

localize(document);
live();
