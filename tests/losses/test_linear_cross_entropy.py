"""Losses of hidden states, against fp64 logits of the same stored numbers."""

from __future__ import annotations

import subprocess
import sys
import textwrap
import threading

import numpy as np
import pytest
from tests.losses.linear_operands import (
    IGNORED,
    UNIT,
    Operands,
    assert_ranks,
    assert_same_bits,
    assert_within,
    losses,
    matrix,
    operands,
    some_targets,
)
from tests.losses.loss_definitions import define_losses, exact

from icfast.backends.losses import Format, Matrix, Softmax, TokenLosses
from icfast.sums.kinds import Kind

# Against the definition ----------------------------------------------------------------------

#: rows, width, columns.
SIZES = [
    (1, 1, 1),
    (0, 5, 7),  # no rows
    (3, 0, 5),  # no width: the bias alone
    (5, 3, 17),
    (30, 65, 40),  # no size fills anything
    (9, 256, 512),  # one cut, one tile, both full
    (9, 257, 513),  # one more of both
    (17, 767, 1030),
]


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_losses_are_those_of_the_logits(kernels, size, bias):
    on = operands(*size, bias=bias)
    targets = some_targets(size[0], size[2])
    softmax = Softmax(size[2], 0.0, 1.0, IGNORED)
    found = losses(kernels, on, targets)
    assert_within(found, define_losses(on.logits(), targets, softmax))
    assert_ranks(found, on.logits(), targets, 1e-6)


@pytest.mark.parametrize("weight_form", Format)
@pytest.mark.parametrize("hidden_form", Format)
def test_formats_may_be_mixed(kernels, hidden_form, weight_form):
    on = operands(20, 515, 70, (hidden_form, weight_form), bias=True)
    targets = some_targets(20, 70)
    found = losses(kernels, on, targets)
    expected = define_losses(on.logits(), targets, Softmax(70, 0.0, 1.0, IGNORED))
    assert_within(found, expected)
    if Format.FP64 in (hidden_form, weight_form):
        assert np.abs(found.nll_nats - expected.nll_nats).max() < 1e-9


@pytest.mark.parametrize("form", [Format.BF16, Format.FP16, Format.FP32, Format.FP64])
def test_formats_of_a_bias(kernels, form):
    on = operands(4, 33, 600)
    on = on._replace(bias=matrix(np.random.default_rng(1).standard_normal((1, 600)), form))
    targets = some_targets(4, 600)
    expected = define_losses(on.logits(), targets, Softmax(600, 0.0, 1.0, IGNORED))
    assert_within(losses(kernels, on, targets), expected)


@pytest.mark.parametrize("softcap", [0.0, 3.0])
@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
def test_softcap_and_temperature(kernels, softcap, temperature):
    on = operands(12, 64, 700, scale=0.5, bias=True)
    targets = some_targets(12, 700)
    softmax = Softmax(700, softcap, temperature, IGNORED)
    expected = define_losses(on.logits(), targets, softmax)
    assert_within(losses(kernels, on, targets, softmax), expected, 2e-6)


@pytest.mark.parametrize("dtype", [np.int32, np.int64, np.uint16, np.uint32])
def test_targets_of_every_type(kernels, dtype):
    on = operands(6, 8, 50)
    targets = some_targets(6, 50)
    assert_same_bits(losses(kernels, on, targets.astype(dtype)), losses(kernels, on, targets))


def test_the_largest_logit_has_rank_0(kernels):
    """The target's logit has the bits of its tile's logit in every column of a tile."""
    on = operands(40, 700, 1030)
    found = losses(kernels, on, on.logits().argmax(1))
    assert not found.rank.any()


