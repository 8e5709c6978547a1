"""The code for GPUs, run with torch on the CPU: it gives the integers of the code for the host."""

from __future__ import annotations

import sys
import types
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.losses.fake_device import Kernels
from tests.neural.tiny_models import V, save_gguf, save_model, tiny_tokens
from tests.ngrams.corpora import write_shards

import icfast
from icfast.backends.losses import Queue
from icfast.errors import BackendError, MissingExtraError, ModelError, OptionError, ResourceError
from icfast.losses.device_arrays import DeviceArrays, LossSums
from icfast.neural.device import choose_device, gpus, move_to, out_of_memory_error

# Which device ------------------------------------------------------------------------------------


def fake_torch(monkeypatch: pytest.MonkeyPatch, cuda: str | None, devices: int) -> None:
    library: Any = types.ModuleType("torch")
    library.__version__ = "2.99"
    library.version = types.SimpleNamespace(cuda=cuda)
    properties = types.SimpleNamespace(uuid="12ab")
    library.cuda = types.SimpleNamespace(
        device_count=lambda: devices, get_device_properties=lambda _: properties
    )
    monkeypatch.setitem(sys.modules, "torch", library)


def test_the_cpu_needs_no_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    assert choose_device("cpu") == choose_device("auto") == "cpu"
    assert gpus("cpu") == ()
    with pytest.raises(MissingExtraError, match=r"icfast\[neural\]"):
        choose_device("cuda")


@pytest.mark.parametrize("name", ["gpu", "cuda:", "cuda:x", "cuda:-1", "CPU", ""])
def test_names_that_are_none(name: str) -> None:
    with pytest.raises(OptionError, match=f"unknown device '{name}'; expected auto, cpu, cuda or"):
        choose_device(name)


def test_devices_that_are_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("icfast.neural.device.select_device", lambda: None)
    fake_torch(monkeypatch, "13.0", 2)
    assert choose_device("cuda") == choose_device("auto") == "cuda:0"
    assert choose_device("cuda:1") == "cuda:1"
    assert gpus("cuda:1") == ("GPU-12ab",)
    with pytest.raises(OptionError, match="cuda:2 does not exist: torch finds 2 CUDA devices, num"):
        choose_device("cuda:2")
    fake_torch(monkeypatch, "13.0", 0)
    with pytest.raises(BackendError, match="torch finds no CUDA device: the driver is missing"):
        choose_device("cuda")
    fake_torch(monkeypatch, None, 0)
    with pytest.raises(BackendError, match=r"torch 2\.99 was built without CUDA"):
        choose_device("cuda")
    assert choose_device("auto") == "cpu"


def test_torch_alone_is_not_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    """icfast's loss kernels are needed too."""

    def missing() -> None:
        raise BackendError("backend cuda is not here")

    monkeypatch.setattr("icfast.neural.device.select_device", missing)
    fake_torch(monkeypatch, "13.0", 1)
    with pytest.raises(BackendError, match="backend cuda is not here"):
        choose_device("cuda")
    assert choose_device("auto") == "cpu"


def test_a_device_is_for_models_that_are_loaded_here() -> None:
    from icfast.quality.open_model import open_model

    for model in ("model.icfast", object()):
        with pytest.raises(OptionError, match="device 'cuda' is for hf:DIR, gguf:FILE and func"):
            open_model(model, device="cuda")  # type: ignore[arg-type]


def test_models_that_do_not_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    fake_torch(monkeypatch, "13.0", 1)
    full = type("OutOfMemoryError", (RuntimeError,), {})
    monkeypatch.setattr(sys.modules["torch"], "OutOfMemoryError", full, raising=False)

    class Large:
        def to(self, device: str) -> None:
            raise full(f"no room on {device}")

    large = Large()
    assert move_to("cpu", large, "hf:large") is large
    with pytest.raises(ResourceError, match=r"hf:large does not fit .* cuda:0: no room on cuda:0"):
        move_to("cuda:0", large, "hf:large")


