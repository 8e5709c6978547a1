"""Corpora and what is known about them, as a notebook and a prompt show them."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import numpy as np

from icfast.corpus import inspect, open_corpus, tokenize


def write(path: Path, ids: list[int]) -> Path:
    np.array(ids, "<u2").tofile(path)
    return path


def cells(html: str) -> list[list[str]]:
    """Rows of all tables, as text."""
    tables = ElementTree.fromstring(f"<div>{html}</div>")
    return [[cell.text or "" for cell in row] for row in tables.iter("tr")]


def test_a_corpus_is_short_and_scans_nothing(tmp_path: Path) -> None:
    paths = [write(tmp_path / f"{number:02}.bin", [1, 0] * 600) for number in range(12)]
    corpus = open_corpus(paths, dtype="u2", eos_id=0)
    expected = "Corpus(12 shards, 14,400 tokens, eos_id=0, boundary='end', tokenizer=None)"
    assert repr(corpus) == expected
    rows = cells(corpus._repr_html_())
    assert rows[0] == ["file", "format", "dtype", "tokens"]
    assert rows[1] == ["00.bin", "raw", "u2", "1,200"]
    assert rows[11:13] == [["2 more", "", "", ""], ["all", "", "", "14,400"]]
    assert ["vocabulary", "largest id + 1"] in rows
    assert ["end id", "0"] in rows
    assert "vocab_size" not in vars(corpus), "measured only for its repr"
    assert corpus._documents == {}, "scanned only for its repr"
    assert repr(corpus.shards[0]) == f"Shard({str(paths[0])!r}, raw, u2, 1,200 tokens)"
    assert repr(corpus.documents_of(corpus.shards[0])) == "Documents(600 documents)"


def test_an_inspection_lists_its_problems(tmp_path: Path) -> None:
    found = inspect([write(tmp_path / "a<b>.bin", [5, 6]), tmp_path / "none"], dtype="u2")
    assert repr(found) == "Inspection(2 files, 2 tokens, 1 documents, 1 problems)"
    rows = cells(found._repr_html_())
    assert rows[1] == [str(tmp_path / "a<b>.bin"), "raw", "u2", "2", "1", "6", "4 B"]
    assert rows[2] == [str(tmp_path / "none"), *"––––––"]
    assert rows[3:] == [[found.all_problems[0]]]
    assert "Problems" not in inspect(tmp_path / "a<b>.bin", dtype="u2")._repr_html_()


def test_tokenized(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("hello")
    written = tokenize(tmp_path / "a.txt", tmp_path / "x.ds")
    assert repr(written) == f"Tokenized({str(tmp_path / 'x.ds')!r}, 1 documents, 5 tokens)"
    assert ["text", "5 B"] in cells(written._repr_html_())
