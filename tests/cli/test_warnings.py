"""Warnings of a corpus: every command prints them and has them in its JSON."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., Any]
Shards = tuple[Path, Path]

#: An id that `shards` never have.
UNUSED = ("--dtype", "u2", "--vocab-size", "40", "--eos-id", "35", "--threads", "1")


@pytest.mark.parametrize("command", ["entropy", "count", "fit", "measure", "score", "compress"])
def test_an_end_id_that_never_occurs(
    run: Run, shards: Shards, tmp_path: Path, command: str
) -> None:
    corpus: tuple[object, ...] = shards
    more: tuple[object, ...] = ("--order", 2)
    if command in ("count", "fit", "measure"):
        more += ("--output", tmp_path / "out")
    if command == "measure":
        more += ("--heldout", "0.5", "--cross-documents")
    if command in ("score", "compress"):
        assert run("fit", *shards, *UNUSED, "--order", 2, "--output", tmp_path / "m").code == 0
        more = ("--model", tmp_path / "m")
    if command == "compress":
        corpus = (tmp_path / "m", "--output", tmp_path / "c", "--corpus", shards[0])
        more = ()
    answer = run(command, *corpus, *UNUSED, *more, "--json")
    if command == "measure" and answer.code:  # two documents may fall on one side
        assert "side is empty" in answer.err
    else:
        assert any("eos_id 35 never occurs" in text for text in answer.json["warnings"])
    assert answer.err.count("warning: eos_id 35 never occurs in ") == 1


def test_a_table_keeps_the_warning(run: Run, shards: Shards, tmp_path: Path) -> None:
    table = tmp_path / "table"
    assert run("count", *shards, *UNUSED, "--order", 2, "--output", table).code == 0
    for command in (
        ("entropy", table),
        ("fit", table, "--output", tmp_path / "m"),
        ("merge", table, "--output", tmp_path / "merged"),
    ):
        answer = run(*command, "--json")
        assert "eos_id 35 never occurs" in answer.json["warnings"][0], command
        assert "warning: eos_id 35 never occurs" in answer.err, command


def test_inspect_shows_edges_and_warnings(run: Run, shards: Shards) -> None:
    text = run("inspect", *shards, *UNUSED[:-2]).out
    assert "warning: eos_id 35 never occurs" in text
    text = run("inspect", *shards, "--dtype", "u2", "--eos-id", 0, "--boundary", "start").out
    assert "first ids of documents: " in text
    assert "last ids of documents: " in text
    assert "of 2 files and indexed documents, 0.00 % begin with id 0 and 100.00 % end" in text
    assert "warning: boundary 'start' contradicts the data" in text


def test_auto_decides(run: Run, shards: Shards) -> None:
    options = ("--dtype", "u2", "--eos-id", 0, "--order", 1, "--json")
    answer = run("entropy", *shards, *options, "--boundary", "auto")
    assert answer.json["convention"]["boundary"] == "end"
    assert answer.json["warnings"] == []


def test_score_says_what_the_model_was_fitted_on(
    run: Run, shards: Shards, options: tuple[str, ...], tmp_path: Path
) -> None:
    model = tmp_path / "m"
    assert run("fit", shards[0], *options, "--order", 2, "--output", model).code == 0
    answer = run("score", *shards, *options, "--model", model, "--json")
    assert answer.json["fitted_shards"] == ["a.bin"]
    assert answer.err.startswith("warning: the model was fitted on 1 of the 2 shards")
    answer = run("score", shards[1], *options[:2], "--model", model, "--json")
    assert answer.json["fitted_shards"] == []
    assert "read without an end id" in answer.json["warnings"][0]
    assert "warning: the corpus is read without an end id" in answer.err