def test_rows_after_the_vocabulary_are_not_read(kernels):
    on = operands(7, 33, 600, bias=True)
    padded = on._replace(
        weight=matrix(np.vstack([exact(*on.weight), np.full((9, 33), np.nan)])),
        bias=matrix(np.append(exact(*on.bias), [np.nan] * 9)[None]),
    )
    targets = some_targets(7, 600)
    softmax = Softmax(600, 0.0, 1.0, IGNORED)
    assert_same_bits(losses(kernels, padded, targets, softmax), losses(kernels, on, targets))
    beyond = losses(kernels, padded, np.full(7, 600), softmax)
    assert set(beyond.kinds) == {Kind.OUT_OF_RANGE}
    assert np.isnan(beyond.nll_nats).all()


def test_rows_of_any_stride(kernels):
    on = operands(16, 33, 40)
    apart = Operands(
        Matrix(np.repeat(on.hidden.values, 3, 0)[::3], Format.FP32),
        Matrix(np.hstack([on.weight.values, np.full((40, 5), np.nan, "f4")])[:, :33], Format.FP32),
        on.bias,
    )
    targets = some_targets(16, 40)
    assert_same_bits(losses(kernels, apart, targets), losses(kernels, on, targets))
    backwards = losses(kernels, on.rows(slice(None, None, -1)), targets[::-1].copy())
    assert_same_bits(TokenLosses(*(a[::-1] for a in backwards)), losses(kernels, on, targets))


def test_operands_are_not_written_to(kernels):
    on = operands(8, 20, 30, bias=True)
    targets = some_targets(8, 30)
    for array in (*(held.values for held in on), targets):
        array.flags.writeable = False
    losses(kernels, on, targets)


# What is no number ---------------------------------------------------------------------------


@pytest.mark.parametrize("form", [Format.FP32, Format.BF16])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_bad_hidden_state_leaves_the_others_alone(kernels, bad, form):
    on = operands(30, 33, 600, (form, form))
    targets = some_targets(30, 600)
    values = exact(*on.hidden)
    values[11, 32] = bad  # of an odd width, half of a pair
    found = losses(kernels, on._replace(hidden=matrix(values, form)), targets)
    assert found.kinds[11] == Kind.NAN
    assert np.isnan([found.nll_nats[11], found.logsumexp_nats[11], found.entropy_nats[11]]).all()
    assert found.rank[11] == -1
    clean = losses(kernels, on, targets)
    others = np.arange(30) != 11
    assert_same_bits(
        TokenLosses(*(a[others] for a in found)), TokenLosses(*(a[others] for a in clean))
    )


def test_a_bias_may_leave_columns_out(kernels):
    on = operands(6, 16, 1100, bias=True)
    on.bias.values[0, 5:700] = -np.inf  # a whole tile, too
    targets = np.array([0, 5, 699, 700, 4, 650])
    found = losses(kernels, on, targets)
    assert_within(found, define_losses(on.logits(), targets, Softmax(1100, 0.0, 1.0, IGNORED)))
    assert found.kinds.tolist() == [0, 2, 2, 0, 0, 2]
    on.bias.values[:] = -np.inf
    assert set(losses(kernels, on, targets).kinds) == {Kind.NAN}


def test_ignored_rows_and_targets_that_are_none(kernels):
    on = operands(40, 24, 300)
    targets = some_targets(40, 300)
    targets[[0, 3, 39]] = IGNORED
    targets[[5, 38]] = 300, -1
    expected = define_losses(on.logits(), targets, Softmax(300, 0.0, 1.0, IGNORED))
    found = losses(kernels, on, targets)
    assert_within(found, expected)
    few = losses(kernels, on, targets, everything=False)
    assert_same_bits(few, TokenLosses(found.nll_nats, found.kinds, *(few[2:])))
    none = losses(kernels, on, np.full(40, IGNORED), everything=False)
    assert not none.nll_nats.any()
    assert set(none.kinds) == {Kind.IGNORED}


def test_no_columns_are_no_distribution(kernels):
    on = operands(3, 8, 4)
    found = losses(kernels, on, np.array([0, IGNORED, 3]), Softmax(0, 0.0, 1.0, IGNORED))
    assert found.kinds.tolist() == [Kind.OUT_OF_RANGE, Kind.IGNORED, Kind.OUT_OF_RANGE]
    assert np.isnan(found.logsumexp_nats).all()


