"""Losses of an output layer against fp64, on every backend and instruction set."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest
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
from icfast.backends.losses import Format, Softmax
from icfast.losses.host import host_linear_token_losses
from icfast.losses.options import LossOptions
from icfast.sums.kinds import Kind

FORMATS = tuple(Format)

#: Rows, width, vocabulary: single ones; ragged vectors, panels, cuts of 256 and tiles of 128 and
#: 512; the same full; more cuts than one; a wide layer; a real vocabulary.
SHAPES = (
    (1, 1, 1),
    (2, 3, 2),
    (16, 256, 512),
    (15, 255, 511),
    (17, 257, 513),
    (5, 700, 1025),
    (300, 31, 130),
    (3, 5000, 140),
    (9, 64, 50257),
)


def layer(
    shape: tuple[int, int, int], form: Format, weight_form: Format, seed: int = 0
) -> tuple[NDArray[Any], NDArray[Any], NDArray[np.float64]]:
    """Stored hidden states and weights whose products and sums are exact in fp32, and the logits.

    Whole numbers, and quarters of small ones, so that rounding hides nothing.
    """
    rows, width, columns = shape
    generator = np.random.default_rng(seed)
    hidden = generator.integers(-8, 9, (rows, width)).astype("f8")
    step = 2.0 ** -np.ceil(np.log2(8 * np.sqrt(width)))  # logits a few nats apart
    weight = generator.integers(-8, 9, (columns, width)) * step
    return stored(hidden, form), stored(weight, weight_form), hidden @ weight.T


@pytest.mark.ci
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("form", FORMATS)
def test_exact_products_have_losses_within_the_budget(backend, shape, form):
    hidden, weight, logits = layer(shape, form, form)
    before = hidden.tobytes(), weight.tobytes()
    hidden.flags.writeable = weight.flags.writeable = False
    targets = np.random.default_rng(1).integers(0, shape[2], shape[0])
    expected = define_losses(logits, targets, Softmax(shape[2], 0, 1, -100))
    given = as_given(hidden, form), as_given(weight, form)
    found = icfast.linear_cross_entropy(*given, targets, backend=backend, **EVERYTHING)
    assert_losses(found, expected)
    bare = icfast.linear_cross_entropy(*given, targets, backend=backend)
    assert_within_budget(bare, expected.nll_nats)
    assert (hidden.tobytes(), weight.tobytes()) == before


@pytest.mark.parametrize(
    ("form", "weight_form"), [pair for pair in product(FORMATS, FORMATS) if pair[0] != pair[1]]
)
def test_formats_mix(backend, form, weight_form):
    hidden, weight, logits = layer((17, 257, 513), form, weight_form)
    targets = np.arange(17) * 30
    expected = define_losses(logits, targets, Softmax(513, 0, 1, -100))
    options = LossOptions(rank=True, backend=backend)
    given = as_given(hidden, form), as_given(weight, weight_form)
    assert_losses(host_linear_token_losses(*given, targets, None, options), expected)


@pytest.mark.ci
@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("bias_form", [None, *FORMATS])
@pytest.mark.parametrize(
    ("vocab_size", "softcap", "temperature"),
    [(None, None, 1.0), (700, None, 0.5), (513, 30.0, 1.0), (512, 5.0, 3.0), (1, None, 1.0)],
)
def test_options(backend, form, bias_form, vocab_size, softcap, temperature):
    hidden, weight, logits = layer((40, 70, 1000), form, form)
    bias = None
    if bias_form is not None:
        bias = stored(np.random.default_rng(2).integers(-20, 20, 1000) / 4, bias_form)
        logits = logits + exact(bias, bias_form)
    size = vocab_size or 1000
    if vocab_size:  # padding
        weight = weight.copy()
        weight[size:] = stored(np.array(np.nan), form)
    targets = np.random.default_rng(3).integers(-2, size + 2, 40)
    expected = define_losses(logits, targets, Softmax(size, softcap or 0, temperature, -2))
    found = icfast.linear_cross_entropy(
        as_given(hidden, form),
        as_given(weight, form),
        targets,
        None if bias is None else as_given(bias, bias_form),
        softcap,
        ignore_index=-2,
        vocab_size=vocab_size,
        temperature=temperature,
        backend=backend,
        **EVERYTHING,
    )
    assert_losses(found, expected)


@pytest.mark.ci
@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("spread", [1, 5, 20])
@pytest.mark.parametrize("width", [64, 768, 3000])
def test_rounding_of_logits_is_that_of_fp32(backend, form, spread, width):
    generator = np.random.default_rng(4)
    hidden = stored(generator.normal(0, 1, (24, width)), form)
    weight = stored(generator.normal(0, spread / np.sqrt(width), (700, width)), form)
    x, w = exact(hidden, form), exact(weight, form)
    logits = x @ w.T
    targets = generator.integers(0, 700, 24)
    expected = define_losses(logits, targets, Softmax(700, 0, 1, -100)).nll_nats
    found = icfast.linear_cross_entropy(
        as_given(hidden, form), as_given(weight, form), targets, backend=backend
    )
    # Sums of 256 products round 256 times, each by half a unit of a partial sum at most; six
    # standard deviations of such a walk, twice: in the target's logit and in the largest.
    unit = 2.0**-53 if form is Format.FP64 else 2.0**-24
    norms = np.sqrt((x**2) @ (w**2).T).max(axis=1)
    rounding = 2 * 6 * unit * np.sqrt(min(width, 256)) * norms
    assert (np.abs(found - expected) <= 2e-6 + 4e-7 * expected + rounding).all()


@pytest.mark.parametrize("form", FORMATS)
def test_results_do_not_depend_on_threads_batch_or_strides(backend, form):
    generator = np.random.default_rng(5)
    hidden = stored(generator.normal(0, 2, (80, 300)), form)
    weight = stored(generator.normal(0, 0.2, (1100, 300)), form)
    targets = generator.integers(0, 1100, 80)

    def run(rows: Any, given_weight: Any = weight, threads: int | None = 1) -> Any:
        options = LossOptions(logsumexp=True, entropy=True, threads=threads, backend=backend)
        part = as_given(hidden[rows], form)
        return host_linear_token_losses(
            part, as_given(given_weight, form), targets[rows], None, options
        )

    whole = run(slice(None))
    apart = np.concatenate([weight, weight[:, :7]], axis=1)[:, :300]
    for threads in (2, 3):
        again = run(slice(None), apart, threads)
        assert np.array_equal(again.nll_nats, whole.nll_nats)
        assert np.array_equal(again.entropy_nats, whole.entropy_nats)
    for rows in (slice(7, 8), slice(0, 17), slice(79, 80), slice(None, None, -1), slice(3, 70, 3)):
        part = run(rows)
        assert np.array_equal(part.nll_nats, whole.nll_nats[rows])
        assert np.array_equal(part.logsumexp_nats, whole.logsumexp_nats[rows])
    # Other rows of the batch are not scored.
    given_weight, options = as_given(weight, form), LossOptions(backend=backend)
    alike = host_linear_token_losses(as_given(hidden, form), given_weight, targets, None, options)
    targets[::2] = -100
    some = host_linear_token_losses(as_given(hidden, form), given_weight, targets, None, options)
    assert np.array_equal(some.nll_nats[1::2], alike.nll_nats[1::2])
    assert (some.nll_nats[::2] == 0).all()


@pytest.mark.parametrize("form", FORMATS)
def test_rows_without_a_loss(backend, form):
    hidden, weight, _ = layer((6, 40, 600), form, form)
    hidden[1, 7] = stored(np.array(np.nan), form)
    hidden[2] = stored(np.array(np.inf), form)
    bias = np.zeros(600, "f4")
    bias[599] = -np.inf
    targets = np.array([3, 3, 3, 599, 600, -100])
    found = icfast.linear_cross_entropy(
        as_given(hidden, form), as_given(weight, form), targets, bias, backend=backend, **EVERYTHING
    )
    kinds = [Kind.SCORED, Kind.NAN, Kind.NAN, Kind.INFINITE, Kind.OUT_OF_RANGE, Kind.IGNORED]
    assert found.kinds.tolist() == kinds
    assert np.isnan(found.nll_nats).tolist() == [False, True, True, False, True, False]
    assert np.isnan(found.logsumexp_nats).tolist() == [False, True, True, False, False, False]
    assert found.rank.tolist()[1:3] + found.rank.tolist()[4:] == [-1] * 4
    assert found.nll_nats[3] == np.inf
    nothing = icfast.linear_cross_entropy(
        as_given(hidden, form), as_given(weight, form), np.full(6, -100), backend=backend
    )
    assert nothing.tolist() == [0.0] * 6


RUN = """
weight = np.memmap(path, "f4", "r", shape=(50257, 64))
generator = np.random.default_rng(0)
hidden = generator.standard_normal((3000, 64), "f4")
targets = np.zeros(3000, np.int64)

def run(rows):
    return icfast.linear_cross_entropy(
        hidden[:rows], weight, targets[:rows], backend=backend, threads=2,
        return_logsumexp=True, return_entropy=True, return_rank=True,
    )
"""


@needs_proc
def test_nothing_of_the_size_of_the_logits_is_allocated(backend, tmp_path):
    with (tmp_path / "weight").open("wb") as file:
        file.truncate(4 * 50257 * 64)
    # The logits would take 603 MB.
    assert peak_bytes(RUN, tmp_path / "weight", backend, 3000) < 64 << 20
