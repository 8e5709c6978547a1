"""How the public loss functions call kernels: views, runs, threads, options, results."""

from __future__ import annotations

import subprocess
import sys
import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests import naive
from tests.losses.loss_definitions import DefinedKernels, define_losses

import icfast
from icfast.backends.losses import Format, Softmax, TokenLosses
from icfast.backends.select import Backend
from icfast.errors import BackendError, OptionError
from icfast.losses import host
from icfast.losses.host import host_token_losses
from icfast.losses.options import LossOptions
from icfast.losses.rows import Rows, split_rows
from icfast.sums.kinds import Kind


@pytest.fixture
def defined(monkeypatch):
    kernels = DefinedKernels()
    monkeypatch.setattr(host, "select", lambda name: Backend(name, kernels))
    return kernels


def normal(*shape, seed=0):
    return np.random.default_rng(seed).normal(0, 3, shape).astype("f4")


# The definition itself -----------------------------------------------------------------------


@given(
    st.lists(
        st.one_of(st.floats(-1e4, 1e4), st.sampled_from([-np.inf, np.inf, np.nan])),
        min_size=1,
        max_size=6,
    ),
    st.integers(-1, 6),  # 3 is ignored
    st.sampled_from([None, 30.0]),
    st.sampled_from([1.0, 0.7]),
)
def test_the_definition_is_that_of_the_slow_oracle(row, target, softcap, temperature):
    ours = define_losses(
        np.array([row]), np.array([target]), Softmax(len(row), softcap or 0, temperature, 3)
    )
    slow = naive.token_loss(row, target, 3, softcap, temperature)
    assert Kind(ours.kinds[0]).name == slow.kind.upper()
    assert ours.rank[0] == slow.rank
    for mine, its in zip((ours.nll_nats, *ours[2:4]), slow[1:4], strict=True):
        np.testing.assert_allclose(mine[0], its, rtol=1e-12, atol=1e-12)


# Views and runs ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "view",
    [
        lambda a: a,
        lambda a: a[:, :-1],
        lambda a: a[:, 1:, :, :],
        lambda a: a[::-1],
        lambda a: a[:, :, ::-2],
        lambda a: a[:1],
        lambda a: a[:, :1],
        lambda a: a[0, 0, 0],
        lambda a: a[0:0],
        lambda a: a.transpose(2, 0, 1, 3),
        lambda a: a[..., 1:5],
        lambda a: np.broadcast_to(a[0], (3, *a.shape[1:])),
        lambda a: np.broadcast_to(a[0, 0, 0], (2, 3, a.shape[-1])),
    ],
)
@pytest.mark.parametrize("threads", [1, 2, 3, 7])
def test_any_leading_axes_give_the_rows_in_their_order(defined, monkeypatch, view, threads):
    monkeypatch.setattr(host, "_LOGITS_PER_THREAD", 1)
    base = normal(4, 5, 6, 7)
    before = base.tobytes()
    logits = view(base)
    targets = np.random.default_rng(1).integers(0, logits.shape[-1], logits.shape[:-1])
    found = icfast.cross_entropy(logits, targets, threads=threads)
    flat = logits.reshape(-1, logits.shape[-1]).astype("f8")
    softmax = Softmax(logits.shape[-1], 0, 1, -100)
    expected = define_losses(flat, targets.reshape(-1), softmax).nll_nats
    assert found.shape == logits.shape[:-1]
    assert found.dtype == np.float64
    assert np.array_equal(found.reshape(-1), expected)
    assert base.tobytes() == before
    for call in defined.calls:
        assert np.shares_memory(call["logits"].values, base)
        assert call["logits"].values.ndim == 2


@given(st.data())
def test_runs_of_any_strides(data):
    shape = data.draw(st.lists(st.integers(1, 4), min_size=1, max_size=4))
    array = np.arange(np.prod(shape) * 3).reshape(*shape, 3)
    axes = data.draw(st.permutations(range(len(shape))))
    steps = data.draw(st.tuples(*[st.sampled_from([1, -1, 2, -2])] * len(shape)))
    view = array.transpose(*axes, len(shape))[tuple(slice(None, None, s) for s in steps)]
    rows = Rows(view)
    flat = view.reshape(-1, 3)
    begin, end = sorted(data.draw(st.tuples(*[st.integers(0, len(flat))] * 2)))
    found = [*rows.matrices(begin, end)]
    assert rows.count == len(flat)
    assert [first for first, _ in found] == [*np.cumsum([begin, *(len(r) for _, r in found)])[:-1]]
    assert np.array_equal(np.concatenate([flat[:0], *(r for _, r in found)]), flat[begin:end])
    assert all(np.shares_memory(run, array) and not run.flags.writeable for _, run in found)


