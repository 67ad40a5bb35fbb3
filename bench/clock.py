"""Wall and CPU time of this process and of others, and what a list of rounds comes to."""

from __future__ import annotations

import os
import resource
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

#: What a benchmark returns: a figure by name; a list holds one value a round.
Figures = dict[str, float | list[float]]

_TICK = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Spent:
    """Seconds that some work took: on the clock, of our CPU, of the other process's CPU."""

    wall: float
    cpu: float
    other: float = 0.0


def spent(work: Callable[[], Any], other: int = 0) -> Spent:
    """Do *work*; *other* is the number of a process whose CPU is counted, too."""
    before = time.perf_counter(), time.process_time(), cpu_of(other)
    work()
    after = time.perf_counter(), time.process_time(), cpu_of(other)
    return Spent(*(late - early for early, late in zip(before, after, strict=True)))


def cpu_of(process: int) -> float:
    """The CPU seconds that a process has had, to a hundredth."""
    if not process:
        return 0.0
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICK


def cpu_of_children() -> float:
    """The CPU seconds of the children that were waited for."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def summary(value: float | Sequence[float]) -> dict[str, float]:
    """Median, least and most of the rounds."""
    rounds = list(value) if isinstance(value, Sequence) else [value]
    return {"median": statistics.median(rounds), "min": min(rounds), "max": max(rounds)}


def ratios(above: Sequence[float], below: Sequence[float]) -> list[float]:
    """The quotient of each round: what disturbs the machine disturbs both."""
    return [one / two for one, two in zip(above, below, strict=True)]
