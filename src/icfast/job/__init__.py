"""Whole measurements: passes run, laws applied, one result dictionary out."""

from icfast.job.demo import demo
from icfast.job.entropy import entropy_result
from icfast.job.matches import match_result
from icfast.job.measure import measure
from icfast.job.neural import Neural
from icfast.job.scaling import scaling_result
from icfast.job.training import training_result, write_result

__all__ = [
    "Neural",
    "demo",
    "entropy_result",
    "match_result",
    "measure",
    "scaling_result",
    "training_result",
    "write_result",
]
