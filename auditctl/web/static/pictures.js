// The charts above the log: loads them, describes bars and selects a range. Without it the charts are plain links.
"use strict";

(() => {
  const STORAGE_KEY = "auditctl.pictures";
  const NARROW = matchMedia("(max-width: 36rem)");
  const DRAG = 5; // pixels: a longer movement is a drag and not a click

  /** Remembers whether the charts are open; without storage they are a strip. */
  const stored = {
    get: () => { try { return localStorage.getItem(STORAGE_KEY); } catch { return null; } },
    set: (value) => { try { localStorage.setItem(STORAGE_KEY, value); } catch { /* no storage */ } },
  };

  // ---- Loading: after the list, as a strip that opens.
  function load(place) {
    if (place.matches(".waiting:not(.htmx-request)")) htmx.trigger(place, "show");
  }

  function place() {
    const frame = document.querySelector("section.pictures");
    if (!frame) return;
    const button = frame.querySelector("button.toggle");
    const show = (isOpen) => {
      frame.classList.toggle("slim", !isOpen);
      button.setAttribute("aria-expanded", String(isOpen));
    };
    // Only what the visitor does is stored; on a phone the events come first.
    show(!frame.matches(".slim") || (stored.get() === "open" && !NARROW.matches));
    button.addEventListener("click", () => {
      const isOpen = frame.matches(".slim");
      stored.set(isOpen ? "open" : "closed");
      show(isOpen);
    });
    button.hidden = false;
    load(frame.querySelector(".place"));
  }

  for (const name of ["htmx:sendError", "htmx:timeout", "htmx:responseError"]) {
    document.addEventListener(name, ({ detail: { target, xhr } }) => {
      if (target.id !== "pictures-place") return;
      explain(target, `The charts could not be loaded. ${failureOf(xhr)}`, "Try again", () => load(target));
    });
  }
  document.addEventListener("htmx:afterSwap", (event) => {
    if (event.detail.target.id !== "pictures-place") return;
    event.detail.target.classList.remove("waiting");
    ready(event.detail.target);
  });

  // ---- Description of a bar.
  function describe(chart, text) {
    const readout = chart.parentElement.querySelector(".readout");
    readout.querySelector(".total").hidden = Boolean(text);
    const pointed = readout.querySelector(".pointed");
    pointed.hidden = !text;
    pointed.textContent = text;
  }

  function describeBar(bar) {
    describe(bar.closest(".chart"), bar.getAttribute("aria-label"));
  }

  /** The bars of a chart. */
  const barsOf = (chart) => [...chart.querySelectorAll("a.bucket")];

  function ready(root) {
    for (const chart of root.querySelectorAll(".chart")) {
      for (const title of chart.querySelectorAll("a.bucket > title")) title.remove(); // the readout shows it
    }
    for (const heat of root.querySelectorAll(".heat")) {
      heat.querySelectorAll("a").forEach((link, place) => { link.tabIndex = place ? -1 : 0; });
    }
  }

  // ---- Selection of a range: dragged, or with Shift and the arrow keys.
  let drag = null;

  /** The bar at a point; the nearest one outside the plot. */
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
    describe(chart, `${bars[first].dataset.from} – ${bars[last].dataset.before}`);
    return [bars[first].dataset.since, bars[last].dataset.until];
  }

  function unselect(chart) {
    chart.querySelector(".selection").setAttribute("width", "0");
    chart.classList.remove("selecting");
    describe(chart, "");
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
    // The click that follows ends the drag and must not follow a link.
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
    if (event.target.closest?.("svg.plot")) event.preventDefault(); // do not drag a bar as a link
  });
  document.addEventListener("pointerover", (event) => {
    const bar = event.target.closest?.("a.bucket");
    if (bar && !drag?.range) describeBar(bar);
  });
  document.addEventListener("pointerout", (event) => {
    const chart = event.target.closest?.(".chart");
    if (chart && !drag && !event.relatedTarget?.closest?.("a.bucket")) describe(chart, "");
  });
  document.addEventListener("focusin", (event) => {
    if (event.target.matches?.("a.bucket")) describeBar(event.target);
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
        describeBar(bar);
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
    if (anchor === null) unselect(chart), describeBar(bars[next]);
    else select(chart, anchor, next);
  });

  // ---- Hours of the week: one stop of the tab key, and arrows to the next link that way.
  const WAYS = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowDown: [0, 1], ArrowUp: [0, -1] };

  function middle(link) {
    const box = link.getBoundingClientRect();
    return [box.x + box.width / 2, box.y + box.height / 2];
  }

  document.addEventListener("keydown", (event) => {
    const from = event.target.closest?.(".heat a");
    const way = WAYS[event.key];
    if (!from || !way) return;
    event.preventDefault();
    const [x, y] = middle(from);
    let next = from;
    let least = Infinity;
    for (const link of from.closest(".heat").querySelectorAll("a")) {
      const [right, down] = [middle(link)[0] - x, middle(link)[1] - y];
      const along = right * way[0] + down * way[1];
      const across = Math.abs(right * way[1] + down * way[0]);
      if (along > 1 && across < 5 && along < least) [next, least] = [link, along];
    }
    from.tabIndex = -1;
    next.tabIndex = 0;
    next.focus();
  });

  // ---- Date pickers.
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

  /** Fold the filter fields on narrow screens. */
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

  document.addEventListener("DOMContentLoaded", place); // after htmx, which reads its attributes then
  ready(document);
  calendars();
  fold();
})();
