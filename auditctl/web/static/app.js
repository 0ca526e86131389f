// Enhances links and forms. Every page works without it.
"use strict";

const RENAMED = {
  "Asia/Calcutta": "Asia/Kolkata", "Asia/Katmandu": "Asia/Kathmandu", "Asia/Rangoon": "Asia/Yangon",
  "Asia/Saigon": "Asia/Ho_Chi_Minh", "Europe/Kiev": "Europe/Kyiv", "America/Buenos_Aires": "America/Argentina/Buenos_Aires",
};

/** Offer the reader's own time zone beside those that the page lists. */
function offerZone() {
  const found = Intl.DateTimeFormat().resolvedOptions().timeZone;
  const own = RENAMED[found] ?? found;
  for (const list of document.querySelectorAll("ul.zones")) {
    const links = [...list.querySelectorAll("a")];
    let link = links.find((one) => one.dataset.zone === own);
    if (!link && own) {
      const item = links[0].parentElement.cloneNode(true);
      link = item.firstElementChild;
      link.removeAttribute("aria-current");
      link.dataset.zone = own;
      const address = new URL(link.href);
      address.searchParams.set("tz", own);
      link.href = address;
      list.append(item);
    }
    if (link) link.textContent = `${own} (yours)`;
  }
}

/** Remember the zone that the reader chose, for addresses without any parameter. */
function rememberZone(zone) {
  const path = document.querySelector("a.brand")?.pathname ?? "/";
  if (/^[\w/+-]*$/.test(zone)) document.cookie = `auditctl_tz=${zone}; path=${path}; max-age=31536000; samesite=strict`;
}

/** Let the reader choose among all zones. */
function listZones() {
  const field = document.querySelector("#f-tz");
  field?.addEventListener("focus", () => {
    field.select();
    const options = (Intl.supportedValuesOf?.("timeZone") ?? []).map((zone) => new Option(zone, RENAMED[zone] ?? zone));
    document.querySelector("#zones").replaceChildren(...options);
  }, { once: true });
}

/** Why a request failed: in the server's words, if it sent any. */
function failureOf(xhr) {
  if (!xhr.status) return "The server does not answer.";
  const answer = new DOMParser().parseFromString(xhr.responseText, "text/html");
  const text = [...answer.querySelectorAll("p")].map((line) => line.textContent.trim()).filter(Boolean).join(" ");
  return text || `The server answered with error ${xhr.status}.`;
}

/** Show a failure in place of what was to be there, with a button. */
function explain(place, text, label, action) {
  const notice = Object.assign(document.createElement("div"), { className: "notice bad" });
  notice.setAttribute("role", "alert");
  const button = Object.assign(document.createElement("button"), { type: "button", className: "quiet", textContent: label });
  button.addEventListener("click", action);
  notice.append(Object.assign(document.createElement("p"), { textContent: text }), button);
  place.replaceChildren(notice);
}

/** Load the details of an event into a cell. The cell is its own source: htmx drops a request while its source has another one. */
async function loadDetail(cell, link) {
  cell.innerHTML = '<p class="hint">Loading …</p>';
  await htmx.ajax("GET", link.dataset.detail, { source: cell, target: cell, swap: "innerHTML" }).catch(() => {});
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
  await loadDetail(cell, link);
  reveal(row, opened);
}

/** Scroll what was opened into view, but never its row out of it, nor below the header that stays. */
function reveal(row, opened) {
  const header = row.closest("table").tHead;
  const covered = getComputedStyle(header.querySelector("th")).position === "sticky" ? header.offsetHeight : 0;
  const room = row.getBoundingClientRect().top - covered;
  const missing = opened.getBoundingClientRect().bottom - innerHeight;
  if (room < 0 || missing > 0) scrollBy(0, Math.min(room, Math.max(missing, 0)));
}

