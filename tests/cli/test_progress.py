"""The progress bar on a terminal of a fixed width: stage, share, rate and time left."""

from __future__ import annotations

import io
import re
from itertools import pairwise

import pytest
from rich.console import Console

from icfast.cli.progress import new_bar, report_to


class Clock:
    """Seconds that pass only if the test says so."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def drawn(reports: list[tuple[float, str, int, int]], unit: str = "tokens") -> str:
    """Return the last line that a terminal shows after reports made at these seconds."""
    clock, written = Clock(), io.StringIO()
    console = Console(
        file=written, force_terminal=True, width=120, color_system=None, get_time=clock
    )
    with new_bar(console, auto_refresh=False, get_time=clock) as bar:
        progress = report_to(bar)
        for seconds, stage, done, total in reports:
            clock.seconds = seconds
            progress(stage, done, total, unit)
        bar.refresh()
        shown = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", written.getvalue())
    return shown.split("\r")[-1].strip()


def steady(stage: str, rate: int, total: int, begin: float, end: int) -> list:
    """Return one report a second at a constant rate."""
    return [(begin + second, stage, second * rate, total) for second in range(end + 1)]


def test_rate_and_time_left() -> None:
    line = drawn(steady("counting", 2_000_000, 40_000_000, 0, 5))
    assert re.search(r"^counting .* 25% 2 M tokens/s 0:00:05 elapsed 0:00:15 left$", line), line


@pytest.mark.parametrize(
    ("rate", "unit", "expected"),
    [(3, "files", "3 files/s"), (1234, "n-grams", "1.23 k n-grams/s"), (10**10, "tokens", "10 G")],
)
def test_rates_have_units(rate: int, unit: str, expected: str) -> None:
    assert f" {expected}" in drawn(steady("reading", rate, 20 * rate, 0, 10), unit)


def test_a_new_stage_begins_at_zero() -> None:
    first, second = steady("counting", 100, 300, 0, 3), steady("fitting", 5, 50, 4, 2)
    assert all(a[0] < b[0] for a, b in pairwise(first + second))
    line = drawn(first + second)
    assert re.search(r"^fitting .* 20% 5 tokens/s 0:00:02 elapsed 0:00:08 left$", line), line


def test_no_rate_before_it_is_known() -> None:
    line = drawn([(0, "fitting", 0, 50)])
    assert "tokens/s" not in line
    assert re.search(r"^fitting .* 0% ", line), line
