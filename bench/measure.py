"""How the benchmarks measure: contenders in turn, so that a noisy moment hits all of them."""

from __future__ import annotations

import math
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Process:
    """One finished process.

    Attributes:
        seconds: Wall time.
        peak: Greatest resident memory, in bytes.
    """

    seconds: float
    peak: int


@dataclass(frozen=True, slots=True)
class Cost:
    """What a row cost, in microseconds.

    Attributes:
        passed: By the clock, as the writer waits for it.
        busy: Of the server's processor, which other work on the machine disturbs less; nan where the system does not
            tell.
    """

    passed: float
    busy: float


def processor_seconds(pid: int) -> float:
    """Return how long a process was on a processor so far; nan on other systems than Linux."""
    try:
        return int(Path(f"/proc/{pid}/schedstat").read_text("ascii").split()[0]) / 1e9
    except OSError:
        return math.nan


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


def samples(contenders: Mapping[str, Callable[[], T]], rounds: int, *, warm_up: int = 1) -> dict[str, list[T]]:
    """Call every contender once in each round, in an order that turns by one each time.

    Args:
        contenders: By name.
        rounds: How many rounds count.
        warm_up: How many rounds come before and do not count.

    Returns:
        What each returned, one for each round.
    """
    names = list(contenders)
    found: dict[str, list[T]] = {name: [] for name in names}
    for turn in range(warm_up + rounds):
        first = turn % len(names)
        for name in names[first:] + names[:first]:
            value = contenders[name]()
            if turn >= warm_up:
                found[name].append(value)
        print(f"round {turn + 1} of {warm_up + rounds}", file=sys.stderr, flush=True)
    return found


def interleaved(contenders: Mapping[str, Callable[[], float]], rounds: int) -> dict[str, float]:
    """Return the median of what each contender returns, after one round to warm up."""
    return {name: statistics.median(values) for name, values in samples(contenders, rounds).items()}