/** Add a button that copies the text to each value below a part of the page; its label is not part of the text. */
function offerCopies(root) {
  for (const place of root.querySelectorAll(".detail [data-copy]:not(:has(> button))")) {
    const text = place.textContent;
    const button = Object.assign(document.createElement("button"), { type: "button", className: "copy quiet", ariaLabel: "Copy" });
    button.addEventListener("click", async () => {
      try {
        await navigator.clipboard.writeText(text);
        button.ariaLabel = "Copied";
      } catch { // as over plain HTTP
        getSelection().selectAllChildren(place);
        button.ariaLabel = "Selected";
      }
      setTimeout(() => { button.ariaLabel = "Copy"; }, 2000);
    });
    place.append(button);
  }
}

function rowsOf(table) {
  return [...table.querySelectorAll("tr.event a.open")];
}

/** Add to a link above the filters what was typed into them and not submitted, but for what the link decides itself. */
function carry(link) {
  const form = document.querySelector("#filters");
  const decided = link.dataset.zone ? ["tz"] : ["since", "until"];
  const isEdited = (field) => field.type === "checkbox" ? field.checked !== field.defaultChecked : field.value !== field.defaultValue;
  const names = [...form.querySelectorAll("input[name]")].filter(isEdited).map((field) => field.name);
  const [address, entered] = [new URL(link.href), new FormData(form)];
  for (const name of new Set(names.filter((one) => !decided.includes(one)))) {
    address.searchParams.delete(name);
    for (const value of entered.getAll(name).filter(Boolean)) address.searchParams.append(name, value);
  }
  if (names.length) link.href = address;
}

document.addEventListener("click", (event) => {
  const chosen = event.target.closest("a[data-zone], #filters .quick a");
  if (chosen?.dataset.zone) rememberZone(chosen.dataset.zone);
  if (chosen?.closest("#filters")) carry(chosen);
}, { capture: true });

