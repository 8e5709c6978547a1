"""Selection of a meter by the name of its source."""

from __future__ import annotations

from collections.abc import Sequence

from icfast.energy.joules import JoulesSource
from icfast.energy.meter import EnergyMeter
from icfast.energy.nvml import nvml_counters
from icfast.energy.rapl import rapl_counters
from icfast.errors import OptionError

#: Sources that are hardware counters.
METERED = (JoulesSource.NVML, JoulesSource.RAPL)


def open_meter(source: str, gpus: Sequence[str] | None = None) -> EnergyMeter:
    """Return the meter of a source: "nvml" or "rapl".

    Args:
        source: name of the source.
        gpus: UUIDs of the GPUs to meter (NVML only); None selects those this process may use.

    Raises:
        OptionError: the source is unknown, or GPUs are given for another source than NVML.
        MeterError: the source is not available here; the message gives the reason.
        MissingExtraError: a package is not installed.
    """
    if source not in METERED:
        raise OptionError(f"energy must be one of {', '.join(METERED)}, found {source!r}")
    if source == JoulesSource.NVML:
        return EnergyMeter(JoulesSource.NVML, nvml_counters(gpus))
    if gpus is not None:
        raise OptionError(f"energy {source} meters the CPU, but GPUs are given; use nvml for GPUs")
    return EnergyMeter(JoulesSource.RAPL, rapl_counters())
