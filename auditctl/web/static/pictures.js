// The pictures above the log: when they are asked for, what a bar says, and how a range is chosen. All of it works as
// links without this file.
"use strict";

(() => {
  const KEPT = "auditctl.pictures";
  const NARROW = matchMedia("(max-width: 36rem)");
  const DRAG = 5; // pixels from which on a press is no click

  /** Remember whether the pictures are shown; a browser that keeps nothing shows them. */
  const kept = {
    get: () => { try { return localStorage.getItem(KEPT); } catch { return null; } },
    set: (value) => { try { localStorage.setItem(KEPT, value); } catch { /* kept for this page only */ } },
  };

  // ---- Their place in the log: asked for once they are seen.
  function ask(place) {
    if (place.matches(".waiting:not(.htmx-request)")) htmx.trigger(place, "show");
  }

  function place() {
    const details = document.querySelector("details.pictures");
    if (!details) return;
    const inside = details.querySelector(".place");
    // On a phone the events come first.
    const closed = kept.get() === "closed" || (NARROW.matches && kept.get() !== "open");
    if (closed && inside.matches(".waiting")) details.open = false;
    // What the reader does is remembered, what this file does is not.
    details.querySelector("summary").addEventListener("click", () => kept.set(details.open ? "closed" : "open"));
    details.addEventListener("toggle", () => details.open && ask(inside));
    if (details.open) ask(inside);
  }

  function failed(inside, text) {
    const said = document.createElement("p");
    said.className = "hint";
    said.append(text, " ");
    const again = document.createElement("button");
    again.type = "button";
    again.className = "quiet";
    again.textContent = "Try again";
    again.addEventListener("click", () => ask(inside));
    said.append(again);
    inside.replaceChildren(said);
  }

  document.addEventListener("htmx:responseError", (event) => {
    if (event.detail.target.id !== "pictures-place") return;
    const answer = new DOMParser().parseFromString(event.detail.xhr.responseText, "text/html");
    const told = [...answer.querySelectorAll("p")].map((line) => line.textContent.trim()).filter(Boolean).join(" ");
    failed(event.detail.target, `The pictures could not be drawn. ${told}`);
  });
  document.addEventListener("htmx:sendError", (event) => {
    if (event.detail.target.id === "pictures-place") failed(event.detail.target, "The server does not answer.");
  });
  document.addEventListener("htmx:afterSwap", (event) => {
    if (event.detail.target.id !== "pictures-place") return;
    event.detail.target.classList.remove("waiting");
    ready(event.detail.target);
  });

  // ---- What a bar says.
  const clock = new Intl.DateTimeFormat(undefined, { month: "short", day: "numeric", hour: "2-digit", minute: "2-digit" });
  const zone = new Intl.DateTimeFormat(undefined, { timeZoneName: "short" }).formatToParts(new Date())
    .find((part) => part.type === "timeZoneName")?.value ?? "";
  const isUtc = (moment) => new Date(moment).getTimezoneOffset() === 0;

  /** An interval on the reader's clock; nothing where that shows UTC. */
  function here(since, until) {
    if (isUtc(since)) return "";
    return `${clock.formatRange(new Date(since), new Date(until))} ${zone}`;
  }

  function say(chart, text) {
    const readout = chart.parentElement.querySelector(".readout");
    readout.querySelector(".total").hidden = Boolean(text);
    const pointed = readout.querySelector(".pointed");
    pointed.hidden = !text;
    pointed.textContent = text;
  }

  function sayBar(bar) {
    const own = here(bar.dataset.since, bar.dataset.until);
    say(bar.closest(".chart"), bar.getAttribute("aria-label") + (own ? ` (${own})` : ""));
  }

  /** The bars of a chart, and one of them to reach by Tab. */
  const barsOf = (chart) => [...chart.querySelectorAll("a.bucket")];

  function ready(root) {
    for (const chart of root.querySelectorAll(".chart")) {
      for (const title of chart.querySelectorAll("a.bucket > title")) title.remove(); // the line above says it
      const bars = barsOf(chart);
      const offset = chart.parentElement.querySelector(".offset");
      if (bars.length && offset && !isUtc(bars.at(-1).dataset.since)) offset.textContent = `; your clock shows ${zone}`;
    }
  }

  // ---- A range: dragged, or chosen with Shift and the arrow keys.
  let drag = null;

  /** The bucket below a point; the nearest one where the point lies beside the plot. */
  function at(chart, x) {
    const plot = chart.querySelector("svg.plot").getBoundingClientRect();
    const bars = barsOf(chart);
    return Math.max(0, Math.min(bars.length - 1, Math.floor(((x - plot.left) / plot.width) * bars.length)));
  }

  function select(chart, from, to) {
    const bars = barsOf(chart);
    const [first, last] = [Math.min(from, to), Math.max(from, to)];
    const selection = chart.querySelector(".selection");
    selection.setAttribute("x", `${(100 * first) / bars.length}%`);
    selection.setAttribute("width", `${(100 * (last - first + 1)) / bars.length}%`);
    const [since, until] = [bars[first].dataset.since, bars[last].dataset.until];
    const own = here(since, until);
    const utc = (text) => text.replace("T", " ").replace(/(:00)?(\.\d+)?Z$/, "");
    say(chart, `${utc(since)} – ${utc(until)} UTC${own ? ` (${own})` : ""}`);
    return [since, until];
  }

  function unselect(chart) {
    chart.querySelector(".selection").setAttribute("width", "0");
    chart.classList.remove("selecting");
    say(chart, "");
  }

  function go(chart, [since, until]) {
    const address = new URL(chart.dataset.anytime, location.href);
    address.searchParams.set("since", since);
    address.searchParams.set("until", until);
    location.assign(address);
  }

  document.addEventListener("pointerdown", (event) => {
    const plot = event.target.closest?.("svg.plot");
    if (!plot || event.button || !event.isPrimary || event.ctrlKey || event.metaKey || event.shiftKey) return;
    const chart = plot.closest(".chart");
    drag = { chart, x: event.clientX, from: at(chart, event.clientX), range: null, id: event.pointerId };
  });

  document.addEventListener("pointermove", (event) => {
    if (!drag || event.pointerId !== drag.id) return;
    if (!drag.range && Math.abs(event.clientX - drag.x) < DRAG) return;
    if (!drag.range) {
      drag.chart.classList.add("selecting");
      drag.chart.querySelector("svg.plot").setPointerCapture(event.pointerId);
    }
    drag.range = select(drag.chart, drag.from, at(drag.chart, event.clientX));
  });

  document.addEventListener("pointerup", (event) => {
    if (!drag || event.pointerId !== drag.id) return;
    const { chart, range } = drag;
    drag = null;
    if (!range) return;
    // The click that follows is the end of a drag, and no link.
    addEventListener("click", swallow, { capture: true, once: true });
    setTimeout(() => removeEventListener("click", swallow, { capture: true }));
    chart.classList.remove("selecting");
    go(chart, range);
  });

  function swallow(event) {
    event.preventDefault();
    event.stopPropagation();
  }

  function cancel() {
    if (!drag) return;
    if (drag.range) {
      const { chart } = drag;
      addEventListener("click", swallow, { capture: true, once: true });
      addEventListener("pointerup", () => setTimeout(() => removeEventListener("click", swallow, { capture: true })), { once: true });
      unselect(chart);
    }
    drag = null;
  }

  document.addEventListener("pointercancel", cancel);
  document.addEventListener("dragstart", (event) => {
    if (event.target.closest?.("svg.plot")) event.preventDefault(); // a bar is no link to be carried away
  });
  document.addEventListener("pointerover", (event) => {
    const bar = event.target.closest?.("a.bucket");
    if (bar && !drag?.range) sayBar(bar);
  });
  document.addEventListener("pointerout", (event) => {
    const chart = event.target.closest?.(".chart");
    if (chart && !drag && !event.relatedTarget?.closest?.("a.bucket")) say(chart, "");
  });
  document.addEventListener("focusin", (event) => {
    if (event.target.matches?.("a.bucket")) sayBar(event.target);
  });
  document.addEventListener("focusout", (event) => {
    if (event.target.matches?.("a.bucket") && !drag) unselect(event.target.closest(".chart"));
  });
  addEventListener("pageshow", () => {
    drag = null;
    for (const chart of document.querySelectorAll(".chart")) unselect(chart);
  });

  const STEPS = { ArrowRight: 1, ArrowLeft: -1, PageDown: 7, PageUp: -7, Home: -Infinity, End: Infinity };
  let anchor = null;

  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && drag) return void cancel();
    const bar = event.target.matches?.("a.bucket") ? event.target : null;
    if (!bar) return;
    const chart = bar.closest(".chart");
    const bars = barsOf(chart);
    const now = bars.indexOf(bar);
    if (event.key === "Escape" || (event.key === "Enter" && anchor !== null)) {
      if (event.key === "Enter") {
        event.preventDefault();
        go(chart, select(chart, anchor, now));
      } else {
        unselect(chart);
        sayBar(bar);
      }
      anchor = null;
      return;
    }
    if (!(event.key in STEPS)) return;
    event.preventDefault();
    const next = Math.max(0, Math.min(bars.length - 1, now + STEPS[event.key]));
    bar.setAttribute("tabindex", "-1");
    bars[next].setAttribute("tabindex", "0");
    const from = event.shiftKey ? anchor ?? now : null;
    bars[next].focus();
    anchor = from;
    if (anchor === null) unselect(chart), sayBar(bars[next]);
    else select(chart, anchor, next);
  });

  // ---- A calendar beside the fields of time.
  function calendars() {
    for (const button of document.querySelectorAll("button.calendar")) {
      const date = button.parentElement.querySelector("input[type=date]");
      const field = document.getElementById(button.dataset.field);
      if (typeof date.showPicker !== "function") continue;
      button.hidden = false;
      button.addEventListener("click", () => {
        date.value = /^\d{4}-\d{2}-\d{2}/.exec(field.value)?.[0] ?? "";
        date.showPicker();
      });
      date.addEventListener("change", () => {
        field.value = date.value;
        field.focus();
      });
    }
  }

  /** Fold the fields away where they would push the events off the screen. */
  function fold() {
    const button = document.querySelector("button.fold");
    if (!button || !NARROW.matches || document.querySelector(".filters [role=alert]")) return;
    const fields = document.getElementById(button.getAttribute("aria-controls"));
    button.hidden = false;
    fields.hidden = true;
    button.addEventListener("click", () => {
      fields.hidden = !fields.hidden;
      button.setAttribute("aria-expanded", String(!fields.hidden));
    });
  }

  document.addEventListener("DOMContentLoaded", place); // behind htmx, which takes its attributes up then
  ready(document);
  calendars();
  fold();
})();