def test_scratch_that_is_too_small_says_what_it_had_to_hold(kernels):
    on = operands(5, 40, 30)
    out = TokenLosses(
        np.zeros(5), np.zeros(5, np.uint8), np.zeros(0), np.zeros(0), np.zeros(0, int)
    )
    softmax = Softmax(30, 0.0, 1.0, IGNORED)

    def run(scratch_bytes: int) -> tuple[int, int, int]:
        scratch = np.empty(scratch_bytes, np.uint8)
        return kernels.linear_cross_entropy(*on, some_targets(5, 30), softmax, scratch, out)

    code, index, needed = run(0)
    assert (code, index) == (3, 0)
    assert 0 < needed <= kernels.linear_scratch_bytes(40)
    assert run(int(needed) - 1) == (code, index, needed)
    assert run(int(needed)) == (0, 0, 0)


# Bits ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", [Format.FP32, Format.BF16, Format.FP64])
def test_a_row_has_its_bits_in_every_batch(kernels, form):
    on = operands(64, 300, 1500, (form, form), bias=True)
    targets = some_targets(64, 1500)
    targets[::9] = IGNORED
    whole = losses(kernels, on, targets)
    for r in range(64):
        alone = losses(kernels, on.rows(slice(r, r + 1)), targets[r : r + 1])
        assert_same_bits(alone, TokenLosses(*(a[r : r + 1] for a in whole)))
    order = np.random.default_rng(3).permutation(64)
    shuffled = losses(kernels, on.rows(order), targets[order])
    assert_same_bits(shuffled, TokenLosses(*(a[order] for a in whole)))


