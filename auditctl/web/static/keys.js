// Keys for the list of events. Without them everything is a click or a tab away.
"use strict";

(() => {
  const STORAGE_KEY = "auditctl.keys";
  const dialog = document.querySelector("#keys");
  const choice = document.querySelector("#keys-on");
  const offer = document.querySelector("button.keys");

  /** The events of the list; those in an opened row have none. */
  const events = () => [...document.querySelectorAll("tr.event a.open")];

  /** Focus the event so many rows further on: from the one that has the focus, or from before the first. */
  function move(step) {
    const links = events();
    const row = document.activeElement.closest("tr.opened")?.previousElementSibling ?? document.activeElement.closest("tr");
    const now = links.findIndex((link) => row?.contains(link));
    links[Math.max(0, Math.min(links.length - 1, now + step))]?.focus();
  }

  /** Focus the first filter; on a phone the filters are folded. */
  function filter() {
    const field = document.querySelector("#f-target");
    if (!field) return;
    const fold = document.querySelector("button.fold[aria-expanded=false]:not([hidden])");
    fold?.click();
    field.focus();
    field.select();
  }

  const follow = (selector) => document.querySelector(selector)?.click();

  const KEYS = {
    "/": filter,
    j: () => move(1),
    k: () => move(-1),
    o: () => { const link = document.activeElement.closest("tr")?.querySelector("a.open"); if (link) location.assign(link.href); },
    n: () => follow(".paging a[rel=next]"),
    p: () => follow(".paging a[rel=prev]"),
    "?": () => dialog.showModal(),
  };

  const isTyping = (target) => target.closest("input:not([type=checkbox], [type=radio]), textarea, select, [contenteditable]");

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || event.defaultPrevented) return;
    if (!Object.hasOwn(KEYS, event.key) || isTyping(event.target) || dialog.open || !choice.checked) return;
    event.preventDefault();
    KEYS[event.key]();
  });

  try { choice.checked = localStorage.getItem(STORAGE_KEY) !== "off"; } catch { /* no storage */ }
  choice.addEventListener("change", () => {
    try { localStorage.setItem(STORAGE_KEY, choice.checked ? "on" : "off"); } catch { /* no storage */ }
  });
  offer.hidden = false;
  offer.addEventListener("click", () => dialog.showModal());
})();
