"""Arrays on a CUDA device, from DLPack to the kernels' addresses: a device that is none.

The memory is the host's under a claim to be a device's, the library that brings arrays is made of
numpy, and kernels follow the addresses they are given to the definition of the losses.
"""

from __future__ import annotations

import ctypes
import sys
import types
from typing import Any

import numpy as np
import pytest
from tests.kernels.loss_definitions import define_losses, exact
from tests.kernels.producers import Producer

import icfast
from icfast.errors import BackendError, MissingExtraError, OptionError
from icfast.kernels import cross_entropy as face
from icfast.kernels.device import DeviceArrays, LossSums
from icfast.kernels.dlpack import Device
from icfast.kernels.losses import ID_DTYPES, Format, LossCells, Softmax
from icfast.kernels.select import DeviceBackend, select

CODES = {"i": 0, "u": 1, "f": 2}
STREAM = 0x5EED


class Array:
    """A device's array: numbers nobody on the host may look at, and their DLPack."""

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
        return self.producer.__dlpack__(**options)


class _Device:
    def __init__(self, number: int) -> None:
        assert number == 0

    def __enter__(self) -> None: ...

    def __exit__(self, *_: object) -> None: ...


@pytest.fixture
def cupy(monkeypatch):
    library = types.ModuleType("cupy")
    library.ndarray = Array
    library.empty = lambda shape, dtype: Array(np.full(shape, 7, dtype))
    library.full = lambda shape, value, dtype: Array(np.full(shape, value, dtype))
    library.ascontiguousarray = lambda a: Array(np.ascontiguousarray(a.values))
    library.asnumpy = lambda a: a.values.copy()
    stream = types.SimpleNamespace(ptr=STREAM)
    library.cuda = types.SimpleNamespace(Device=_Device, get_current_stream=lambda: stream)
    monkeypatch.setitem(sys.modules, "cupy", library)
    return library


def at(address: int, dtype: Any, size: int) -> Any:
    """What lies at an address."""
    dtype = np.dtype(dtype)
    held = (ctypes.c_char * (size * dtype.itemsize)).from_address(address)
    return np.frombuffer(held, dtype)


class Kernels:
    """The definition at the other end of the addresses."""

    def __init__(self) -> None:
        self.calls: list[Any] = []

    def cross_entropy(self, logits, targets, softmax, out, queue):
        self.calls.append((logits, targets, softmax, out, queue))
        address, form, rows, columns, stride = logits
        dtype = ["f4", "u2", "u2", "f8"][form]
        size = np.dtype(dtype).itemsize
        held = [at(address + r * stride * size, dtype, columns) for r in range(rows)]
        ids = at(targets.address, ID_DTYPES[targets.type], rows)
        values = exact(np.array(held), form)
        found = define_losses(values, ids.astype("i8"), softmax)
        for to, field in zip(out, found, strict=True):
            if to:
                at(to, field.dtype, rows)[:] = field
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


@pytest.fixture
def kernels(monkeypatch, cupy):
    made = Kernels()
    monkeypatch.setattr(face, "select_device", lambda _: DeviceBackend("cuda", made))
    return made


def normal(*shape):
    return np.random.default_rng(0).normal(0, 3, shape).astype("f4")


@pytest.mark.parametrize(
    ("view", "launches"),
    [
        (lambda a: a, 1),
        (lambda a: a[:, :-1], 4),
        (lambda a: a[::-1], 4),
        (lambda a: a[0, 0], 1),
        (lambda a: a[..., 2:9], 1),
        (lambda a: np.broadcast_to(a[0, 0], (3, 2, a.shape[-1])), 1),
        (lambda a: a[:0], 0),
    ],
)
def test_rows_of_any_leading_axes_reach_the_kernel_where_they_lie(kernels, view, launches):
    logits = view(normal(4, 5, 11))
    targets = np.random.default_rng(1).integers(0, 9, logits.shape[:-1])
    given = Array(logits)
    found = icfast.cross_entropy(given, Array(targets), return_rank=True, return_entropy=True)
    expected = icfast.cross_entropy(logits, targets, return_rank=True, return_entropy=True)
    assert len(kernels.calls) == launches
    assert isinstance(found.nll_nats, Array)
    assert found.logsumexp_nats is None
    for ours, theirs in zip(found, expected, strict=True):
        if ours is not None:
            assert ours.values.dtype == theirs.dtype
            np.testing.assert_allclose(ours.values, theirs, rtol=1e-6, atol=3e-6)
    for call in kernels.calls:
        assert call[-1] == (0, STREAM)
    assert given.producer.asked[-1]["stream"] == STREAM


