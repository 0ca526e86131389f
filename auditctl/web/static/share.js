// Makes the link to the page with fixed times one that is copied. Without a script it is an ordinary link.
"use strict";

const share = document.querySelector("a.share");
if (share && navigator.clipboard) {
  const shown = share.textContent = "Copy link";
  share.addEventListener("click", async (event) => {
    if (event.button || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    try {
      await navigator.clipboard.writeText(share.href);
    } catch {
      location.href = share.href;
      return;
    }
    share.textContent = "Copied";
    document.querySelector("#status").textContent = "The link is copied.";
    setTimeout(() => { share.textContent = shown; }, 2000);
  });
}
