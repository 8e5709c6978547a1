"""Energy that was spent: joules with the source that says so."""

from icfast.energy.joules import JoulesSource, SpentJoules
from icfast.energy.sources import codecarbon_joules, gpu_hours_joules

__all__ = ["JoulesSource", "SpentJoules", "codecarbon_joules", "gpu_hours_joules"]
