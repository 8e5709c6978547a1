"""The loss kernels on a CUDA device, at the rows of the CPU's tests; skipped without a device."""

from __future__ import annotations

import numpy as np
import pytest
from tests.losses import linear_operands as linear
from tests.losses import test_losses_accuracy as accuracy
from tests.losses.loss_definitions import EVERYTHING, assert_losses, define_losses

import icfast
from icfast.backends.losses import Format, LossCells, Softmax, TokenLosses
from icfast.backends.select import select, select_device, select_products
from icfast.errors import BackendError, MissingExtraError
from icfast.losses.device_arrays import DeviceArrays, LossSums
from icfast.losses.inputs import cuda_device

pytestmark = pytest.mark.gpu


@pytest.fixture(scope="module")
def torch():
    library = pytest.importorskip("torch", reason="arrays on a device come from torch here")
    try:
        select_device()
    except BackendError as reason:
        pytest.skip(str(reason))
    return library


def on_device(torch, stored, form):
    if form is Format.BF16:
        return torch.from_numpy(stored.view(np.int16)).cuda().view(torch.bfloat16)
    return torch.from_numpy(stored).cuda()


def on_host(found):
    arrays = (None if array is None else array.cpu().numpy() for array in found)
    return TokenLosses(*arrays)


@pytest.mark.parametrize("form", accuracy.FORMATS)
@pytest.mark.parametrize("columns", [*accuracy.SMALL, *accuracy.REAL])
def test_losses_are_within_the_budget(torch, columns, form):
    logits = on_device(torch, accuracy.rows(columns, form), form)
    before = logits.clone()
    for targets, expected in zip(*accuracy.defined(columns, form), strict=True):
        ids = torch.from_numpy(targets).cuda()
        assert_losses(on_host(icfast.cross_entropy(logits, ids, **EVERYTHING)), expected)
        alone = icfast.cross_entropy(logits, ids)
        assert alone.is_cuda
        found = TokenLosses(alone.cpu().numpy(), expected.kinds)
        assert_losses(found, expected)
    assert torch.equal(logits.view(torch.uint8), before.view(torch.uint8))


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
def test_a_row_is_its_own_wherever_it_lies(torch, dtype):
    logits = torch.randn(5, 1023, device="cuda").to(getattr(torch, dtype))
    ids = torch.randint(0, 1023, (5,), device="cuda")
    expected = icfast.cross_entropy(logits, ids)
    for offset in range(9):
        room = torch.full((5, 1031), float("nan"), device="cuda", dtype=logits.dtype)
        view = room[:, offset : offset + 1023]
        view.copy_(logits)
        assert torch.equal(icfast.cross_entropy(view, ids), expected)
    for row in range(5):
        assert torch.equal(icfast.cross_entropy(logits[row], ids[row]), expected[row])


def test_another_stream_and_a_recorded_graph(torch):
    logits = torch.randn(64, 5000, device="cuda")
    ids = torch.randint(0, 5000, (64,), device="cuda")
    expected = icfast.cross_entropy(logits, ids)
    torch.cuda.synchronize()
    stream = torch.cuda.Stream()
    with torch.cuda.stream(stream):
        torch.cuda._sleep(50_000_000)
        found = icfast.cross_entropy(logits * 1, ids)
    stream.synchronize()
    assert torch.equal(found, expected)
    graph, held = torch.cuda.CUDAGraph(), torch.zeros_like(logits)
    with torch.cuda.graph(graph):
        recorded = icfast.cross_entropy(held, ids)
    held.copy_(logits)
    graph.replay()
    torch.cuda.synchronize()
    assert torch.equal(recorded, expected)


def test_cupy_arrays_give_cupy_arrays(torch):
    cupy = pytest.importorskip("cupy")
    logits = np.random.default_rng(0).normal(size=(3, 4, 500)).astype("f4")
    ids = np.random.default_rng(1).integers(0, 500, (3, 4))
    found = icfast.cross_entropy(cupy.asarray(logits), cupy.asarray(ids))
    assert isinstance(found, cupy.ndarray)
    np.testing.assert_allclose(found.get(), icfast.cross_entropy(logits, ids), rtol=1e-6, atol=4e-6)


def test_sums_are_the_cpus_integers(torch):
    random = np.random.default_rng(3)
    nats = random.exponential(4, 100_000) - 1e-7
    nats[::100] = 2.0**30.9
    kinds = (random.integers(0, 40, len(nats)) == 0).astype(np.uint8)
    cells = random.integers(-1, 5, len(nats))
    expected = LossCells(np.zeros(5, "u8"), np.zeros(5, "u8"), np.zeros((5, 6), "u8"))
    assert select("core").kernels.add_losses(nats, kinds, cells, expected) == (0, 0, 0)
    given = [torch.from_numpy(array).cuda() for array in (nats, kinds, cells)]
    sums = LossSums(select_device().kernels, DeviceArrays.like(given[0], cuda_device(given[0])), 5)
    order = torch.randperm(len(nats), device="cuda")
    sums.add(*(array[order] for array in given))
    for found, theirs in zip(sums.read(), expected, strict=True):
        np.testing.assert_array_equal(found, theirs)


