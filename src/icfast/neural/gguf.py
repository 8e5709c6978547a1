"""Llama models in GGUF files, computed by torch from dequantised weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from icfast.backends.losses import TokenLosses
from icfast.corpus.tokenizers.gguf_file import PREFIX, GgufFile
from icfast.errors import ModelError, needs_extra
from icfast.neural.batch import (
    FORMATS,
    OutputLayer,
    check_windows,
    computing,
    default_threads,
    host_losses,
)
from icfast.neural.device import TorchLane, gpus, placed
from icfast.neural.footprint import bytes_per_token
from icfast.neural.llama import Llama, Shape
from icfast.neural.stored import sha256_of
from icfast.neural.token_model import CPU, TensorSize


class GgufModel:
    """A model in a GGUF file of architecture llama or qwen2; a `TokenModel`.

    Weights are dequantised once, to 4 bytes each in fp32 (2 in bf16), whatever the file's own bits,
    which `tensors` counts. Windows begin with the file's bos_token_id where its tokenizer adds one.

    Args:
        weights: torch tensors by the file's names: its own, dequantised, or others of those shapes.
        device: cpu or cuda:N, where they are put.

    Attributes:
        file: the file, mapped.
        weights: as given.
        shape: its sizes and constants.
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
    device: str
    gpus: tuple[str, ...]

    def __init__(
        self,
        file: GgufFile,
        weights: dict[str, Any],
        name: str,
        sha256: str,
        backend: str,
        device: str = CPU,
    ) -> None:
        self.file = file
        self.device = device
        self.gpus = gpus(device)
        self.weights = {part: placed(values, device, name) for part, values in weights.items()}
        self.shape = Shape.of(file)
        self._llama = Llama(self.weights, self.shape, file.path)
        self.backend = backend
        self.name = name
        self.vocab_size = int(self._llama.embedding.shape[0])
        self.context = self.shape.context
        self.bos_id = _begin_id(file)
        self._output = OutputLayer(self._llama.output, self._llama.output_bias, self.vocab_size)
        self.compute_format = FORMATS[str(self._llama.embedding.dtype)]
        self.logits_format = self._output.logits_format
        self.tokenizer = file.path.name
        self.tokenizer_sha256 = file.vocabulary_sha256()
        self.tensors = _sizes(file)
        self.sha256 = sha256
        with computing(default_threads()):
            self.bytes_per_token = bytes_per_token(
                lambda ids: self._llama.hidden(ids).clone(),
                self.weights.values(),
                self.context,
                device,
            )

    def losses(
        self, ids: NDArray[np.int64], targets: NDArray[np.int64], threads: int
    ) -> TokenLosses:
        """As in `TokenModel`."""
        check_windows(ids, self.name, self.vocab_size, self.context)
        return host_losses(self._queue, ids, targets, threads, self.device)

    def lane(self) -> TorchLane:
        """As in `DeviceModel`."""
        return TorchLane.on(self.device, self._queue)

    def _queue(self, ids: Any, places: Any, targets: Any, threads: int) -> TokenLosses:
        backend = self.backend if self.device == CPU else "auto"
        return self._output.losses(self._llama.hidden(ids), places, targets, threads, backend)

    def logits(self, ids: NDArray[np.int64]) -> NDArray[np.float32]:
        """Logits (windows, positions, V) in fp32, for a few tokens."""
        check_windows(ids, self.name, self.vocab_size, self.context)
        import torch

        with computing(default_threads()):
            tokens = torch.from_numpy(np.ascontiguousarray(ids)).to(self.device)
            return self._output.logits(self._llama.hidden(tokens)).cpu().numpy()  # type: ignore[no-any-return]


def load_gguf(
    path: Path, dtype: str | None = None, backend: str = "auto", device: str = CPU
) -> GgufModel:
    """Load a model from its file.

    Args:
        dtype: "float32" (also None) or "bfloat16" to compute in.
        device: cpu, or cuda:N.

    Raises:
        ModelError: no GGUF file, another architecture, or parts are missing.
        MissingExtraError: torch or gguf is not installed.
    """
    file = GgufFile(path)
    Shape.of(file)  # another architecture is refused before its weights are unpacked
    with needs_extra("neural", "a neural model"):
        import torch
    weights = dequantised(file, getattr(torch, dtype or "float32"))
    return GgufModel(file, weights, f"{PREFIX}{path}", sha256_of([path]), backend, device)


def dequantised(file: GgufFile, dtype: Any) -> dict[str, Any]:
    """Every tensor of a file as torch has it, in one dtype."""
    import torch
    from gguf import quants

    found = {}
    for name, tensor in file.tensors.items():
        try:
            weights = quants.dequantize(tensor.data, tensor.tensor_type)
        except (NotImplementedError, ValueError) as error:
            raise ModelError(
                f"{file.path}: tensor {name} is {tensor.tensor_type.name}, which the gguf package "
                f"can't dequantise ({error})"
            ) from error
        shape = tuple(int(n) for n in reversed(tensor.shape))
        # A copy: the file is mapped read-only, and norms lie in it as they are.
        found[name] = torch.from_numpy(np.array(weights, np.float32).reshape(shape)).to(dtype)
    return found


def _sizes(file: GgufFile) -> tuple[TensorSize, ...]:
    """Sizes as stored: a tensor's bytes include the scales of its blocks."""
    return tuple(
        TensorSize(name, tensor.tensor_type.name, int(tensor.n_elements), 8 * int(tensor.n_bytes))
        for name, tensor in file.tensors.items()
    )


def _begin_id(file: GgufFile) -> int | None:
    """The id windows begin with, where the file does not say that its tokenizer adds none."""
    found = file.get("tokenizer.ggml.bos_token_id")
    return (
        int(found) if found is not None and file.get("tokenizer.ggml.add_bos_token", True) else None
    )
