"""Where the end id is: the format's own boundary, what the data shows, and `auto`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from icfast.corpus import inspect, open_corpus
from icfast.corpus.boundary import EdgeCounts, count_edges
from icfast.corpus.documents import all_documents
from icfast.corpus.source import merged_source
from icfast.errors import CorpusError, MergeError, OptionError

E = 50256
#: llm.c's order: the end id opens each document.
STARTING = [E, 5, 6, 7, E, 8, 9, E, 5, 6]
ENDING = [5, 6, 7, E, 8, 9, E, 5, 6, E]


def llmc(path: Path, ids: list[int]) -> Path:
    header = np.zeros(256, "<i4")
    header[:3] = 20240520, 1, len(ids)
    path.write_bytes(header.tobytes() + np.array(ids, "<u2").tobytes())
    return path


def raw(path: Path, ids: list[int]) -> Path:
    np.array(ids, "<u2").tofile(path)
    return path


def indexed(path: Path, documents: list[list[int]]) -> Path:
    np.cumsum([len(ids) for ids in documents]).astype("<u8").tofile(f"{path}.index")
    return raw(path, [token for ids in documents for token in ids])


def test_llmc_boundary_is_start_by_default(tmp_path: Path) -> None:
    corpus = open_corpus(llmc(tmp_path / "l.bin", STARTING), eos_id=E)
    assert (corpus.boundary, corpus.documents, corpus.warnings) == ("start", 3, ())


def test_other_formats_end_by_default(tmp_path: Path) -> None:
    np.save(tmp_path / "n.npy", np.array(ENDING, "<u2"))
    files = [raw(tmp_path / "r.bin", ENDING), tmp_path / "n.npy"]
    files.append(indexed(tmp_path / "d.ds", [ENDING[:4], ENDING[4:]]))
    for file in files:
        dtype = "u2" if file.suffix == ".bin" else None
        corpus = open_corpus(file, dtype=dtype, eos_id=E)
        assert (corpus.boundary, corpus.warnings) == ("end", ()), file


def test_formats_with_different_boundaries_ask(tmp_path: Path) -> None:
    np.save(tmp_path / "n.npy", np.array(ENDING, "<u2"))
    files = [llmc(tmp_path / "l.bin", STARTING), tmp_path / "n.npy"]
    with pytest.raises(CorpusError, match=r"llmc: start\)\. Pass --boundary end, start or auto"):
        open_corpus(files, eos_id=E)
    assert open_corpus(files, eos_id=E, boundary="end").documents == 7
    assert open_corpus(files).boundary == "end"  # without an end id there is nothing to cut


@pytest.mark.parametrize(
    ("ids", "used", "shown"), [(STARTING, "end", "start"), (ENDING, "start", "end")]
)
def test_a_boundary_that_the_data_contradicts(
    tmp_path: Path, ids: list[int], used: str, shown: str
) -> None:
    path = raw(tmp_path / "r.bin", ids)
    corpus = open_corpus(path, dtype="u2", eos_id=E, boundary=used)
    (warning,) = corpus.warnings
    assert f"boundary '{used}' contradicts the data" in warning
    assert "100.00 %" in warning
    assert "0.00 %" in warning
    assert f"Pass --boundary {shown}." in warning
    assert inspect(path, dtype="u2", eos_id=E, boundary=used).warnings == [warning]
    assert open_corpus(path, dtype="u2", eos_id=E, boundary="auto").boundary == shown
    assert open_corpus(path, dtype="u2", eos_id=E, boundary=shown).warnings == ()


def test_a_boundary_without_an_end_id_is_not_compared(tmp_path: Path) -> None:
    first = open_corpus(raw(tmp_path / "a.bin", [1, 2]), dtype="u2", vocab_size=9)
    path = raw(tmp_path / "b.bin", [3, 4])
    for options, same in (({}, True), ({"eos_id": 3}, False)):
        second = open_corpus(path, dtype="u2", vocab_size=9, boundary="start", **options)
        sources = [all_documents(corpus).source(2) for corpus in (first, second)]
        if same:
            assert merged_source(sources).boundary == "end"
        else:
            with pytest.raises(MergeError, match="cut at end id None, another 3"):
                merged_source(sources)


def test_auto_counts_documents_of_an_index(tmp_path: Path) -> None:
    path = indexed(tmp_path / "d.ds", [[E, 1], [E, 2, E], [3, E], [E, 4]])
    (shard,) = open_corpus(path).shards
    assert count_edges([shard], E) == EdgeCounts(4, 3, 2)
    assert count_edges([shard], E, cross_documents=True) == EdgeCounts(1, 1, 0)
    corpus = open_corpus(path, eos_id=E, boundary="auto")
    assert corpus.boundary == "start"
    assert "75.00 % begin with id 50256 and 50.00 % end" in open_corpus(path, eos_id=E).warnings[0]


def test_auto_is_decided_by_most_files(tmp_path: Path) -> None:
    # Shards that are cut anywhere have no end id at their edges, except by chance.
    files = [raw(tmp_path / f"{n}.bin", ids) for n, ids in enumerate([ENDING, [1, 2], [2, E, 3]])]
    assert open_corpus(files, dtype="u2", eos_id=E, boundary="auto").boundary == "end"


@pytest.mark.parametrize(("ids", "shares"), [([1, E, 2], "0.00"), ([E, 2, E, 1, E], "100.00")])
def test_auto_fails_on_a_tie_and_prints_both_shares(
    tmp_path: Path, ids: list[int], shares: str
) -> None:
    path = raw(tmp_path / "r.bin", ids)
    message = f"{shares} % begin with id 50256 and {shares} % end with it"
    with pytest.raises(CorpusError, match=message):
        open_corpus(path, dtype="u2", eos_id=E, boundary="auto")
    found = inspect(path, dtype="u2", eos_id=E, boundary="auto")
    assert not found.sound
    assert message in found.problems[0]
    assert found.boundary is None
    assert open_corpus(path, dtype="u2", eos_id=E).warnings == ()


def test_auto_needs_an_end_id(tmp_path: Path) -> None:
    path = raw(tmp_path / "r.bin", [1, 2])
    for call in (open_corpus, inspect):
        with pytest.raises(OptionError, match="needs an end id"):
            call(path, dtype="u2", boundary="auto")


def test_inspect_shows_the_ids_at_the_edges_of_documents(tmp_path: Path) -> None:
    # Id 1 is a BOS that one document of four lost; id 2 an EOS that all have.
    documents = [[1, 7, 2], [1, 8, 2], [9, 9, 2], [1, 7, 2]]
    for found in (
        inspect(indexed(tmp_path / "d.ds", documents)),
        inspect(indexed(tmp_path / "d.ds", documents), eos_id=2),
    ):
        assert [(one.id, one.documents, one.share) for one in found.first_ids] == [
            (1, 3, 0.75),
            (9, 1, 0.25),
        ]
        assert [(one.id, one.share) for one in found.last_ids] == [(2, 1.0)]
    assert found.edges == EdgeCounts(4, 0, 4)


@pytest.mark.parametrize("boundary", ["start", "end"])
def test_inspect_shows_the_ids_next_to_the_end_id(tmp_path: Path, boundary: str) -> None:
    documents = [[1, 7, 6], [1, 8, 6], [9, 9, 6]]
    held = [[E, *d] if boundary == "start" else [*d, E] for d in documents]
    path = raw(tmp_path / "r.bin", [token for ids in held for token in ids])
    found = inspect(path, dtype="u2", eos_id=E, boundary=boundary)
    assert [(one.id, one.documents) for one in found.first_ids] == [(1, 2), (9, 1)]
    assert [(one.id, one.documents) for one in found.last_ids] == [(6, 3)]


def test_an_end_id_that_never_occurs(tmp_path: Path) -> None:
    first, second = raw(tmp_path / "a.bin", ENDING), raw(tmp_path / "b.bin", [1, 2, 3])
    third = raw(tmp_path / "c.bin", [4])
    options = {"dtype": "u2", "eos_id": E}
    assert open_corpus(first, **options).warnings == ()  # type: ignore[arg-type]
    corpus = open_corpus([first, second, third], **options)  # type: ignore[arg-type]
    (warning,) = corpus.warnings
    assert f"eos_id {E} never occurs in {second} and in 1 more of 3 files" in warning
    found = inspect([first, second, third], **options)  # type: ignore[arg-type]
    assert [len(shard.warnings) for shard in found.shards] == [0, 1, 1]


def test_an_end_id_in_the_middle_of_an_indexed_document_occurs(tmp_path: Path) -> None:
    path = indexed(tmp_path / "d.ds", [[1, E, 2], [3, 4]])
    assert open_corpus(path, eos_id=E).warnings == ()
    assert open_corpus(path, eos_id=9, vocab_size=E + 1).warnings != ()