# Hidden states -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def products(torch):
    try:
        select_products()
    except MissingExtraError as reason:
        pytest.skip(str(reason))
    return torch


def operand(torch, matrix):
    bits = matrix.values.view(np.float16) if matrix.format == Format.FP16 else matrix.values
    return on_device(torch, bits, matrix.format)


@pytest.mark.parametrize("options", [{}, {"softcap": 30.0}, {"temperature": 0.7}], ids=str)
@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize(
    "forms",
    [
        (Format.BF16, Format.BF16),
        (Format.FP16, Format.FP16),
        (Format.FP32, Format.FP32),
        (Format.BF16, Format.FP32),
    ],
    ids=str,
)
@pytest.mark.parametrize("size", [(1, 1, 1), (3, 17, 100), (2050, 64, 4225), (40, 512, 50257)])
def test_losses_of_hidden_states(products, size, forms, bias, options):
    rows, width, columns = size
    on = linear.operands(*size, forms, bias=bias)
    targets = linear.some_targets(rows, columns)
    targets[:1] = linear.IGNORED
    hidden, weight, added = (operand(products, matrix) for matrix in on)
    found = icfast.linear_cross_entropy(
        hidden,
        weight,
        products.from_numpy(targets).cuda(),
        added[0] if bias else None,
        **options,
        **EVERYTHING,
    )
    softmax = Softmax(
        columns, options.get("softcap", 0.0), options.get("temperature", 1.0), linear.IGNORED
    )
    # Rounding of fp32 sums, which tensor cores may cut off instead.
    near = 16 * linear.UNIT * (1 + 0.02 * width) / softmax.temperature
    linear.assert_within(on_host(found), define_losses(on.logits(), targets, softmax), near)
    scored = targets != linear.IGNORED
    logits, ranks = on.logits()[scored], on_host(found).rank[scored]
    own = logits[np.arange(len(logits)), targets[scored]][:, np.newaxis]
    assert ((logits > own + near).sum(axis=1) <= ranks).all()
    assert (ranks <= (logits > own - near).sum(axis=1) - 1).all()


def test_hidden_states_are_their_own_wherever_they_lie(products):
    torch = products
    hidden = torch.randn(3000, 128, device="cuda", dtype=torch.bfloat16)
    weight = torch.randn(9001, 128, device="cuda", dtype=torch.bfloat16)
    ids = torch.randint(0, 9001, (3000,), device="cuda")
    expected = icfast.linear_cross_entropy(hidden, weight, ids)
    for part in (slice(0, 1), slice(2047, 2049), slice(2999, 3000), slice(1, None, 3)):
        found = icfast.linear_cross_entropy(hidden[part], weight, ids[part])
        assert torch.equal(found, expected[part])
    view = hidden.reshape(30, 100, 128)[:, :-1]
    found = icfast.linear_cross_entropy(view, weight, ids.reshape(30, 100)[:, :-1])
    assert torch.equal(found, expected.reshape(30, 100)[:, :-1])
    room = torch.full((9001, 131), float("nan"), device="cuda", dtype=torch.bfloat16)
    room[:, 1:129] = weight
    assert torch.equal(icfast.linear_cross_entropy(hidden, room[:, 1:129], ids), expected)
    ranked = icfast.linear_cross_entropy(hidden, weight, ids, return_rank=True)
    assert torch.equal(ranked.nll_nats, expected)


def test_hidden_states_on_another_stream_and_in_a_graph(products):
    torch = products
    hidden = torch.randn(100, 64, device="cuda", dtype=torch.float16)
    weight = torch.randn(5000, 64, device="cuda", dtype=torch.float16)
    ids = torch.randint(0, 5000, (100,), device="cuda")
    expected = icfast.linear_cross_entropy(hidden, weight, ids)
    torch.cuda.synchronize()
    stream = torch.cuda.Stream()
    with torch.cuda.stream(stream):
        torch.cuda._sleep(50_000_000)
        found = icfast.linear_cross_entropy(hidden * 1, weight, ids)
    stream.synchronize()
    assert torch.equal(found, expected)
    graph, held = torch.cuda.CUDAGraph(), torch.zeros_like(hidden)
    with torch.cuda.graph(graph):
        recorded = icfast.linear_cross_entropy(held, weight, ids)
    held.copy_(hidden)
    graph.replay()
    torch.cuda.synchronize()
    assert torch.equal(recorded, expected)