@pytest.mark.parametrize("dtype", ID_DTYPES)
def test_targets_of_every_integer(kernels, dtype):
    targets = np.array([[3, 1], [0, 8]], dtype)
    logits = normal(2, 9)
    found = icfast.cross_entropy(Array(logits), Array(targets[:, 1]))
    np.testing.assert_allclose(
        found.values, icfast.cross_entropy(logits, targets[:, 1]), rtol=1e-6, atol=3e-6
    )
    assert kernels.calls[0][1].type == ID_DTYPES.index(dtype)


@pytest.mark.parametrize(
    ("values", "code", "form"),
    [
        ("f4", 2, Format.FP32),
        ("f8", 2, Format.FP64),
        ("f2", 2, Format.FP16),
        ("u2", 4, Format.BF16),
    ],
)
def test_logits_of_every_format(kernels, values, code, form):
    logits = np.ones((2, 3), values)
    icfast.cross_entropy(Array(logits, code), Array(np.array([0, 1])))
    matrix = kernels.calls[0][0]
    assert matrix == (logits.ctypes.data, form, 2, 3, 3)


def test_options_reach_the_kernel(kernels):
    icfast.cross_entropy(
        Array(normal(3, 9)),
        Array(np.array([1, 2, 3])),
        vocab_size=7,
        softcap=30,
        temperature=0.5,
        ignore_index=2,
    )
    _, _, softmax, out, _ = kernels.calls[0]
    assert softmax == (7, 30.0, 0.5, 2)
    assert [address != 0 for address in out] == [True, True, False, False, False]


def test_the_default_stream_has_a_name_of_its_own(kernels, cupy):
    cupy.cuda.get_current_stream = lambda: types.SimpleNamespace(ptr=0)
    given = Array(normal(1, 3))
    icfast.cross_entropy(given, Array(np.array([0])))
    assert given.producer.asked == [{"max_version": (1, 0), "stream": 1}]
    assert kernels.calls[0][-1] == (0, 0)


@pytest.mark.parametrize(
    ("targets", "options", "error", "said"),
    [
        (np.array([0, 1]), {}, BackendError, "targets live on the CPU, expected cuda:0"),
        (Array(np.array([0, 1]), device=(2, 1)), {}, BackendError, "targets live on cuda:1, exp"),
        (Array(np.array([0])), {}, OptionError, r"targets have shape \(1,\), expected \(2,\)"),
        (Array(np.ones(2, "f4")), {}, OptionError, "targets are float32; expected ids"),
        (Array(np.array([0, 1])), {"vocab_size": 4}, OptionError, "vocab_size 4 must be from 1"),
        (Array(np.array([0, 1])), {"threads": 0}, OptionError, "threads 0 must be"),
    ],
)
def test_what_does_not_fit_is_refused(kernels, targets, options, error, said):
    with pytest.raises(error, match=said):
        icfast.cross_entropy(Array(normal(2, 3)), targets, **options)
    assert not kernels.calls


def test_layouts_and_gradients_are_refused(kernels):
    given, targets = Array(normal(2, 6)[:, ::2]), Array(np.array([0, 1]))
    with pytest.raises(OptionError, match="the last axis of logits is not contiguous"):
        icfast.cross_entropy(given, targets)
    given = Array(normal(2, 6))
    given.requires_grad = True
    with pytest.raises(OptionError, match="logits require grad"):
        icfast.cross_entropy(given, targets)


def test_what_the_device_refuses_is_an_error(kernels, monkeypatch):
    monkeypatch.setattr(kernels, "cross_entropy", lambda *_: (7, 0, 700))
    with pytest.raises(BackendError, match="refused work on logits on cuda:0: error 700"):
        icfast.cross_entropy(Array(normal(1, 3)), Array(np.array([0])))


