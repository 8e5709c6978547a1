"""What every model does with a batch of windows: checks it, computes on so many threads, scores."""

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

#: Logits that exist at once where a device has no fused loss.
_BLOCK_BYTES = 64 << 20

#: Formats by the names torch gives its dtypes.
FORMATS = {
    "torch.float64": "fp64",
    "torch.float32": "fp32",
    "torch.bfloat16": "bf16",
    "torch.float16": "fp16",
}


def check_windows(ids: NDArray[np.int64], name: str, vocab_size: int, context: int | None) -> None:
    """Refuse what a model would compute wrongly, or stop at with a word of its own.

    Raises:
        ModelError: windows longer than the context, or an id the model does not know.
    """
    if context is not None and ids.shape[1] > context:
        raise ModelError(
            f"a window of {ids.shape[1]} positions, but {name} takes {context} at most; "
            "score with shorter windows"
        )
    if not ids.size:
        return
    strange = ids.min() if ids.min() < 0 else ids.max()
    if not 0 <= strange < vocab_size:
        raise ModelError(
            f"id {strange} has no embedding in {name}, which knows {vocab_size} ids; "
            "was the corpus written with another tokenizer?"
        )


def default_threads() -> int:
    """As many as torch takes by itself."""
    with needs_extra("neural", "a neural model"):
        import torch
    return int(torch.get_num_threads())


@contextmanager
def computing(threads: int) -> Iterator[None]:
    """Torch without gradients, on so many threads."""
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
    """What makes logits of hidden states: (hidden weight^T + bias), capped, over temperature.

    Attributes:
        weight: torch tensor (V or more, D).
        bias: torch tensor (V or more,), or None.
    """

    weight: Any
    bias: Any
    vocab_size: int
    softcap: float | None = None
    temperature: float = 1.0

    def logits(self, hidden: Any) -> Any:
        """The logits in fp32 or wider; for checks on a few positions."""
        import torch

        wide = torch.promote_types(hidden.dtype, torch.float32)
        bias = None if self.bias is None else self.bias.to(wide)
        found = torch.nn.functional.linear(hidden.to(wide), self.weight.to(wide), bias)
        if self.softcap is not None:
            found = self.softcap * torch.tanh(found / self.softcap)
        return found / self.temperature

    def losses(
        self, hidden: Any, places: Any, targets: Any, threads: int, backend: str
    ) -> TokenLosses:
        """Losses of targets after hidden[place], tensors beside the hidden states.

        Args:
            hidden: (windows, positions, D).
            places: int64, which of all positions are scored; None: all of them.
        """
        rows = hidden.reshape(-1, hidden.shape[-1])
        if places is not None:
            rows = rows[places]
        options = LossOptions(
            IGNORE_INDEX, self.vocab_size, self.softcap, self.temperature,
            threads=threads, backend=backend,
        )  # fmt: skip
        if self.is_fused:
            return linear_token_losses(rows, self.weight, targets, self.bias, options)
        return self._by_blocks(rows, targets, options)

    @property
    def is_fused(self) -> bool:
        """Whether logits exist a tile at a time, in fp32; else blocks of them, as torch rounds."""
        if not self.weight.is_cuda:
            return True
        return str(self.weight.dtype) != "torch.float64" and device_has_linear()

    @property
    def logits_format(self) -> str:
        """What losses are computed from."""
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


def losses_of_logits(
    logits: Any, places: Any, targets: Any, vocab_size: int, threads: int, backend: str
) -> TokenLosses:
    """Losses of targets under logits[place], tensors beside the logits; as `OutputLayer.losses`."""
    options = LossOptions(IGNORE_INDEX, vocab_size, threads=threads, backend=backend)
    shape = logits.shape[:-1]
    if places is None:
        found = token_losses(logits, targets.reshape(shape), options)
        return TokenLosses(found.nll_nats.reshape(-1), found.kinds.reshape(-1))
    # Targets are spread out, not logits gathered: those may be gigabytes.
    everywhere = targets.new_full((shape.numel(),), IGNORE_INDEX)
    everywhere[places] = targets
    found = token_losses(logits, everywhere.reshape(shape), options)
    return TokenLosses(found.nll_nats.reshape(-1)[places], found.kinds.reshape(-1)[places])


#: Losses of (ids, places, targets, threads), tensors on a model's device, as `OutputLayer.losses`.
Queue: TypeAlias = Callable[[Any, Any, Any, int], TokenLosses]


def host_losses(
    queue: Queue, ids: NDArray[np.int64], targets: NDArray[np.int64], threads: int, device: str
) -> TokenLosses:
    """The losses of windows on the host, of a model wherever it is."""
    with computing(threads):
        import torch

        flat = targets.reshape(-1)
        scored = np.flatnonzero(flat != IGNORE_INDEX)
        places = None if len(scored) == len(flat) else torch.from_numpy(scored).to(device)
        fed = torch.from_numpy(np.ascontiguousarray(ids)).to(device)
        found = queue(fed, places, torch.from_numpy(flat[scored]).to(device), threads)
        nll_nats, kinds = np.zeros(len(flat)), np.full(len(flat), Kind.IGNORED, np.uint8)
        nll_nats[scored] = found.nll_nats.cpu().numpy()
        kinds[scored] = found.kinds.cpu().numpy()
    return row_by_row(TokenLosses(nll_nats, kinds))


def row_by_row(found: TokenLosses) -> TokenLosses:
    """Losses as passes take them."""
    none = np.empty(0)
    return TokenLosses(
        found.nll_nats.reshape(-1), found.kinds.reshape(-1), none, none, np.empty(0, np.int64)
    )
