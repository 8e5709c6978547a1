"""A meter by its name."""

from __future__ import annotations

from collections.abc import Sequence

from icfast.energy.joules import JoulesSource
from icfast.energy.meter import EnergyMeter
from icfast.energy.nvml import nvml_counters
from icfast.energy.rapl import rapl_counters
from icfast.errors import OptionError

#: The sources that are counters of this machine.
METERED = (JoulesSource.NVML, JoulesSource.RAPL)


def open_meter(source: str, gpus: Sequence[str] | None = None) -> EnergyMeter:
    """The meter of a source: "nvml" or "rapl".

    Args:
        gpus: of NVML, the UUIDs that count; None: those this process may use.

    Raises:
        OptionError: no such source, or GPUs of another than NVML.
        MeterError, MissingExtraError: it is not to be had here; the message says why.
    """
    if source not in METERED:
        raise OptionError(f"energy {source!r} is none of {', '.join(METERED)}")
    if source == JoulesSource.NVML:
        return EnergyMeter(JoulesSource.NVML, nvml_counters(gpus))
    if gpus is not None:
        raise OptionError(f"energy {source} is the CPU's; GPUs are metered by nvml")
    return EnergyMeter(JoulesSource.RAPL, rapl_counters())
