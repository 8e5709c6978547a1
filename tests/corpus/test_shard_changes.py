"""Shards that others replace, append to or cut while icfast reads them."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import icfast
from icfast.backends.select import mapped_bytes
from icfast.corpus import Corpus, inspect
from icfast.corpus.documents import all_documents
from icfast.corpus.text import Skipped, read_texts
from icfast.errors import ArtefactError, CorpusError
from icfast.ngrams.growth import growth
from icfast.ngrams.matches import match_lengths
from icfast.parallel.threads import Work

IDS = 60_000
BYTES = 2 * IDS

needs_core = pytest.mark.skipif(
    mapped_bytes() is None, reason="only the compiled core answers SIGBUS"
)


def write(path: Path) -> Path:
    ids = np.random.default_rng(4).zipf(1.3, IDS) % 999
    ids[::100] = 999
    ids.astype("<u2").tofile(path)
    return path


def opened(path: Path) -> Corpus:
    return icfast.open(path, dtype="u2", vocab_size=1000, eos_id=999)


def replace(path: Path) -> None:
    other = path.with_name("other.bin")
    np.fromfile(path, "<u2")[::-1].tofile(other)
    other.replace(path)


def append(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"\1\0" * 1000)


def rewrite(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(BYTES - 2)
        file.write(b"\7\0")


def cut(path: Path) -> None:
    os.truncate(path, 3000)


def during(change: Callable[[Path], None], path: Path) -> Callable[..., None]:
    """Return a progress function that changes the shard once, when the work has begun."""
    done: list[bool] = []

    def progress(*_: object) -> None:
        if not done:
            done.append(True)
            change(path)

    return progress


def count(corpus: Corpus, folder: Path, **options: Any) -> object:
    return icfast.count(corpus, folder / "table", order=3, memory="24MiB", **options)


def fit(corpus: Corpus, folder: Path, **options: Any) -> object:
    return icfast.fit(corpus, order=2, output=folder / "model", **options)


def spectra(corpus: Corpus, folder: Path, **options: Any) -> object:
    return icfast.spectra(corpus, order=3, **options)


def score(corpus: Corpus, folder: Path, **options: Any) -> object:
    model = icfast.fit(opened(write(folder.with_name("training.bin"))), order=2)
    return icfast.score(corpus, model, **options)


def measure(corpus: Corpus, folder: Path, **options: Any) -> object:
    return icfast.measure(corpus, folder / "result", order=2, **options)


def matches(corpus: Corpus, folder: Path, **options: Any) -> object:
    return match_lengths(corpus, Work.of(**options))


def grown(corpus: Corpus, folder: Path, **options: Any) -> object:
    work = Work.of(**options)
    work.progress("", 0, 0)  # growth itself reports none
    return growth(all_documents(corpus), work)


READERS = [count, fit, spectra, score, measure, matches, grown]


@pytest.mark.parametrize("read", READERS)
@pytest.mark.parametrize("change", [replace, append, rewrite])
def test_a_shard_replaced_while_counted_is_refused(
    tmp_path: Path, read: Callable[..., object], change: Callable[[Path], None]
) -> None:
    path, folder = write(tmp_path / "live.bin"), tmp_path / "output"
    folder.mkdir()
    with pytest.raises(CorpusError, match=r"live\.bin changed while it was read"):
        read(opened(path), folder, progress=during(change, path))
    results = ("result.json", "manifest.json", "table", "model")
    assert not [file for file in folder.rglob("*") if file.name in results]


@needs_core
@pytest.mark.parametrize("read", READERS)
def test_a_shard_truncated_while_read_is_refused(
    tmp_path: Path, read: Callable[..., object], backend: str
) -> None:
    path, folder = write(tmp_path / "live.bin"), tmp_path / "output"
    folder.mkdir()
    message = rf"live\.bin shrank while it was read: it had {BYTES} bytes .* and has 3000 now"
    with pytest.raises(CorpusError, match=message):
        read(opened(path), folder, progress=during(cut, path), backend=backend, threads=3)
    assert not list(folder.glob("*")) or list(folder.glob("*")) == [folder / "result"]


def test_a_table_names_the_bytes_that_were_counted(tmp_path: Path) -> None:
    path = write(tmp_path / "live.bin")
    icfast.count(opened(path), tmp_path / "table", order=2)
    (shard,) = json.loads((tmp_path / "table" / "table.json").read_text())["source"]["shards"]
    assert shard["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_changed_shard_is_a_problem_of_an_inspection(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path / "live.bin")
    largest = icfast.corpus.inspect.__globals__["largest_id"]

    def changed(shard: Any) -> int:
        append(path)
        return int(largest(shard))

    monkeypatch.setitem(icfast.corpus.inspect.__globals__, "largest_id", changed)
    (report,) = inspect(path, dtype="u2").shards
    assert "live.bin changed while it was read" in report.problems[0]


@pytest.mark.parametrize("suffix", [".index", ".bytes", ".json"])
def test_a_changed_sidecar_is_refused(tmp_path: Path, suffix: str) -> None:
    text = tmp_path / "a.txt"
    text.write_text("some words\n" * 400)
    icfast.tokenize(text, tmp_path / "a.ds")
    corpus = icfast.open(tmp_path / "a.ds")
    sidecar = tmp_path / f"a.ds{suffix}"
    sidecar.write_bytes(sidecar.read_bytes()[::-1])
    with pytest.raises(CorpusError, match=rf"a\.ds{suffix} changed while it was read"):
        icfast.spectra(corpus, order=1)


@pytest.mark.parametrize("name", ["a.txt", "a.jsonl"])
def test_a_text_that_grows_while_it_is_tokenised_is_refused(tmp_path: Path, name: str) -> None:
    path, line = tmp_path / name, '{"text": "some words"}\n'
    path.write_text(line)
    documents = read_texts([path], Skipped(), skip_bad=True)
    next(documents)
    with path.open("a") as file:
        file.write(line)
    with pytest.raises(CorpusError, match=rf"{name} changed while it was read: it had 23 bytes"):
        list(documents)


@needs_core
def test_a_model_that_is_cut_while_it_scores_is_refused(tmp_path: Path, backend: str) -> None:
    corpus = opened(write(tmp_path / "a.bin"))
    model = icfast.fit(corpus, order=3, output=tmp_path / "model")
    progress = during(cut, tmp_path / "model")
    with pytest.raises(ArtefactError, match="model shrank while it was read"):
        icfast.score(corpus, model, progress=progress, backend=backend)


@needs_core
def test_a_table_that_is_cut_while_it_is_fitted_is_refused(tmp_path: Path) -> None:
    corpus = opened(write(tmp_path / "a.bin"))
    table = icfast.count(corpus, tmp_path / "table", order=3)
    (windows,) = table.mapped_files
    progress = during(cut, windows.path)
    with pytest.raises(ArtefactError, match=r"windows\.run shrank while it was read"):
        icfast.fit(table, output=tmp_path / "model", progress=progress)
    assert not (tmp_path / "model").exists()