def test_arrays_of_the_host_beside_logits_of_a_device(cupy):
    with pytest.raises(BackendError, match="targets live on cuda:0, and are read from the host's"):
        icfast.cross_entropy(normal(1, 3), Array(np.array([0])))
    with pytest.raises(BackendError, match="backend core reads the host's memory"):
        icfast.cross_entropy(Array(normal(1, 3)), Array(np.array([0])), backend="core")


def test_without_cupy_it_is_said_what_to_install(kernels, monkeypatch):
    monkeypatch.setitem(sys.modules, "cupy", None)
    with pytest.raises(MissingExtraError, match=r"icfast\[cuda\]"):
        icfast.cross_entropy(Array(normal(1, 3)), Array(np.array([0])))


# Sums ----------------------------------------------------------------------------------------


def test_sums_on_a_device_are_read_as_the_cpus(kernels):
    logits = normal(1, 1)
    sums = LossSums(kernels, DeviceArrays.beside(Array(logits), Device("cuda", 0)), 2)
    nats, kinds = np.array([1.5, -0.5, np.inf]), np.zeros(3, "u1")
    cells = np.array([0, 1, 1])
    for _ in range(2):
        sums.add(Array(nats), Array(kinds), Array(cells))
    found = sums.read()
    assert found.low.tolist() == [3 << 32, 2**64 - (1 << 32)]
    assert found.high.tolist() == [0, 2**64 - 1]
    assert found.counts.tolist() == [[2, 0, 0, 0, 0, 0], [2, 0, 2, 0, 0, 0]]
    with pytest.raises(OptionError, match=r"kinds are float64 \(3,\), expected uint8 \(3,\)"):
        sums.add(Array(nats), Array(nats), Array(cells))
    with pytest.raises(OptionError, match=r"cells are int64 \(2,\), expected int64 \(3,\)"):
        sums.add(Array(nats), Array(kinds), Array(cells[:2]))
    sums.add(Array(nats[:2]), Array(kinds[:2]), Array(np.array([0, 2])))
    with pytest.raises(OptionError, match=r"row 1 of a batch has a cell outside 0\.\.1"):
        sums.read()


# The extension itself, where it was built; it needs no device to say no ------------------------


@pytest.fixture
def cuda():
    return pytest.importorskip("icfast.kernels._cuda", reason="this build has no CUDA part")


def test_sizes_that_do_not_fit_never_reach_the_device(cuda):
    plain = Softmax(3, 0.0, 1.0, -100)
    out, queue = (8, 8, 0, 0, 0), (0, 0)
    with pytest.raises(ValueError, match="distribution has 3 columns, the logits 2"):
        cuda.cross_entropy((8, 0, 1, 2, 2), (8, 6), plain, out, queue)
    with pytest.raises(ValueError, match="logits have no such format or shape"):
        cuda.cross_entropy((8, 4, 1, 3, 3), (8, 6), plain, out, queue)
    with pytest.raises(ValueError, match="logits don't lie at a multiple"):
        cuda.cross_entropy((2, 0, 1, 3, 3), (8, 6), plain, out, queue)
    with pytest.raises(ValueError, match="targets have no such type"):
        cuda.cross_entropy((8, 0, 1, 3, 3), (8, 8), plain, out, queue)
    with pytest.raises(ValueError, match="losses and kinds are always written"):
        cuda.cross_entropy((8, 0, 1, 3, 3), (8, 6), plain, (8, 0, 0, 0, 0), queue)
    with pytest.raises(ValueError, match="fewer rows than none"):
        cuda.add_losses(8, 8, 8, -1, (8, 8, 8, 8, 1), queue)


def test_without_a_device_a_call_reports_it(cuda):
    if not (reason := cuda.device_error()):
        pytest.skip("there is one")
    out, queue = (8, 8, 0, 0, 0), (0, 0)
    for matrix in ((8, 0, 1, 3, 3), (8, 1, 1, 3, 3), (8, 3, 1, 3, 3)):
        code, _, value = cuda.cross_entropy(matrix, (8, 6), Softmax(3, 0.0, 1.0, -100), out, queue)
        assert (code, cuda.name_of_error(value)) == (7, reason)
    code, _, value = cuda.add_losses(8, 8, 8, 1, (8, 8, 8, 8, 1), queue)
    assert (code, cuda.name_of_error(value)) == (7, reason)
