"""score, of neural models."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.neural.hash_model import HashModel

import icfast
import icfast.quality.score  # imported while open_model is another's, it would keep that one
from icfast.laws.loss import standard_error
from icfast.neural.score import NeuralScores
from icfast.neural.token_model import TensorSize
from icfast.sums.kinds import Kind

Run = Callable[..., Any]
Shards = tuple[Path, Path]

MODEL = HashModel(
    vocab_size=32,
    name="hf:folder",
    tensors=(TensorSize("a", "Q4_1", 1000, 5000), TensorSize("b", "F32", 10, 320)),
)
KEYS = {
    "predicted_tokens",
    "documents",
    "oov",
    "infinite",
    "ignored",
    "nan",
    "out_of_range",
    "huge",
    "loss_bits_per_token",
    "loss_nats_per_token",
    "total_log10",
    "perplexity",
    "bits_per_byte",
    "standard_error",
    "normalised",
    "policy",
    "counts",
    "model",
    "predicted_set_sha256",
    "by_position",
    "ic1",
    "ic2",
    "resumed_units",
    "refused_files",
    "backend",
}


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """What `--model hf:folder` names, instead of a folder."""

    def use(**changes: Any) -> None:
        held = replace(MODEL, calls=[], **changes)
        monkeypatch.setattr("icfast.quality.open_model.open_model", lambda *_, **__: held)

    use()
    return use


@pytest.fixture
def command(shards: Shards, options: tuple[str, ...]) -> tuple[object, ...]:
    return ("score", shards[0], *options, "--model", "hf:folder")


def scored(shards: Shards, **given: Any) -> NeuralScores:
    corpus = icfast.open(shards[0], dtype="u2", eos_id=0, vocab_size=30)
    scores = icfast.score(corpus, replace(MODEL, calls=[]), **given)
    assert isinstance(scores, NeuralScores)
    return scores


def test_score(run: Run, model: Any, command: Any, shards: Shards) -> None:
    answer = run(*command, "--stride", 3, "--bos", 31, "--json")
    assert (answer.code, answer.err) == (0, "")
    found, scores = answer.json, scored(shards, stride=3, bos=31)
    total = scores.total
    assert set(found) >= KEYS
    assert (found["predicted_tokens"], found["documents"]) == (1200, 40)
    assert found["reason"] is None
    nats = total.nats / 1200
    assert found["loss_nats_per_token"] == pytest.approx(nats, rel=1e-15)
    assert found["loss_bits_per_token"] == pytest.approx(nats / math.log(2), rel=1e-15)
    assert found["perplexity"] == pytest.approx(math.exp(nats))
    error = standard_error(scores.loss_nats, scores.predicted_tokens)
    assert found["standard_error"] == {
        "clusters": 40,
        "nats_per_token": error,
        "bits_per_token": pytest.approx(error / math.log(2)),
    }
    assert found["bits_per_byte"] is None
    assert found["policy"] == {
        "name": "window 8, stride 3, BOS 31, documents apart, per token",
        "window": 8,
        "stride": 3,
        "bos_id": 31,
        "packed": False,
        "normaliser": "token",
    }
    # 40 documents of 30 tokens: a window of 8, then 22 more tokens, 3 at a time.
    assert found["counts"] == {
        "windows": 40 * 9,
        "predicted_tokens": 1200,
        "context_tokens": 40 * (7 * 5 + 7),
        "first_tokens_not_predicted": 0,
        "text_bytes": None,
        "words": None,
    }
    assert found["normalised"]["bits"] == found["loss_bits_per_token"]


def test_the_laws_of_a_neural_model(run: Run, model: Any, command: Any) -> None:
    found = run(*command, "--bos", 31, "--temperature-kelvin", 100, "--json").json
    assert found["model"] == {
        "name": "hf:folder",
        "vocab_size": 32,
        "params": 1010,
        "model_bits": 5320,
        "sha256": "5" * 64,
        "compute_format": "fp64",
        "logits_format": "fp64",
        "device": "cpu",
    }
    (row,) = found["ic1"]
    loss = found["loss_bits_per_token"]
    assert (row["baseline"], row["tokens"], row["entropy_bits_per_token"]) == ("uniform", 1200, 5)
    assert row["eta"] == pytest.approx(1200 * (5 - loss) / 5320)
    assert row["bits_per_param"] == pytest.approx(1200 * (5 - loss) / 1010)
    # Hashed logits know nothing: they cost more than the uniform distribution.
    assert row["eta"] < 0
    assert (found["ic2"]["temperature_kelvin"], found["ic2"]["energy_joules"]) == (100, None)


def test_a_model_of_unknown_size_has_no_capacity(run: Run, model: Any, command: Any) -> None:
    model(tensors=())
    found = run(*command, "--json").json
    assert found["ic1"] is found["ic2"] is found["model"]["params"] is None


def test_losses_by_position(run: Run, model: Any, command: Any) -> None:
    rows = run(*command, "--json").json["by_position"]
    assert [(row["first"], row["last"]) for row in rows] == [
        (1, 1),
        (2, 3),
        (4, 7),
        (8, 15),
        (16, 31),
    ]
    assert [row["predicted_tokens"] for row in rows] == [40, 80, 160, 320, 40 * 14]
    assert all(row["loss_bits_per_token"] > 0 for row in rows)


def test_score_in_words(run: Run, model: Any, command: Any) -> None:
    answer = run(*command)
    assert answer.code == 0
    for words in ("± ", "1,010 parameters", "no BOS", "40 first tokens", "eta against uniform"):
        assert words in answer.out
    assert "Why no loss" not in answer.out


def test_losses_that_are_none(run: Run, model: Any, command: Any) -> None:
    model(odd=(5, math.nan, Kind.NAN))
    found = run(*command, "--json").json
    assert found["nan"] > 0
    for name in ("loss_bits_per_token", "loss_nats_per_token", "perplexity", "ic1"):
        assert found[name] is None
    assert found["standard_error"] is found["normalised"]["bits"] is None
    assert f"{found['nan']} of {found['predicted_tokens']}" in found["reason"]
    assert "Why no loss" in run(*command).out


def test_per_byte_and_word(run: Run, model: Any, tmp_path: Path) -> None:
    model(vocab_size=256)
    text = tmp_path / "t.txt"
    text.write_bytes(b"to be or not to be\n" * 9)
    assert run("tokenize", text, "--tokenizer", "bytes", "--output", tmp_path / "t.ds").code == 0
    for unit, number in (("byte", 19 * 9), ("word", 6 * 9)):
        command = ("score", tmp_path / "t.ds", "--model", "hf:x", "--bos", 0)
        found = run(*command, "--normaliser", unit, "--json").json
        nats = found["loss_nats_per_token"] * found["predicted_tokens"]
        assert found["normalised"] == {
            "per": unit,
            "nats": pytest.approx(nats / number),
            "bits": pytest.approx(nats / number / math.log(2)),
            "perplexity": pytest.approx(math.exp(nats / number)),
        }
        assert found["bits_per_byte"] == pytest.approx(nats / math.log(2) / (19 * 9))
        assert [row["baseline"] for row in found["ic1"]] == ["uniform", "bytes"]
        # Every token is a byte here, so that both baselines are the same, and both nearly right.
        assert found["ic1"][0]["flags"] == found["ic1"][1]["flags"]
        without = run(*command[:4], "--bos", "none", "--json").json
        assert "1 first tokens" in without["ic1"][1]["flags"][-1]
        assert f"Per {unit}" in run(*command, "--normaliser", unit).out


def test_documents_go_to_parquet(run: Run, model: Any, command: Any, tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    model(odd=(5, math.inf, Kind.INFINITE))
    found = run(*command, "--output", tmp_path / "d.parquet", "--json").json
    table = parquet.read_table(tmp_path / "d.parquet")
    assert set(table.column_names) >= {"loss_nats", "ignored", "nan", "out_of_range", "huge"}
    assert sum(table["ignored"].to_pylist()) == found["ignored"] == 40
    assert sum(table["infinite"].to_pylist()) == found["infinite"] > 0


def test_a_checkpoint_is_gone_on_from(run: Run, model: Any, command: Any, tmp_path: Path) -> None:
    folder = tmp_path / "kept"
    first = run(*command, "--checkpoint", folder, "--json").json
    (file,) = folder.iterdir()
    again = run(*command, "--checkpoint", folder, "--json").json
    assert (first["resumed_units"], again["resumed_units"]) == (0, 1)
    assert again["total_log10"] == first["total_log10"]
    assert "1 units of work" in run(*command, "--checkpoint", folder).out
    file.write_bytes(file.read_bytes()[:-1])
    answer = run(*command, "--checkpoint", folder, "--json")
    assert answer.json["total_log10"] == first["total_log10"]
    assert f"computed again: {file} is damaged" in answer.err
    assert len(answer.json["refused_files"]) == 1


def test_an_interrupted_score_leaves_whole_files(
    run: Run, model: Any, command: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("icfast.neural.contexts.CHUNK_TARGETS", 100)
    model(stop_after=7)
    folder = tmp_path / "kept"
    command = (*command, "--checkpoint", folder, "--batch", 4, "--json")
    assert run(*command).code == 130
    kept = list(folder.iterdir())
    assert kept
    assert {path.suffix for path in kept} == {".losses"}
    model()
    assert run(*command).json["resumed_units"] == len(kept)


@pytest.mark.parametrize(
    ("more", "code", "message"),
    [
        (("--window", 9), 2, "window 9 is longer than the 8 tokens"),
        (("--bos", "x"), 2, "bos must be auto, none or an id; found 'x'"),
        (("--normaliser", "word"), 1, "needs the words of the text, which are unknown"),
        (("--temperature-kelvin", -1), 2, "temperature_kelvin"),
        (("--memory", "1kB"), 1, "a context of 8 tokens takes"),
    ],
)
def test_options_without_meaning(
    run: Run, model: Any, command: Any, more: tuple[object, ...], code: int, message: str
) -> None:
    answer = run(*command, *more)
    assert (answer.code, answer.out) == (code, "")
    assert message in answer.err


def test_ids_the_model_does_not_have(run: Run, model: Any, command: Any, shards: Shards) -> None:
    model(vocab_size=12)
    answer = run(*command)
    first = next(id_ for id_ in np.fromfile(shards[0], "<u2") if id_ >= 12)
    assert (answer.code, answer.out) == (1, "")
    assert f"id {first} at position" in answer.err
    assert "outside the model's vocabulary (12 ids)" in answer.err


def test_windows_of_an_ngram_model(
    run: Run, shards: Shards, options: tuple[str, ...], tmp_path: Path
) -> None:
    made = tmp_path / "m"
    assert run("fit", shards[0], *options, "--output", made).code == 0
    answer = run("score", shards[0], *options, "--model", made, "--window", 8)
    assert (answer.code, "for neural models only" in answer.err) == (2, True)
