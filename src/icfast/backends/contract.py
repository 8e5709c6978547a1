"""The kernel contract: what every backend offers.

A kernel is a pure function over flat C-contiguous arrays the caller owns. It allocates nothing
the caller sees, raises nothing and returns a Status, which ``errors.check`` turns into an
exception. Formulas and shapes stand in ``csrc/include/icfast/``.
"""

from __future__ import annotations

from typing import Protocol

from icfast.backends.counting import CountingKernels
from icfast.backends.losses import LossKernels
from icfast.backends.models import ModelKernels


class Kernels(CountingKernels, ModelKernels, LossKernels, Protocol):
    """The kernels of a backend that reads the host's memory."""