def test_a_function_on_a_device() -> None:
    """torch's device meta stands for a GPU; it has no memory."""
    torch = pytest.importorskip("torch", reason="no torch here: pip install 'icfast[neural]'")
    from icfast.neural import function

    def there(ids: Any) -> Any:
        assert ids.device == torch.device("meta")
        return torch.zeros((*ids.shape, V), dtype=torch.bfloat16, device="meta")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(function, "gpus", lambda _: ())
        model = function.FunctionModel(there, device="meta")
        assert (model.vocab_size, model.logits_format, model.bytes_per_token) == (V, "bf16", 2 * V)
        with pytest.raises(ModelError, match="returned logits on cpu for ids on meta"):
            function.FunctionModel(lambda ids: torch.zeros((*ids.shape, V)), device="meta")
        with pytest.raises(ModelError, match=r"returns torch\.int64; expected one of"):
            function.FunctionModel(lambda ids: ids[..., None], device="meta")


# Losses on a device ----------------------------------------------------------------------------


class HostTensors(DeviceArrays):
    """Torch tensors of the host in place of a device's."""

    queue = Queue(0, 0x5EED)

    def _current(self) -> AbstractContextManager[Any]:
        return nullcontext()

    def _record(self) -> Any:
        raise AssertionError("tensors of the host need no event")

    def _is_capturing(self) -> bool:
        return False

    def _is_own(self, array: Any) -> bool:
        return True

    def _use(self, array: Any) -> None: ...

    def empty(self, shape: tuple[int, ...], dtype: str) -> Any:
        torch = sys.modules["torch"]
        return torch.empty(shape, dtype=getattr(torch, dtype))

    def full(self, size: int, value: int) -> Any:
        torch = sys.modules["torch"]
        return torch.full((size,), value, dtype=torch.int64)

    def contiguous(self, array: Any) -> Any:
        return array.contiguous()

    def fetch(self, arrays: Sequence[Any]) -> Callable[[], list[Any]]:
        copies = [array.clone() for array in arrays]
        return lambda: [copy.numpy() for copy in copies]

    def _start(self, array: Any) -> int:
        return int(array.data_ptr())


class QueuedModel:
    """A model on the host whose batches are queued as for a device."""

    device = "host:0"
    gpus = ()

    def __init__(self, model: Any, memory_bytes: int = 1 << 40) -> None:
        self._held, self._memory_bytes = model, memory_bytes
        self.losses = None  # nothing asks for them

    def __getattr__(self, name: str) -> Any:
        return getattr(self._held, name)

    def loss_device(self) -> Any:
        from icfast.neural.device import TorchDevice

        kernels, here = Kernels(), HostTensors()
        return TorchDevice(
            "cpu",
            self._held._tensor_losses,
            lambda cells: LossSums(kernels, here, cells),  # type: ignore[arg-type]
            self._memory_bytes,
        )


@dataclass
class Case:
    corpus: Any
    model: Any


