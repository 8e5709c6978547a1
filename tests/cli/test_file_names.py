"""File names that are not UTF-8: every command works, and JSON has them without loss."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from icfast.files import shown_name, shown_path, utf8_text

Run = Callable[..., Any]

LATIN = os.fsdecode(b"caf\xe9")
SHOWN = "caf\\xe9"
READ = ("--dtype", "u2", "--eos-id", "0", "--vocab-size", "30")


@pytest.fixture
def corpus(shards: tuple[Path, Path], tmp_path: Path) -> Path:
    return shards[0].rename(tmp_path / f"{LATIN}.bin")


def printed(answer: Any) -> Any:
    """The JSON of an answer, which must be UTF-8 without half surrogates."""
    assert answer.code == 0, answer.err
    content = json.loads(answer.out)
    json.dumps(content, ensure_ascii=False).encode()
    return content


def test_names_stay_different() -> None:
    names = [b"caf\xe9", "caf\u00e9".encode(), rb"caf\xe9", rb"caf\\xe9", b"caf\\\xe9", b"a"]
    shown = [shown_path(os.fsdecode(name)) for name in names]
    assert shown == [SHOWN, "caf\u00e9", r"caf\\xe9", r"caf\\\\xe9", r"caf\\\xe9", "a"]
    assert shown_name(Path("a") / LATIN) == SHOWN
    assert utf8_text("\ud83d") == "\\ud83d"


@pytest.mark.ci
def test_tracebacks_of_names_that_are_not_utf8(run: Run, corpus: Path, tmp_path: Path) -> None:
    out = tmp_path / LATIN
    out.mkdir()
    two = ("--order", 2, "--json")
    assert printed(run("inspect", corpus, *READ, "--json"))["shards"][0]["path"].endswith(
        f"{SHOWN}.bin"
    )
    printed(run("entropy", corpus, *READ, *two))
    table = printed(run("count", corpus, *READ, *two, "--output", out / "table"))["table"]
    assert table.endswith(f"{SHOWN}/table")
    printed(run("merge", out / "table", "--output", out / "merged", "--json"))
    printed(run("entropy", out / "merged", "--json"))
    model = out / f"{LATIN}.model"
    fitted = printed(run("fit", corpus, *READ, *two, "--output", model, "--arpa", out / "a.arpa"))
    assert fitted["model"].endswith(f"{SHOWN}/{SHOWN}.model")
    printed(run("export", model, "--output", out / f"{LATIN}.arpa", "--json"))
    small = ("--output", out / "small", "--corpus", corpus)
    printed(run("compress", model, *small, *READ, "--json"))
    losses = out / f"{LATIN}.parquet"
    scored = printed(run("score", corpus, *READ, "--model", model, "--output", losses, "--json"))
    assert scored["fitted_shards"] == [f"{SHOWN}.bin"]
    assert scored["output"].endswith(f"{SHOWN}.parquet")
    again = ("--model", model, "--output", losses, "--overwrite", "--json")
    printed(run("score", corpus, *READ, *again))
    assert losses.stat().st_size > 0
    printed(run("measure", corpus, *READ, *two, "--output", out / "measured"))
    for name in ("result.json", "manifest.json"):
        stored = (out / "measured" / name).read_text(encoding="utf-8")
        assert f"{json.dumps(SHOWN)[1:-1]}.bin" in stored


def test_texts_and_tokenizers_with_such_names(run: Run, tmp_path: Path) -> None:
    from icfast.corpus import train_bpe

    (tmp_path / f"{LATIN}.txt").write_text("two words")
    tokenizer = tmp_path / f"{LATIN}.json"
    train_bpe(["two words"], 260, tokenizer)
    output = tmp_path / f"{LATIN}.ds"
    texts = (tmp_path / f"{LATIN}.txt", "--tokenizer", tokenizer, "--output", output)
    assert printed(run("tokenize", *texts, "--json"))["output"].endswith(f"{SHOWN}.ds")
    found = printed(run("entropy", output, "--order", 1, "--json"))
    assert found["corpus"]["tokenizer"] == f"{SHOWN}.json"


@pytest.mark.ci
def test_training_logs_with_such_names(run: Run, tmp_path: Path) -> None:
    log = tmp_path / f"{LATIN}.csv"
    example = Path(__file__).parents[2] / "examples" / "train_tiny.csv"
    log.write_bytes(example.read_bytes())
    printed(run("laws", "run", log, "--output", tmp_path / f"{LATIN}-run", "--json"))


def test_messages_about_such_names_are_shown(run: Run, tmp_path: Path) -> None:
    np.array([7], "<u2").tofile(tmp_path / f"{LATIN}.bin")
    answer = run("entropy", tmp_path / f"{LATIN}.bin", "--dtype", "u2", "--vocab-size", 5)
    assert answer.code == 1
    assert f"{SHOWN}.bin" in answer.err
    assert run("entropy", tmp_path / f"{LATIN}.gone").code == 1
