"""Whole measurements: passes run, laws applied, one result dictionary out."""

from icfast.pipeline.demo import demo
from icfast.pipeline.entropy import entropy_result
from icfast.pipeline.matches import match_result
from icfast.pipeline.measure import measure
from icfast.pipeline.neural import Neural
from icfast.pipeline.scaling import scaling_result
from icfast.pipeline.training import training_result, write_result

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