@pytest.fixture(scope="module", params=["gpt2", "gemma2", "gguf", "function"])
def case(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Case:
    torch = pytest.importorskip("torch", reason="no torch here: pip install 'icfast[neural]'")
    folder = tmp_path_factory.mktemp(request.param)
    vocab_size = V
    if request.param == "gguf":
        pytest.importorskip("gguf", reason="no gguf here: pip install 'icfast[neural]'")
        from icfast.neural.load import load_gguf

        vocab_size = len(tiny_tokens())
        model: Any = load_gguf(save_gguf(folder / "m.gguf"))
    elif request.param == "function":
        from icfast.neural.function import FunctionModel

        def logits(ids: Any) -> Any:
            held = torch.as_tensor(ids)
            columns = 1 + torch.arange(V, dtype=torch.float32)
            return torch.sin(held.cumsum(1)[..., None] * columns) * 3

        model = FunctionModel(logits, context=32, bos_id=1)
    else:
        pytest.importorskip("transformers", reason="no transformers: pip install 'icfast[neural]'")
        from icfast.neural.load import load_folder

        model = load_folder(save_model(folder / "m", request.param))
    random = np.random.default_rng(0)
    shards = [
        [random.integers(1, vocab_size, length).tolist() for length in random.integers(1, 90, 7)]
        for _ in range(2)
    ]
    return Case(write_shards(folder / "c", shards, eos_id=0).corpus, model)


@pytest.fixture(autouse=True)
def small_units(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("icfast.neural.contexts.CHUNK_TARGETS", 150)


def by_logits(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    """Compute the logits of an output layer in blocks of a few rows."""
    from icfast.neural.output_layer import OutputLayer

    monkeypatch.setattr(OutputLayer, "is_fused", False)
    monkeypatch.setattr("icfast.neural.output_layer._BLOCK_BYTES", 4 * V * 7)


@pytest.mark.parametrize("options", [{}, {"stride": 9, "batch": 3}, {"packed": True, "batch": 1}])
@pytest.mark.parametrize("blocks", [False, True])
def test_losses_are_those_of_the_hosts_way(
    case: Case, options: dict[str, Any], blocks: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = icfast.score(case.corpus, case.model, window=32, **options)
    if blocks:
        by_logits(case, monkeypatch)
    found = icfast.score(case.corpus, QueuedModel(case.model), window=32, **options)
    assert found.counts == expected.counts  # type: ignore[attr-defined]
    np.testing.assert_array_equal(found.predicted_tokens, expected.predicted_tokens)
    tolerance = 1e-5 * expected.predicted_tokens.astype(float)
    assert (np.abs(found.loss_nats - expected.loss_nats) <= tolerance).all()
    positions = found.positions.counts  # type: ignore[attr-defined]
    np.testing.assert_array_equal(positions, expected.positions.counts)  # type: ignore[attr-defined]
    if not blocks:  # the same products, then the same kernels
        assert found.total.quanta == expected.total.quanta


def test_a_checkpoint_of_the_device(case: Case, tmp_path: Path) -> None:
    options: dict[str, Any] = {"window": 32, "checkpoint": tmp_path / "kept", "name": "mine"}
    first = icfast.score(case.corpus, QueuedModel(case.model), **options)
    again = icfast.score(case.corpus, QueuedModel(case.model), **options)
    assert again.total == first.total
    assert again.resumed_units == len(list((tmp_path / "kept").iterdir())) > 2  # type: ignore[attr-defined]


def test_errors_of_torch_say_what_to_do(case: Case) -> None:

    def raising(error: Exception) -> Any:
        model = QueuedModel(case.model)
        device = model.loss_device()

        def fail(*_: Any) -> Any:
            raise error

        device._losses = fail
        model.loss_device = lambda: device  # type: ignore[method-assign]
        return model

    with pytest.raises(ResourceError, match=r"cpu is out of memory: .*--batch.*\(batch 0 of cont"):
        icfast.score(case.corpus, raising(out_of_memory_error()("tried to allocate")), window=32)
    with pytest.raises(BackendError, match=r"cpu failed: an illegal address .*\(batch 0 of"):
        icfast.score(case.corpus, raising(RuntimeError("an illegal address")), window=32)
    with pytest.raises(ZeroDivisionError):
        icfast.score(case.corpus, raising(ZeroDivisionError()), window=32)


def test_the_benchmarks_model_on_the_host(monkeypatch: pytest.MonkeyPatch) -> None:
    """Run the benchmark's measurements on the host and check their results."""
    torch = pytest.importorskip("torch", reason="no torch here: pip install 'icfast[neural]'")
    from gpu import score

    sizes = {"SHAPE": (V, 32, 2, 2), "WINDOW": 16, "BATCH": 4, "METERED_SECONDS": 0.0}
    for name, value in sizes.items():
        monkeypatch.setattr(score, name, value)
    model = score._Transformer
    for name, given in {"device": "cpu", "vocab_size": V, "context": 16, "bos_id": V - 1}.items():
        monkeypatch.setattr(model, name, given)
    held: list[Any] = []

    def loss_device(self: Any) -> Any:
        from icfast.neural.device import TorchDevice

        kernels, here = Kernels(), HostTensors()
        held.append(TorchDevice("cpu", self.queue, lambda n: LossSums(kernels, here, n), 1 << 40))  # type: ignore[arg-type]
        return held[-1]

    monkeypatch.setattr(model, "loss_device", loss_device)
    monkeypatch.setattr("icfast.neural.score.on_device", lambda m: isinstance(m, model))
    monkeypatch.setattr(torch.cuda, "synchronize", lambda: None)
    bench = types.SimpleNamespace(
        torch=torch,
        icfast=icfast,
        options=types.SimpleNamespace(score_tokens=16 * 10),
        scores=[],
        checks=[],
        notes=[],
    )
    bench.check, bench.note = bench.checks.append, bench.notes.append
    score.score(bench)
    assert [check.passed for check in bench.checks] == [True, True], bench.checks
    assert len(held) == 5
    assert [row["name"] for row in bench.scores] == ["fed ahead", "batch by batch", "device alone"]
    assert all(row["tokens/s"] > 0 for row in bench.scores)
    assert bench.scores[2]["of_device_alone"] == 1
    assert all("no joules" in note for note in bench.notes)
