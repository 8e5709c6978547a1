"""Jobs side by side: each answer checked, then interleaved rounds, medians, ratios, peak memory."""

from __future__ import annotations

import os
import random
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from memory import Peak, watched


def nothing() -> None:
    """Nothing to prepare."""


def _unchecked(result: object) -> None:
    """Checked elsewhere."""


@dataclass(frozen=True)
class Job:
    """One contender.

    Attributes:
        run: does the work once.
        items: how many tokens (or what the table counts) that is.
        input_bytes: bytes of the file they are read from (ids; text for KenLM), for GB/s.
        check: raises where the result of `run` is wrong; before any time is taken.
        prepare: untimed, before every run.
        peer: not ours; the others' rates are divided by its rate.
        rounds: at most so many. A job of one round is timed in its only run, without warm-up.
    """

    name: str
    run: Callable[[], Any]
    items: int
    input_bytes: int = 0
    check: Callable[[Any], None] = _unchecked
    prepare: Callable[[], object] = nothing
    peer: bool = False
    rounds: int | None = None


@dataclass(frozen=True)
class Row:
    """What was measured of one contender."""

    name: str
    peer: bool
    seconds: tuple[float, ...]
    cpu_seconds: tuple[float, ...]
    items: int
    input_bytes: int
    peak: Peak

    @property
    def median_seconds(self) -> float:
        return statistics.median(self.seconds)

    @property
    def median_cpu_seconds(self) -> float:
        return statistics.median(self.cpu_seconds)

    @property
    def items_per_second(self) -> float:
        return self.items / self.median_seconds

    @property
    def gigabytes_per_second(self) -> float:
        return self.input_bytes / self.median_seconds / 1e9


@dataclass(frozen=True)
class _Time:
    """Of one run: by the clock, and of all threads and ended processes."""

    wall: float
    cpu: float


def side_by_side(jobs: list[Job], rounds: int) -> list[Row]:
    """Every job once, watched and checked; then all in any order, `rounds` times."""
    allowed = [min(rounds, job.rounds or rounds) for job in jobs]
    peaks: list[Peak] = []
    times: list[list[_Time]] = []
    for job, its in zip(jobs, allowed, strict=True):
        (result, first), peak = watched(partial(_timed, job))
        job.check(result)
        peaks.append(peak)
        times.append([first] if its == 1 else [])
    order = list(range(len(jobs)))
    shuffle = random.Random(0).shuffle
    for turn in range(rounds):
        # Some leave memory to be given back and threads that spin on: nobody always comes next.
        shuffle(order)
        for place in order:
            if 1 < allowed[place] > turn:
                times[place].append(_timed(jobs[place])[1])
    return [
        Row(
            job.name,
            job.peer,
            tuple(one.wall for one in taken),
            tuple(one.cpu for one in taken),
            job.items,
            job.input_bytes,
            peak,
        )
        for job, taken, peak in zip(jobs, times, peaks, strict=True)
    ]


def _timed(job: Job) -> tuple[Any, _Time]:
    job.prepare()
    begun, used = time.perf_counter(), _cpu_seconds()
    result = job.run()
    return result, _Time(time.perf_counter() - begun, _cpu_seconds() - used)


def _cpu_seconds() -> float:
    return sum(os.times()[:4])
