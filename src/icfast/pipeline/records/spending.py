"""Record of the energy that a piece of work spent."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class CounterReading:
    """Energy that one counter of the machine measured.

    Attributes:
        name: name of the counter.
        joules: energy, joules.
    """

    name: str
    joules: float


@dataclass(frozen=True)
class SpentEnergy:
    """Energy that a piece of work spent, next to Landauer's floor.

    Attributes:
        source: name of the meter.
        joules: energy spent, joules; None if the meter failed.
        seconds: duration, seconds.
        mean_watts: mean power, watts.
        idle_watts: power before the work began, watts; None if not measured.
        counters: energy by counter.
        work: what the energy was spent on.
        note: what the meter includes and what it does not.
        flags: warnings of the meter.
        reason: why the meter failed, None if it did not.
        floor_joules: E0 of IC-2, joules; None if unknown.
        log10_ratio: log10 of the energy spent over the floor; None if one of them is unknown.
    """

    source: str
    joules: float | None
    seconds: float | None
    mean_watts: float | None
    idle_watts: float | None
    counters: tuple[CounterReading, ...]
    work: str
    note: str
    flags: tuple[str, ...]
    reason: str | None
    floor_joules: float | None
    log10_ratio: float | None
