"""The page about performance says what was measured, and nothing else."""

from __future__ import annotations

from bench import table


def test_figures_of_capture_are_those_of_the_results() -> None:
    text = table.PAGE.read_text("utf-8")
    _, _, rest = text.partition(table.START)
    shown, end, _ = rest.partition(table.END)
    assert end, "the page has lost its marks"
    assert shown == f"\n{table.generated()}\n", "run: python -m bench table"
