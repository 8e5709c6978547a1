"""Memory that queued work reads is kept until it is done, on the stream and device of the work."""

from __future__ import annotations

import sys
import time
import types
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import pytest
from tests.losses.fake_device import Array, Current, CurrentDevice, Event, Kernels, Stream, normal

import icfast
from icfast.backends.select import DeviceBackend
from icfast.losses import device as losses_on_device
from icfast.losses.device_arrays import DeviceArrays, LossSums
from icfast.losses.dlpack import Device
from icfast.losses.held import Keeper


class Foreign(Array):
    """An array of a third library on the device."""


class Own(Array):
    """An array of the library that makes the results."""


@pytest.fixture
def stream(monkeypatch: pytest.MonkeyPatch) -> Stream:
    """Install a CuPy whose stream runs late, and kernels for it; return the stream."""
    made = Stream(eager=False)
    library = types.ModuleType("cupy")
    library.ndarray = Own  # type: ignore[attr-defined]
    calls: list[tuple[str, ...]] = []

    def noted(function: Callable[..., Array]) -> Callable[..., Array]:
        def call(*arguments: object) -> Array:
            calls.append(tuple(Current.now))
            return function(*arguments)

        return call

    library.empty = noted(lambda shape, dtype: Own(np.zeros(shape, dtype)))  # type: ignore[attr-defined]
    library.full = noted(lambda shape, value, dtype: Own(np.full(shape, value, dtype)))  # type: ignore[attr-defined]
    library.ascontiguousarray = noted(lambda a: Own(np.ascontiguousarray(a.values)))  # type: ignore[attr-defined]
    library.from_dlpack = lambda a: a  # type: ignore[attr-defined]
    library.asnumpy = noted(lambda a: a.values.copy())  # type: ignore[attr-defined]
    library.cuda = types.SimpleNamespace(  # type: ignore[attr-defined]
        Device=CurrentDevice, get_current_stream=lambda: made
    )
    made.calls = calls  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "cupy", library)
    for choose in ("select_device", "select_products"):
        monkeypatch.setattr(losses_on_device, choose, lambda _: DeviceBackend("cuda", Kernels()))
    return made


def deleted(*arrays: Array) -> list[int]:
    return [array.producer.deleted for array in arrays]


def wait_for(happened: Callable[[], bool]) -> None:
    until = time.monotonic() + 10
    while not happened():
        assert time.monotonic() < until
        time.sleep(0.001)


def test_owners_live_until_the_work_is_done(stream: Stream) -> None:
    logits, targets = Foreign(normal(2, 3)), Foreign(np.array([0, 1]))
    icfast.cross_entropy(logits, targets)
    assert deleted(logits, targets) == [0, 0]
    (event,) = stream.events
    event.passed.set()
    wait_for(lambda: deleted(logits, targets) == [1, 1])


def test_owners_of_operands_live_until_the_work_is_done(stream: Stream) -> None:
    given = [Foreign(normal(2, 4)), Foreign(normal(9, 4)), Foreign(np.array([0, 1]))]
    icfast.linear_cross_entropy(*given, Foreign(normal(9)))
    assert deleted(*given) == [0, 0, 0]
    stream.events[0].passed.set()
    wait_for(lambda: deleted(*given) == [1, 1, 1])


def test_owners_live_on_after_a_failure(stream: Stream, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work may have been queued before the call that failed."""
    monkeypatch.setattr(Kernels, "cross_entropy", lambda *_: (7, 0, 700))
    logits = Foreign(normal(2, 3))
    with pytest.raises(icfast.IcfastError, match="CUDA error 700"):
        icfast.cross_entropy(logits, Foreign(np.array([0, 1])))
    assert deleted(logits) == [0]
    stream.events[0].passed.set()
    wait_for(lambda: deleted(logits) == [1])


def test_own_arrays_are_left_to_their_allocator(stream: Stream) -> None:
    logits, targets = Own(normal(2, 3)), Own(np.array([0, 1]))
    icfast.cross_entropy(logits, targets)
    assert stream.events == []
    assert deleted(logits, targets) == [1, 1]


def test_a_graph_keeps_nothing(stream: Stream) -> None:
    stream.capturing = True
    logits = Foreign(normal(2, 3))
    icfast.cross_entropy(logits, Own(np.array([0, 1])))
    assert stream.events == []
    assert deleted(logits) == [1]


def test_everything_runs_on_the_stream_and_its_device(stream: Stream) -> None:
    arrays = DeviceArrays.like(Foreign(normal(1, 1)), Device("cuda", 0))
    sums = LossSums(Kernels(), arrays, 2)
    sums.add(Own(np.zeros(2)), Own(np.zeros(2, "u1")), Own(np.array([0, 1])))
    assert sums.read().counts[:, 0].tolist() == [1, 1]
    icfast.cross_entropy(Foreign(normal(2, 3)), Foreign(np.array([0, 1])))
    stream.events[0].passed.set()
    assert {call[-2:] for call in stream.calls} == {("device 0", stream.name)}  # type: ignore[attr-defined]
    assert Current.now == []


def test_an_event_that_fails_frees_its_owners() -> None:
    class Lost(Event):
        def synchronize(self) -> None:
            raise RuntimeError("the device is lost")

    class Owner:
        freed = False

        def __del__(self) -> None:
            Owner.freed = True

    keeper = Keeper()
    keeper.keep([Owner()], Lost())
    wait_for(lambda: Owner.freed)


class Torch(types.ModuleType):
    """torch with one tensor type, whose streams note what is current."""

    def __init__(self, stream: Stream) -> None:
        super().__init__("torch")
        self.Tensor = Own
        self.float64, self.uint8, self.int64 = "f8", "u1", "i8"
        self.device = lambda kind, number: f"{kind}:{number}"
        self.current: list[object] = []
        stream.cuda_stream = stream.ptr  # type: ignore[attr-defined]
        stream.record_event = stream.record  # type: ignore[attr-defined]

        @contextmanager
        def entered(chosen: Stream) -> Iterator[None]:
            with CurrentDevice(0), chosen:
                yield

        self.cuda = types.SimpleNamespace(
            current_stream=lambda _: stream,
            stream=entered,
            is_current_stream_capturing=lambda: False,
        )

    def empty(self, shape: tuple[int, ...], *, dtype: str, **more: object) -> Own:
        made = Own(np.zeros(shape, dtype))
        made.data_ptr = lambda: made.values.ctypes.data  # type: ignore[attr-defined]
        return made


def test_a_tensor_of_torch_is_exported_while_its_device_is_current(
    monkeypatch: pytest.MonkeyPatch, stream: Stream
) -> None:
    """`Array.__dlpack__` refuses, as torch does, if another device is current."""
    monkeypatch.setitem(sys.modules, "torch", Torch(stream))
    used: list[Stream] = []
    logits, targets = Own(normal(2, 3)), Own(np.array([0, 1]))
    for array in (logits, targets):
        array.record_stream = used.append  # type: ignore[attr-defined]
    found = icfast.cross_entropy(logits, targets)
    np.testing.assert_allclose(
        found.values, icfast.cross_entropy(logits.values, targets.values), rtol=1e-6
    )
    assert used == [stream, stream]  # the allocator knows that this stream reads them
    assert Current.now == []
