"""A model without weights: its logits are a hash of the ids of a context up to each position.

Different contexts give different logits, so losses show which tokens a context held.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from tests import naive

from icfast.backends.losses import TokenLosses
from icfast.neural.token_model import IGNORE_INDEX, TensorSize
from icfast.sums.kinds import Kind

_ODD = np.uint64(0x9E3779B97F4A7C15)


def mix(value: np.ndarray) -> np.ndarray:
    """Mix bits as splitmix64 does in its last step."""
    value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return value ^ (value >> np.uint64(31))


def hashed_logits(ids: np.ndarray, vocab_size: int) -> np.ndarray:
    """Return f64[contexts, positions, vocab_size] between -4 and 4."""
    with np.errstate(over="ignore"):
        logits = np.empty((*ids.shape, vocab_size))
        state = np.full(len(ids), 7, np.uint64)
        for t in range(ids.shape[1]):
            state = mix(state * _ODD + ids[:, t].astype(np.uint64))
            columns = mix(state[:, None] + np.arange(vocab_size, dtype=np.uint64) * _ODD)
            logits[:, t] = (columns >> np.uint64(11)) * 2.0**-53 * 8 - 4
    return logits


def nll(logits: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Return logsumexp minus the target's logit of each row, f64."""
    top = logits.max(axis=-1)
    logsumexp = top + np.log(np.exp(logits - top[..., None]).sum(axis=-1))
    chosen = np.maximum(targets, 0)[..., None]
    return logsumexp - np.take_along_axis(logits, chosen, -1)[..., 0]


@dataclass
class HashModel:
    """A TokenModel that records the shapes of its batches in `calls`."""

    vocab_size: int = 20
    name: str = "hash"
    context: int | None = 8
    bos_id: int | None = None
    tokenizer: str | None = None
    tokenizer_sha256: str | None = None
    compute_format: str | None = "fp64"
    logits_format: str = "fp64"
    tensors: tuple[TensorSize, ...] = ()
    sha256: str | None = "5" * 64
    bytes_per_token: int = 1000
    calls: list[tuple[int, ...]] = field(default_factory=list)
    #: number of calls after which KeyboardInterrupt is raised
    stop_after: int | None = None
    #: replacement for the rows of one target: (target id, nll, kind)
    odd: tuple[int, float, int] | None = None

    def losses(self, ids: np.ndarray, targets: np.ndarray, threads: int) -> TokenLosses:
        if self.stop_after is not None and len(self.calls) >= self.stop_after:
            raise KeyboardInterrupt
        assert ids.dtype == targets.dtype == np.int64
        assert ids.shape == targets.shape
        assert ((ids >= 0) & (ids < self.vocab_size)).all()
        self.calls.append(ids.shape)
        flat = targets.reshape(-1)
        losses = nll(hashed_logits(ids, self.vocab_size), targets).reshape(-1)
        kinds = np.where(flat == IGNORE_INDEX, Kind.IGNORED, Kind.SCORED).astype(np.uint8)
        losses[flat == IGNORE_INDEX] = 0.0
        if self.odd is not None:
            here = flat == self.odd[0]
            losses[here], kinds[here] = self.odd[1:]
        none: Any = np.empty(0)
        return TokenLosses(losses, kinds, none, none, none)


def expected_losses(
    sequence: Sequence[int], window: int, stride: int, bos_id: int | None, vocab_size: int = 20
) -> list[float | None]:
    """Return the loss of each token by the definition of the policy; None if it is no target."""
    fed = list(sequence) if bos_id is None else [bos_id, *sequence]
    losses: list[float | None] = [None] if bos_id is None else []
    targets = len(fed) - 1
    for k in range(targets):  # fed[k + 1] after fed[begin .. k]
        later = 0 if k < window else (k - window) // stride + 1
        begin = max(0, min(window + later * stride, targets) - window)
        context = np.array([fed[begin : k + 1]])
        logits = hashed_logits(context, vocab_size)[0, -1]
        losses.append(float(nll(logits, np.array(fed[k + 1]))))
    return losses[: len(sequence)]


def quanta(losses: Sequence[float | None]) -> int:
    """Return the sum of losses in units of 2^-32 nat."""
    return sum(naive.fixed_point_nats(loss) for loss in losses if loss is not None)
