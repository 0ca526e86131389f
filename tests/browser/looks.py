"""What holds for a page in every window: nothing stands beside its edge, and nothing keeps people from reading it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from axe_playwright_python.base import AXE_SCRIPT

from tests.fixtures.browser import DESKTOP, PHONE

if TYPE_CHECKING:
    from playwright.sync_api import Page as Tab

OVERFLOW = """
    () => {
        const edge = document.documentElement.clientWidth;
        if (document.documentElement.scrollWidth <= edge) return [];
        const all = [...document.body.querySelectorAll("*")];
        const beside = all.filter((one) => one.getBoundingClientRect().right > edge);
        return beside.map((one) => `${one.tagName} ${one.className} ${one.textContent.trim().slice(0, 40)}`);
    }
"""

APART = """
    () => [...document.querySelectorAll("form.search label[for]")].filter((label) => {
        const [one, other] = [label, document.getElementById(label.htmlFor)].map((it) => it.getBoundingClientRect());
        return Math.abs(one.top + one.bottom - other.top - other.bottom) > 16;
    }).map((label) => label.textContent)
"""

EXAMINE = """
    async (rules) => {
        const {violations} = await axe.run({runOnly: rules, resultTypes: ["violations"]});
        return violations.flatMap((one) => one.nodes.map((node) => `${one.id}: ${node.html} ${node.failureSummary}`));
    }
"""

VALUES = "options => options.map((option) => option.value)"
"""What a list suggests at one moment: the next answer replaces all of it."""

ALL_RULES = {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21aa", "best-practice"]}
COLORS = {"type": "rule", "values": ["color-contrast"]}
"""The one rule that a dark scheme can break."""

NOTHING: dict[int, list[str]] = {DESKTOP: [], PHONE: []}
"""What stands beside the edge of a page as it should be."""


def at(tab: Tab, width: int) -> None:
    """Make the window so wide."""
    tab.set_viewport_size({"width": width, "height": 800})


def beside_the_edge(tab: Tab) -> dict[int, Any]:
    """Return what makes the whole page scroll sideways, by the window's width."""
    found = {}
    for width in (DESKTOP, PHONE):
        at(tab, width)
        found[width] = tab.evaluate(OVERFLOW)
    return found


def labels_apart(tab: Tab) -> list[str]:
    """Return the labels of short forms that do not stand in the line of their fields, on a phone."""
    at(tab, PHONE)
    found: list[str] = tab.evaluate(APART)
    return found


def violations(tab: Tab) -> list[str]:
    """Return what axe-core finds, in light and dark, on a desktop and a phone."""
    tab.evaluate(AXE_SCRIPT)
    found = []
    for width in (DESKTOP, PHONE):
        at(tab, width)
        tab.emulate_media(color_scheme="light")
        found += tab.evaluate(EXAMINE, ALL_RULES)
        tab.emulate_media(color_scheme="dark")
        found += tab.evaluate(EXAMINE, COLORS)
    return found
