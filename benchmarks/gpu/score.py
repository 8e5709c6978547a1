"""Scoring a corpus under a transformer: fed ahead, and batch by batch; joules beside it."""

from __future__ import annotations

import importlib
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from gpu import cases, timing

#: Ids, dimensions, heads and blocks of the model: GPT-2's.
SHAPE = (50304, 768, 12, 12)
WINDOW = 1024
BATCH = 8
#: NVML's counters are uncertain below 5 s.
METERED_SECONDS = 6.0

_KEYS = ("tokens/s", "least_s", "of_device_alone", "joules", "watts", "mJ/token")


def score(bench: Any) -> None:
    """Tokens a second, whether sums are those of the other way, and joules by NVML."""
    with tempfile.TemporaryDirectory() as folder:
        if bench.torch is None:
            _dry(bench, Path(folder))
        else:
            _measured(bench, Path(folder))


def _corpus(bench: Any, folder: Path, tokens: int, ids: int) -> Any:
    """Documents of a window each, of any ids."""
    made = np.random.default_rng(0).integers(0, ids - 1, tokens).astype("<u2")
    made[WINDOW - 1 :: WINDOW] = ids - 1
    path = folder / "corpus.bin"
    made.tofile(path)
    return bench.icfast.open(path, dtype="u2", eos_id=ids - 1, vocab_size=ids)


def _dry(bench: Any, folder: Path) -> None:
    """On the host, a function of numpy: the same sums in batches of any size."""
    corpus = _corpus(bench, folder, 4 * WINDOW, 17)

    def logits(ids: Any) -> Any:
        columns = np.arange(1, 18, dtype=np.float32)
        return np.sin(np.cumsum(ids, axis=1, dtype=np.float32)[..., None] * columns)

    totals = [
        bench.icfast.score(corpus, logits, bos=16, batch=batch).total.quanta for batch in (1, 4)
    ]
    bench.check(cases.Check("score: sums in any batches", totals[0] == totals[1], str(totals)))
    names = ("fed ahead", "batch by batch")
    bench.scores += [{"name": name, **dict.fromkeys(_KEYS, timing.UNMEASURED)} for name in names]


def _measured(bench: Any, folder: Path) -> None:
    model = _Transformer(bench.torch)
    host = _BatchByBatch(model)
    corpus = _corpus(bench, folder, bench.options.score_tokens, SHAPE[0])
    tokens = sum(len(shard.tokens) for shard in corpus.shards)

    def scored(of: Any) -> Any:
        return bench.icfast.score(corpus, of, batch=BATCH, bos=SHAPE[0] - 1).total

    ways: dict[str, Callable[[], Any]] = {
        "fed ahead": lambda: scored(model),
        "batch by batch": lambda: scored(host),
        "device alone": lambda: model.alone(tokens),
    }
    found = {name: run() for name, run in ways.items()}
    same = found["fed ahead"] == found["batch by batch"]
    bench.check(cases.Check("score: sums are the host's integers", same, str(found)[:200]))
    again = scored(model) == found["fed ahead"]
    bench.check(cases.Check("score: twice the same integers", again))
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(3):
        for name, run in ways.items():
            begin = time.monotonic()
            run()
            seconds[name].append(time.monotonic() - begin)
    alone = statistics.median(seconds["device alone"])
    for name, of_way in seconds.items():
        median = statistics.median(of_way)
        row: dict[str, Any] = {
            "name": name,
            "tokens/s": round(tokens / median),
            "least_s": round(min(of_way), 4),
            "of_device_alone": round(alone / median, 4),
        }
        bench.scores.append(row | _joules(bench, model, ways[name], tokens))


