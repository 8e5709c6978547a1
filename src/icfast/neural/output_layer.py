"""From a model's hidden states or logits to losses, on the host or as tensors of a device."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from icfast.backends.losses import TokenLosses
from icfast.backends.select import device_has_linear
from icfast.errors import ModelError, needs_extra
from icfast.losses.cross_entropy import linear_token_losses, token_losses
from icfast.losses.options import LossOptions
from icfast.neural.token_model import IGNORE_INDEX
from icfast.sums.kinds import Kind

#: Maximum size of the logits in memory on a device without a fused loss.
_BLOCK_BYTES = 64 << 20

#: Torch's name of a dtype -> name of the format in results.
FORMATS = {
    "torch.float64": "fp64",
    "torch.float32": "fp32",
    "torch.bfloat16": "bf16",
    "torch.float16": "fp16",
}

#: Function of (ids, indices, targets, threads), tensors on the model's device; see
#: `OutputLayer.losses` for indices and targets.
TensorLosses: TypeAlias = Callable[[Any, Any, Any, int], TokenLosses]


def check_ids(ids: NDArray[np.int64], name: str, vocab_size: int, context: int | None) -> None:
    """Check ids before a model would compute them wrongly or fail with an unclear error.

    Args:
        ids: i64[contexts, positions].
        name: name of the model in error messages.

    Raises:
        ModelError: the contexts are too long, or an id is outside the vocabulary.
    """
    if context is not None and ids.shape[1] > context:
        raise ModelError(
            f"a context of {ids.shape[1]} tokens is longer than the {context} that {name} takes. "
            "Pass a shorter --window"
        )
    if not ids.size:
        return
    worst = ids.min() if ids.min() < 0 else ids.max()
    if not 0 <= worst < vocab_size:
        raise ModelError(
            f"id {worst} is outside the vocabulary of {name} ({vocab_size} ids). Was the corpus "
            "written with another tokenizer?"
        )


def default_threads() -> int:
    """Return the number of threads that torch uses by default."""
    with needs_extra("neural", "a neural model"):
        import torch
    return int(torch.get_num_threads())


@contextmanager
def inference(threads: int) -> Iterator[None]:
    """Run torch without gradients on a number of threads."""
    with needs_extra("neural", "a neural model"):
        import torch
    before = torch.get_num_threads()
    if before != threads:
        torch.set_num_threads(threads)
    try:
        with torch.inference_mode():
            yield
    finally:
        if before != threads:
            torch.set_num_threads(before)


@dataclass(frozen=True)
class OutputLayer:
    """The last layer of a model: logits = cap(hidden weight^T + bias) / temperature.

    Attributes:
        weight: torch tensor of shape (V or more, D).
        bias: torch tensor of shape (V or more,), or None.
        vocab_size: number of logits that count, V.
        softcap: cap c; a logit x becomes c tanh(x / c). None: no cap.
        temperature: divisor of the logits.
    """

    weight: Any
    bias: Any
    vocab_size: int
    softcap: float | None = None
    temperature: float = 1.0

    def logits(self, hidden: Any) -> Any:
        """Return the logits in fp32 or wider; used to check a few positions."""
        import torch

        wide = torch.promote_types(hidden.dtype, torch.float32)
        bias = None if self.bias is None else self.bias.to(wide)
        found = torch.nn.functional.linear(hidden.to(wide), self.weight.to(wide), bias)
        if self.softcap is not None:
            found = self.softcap * torch.tanh(found / self.softcap)
        return found / self.temperature

    def losses(
        self, hidden: Any, indices: Any, targets: Any, threads: int, backend: str
    ) -> TokenLosses:
        """Return the losses of scored positions as tensors on the device of the hidden states.

        Args:
            hidden: tensor (contexts, positions, D).
            indices: int64 tensor, the scored positions among all positions; None: all of them.
            targets: int64 tensor, one target for each scored position.
        """
        rows = hidden.reshape(-1, hidden.shape[-1])
        if indices is not None:
            rows = rows[indices]
        options = LossOptions(
            IGNORE_INDEX, self.vocab_size, self.softcap, self.temperature,
            threads=threads, backend=backend,
        )  # fmt: skip
        if self.is_fused:
            return linear_token_losses(rows, self.weight, targets, self.bias, options)
        return self._by_blocks(rows, targets, options)

    @property
    def is_fused(self) -> bool:
        """Whether logits are computed a tile at a time, in fp32; otherwise in blocks by torch."""
        if not self.weight.is_cuda:
            return True
        return str(self.weight.dtype) != "torch.float64" and device_has_linear()

    @property
    def logits_format(self) -> str:
        """Format of the logits that losses are computed from."""
        return "fp32" if self.is_fused else FORMATS[str(self.weight.dtype)]

    def _by_blocks(self, rows: Any, targets: Any, options: LossOptions) -> TokenLosses:
        import torch

        block = max(1, _BLOCK_BYTES // (len(self.weight) * self.weight.element_size()))
        found = []
        for first in range(0, len(rows), block):
            here = slice(first, first + block)
            logits = torch.nn.functional.linear(rows[here], self.weight, self.bias)
            found.append(token_losses(logits, targets[here], options))
        return TokenLosses(
            torch.cat([part.nll_nats for part in found]), torch.cat([part.kinds for part in found])
        )


def logits_losses(
    logits: Any, indices: Any, targets: Any, vocab_size: int, threads: int, backend: str
) -> TokenLosses:
    """Return the losses of scored positions from logits (contexts, positions, V or more).

    The other arguments are those of `OutputLayer.losses`.
    """
    options = LossOptions(IGNORE_INDEX, vocab_size, threads=threads, backend=backend)
    shape = logits.shape[:-1]
    if indices is None:
        return flat(token_losses(logits, targets.reshape(shape), options))
    # Targets are scattered to all positions: gathering the logits could copy gigabytes.
    everywhere = targets.new_full((shape.numel(),), IGNORE_INDEX)
    everywhere[indices] = targets
    found = flat(token_losses(logits, everywhere.reshape(shape), options))
    return TokenLosses(found.nll_nats[indices], found.kinds[indices])


def host_losses(
    losses: TensorLosses,
    ids: NDArray[np.int64],
    targets: NDArray[np.int64],
    threads: int,
    device: str,
) -> TokenLosses:
    """Return losses as NumPy arrays, one row per position, computed by a model on any device."""
    with inference(threads):
        import torch

        wanted = targets.reshape(-1)
        scored = np.flatnonzero(wanted != IGNORE_INDEX)
        indices = None if len(scored) == len(wanted) else torch.from_numpy(scored).to(device)
        fed = torch.from_numpy(np.ascontiguousarray(ids)).to(device)
        found = losses(fed, indices, torch.from_numpy(wanted[scored]).to(device), threads)
        nll_nats, kinds = np.zeros(len(wanted)), np.full(len(wanted), Kind.IGNORED, np.uint8)
        nll_nats[scored] = found.nll_nats.cpu().numpy()
        kinds[scored] = found.kinds.cpu().numpy()
    return TokenLosses(nll_nats, kinds)


def flat(found: TokenLosses) -> TokenLosses:
    """Return the losses and kinds with one axis."""
    return TokenLosses(found.nll_nats.reshape(-1), found.kinds.reshape(-1))
