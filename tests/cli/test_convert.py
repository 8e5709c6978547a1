"""export, compress."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import icfast

Run = Callable[..., Any]
Shards = tuple[Path, Path]


@pytest.fixture
def model(run: Run, shards: Shards, options: tuple[str, ...], tmp_path: Path) -> Path:
    made = tmp_path / "model"
    assert run("fit", shards[0], *options, "--order", "3", "--output", made).code == 0
    return made


def test_export(
    run: Run, model: Path, shards: Shards, options: tuple[str, ...], tmp_path: Path
) -> None:
    exported, fitted = tmp_path / "exported.arpa", tmp_path / "fitted.arpa"
    found = run("export", model, "--output", exported, "--json").json
    assert found["arpa"] == str(exported)
    assert found["bytes"] == exported.stat().st_size
    assert found["ngrams"] == sum(icfast.NgramModel.load(model).ngrams)
    command = ("fit", shards[0], *options, "--order", "3", "--output", tmp_path / "m")
    answer = run(*command, "--arpa", fitted, "--json")
    assert answer.json["arpa"] == str(fitted)
    assert fitted.read_bytes() == exported.read_bytes()
    assert str(exported) in run("export", model, "--output", exported, "--overwrite").out
    assert run(*command, "--overwrite", "--json").json["arpa"] is None


def test_no_room_for_the_arpa_text_no_work(
    run: Run,
    shards: Shards,
    options: tuple[str, ...],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("icfast.kneser_ney.fit.fit_documents", _never)
    command = ("fit", shards[0], *options, "--output", tmp_path / "m", "--arpa")
    answer = run(*command, tmp_path / "nowhere" / "m.arpa")
    assert (answer.code, "its folder does not exist" in answer.err) == (2, True)


def _never(*_: object) -> None:
    raise AssertionError


def test_compress(
    run: Run, model: Path, shards: Shards, options: tuple[str, ...], tmp_path: Path
) -> None:
    small = tmp_path / "small"
    command = ("compress", model, "--output", small, "--bits", "3", "--prune", "1e-4")
    answer = run(*command, "--corpus", shards[1], *options, "--json")
    assert (answer.code, answer.err) == (0, "")
    found = answer.json
    assert (found["bits"], found["prune"], found["whole"]) == (3, 1e-4, str(model))
    assert (found["bytes"], found["whole_bytes"]) == (small.stat().st_size, model.stat().st_size)
    assert sum(found["ngrams"]) < sum(found["whole_ngrams"])
    score = ("score", shards[1], *options, "--json", "--model")
    losses = [run(*score, file).json["loss_bits_per_token"] for file in (model, small)]
    held = found["heldout"]
    assert [held["whole_bits_per_token"], held["bits_per_token"]] == pytest.approx(losses)
    assert held["excess_bits_per_token"] == pytest.approx(losses[1] - losses[0])
    assert held["predicted_tokens"] == 1200
    assert icfast.CompactModel.load(small).about["heldout"] == held


def test_compress_in_words(
    run: Run, model: Path, shards: Shards, options: tuple[str, ...], tmp_path: Path
) -> None:
    command = ("compress", model, "--output", tmp_path / "small")
    assert "Difference" not in run(*command).out
    command = (*command, "--overwrite", "--corpus", shards[1])
    assert "Difference" in run(*command, *options).out


def test_compress_without_meaning(
    run: Run, model: Path, shards: Shards, options: tuple[str, ...], tmp_path: Path
) -> None:
    small = tmp_path / "small"
    answer = run("compress", model, "--output", small, "--dtype", "u2")
    assert answer.code == 2
    assert "--dtype describes a corpus, and none was given" in answer.err
    assert run("compress", model, "--output", small, "--bits", "17").code == 2
    assert run("compress", model, "--output", small).code == 0
    for command in ("compress", "export"):
        answer = run(command, small, "--output", tmp_path / "again")
        assert (answer.code, "a compressed model can only score" in answer.err) == (1, True)
        assert not (tmp_path / "again").exists()
