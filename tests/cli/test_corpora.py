"""inspect, tokenize."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import icfast

Run = Callable[..., Any]
Shards = tuple[Path, Path]


def test_inspect_a_sound_corpus(run: Run, shards: Shards, options: tuple[str, ...]) -> None:
    answer = run("inspect", *shards, *options, "--json")
    assert (answer.code, answer.err) == (0, "")
    found = answer.json
    assert found["sound"] is True
    assert (found["tokens"], found["documents"]) == (2400, 80)
    first = found["shards"][0]
    assert (first["format"], first["dtype"], first["tokens"]) == ("raw", "u2", 1200)
    assert {"documents", "largest_id", "problems"} <= set(first)


def test_inspect_in_words(run: Run, shards: Shards, options: tuple[str, ...]) -> None:
    answer = run("inspect", *shards, *options)
    assert answer.code == 0
    # Paths are not folded where stdout is no terminal.
    assert str(shards[0]) in answer.out
    assert "2,400" in answer.out


def test_inspect_tells_all_problems(run: Run, shards: Shards, with_empty: Path) -> None:
    command = ("inspect", shards[0], with_empty, "missing.bin", "--dtype", "u2")
    answer = run(*command, "--vocab-size", "4", "--json")
    assert answer.code == 3
    found = answer.json
    assert found["sound"] is False
    assert [bool(shard["problems"]) for shard in found["shards"]] == [True, True, True]
    words = run(*command, "--vocab-size", "4")
    assert words.code == 3
    for shard in found["shards"]:
        for problem in shard["problems"]:
            assert f"problem: {problem}" in words.out
    assert "problems found" in words.err


def test_inspect_without_meaning(run: Run, shards: Shards) -> None:
    answer = run("inspect", shards[0], "--dtype", "u3")
    assert (answer.code, answer.out) == (2, "")
    assert answer.err.startswith("error: ")


@pytest.fixture
def texts(tmp_path: Path) -> Path:
    folder = tmp_path / "texts"
    folder.mkdir()
    (folder / "a.txt").write_text("some text", encoding="utf-8")
    (folder / "b.txt").write_text("ä", encoding="utf-8")
    (folder / "empty.txt").write_text("")
    return folder


def test_tokenize(run: Run, texts: Path, tmp_path: Path) -> None:
    output = tmp_path / "ids.ds"
    answer = run("tokenize", texts, "--output", output, "--json")
    assert (answer.code, answer.err) == (0, "")
    assert answer.json == {
        "documents": 2,
        "tokens": 11,
        "text_bytes": 11,
        "skipped_empty": 1,
        "skipped_undecodable": 0,
        "output": str(output),
        "skipped_unencodable": 0,
        "lost_characters": 0,
        "lost_bytes": 0,
        "lost_documents": 0,
        "lost_document_bytes": 0,
        "left_out": {"hidden": 0, "repeated": 0, "own": 0, "unreadable": 0},
        "warnings": [],
    }
    assert icfast.open(output).documents == 2
    assert "11" in run("tokenize", texts, "--output", output, "--overwrite").out


def test_tokenize_by_a_file(run: Run, texts: Path, tmp_path: Path) -> None:
    pytest.importorskip("tokenizers")
    from icfast.corpus import train_bpe

    train_bpe(["some text"], 258, tmp_path / "bpe.json")
    output = tmp_path / "ids.ds"
    command = ("tokenize", texts, "--output", output, "--tokenizer", tmp_path / "bpe.json")
    assert run(*command, "--eos-id", "3", "--json").json["documents"] == 2
    corpus = icfast.open(output)
    assert (corpus.tokenizer, corpus.eos_id) == ("bpe.json", 3)


def test_tokenize_text_that_is_none(run: Run, texts: Path, tmp_path: Path) -> None:
    (texts / "c.txt").write_bytes(b"\xff\xfe\xfa")
    command = ("tokenize", texts, "--output", tmp_path / "ids.ds", "--json")
    refused = run(*command)
    assert (refused.code, refused.out) == (1, "")
    assert not (tmp_path / "ids.ds").exists()
    answer = run(*command, "--skip-bad")
    assert answer.code == 3
    assert answer.json["skipped_undecodable"] == 1
    assert "1 undecodable" in answer.err


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (("--output", "ids.bin"), "must end in .ds"),
        (("--output", "ids.ds", "--eos-id", "3"), "eos_id 3 is given with tokenizer bytes"),
        (("--output", "ids.ds", "--tokenizer", "missing.json"), "missing.json"),
    ],
)
def test_tokenize_without_meaning(
    run: Run,
    texts: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    more: tuple[str, ...],
    message: str,
) -> None:
    if "missing.json" in more:
        pytest.importorskip("tokenizers")
    monkeypatch.chdir(tmp_path)
    answer = run("tokenize", texts, *more)
    assert (answer.code, answer.out) == (2, "")
    assert message in answer.err
