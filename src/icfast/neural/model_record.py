"""What a result says of the model it was made with."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from icfast.neural.token_model import CPU, TokenModel, device_of


@dataclass(frozen=True)
class ModelRecord:
    """A neural model, by what can be known of it.

    Attributes:
        name: where it came from.
        vocab_size: ids it predicts.
        params: numbers stored, of all tensors; None where nothing is known.
        model_bits: N, the bits they take as stored; None where nothing is known.
        sha256: of what it was loaded from, or None.
        compute_format: what its layers were computed in, or None.
        logits_format: fp32, bf16, fp16 or fp64, what its losses were computed from.
        device: cpu, or such as cuda:0, where it was computed.
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
        """Of a model; N is counted tensor by tensor, so mixed formats count right."""
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
