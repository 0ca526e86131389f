"""How the benchmarks measure: contenders in turn, so that a noisy moment hits all of them."""

from __future__ import annotations

import math
import os
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")
Name = TypeVar("Name")


@dataclass(frozen=True, slots=True)
class Process:
    """One finished process.

    Attributes:
        seconds: Wall time.
        peak: Greatest resident memory, in bytes.
        busy: Seconds on a processor, its own and the kernel's for it.
    """

    seconds: float
    peak: int
    busy: float


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
    return Process(seconds, usage.ru_maxrss * unit, usage.ru_utime + usage.ru_stime)


def server_seconds(pid: int) -> float:
    """Return how long the sessions of a server that have ended were on a processor; nan on other systems than Linux.

    Args:
        pid: Its postmaster.
    """
    try:
        fields = Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()
    except OSError:
        return math.nan
    # proc(5): cutime and cstime, of children that were waited for.
    return (int(fields[13]) + int(fields[14])) / os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Load:
    """What pgbench did.

    Attributes:
        rate: Transactions per second, without the time to connect.
        transactions: How many.
    """

    rate: float
    transactions: int


def pgbench(program: Path, dsn: str, options: Sequence[str | Path], clients: int, seconds: int) -> Load:
    """Run pgbench in at most two threads, without VACUUM."""
    times = ["-T", str(seconds), "-c", str(clients), "-j", str(min(clients, 2))]
    command = [program, "-n", *options, *times, dsn]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    rate = re.search(r"^tps = ([0-9.]+)", output, re.MULTILINE)
    transactions = re.search(r"actually processed: (\d+)", output)
    if not rate or not transactions:
        raise RuntimeError(f"unexpected output of pgbench:\n{output}")
    return Load(float(rate[1]), int(transactions[1]))


def samples(contenders: Mapping[Name, Callable[[], T]], rounds: int, *, warm_up: int = 1) -> dict[Name, list[T]]:
    """Call every contender once in each round, in an order that turns by one each time.

    Args:
        contenders: By name.
        rounds: How many rounds count.
        warm_up: How many rounds come before and do not count.

    Returns:
        What each returned, one for each round.
    """
    names = list(contenders)
    found: dict[Name, list[T]] = {name: [] for name in names}
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
