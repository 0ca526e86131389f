"""From samples to figures: medians, what a contender adds to the bare table, and that over what the floor adds."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence

from bench.contenders import FLOOR, NO_AUDIT

Figures = dict[str, dict[str, float]]
"""By contender: cost, least and greatest, and overhead and over_floor where they mean something."""


def of(samples: Mapping[str, Sequence[float]]) -> Figures:
    """Sum up the samples of one workload, in microseconds per row, by contender; one for each round."""
    medians = {name: statistics.median(values) for name, values in samples.items()}
    bare, floor = medians.get(NO_AUDIT.name), medians.get(FLOOR.name)
    figures: Figures = {}
    for name, values in samples.items():
        figures[name] = {
            "cost": round(medians[name], 2),
            "least": round(min(values), 2),
            "greatest": round(max(values), 2),
        }
        if bare is None or name == NO_AUDIT.name:
            continue
        figures[name]["overhead"] = round(medians[name] - bare, 2)
        if floor is not None:
            figures[name]["over_floor"] = round((medians[name] - bare) / (floor - bare), 2)
    return figures


def by_workload(samples: Mapping[str, Sequence[Mapping[str, float]]]) -> dict[str, Figures]:
    """Sum up samples that each hold several workloads: contender, round, workload to workload, contender."""
    workloads = next(iter(samples.values()))[0]
    return {
        workload: of({name: [sample[workload] for sample in rounds] for name, rounds in samples.items()})
        for workload in workloads
    }
