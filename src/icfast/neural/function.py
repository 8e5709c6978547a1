"""A Python function that returns logits, as a model."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from icfast.backends.losses import TokenLosses
from icfast.errors import ModelError
from icfast.losses.host import host_token_losses
from icfast.losses.inputs import read_floats
from icfast.losses.options import LossOptions
from icfast.neural.device import TorchDevice, gpus
from icfast.neural.output_layer import FORMATS, check_ids, flat, host_losses, logits_losses
from icfast.neural.token_model import CPU, IGNORE_INDEX, TensorSize


class FunctionModel:
    """A model given by a function that computes logits; a `TokenModel`.

    The constructor calls the function once, with a single id 0, to read the number of columns.

    Args:
        logits: function from ids i64[contexts, positions] to floats of shape (contexts, positions,
            V or more). Entry [b, t] predicts the id after ids[b, : t + 1] and depends on those ids
            alone. It returns a NumPy array, a torch tensor without grad, or an array with DLPack.
        vocab_size: number of columns that count; later columns are padding. None: all columns.
        context: maximum number of tokens that the function takes at once, or None.
        bos_id: id to feed before a document, or None.
        name: name of the model in results.
        bytes_per_token: memory that the function needs per position besides its logits, in bytes.
        backend: backend of the losses, as in :func:`icfast.cross_entropy`.
        device: cpu or cuda:N.

    Raises:
        ModelError: the logits have a wrong shape.
        OptionError: the logits have a wrong dtype or layout.

    >>> coin = FunctionModel(lambda ids: np.zeros((*ids.shape, 2), np.float32))
    >>> coin.losses(np.array([[0, 1]]), np.array([[1, -100]]), 1).nll_nats.round(6).tolist()
    [0.693147, 0.0]
    """

    name: str
    vocab_size: int
    context: int | None
    bos_id: int | None
    logits_format: str
    bytes_per_token: int
    device: str
    gpus: tuple[str, ...]
    compute_format: str | None = None
    tensors: tuple[TensorSize, ...] = ()
    sha256: str | None = None
    tokenizer: str | None = None
    tokenizer_sha256: str | None = None

    def __init__(
        self,
        logits: Callable[[NDArray[np.int64]], Any],
        *,
        vocab_size: int | None = None,
        context: int | None = None,
        bos_id: int | None = None,
        name: str | None = None,
        bytes_per_token: int = 0,
        backend: str = "auto",
        device: str = CPU,
    ) -> None:
        self._function = logits
        self._backend = backend
        self.device = device
        self.gpus = gpus(device)
        self.name = name or f"callable:{getattr(logits, '__qualname__', type(logits).__name__)}"
        self.context = context
        self.bos_id = bos_id
        columns, self.logits_format, size = self._probed()
        if vocab_size is not None and not 1 <= vocab_size <= columns:
            raise ModelError(
                f"{self.name} returns {columns} logits; expected at least vocab_size {vocab_size}"
            )
        self.vocab_size = columns if vocab_size is None else vocab_size
        self.bytes_per_token = bytes_per_token + size * columns

    def losses(
        self, ids: NDArray[np.int64], targets: NDArray[np.int64], threads: int
    ) -> TokenLosses:
        """Return losses as `TokenModel` describes; `threads` does not limit the function itself."""
        check_ids(ids, self.name, self.vocab_size, self.context)
        if self.device != CPU:
            return host_losses(self._tensor_losses, ids, targets, threads, self.device)
        options = LossOptions(IGNORE_INDEX, self.vocab_size, threads=threads, backend=self._backend)
        return flat(host_token_losses(self._logits(ids), targets, options))

    def loss_device(self) -> TorchDevice:
        """Return the device that computes and sums the losses."""
        return TorchDevice.cuda(self.device, self._tensor_losses)

    def _tensor_losses(self, ids: Any, indices: Any, targets: Any, threads: int) -> TokenLosses:
        logits = self._logits(ids)
        return logits_losses(logits, indices, targets, self.vocab_size, threads, "auto")

    def _probed(self) -> tuple[int, str, int]:
        """Return the number of columns of the logits, their format and their size in bytes."""
        if self.device == CPU:
            logits = self._logits(np.zeros((1, 1), np.int64))
            found = read_floats(logits, f"logits of {self.name}")
            return found.values.shape[-1], found.format.name.lower(), found.values.itemsize
        import torch

        logits = self._logits(torch.zeros((1, 1), dtype=torch.int64, device=self.device))
        if str(logits.dtype) not in FORMATS:
            raise ModelError(
                f"{self.name} returns {logits.dtype}; expected one of {', '.join(FORMATS)}"
            )
        return logits.shape[-1], FORMATS[str(logits.dtype)], logits.element_size()

    def _logits(self, ids: Any) -> Any:
        found = self._function(ids)
        if self.device != CPU:
            import torch

            found = found if isinstance(found, torch.Tensor) else torch.from_dlpack(found)
            if found.device != torch.device(self.device):
                raise ModelError(
                    f"{self.name} returned logits on {found.device} for ids on {self.device}"
                )
        shape = tuple(getattr(found, "shape", ()))
        if len(shape) != 3 or shape[:2] != tuple(ids.shape):
            raise ModelError(
                f"{self.name} returned shape {shape or type(found).__name__} for ids of shape "
                f"{tuple(ids.shape)}; expected (contexts, positions, vocabulary)"
            )
        return found