def test_rows_that_lie_in_one_stride_are_one_run():
    for view, runs in [
        (normal(4, 5, 3), 1),
        (normal(4, 5, 3)[:, :, :2], 1),
        (normal(4, 5, 3)[:, :-1], 4),
        (normal(4, 5, 3)[:, -1:], 1),
        (normal(4, 5, 3)[::2, 1], 1),
        (np.broadcast_to(normal(3), (4, 5, 3)), 1),
        (normal(2, 3, 4, 3)[:, :2], 2),
    ]:
        rows = Rows(view)
        assert len([*rows.matrices(0, rows.count)]) == runs


# Threads -------------------------------------------------------------------------------------


def test_work_is_cut_into_equal_parts_side_by_side():
    parts, together = [], threading.Barrier(3)

    def work(begin, end):
        together.wait(timeout=30)
        parts.append((begin, end, threading.current_thread() is threading.main_thread()))

    split_rows(work, 10, 3)
    assert sorted(parts) == [(0, 3, True), (3, 6, False), (6, 10, False)]


def test_a_failure_in_a_thread_is_raised():
    def work(begin, end):
        if begin:
            raise OptionError("that part")

    with pytest.raises(OptionError, match="that part"):
        split_rows(work, 2, 2)


def test_small_inputs_stay_with_the_caller(defined):
    targets = np.zeros(64, np.int64)
    icfast.cross_entropy(normal(64, 1000), targets, threads=8)
    assert len(defined.calls) == 1
    large = np.broadcast_to(normal(1 << 16), (8, 1 << 16))
    icfast.cross_entropy(large, targets[:8], threads=8)
    assert len(defined.calls) == 1 + 2
    assert [LossOptions(threads=3).threads_for(parts) for parts in (100, 2, 0)] == [3, 2, 1]


# Options and targets -------------------------------------------------------------------------


def test_options_reach_the_kernel(defined):
    logits, targets = normal(3, 9), np.array([1, 2, 3])
    icfast.cross_entropy(logits, targets)
    assert defined.calls[-1]["softmax"] == (9, 0.0, 1.0, -100)
    assert [len(a) for a in defined.calls[-1]["out"]] == [3, 3, 0, 0, 0]
    icfast.cross_entropy(
        logits, targets, vocab_size=7, softcap=30, temperature=0.5, ignore_index=2, return_rank=True
    )
    assert defined.calls[-1]["softmax"] == (7, 30.0, 0.5, 2)
    assert [len(a) for a in defined.calls[-1]["out"]] == [3, 3, 0, 0, 3]


@pytest.mark.parametrize("dtype", ["i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", ">i4", "<u2"])
def test_targets_of_any_integer_mean_the_same(defined, dtype):
    logits = normal(4, 100)
    targets = np.array([[0, 9], [8, 9], [99, 9], [7, 9]], dtype)[:, 0]
    found = icfast.cross_entropy(logits, targets)
    assert np.array_equal(found, icfast.cross_entropy(logits, targets.astype("i8")))
    assert not np.isnan(found).any()


@pytest.mark.parametrize("dtype", ["i4", "i8", "u2", "u4"])
def test_targets_kernels_know_are_not_copied(defined, dtype):
    targets = np.array([1, 2, 3], dtype)
    icfast.cross_entropy(normal(3, 9), targets)
    assert np.shares_memory(defined.calls[-1]["targets"], targets)


def test_a_huge_unsigned_target_is_no_column_and_not_ignored(defined):
    targets = np.array([2**64 - 100, 2**63, 2**64 - 1], np.uint64)
    found = icfast.cross_entropy(normal(3, 9), targets, return_rank=True)
    assert found.kinds.tolist() == [Kind.OUT_OF_RANGE] * 3
    assert np.isnan(found.nll_nats).all()


@pytest.mark.parametrize("asked", ["logsumexp", "entropy", "rank"])
def test_only_what_was_asked_for_comes_back(defined, asked):
    logits, targets = normal(2, 3, 9), np.full((2, 3), 4)
    found = icfast.cross_entropy(logits, targets, **{f"return_{asked}": True})
    assert isinstance(found, TokenLosses)
    assert found.kinds.dtype == np.uint8
    given_fields = {"nll_nats", "kinds", "rank" if asked == "rank" else f"{asked}_nats"}
    for name, values in found._asdict().items():
        assert (values is not None) == (name in given_fields)
        assert values is None or values.shape == (2, 3)
    bare = host_token_losses(logits, targets, LossOptions())
    assert bare.logsumexp_nats is bare.entropy_nats is bare.rank is None
    assert np.array_equal(bare.nll_nats, found.nll_nats)


