// Menus close by themselves, and say what is ticked in them. Without it they close where they open.
"use strict";

(() => {
  /** Close each open menu but the one that holds a place, and leave the focus where it opens. */
  function closeMenus(place) {
    for (const menu of document.querySelectorAll("details.pick[open], details.views[open]")) {
      if (place && menu.contains(place)) continue;
      if (menu.contains(document.activeElement)) menu.firstElementChild.focus();
      menu.open = false;
    }
  }

  document.addEventListener("click", (event) => closeMenus(event.target));
  // What is ticked is said where it is folded away.
  document.addEventListener("change", (event) => {
    const shown = event.target.closest(".actions .pick")?.querySelector("summary");
    if (!shown) return;
    const ticked = [...shown.parentElement.querySelectorAll("input:checked")];
    shown.textContent = ticked.map((box) => box.parentElement.textContent.trim()).join(", ") || "Any";
  });
  document.addEventListener("keydown", (event) => event.key === "Escape" && closeMenus(null));
})();
