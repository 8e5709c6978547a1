"""Joules of a window of time, from fake counters and clocks."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from itertools import pairwise

import pytest

from icfast.energy import Counter, EnergyMeter, JoulesSource, MeteredEnergy, SpentJoules
from icfast.errors import MeterError, OptionError

RAPL, NVML = JoulesSource.RAPL, JoulesSource.NVML


def reading(*values: int) -> Callable[[], int]:
    """Return one value per reading; further readings fail."""
    return iter(values).__next__


def meter(*counters: Counter, times: Iterable[float] = (0.0, 10.0)) -> EnergyMeter:
    return EnergyMeter(NVML, counters, clock=iter(times).__next__)


def test_joules_seconds_and_watts() -> None:
    one = Counter("GPU 0", reading(5_000, 25_000), 1e-3)
    other = Counter("GPU 1", reading(0, 4_000), 1e-3)
    with meter(one, other, times=(100.0, 108.0)) as running:
        assert running.result is None
    assert running.result == MeteredEnergy(
        SpentJoules(24.0, NVML), 8.0, (("GPU 0", 20.0), ("GPU 1", 4.0)), None, ()
    )
    assert running.result.mean_watts == 3.0


def test_a_window_too_short_is_flagged() -> None:
    for seconds, flagged in ((4.9, True), (5.0, False)):
        counter = Counter("GPU", reading(0, 7), 1.0, least_seconds=5.0)
        with meter(counter, times=(0.0, seconds)) as running:
            pass
        assert running.result is not None
        assert bool(running.result.flags) == flagged
    counter = Counter("GPU", reading(7, 7), 1.0, least_seconds=5.0)
    with meter(counter, times=(3.0, 3.0)) as running:
        pass
    assert running.result is not None
    assert (running.result.spent.joules, running.result.mean_watts) == (0.0, None)
    assert "a window of 0 s" in running.result.flags[0]


def test_a_counter_that_wraps() -> None:
    counter = Counter("package-0", reading(900, 40), 1e-6, wraps_at=1000)
    with EnergyMeter(RAPL, [counter], clock=reading(0, 1)) as running:
        pass
    assert running.result is not None
    assert running.result.spent.joules == pytest.approx(140e-6)
    assert running.result.spent.source is RAPL


def test_one_that_wraps_is_read_meanwhile() -> None:
    """Five wraps, although no single reading could tell."""
    sampled = threading.Event()
    values = [300 * i % 1001 for i in range(20)]
    taken = []

    def read() -> int:
        if len(taken) == 18:
            sampled.set()
        taken.append(values[min(len(taken), 19)])
        return taken[-1]

    counter = Counter("package-0", read, 1.0, wraps_at=1000)
    with EnergyMeter(RAPL, [counter], sample_seconds=1e-4) as running:
        assert sampled.wait(10)
    assert running.result is not None
    wraps = sum(later < earlier for earlier, later in pairwise(taken))
    assert wraps >= 5
    assert running.result.spent.joules == taken[-1] - taken[0] + 1000 * wraps


def test_nothing_is_read_meanwhile_that_does_not_wrap() -> None:
    before = threading.active_count()
    with EnergyMeter(NVML, [Counter("GPU", reading(1, 2), 1.0)]):
        assert threading.active_count() == before


@pytest.mark.parametrize(
    ("most", "values", "said"),
    [
        (None, (10, 9), "GPU decreased from 10 to 9"),
        (1000, (400, 399), "at least half its range"),  # set back, not wrapped
        (1000, (100, 601), "at least half its range"),
        (1000, (100, 1001), "expected 0 to 1000"),
        (1000, (1001, 100), "expected 0 to 1000"),
        (None, (7, 7), "did not change in 10.0 s"),
    ],
)
def test_what_no_counter_does(most: int | None, values: tuple[int, ...], said: str) -> None:
    running = meter(Counter("GPU", reading(*values), 1.0, most))
    with pytest.raises(MeterError, match=said), running:
        pass
    assert running.result is None


def test_half_a_range_less_one_is_a_wrap() -> None:
    with meter(Counter("GPU", reading(600, 99), 1.0, 1000)) as running:
        pass
    assert running.result is not None
    assert running.result.spent.joules == 499


def test_a_counter_that_fails_meanwhile_fails_at_the_end() -> None:
    failed = threading.Event()

    def read() -> int:
        if failed.is_set() or calls.append(0) or len(calls) > 2:
            failed.set()
            raise MeterError("gone")
        return len(calls)

    calls: list[int] = []
    running = EnergyMeter(RAPL, [Counter("p", read, 1.0, 10_000)], sample_seconds=1e-4)
    running.start()
    assert failed.wait(10)
    with pytest.raises(MeterError, match="gone"):
        running.stop()


def test_idle_power_stands_apart() -> None:
    counter = Counter("GPU", reading(0, 60, 100, 300), 1.0)
    running = meter(counter, times=(0.0, 2.0, 10.0, 15.0))
    slept: list[float] = []
    assert running.measure_idle(2.0, slept.append) == 30.0
    assert slept == [2.0]
    with running:
        pass
    assert running.result is not None
    assert (running.result.spent.joules, running.result.idle_watts) == (200.0, 30.0)
    with pytest.raises(OptionError, match="idle seconds must be positive, found 0"):
        running.measure_idle(0.0)


def test_windows_one_after_the_other() -> None:
    running = meter(Counter("GPU", reading(0, 5, 7, 10), 1.0), times=(0.0, 1.0, 2.0, 3.0))
    for joules in (5.0, 3.0):
        running.start()
        with pytest.raises(OptionError, match="already running"):
            running.start()
        assert running.stop().spent.joules == joules
    with pytest.raises(OptionError, match="not started"):
        running.stop()


def test_work_that_fails_ends_the_window() -> None:
    before = threading.active_count()
    running = EnergyMeter(RAPL, [Counter("p", lambda: 1, 1.0, 10)])
    with pytest.raises(ZeroDivisionError), running:
        raise ZeroDivisionError
    assert running.result is None
    assert threading.active_count() == before
    running.start()  # it may begin again
    running.stop()


def test_no_counters() -> None:
    with pytest.raises(MeterError, match="rapl has no counter"):
        EnergyMeter(RAPL, [])
