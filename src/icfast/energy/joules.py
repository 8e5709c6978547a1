"""Energy in joules with its source. Pure data."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

from icfast.errors import MergeError, OptionError


class JoulesSource(StrEnum):
    """Source of a figure in joules: a counter, a log, or a formula."""

    NVML = "nvml"
    RAPL = "rapl"
    MEGATRON_LOG = "megatron-log"
    CODECARBON = "codecarbon"
    GPU_HOURS = "gpu-hours"
    FLOP_ESTIMATE = "flop-estimate"
    STATED = "stated"


@dataclass(frozen=True)
class SpentJoules:
    """Energy and its source; figures add up only within one source.

    Attributes:
        joules: energy in joules, finite and not negative.
        source: source of the figure.
    """

    joules: float
    source: JoulesSource

    def __post_init__(self) -> None:
        if not (math.isfinite(self.joules) and self.joules >= 0):
            raise OptionError(f"joules must be finite and not negative, found {self.joules}")

    def __add__(self, other: SpentJoules) -> SpentJoules:
        """Return the sum of two figures of one source.

        Raises:
            MergeError: the sources differ.

        >>> SpentJoules(1.0, JoulesSource.NVML) + SpentJoules(2.0, JoulesSource.NVML)
        SpentJoules(joules=3.0, source=<JoulesSource.NVML: 'nvml'>)
        """
        if self.source != other.source:
            raise MergeError(
                f"joules from {self.source} and from {other.source} cannot be added, because they "
                "measure different things; report them separately"
            )
        return SpentJoules(self.joules + other.joules, self.source)
