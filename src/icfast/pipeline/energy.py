"""Joules spent on a piece of work, beside Landauer's floor of what it found."""

from __future__ import annotations

from types import TracebackType
from typing import Any, Self

from icfast.energy import EnergyMeter, MeteredEnergy
from icfast.errors import MeterError
from icfast.laws.landauer import log10_ratio

_EVERYTHING = {
    "nvml": "everything that ran on these GPUs meanwhile; nothing of the CPU",
    "rapl": "everything that ran on this machine's CPUs meanwhile; nothing of its GPUs",
}


class Spending:
    """Meters a piece of work, a context manager.

    A meter that fails in the end takes no result with it: the joules are None, and `reason` says
    why.

    Args:
        meter: that was opened before the work; None: nothing is metered.
        work: what the joules are spent on, in words.
    """

    def __init__(self, meter: EnergyMeter | None, work: str) -> None:
        self._meter, self._work = meter, work
        self._found: MeteredEnergy | None = None
        self._reason: str | None = None

    def __enter__(self) -> Self:
        if self._meter is not None:
            self._meter.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._meter is None:
            return
        try:
            self._meter.__exit__(kind, error, trace)
            self._found = self._meter.result
        except MeterError as failed:
            self._reason = str(failed)

    def record(self, floor_joules: float | None) -> dict[str, Any] | None:
        """What was spent; None where nothing is metered.

        Args:
            floor_joules: E0 of IC-2, None where it is not known.
        """
        if self._meter is None:
            return None
        found = self._found
        joules = None if found is None else found.spent.joules
        return {
            "source": str(self._meter.source),
            "joules": joules,
            "seconds": None if found is None else found.seconds,
            "mean_watts": None if found is None else found.mean_watts,
            "idle_watts": None if found is None else found.idle_watts,
            "counters": [] if found is None else [
                {"name": name, "joules": joules} for name, joules in found.counters
            ],
            "work": self._work,
            "note": _EVERYTHING[self._meter.source],
            "flags": [] if found is None else list(found.flags),
            "reason": self._reason,
            "floor_joules": floor_joules,
            "log10_ratio": None if joules is None or floor_joules is None
            else log10_ratio(joules, floor_joules),
        }  # fmt: skip