def test_scratch_has_no_share_in_the_bits(kernels):
    on = operands(50, 300, 700)
    targets = some_targets(50, 700)
    whole = losses(kernels, on, targets)
    enough = kernels.linear_scratch_bytes(300)
    for size in (enough, enough - 13, enough // 2, enough * 2):
        for skew in (0, 1, 7):
            scratch = np.zeros(size + skew, np.uint8)[skew:]
            assert_same_bits(losses(kernels, on, targets, scratch=scratch), whole)


def test_parallel_threads_give_the_same_bits(kernels):
    on = operands(41, 200, 600)
    targets = some_targets(41, 600)
    whole = losses(kernels, on, targets)
    found: list[TokenLosses | None] = [None] * 3
    edges = [0, 7, 30, 41]

    def work(i: int) -> None:
        rows = slice(edges[i], edges[i + 1])
        found[i] = losses(kernels, on.rows(rows), targets[rows])

    threads = [threading.Thread(target=work, args=(i,)) for i in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    parts = [part for part in found if part is not None]
    assert_same_bits(TokenLosses(*map(np.concatenate, zip(*parts, strict=True))), whole)


# Errors of sums in fp32 ----------------------------------------------------------------------


@pytest.mark.ci
@pytest.mark.parametrize("form", [Format.FP32, Format.BF16, Format.FP16])
@pytest.mark.parametrize(
    ("width", "columns"), [(64, 50257), (768, 50257), (1024, 4000), (4096, 2000)]
)
def test_models_are_within_the_budget(kernels, width, columns, form):
    on = operands(24, width, columns, (form, form))
    targets = some_targets(24, columns)
    logits = on.logits()
    targets[:8] = logits[:8].argmax(1)
    found = losses(kernels, on, targets)
    assert_within(found, define_losses(logits, targets, Softmax(columns, 0.0, 1.0, IGNORED)))


@pytest.mark.parametrize("form", [Format.FP32, Format.BF16])
def test_large_products_are_within_their_bound(kernels, form):
    """Products that cancel: 2^-24 (n + d + 1) sum |h w| each logit, as losses.hpp states it."""
    width, columns = 2000, 300
    on = operands(20, width, columns, (form, form), scale=3.0)
    targets = some_targets(20, columns)
    expected = define_losses(on.logits(), targets, Softmax(columns, 0.0, 1.0, IGNORED))
    found = losses(kernels, on, targets, everything=False)
    sums = np.abs(exact(*on.hidden)) @ np.abs(exact(*on.weight)).T
    chain = cut = 512 if form is Format.BF16 else 256
    if form is Format.BF16 and getattr(kernels, "isa", None) == "amx":
        chain, cut = 16, 32
    bound = UNIT * (chain + -(-width // cut) + 1) * sums.max(1)
    error = np.abs(found.nll_nats - expected.nll_nats)
    assert (error <= 2e-6 + 4e-7 * expected.nll_nats + 2 * bound).all()
    # As rounding goes, not as it might.
    norms = (
        np.linalg.norm(exact(*on.hidden), axis=1) * np.linalg.norm(exact(*on.weight), axis=1).max()
    )
    assert (error <= 2e-6 + 4e-7 * expected.nll_nats + UNIT * 16 * norms).all()


def test_a_confident_token_is_sure(kernels):
    """Its logit is the same sum as in the denominator, so its error cancels."""
    on = operands(8, 900, 500, scale=0.3)
    targets = np.arange(8)
    on.weight.values[:8] = on.hidden.values[:8] * 0.5  # a logit of hundreds
    found = losses(kernels, on, targets)
    assert np.abs(found.nll_nats).max() <= 2e-7
    assert not found.rank.any()


# Memory and instruction sets -----------------------------------------------------------------


def in_a_process(code: str, *arguments: str, **environment: str) -> str:
    import os

    run = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), *arguments],
        capture_output=True,
        text=True,
        env=os.environ | environment,
    )
    assert run.returncode == 0, run.stderr
    return run.stdout.strip()


def test_no_memory_goes_with_rows_and_columns(backend):
    """2^12 rows of 2^16 logits would take 1 GiB in fp32; the scratch is written before."""
    grown = in_a_process(
        """
        import resource, sys
        import numpy as np
        from tests.losses.linear_operands import losses, operands, some_targets
        from icfast.backends.select import select

        kernels = select(sys.argv[1]).kernels
        small = operands(3, 8, 40)
        losses(kernels, small, some_targets(3, 40))
        on, targets = operands(4096, 8, 65536), some_targets(4096, 65536)
        scratch = np.ones(kernels.linear_scratch_bytes(8), np.uint8)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        losses(kernels, on, targets, scratch=scratch)
        print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024, len(scratch))
        """,
        backend,
    )
    mebibytes, scratch = map(int, grown.split())
    assert mebibytes <= 8
    assert scratch <= 32 << 20


@pytest.mark.parametrize("width", [1, 64, 768, 4096, 8192, 16384])
def test_two_threads_take_64_mebibytes_at_most(kernels, width):
    assert 2 * kernels.linear_scratch_bytes(width) <= 64 << 20


@pytest.mark.ci
@pytest.mark.parametrize("isa", ["amx", "avx512", "avx2", "neon", "portable"])
def test_every_instruction_set(backend, isa):
    if backend != "core":
        pytest.skip("numba compiles for the machine it is on")
    said = in_a_process(
        """
        import numpy as np
        from tests.losses.linear_operands import *
        from tests.losses.loss_definitions import define_losses
        from icfast.errors import OptionError
        from icfast.backends.select import select

        try:
            kernels = select("core").kernels
        except OptionError as refused:
            print("not here:", refused)
            raise SystemExit
        for form in Format:
            on = operands(30, 515, 1100, (form, form), bias=True)
            targets = some_targets(30, 1100)
            whole = losses(kernels, on, targets)
            expected = define_losses(on.logits(), targets, Softmax(1100, 0.0, 1.0, IGNORED))
            assert_within(whole, expected)
            for r in range(30):
                alone = losses(kernels, on.rows(slice(r, r + 1)), targets[r : r + 1])
                assert_same_bits(alone, TokenLosses(*(a[r : r + 1] for a in whole)))
        print(kernels.isa)
        """,
        ICFAST_ISA=isa,
    )
    if said.startswith("not here"):
        pytest.skip(said)
    assert said == isa
