"""fit, score."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import icfast
from icfast.sums.loss import DocumentScores

Run = Callable[..., Any]
Shards = tuple[Path, Path]

MODEL_KEYS = {
    "order",
    "convention",
    "ngram_counts",
    "discounts",
    "model_bits",
    "params",
    "tokens",
    "documents",
    "backend",
}
SCORE_KEYS = {
    "predicted_tokens",
    "documents",
    "oov",
    "infinite",
    "loss_bits_per_token",
    "total_log10",
    "perplexity",
    "backend",
}


@pytest.fixture
def model(run: Run, shards: Shards, options: tuple[str, ...], tmp_path: Path) -> Path:
    made = tmp_path / "model"
    assert run("fit", shards[0], *options, "--order", "3", "--output", made).code == 0
    return made


@pytest.fixture
def table(run: Run, shards: Shards, options: tuple[str, ...], tmp_path: Path) -> Path:
    made = tmp_path / "table"
    assert run("count", shards[0], *options, "--output", made, "--order", "3").code == 0
    return made


def test_fit(run: Run, shards: Shards, options: tuple[str, ...], tmp_path: Path) -> None:
    file = tmp_path / "model"
    answer = run("fit", shards[0], *options, "--output", file, "--order", "2", "--json")
    assert (answer.code, answer.err) == (0, "")
    found = answer.json
    assert set(found) >= MODEL_KEYS
    fitted = icfast.NgramModel.load(file)
    assert found["ngram_counts"] == list(fitted.ngram_counts)
    assert found["model_bits"] == 8 * file.stat().st_size
    assert found["params"] == fitted.parameters
    assert (found["order"], found["convention"]) == (2, "tokens")
    assert (found["tokens"], found["documents"]) == (1200, 40)
    first, last = found["discounts"]
    assert set(first) == {"order", "top", "top_fallback", "lower", "lower_fallback"}
    assert len(first["top"]) == len(first["lower"]) == 3
    assert (last["lower"], last["lower_fallback"]) == (None, None)


def test_fit_in_words(run: Run, shards: Shards, options: tuple[str, ...], tmp_path: Path) -> None:
    answer = run("fit", shards[0], *options, "--output", tmp_path / "m")
    assert "1,200 tokens, 40 documents, convention tokens" in answer.out
    assert "D1 D2 D3+" in answer.out


def test_fit_under_kenlm(
    run: Run, shards: Shards, options: tuple[str, ...], tmp_path: Path
) -> None:
    command = ("fit", shards[0], *options, "--output", tmp_path / "m", "--json")
    found = run(*command, "--convention", "kenlm").json
    # 29 ids without the end id, and <s>, </s>, <unk>.
    used = len(np.unique(np.fromfile(shards[0], "<u2"))) - 1
    assert found["convention"] == "kenlm"
    assert found["ngram_counts"][0] == used + 3


def test_a_table_gives_the_same_model(run: Run, table: Path, model: Path, tmp_path: Path) -> None:
    again = tmp_path / "again"
    for same in ((), ("--overwrite", "--order", "3", "--convention", "tokens")):
        answer = run("fit", table, "--output", again, "--json", *same)
        assert answer.code == 0
        assert answer.json["skipped_documents"] is None
        mine, its = icfast.NgramModel.load(again), icfast.NgramModel.load(model)
        assert mine.ngram_counts == its.ngram_counts
        assert mine.discounts == its.discounts


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (("--order", "4"), "was counted with order 3"),
        (("--convention", "kenlm"), "was counted with convention tokens"),
        (("--dtype", "u2"), "--dtype cannot change the count table"),
    ],
)
def test_a_table_is_what_it_is(
    run: Run, table: Path, tmp_path: Path, more: tuple[str, ...], message: str
) -> None:
    answer = run("fit", table, "--output", tmp_path / "never", *more)
    assert (answer.code, answer.out) == (2, "")
    assert message in answer.err
    assert not (tmp_path / "never").exists()


def test_fit_without_meaning(
    run: Run, shards: Shards, options: tuple[str, ...], tmp_path: Path
) -> None:
    command = ("fit", shards[0], *options, "--output")
    answer = run(*command, tmp_path / "m", "--convention", "words")
    assert (answer.code, "convention 'words'" in answer.err) == (2, True)
    answer = run(*command, tmp_path / "nowhere" / "m")
    assert (answer.code, "folder does not exist" in answer.err) == (2, True)


def test_score(run: Run, model: Path, shards: Shards, options: tuple[str, ...]) -> None:
    answer = run("score", shards[1], *options, "--model", model, "--json")
    assert (answer.code, answer.err) == (0, "")
    found = answer.json
    assert set(found) >= SCORE_KEYS
    corpus = icfast.open(shards[1], dtype="u2", eos_id=0, vocab_size=30)
    total = icfast.score(corpus, icfast.NgramModel.load(model)).total
    assert (found["predicted_tokens"], found["documents"]) == (1200, 40)
    assert (found["oov"], found["infinite"], found["reason"]) == (total.oov, 0, None)
    loss = found["loss_bits_per_token"]
    assert loss == pytest.approx(total.nats / math.log(2) / 1200, rel=1e-15)
    assert found["perplexity"] == pytest.approx(2**loss)
    assert found["total_log10"] == pytest.approx(-total.nats / math.log(10))


def test_score_in_words(run: Run, model: Path, shards: Shards, options: tuple[str, ...]) -> None:
    answer = run("score", shards[1], *options, "--model", model)
    assert answer.code == 0
    assert "bits/token" in answer.out
    assert "Why no loss" not in answer.out


def test_score_of_each_document(
    run: Run, model: Path, shards: Shards, options: tuple[str, ...], tmp_path: Path
) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    file = tmp_path / "documents.parquet"
    command = ("score", *shards, *options, "--model", model, "--output", file, "--json")
    found = run(*command).json
    table = parquet.read_table(file)
    assert {"shard", "document", "predicted_tokens", "loss_nats"} <= set(table.column_names)
    assert table.num_rows == found["documents"] == 80
    bits = sum(table["loss_nats"].to_pylist()) / math.log(2) / 2400
    assert bits == pytest.approx(found["loss_bits_per_token"])
    assert found["output"] == str(file)


def test_without_pyarrow_nothing_is_scored(
    run: Run,
    model: Path,
    shards: Shards,
    options: tuple[str, ...],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.setattr("icfast.quality.score.score_documents", _never)
    file = tmp_path / "documents.parquet"
    answer = run("score", *shards, *options, "--model", model, "--output", file)
    assert answer.code == 1
    assert "icfast[arrow]" in answer.err
    assert not file.exists()


def _never(*_: object) -> None:
    raise AssertionError


def test_no_output_no_work(
    run: Run,
    model: Path,
    shards: Shards,
    options: tuple[str, ...],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pytest.importorskip("pyarrow")
    monkeypatch.setattr("icfast.quality.score.score_documents", _never)
    file = tmp_path / "nowhere" / "documents.parquet"
    answer = run("score", *shards, *options, "--model", model, "--output", file)
    assert (answer.code, "its folder does not exist" in answer.err) == (2, True)


def test_an_infinite_loss_is_null_and_says_why(
    run: Run,
    model: Path,
    shards: Shards,
    options: tuple[str, ...],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from icfast.kneser_ney.score import score_documents

    def with_one_impossible(*arguments: Any) -> DocumentScores:
        scores = score_documents(*arguments)
        infinite = scores.infinite.copy()
        infinite[3] = 1
        return replace(scores, infinite=infinite)

    monkeypatch.setattr("icfast.quality.score.score_documents", with_one_impossible)
    command = ("score", shards[1], *options, "--model", model)
    answer = run(*command, "--json")
    assert answer.code == 0
    found = answer.json
    assert found["infinite"] == 1
    assert found["loss_bits_per_token"] is found["total_log10"] is found["perplexity"] is None
    assert "1 of 1200 predicted symbols have probability 0" in found["reason"]
    assert "Why no loss" in run(*command).out


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "hf:folder",
            "error: folder is not a folder; expected a folder with config.json and weights",
        ),
        ("gguf:none.gguf", "error: cannot read none.gguf as a GGUF file: No such file"),
    ],
)
def test_neural_models_that_are_not_there(
    run: Run, shards: Shards, options: tuple[str, ...], name: str, message: str
) -> None:
    answer = run("score", shards[0], *options, "--model", name)
    assert answer.code == 1
    assert message in answer.err.replace("\n", " ")


def test_models_that_are_none(run: Run, shards: Shards, options: tuple[str, ...]) -> None:
    for file in (shards[0], shards[0].parent, shards[0].with_name("missing")):
        answer = run("score", shards[0], *options, "--model", file)
        assert (answer.code, answer.out) == (1, "")
        assert answer.err.startswith("error: ")
        assert f" {file}" in answer.err


def test_another_tokenizer_is_refused(
    run: Run, shards: Shards, options: tuple[str, ...], tmp_path: Path
) -> None:
    file = tmp_path / "m"
    assert run("fit", shards[0], *options, "--tokenizer", "one", "--output", file).code == 0
    answer = run("score", shards[1], *options, "--tokenizer", "two", "--model", file)
    assert (answer.code, "tokenizer 'two'" in answer.err) == (1, True)
