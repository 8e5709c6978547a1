"""Training logs: one reader per format, which is detected from the content.

Every reader returns a frozen `TrainingLog`.
"""

from icfast.logs.log import TrainingLog
from icfast.logs.open import FORMATS, log_files, read_training_log
from icfast.logs.options import LogOptions
from icfast.logs.points import ScalingColumns, ScalingPoints, read_scaling_points

__all__ = [
    "FORMATS",
    "LogOptions",
    "ScalingColumns",
    "ScalingPoints",
    "TrainingLog",
    "log_files",
    "read_scaling_points",
    "read_training_log",
]
