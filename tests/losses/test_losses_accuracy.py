"""Losses against fp64 on every backend and instruction set, at shapes each with a reason."""

from __future__ import annotations

from functools import cache
from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from tests.losses.loss_definitions import (
    EVERYTHING,
    as_given,
    assert_losses,
    assert_within_budget,
    define_losses,
    exact,
    needs_proc,
    peak_bytes,
    stored,
)

import icfast
from icfast.backends.losses import Format, Softmax, TokenLosses
from icfast.losses.host import host_token_losses
from icfast.losses.options import LossOptions
from icfast.sums.kinds import Kind

FORMATS = tuple(Format)

#: Vectors of 4 to 64 elements and ragged ends, blocks and ragged ends, and real vocabularies.
SMALL = (1, 2, 3, 15, 16, 17, 31, 32, 33, 63, 64, 65, 127, 128, 129, 255, 4095, 4096, 4097)
REAL = (50257, 50304, 128256, 151936, 256000, 262144)

# Accuracy ------------------------------------------------------------------------------------


@cache
def rows(columns: int, form: Format) -> NDArray[Any]:
    """Return a row of each kind that is known to be difficult, as stored numbers."""
    generator = np.random.default_rng(columns)
    normal = generator.standard_normal((9, columns))
    at = np.arange(columns)
    spike = normal[5].copy()
    spike[columns // 3] += 60
    late_spike = normal[6].copy()
    late_spike[-1] += 300
    made = [
        normal[0],
        normal[1] * 5,
        normal[2] * 20,
        normal[3] + 1e4,
        normal[4] * 5 - 1e4,
        spike,
        late_spike,
        np.zeros(columns),
        np.linspace(-700, 700, columns) if columns > 1 else np.zeros(1),  # every block is redone
        np.linspace(700, -700, columns) if columns > 1 else np.zeros(1),
        np.where(at < columns // 2, -np.inf, normal[7]),  # blocks without a finite logit
        np.where(at // 100 % 2 == 1, -np.inf, normal[8]),
        np.where(at == columns - 1, 3.0, -np.inf),
        np.where(at == 0, 1.0, -2e4),  # a sum of one term
    ]
    return stored(np.array(made), form)


@cache
def defined(columns: int, form: Format) -> tuple[NDArray[np.int64], list[TokenLosses]]:
    """Return several targets for each row, and their losses."""
    logits = exact(rows(columns, form), form)
    generator = np.random.default_rng(1)
    targets = np.array(
        [
            np.zeros(len(logits)),
            np.full(len(logits), columns - 1),
            np.full(len(logits), columns // 3),
            logits.argmax(axis=1),
            logits.argmin(axis=1),
            generator.integers(0, columns, len(logits)),
        ]
    ).astype(np.int64)[-2 if columns in REAL else 0 :]
    softmax = Softmax(columns, 0, 1, -100)
    return targets, [define_losses(logits, some, softmax) for some in targets]


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("columns", [*SMALL, *REAL])
def test_losses_are_within_the_budget(backend, columns, form):
    logits = rows(columns, form)
    logits.flags.writeable = False
    before = logits.tobytes()
    for targets, expected in zip(*defined(columns, form), strict=True):
        options = LossOptions(backend=backend, threads=1)
        assert_losses(host_token_losses(as_given(logits, form), targets, options), expected)
    assert logits.tobytes() == before


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("columns", [1, 2, 17, 255, 4097, 50257])
def test_all_that_can_be_asked_for(backend, columns, form):
    logits = as_given(rows(columns, form), form)
    targets, expected = defined(columns, form)
    found = icfast.cross_entropy(logits, targets[-1], backend=backend, **EVERYTHING)
    assert_losses(found, expected[-1])
    bare = icfast.cross_entropy(logits, targets[-1], backend=backend)
    assert_within_budget(bare, expected[-1].nll_nats)


@pytest.mark.parametrize("form", [Format.FP32, Format.BF16, Format.FP64])
@pytest.mark.parametrize("scale", [1e6, 1e8, 1e30, 3e38])
def test_logits_beyond_any_use(backend, form, scale):
    values = stored(np.random.default_rng(0).uniform(-1, 1, (4, 300)) * scale, form)
    targets = np.array([0, 5, 17, 299])
    options = LossOptions(backend=backend, entropy=True, logsumexp=True)
    expected = define_losses(exact(values, form), targets, Softmax(300, 0, 1, -100))
    assert_losses(host_token_losses(as_given(values, form), targets, options), expected)


@pytest.mark.parametrize("form", FORMATS)
def test_tiny_logits(backend, form):
    smallest = {Format.FP32: 1e-45, Format.BF16: 1e-40, Format.FP16: 6e-8, Format.FP64: 5e-324}
    values = stored(np.array([[smallest[form], -smallest[form], -0.0, 0.0] * 9]), form)
    found = host_token_losses(as_given(values, form), np.array([1]), LossOptions(backend=backend))
    assert_within_budget(found.nll_nats, [np.log(36)])


# Where rows lie ------------------------------------------------------------------------------


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("columns", [5, 33, 1000])
def test_rows_that_begin_anywhere(backend, form, columns):
    lengths = [columns + extra for extra in range(18)]
    values = stored(np.random.default_rng(2).normal(0, 5, sum(lengths) + 70), form)
    for begin, length in zip(np.cumsum([0, *lengths[:-1]]), lengths, strict=True):
        view = np.lib.stride_tricks.as_strided(
            values[begin:], (3, columns), (values.itemsize * (length % 19), values.itemsize)
        )
        targets = np.array([0, columns - 1, columns // 2])
        expected = define_losses(exact(view, form), targets, Softmax(columns, 0, 1, -100))
        options = LossOptions(backend=backend, entropy=True, rank=True)
        assert_losses(host_token_losses(as_given(view, form), targets, options), expected)


@settings(max_examples=60)
@given(data=st.data())
def test_any_shape_strides_and_options(backend, data):
    form = data.draw(st.sampled_from(FORMATS))
    shape = data.draw(st.lists(st.integers(0, 4), max_size=3))
    columns = data.draw(st.integers(1, 70))
    seed, offset, scale = data.draw(
        st.tuples(st.integers(0, 99), st.sampled_from([0, -1e4, 1e4, 37.5]), st.floats(0, 30))
    )
    generator = np.random.default_rng(seed)
    numbers = generator.normal(offset, scale, (*shape, columns))
    numbers[generator.random(numbers.shape) < data.draw(st.sampled_from([0, 0.1]))] = -np.inf
    steps = data.draw(st.tuples(*[st.sampled_from([1, -1, 2])] * len(shape)))
    view = stored(numbers, form)[tuple(slice(None, None, step) for step in steps)]
    view = view.transpose(*data.draw(st.permutations(range(len(shape)))), len(shape))
    size = data.draw(st.integers(1, columns))
    targets = generator.integers(-2, size + 2, view.shape[:-1])
    softcap = data.draw(st.sampled_from([None, 3.0, 30.0]))
    temperature = data.draw(st.sampled_from([1.0, 0.25, 1.7]))
    expected = define_losses(
        exact(view, form).reshape(-1, columns),
        targets.reshape(-1),
        Softmax(size, softcap or 0, temperature, -2),
    )
    options = LossOptions(-2, size, softcap, temperature, True, True, True, None, backend)
    found = host_token_losses(as_given(view, form), targets, options)
    assert_losses(TokenLosses(*(values.reshape(-1) for values in found)), expected)


@pytest.mark.parametrize("form", FORMATS)
def test_rows_beyond_2_to_the_31_elements(backend, tmp_path, form):
    stride, columns = 2**31 + 5, 4099
    width = 2 if form in (Format.BF16, Format.FP16) else 4 if form is Format.FP32 else 8
    with (tmp_path / "sparse").open("w+b") as file:
        file.truncate(width * (2 * stride + columns))
        values = np.memmap(file, stored(np.zeros(1), form).dtype, "r+")
    part = stored(np.random.default_rng(3).normal(0, 5, (3, columns)), form)
    view = np.lib.stride_tricks.as_strided(values, (3, columns), (stride * width, width))
    view[:] = part
    targets = np.array([1, 2, 4098])
    expected = define_losses(exact(part, form), targets, Softmax(columns, 0, 1, -100))
    for order in (slice(None), slice(None, None, -1)):
        found = host_token_losses(
            as_given(view[order], form), targets[order], LossOptions(backend=backend)
        )
        assert_within_budget(found.nll_nats[order], expected.nll_nats)


@pytest.mark.slow
@pytest.mark.parametrize("form", [Format.BF16, Format.FP16])
def test_more_than_2_to_the_31_logits(backend, form):
    columns, count = 256000, 8400
    assert columns * count > 2**31
    part = stored(np.random.default_rng(4).normal(0, 5, (40, columns)), form)
    logits = np.tile(part, (count // 40, 1))
    targets = np.random.default_rng(5).integers(0, columns, count)
    x = exact(part, form)
    largest = x.max(axis=1)
    lse = largest + np.log(np.exp(x - largest[:, None]).sum(axis=1))
    expected = np.tile(lse, count // 40) - x[np.arange(count) % 40, targets]
    found = icfast.cross_entropy(as_given(logits, form), targets, backend=backend)
    assert_within_budget(found, expected)
    flat = np.broadcast_to(part[0], (count, columns))
    found = icfast.cross_entropy(as_given(flat, form), targets, backend=backend)
    assert_within_budget(found, lse[0] - x[0, targets])


@pytest.mark.parametrize("form", FORMATS)
def test_results_do_not_depend_on_threads_batch_or_strides(backend, form):
    logits = stored(np.random.default_rng(6).normal(0, 8, (96, 8192)), form)
    targets = np.random.default_rng(7).integers(0, 8192, 96)
    options = {"backend": backend, "logsumexp": True, "entropy": True}
    whole = host_token_losses(as_given(logits, form), targets, LossOptions(**options, threads=1))
    apart = np.concatenate([logits, logits], axis=1)[:, 3 : 3 + 8192]
    shifted = np.concatenate([logits[:, -3:], logits], axis=1)[:, 3:]
    for threads, given_logits in [(2, logits), (3, logits), (1, shifted)]:
        found = host_token_losses(
            as_given(given_logits, form), targets, LossOptions(**options, threads=threads)
        )
        for mine, its in zip(found, whole, strict=True):
            assert (mine is its is None) or np.array_equal(mine, its)
    assert apart.shape == logits.shape
    for row in (0, 17, 95):
        alone = host_token_losses(
            as_given(logits[row], form), targets[row : row + 1].reshape(()), LossOptions(**options)
        )
        assert alone.nll_nats == whole.nll_nats[row]
        assert alone.entropy_nats == whole.entropy_nats[row]


# Options -------------------------------------------------------------------------------------


@pytest.mark.ci
@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("columns", [2, 33, 4097, 50257])
@pytest.mark.parametrize(
    ("softcap", "temperature"),
    [(None, 0.5), (None, 3.0), (None, 0.013), (30.0, 1.0), (50.0, 0.7), (0.1, 1.0), (1e5, 1.0)],
)
def test_softcap_and_temperature(backend, form, columns, softcap, temperature):
    values = rows(columns, form)
    targets, _ = defined(columns, form)
    expected = define_losses(
        exact(values, form), targets[-1], Softmax(columns, softcap or 0, temperature, -100)
    )
    found = icfast.cross_entropy(
        as_given(values, form),
        targets[-1],
        softcap=softcap,
        temperature=temperature,
        backend=backend,
        **EVERYTHING,
    )
    assert_losses(found, expected)


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("padding", [np.nan, np.inf, 6e4, -np.inf])
def test_padding_does_not_matter(backend, form, padding):
    for columns, size in product((50304, 4096, 20), (50257, 4095, 13, 1)):
        if size >= columns:
            continue
        values = rows(columns, form).copy()
        values[:, size:] = stored(np.array(padding), form)
        targets = np.arange(len(values)) * 7919 % size
        targets[0] = size  # in the padding: no column
        expected = define_losses(exact(values, form), targets, Softmax(size, 0, 1, -100))
        assert expected.kinds[0] == Kind.OUT_OF_RANGE
        found = icfast.cross_entropy(
            as_given(values, form), targets, vocab_size=size, backend=backend, **EVERYTHING
        )
        assert_losses(found, expected)


# Rows without a loss -------------------------------------------------------------------------


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("columns", [1, 2, 16, 17, 33, 257, 4097, 8193])
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_one_bad_logit_anywhere_is_no_distribution(backend, form, columns, bad):
    at = np.unique([*range(min(columns, 40)), columns // 2, *range(max(columns - 40, 0), columns)])
    values = np.random.default_rng(8).normal(0, 3, (len(at), columns))
    values[np.arange(len(at)), at] = bad
    given_logits = as_given(stored(values, form), form)
    for target in (0, columns - 1):
        targets = np.full(len(at), target)
        found = icfast.cross_entropy(given_logits, targets, backend=backend, **EVERYTHING)
        assert (found.kinds == Kind.NAN).all()
        assert np.isnan(found.nll_nats).all()
        assert np.isnan(found.logsumexp_nats).all()
        assert np.isnan(found.entropy_nats).all()
        assert (found.rank == -1).all()
        bare = icfast.cross_entropy(given_logits, targets, backend=backend)
        assert np.isnan(bare).all()


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("columns", [1, 2, 17, 4097])
def test_nothing_but_minus_infinity_is_no_distribution(backend, form, columns):
    values = stored(np.full((2, columns), -np.inf), form)
    targets = np.array([0, columns - 1])
    found = icfast.cross_entropy(as_given(values, form), targets, backend=backend, **EVERYTHING)
    assert found.kinds.tolist() == [Kind.NAN] * 2
    assert np.isnan([found.nll_nats, found.logsumexp_nats, found.entropy_nats]).all()


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("dtype", ["i4", "i8", "u2", "u4", "i2", "u8"])
def test_kinds_of_targets(backend, form, dtype):
    limits = np.iinfo(dtype)
    targets = np.array([0, 2, 3, 4, 7, limits.max, limits.min], dtype)
    values = np.tile([0.5, 1.0, -np.inf, 2.0], (len(targets), 1))
    values = np.concatenate([values, np.full((len(targets), 3), 9.0)], axis=1)
    expected = define_losses(values, targets.astype(object), Softmax(4, 0, 1, 3))
    found = icfast.cross_entropy(
        as_given(stored(values, form), form),
        targets,
        vocab_size=4,
        ignore_index=3,
        backend=backend,
        **EVERYTHING,
    )
    assert_losses(found, expected)
    kinds = [Kind.SCORED, Kind.INFINITE, Kind.IGNORED, Kind.OUT_OF_RANGE, Kind.OUT_OF_RANGE]
    assert found.kinds.tolist()[:5] == kinds
    assert found.nll_nats[1] == np.inf
    assert found.nll_nats[2] == 0


def test_ignored_rows_may_hold_anything(backend):
    values = np.array([[np.nan, 1.0], [np.inf, 1.0], [-np.inf, -np.inf], [0.0, 0.0]], "f4")
    found = icfast.cross_entropy(
        values, np.array([-100, -100, -100, 1]), backend=backend, return_entropy=True
    )
    assert found.kinds.tolist() == [1, 1, 1, 0]
    assert found.nll_nats[:3].tolist() == [0, 0, 0]
    assert np.isnan(found.entropy_nats).tolist() == [True, True, True, False]


def test_losses_near_zero_are_not_clamped_to_it(backend):
    values = np.zeros((2000, 50), "f4")
    values[:, 0] = np.linspace(5, 60, 2000)
    found = icfast.cross_entropy(values, np.zeros(2000, int), backend=backend)
    expected = np.log1p(49 * np.exp(-values[:, 0].astype("f8")))
    assert_within_budget(found, expected)


# Memory --------------------------------------------------------------------------------------

RUN = """
logits = np.memmap(path, "f4", "r", shape=(1000, 50257))
targets = np.zeros(1000, np.int64)

def run(rows):
    return icfast.cross_entropy(
        logits[:rows], targets[:rows], backend=backend, threads=2,
        return_logsumexp=True, return_entropy=True, return_rank=True,
    )
"""


@needs_proc
def test_nothing_of_the_size_of_the_logits_is_allocated(backend, tmp_path):
    with (tmp_path / "logits").open("wb") as file:
        file.truncate(4 * 1000 * 50257)
    # 201 MB of logits; results, and what threads begin with.
    assert peak_bytes(RUN, tmp_path / "logits", backend, 1000) < 2 << 20
