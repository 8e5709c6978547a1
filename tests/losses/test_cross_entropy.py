"""The loss of rows of logits, over every backend and every instruction set of this machine."""

from __future__ import annotations

import math
import os
import subprocess
import sys

import mpmath
import numpy as np
import pytest

from icfast.backends import select
from icfast.backends.losses import Format, Matrix, Softmax, TokenLosses
from icfast.errors import OptionError
from icfast.sums.kinds import Kind

PLAIN = {"softcap": 0.0, "temperature": 1.0, "ignore_index": -100}
FORMATS = list(Format)


def stored(logits, as_format):
    """Return logits in a format, and their values after rounding."""
    logits = np.asarray(logits, np.float64)
    with np.errstate(over="ignore"):
        if as_format == Format.FP64:
            return logits, logits
        if as_format == Format.FP32:
            return logits.astype(np.float32), logits.astype(np.float32).astype(np.float64)
        if as_format == Format.FP16:
            halves = logits.astype(np.float16)
            return halves.view(np.uint16), halves.astype(np.float64)
    tops = logits.astype(np.float32).view(np.uint32) & np.uint32(0xFFFF0000)
    return (tops >> 16).astype(np.uint16), tops.view(np.float32).astype(np.float64)


def run(kernels, logits, as_format, targets, extras=True, columns=None, **softmax):
    rows = len(targets)
    asked = rows if extras else 0
    out = TokenLosses(
        np.full(rows, 7.0),
        np.full(rows, 9, np.uint8),
        np.full(asked, 7.0),
        np.full(asked, 7.0),
        np.full(asked, 7),
    )
    columns = logits.shape[1] if columns is None else columns
    scale = Softmax(columns=columns, **(PLAIN | softmax))
    assert kernels.cross_entropy(Matrix(logits, int(as_format)), targets, scale, out) == (0, 0, 0)
    return out


def exact(numbers, targets, softcap=0.0, temperature=1.0):
    """Return nll, logsumexp, entropy and rank by the formulas in extended precision."""
    x = np.asarray(numbers, np.longdouble)
    if softcap:
        x = np.where(np.isinf(x), x, softcap * np.tanh(x / softcap))
    z = x / np.longdouble(temperature)
    top = z.max(axis=1, keepdims=True)
    shares = np.exp(z - top)
    total = shares.sum(axis=1)
    at = np.arange(len(z)), targets
    gaps = np.where(shares > 0, z - top, 0)
    nll = np.log(total) + (top[:, 0] - z[at])
    entropy = np.log(total) - (shares * gaps).sum(axis=1) / total
    ranks = (numbers > numbers[at][:, None]).sum(axis=1)
    return nll, np.log(total) + top[:, 0], entropy, ranks


def assert_within_budget(expected, found):
    expected = np.asarray(expected, np.float64)
    assert np.all(np.abs(found - expected) <= 2e-6 + 4e-7 * np.abs(expected))