@pytest.mark.parametrize(
    ("logits", "targets", "options", "said"),
    [
        ((3, 9), (4,), {}, r"targets have shape \(4,\), expected \(3,\): one target for each row"),
        ((3, 9), (3, 1), {}, r"targets have shape \(3, 1\), expected \(3,\)"),
        ((9,), (9,), {}, r"targets have shape \(9,\), expected \(\)"),
        ((3, 0), (3,), {}, "vocab_size must be between 1 and the 0 columns .* found 0"),
        ((3, 9), (3,), {"vocab_size": 0}, "vocab_size must be .* found 0"),
        (
            (3, 9),
            (3,),
            {"vocab_size": 10},
            "vocab_size must be between 1 and the 9 columns .* found 10",
        ),
        ((3, 9), (3,), {"softcap": 0.0}, "softcap must be positive .* found 0.0"),
        ((3, 9), (3,), {"softcap": np.inf}, "softcap must be .* found inf"),
        ((3, 9), (3,), {"temperature": -1.0}, "temperature must be .* found -1.0"),
        ((3, 9), (3,), {"temperature": np.nan}, "temperature must be .* found nan"),
        ((3, 9), (3,), {"ignore_index": 2**63}, "ignore_index must fit in 64 bits; found"),
        ((3, 9), (3,), {"threads": 0}, "threads must be at least 1; found 0"),
    ],
)
def test_what_has_no_meaning_is_refused(defined, logits, targets, options, said):
    with pytest.raises(OptionError, match=said):
        icfast.cross_entropy(normal(*logits), np.zeros(targets, np.int64), **options)
    assert not defined.calls


def test_no_rows_give_no_losses(defined):
    found = icfast.cross_entropy(normal(2, 0, 9), np.zeros((2, 0), np.int64), return_entropy=True)
    assert found.nll_nats.shape == found.entropy_nats.shape == (2, 0)
    assert not defined.calls


def test_one_row_without_leading_axes(defined):
    found = icfast.cross_entropy(np.array([1000.0, 1000.0]), np.array(0))
    assert (found.shape, round(float(found), 12)) == ((), round(np.log(2), 12))


def test_backends_are_chosen_by_name():
    with pytest.raises(OptionError, match="backend 'fast' is none of"):
        icfast.cross_entropy(normal(1, 2), np.array([0]), backend="fast")
    with pytest.raises(BackendError, match="cuda is not available"):
        icfast.cross_entropy(normal(1, 2), np.array([0]), backend="cuda")


# An output layer -----------------------------------------------------------------------------


@pytest.mark.parametrize("threads", [1, 2, 5])
@pytest.mark.parametrize(
    "view",
    [
        lambda a: a,
        lambda a: a[:, :-1],
        lambda a: a[:, -1],
        lambda a: a.transpose(1, 0, 2),
        lambda a: a[::-1, ::2],
        lambda a: a[0, 0],
        lambda a: a[:0],
    ],
)
def test_hidden_states_of_any_leading_axes(defined, monkeypatch, view, threads):
    monkeypatch.setattr(host, "_PRODUCTS_PER_THREAD", 1)
    monkeypatch.setattr(host, "_ROWS_PER_THREAD", 1)
    monkeypatch.setattr(host, "_COPIED_ROWS", 7)
    hidden, weight, bias = view(normal(6, 9, 5)), normal(11, 5, seed=1), normal(11, seed=2)
    targets = np.random.default_rng(1).integers(0, 11, hidden.shape[:-1])
    found = icfast.linear_cross_entropy(hidden, weight, targets, bias, threads=threads)
    assert found.shape == targets.shape
    assert all(np.shares_memory(call["weight"].values, weight) for call in defined.calls)
    logits = hidden.astype("f8") @ weight.T.astype("f8") + bias
    np.testing.assert_allclose(found, icfast.cross_entropy(logits, targets), rtol=1e-13, atol=1e-13)


