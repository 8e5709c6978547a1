"""A CUDA device for tests whose memory is the host's.

Its arrays claim to be on a device, and its kernels read their addresses and write losses by the
definition.
"""

from __future__ import annotations

import ctypes
import threading
import types
from typing import Any, ClassVar

import numpy as np
from tests.losses.loss_definitions import define_losses, exact
from tests.losses.producers import Producer

from icfast.backends.losses import ID_DTYPES, LINEAR_TILE, LossCells
from icfast.backends.select import select

CODES = {"i": 0, "u": 1, "f": 2}
STREAM = 0x5EED


class Array:
    """An array that claims to be on a device, with DLPack."""

    def __init__(self, values: Any, code: int | None = None, device: tuple[int, int] = (2, 0)):
        self.values = np.asarray(values)
        self.dtype, self.shape = self.values.dtype, self.values.shape
        code = CODES[self.dtype.kind] if code is None else code
        self.producer = Producer(self.values, code, device=device)

    @property
    def data(self) -> Any:
        return types.SimpleNamespace(ptr=self.values.ctypes.data)

    def __dlpack_device__(self) -> tuple[int, int]:
        return self.producer.__dlpack_device__()

    def __dlpack__(self, **options: Any) -> object:
        if options.get("stream") is not None:  # as torch, which exports from the current device
            assert f"device {self.producer.device[1]}" in Current.now, "another device is current"
        return self.producer.__dlpack__(**options)


class Current:
    """Something that can be current: a device or a stream. The names of those that are."""

    now: ClassVar[list[str]] = []

    def __init__(self, name: str) -> None:
        self.name = name

    def __enter__(self) -> None:
        self.now.append(self.name)

    def __exit__(self, *_: object) -> None:
        assert self.now.pop() == self.name


class CurrentDevice(Current):
    def __init__(self, number: int) -> None:
        assert number == 0
        super().__init__(f"device {number}")


class Event:
    """A point in a stream, which has passed when the test says so."""

    def __init__(self) -> None:
        self.passed = threading.Event()

    def synchronize(self) -> None:
        self.passed.wait(10)


class Stream(Current):
    """A stream that remembers its events; `eager` ones have passed at once."""

    def __init__(self, ptr: int = STREAM, eager: bool = True) -> None:
        super().__init__(f"stream {ptr}")
        self.ptr, self.eager, self.capturing = ptr, eager, False
        self.events: list[Event] = []

    def record(self) -> Event:
        self.events.append(event := Event())
        if self.eager:
            event.passed.set()
        return event

    def is_capturing(self) -> bool:
        return self.capturing


def at(address: int, dtype: Any, size: int) -> Any:
    """Return a view of the memory at an address."""
    dtype = np.dtype(dtype)
    held = (ctypes.c_char * (size * dtype.itemsize)).from_address(address)
    return np.frombuffer(held, dtype)


class Kernels:
    """Kernels that compute losses by the definition from addresses."""

    def __init__(self) -> None:
        self.calls: list[Any] = []

    def cross_entropy(self, logits, targets, softmax, out, queue):
        self.calls.append((logits, targets, softmax, out, queue))
        self._answer(self._read(logits), targets, softmax, out)
        return 0, 0, 0

    @staticmethod
    def _read(matrix):
        address, form, rows, columns, stride = matrix
        dtype = ["f4", "u2", "u2", "f8"][form]
        size = np.dtype(dtype).itemsize
        held = [at(address + r * stride * size, dtype, columns) for r in range(rows)]
        return exact(np.array(held), form)

    @staticmethod
    def _answer(values, targets, softmax, out):
        ids = at(targets.address, ID_DTYPES[targets.type], len(values))
        found = define_losses(values, ids.astype("i8"), softmax)
        for to, field in zip(out, found, strict=True):
            if to:
                at(to, field.dtype, len(values))[:] = field

    def load_products(self, folders):
        return ""

    def linear_scratch_bytes(self, hidden, weight, bias, softmax, tile):
        assert tile == LINEAR_TILE
        return 1000 + hidden.columns

    def linear_cross_entropy(
        self, hidden, weight, bias, targets, softmax, tile, scratch, out, queue
    ):
        self.calls.append((hidden, weight, bias, targets, softmax, tile, scratch, out, queue))
        assert scratch.size == 1000 + hidden.columns
        at(scratch.address, "u1", scratch.size)[:] = 0xFF
        values = self._read(hidden) @ self._read(weight).T
        if bias.columns:
            values = values + self._read(bias)
        self._answer(values, targets, softmax, out)
        return 0, 0, 0

    def add_losses(self, nll_nats, kinds, cells, rows, sums, queue):
        self.calls.append((sums, queue))
        losses = at(nll_nats, "f8", rows), at(kinds, "u1", rows), at(cells, "i8", rows)
        size = sums.cells
        room = LossCells(
            at(sums.low, "u8", size), at(sums.high, "u8", size), at(sums.counts, "u8", 6 * size)
        )
        status = select("auto").kernels.add_losses(
            *losses, room._replace(counts=room.counts.reshape(size, 6))
        )
        if status[0]:
            at(sums.first_bad, "u8", 1)[0] = status[1]
        return 0, 0, 0


def normal(*shape):
    return np.random.default_rng(0).normal(0, 3, shape).astype("f4")
