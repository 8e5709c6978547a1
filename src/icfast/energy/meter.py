"""Joules between two moments, by counters of the machine that only ever grow."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from icfast.energy.joules import JoulesSource, SpentJoules
from icfast.errors import MeterError, OptionError

#: How often counters that wrap are read. The smallest of them, 65 kJ, is half through in that time
#: at a kilowatt.
SAMPLE_SECONDS = 30.0


@dataclass(frozen=True)
class Counter:
    """A counter of energy.

    Attributes:
        name: what it counts for.
        read: its number now.
        joules_per_count: what one count is worth.
        wraps_at: the largest number, behind which it begins at 0 again; None: it never does.
        least_seconds: windows that are shorter are uncertain, since it is refreshed at intervals.
    """

    name: str
    read: Callable[[], int]
    joules_per_count: float
    wraps_at: int | None = None
    least_seconds: float = 0.0


@dataclass(frozen=True)
class MeteredEnergy:
    """What counters said of a window of time; all that ran on what they count for is in it.

    Attributes:
        spent: joules of all counters, with their source.
        seconds: the window.
        counters: joules by counter.
        idle_watts: mean power before the work, None where not measured; it is in no joules here.
        flags: what keeps the figure from being taken at its word.
    """

    spent: SpentJoules
    seconds: float
    counters: tuple[tuple[str, float], ...]
    idle_watts: float | None
    flags: tuple[str, ...]

    @property
    def mean_watts(self) -> float | None:
        """Joules a second; None of a window without length."""
        return self.spent.joules / self.seconds if self.seconds > 0 else None


class EnergyMeter:
    """Joules of a window of time, of one source.

    A context manager, or `start` and `stop`; it may be started again. Counters that wrap are read
    by a thread meanwhile, so that a window may be longer than they hold.

    Args:
        source: who says so.
        counters: at least one, none of them part of another.
        sample_seconds: how often counters that wrap are read.
        clock: seconds, never backwards.

    Attributes:
        result: of the last window; None before.

    Raises:
        MeterError: (any method) a counter can't be read, or did what no counter does.

    >>> joules = iter([10, 25])
    >>> seconds = iter([100.0, 110.0])
    >>> counter = Counter("a lamp", lambda: next(joules), joules_per_count=1.0)
    >>> with EnergyMeter(JoulesSource.NVML, [counter], clock=lambda: next(seconds)) as meter:
    ...     pass
    >>> meter.result.spent.joules, meter.result.seconds, meter.result.mean_watts
    (15.0, 10.0, 1.5)
    """

    def __init__(
        self,
        source: JoulesSource,
        counters: Sequence[Counter],
        *,
        sample_seconds: float = SAMPLE_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if not counters:
            raise MeterError(f"{source} has no counter here")
        self.source = source
        self.result: MeteredEnergy | None = None
        self._counters = tuple(counters)
        self._sample_seconds = sample_seconds
        self._clock = clock
        self._idle_watts: float | None = None
        self._window: _Window | None = None

    def measure_idle(self, seconds: float, sleep: Callable[[float], None] = time.sleep) -> float:
        """Watts while this process does nothing for so many seconds; later results have them.

        Raises:
            OptionError: seconds are not positive.
        """
        if not seconds > 0:
            raise OptionError(f"idle seconds {seconds} must be positive")
        self._idle_watts = None
        with self:
            sleep(seconds)
        assert self.result is not None
        self._idle_watts = self.result.mean_watts
        if self._idle_watts is None:
            raise MeterError(f"no time passed in {seconds} s of idling; is the clock stopped?")
        return self._idle_watts

    def start(self) -> None:
        """Begin a window."""
        if self._window is not None:
            raise OptionError("the energy meter runs already; stop it first")
        self._window = _Window(self._counters, self._sample_seconds, self._clock)

    def stop(self) -> MeteredEnergy:
        """End the window."""
        if self._window is None:
            raise OptionError("the energy meter was not started")
        window, self._window = self._window, None
        joules, seconds = window.end()
        self.result = MeteredEnergy(
            SpentJoules(sum(joules), self.source),
            seconds,
            tuple((c.name, j) for c, j in zip(self._counters, joules, strict=True)),
            self._idle_watts,
            _flags(self._counters, seconds),
        )
        return self.result

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is None:
            self.stop()
        elif self._window is not None:
            window, self._window = self._window, None
            window.abandon()


def _flags(counters: Sequence[Counter], seconds: float) -> tuple[str, ...]:
    least = max(counter.least_seconds for counter in counters)
    if seconds >= least:
        return ()
    return (
        f"a window of {seconds:.2g} s: the counter is refreshed at intervals, so that less than "
        f"{least:g} s are uncertain",
    )


class _Window:
    """Counts since a moment."""

    def __init__(
        self, counters: Sequence[Counter], sample_seconds: float, clock: Callable[[], float]
    ) -> None:
        self._counters = counters
        self._clock = clock
        self._counts = [0] * len(counters)
        self._lock = threading.Lock()
        self._broken: MeterError | None = None
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._last = [counter.read() for counter in counters]
        self._begin = clock()
        if any(counter.wraps_at is not None for counter in counters):
            self._thread = threading.Thread(
                target=self._watch, args=(sample_seconds,), name="icfast-energy", daemon=True
            )
            self._thread.start()

    def end(self) -> tuple[list[float], float]:
        """Joules of each counter, and seconds."""
        self.abandon()
        self._sample()
        seconds = self._clock() - self._begin
        if self._broken is not None:
            raise self._broken
        for counter, counts in zip(self._counters, self._counts, strict=True):
            if not counts and seconds > max(1.0, counter.least_seconds):
                raise MeterError(
                    f"{counter.name} did not count anything in {seconds:.1f} s; virtual machines "
                    "have such counters, which are none"
                )
        joules = [
            counter.joules_per_count * counts
            for counter, counts in zip(self._counters, self._counts, strict=True)
        ]
        return joules, seconds

    def abandon(self) -> None:
        """No more samples."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()

    def _watch(self, sample_seconds: float) -> None:
        while not self._stop.wait(sample_seconds):
            self._sample()

    def _sample(self) -> None:
        with self._lock:
            if self._broken is not None:
                return
            try:
                for place, counter in enumerate(self._counters):
                    now = counter.read()
                    self._counts[place] += _counted(counter, self._last[place], now)
                    self._last[place] = now
            except MeterError as error:
                self._broken = error  # said at the end, where someone listens


def _counted(counter: Counter, before: int, now: int) -> int:
    """Counts from one number to a later one."""
    most = counter.wraps_at
    if most is None:
        if now < before:
            raise MeterError(
                f"{counter.name} ran backwards, from {before} to {now}: was its driver loaded "
                "anew? What was spent meanwhile is lost; measure again"
            )
        return now - before
    if not (0 <= before <= most and 0 <= now <= most):
        raise MeterError(f"{counter.name} went from {before} to {now}, expected 0 to {most}")
    counts = now - before if now >= before else most - before + now
    if 2 * counts > most:
        raise MeterError(
            f"{counter.name} went from {before} to {now} of {most} between two readings, half "
            "its range or more: it was set back, or not read in time (a machine asleep?), so "
            "that nobody knows how often it wrapped; measure again"
        )
    return counts
