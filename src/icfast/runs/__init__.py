"""Training logs: one reader per format, found by content, into one frozen `TrainingLog`."""

from icfast.runs.log import TrainingLog
from icfast.runs.open import FORMATS, read_training_log

__all__ = ["FORMATS", "TrainingLog", "read_training_log"]
