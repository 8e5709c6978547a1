"""Energy in joules, each figure with its source; meters of GPUs and CPUs."""

from icfast.energy.joules import JoulesSource, SpentJoules
from icfast.energy.meter import Counter, EnergyMeter, MeteredEnergy
from icfast.energy.open import METERED, open_meter
from icfast.energy.sources import codecarbon_joules, gpu_hours_joules

__all__ = [
    "METERED",
    "Counter",
    "EnergyMeter",
    "JoulesSource",
    "MeteredEnergy",
    "SpentJoules",
    "codecarbon_joules",
    "gpu_hours_joules",
    "open_meter",
]
