"""What a pass asks of a neural model: losses of a batch of windows, and what the model is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeGuard

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from icfast.backends.losses import TokenLosses
    from icfast.neural.lane import Lane

#: The target of a position that is not scored.
IGNORE_INDEX = -100

#: The device of models that compute on the host.
CPU = "cpu"


@dataclass(frozen=True)
class TensorSize:
    """One stored tensor: its parameters, and the bits it takes, scales of its blocks included."""

    name: str
    format: str
    params: int
    bits: int


class TokenModel(Protocol):
    """An autoregressive model over token ids.

    Attributes:
        name: where it came from, such as ``hf:DIR``.
        vocab_size: ids it predicts, 0 .. vocab_size - 1; columns behind are padding.
        context: longest window it takes, or None.
        bos_id: the id its windows begin with where a document does, or None.
        tokenizer: name of its tokenizer's file, or None where it has none.
        tokenizer_sha256: of what a corpus tokenised with it records; where both are known they are
            compared, else the names are.
        compute_format: what its layers are computed in, such as bf16; None where nobody says.
        logits_format: fp32, bf16, fp16 or fp64; rounded logits bias a loss, so it is recorded.
        tensors: what N is counted from; empty where nothing is known (a callable).
        sha256: of what it was loaded from; None where nothing can be hashed (a callable).
        bytes_per_token: what one position of a batch takes while it is computed, at most.
    """

    name: str
    vocab_size: int
    context: int | None
    bos_id: int | None
    tokenizer: str | None
    tokenizer_sha256: str | None
    compute_format: str | None
    logits_format: str
    tensors: tuple[TensorSize, ...]
    sha256: str | None
    bytes_per_token: int

    def losses(
        self, ids: NDArray[np.int64], targets: NDArray[np.int64], threads: int
    ) -> TokenLosses:
        """Losses of targets[b, t] after ids[b, : t + 1], row by row; IGNORE_INDEX is not scored.

        Args:
            ids: i64[windows, positions]; windows are filled up behind their last target, with any
                id the model has.
            targets: i64[windows, positions].

        Raises:
            ModelError: a window is longer than the context, or an id has no embedding.
        """


class DeviceModel(TokenModel, Protocol):
    """A token model on a device: what it is given is queued there, and nothing waits.

    Attributes:
        device: such as cuda:0.
        gpus: UUIDs of the GPUs it computes on.
    """

    device: str
    gpus: tuple[str, ...]

    def lane(self) -> Lane:
        """A way onto its device."""


def on_device(model: TokenModel) -> TypeGuard[DeviceModel]:
    """Whether a model computes on a device, and has a lane to it."""
    return device_of(model) != CPU


def device_of(model: object) -> str:
    """Where a model computes: cpu unless it says otherwise."""
    return str(getattr(model, "device", CPU))


def gpus_of(model: object) -> tuple[str, ...]:
    """UUIDs of the GPUs a model computes on; none of a model of the CPU, or of n-grams."""
    return tuple(getattr(model, "gpus", ()))
