"""A Python function that gives logits, as a model."""

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
from icfast.neural.batch import (
    FORMATS,
    check_windows,
    host_losses,
    losses_of_logits,
    row_by_row,
)
from icfast.neural.device import TorchLane, gpus
from icfast.neural.token_model import CPU, IGNORE_INDEX, TensorSize


class FunctionModel:
    """Whatever computes logits of windows; a `TokenModel`.

    Where it is told no `vocab_size`, it is called once with one id 0, and all columns count.

    Args:
        logits: i64[windows, positions] to floats (windows, positions, V or more); entry [b, t] is
            of the id that follows ids[b, : t + 1], and depends on those alone. numpy, torch
            (without grad) or anything with DLPack.
        vocab_size: columns of the distribution; those behind are padding.
        context: longest window it takes, or None.
        bos_id: id its windows begin with where a document does, or None.
        name: what measurements call it.
        bytes_per_token: what it takes itself for one position, beside the logits it returns.
        backend: as in :func:`icfast.cross_entropy`.
        device: cpu, or cuda:N.

    Raises:
        ModelError: what it returns has not the shape asked for.
        OptionError: what it returns are no floats that kernels read.

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
            raise ModelError(f"{self.name} gives {columns} logits, fewer than its {vocab_size} ids")
        self.vocab_size = columns if vocab_size is None else vocab_size
        self.bytes_per_token = bytes_per_token + size * columns

    def losses(
        self, ids: NDArray[np.int64], targets: NDArray[np.int64], threads: int
    ) -> TokenLosses:
        """As in `TokenModel`; the function's own threads are its own."""
        check_windows(ids, self.name, self.vocab_size, self.context)
        if self.device != CPU:
            return host_losses(self._queue, ids, targets, threads, self.device)
        options = LossOptions(IGNORE_INDEX, self.vocab_size, threads=threads, backend=self._backend)
        return row_by_row(host_token_losses(self._logits(ids), targets, options))

    def lane(self) -> TorchLane:
        """As in `DeviceModel`."""
        return TorchLane.on(self.device, self._queue)

    def _queue(self, ids: Any, places: Any, targets: Any, threads: int) -> TokenLosses:
        logits = self._logits(ids)
        return losses_of_logits(logits, places, targets, self.vocab_size, threads, "auto")

    def _probed(self) -> tuple[int, str, int]:
        """Columns of its logits, their format, and the bytes of one."""
        if self.device == CPU:
            logits = self._logits(np.zeros((1, 1), np.int64))
            found = read_floats(logits, f"logits of {self.name}")
            return found.values.shape[-1], found.format.name.lower(), found.values.itemsize
        import torch

        logits = self._logits(torch.zeros((1, 1), dtype=torch.int64, device=self.device))
        if str(logits.dtype) not in FORMATS:
            raise ModelError(f"{self.name} gives {logits.dtype}, expected one of {[*FORMATS]}")
        return logits.shape[-1], FORMATS[str(logits.dtype)], logits.element_size()

    def _logits(self, ids: Any) -> Any:
        found = self._function(ids)
        if self.device != CPU:
            import torch

            found = found if isinstance(found, torch.Tensor) else torch.from_dlpack(found)
            if found.device != torch.device(self.device):
                raise ModelError(
                    f"{self.name} gave logits on {found.device} for ids on {self.device}"
                )
        shape = tuple(getattr(found, "shape", ()))
        if len(shape) != 3 or shape[:2] != tuple(ids.shape):
            raise ModelError(
                f"{self.name} returned shape {shape or type(found).__name__} for ids of shape "
                f"{tuple(ids.shape)}; expected (windows, positions, vocabulary)"
            )
        return found
