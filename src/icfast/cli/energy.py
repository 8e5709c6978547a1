"""Options of commands that meter or compare energy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from icfast.errors import OptionError

if TYPE_CHECKING:
    from icfast.energy import EnergyMeter, SpentJoules

_PANEL = "Energy spent"


@dataclass(frozen=True)
class EnergyOptions:
    """Meter of the energy that the work spends.

    Attributes:
        energy: nvml or rapl; None meters nothing.
        energy_idle: seconds for which idle power is measured first.
    """

    energy: str | None = field(
        default=None,
        metadata={
            "help": "Meter the energy of the work: nvml reads the GPUs' counters, rapl the CPUs'.",
            "metavar": "nvml|rapl",
            "panel": _PANEL,
        },
    )
    energy_idle: float | None = field(
        default=None,
        metadata={
            "help": "First measure idle power for this many seconds; reported separately.",
            "metavar": "SECONDS",
            "panel": _PANEL,
        },
    )

    def meter(self, gpus: Sequence[str]) -> EnergyMeter | None:
        """Open the meter that the options ask for, and measure idle power if asked.

        Args:
            gpus: UUIDs of the GPUs that the work runs on.

        Raises:
            OptionError: the source is unknown, or nvml is asked for and the work uses no GPU.
            MeterError: the counters of the source cannot be read.
            MissingExtraError: the package of the source is not installed.
        """
        from icfast.energy import JoulesSource, open_meter

        if self.energy is None:
            if self.energy_idle is not None:
                raise OptionError("--energy-idle needs a meter; pass --energy nvml or rapl, too")
            return None
        on_gpu = self.energy == JoulesSource.NVML
        if on_gpu and not gpus:
            raise OptionError(
                "--energy nvml meters GPUs, but this command uses none; pass --energy rapl to "
                "meter the CPU"
            )
        meter = open_meter(self.energy, gpus if on_gpu else None)
        if self.energy_idle is not None:
            meter.measure_idle(self.energy_idle)
        return meter


@dataclass(frozen=True)
class SpentOptions:
    """Energy that was spent, with its source.

    Attributes:
        spent_joules: energy, joules.
        spent_source: source of that figure.
    """

    spent_joules: float | None = field(
        default=None,
        metadata={
            "help": "Energy spent, in joules; needs --spent-source.",
            "metavar": "JOULES",
        },
    )
    spent_source: str | None = field(
        default=None,
        metadata={
            "help": "Source of that figure: nvml, rapl, megatron-log, codecarbon, gpu-hours or "
            "stated.",
            "metavar": "NAME",
        },
    )

    def joules(self) -> SpentJoules | None:
        """Return the energy that was given, None if none was.

        Raises:
            OptionError: one of the two options is missing, or the source is unknown.
        """
        from icfast.energy import JoulesSource, SpentJoules

        joules, source = self.spent_joules, self.spent_source
        if joules is None and source is None:
            return None
        known = [s.value for s in JoulesSource if s != JoulesSource.FLOP_ESTIMATE]
        if joules is None or source not in known:
            raise OptionError(
                f"--spent-joules needs --spent-source with one of {', '.join(known)}; "
                f"found {joules} and {source}"
            )
        return SpentJoules(joules, JoulesSource(source))
