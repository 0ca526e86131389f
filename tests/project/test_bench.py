"""The page about performance says what was measured, and nothing else."""

from __future__ import annotations

from bench import table


def test_figures_on_the_page_are_those_of_the_results() -> None:
    for page, start, content in table.parts():
        _, _, rest = page.read_text("utf-8").partition(start)
        shown, end, _ = rest.partition(table.END)
        assert end, "the page has lost its marks"
        assert shown == f"\n{content}\n", "run: python -m bench table"
