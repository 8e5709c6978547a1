"""Arrays on a CUDA device, from DLPack to the addresses that the kernels get."""

from __future__ import annotations

import sys
import types

import numpy as np
import pytest
from tests.losses.fake_device import STREAM, Array, CurrentDevice, Kernels, Stream, normal

import icfast
from icfast.backends import cublas
from icfast.backends.losses import ID_DTYPES, LINEAR_TILE, Format
from icfast.backends.select import DeviceBackend, select_products
from icfast.errors import BackendError, MissingExtraError, OptionError
from icfast.losses import device as losses_on_device
from icfast.losses.device_arrays import DeviceArrays, LossSums
from icfast.losses.dlpack import Device


@pytest.fixture
def cupy(monkeypatch):
    library = types.ModuleType("cupy")
    library.ndarray = Array
    library.empty = lambda shape, dtype: Array(np.full(shape, 7, dtype))
    library.full = lambda shape, value, dtype: Array(np.full(shape, value, dtype))
    library.ascontiguousarray = lambda a: Array(np.ascontiguousarray(a.values))
    library.asnumpy = lambda a: a.values.copy()
    stream = library.stream = Stream()
    library.cuda = types.SimpleNamespace(Device=CurrentDevice, get_current_stream=lambda: stream)
    monkeypatch.setitem(sys.modules, "cupy", library)
    return library


@pytest.fixture
def kernels(monkeypatch, cupy):
    made = Kernels()
    for choose in ("select_device", "select_products"):
        monkeypatch.setattr(losses_on_device, choose, lambda _: DeviceBackend("cuda", made))
    return made


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
    cupy.cuda.get_current_stream = lambda: Stream(0)
    given = Array(normal(1, 3))
    icfast.cross_entropy(given, Array(np.array([0])))
    assert given.producer.asked == [{"max_version": (1, 0), "stream": 1}]
    assert kernels.calls[0][-1] == (0, 0)


