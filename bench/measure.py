"""How the benchmarks measure: contenders in turn, so that a noisy moment hits all of them."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Process:
    """One finished process.

    Attributes:
        seconds: Wall time.
        peak: Greatest resident memory, in bytes.
    """

    seconds: float
    peak: int


def process(command: Sequence[str | Path], output: Path) -> Process:
    """Run a command with its output in a file; raise if it fails."""
    with output.open("wb") as file:
        started = time.perf_counter()
        child = subprocess.Popen(command, stdout=file)
        _, status, usage = os.wait4(child.pid, 0)
        seconds = time.perf_counter() - started
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode != 0:
        raise RuntimeError(f"{command[0]} failed with {child.returncode}")
    unit = 1 if sys.platform == "darwin" else 1024
    return Process(seconds, usage.ru_maxrss * unit)


def interleaved(contenders: Mapping[str, Callable[[], float]], rounds: int) -> dict[str, float]:
    """Call each contender once in every round, after one round to warm up; return the median of what each returns."""
    figures: dict[str, list[float]] = {name: [] for name in contenders}
    for turn in range(rounds + 1):
        for name, contender in contenders.items():
            figure = contender()
            if turn:
                figures[name].append(figure)
    return {name: statistics.median(values) for name, values in figures.items()}
