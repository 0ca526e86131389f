"""From samples to figures: medians, what a contender adds to the bare table, and that over what the floor adds."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence

from bench.contenders import FLOOR, NO_AUDIT
from bench.measure import Cost

Figures = dict[str, dict[str, float]]
"""By contender, in microseconds: cost, least and greatest; overhead and over_floor where they mean something; the same
of the processor's time."""


def of(samples: Mapping[str, Sequence[Cost]]) -> Figures:
    """Sum up the samples of one workload, by contender; one for each round."""
    figures = _medians({name: [cost.passed for cost in costs] for name, costs in samples.items()})
    busy = _medians({name: [cost.busy for cost in costs] for name, costs in samples.items()})
    for name, costs in samples.items():
        passed = [cost.passed for cost in costs]
        figures[name] |= {"least": round(min(passed), 2), "greatest": round(max(passed), 2)}
        if not math.isnan(busy[name]["cost"]):
            figures[name] |= {f"processor_{figure}": value for figure, value in busy[name].items()}
    return figures


def by_workload(samples: Mapping[str, Sequence[Mapping[str, Cost]]]) -> dict[str, Figures]:
    """Sum up samples that each hold several workloads: contender, round, workload to workload, contender."""
    workloads = next(iter(samples.values()))[0]
    return {
        workload: of({name: [sample[workload] for sample in rounds] for name, rounds in samples.items()})
        for workload in workloads
    }


def _medians(samples: Mapping[str, Sequence[float]]) -> Figures:
    medians = {name: statistics.median(values) for name, values in samples.items()}
    figures = {name: {"cost": round(median, 2)} for name, median in medians.items()}
    bare, floor = medians[NO_AUDIT.name], medians.get(FLOOR.name)
    for name, median in medians.items():
        if name != NO_AUDIT.name:
            figures[name]["overhead"] = round(median - bare, 2)
            if floor is not None:
                figures[name]["over_floor"] = round((median - bare) / (floor - bare), 2)
    return figures