@pytest.mark.parametrize(
    ("targets", "options", "error", "said"),
    [
        (np.array([0, 1]), {}, BackendError, "targets are on the CPU; expected cuda:0"),
        (Array(np.array([0, 1]), device=(2, 1)), {}, BackendError, "targets are on cuda:1; exp"),
        (Array(np.array([0])), {}, OptionError, r"targets have shape \(1,\); expected \(2,\)"),
        (Array(np.ones(2, "f4")), {}, OptionError, "targets are float32; expected ids"),
        (
            Array(np.array([0, 1])),
            {"vocab_size": 4},
            OptionError,
            "vocab_size must be between 1 and .* found 4",
        ),
        (Array(np.array([0, 1])), {"threads": 0}, OptionError, "threads must be .* found 0"),
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
    with pytest.raises(BackendError, match="refused work on logits on cuda:0: CUDA error 700"):
        icfast.cross_entropy(Array(normal(1, 3)), Array(np.array([0])))


def test_arrays_of_host_and_device_cannot_be_mixed(cupy):
    with pytest.raises(
        BackendError, match="targets are on cuda:0, but this function reads the host's"
    ):
        icfast.cross_entropy(normal(1, 3), Array(np.array([0])))
    with pytest.raises(BackendError, match="backend core reads host memory"):
        icfast.cross_entropy(Array(normal(1, 3)), Array(np.array([0])), backend="core")


def test_without_cupy_it_is_said_what_to_install(kernels, monkeypatch):
    monkeypatch.setitem(sys.modules, "cupy", None)
    with pytest.raises(MissingExtraError, match=r"icfast\[cuda13\]"):
        icfast.cross_entropy(Array(normal(1, 3)), Array(np.array([0])))


# Hidden states -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("view", "gathered"),
    [
        (lambda a: a, False),
        (lambda a: a[:, :-1], True),
        (lambda a: a[::-1], True),
        (lambda a: a[:, 0], False),
        (lambda a: a[0, 0], False),
        (lambda a: a[..., 1:9], False),
        (lambda a: np.broadcast_to(a[0, 0], (3, 2, a.shape[-1])), False),
    ],
)
@pytest.mark.parametrize("with_bias", [False, True])
def test_hidden_states_of_any_leading_axes_are_one_call(kernels, view, gathered, with_bias):
    hidden = view(normal(4, 5, 11))
    layer, bias = normal(9, 2 * hidden.shape[-1])[:, : hidden.shape[-1]], normal(9)
    targets = np.random.default_rng(1).integers(0, 9, hidden.shape[:-1])
    more = {"return_rank": True, "return_logsumexp": True}
    given = [Array(hidden), Array(layer), Array(targets), Array(bias) if with_bias else None]
    found = icfast.linear_cross_entropy(*given, **more)
    expected = icfast.linear_cross_entropy(
        hidden, layer, targets, bias if with_bias else None, **more
    )
    assert found.entropy_nats is None
    for ours, theirs in zip(found, expected, strict=True):
        if ours is not None:
            assert isinstance(ours, Array)
            assert ours.values.dtype == theirs.dtype
            np.testing.assert_allclose(ours.values, theirs, rtol=1e-5, atol=1e-5)
    ((states, weights, added, *_, queue),) = kernels.calls
    assert (states.address == hidden.ctypes.data) is not gathered
    assert weights == (layer.ctypes.data, Format.FP32, 9, hidden.shape[-1], 2 * hidden.shape[-1])
    assert (added.rows, added.columns) == (1, 9 if with_bias else 0)
    assert queue == (0, STREAM)


def test_options_reach_the_products(kernels):
    icfast.linear_cross_entropy(
        Array(normal(3, 4)),
        Array(normal(9, 4)),
        Array(np.array([1, 2, 3])),
        vocab_size=7,
        softcap=30,
        temperature=0.5,
        ignore_index=2,
    )
    ((*_, softmax, tile, _, out, _),) = kernels.calls
    assert softmax == (7, 30.0, 0.5, 2)
    assert tile == LINEAR_TILE
    assert [address != 0 for address in out] == [True, True, False, False, False]


def test_no_hidden_states_have_no_losses(kernels):
    found = icfast.linear_cross_entropy(
        Array(normal(0, 4)), Array(normal(9, 4)), Array(np.zeros(0, "i8"))
    )
    assert found.shape == (0,)
    assert not kernels.calls


@pytest.mark.parametrize(
    ("hidden", "weight", "bias", "error", "said"),
    [
        (
            "f8",
            "f4",
            None,
            OptionError,
            "hidden states on cuda:0 are float64, but matrix products there need",
        ),
        ("f4", "f8", None, OptionError, "weights on cuda:0 are float64"),
        ("f4", "f4", Array(np.ones(9)), OptionError, "biases on cuda:0 are float64"),
        ("f4", "f4", Array(np.ones(8, "f4")), OptionError, r"biases have shape \(8,\); expected"),
        ("f4", "f4", np.ones(9, "f4"), BackendError, "biases are on the CPU; expected cuda:0"),
    ],
)
def test_operands_that_do_not_fit_are_refused(kernels, hidden, weight, bias, error, said):
    states, layer = Array(np.ones((2, 4), hidden)), Array(np.ones((9, 4), weight))
    with pytest.raises(error, match=said):
        icfast.linear_cross_entropy(states, layer, Array(np.array([0, 1])), bias)
    with pytest.raises(BackendError, match="weights are on the CPU; expected cuda:0"):
        icfast.linear_cross_entropy(states, np.ones((9, 4)), Array(np.array([0, 1])))
    assert not kernels.calls


def test_without_cublas_it_is_said_what_to_install(monkeypatch, cupy):
    made = Kernels()
    monkeypatch.setattr(made, "load_products", lambda folders: f"\n  {folders[0]}/x: none")
    monkeypatch.setattr(cublas, "folders", lambda: ["/one"])
    monkeypatch.setattr(
        "icfast.backends.select.select_device", lambda _: DeviceBackend("gpu", made)
    )
    with pytest.raises(
        MissingExtraError, match=r"(?s)gpu did not find.*icfast\[cuda13\].*/one/x: none"
    ):
        icfast.linear_cross_entropy(
            Array(normal(2, 4)), Array(normal(9, 4)), Array(np.array([0, 1]))
        )
    monkeypatch.setattr(made, "load_products", lambda _: "")
    assert select_products().kernels is made


def test_folders_of_wheels_and_toolkits(monkeypatch, tmp_path):
    for name in ("nvidia/cu13/lib", "nvidia/cublas/lib", "toolkit/lib64"):
        (tmp_path / name).mkdir(parents=True)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "nvidia", raising=False)
    monkeypatch.setenv("CUDA_HOME", str(tmp_path / "toolkit"))
    monkeypatch.setenv("CUDA_PATH", str(tmp_path / "nothing"))
    found = cublas.folders()
    wheels = [str(tmp_path / name) for name in ("nvidia/cu13/lib", "nvidia/cublas/lib")]
    assert [folder for folder in found if folder in wheels] == wheels
    assert str(tmp_path / "toolkit/lib64") in found
    assert str(tmp_path / "nothing/lib64") not in found


# Sums ----------------------------------------------------------------------------------------


def test_sums_on_a_device_are_read_as_the_cpus(kernels):
    logits = normal(1, 1)
    sums = LossSums(kernels, DeviceArrays.like(Array(logits), Device("cuda", 0)), 2)
    nats, kinds = np.array([1.5, -0.5, np.inf]), np.zeros(3, "u1")
    cells = np.array([0, 1, 1])
    for _ in range(2):
        sums.add(Array(nats), Array(kinds), Array(cells))
    found = sums.read()
    assert found.low.tolist() == [3 << 32, 2**64 - (1 << 32)]
    assert found.high.tolist() == [0, 2**64 - 1]
    assert found.counts.tolist() == [[2, 0, 0, 0, 0, 0], [2, 0, 2, 0, 0, 0]]
    with pytest.raises(OptionError, match=r"kinds are float64 \(3,\); expected uint8 \(3,\)"):
        sums.add(Array(nats), Array(nats), Array(cells))
    with pytest.raises(OptionError, match=r"cells are int64 \(2,\); expected int64 \(3,\)"):
        sums.add(Array(nats), Array(kinds), Array(cells[:2]))
    sums.add(Array(nats[:2]), Array(kinds[:2]), Array(np.array([0, 2])))
    with pytest.raises(
        OptionError, match=r"row 1 of a batch has an invalid kind or a cell outside 0\.\.1"
    ):
        sums.read()
