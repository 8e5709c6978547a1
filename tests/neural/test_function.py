"""Python functions as models, without torch."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from tests.neural.tiny_models import expected_nats

from icfast.errors import ModelError, OptionError
from icfast.neural.function import FunctionModel
from icfast.sums.kinds import Kind

V = 11


def logits_of(ids: Any) -> Any:
    """Return fp32 logits that depend on the ids up to each position."""
    history = np.cumsum(ids, axis=1)
    return np.sin(history[..., None] * (1 + np.arange(V))).astype(np.float32) * 3


def test_losses_of_its_logits(backend: str) -> None:
    model = FunctionModel(logits_of, backend=backend)
    ids = np.random.default_rng(0).integers(0, V, (3, 8))
    targets = np.roll(ids, -1, axis=1)
    targets[:, -1] = -100
    out = model.losses(ids, targets, threads=2)
    assert out.nll_nats == pytest.approx(expected_nats(logits_of(ids), targets), abs=1e-5)
    assert out.kinds.reshape(3, 8)[:, -1].tolist() == [Kind.IGNORED] * 3
    assert out.kinds.reshape(3, 8)[:, :-1].max() == Kind.SCORED


def test_what_it_is(backend: str) -> None:
    model = FunctionModel(logits_of, backend=backend)
    assert (model.vocab_size, model.context, model.bos_id) == (V, None, None)
    assert (model.name, model.logits_format) == ("callable:logits_of", "fp32")
    assert (model.tensors, model.sha256, model.tokenizer) == ((), None, None)
    assert model.bytes_per_token == 4 * V
    told = FunctionModel(
        lambda ids: logits_of(ids).astype(np.float16),
        vocab_size=9, context=4, bos_id=2, name="mine", bytes_per_token=100,
    )  # fmt: skip
    assert (told.vocab_size, told.context, told.bos_id, told.name) == (9, 4, 2, "mine")
    assert (told.logits_format, told.bytes_per_token) == ("fp16", 100 + 2 * V)


def test_columns_after_the_vocabulary_are_padding(backend: str) -> None:
    def padded(ids: Any) -> Any:
        logits = logits_of(ids)
        logits[..., 9:] = np.nan
        return logits

    model = FunctionModel(padded, vocab_size=9, backend=backend)
    ids = np.array([[1, 2, 3]])
    out = model.losses(ids, np.array([[2, 3, 4]]), 1)
    expected = expected_nats(logits_of(ids)[..., :9], np.array([[2, 3, 4]]))
    assert out.nll_nats == pytest.approx(expected, abs=1e-5)
    with pytest.raises(ModelError, match=r"returns 11 logits; expected at least vocab_size 12"):
        FunctionModel(logits_of, vocab_size=12)


def test_what_it_returns_is_checked() -> None:
    def flat(ids: Any) -> Any:
        return logits_of(ids).reshape(-1, V)

    with pytest.raises(ModelError, match=r"shape \(1, 11\) for ids .*\(contexts, positions, voc"):
        FunctionModel(flat)
    with pytest.raises(ModelError, match="returned shape NoneType"):
        FunctionModel(lambda ids: None)
    with pytest.raises(OptionError, match="int64; expected float32"):
        FunctionModel(lambda ids: np.zeros((*ids.shape, V), np.int64))
    model = FunctionModel(lambda ids: logits_of(ids)[:, :2])
    with pytest.raises(ModelError, match=r"shape \(1, 2, 11\) for ids of shape \(1, 3\)"):
        model.losses(np.zeros((1, 3), np.int64), np.zeros((1, 3), np.int64), 1)


def test_bad_logits_are_counted() -> None:
    def bad(ids: Any) -> Any:
        logits = logits_of(ids)
        logits[:, 1:2] = np.nan
        logits[:, 2:3] = -np.inf
        logits[:, 3:4, 5] = np.inf
        return logits

    out = FunctionModel(bad).losses(np.array([[1, 2, 3, 4, 5]]), np.array([[1, 1, 1, 1, V]]), 1)
    assert out.kinds.tolist() == [Kind.SCORED, *[Kind.NAN] * 3, Kind.OUT_OF_RANGE]
    assert np.isnan(out.nll_nats).tolist() == [False, True, True, True, True]


def test_windows_it_can_not_take() -> None:
    model = FunctionModel(logits_of, context=2)
    with pytest.raises(
        ModelError, match="of 3 tokens is longer than the 2 that callable:logits_of takes"
    ):
        model.losses(np.zeros((1, 3), np.int64), np.zeros((1, 3), np.int64), 1)
    with pytest.raises(ModelError, match="id 11 is outside the vocabulary of callable:logits_of"):
        model.losses(np.array([[V]]), np.array([[0]]), 1)


def test_a_tensor_that_requires_grad() -> None:
    torch = pytest.importorskip("torch", reason="no torch here: pip install 'icfast[neural]'")

    def trainable(ids: Any) -> Any:
        return torch.from_numpy(logits_of(ids)).requires_grad_()

    with pytest.raises(OptionError, match=r"require grad.*detach"):
        FunctionModel(trainable)
    model = FunctionModel(lambda ids: trainable(ids).detach())
    ids = np.array([[1, 2]])
    expected = FunctionModel(logits_of).losses(ids, ids, 1).nll_nats
    assert (model.losses(ids, ids, 1).nll_nats == expected).all()