def test_hidden_states_are_gathered_only_where_they_have_no_common_stride(defined):
    hidden, weight = normal(6, 9, 5), normal(11, 5, seed=1)
    for view, blocks, shares in [
        (hidden, 1, True),
        (hidden[:, ::3], 1, True),
        (hidden[:, -1], 1, True),
        (hidden[:, :-1], 1, False),
    ]:
        defined.calls.clear()
        icfast.linear_cross_entropy(view, weight, np.zeros(view.shape[:-1], int))
        assert len(defined.calls) == blocks
        assert np.shares_memory(defined.calls[0]["hidden"].values, hidden) == shares
    defined.calls.clear()
    icfast.linear_cross_entropy(normal(30, 101, 5)[:, :-1], weight, np.zeros((30, 100), int))
    assert [len(call["hidden"].values) for call in defined.calls] == [2048, 952]


def test_an_output_layer_has_options_too(defined):
    hidden, weight = normal(3, 5), normal(11, 5, seed=1)
    icfast.linear_cross_entropy(
        hidden, weight, np.array([1, 2, 3]), None, 30.0, vocab_size=7, temperature=2.0
    )
    assert defined.calls[-1]["softmax"] == (7, 30.0, 2.0, -100)
    assert defined.calls[-1]["bias"].values.shape == (1, 0)
    found = icfast.linear_cross_entropy(
        hidden, weight, np.array([1, -100, 99]), normal(11), return_rank=True
    )
    assert found.kinds.tolist() == [Kind.SCORED, Kind.IGNORED, Kind.OUT_OF_RANGE]
    assert defined.calls[-1]["bias"].values.shape == (1, 11)


@pytest.mark.parametrize(
    ("hidden", "weight", "targets", "bias", "said"),
    [
        ((3, 5), (11, 4), (3,), None, r"weights have shape \(11, 4\); expected \(V, D\) .* 5"),
        ((3, 5), (11,), (3,), None, r"weights have shape \(11,\); expected \(V, D\)"),
        (
            (3, 5),
            (0, 5),
            (3,),
            None,
            "vocab_size must be between 1 and the 0 columns of the weights; found 0",
        ),
        ((3, 0), (11, 0), (3,), None, "which is 0 and must be at least 1"),
        ((3, 5), (11, 5), (2,), None, r"targets have shape \(2,\), expected \(3,\)"),
        ((3, 5), (11, 5), (3,), (10,), r"biases have shape \(10,\); expected \(11,\)"),
        ((3, 5), (11, 5), (3,), (1, 11), r"biases have shape \(1, 11\)"),
    ],
)
def test_a_layer_that_does_not_fit(defined, hidden, weight, targets, bias, said):
    with pytest.raises(OptionError, match=said):
        icfast.linear_cross_entropy(
            normal(*hidden),
            normal(*weight),
            np.zeros(targets, np.int64),
            None if bias is None else normal(*bias),
        )
    assert not defined.calls


def test_a_transposed_layer_is_not_copied(defined):
    with pytest.raises(OptionError, match=r"last axis of weights .*Pass \.contiguous\(\)"):
        icfast.linear_cross_entropy(normal(3, 5), normal(5, 11).T, np.zeros(3, int))


# Where results live --------------------------------------------------------------------------


def test_torch_is_not_imported_for_numpy():
    code = (
        "import sys, numpy, icfast; icfast.cross_entropy(numpy.zeros((2, 3)), numpy.zeros(2, int));"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_tensors_give_tensors(defined):
    torch = pytest.importorskip("torch", reason="tensors of torch need torch")
    logits = torch.randn(2, 5, 9).to(torch.bfloat16)
    targets = torch.randint(0, 9, (2, 5))
    found = icfast.cross_entropy(logits[:, :-1], targets[:, 1:])
    assert isinstance(found, torch.Tensor)
    assert (found.dtype, found.shape) == (torch.float64, (2, 4))
    assert defined.calls[-1]["logits"].format is Format.BF16
    assert defined.calls[0]["logits"].values.__array_interface__["data"][0] == logits.data_ptr()
    theirs = torch.nn.functional.cross_entropy(
        logits[:, :-1].double().reshape(-1, 9), targets[:, 1:].reshape(-1), reduction="none"
    )
    assert torch.allclose(found.reshape(-1), theirs, rtol=1e-12, atol=1e-12)
    more = icfast.cross_entropy(logits, targets, return_rank=True)
    assert more.kinds.dtype == torch.uint8
    assert more.rank.dtype == torch.int64
    assert more.entropy_nats is None


def test_numpy_arrays_stay_numpy_if_torch_is_loaded(defined):
    torch = pytest.importorskip("torch", reason="tensors of torch need torch")
    assert isinstance(icfast.cross_entropy(normal(2, 9), torch.tensor([1, 2])), np.ndarray)
