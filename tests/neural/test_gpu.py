"""Neural models on a CUDA device: losses as on the CPU, sums of them the CPU's integers.

Skipped without a device; test_device runs the same code on the host.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.neural.tiny_models import V, save_gguf, save_model, tiny_tokens
from tests.neural.token_corpora import assert_same
from tests.ngrams.corpora import write_shards

import icfast
from icfast.backends.losses import LossCells
from icfast.backends.select import select
from icfast.energy import open_meter
from icfast.errors import BackendError, MeterError, OptionError
from icfast.neural.device import choose_device
from icfast.quality.open_model import open_model

pytestmark = pytest.mark.gpu

KINDS = ["gpt2", "llama", "gemma2", "cohere", "mixtral", "gguf", "function"]


@pytest.fixture(scope="module", autouse=True)
def torch() -> Any:
    library = pytest.importorskip("torch", reason="no torch here: pip install 'icfast[neural]'")
    try:
        choose_device("cuda")
    except (BackendError, OptionError) as reason:
        pytest.skip(str(reason))
    return library


def function(ids: Any) -> Any:
    """Return logits for torch tensors of any device and for NumPy arrays."""
    import torch

    held = torch.as_tensor(ids)
    columns = 1 + torch.arange(V, dtype=torch.float32, device=held.device)
    return torch.sin(held.cumsum(1)[..., None] * columns * 0.01) * 3


@dataclass
class Case:
    corpus: Any
    model: Any


@pytest.fixture(scope="module", params=KINDS)
def case(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Case:
    folder, kind = tmp_path_factory.mktemp(request.param), request.param
    vocab_size = V
    if kind == "gguf":
        pytest.importorskip("gguf", reason="no gguf here: pip install 'icfast[neural]'")
        vocab_size = len(tiny_tokens())
        model: Any = f"gguf:{save_gguf(folder / 'm.gguf')}"
    elif kind == "function":
        model = function
    else:
        pytest.importorskip("transformers", reason="no transformers: pip install 'icfast[neural]'")
        model = f"hf:{save_model(folder / 'm', kind)}"
    random = np.random.default_rng(0)
    shards = [
        [random.integers(1, vocab_size, length).tolist() for length in random.integers(1, 90, 40)]
        for _ in range(2)
    ]
    return Case(write_shards(folder / "c", shards, eos_id=0).corpus, model)


@pytest.fixture(autouse=True)
def small_units(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("icfast.neural.contexts.CHUNK_TARGETS", 400)


@pytest.mark.parametrize("options", [{}, {"stride": 9, "batch": 3}, {"packed": True, "bos": 1}])
def test_losses_are_those_of_the_cpu(case: Case, options: dict[str, Any]) -> None:
    expected: Any = icfast.score(case.corpus, case.model, window=32, **options)
    found: Any = icfast.score(case.corpus, case.model, window=32, device="cuda", **options)
    assert (found.model.device, expected.model.device) == ("cuda:0", "cpu")
    assert found.counts == expected.counts
    for name in ("predicted_tokens", "ignored", "nan", "infinite", "out_of_range", "huge"):
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))
    np.testing.assert_array_equal(found.positions.counts, expected.positions.counts)
    off = np.abs(found.loss_nats - expected.loss_nats)
    assert (off <= 1e-4 * np.maximum(expected.predicted_tokens, 1)).all()


@dataclass
class Watched:
    """A model on a device that stores its queued losses."""

    model: Any
    kept: list[tuple[Any, Any]] = field(default_factory=list)

    def loss_device(self) -> Any:
        device = self.model.loss_device()
        queue = device._losses

        def keeping(*given: Any) -> Any:
            found = queue(*given)
            self.kept.append((found.nll_nats.clone(), found.kinds.clone()))
            return found

        device._losses = keeping
        return device

    def __getattr__(self, name: str) -> Any:
        return getattr(self.model, name)


def test_sums_are_the_integers_of_the_same_losses(case: Case) -> None:
    model = Watched(open_model(case.model, device="cuda"))
    total = icfast.score(case.corpus, model, window=32).total
    cells = LossCells(np.zeros(1, "u8"), np.zeros(1, "u8"), np.zeros((1, 6), "u8"))
    for nats, kinds in model.kept:
        there = nats.cpu().numpy(), kinds.cpu().numpy()
        status = select("core").kernels.add_losses(*there, np.zeros(len(nats), "i8"), cells)
        assert status == (0, 0, 0)
    assert total.quanta == int(cells.low[0]) + (int(cells.high[0]) << 64)
    assert total.predicted_tokens == int(cells.counts.sum())


def test_the_same_twice_and_from_a_checkpoint(case: Case, tmp_path: Path) -> None:
    options: dict[str, Any] = {"window": 32, "device": "cuda", "batch": 4}
    first: Any = icfast.score(case.corpus, case.model, **options)
    assert_same(icfast.score(case.corpus, case.model, **options), first)
    options |= {"checkpoint": tmp_path / "kept", "name": "mine"}
    assert_same(icfast.score(case.corpus, case.model, **options), first)
    again: Any = icfast.score(case.corpus, case.model, **options)
    assert again.resumed_units > 5
    assert_same(again, first)


def test_a_host_that_runs_ahead_spoils_nothing(torch: Any, case: Case) -> None:
    """Delay the device, so that every buffer is requested while it is still in use."""
    expected = icfast.score(case.corpus, case.model, window=32, device="cuda", batch=1)
    model = open_model(case.model, device="cuda")

    class Late(Watched):
        def loss_device(self) -> Any:
            device = super().loss_device()
            queue: Callable[..., Any] = device._losses

            def late(*given: Any) -> Any:
                torch.cuda._sleep(1_000_000)
                return queue(*given)

            device._losses = late
            return device

    found = icfast.score(case.corpus, Late(model), window=32, batch=1)
    assert_same(found, expected)


def test_out_of_memory_says_what_to_do(torch: Any, case: Case) -> None:
    from icfast.errors import ResourceError

    model = open_model(case.model, device="cuda")

    class Greedy(Watched):
        def loss_device(self) -> Any:
            device = super().loss_device()
            device._losses = lambda *_: torch.empty(1 << 45, device="cuda")
            return device

    with pytest.raises(ResourceError, match=r"out of memory.*--batch.*batch 0 of windows"):
        icfast.score(case.corpus, Greedy(model), window=32)


def test_joules_of_the_gpu(torch: Any, case: Case) -> None:
    model = open_model(case.model, device="cuda")
    try:
        meter = open_meter("nvml", model.gpus)  # type: ignore[union-attr]
    except (ImportError, MeterError) as reason:
        pytest.skip(str(reason))
    with meter:
        for _ in range(300):
            torch.randn(4096, 4096, device="cuda") @ torch.randn(4096, 4096, device="cuda")
        torch.cuda.synchronize()
    assert meter.result is not None
    assert meter.result.spent.joules >= 0
    assert meter.result.flags if meter.result.seconds < 5 else not meter.result.flags