document.addEventListener("click", (event) => {
  if (event.defaultPrevented || event.button || event.ctrlKey || event.metaKey || event.shiftKey) return;
  const row = event.target.closest("tr.event");
  const link = row?.querySelector("a.open");
  if (!link || event.target.closest("a:not(.open)") || String(getSelection())) return;
  event.preventDefault();
  toggle(link);
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

function enable() {
  for (const field of document.querySelectorAll("form[method=get] input:disabled")) field.disabled = false;
}

// Do not send blanks around values or empty fields, nor that the server should ignore them.
document.addEventListener("submit", (event) => {
  if (event.target.method !== "get") return;
  for (const field of event.target.querySelectorAll("input")) {
    if (field.type === "text") field.value = field.value.trim();
    if (field.name === "tz" && field.value !== field.defaultValue) rememberZone(field.value);
    if (field.name === "form" || (!field.value && !["checkbox", "hidden"].includes(field.type))) field.disabled = true;
  }
  setTimeout(enable); // an export leaves the page as it is
});
addEventListener("pageshow", enable);

/** The fields of a form that somebody fills in. */
const filled = (form) => [...form.elements].filter((field) => field.name && !["hidden", "password", "file"].includes(field.type));

// Pages are not stored, so that the way back to a form would empty it: its place in the history keeps what was entered.
document.addEventListener("submit", (event) => {
  if (event.target.method !== "post" || !filled(event.target).length) return;
  const fields = filled(event.target).map((field) => ["checkbox", "radio"].includes(field.type) ? field.checked : field.value);
  history.replaceState({ ...history.state, entered: fields }, "");
});

/** Enter again what was entered here before. */
function reenter() {
  const [form] = [...document.querySelectorAll("main form[method=post]")].filter((one) => filled(one).length);
  const fields = form && filled(form);
  if (history.state?.entered?.length !== fields?.length) return;
  fields?.forEach((field, index) => {
    const value = history.state.entered[index];
    if (typeof value === "boolean") field.checked = value;
    else field.value = value;
  });
}

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

/** Show whether the list renews itself: it does while it names the address to load. */
function switchLive(address, isOn) {
  const [list, link] = [document.querySelector("#events"), document.querySelector("a.live")];
  const off = new URL(address, location.href);
  off.searchParams.delete("live");
  link.classList.toggle("on", isOn);
  link.href = isOn ? off.href : address;
  link.querySelector("circle").setAttribute("cx", isOn ? "20" : "8");
  link.querySelector(".unseen").textContent = isOn ? ": on; stop new events" : ": off; show new events as they arrive";
  if (isOn) list.dataset.live = address;
  else delete list.dataset.live;
}

/** Turn Live off, because the list no longer shows what happens. */
function stopLive(text) {
  const address = document.querySelector("#events").dataset.live;
  if (!address) return;
  switchLive(address, false);
  const trouble = document.querySelector("#trouble");
  const zone = document.querySelector("ul.zones [aria-current]")?.dataset.zone ?? "UTC";
  const since = new Date().toLocaleTimeString("en-GB", { timeZone: zone, timeZoneName: "short" });
  explain(trouble, `Live is off: no new event is shown since ${since}. ${text}`, "Turn on again", () => {
    trouble.replaceChildren();
    switchLive(address, true);
    refresh();
  });
}

/** Load the newest page. */
async function refresh() {
  const now = document.querySelector("#events[data-live]");
  if (!now || document.hidden) return;
  const isSelected = Boolean(String(getSelection()));
  const waits = isSelected || document.activeElement.closest(".paging");
  document.querySelector("a.live .waits").textContent = waits ? ` (waits while ${isSelected ? "text is selected" : "you turn pages"})` : "";
  if (waits) return;
  const known = new Set([...now.querySelectorAll("tr.event")].map((row) => row.dataset.event));
  await htmx.ajax("GET", now.dataset.live, { target: "#events", select: "#events", swap: "outerHTML" }).catch(() => {});
  const fresh = [...document.querySelectorAll("#events tr.event")].filter((row) => !known.has(row.dataset.event));
  for (const row of fresh) row.classList.add("fresh");
  if (fresh.length) document.querySelector("#status").textContent = `${fresh.length} new`;
}

/** Refresh the newest page every 5 seconds while it is visible. */
function live() {
  if (document.querySelector("#events[data-live]")) setInterval(refresh, 5000);
}

// What fails is shown where its answer was to be; nothing else on the page changes.
for (const name of ["htmx:sendError", "htmx:timeout", "htmx:responseError"]) {
  document.addEventListener(name, (event) => {
    const { target, xhr } = event.detail;
    if (target.id === "events") stopLive(failureOf(xhr));
    if (!target.matches("tr.opened > td")) return;
    const link = target.parentElement.previousElementSibling.querySelector("a.open");
    explain(target, failureOf(xhr), "Try again", () => loadDetail(target, link));
  });
}
// A server that takes the request and does not answer is gone, too.
document.addEventListener("htmx:configRequest", (event) => {
  if (event.detail.target.id === "events") event.detail.timeout = 15000;
});
// Collect the open details as late as possible: the visitor may open one while the server answers.
document.addEventListener("htmx:beforeSwap", (event) => {
  const { target: list, xhr } = event.detail;
  if (list.id !== "events" || xhr.status >= 400) return;
  if (!xhr.responseText.includes('id="events"')) { // such as the sign-in page of a proxy
    event.detail.shouldSwap = false;
    stopLive("The answer was not the log. Reload the page.");
    return;
  }
  const opened = [...list.querySelectorAll("tr.opened")].map((below) => [below.previousElementSibling, below]);
  const focused = document.activeElement;
  document.addEventListener("htmx:afterSwap", () => restore(opened, focused), { once: true });
});

document.addEventListener("htmx:afterSwap", (event) => offerCopies(event.detail.target.isConnected ? event.detail.target : document));

offerCopies(document);
offerZone();
listZones();
reenter();
live();
