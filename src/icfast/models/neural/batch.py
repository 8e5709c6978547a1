"""What every model does with a batch of windows: checks it, computes on so many threads, scores."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from icfast.errors import ModelError
from icfast.kernels.cross_entropy import LossOptions, TokenLosses, linear_token_losses, token_losses
from icfast.kernels.losses import Kind, TokenOut
from icfast.models.neural.extra import neural_extra
from icfast.models.token_model import IGNORE_INDEX

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
    with neural_extra():
        import torch
    return int(torch.get_num_threads())


@contextmanager
def computing(threads: int) -> Iterator[None]:
    """Torch without gradients, on so many threads."""
    with neural_extra():
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
        self, hidden: Any, targets: NDArray[np.int64], threads: int, backend: str
    ) -> TokenOut:
        """Losses of targets[b, t] after hidden[b, t]; only scored positions are multiplied."""
        import torch

        flat = targets.reshape(-1)
        scored = np.flatnonzero(flat != IGNORE_INDEX)
        rows = hidden.reshape(-1, hidden.shape[-1])
        if len(scored) < len(flat):
            rows = rows[torch.from_numpy(scored)]
        options = LossOptions(
            IGNORE_INDEX, self.vocab_size, self.softcap, self.temperature,
            threads=threads, backend=backend,
        )  # fmt: skip
        found = linear_token_losses(rows, self.weight, flat[scored], self.bias, options)
        nll_nats, kinds = np.zeros(len(flat)), np.full(len(flat), Kind.IGNORED, np.uint8)
        nll_nats[scored], kinds[scored] = found.nll_nats, found.kinds
        return row_by_row(TokenLosses(nll_nats, kinds))


def losses_of_logits(
    logits: Any, targets: NDArray[np.int64], vocab_size: int, threads: int, backend: str
) -> TokenOut:
    """Losses of targets[b, t] under logits[b, t, :]."""
    options = LossOptions(IGNORE_INDEX, vocab_size, threads=threads, backend=backend)
    return row_by_row(token_losses(logits, targets, options))


def row_by_row(found: TokenLosses) -> TokenOut:
    """Losses as passes take them."""
    none = np.empty(0)
    return TokenOut(
        found.nll_nats.reshape(-1), found.kinds.reshape(-1), none, none, np.empty(0, np.int64)
    )
