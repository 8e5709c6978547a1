"""torch: cross entropy of logits and of an output layer on the CPU, reduction "none"."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from peers.counter import missing_package

NAME = "torch losses"


def available() -> str | None:
    return missing_package("torch")


def cross_entropy(logits: Any, targets: Any) -> Callable[[], Any]:
    """F.cross_entropy of tensors, as it is."""
    from torch import inference_mode
    from torch.nn import functional

    @inference_mode()
    def run() -> Any:
        return functional.cross_entropy(logits, targets, reduction="none")

    return run


def linear_cross_entropy(hidden: Any, weight: Any, targets: Any) -> Callable[[], Any]:
    """The output layer, then F.cross_entropy."""
    from torch import inference_mode
    from torch.nn import functional

    @inference_mode()
    def run() -> Any:
        logits = functional.linear(hidden, weight)
        return functional.cross_entropy(logits, targets, reduction="none")

    return run


def linear(hidden: Any, weight: Any) -> Callable[[], Any]:
    """The matrix product alone."""
    from torch import inference_mode
    from torch.nn import functional

    @inference_mode()
    def run() -> Any:
        return functional.linear(hidden, weight)

    return run


def tensor(stored: Any, dtype: str) -> Any:
    """Memory of numpy's as a tensor; bits where the dtype is bfloat16."""
    import torch

    if dtype == "bfloat16":
        return torch.from_numpy(stored.view("i2")).view(torch.bfloat16)
    return torch.from_numpy(stored)
