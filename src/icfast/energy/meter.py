"""Energy meter: joules between two moments, from hardware counters.

icfast does not use `zeus`. Version 0.16 was tested with simulated counters. It returned negative
joules when a counter wrapped just before the end, took a counter that was reset for one that
wrapped, added `psys` to the packages that it contains, ran scripts again in child processes, and
rejected UUIDs in CUDA_VISIBLE_DEVICES.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from icfast.energy.joules import JoulesSource, SpentJoules
from icfast.errors import MeterError, OptionError

#: Seconds between two readings of counters that wrap. In this time a kilowatt uses half the range
#: of the smallest counters (65 kJ).
SAMPLE_SECONDS = 30.0


@dataclass(frozen=True)
class Counter:
    """Energy counter of the machine.

    Attributes:
        name: device that it measures.
        read: function that returns the current count.
        joules_per_count: joules per count.
        wraps_at: largest count, after which the counter restarts at 0; None if it never wraps.
        least_seconds: shortest window with a reliable figure; the counter is refreshed at
            intervals.
    """

    name: str
    read: Callable[[], int]
    joules_per_count: float
    wraps_at: int | None = None
    least_seconds: float = 0.0


@dataclass(frozen=True)
class MeteredEnergy:
    """Energy in a window of time, of everything that ran on the metered devices.

    Attributes:
        spent: joules of all counters, with their source.
        seconds: length of the window.
        counters: (name, joules) of each counter.
        idle_watts: mean power before the work, None if not measured. It is not subtracted.
        flags: reasons why the figure may be inaccurate.
    """

    spent: SpentJoules
    seconds: float
    counters: tuple[tuple[str, float], ...]
    idle_watts: float | None
    flags: tuple[str, ...]

    @property
    def mean_watts(self) -> float | None:
        """Mean power in watts, None for a window of zero length."""
        return self.spent.joules / self.seconds if self.seconds > 0 else None


class EnergyMeter:
    """Meter of the joules in a window of time, from counters of one source.

    Use it as a context manager, or call `start` and `stop`; it can be started again. A thread reads
    counters that wrap while the window is open, so a window may be longer than a counter's range.

    Args:
        source: source of the figures.
        counters: at least one counter; none may be part of another.
        sample_seconds: interval between two readings of counters that wrap.
        clock: monotonic clock in seconds.

    Attributes:
        result: energy of the last window, None before.

    Raises:
        MeterError: (any method) a counter cannot be read, or its readings are impossible.

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
        """Measure the mean power in watts while this process sleeps; later results contain it.

        Raises:
            OptionError: seconds is not positive.
        """
        if not seconds > 0:
            raise OptionError(f"the idle seconds must be positive, found {seconds}")
        self._idle_watts = None
        with self:
            sleep(seconds)
        assert self.result is not None
        self._idle_watts = self.result.mean_watts
        if self._idle_watts is None:
            raise MeterError(f"the clock did not advance in {seconds} s of idling")
        return self._idle_watts

    def start(self) -> None:
        """Open a window.

        Raises:
            OptionError: a window is open.
        """
        if self._window is not None:
            raise OptionError("the energy meter is already running; stop it first")
        self._window = _Window(self._counters, self._sample_seconds, self._clock)

    def stop(self) -> MeteredEnergy:
        """Close the window and return its energy.

        Raises:
            OptionError: no window is open.
        """
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
        f"a window of {seconds:.2g} s: the counter is refreshed at intervals, so figures of less "
        f"than {least:g} s are uncertain",
    )


class _Window:
    """Counts since the window was opened."""

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
        """Return the joules of each counter, and the seconds."""
        self.abandon()
        self._sample()
        seconds = self._clock() - self._begin
        if self._broken is not None:
            raise self._broken
        for counter, counts in zip(self._counters, self._counts, strict=True):
            if not counts and seconds > max(1.0, counter.least_seconds):
                raise MeterError(
                    f"{counter.name} did not change in {seconds:.1f} s, as in virtual machines "
                    "that only imitate a counter"
                )
        joules = [
            counter.joules_per_count * counts
            for counter, counts in zip(self._counters, self._counts, strict=True)
        ]
        return joules, seconds

    def abandon(self) -> None:
        """Stop the sampling thread."""
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
                self._broken = error  # raised when the window ends, in the caller's thread


def _counted(counter: Counter, before: int, now: int) -> int:
    """Return the counts between two readings, across a wrap."""
    most = counter.wraps_at
    if most is None:
        if now < before:
            raise MeterError(
                f"{counter.name} decreased from {before} to {now}, as when its driver is reloaded. "
                "The energy in between is unknown; measure again"
            )
        return now - before
    if not (0 <= before <= most and 0 <= now <= most):
        raise MeterError(f"{counter.name} went from {before} to {now}, expected 0 to {most}")
    counts = now - before if now >= before else most - before + now
    if 2 * counts > most:
        raise MeterError(
            f"{counter.name} went from {before} to {now} of {most} between two readings, at least "
            "half its range. It was reset, or read too late (was the machine asleep?), so the "
            "number of wraps is unknown; measure again"
        )
    return counts
