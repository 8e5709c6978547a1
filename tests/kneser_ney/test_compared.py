"""What a corpus and the corpus of a model have in common: end id, boundary, shards."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import icfast
from icfast.kneser_ney.compared import compare
from icfast.sums.loss import DocumentScores


def write(path: Path, seed: int, documents: int = 40) -> Path:
    random = np.random.default_rng(seed)
    held = [[*random.integers(1, 9, 9), 0] for _ in range(documents)]
    np.concatenate(held).astype("<u2").tofile(path)
    return path


def opened(paths: Path | list[Path], **options: Any) -> icfast.Corpus:
    return icfast.open(paths, dtype="u2", vocab_size=10, **options)


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    return write(tmp_path / "train.bin", 1), write(tmp_path / "test.bin", 2)


@pytest.mark.parametrize("convention", ["tokens", "kenlm"])
@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({}, "read without an end id, but the model was fitted with end id 0"),
        ({"eos_id": 7}, "read with end id 7, but the model was fitted with end id 0"),
        ({"eos_id": 0, "boundary": "start"}, "boundary start, but the model was fitted with bound"),
        ({"eos_id": 0, "cross_documents": True}, "cross_documents True, but the model"),
        ({"eos_id": 0}, None),
    ],
)
def test_end_id_not_checked(
    files: tuple[Path, Path], convention: str, options: dict[str, Any], said: str | None
) -> None:
    model = icfast.fit(opened(files[0], eos_id=0), order=2, convention=convention)
    scores = icfast.score(opened(files[1], **options), model)
    about_model = [text for text in scores.warnings if "the model was" in text]
    assert len(about_model) == (said is not None)
    if said is not None:
        assert said in about_model[0]


def test_a_model_without_an_end_id_is_compared_too(files: tuple[Path, Path]) -> None:
    model = icfast.fit(opened(files[0]), order=2)
    (warning,) = compare(opened(files[1], eos_id=0), model).warnings
    assert "fitted without an end id" in warning
    assert "Pass no --eos-id." in warning
    assert compare(opened(files[1], boundary="start"), model).warnings == ()


def test_scoring_what_the_model_was_fitted_on(files: tuple[Path, Path], tmp_path: Path) -> None:
    train, test = files
    model = icfast.fit(opened(train, eos_id=0), order=2, output=tmp_path / "model")
    renamed = tmp_path / "other-name.bin"
    renamed.write_bytes(train.read_bytes())
    corpus = opened([test, renamed], eos_id=0)
    small = icfast.compress(model, tmp_path / "small")
    for scores in (icfast.score(corpus, model), icfast.score(corpus, small)):
        assert isinstance(scores, DocumentScores)
        assert scores.fitted_shards == ("other-name.bin",)
        (warning,) = scores.warnings
        assert "fitted on 1 of the 2 shards that are scored: other-name.bin." in warning
    assert icfast.score(opened(test, eos_id=0), model).fitted_shards == ()


def test_a_model_of_a_measurement_saw_only_training_documents(
    files: tuple[Path, Path], tmp_path: Path
) -> None:
    corpus = opened(list(files), eos_id=0)
    icfast.measure(corpus, tmp_path / "out", order=2, heldout=0.2)
    scores = icfast.score(corpus, tmp_path / "out" / "model.icfast")
    assert scores.fitted_shards == ("train.bin", "test.bin")
    assert "(documents: training at 0.2): train.bin and 1 more." in scores.warnings[0]


def test_shards_of_another_length_are_not_hashed(
    files: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = icfast.fit(opened(files[0], eos_id=0), order=2)
    longer = opened(write(tmp_path / "longer.bin", 3, documents=41), eos_id=0)
    monkeypatch.setattr(type(longer.shards[0]), "digest", lambda _: pytest.fail("hashed"))
    assert compare(longer, model).fitted_shards == ()