@pytest.mark.parametrize("as_format", FORMATS)
# 1; around vectors, pairs of them and blocks; odd ones of real models.
@pytest.mark.parametrize("columns", [1, 2, 15, 16, 33, 63, 1023, 1025, 4097, 50257])
@pytest.mark.parametrize(("deviation", "offset"), [(0, 0), (1, 0), (5, 1e4), (5, -1e4), (20, 0)])
def test_rows_against_extended_precision(kernels, as_format, columns, deviation, offset):
    random = np.random.default_rng(columns)
    logits = offset + deviation * random.normal(size=(4, columns))
    logits[3, columns // 2] += 50
    logits[2, columns // 3] = offset + 300
    bits, numbers = stored(logits, as_format)
    targets = np.array([0, columns - 1, columns // 2, columns // 2])
    for softmax in ({}, {"softcap": 30.0}, {"temperature": 0.7}):
        out = run(kernels, bits, as_format, targets, **softmax)
        nll, logsumexp, entropy, ranks = exact(numbers, targets, **softmax)
        assert set(out.kinds) == {Kind.SCORED}
        assert_within_budget(nll, out.nll_nats)
        assert_within_budget(logsumexp, out.logsumexp_nats)
        assert_within_budget(entropy, out.entropy_nats)
        assert out.rank.tolist() == ranks.tolist()
        alone = run(kernels, bits, as_format, targets, extras=False, **softmax)
        assert_within_budget(nll, alone.nll_nats)


def test_a_row_by_hand(kernels):
    """Logits 1, 2, 4 under a cap of 3 at temperature 1/2, target the middle one."""
    with mpmath.workdps(40):
        z = [2 * 3 * mpmath.tanh(mpmath.mpf(x) / 3) for x in (1, 2, 4)]
        shares = [mpmath.exp(x) for x in z]
        total = mpmath.fsum(shares)
        logsumexp = mpmath.log(total)
        entropy = -mpmath.fsum(s / total * mpmath.log(s / total) for s in shares)
        expected = [float(logsumexp - z[1]), float(logsumexp), float(entropy)]
    logits = np.array([[1, 2, 4]], np.float32)
    out = run(kernels, logits, Format.FP32, np.array([1]), softcap=3.0, temperature=0.5)
    found = [out.nll_nats[0], out.logsumexp_nats[0], out.entropy_nats[0]]
    assert found == pytest.approx(expected, abs=3e-7)
    assert out.rank.tolist() == [1]


@pytest.mark.parametrize("as_format", FORMATS)
@pytest.mark.parametrize("columns", [3, 40, 1100, 5000])
@pytest.mark.parametrize("softcap", [0.0, 30.0])
def test_kinds(kernels, as_format, columns, softcap):
    numbers = np.random.default_rng(columns).normal(size=(8, columns))
    last = columns - 1
    numbers[0, last] = np.nan
    numbers[1, 0] = np.inf
    numbers[2] = -np.inf
    numbers[3, last] = -np.inf
    numbers[4, last] = np.nan
    numbers[7] = -np.inf
    numbers[7, last] = np.nan
    bits, _ = stored(numbers, as_format)
    targets = np.array([0, 0, 0, last, 1, columns, -1, 0])
    out = run(kernels, bits, as_format, targets, softcap=softcap, ignore_index=1)
    kinds = [Kind.NAN] * 3 + [Kind.INFINITE, Kind.IGNORED] + [Kind.OUT_OF_RANGE] * 2 + [Kind.NAN]
    assert out.kinds.tolist() == kinds
    nan = np.nan
    np.testing.assert_equal(out.nll_nats, [nan, nan, nan, np.inf, 0, nan, nan, nan])
    defined = [False, False, False, True, False, True, True, False]
    assert np.isfinite(out.logsumexp_nats).tolist() == defined
    assert np.isfinite(out.entropy_nats).tolist() == defined
    assert out.rank.tolist() == [-1, -1, -1, last, -1, -1, -1, -1]


@pytest.mark.parametrize("as_format", [Format.BF16, Format.FP16])
def test_every_number_of_sixteen_bits(kernels, as_format):
    """Two equal finite logits have probability 1/2 each."""
    every = np.arange(1 << 16, dtype=np.uint16)
    numbers = every.view(np.float16) if as_format == Format.FP16 else None
    if numbers is None:
        numbers = (every.astype(np.uint32) << 16).view(np.float32)
    pairs = np.repeat(every[:, None], 2, axis=1)
    out = run(kernels, pairs, as_format, np.zeros(len(every), np.int64))
    finite = np.isfinite(numbers)
    assert (out.kinds[finite] == Kind.SCORED).all()
    assert (out.kinds[~finite] == Kind.NAN).all()
    assert_within_budget(math.log(2), out.nll_nats[finite])
    assert_within_budget(
        numbers[finite].astype(np.float64) + math.log(2), out.logsumexp_nats[finite]
    )


@pytest.mark.parametrize("dtype", [np.int32, np.int64, np.uint16, np.uint32])
def test_targets_of_every_dtype_and_rows_of_any_stride(kernels, dtype):
    wide = np.random.default_rng(1).normal(size=(12, 50)).astype(np.float32)
    wide[:, 47:] = np.nan  # padding
    targets = np.array([0, 46, 7, 20, 47, 9], dtype)
    for view in (wide[:6], wide[::2], wide[5::-1], np.broadcast_to(wide[3], (6, 50))):
        out = run(kernels, view, Format.FP32, targets, columns=47, ignore_index=9)
        clean = np.array([0, 46, 7, 20])
        assert out.kinds.tolist() == [Kind.SCORED] * 4 + [Kind.OUT_OF_RANGE, Kind.IGNORED]
        assert_within_budget(exact(view[:4, :47].astype(np.float64), clean)[0], out.nll_nats[:4])


def test_a_row_depends_on_that_row_alone(kernels):
    logits = np.random.default_rng(2).normal(size=(9, 3001)).astype(np.float32)
    targets = np.arange(9)
    whole = run(kernels, logits, Format.FP32, targets)
    for begin, end in ((0, 0), (0, 1), (3, 9)):
        part = run(kernels, logits[begin:end], Format.FP32, targets[begin:end])
        for a, b in zip(whole, part, strict=True):
            assert a[begin:end].tobytes() == b.tobytes()


def test_masked_logits_and_a_reference_that_rises(kernels):
    """Logits of -3e38 before and between others; ascending ones; some of tens of millions."""
    columns = 9000
    logits = np.zeros((5, columns))
    logits[0, :5000] = -3e38
    logits[1] = np.linspace(-200, 200, columns)
    logits[2] = np.where(np.arange(columns) % 2, -3e38, 1.0)
    logits[3] = -3e38
    logits[4, 4000:] = 5e7
    targets = np.array([6000, 100, 3, 8999, 8000])
    for as_format in (Format.FP32, Format.BF16, Format.FP64):
        bits, numbers = stored(logits, as_format)
        out = run(kernels, bits, as_format, targets)
        nll, logsumexp, entropy, ranks = exact(numbers, targets)
        assert_within_budget(nll, out.nll_nats)
        assert_within_budget(logsumexp, out.logsumexp_nats)
        assert_within_budget(entropy, out.entropy_nats)
        assert out.rank.tolist() == ranks.tolist()


def test_a_sure_row_may_come_out_below_zero_but_not_clamped(kernels):
    """Over many rows of probability near 1, losses scatter around 0 instead of being cut at 0."""
    logits = np.random.default_rng(3).normal(size=(500, 8)).astype(np.float32)
    logits[:, 0] += 40
    out = run(kernels, logits, Format.FP32, np.zeros(500, np.int64))
    assert np.all(np.abs(out.nll_nats) < 2e-6)


@pytest.fixture
def core(backend):
    if backend == "numba":
        pytest.skip("numba compiles for whatever it is given")
    return select.select(backend).kernels


@pytest.mark.parametrize(
    ("dtype", "as_format"),
    [("f8", 0), ("f2", 2), ("i2", 1), ("f4", 1), ("u2", 0), ("u2", 3), ("f4", 4), (">f4", 0)],
)
def test_logits_of_another_dtype(core, dtype, as_format):
    with pytest.raises(TypeError, match=f"logits of format {as_format} must be .*found dtype"):
        run(core, np.zeros((1, 3), dtype), as_format, np.array([0]))


def test_logits_that_are_not_contiguous_along_their_rows(core):
    for held in (np.zeros((3, 8), np.float32)[:, ::2], np.zeros(6, np.float32)[None, None]):
        with pytest.raises(TypeError, match="2-D, and contiguous along its last axis"):
            run(core, held, Format.FP32, np.zeros(len(held), np.int64))


def test_sizes_that_do_not_fit(core):
    logits = np.zeros((2, 3), np.float32)
    with pytest.raises(ValueError, match="1 targets for 2 rows"):
        run(core, logits, Format.FP32, np.array([0]))
    with pytest.raises(ValueError, match="distribution has 4 columns, the logits 3"):
        run(core, logits, Format.FP32, np.array([0, 0]), columns=4)
    with pytest.raises(TypeError, match="targets must be contiguous int32, int64"):
        run(core, logits, Format.FP32, np.array([0.0, 0.0]))


# ICFAST_ISA is read once a process, so it takes others ----------------------------------------


def in_another_process(isa, *command):
    return subprocess.run(
        [sys.executable, *command],
        env={**os.environ, "ICFAST_ISA": isa},
        capture_output=True,
        text=True,
    )


@pytest.mark.ci
@pytest.mark.parametrize("isa", ["amx", "avx512", "avx2", "neon", "portable"])
def test_every_instruction_set(core, isa):
    if os.environ.get("ICFAST_ISA"):
        pytest.skip("this process is one of those")
    ran = in_another_process(isa, "-c", "from icfast.backends import _core; print(_core.isa_error)")
    if ran.stdout.strip():
        pytest.skip(ran.stdout.strip())
    ran = in_another_process(isa, "-m", "pytest", "-q", __file__, "-k", "core and not instruction")
    assert ran.returncode == 0, ran.stdout


def test_an_instruction_set_that_is_none(core):
    ran = in_another_process(
        "avx1024",
        "-c",
        "from icfast.backends import select\n"
        "for name in ('auto', 'core'):\n"
        "    try: select.select(name)\n"
        "    except select.OptionError as error: print(error)",
    )
    assert ran.stdout.count("ICFAST_ISA is 'avx1024', and this machine has") == 2, ran.stderr


def test_an_error_of_the_core_is_no_reason_to_take_another_backend(monkeypatch, core):
    select._load.cache_clear()
    monkeypatch.setattr(core, "isa_error", "no such thing")
    with pytest.raises(OptionError, match="no such thing"):
        select.select("auto")
