"""Option --energy of score and measure: joules next to E0, or why there are none."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.neural.hash_model import HashModel

import icfast.quality.score  # noqa: F401 - imported while open_model is patched, it would keep that
from icfast.energy import Counter, EnergyMeter, JoulesSource
from icfast.errors import MeterError, MissingExtraError
from icfast.neural.token_model import TensorSize

Run = Callable[..., Any]
Shards = tuple[Path, Path]
Meters = list[tuple[str, Any]]

MODEL = HashModel(
    vocab_size=30, name="hf:folder", bos_id=0, tensors=(TensorSize("a", "F32", 100, 3200),)
)


def flat(ids: Any, targets: Any, threads: int) -> Any:
    """Losses of a model that knows a little: its own, a tenth of them."""
    found = HashModel(vocab_size=30).losses(ids, targets, threads)
    return found._replace(nll_nats=found.nll_nats / 10)


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """What `--model hf:folder` names; it runs on these GPUs."""

    def use(*gpus: str) -> None:
        held = replace(MODEL, calls=[])
        held.gpus = gpus  # type: ignore[attr-defined]
        held.losses = flat  # type: ignore[method-assign]
        monkeypatch.setattr("icfast.quality.open_model.open_model", lambda *_, **__: held)

    use()
    return use


@pytest.fixture
def meters(monkeypatch: pytest.MonkeyPatch) -> Meters:
    """Meters that were opened; each reading is 100 J on, and 4 s later."""
    opened: Meters = []

    def open_meter(source: str, gpus: Any = None) -> EnergyMeter:
        opened.append((source, gpus))
        joules, seconds = iter(range(0, 10**6, 100)), iter(range(0, 10**5, 4))
        counter = Counter("it", lambda: next(joules), 1.0, least_seconds=5.0)
        return EnergyMeter(JoulesSource(source), [counter], clock=lambda: float(next(seconds)))

    monkeypatch.setattr("icfast.energy.open_meter", open_meter)
    return opened


@pytest.fixture
def score(shards: Shards, options: tuple[str, ...]) -> tuple[object, ...]:
    return ("score", shards[0], *options, "--model", "hf:folder")


def test_joules_and_their_floor(run: Run, model: Any, meters: Meters, score: Any) -> None:
    found = run(*score, "--energy", "rapl", "--json").json
    assert meters == [("rapl", None)]
    floor = found["ic2"]["energy_joules"]
    assert floor > 0
    assert found["spent"] == {
        "source": "rapl",
        "joules": 100.0,
        "seconds": 4.0,
        "mean_watts": 25.0,
        "idle_watts": None,
        "counters": [{"name": "it", "joules": 100.0}],
        "work": "scoring",
        "note": "everything that ran on this machine's CPUs meanwhile; nothing of its GPUs",
        "flags": [
            "a window of 4 s: the counter is refreshed at intervals, so figures of less "
            "than 5 s are uncertain"
        ],
        "reason": None,
        "floor_joules": floor,
        "log10_ratio": pytest.approx(math.log10(100 / floor)),
    }
    words = run(*score, "--energy", "rapl").out
    assert "1.00e+02 J by rapl for scoring: 4.0 s, 25 W on average; 10^" in words
    assert "(a window of 4 s" in words


def test_nothing_is_metered_unasked(run: Run, model: Any, meters: Meters, score: Any) -> None:
    answer = run(*score, "--json")
    assert answer.json["spent"] is None
    assert meters == []
    assert "Spent" not in run(*score).out


def test_idle_power_first_and_apart(
    run: Run, model: Any, meters: Meters, score: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    slept: list[float] = []
    monkeypatch.setattr(EnergyMeter.measure_idle, "__defaults__", (slept.append,))
    spent = run(*score, "--energy", "rapl", "--energy-idle", 3, "--json").json["spent"]
    assert slept == [3.0]
    assert (spent["idle_watts"], spent["joules"]) == (25.0, 100.0)
    assert "25 W idle before" in run(*score, "--energy", "rapl", "--energy-idle", 3).out


def test_gpus_are_those_the_model_runs_on(run: Run, model: Any, meters: Meters, score: Any) -> None:
    model("GPU-a1")
    found = run(*score, "--energy", "nvml", "--json").json
    assert meters == [("nvml", ("GPU-a1",))]
    assert found["spent"]["note"].endswith("nothing of the CPU")
    model()
    answer = run(*score, "--energy", "nvml")
    assert (answer.code, answer.out) == (2, "")
    assert "this command uses none; pass --energy rapl" in answer.err


def test_models_without_a_size_have_no_floor(
    run: Run, meters: Meters, shards: Shards, options: tuple[str, ...], tmp_path: Path
) -> None:
    made = tmp_path / "m"
    assert run("fit", shards[0], *options, "--output", made).code == 0
    command = ("score", shards[0], *options, "--model", made, "--energy", "rapl")
    spent = run(*command, "--json").json["spent"]
    assert (spent["joules"], spent["floor_joules"], spent["log10_ratio"]) == (100.0, None, None)
    assert "times E" not in run(*command).out


@pytest.mark.parametrize(
    ("more", "code", "message"),
    [
        (("--energy", "codecarbon"), 2, "energy must be one of nvml, rapl, found 'codecarbon'"),
        (("--energy-idle", 5), 2, "--energy-idle needs a meter"),
        (("--energy", "rapl"), 1, "no energy counter of a CPU"),
    ],
)
def test_what_cannot_be_metered_is_an_error_before_the_work(
    run: Run, model: Any, score: Any, more: tuple[object, ...], code: int, message: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr("icfast.pipeline.score_corpus.score_model", None)
    monkeypatch.setattr("icfast.energy.rapl.rapl_counters.__defaults__", (Path("/nonexistent"),))
    answer = run(*score, *more)
    assert (answer.code, answer.out) == (code, "")
    assert message in answer.err


def test_without_the_package(
    run: Run, model: Any, score: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(*_: object) -> None:
        raise MissingExtraError("joules by NVML need the package nvidia-ml-py")

    model("GPU-a1")
    monkeypatch.setattr("icfast.energy.open.nvml_counters", missing)
    answer = run(*score, "--energy", "nvml")
    assert (answer.code, "need the package nvidia-ml-py" in answer.err) == (1, True)


def test_a_meter_that_fails_in_the_end_takes_no_loss_with_it(
    run: Run, model: Any, score: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails() -> int:
        if readings:
            raise MeterError("the GPU is lost")
        readings.append(1)
        return 0

    readings: list[int] = []
    counters = [Counter("it", fails, 1.0)]
    monkeypatch.setattr(
        "icfast.energy.open_meter", lambda *_: EnergyMeter(JoulesSource.RAPL, counters)
    )
    found = run(*score, "--energy", "rapl", "--json").json
    assert found["loss_bits_per_token"] > 0
    assert found["spent"]["joules"] is found["spent"]["log10_ratio"] is None
    assert found["spent"]["reason"] == "the GPU is lost"
    readings.clear()
    assert "not metered: the GPU is lost" in run(*score, "--energy", "rapl").out


def test_measure(
    run: Run, meters: Meters, shards: Shards, options: tuple[str, ...], tmp_path: Path
) -> None:
    command = ("measure", *shards, *options, "--order", 2, "--heldout", 0.2)
    command = (*command, "--output", tmp_path / "out", "--energy", "rapl")
    found = run(*command, "--json").json
    spent, floor = found["spent"], found["ic2"]["energy_joules"]
    assert (spent["work"], spent["joules"]) == ("counting, fitting and scoring", 100.0)
    assert spent["log10_ratio"] == pytest.approx(math.log10(100 / floor))
    page = (tmp_path / "out" / "report.html").read_text()
    assert "1.00e+02 J by rapl for counting, fitting and scoring" in page
    assert "and the energy that this measurement spent" in page
    assert "1.00e+02 J by rapl" in run(*command, "--overwrite").out
    plain = run(*command[:-2], "--overwrite", "--json").json
    assert plain["spent"] is None
    page = (tmp_path / "out" / "report.html").read_text()
    assert "No energy was metered" in page
    assert "by rapl" not in page


@pytest.mark.ci
def test_measure_with_a_neural_model_on_a_gpu(
    run: Run, model: Any, meters: Meters, shards: Shards, options: tuple[str, ...], tmp_path: Path
) -> None:
    """The GPU's joules belong to the neural model and are compared with its floor."""
    model("GPU-a1")
    command = ("measure", *shards, *options, "--order", 2, "--heldout", 0.2, "--model", "hf:folder")
    command = (*command, "--output", tmp_path / "out")
    found = run(*command, "--energy", "nvml", "--json").json
    spent = found["neural"]["spent"]
    assert found["spent"] is None
    assert (spent["work"], spent["floor_joules"]) == (
        "scoring",
        found["neural"]["ic2"]["energy_joules"],
    )
    page = (tmp_path / "out" / "report.html").read_text()
    assert "1.00e+02 J by nvml for scoring" in page
    found = run(*command, "--energy", "rapl", "--overwrite", "--json").json
    assert found["neural"]["spent"] is None
    assert found["spent"]["joules"] == 100.0
    assert "Spent" in run(*command, "--energy", "nvml", "--overwrite").out
