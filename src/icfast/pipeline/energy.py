"""Energy spent on a piece of work, next to Landauer's floor of what it found."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from icfast.energy import EnergyMeter, MeteredEnergy
from icfast.errors import MeterError
from icfast.laws.landauer import log10_ratio
from icfast.pipeline.records.spending import CounterReading, SpentEnergy

_INCLUDED = {
    "nvml": "everything that ran on these GPUs meanwhile; nothing of the CPU",
    "rapl": "everything that ran on this machine's CPUs meanwhile; nothing of its GPUs",
}


class Spending:
    """Context manager that meters a piece of work.

    If the meter fails, the work still has its result: the record then has no joules and states the
    reason.

    Args:
        meter: meter that was opened before the work; None meters nothing.
        work: name of the work.
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

    def record(self, floor_joules: float | None) -> SpentEnergy | None:
        """Return the energy spent, or None if nothing was metered.

        Args:
            floor_joules: E0 of IC-2 in joules, None if unknown.
        """
        if self._meter is None:
            return None
        found = self._found
        joules = None if found is None else found.spent.joules
        ratio = None
        if joules is not None and floor_joules is not None:
            ratio = log10_ratio(joules, floor_joules)
        return SpentEnergy(
            source=str(self._meter.source),
            joules=joules,
            seconds=None if found is None else found.seconds,
            mean_watts=None if found is None else found.mean_watts,
            idle_watts=None if found is None else found.idle_watts,
            counters=()
            if found is None
            else tuple(CounterReading(name, joules) for name, joules in found.counters),
            work=self._work,
            note=_INCLUDED[self._meter.source],
            flags=() if found is None else tuple(found.flags),
            reason=self._reason,
            floor_joules=floor_joules,
            log10_ratio=ratio,
        )
