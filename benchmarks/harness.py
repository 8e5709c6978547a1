"""Timing jobs side by side: interleaved, warmed, medians, and what the machine moved."""

from __future__ import annotations

import statistics
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Job:
    """One contender: what it does once, and how many tokens and bytes that moves."""

    name: str
    run: Callable[[], object]
    tokens: int
    moved_bytes: int = 0


@dataclass(frozen=True)
class Row:
    """One line of a table."""

    name: str
    median_seconds: float
    tokens_per_second: float
    gigabytes_per_second: float
    ratio_to_first: float
    peak_anonymous_mib: float


def side_by_side(jobs: list[Job], rounds: int = 5) -> list[Row]:
    """Run all jobs in turn, `rounds` times after one warm-up; ratios are to the first job."""
    peaks = [_peak_anonymous(job.run) for job in jobs]  # the warm-up
    seconds: list[list[float]] = [[] for _ in jobs]
    for _ in range(rounds):
        for job, times in zip(jobs, seconds, strict=True):
            begun = time.perf_counter()
            job.run()
            times.append(time.perf_counter() - begun)
    rates = [job.tokens / statistics.median(t) for job, t in zip(jobs, seconds, strict=True)]
    return [
        Row(
            job.name,
            statistics.median(times),
            rate,
            job.moved_bytes / statistics.median(times) / 1e9,
            rate / rates[0],
            peak / 2**20,
        )
        for job, times, rate, peak in zip(jobs, seconds, rates, peaks, strict=True)
    ]


def print_table(title: str, rows: list[Row]) -> None:
    """Print rows as Markdown."""
    print(f"\n\n{title}\n")
    print("| job | median s | M tok/s | GB/s moved | ratio to the first | peak anonymous MiB |")
    print("|---|---|---|---|---|---|")
    for row in rows:
        print(
            f"| {row.name} | {row.median_seconds:.3f} | {row.tokens_per_second / 1e6:.1f} "
            f"| {row.gigabytes_per_second:.2f} | {row.ratio_to_first:.2f} "
            f"| {row.peak_anonymous_mib:.0f} |"
        )


def _anonymous_bytes() -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1]) * 1024
    return 0


def _peak_anonymous(run: Callable[[], object]) -> int:
    """Most anonymous resident bytes while running, over what there was before."""
    before = peak = _anonymous_bytes()
    done = threading.Event()

    def watch() -> None:
        nonlocal peak
        while not done.wait(0.005):
            peak = max(peak, _anonymous_bytes())

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        run()
    finally:
        done.set()
        watcher.join()
    return peak - before
