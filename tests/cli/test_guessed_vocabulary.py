"""A vocabulary that was not stated is announced by each command whose figures depend on it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

Run = Callable[..., Any]

CORPUS = ("--dtype", "u2", "--eos-id", "0", "--order", "2")
NOTE = "note: the vocabulary was not stated, so V = 30 is guessed: the largest id + 1."

#: A measurement takes a second.
COMMANDS = ["entropy", "fit", pytest.param("measure", marks=pytest.mark.ci)]


def commands(shard: Path, tmp_path: Path) -> dict[str, tuple[object, ...]]:
    return {
        "entropy": ("entropy", shard),
        "fit": ("fit", shard, "--output", tmp_path / "model"),
        "measure": ("measure", shard, "--output", tmp_path / "measured", "--heldout", "0.3"),
    }


@pytest.fixture
def shard(shards: tuple[Path, Path]) -> Path:
    ids = np.fromfile(shards[0], "<u2")
    ids[1] = 29
    ids.tofile(shards[0])
    return shards[0]


@pytest.mark.parametrize("name", COMMANDS)
def test_a_guessed_vocabulary_is_announced(
    run: Run, shard: Path, tmp_path: Path, name: str
) -> None:
    answer = run(*commands(shard, tmp_path)[name], *CORPUS, "--json")
    assert NOTE in answer.err
    described = answer.json.get("corpus", answer.json)
    assert (described["vocab_size"], described["vocab_size_given"]) == (30, False)


@pytest.mark.parametrize("name", COMMANDS)
def test_a_stated_vocabulary_is_not(run: Run, shard: Path, tmp_path: Path, name: str) -> None:
    answer = run(*commands(shard, tmp_path)[name], *CORPUS, "--vocab-size", "30", "--json")
    assert "note:" not in answer.err
    assert answer.json.get("corpus", answer.json)["vocab_size_given"] is True


def test_a_score_announces_the_guess_of_its_model(run: Run, shard: Path, tmp_path: Path) -> None:
    run("fit", shard, *CORPUS, "--output", tmp_path / "model")
    answer = run("score", shard, *CORPUS[:4], "--model", tmp_path / "model", "--json")
    assert NOTE in answer.err
    assert (answer.json["vocab_size"], answer.json["vocab_size_given"]) == (30, False)


def test_a_table_of_a_guessed_vocabulary_is_announced(
    run: Run, shard: Path, tmp_path: Path
) -> None:
    run("count", shard, *CORPUS, "--output", tmp_path / "table")
    assert NOTE in run("entropy", tmp_path / "table").err


def test_stated_and_measured_vocabularies_are_named_as_such(
    run: Run, shard: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other.bin"
    np.fromfile(shard, "<u2")[::-1].tofile(other)
    run("count", shard, *CORPUS, "--vocab-size", "30", "--output", tmp_path / "a")
    run("count", other, *CORPUS, "--output", tmp_path / "b")
    for tables in (("a", "b"), ("b", "a")):
        answer = run("merge", *(tmp_path / name for name in tables), "--output", tmp_path / "c")
        assert (
            "was stated to have 30 ids, the other was measured: its largest id is 29" in answer.err
        )


@pytest.mark.parametrize(
    "command", ["inspect", "entropy", "count", "fit", "measure", "score", "compress"]
)
def test_every_command_refuses_content_that_is_no_ids(
    run: Run, shard: Path, tmp_path: Path, command: str
) -> None:
    model = tmp_path / "model"
    run("fit", shard, *CORPUS, "--vocab-size", "30", "--output", model)
    text = tmp_path / "text.bin"
    text.write_text("plain text, not ids. " * 4)
    output = ("--output", tmp_path / "new")
    more = {
        "count": output,
        "fit": output,
        "measure": output,
        "score": ("--model", model),
        "compress": ("--corpus", text, *output),
    }
    first = model if command == "compress" else text
    answer = run(command, first, "--dtype", "u2", *more.get(command, ()))
    assert answer.code == (3 if command == "inspect" else 1)
    assert "text.bin is not a file of token ids: it is text" in answer.err + answer.out
    assert not (tmp_path / "new").exists()
