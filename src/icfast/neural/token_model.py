"""Neural models as the scoring of a corpus sees them, and the record of a model in results."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from icfast.backends.losses import TokenLosses

#: Target value of positions that are not scored.
IGNORE_INDEX = -100

#: Device of models that compute on the host.
CPU = "cpu"


@dataclass(frozen=True)
class TensorSize:
    """A stored tensor: its number of parameters and its bits, with the scales of its blocks."""

    name: str
    format: str
    params: int
    bits: int


class TokenModel(Protocol):
    """An autoregressive model over token ids.

    Attributes:
        name: origin of the model, such as ``hf:DIR``.
        vocab_size: number of ids that the model predicts; later columns of its logits are padding.
        context: maximum number of tokens that the model takes at once, or None.
        bos_id: id that the model expects before a document, or None.
        tokenizer: file name of its tokenizer, or None.
        tokenizer_sha256: SHA-256 of its tokenizer, or None. A corpus must have the same; without a
            SHA-256 the names are compared.
        compute_format: format of the computation, such as bf16, or None if unknown.
        logits_format: fp32, bf16, fp16 or fp64. Rounded logits bias a loss, so results record it.
        tensors: sizes of the stored tensors, which give the model size N; empty if unknown.
        sha256: SHA-256 of the model's files, or None if there are none.
        bytes_per_token: maximum memory for one position of a batch, in bytes.
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
        """Return the losses of targets[b, t] after ids[b, : t + 1], one row per position.

        Args:
            ids: i64[contexts, positions]; short contexts are padded at their end with any valid id.
            targets: i64[contexts, positions]; IGNORE_INDEX marks positions that are not scored.
            threads: maximum number of threads.

        Raises:
            ModelError: the contexts are too long, or an id has no embedding.
        """


def device_of(model: object) -> str:
    """Return the name of a model's device; models without one compute on the CPU."""
    return str(getattr(model, "device", CPU))


def gpus_of(model: object) -> tuple[str, ...]:
    """Return the UUIDs of the GPUs that compute a model; none for models on the CPU."""
    return tuple(getattr(model, "gpus", ()))


@dataclass(frozen=True)
class ModelRecord:
    """The facts about a neural model that a result records.

    Attributes:
        name: origin of the model.
        vocab_size: number of ids that it predicts.
        params: number of stored parameters, or None if unknown.
        model_bits: model size N, the bits of all stored tensors, or None if unknown.
        sha256: SHA-256 of the model's files, or None.
        compute_format: format of the computation, or None.
        logits_format: fp32, bf16, fp16 or fp64, the format of the logits.
        device: cpu, or a device such as cuda:0.
    """

    name: str
    vocab_size: int
    params: int | None
    model_bits: int | None
    sha256: str | None
    compute_format: str | None
    logits_format: str
    device: str = CPU

    @property
    def label(self) -> str:
        """The name without its folders.

        >>> ModelRecord("hf:models/tiny", 256, None, None, None, None, "fp32").label
        'hf:tiny'
        """
        scheme, colon, path = self.name.rpartition(":")
        return f"{scheme}{colon}{Path(path).name}"

    @classmethod
    def of(cls, model: TokenModel) -> ModelRecord:
        """Return the record of a model; sizes are summed over tensors of any mixture of formats."""
        tensors = model.tensors
        return cls(
            name=model.name,
            vocab_size=model.vocab_size,
            params=sum(tensor.params for tensor in tensors) if tensors else None,
            model_bits=sum(tensor.bits for tensor in tensors) if tensors else None,
            sha256=model.sha256,
            compute_format=model.compute_format,
            logits_format=model.logits_format,
            device=device_of(model),
        )
