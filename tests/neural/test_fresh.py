"""Freshly initialised models: their loss is near ln V + sigma^2 / 2 on any corpus."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests.neural.tiny_models import V, save_gguf, save_model, windows

from icfast.errors import OptionError
from icfast.laws import expected_initial_loss_nats
from icfast.neural.function import FunctionModel

torch = pytest.importorskip("torch", reason="no torch here: pip install 'icfast[neural]'")
pytest.importorskip("transformers", reason="no transformers here: pip install 'icfast[neural]'")
pytest.importorskip("gguf", reason="no gguf here: pip install 'icfast[neural]'")
from icfast.neural.fresh import (  # noqa: E402
    expected_logit_variance,
    fresh,
    measured_logit_variance,
)
from icfast.neural.load import (  # noqa: E402
    load_folder,
    load_gguf,
)


@pytest.mark.ci
@pytest.mark.parametrize("kind", ["gpt2", "llama", "cohere", "granite", "gguf"])
def test_the_initial_loss(tmp_path: Path, kind: str) -> None:
    if kind == "gguf":
        trained = load_gguf(save_gguf(tmp_path / "x.gguf"))
    else:
        trained = load_folder(save_model(tmp_path, kind, vocab_size=5000))
    model = fresh(trained, seed=3)
    random = np.random.default_rng(0)
    # Noise, and one id over and over: both cost the same.
    for ids in (random.integers(0, model.vocab_size, (40, 64)), np.full((1, 64), 9)):
        targets = random.integers(0, model.vocab_size, ids.shape)
        found = model.losses(ids, targets, 2).nll_nats.mean()
        variance = measured_logit_variance(model, ids[:4])
        expected = expected_initial_loss_nats(model.vocab_size, variance)
        deviation = (variance / ids.size) ** 0.5
        assert abs(found - expected) < 5 * deviation + 0.02 * variance
    assert variance == pytest.approx(expected_logit_variance(model), rel=0.15)
    assert trained.losses(ids, targets, 2).nll_nats.mean() != found


def test_a_seed_is_a_model(tmp_path: Path) -> None:
    for trained in (
        load_folder(save_model(tmp_path / "hf", "llama", dtype="bfloat16")),
        load_gguf(save_gguf(tmp_path / "x.gguf")),
    ):
        ids, targets = windows()
        state = torch.random.get_rng_state()
        one, again, other = (fresh(trained, seed) for seed in (1, 1, 2))
        assert (torch.random.get_rng_state() == state).all()
        nll = one.losses(ids, targets, 1).nll_nats
        assert (nll == again.losses(ids, targets, 1).nll_nats).all()
        assert (nll != other.losses(ids, targets, 1).nll_nats).any()
        assert one.name == f"fresh:1:{trained.name}"
        assert one.sha256 == again.sha256 not in (other.sha256, trained.sha256)
        assert one.tensors == trained.tensors
        assert (one.vocab_size, one.context, one.bos_id) == (
            trained.vocab_size,
            trained.context,
            trained.bos_id,
        )


def test_norms_begin_at_one_and_biases_at_zero(tmp_path: Path) -> None:
    trained = load_gguf(save_gguf(tmp_path / "x.gguf"))
    weights = dict(fresh(trained, 0)._model.named_parameters())
    assert (weights["model.layers.0.input_layernorm.weight"] == 1).all()
    found = float(weights["model.layers.0.mlp.up_proj.weight"].std())
    assert found == pytest.approx(0.02, rel=0.05)


def test_a_function_has_no_twin() -> None:
    coin = FunctionModel(lambda ids: np.zeros((*ids.shape, V), np.float32))
    with pytest.raises(OptionError, match="icfast cannot initialise its"):
        fresh(coin, 0)
