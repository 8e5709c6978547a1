"""The kernel contract: the functions that every backend has.

A kernel is a pure function of flat C-contiguous arrays that the caller allocates. It raises no
exception and returns a Status, which ``errors.check`` turns into one. The headers in
``csrc/include/icfast/`` give formulas and shapes.
"""

from __future__ import annotations

from typing import Protocol

from icfast.backends.counting import CountingKernels
from icfast.backends.losses import LossKernels
from icfast.backends.models import ModelKernels


class Kernels(CountingKernels, ModelKernels, LossKernels, Protocol):
    """Kernels of a backend that reads host memory."""