def _joules(bench: Any, model: _Transformer, run: Callable[[], Any], tokens: int) -> dict[str, Any]:
    """What the GPU spent on as many runs as fill a window of its counters."""
    energy = importlib.import_module("icfast.energy")
    errors = importlib.import_module("icfast.errors")
    try:
        meter = energy.open_meter("nvml", model.gpus)
        with meter:
            begin, runs = time.monotonic(), 0
            while time.monotonic() - begin < METERED_SECONDS:
                run()
                runs += 1
    except errors.IcfastError as error:
        bench.note(f"score: no joules: {error}")
        return dict.fromkeys(("joules", "watts", "mJ/token"), timing.UNMEASURED)
    spent = meter.result
    return {
        "joules": round(spent.spent.joules, 1),
        "watts": round(spent.mean_watts, 1),
        "mJ/token": round(1e3 * spent.spent.joules / (runs * tokens), 4),
    }


class _Transformer:
    """A causal transformer of random weights in bf16 on the first GPU, with a lane to it."""

    name, vocab_size, context, bos_id = "transformer", SHAPE[0], WINDOW, SHAPE[0] - 1
    tokenizer = tokenizer_sha256 = sha256 = None
    compute_format, logits_format, tensors = "bf16", "fp32", ()
    bytes_per_token = 40 * SHAPE[1]
    device = "cuda:0"

    def __init__(self, torch: Any) -> None:
        self._torch = torch
        self._output_layer = importlib.import_module("icfast.neural.output_layer")
        self._device = importlib.import_module("icfast.neural.device")
        self.gpus = self._device.gpus(self.device)
        ids, width, _, blocks = SHAPE
        torch.manual_seed(0)

        def drawn(*shape: int) -> Any:
            return torch.randn(*shape, device=self.device, dtype=torch.bfloat16) * 0.02

        self._ids, self._places = drawn(ids, width), drawn(WINDOW, width)
        self._blocks = [
            (drawn(3 * width, width), drawn(width, width), drawn(4 * width, width),
             drawn(width, 4 * width)) for _ in range(blocks)
        ]  # fmt: skip
        self.output = self._output_layer.OutputLayer(self._ids, None, ids)

    def hidden(self, ids: Any) -> Any:
        """Hidden states of windows."""
        functional = self._torch.nn.functional
        _, width, heads, _ = SHAPE
        windows, positions = ids.shape
        x = self._ids[ids] + self._places[:positions]
        for joined, out, up, down in self._blocks:
            y = functional.linear(functional.layer_norm(x, (width,)), joined)
            q, k, v = (
                part.view(windows, positions, heads, -1).transpose(1, 2) for part in y.chunk(3, -1)
            )
            seen = functional.scaled_dot_product_attention(q, k, v, is_causal=True)
            x = x + functional.linear(seen.transpose(1, 2).flatten(2), out)
            y = functional.gelu(functional.linear(functional.layer_norm(x, (width,)), up))
            x = x + functional.linear(y, down)
        return functional.layer_norm(x, (width,))

    def queue(self, ids: Any, places: Any, targets: Any, threads: int) -> Any:
        """As lanes ask for it."""
        return self.output.losses(self.hidden(ids), places, targets, threads, "auto")

    def loss_device(self) -> Any:
        """Onto its device."""
        return self._device.TorchDevice.cuda(self.device, self.queue)

    def alone(self, tokens: int) -> None:
        """As much work on windows that lie there already, and nothing else."""
        torch = self._torch
        ids = torch.zeros((BATCH, WINDOW), dtype=torch.int64, device=self.device)
        targets = torch.zeros(BATCH * WINDOW, dtype=torch.int64, device=self.device)
        with torch.inference_mode():
            for _ in range(-(-tokens // (BATCH * WINDOW))):
                self.queue(ids, None, targets, 1)
        torch.cuda.synchronize()


class _BatchByBatch:
    """The same model as one of the host: a copy there and back, and a wait, for each batch."""

    device, gpus = "cpu", ()

    def __init__(self, model: _Transformer) -> None:
        self._model = model

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)

    def losses(self, ids: Any, targets: Any, threads: int) -> Any:
        """As passes ask for them."""
        model = self._model
        return model._output_layer.host_losses(model.queue, ids, targets, threads, model.device)
