"""Scoring that resumes after an interruption."""

from __future__ import annotations

import numpy as np
import pytest
from tests.neural.hash_model import HashModel
from tests.neural.token_corpora import EOS, assert_same

import icfast
from icfast.backends.losses import LossCells
from icfast.errors import OptionError
from icfast.neural.checkpoint import Checkpoint, ChunkSums


def interrupted(corpus, folder, stop_after, **options):
    with pytest.raises(KeyboardInterrupt):
        icfast.score(corpus, HashModel(stop_after=stop_after), checkpoint=folder, **options)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("packed", [False, True])
def test_resumed_sums_are_the_same_integers(written, small_units, tmp_path, packed):
    options = {"stride": 3, "packed": packed}
    whole = icfast.score(written.corpus, HashModel(), **options)
    folder = tmp_path / "new" / "checkpoint"
    kept = 0
    for stop_after in (3, 2, 5):
        interrupted(written.corpus, folder, stop_after, batch=2, **options)
        assert len(names(folder)) >= kept
        kept = len(names(folder))
        assert all(name.endswith(".losses") and len(name) == 71 for name in names(folder))
    assert kept
    model = HashModel()
    resumed = icfast.score(written.corpus, model, checkpoint=folder, **options)
    assert_same(resumed, whole)
    assert (resumed.resumed_units, resumed.refused_files) == (kept, ())
    again = icfast.score(written.corpus, HashModel(stop_after=0), checkpoint=folder, **options)
    assert_same(again, whole)
    assert again.resumed_units == len(names(folder)) > kept


@pytest.mark.parametrize(
    "change",
    [
        {"window": 7},
        {"stride": 2},
        {"bos": 4},
        {"packed": True},
        {"model": HashModel(sha256="6" * 64)},
        {"model": HashModel(sha256=None), "name": "mine"},
        {"model": HashModel(vocab_size=21)},
        {"model": HashModel(logits_format="bf16")},
        {"model": HashModel(compute_format="bf16")},
    ],
)
def test_nothing_of_another_measurement_is_taken(written, tmp_path, change):
    first = {"model": HashModel(), "window": 8, "stride": 3, "checkpoint": tmp_path / "kept"}
    icfast.score(written.corpus, **first)
    assert icfast.score(written.corpus, **first).resumed_units == 3
    assert icfast.score(written.corpus, **{**first, "normaliser": "token"}).resumed_units == 3
    assert icfast.score(written.corpus, **{**first, **change}).resumed_units == 0


def test_nothing_of_other_documents_is_taken(written, tmp_path):
    folder = tmp_path / "kept"
    icfast.score(written.corpus, HashModel(), checkpoint=folder)
    same = icfast.open(written.paths[::-1], dtype="u2", eos_id=EOS)
    assert icfast.score(same, HashModel(), checkpoint=folder).resumed_units == 3
    cut = icfast.open(written.paths, dtype="u2", eos_id=4)
    assert icfast.score(cut, HashModel(), checkpoint=folder).resumed_units == 0
    ids = np.fromfile(written.paths[0], "<u2")
    ids[1] = 19 if ids[1] != 19 else 18
    ids.tofile(written.paths[0])
    changed = icfast.open(written.paths, dtype="u2", eos_id=EOS)
    assert icfast.score(changed, HashModel(), checkpoint=folder).resumed_units == 2


@pytest.mark.parametrize("damage", ["flip", "cut", "empty", "foreign", "renamed"])
def test_damaged_and_foreign_files_are_computed_anew(written, small_units, tmp_path, damage):
    folder = tmp_path / "kept"
    whole = icfast.score(written.corpus, HashModel(), checkpoint=folder)
    victim, other = (folder / name for name in names(folder)[:2])
    content = bytearray(victim.read_bytes())
    if damage == "flip":
        content[len(content) // 2] ^= 4
    elif damage == "cut":
        del content[-8:]
    elif damage == "empty":
        content.clear()
    elif damage == "foreign":
        content[:] = b"something else"
    else:
        content[:] = other.read_bytes()
    victim.write_bytes(content)
    again = icfast.score(written.corpus, HashModel(), checkpoint=folder)
    assert_same(again, whole)
    assert again.resumed_units == len(names(folder)) - 1
    assert len(again.refused_files) == 1
    assert victim.name in again.refused_files[0]
    healed = icfast.score(written.corpus, HashModel(stop_after=0), checkpoint=folder)
    assert healed.refused_files == ()


@pytest.mark.parametrize("forgery", ["documents", "tokens", "positions"])
def test_forged_sums_are_computed_anew(written, small_units, tmp_path, monkeypatch, forgery):
    whole = icfast.score(written.corpus, HashModel())
    save = Checkpoint.save

    def forged(self, key, sums):
        documents, positions = sums
        if forgery == "documents":
            documents = LossCells(*(np.append(cells, cells[:1], 0) for cells in documents))
        changed = positions if forgery == "positions" else documents
        changed.counts[0, 0] += np.uint64(forgery != "documents")
        save(self, key, ChunkSums(documents, positions))

    with monkeypatch.context() as patch:
        patch.setattr(Checkpoint, "save", forged)
        icfast.score(written.corpus, HashModel(), checkpoint=tmp_path / "kept")
    again = icfast.score(written.corpus, HashModel(), checkpoint=tmp_path / "kept")
    assert_same(again, whole)
    assert len(again.refused_files) == len(names(tmp_path / "kept"))
    reason = {"documents": "states sums of 4 documents and"}.get(
        forgery, "does not hold the number of tokens of its chunk"
    )
    assert reason in again.refused_files[0]


def test_a_model_without_a_hash_needs_a_name(written, tmp_path):
    model = HashModel(sha256=None)
    with pytest.raises(OptionError, match=r"no SHA-256, .*name="):
        icfast.score(written.corpus, model, checkpoint=tmp_path / "kept")
    for name, resumed in (("one", 0), ("one", 3), ("two", 0)):
        scores = icfast.score(written.corpus, model, checkpoint=tmp_path / "kept", name=name)
        assert scores.resumed_units == resumed


def test_a_checkpoint_that_is_no_folder(written, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OptionError, match="cannot create the checkpoint folder"):
        icfast.score(written.corpus, HashModel(), checkpoint=tmp_path / "file")
