"""Which files of a folder are texts: no hidden ones, none twice, none that icfast wrote."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import icfast
from icfast.corpus import open_corpus, tokenize
from icfast.corpus.text_files import text_files
from icfast.errors import CorpusError


@pytest.fixture
def texts(tmp_path: Path) -> Path:
    folder = tmp_path / "texts"
    folder.mkdir()
    (folder / "a.txt").write_text("alpha beta gamma")
    return folder


def names(paths: list[Path]) -> list[str]:
    return [path.name for path in paths]


def test_folder_of_texts_without_hidden_files(texts: Path, tmp_path: Path) -> None:
    (texts / ".ipynb_checkpoints").mkdir()
    (texts / ".ipynb_checkpoints" / "a-checkpoint.txt").write_text("alpha")
    (texts / ".gitattributes").write_text("*.txt text")
    (texts / "._a.txt").write_bytes(b"\0\5\26\7Mac OS X")
    written = tokenize(texts, tmp_path / "x.ds")
    assert (written.documents, written.left_out["hidden"]) == (1, 3)
    assert "3 hidden files and folders" in written.warnings[0]
    assert str(texts / ".gitattributes") in written.warnings[0]
    named = tokenize([texts, texts / ".gitattributes"], tmp_path / "y.ds")
    assert named.documents == 2


def test_folder_of_texts_with_files_twice(texts: Path, tmp_path: Path) -> None:
    file = texts / "a.txt"
    (texts / "linked.txt").symlink_to(file)
    os.link(file, texts / "same-inode.txt")
    for paths, repeated in (
        ([texts], 2),
        ([file, file], 1),
        ([texts, file], 3),
        ([texts, texts], 3),
        ([file, texts / "../texts/a.txt"], 1),
    ):
        found = text_files(paths)
        assert (len(found.files), len(found.left_out["repeated"])) == (1, repeated), paths
        assert "that are in the list twice" in found.messages()[0]


def test_folder_of_texts_with_linked_folders(texts: Path, tmp_path: Path) -> None:
    more = tmp_path / "more"
    (more / "deep").mkdir(parents=True)
    (more / "c.txt").write_text("zeta")
    (more / "deep" / "d.txt").write_text("eta")
    (texts / "link").symlink_to(more)
    (more / "back").symlink_to(texts)
    found = text_files([texts])
    assert names(found.files) == ["a.txt", "c.txt", "d.txt"]
    assert names(found.left_out["repeated"]) == ["back"]
    # A file keeps the name in the real folder, wherever the link comes in the order.
    (tmp_path / "a-link").symlink_to(more)
    assert more / "c.txt" in text_files([tmp_path]).files


def test_paths_that_are_no_files_are_counted(texts: Path) -> None:
    (texts / "loop").symlink_to("loop")
    (texts / "broken").symlink_to("nowhere")
    os.mkfifo(texts / "pipe")
    found = text_files([texts])
    assert names(found.files) == ["a.txt"]
    assert names(found.left_out["unreadable"]) == ["broken", "loop", "pipe"]
    with pytest.raises(CorpusError, match=r"cannot read .*loop: Too many levels of symbolic links"):
        text_files([texts / "loop"])
    with pytest.raises(CorpusError, match="is neither a text file nor a folder with files"):
        text_files([texts / "broken"])


def test_folder_of_texts_with_earlier_outputs(texts: Path, tmp_path: Path) -> None:
    tokenize(texts, texts / "one.ds")
    (texts / "one.ds.metadata").write_text("datatrove's")
    corpus = open_corpus(texts / "one.ds")
    icfast.count(corpus, texts / "table", order=2)
    icfast.fit(corpus, order=2, output=texts / "model")
    (texts / "b.txt").write_text("other words, so that there are two documents")
    two = open_corpus(tokenize(texts, tmp_path / "two.ds").output)
    icfast.measure(two, texts / "measured", order=2, heldout=0.29)
    found = text_files([texts])
    assert names(found.files) == ["a.txt", "b.txt"]
    own = names(found.left_out["own"])
    assert {"one.ds", "one.ds.bytes", "one.ds.index", "one.ds.json", "one.ds.metadata"} < set(own)
    assert {"table", "model", "result.json", "manifest.json", "model.icfast"} < set(own)
    assert "files and folders that icfast wrote" in found.messages()[0]
    with pytest.raises(CorpusError, match=r"no text file is left to read. left out: 1 files"):
        tokenize(texts / "one.ds.json", tmp_path / "y.ds")


def test_losses_and_arpa_text_are_outputs(texts: Path, tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    corpus = open_corpus(tokenize(texts, tmp_path / "x.ds").output)
    model = icfast.fit(corpus, order=2)
    parquet.write_table(icfast.score(corpus, model).to_arrow(), texts / "losses.parquet")
    (texts / "model.arpa").write_text("\\data\\\nngram 1=3\n")
    found = text_files([texts])
    assert names(found.files) == ["a.txt"]
    assert names(found.left_out["own"]) == ["losses.parquet", "model.arpa"]


def test_files_that_only_look_like_outputs_are_texts(texts: Path) -> None:
    (texts / "a.txt.index").write_text("an index of words, not of ids")
    (texts / "result.json").write_text('{"text": "mine"}')
    (texts / "notes.metadata").write_text("notes")
    found = text_files([texts])
    assert len(found.files) == 4
    assert found.messages() == []


def test_the_tokenizer_of_the_command_is_no_text(texts: Path, tmp_path: Path) -> None:
    from icfast.corpus import train_bpe

    train_bpe(["alpha beta gamma"], 260, texts / "tokenizer.json")
    written = tokenize(texts, tmp_path / "x.ds", tokenizer=texts / "tokenizer.json")
    assert (written.documents, written.left_out["own"]) == (1, 1)


def test_a_pattern_names_files(texts: Path, tmp_path: Path) -> None:
    (texts / "b.md").write_text("beta")
    assert names(text_files([texts / "*.md"]).files) == ["b.md"]
    with pytest.raises(CorpusError, match="matches no file"):
        text_files([texts / "*.rst"])


def test_a_long_list_of_left_out_files_is_shortened(texts: Path) -> None:
    for number in range(9):
        (texts / f".{number}").touch()
    (message,) = text_files([texts]).messages()
    assert message.startswith("left out: 9 hidden files and folders (")
    assert message.endswith(".2 and 6 more)")
