"""tokenize: text to ids and back without loss, and no half-written files."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import resource
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from icfast.corpus import open_corpus, tokenize, train_bpe
from icfast.corpus import tokenize as tokenize_function
from icfast.errors import CorpusError, MissingExtraError, OptionError, ResourceError

module = sys.modules[tokenize_function.__module__]

TEXTS = ["the cat sat on the mat\n", "dé jà\r\nvu", "日本語 text", "\ttabs and  spaces "]


@pytest.fixture(scope="module")
def bpe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("bpe") / "bpe.json"
    assert train_bpe(TEXTS * 3, 290, path) == 290
    return path


def write_texts(folder: Path, texts: list[str]) -> list[Path]:
    folder.mkdir(exist_ok=True)
    paths = [folder / f"{number:02}.txt" for number in range(len(texts))]
    for path, text in zip(paths, texts, strict=True):
        path.write_bytes(text.encode("utf-8"))
    return paths


def documents(path: Path) -> list[list[int]]:
    corpus = open_corpus(path)
    (shard,) = corpus.shards
    documents = corpus.documents_of(shard)
    return [
        shard.tokens[a:b].tolist() for a, b in zip(documents.starts, documents.stops, strict=True)
    ]


def text_bytes(path: Path) -> list[int]:
    corpus = open_corpus(path)
    found = corpus.documents_of(corpus.shards[0]).text_bytes
    assert found is not None
    return [int(count) for count in found]


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_bytes_are_the_bytes(tmp_path: Path) -> None:
    files = write_texts(tmp_path / "in", TEXTS)
    summary = tokenize(files, tmp_path / "x.ds")
    assert [bytes(ids).decode("utf-8") for ids in documents(tmp_path / "x.ds")] == TEXTS
    lengths = [len(text.encode("utf-8")) for text in TEXTS]
    assert text_bytes(tmp_path / "x.ds") == lengths
    assert (summary.documents, summary.tokens, summary.text_bytes) == (
        4,
        sum(lengths),
        sum(lengths),
    )
    assert (tmp_path / "x.ds").stat().st_size == sum(lengths)
    assert names(tmp_path) == ["in", "x.ds", "x.ds.bytes", "x.ds.index", "x.ds.json"]
    assert json.loads((tmp_path / "x.ds.json").read_bytes()) == {
        "schema_version": 1,
        "tokenizer": "bytes",
        "tokenizer_sha256": None,
        "vocab_size": 256,
        "eos_id": None,
        "dtype": "u1",
    }


def test_a_tokenizer_file_loses_nothing(tmp_path: Path, bpe: Path) -> None:
    import tokenizers

    files = write_texts(tmp_path / "in", TEXTS)
    summary = tokenize(files, tmp_path / "x.ds", tokenizer=bpe)
    tokenizer = tokenizers.Tokenizer.from_file(str(bpe))
    assert [tokenizer.decode(ids) for ids in documents(tmp_path / "x.ds")] == TEXTS
    assert text_bytes(tmp_path / "x.ds") == [len(text.encode("utf-8")) for text in TEXTS]
    corpus = open_corpus(tmp_path / "x.ds")
    assert (corpus.tokenizer, corpus.vocab_size) == ("bpe.json", 290)
    assert corpus.tokenizer_sha256 == hashlib.sha256(bpe.read_bytes()).hexdigest()
    assert corpus.shards[0].dtype == "u2"
    assert summary.tokens == corpus.tokens < summary.text_bytes


def test_an_end_id_is_appended_and_recorded(tmp_path: Path, bpe: Path) -> None:
    files = write_texts(tmp_path / "in", TEXTS)
    plain = tokenize(files, tmp_path / "x.ds", tokenizer=bpe)
    ended = tokenize(files, tmp_path / "y.ds", tokenizer=bpe, eos_id=289)
    assert ended.tokens == plain.tokens + len(TEXTS)
    expected = [[*ids, 289] for ids in documents(tmp_path / "x.ds")]
    assert documents(tmp_path / "y.ds") == expected
    assert open_corpus(tmp_path / "y.ds").eos_id == 289
    assert text_bytes(tmp_path / "y.ds") == text_bytes(tmp_path / "x.ds")


def test_truncation_and_padding_of_the_file_are_off(tmp_path: Path, bpe: Path) -> None:
    import tokenizers

    tokenizer = tokenizers.Tokenizer.from_file(str(bpe))
    tokenizer.enable_truncation(2)
    tokenizer.enable_padding(length=50)
    tokenizer.save(str(tmp_path / "cut.json"))
    files = write_texts(tmp_path / "in", TEXTS)
    tokenize(files, tmp_path / "x.ds", tokenizer=bpe)
    tokenize(files, tmp_path / "y.ds", tokenizer=tmp_path / "cut.json")
    assert documents(tmp_path / "x.ds") == documents(tmp_path / "y.ds")


def test_a_large_vocabulary_takes_four_bytes(tmp_path: Path) -> None:
    import tokenizers

    words = {f"w{number}": number for number in range(1 << 16)} | {"last": 1 << 16}
    tokenizer = tokenizers.Tokenizer(tokenizers.models.WordLevel(words, unk_token="w0"))
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    tokenizer.save(str(tmp_path / "words.json"))
    files = write_texts(tmp_path / "in", ["w5 last"])
    tokenize(files, tmp_path / "x.ds", tokenizer=tmp_path / "words.json")
    assert documents(tmp_path / "x.ds") == [[5, 1 << 16]]
    assert open_corpus(tmp_path / "x.ds").shards[0].dtype == "u4"


@pytest.mark.ci
@given(st.lists(st.text(), min_size=1, max_size=20).filter(any))
def test_jsonl_round_trip(tmp_path_factory: pytest.TempPathFactory, texts: list[str]) -> None:
    folder = tmp_path_factory.mktemp("jsonl")
    lines = [json.dumps({"id": 1, "text": text}) + "\n" for text in texts]
    (folder / "x.jsonl").write_text("\n".join(lines))
    summary = tokenize(folder / "x.jsonl", folder / "x.ds")
    kept = [text for text in texts if text]
    assert [bytes(ids).decode("utf-8") for ids in documents(folder / "x.ds")] == kept
    assert (summary.documents, summary.skipped_empty) == (len(kept), len(texts) - len(kept))


def test_batches_do_not_show(tmp_path: Path, bpe: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = write_texts(tmp_path / "in", TEXTS)
    tokenize(files, tmp_path / "x.ds", tokenizer=bpe)
    monkeypatch.setattr(module, "_BATCH_BYTES", 1)
    tokenize(files, tmp_path / "y.ds", tokenizer=bpe)
    for suffix in ("", ".index", ".bytes", ".json"):
        x, y = (Path(f"{tmp_path}/{name}.ds{suffix}").read_bytes() for name in "xy")
        assert x == y


def test_a_folder_is_read_deep_and_sorted_without_the_output(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    (folder / "b").mkdir(parents=True)
    (folder / "b" / "deep.txt").write_text("2")
    (folder / "c.jsonl").write_text('{"text": "3"}\n{"text": "4"}\n')
    (folder / "a.txt").write_text("1")
    for overwrite in (False, True):  # then the first output is in the folder
        tokenize(folder, folder / "x.ds", overwrite=overwrite)
        assert [bytes(ids) for ids in documents(folder / "x.ds")] == [b"1", b"2", b"3", b"4"]


def test_empty_texts_are_counted_and_left_out(tmp_path: Path) -> None:
    files = write_texts(tmp_path / "in", ["", "a", ""])
    summary = tokenize(files, tmp_path / "x.ds")
    assert (summary.documents, summary.skipped_empty) == (1, 2)
    assert open_corpus(tmp_path / "x.ds").documents == 1
    with pytest.raises(CorpusError, match=r"00.txt holds no text: 1 documents are empty"):
        tokenize(files[0], tmp_path / "y.ds")
    assert names(tmp_path) == ["in", "x.ds", "x.ds.bytes", "x.ds.index", "x.ds.json"]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("x.txt", b"ab\xffcd", r"x.txt is not UTF-8: byte 0xff at byte position 2 .*--skip-bad"),
        ("x.txt", b"abc\xe2\x82", "byte 0xe2 at byte position 3 .unexpected end"),
        ("x.jsonl", b'{"text": "a"}\n{"text": "\xff"}\n', "byte 0xff at byte position 24"),
        ("x.jsonl", b'{"text": "a"}\n{"text": \n', 'line 2 of .*x.jsonl should be a JSON .*"text"'),
        ("x.jsonl", b'{"body": "a"}\n', r"line 1 .*found the keys \['body'\]"),
        ("x.jsonl", b'{"text": 3}\n', 'line 1 of .*its "text" is a number'),
        ("x.jsonl", b"[1]\n", "line 1 of .*found a list"),
        ("x.jsonl", b'{"text": "\\ud800"}\n', "line 1 of .*surrogates not allowed"),
    ],
)
def test_undecodable_text_is_refused_or_counted(
    tmp_path: Path, name: str, content: bytes, message: str
) -> None:
    (tmp_path / name).write_bytes(content)
    (tmp_path / "good.txt").write_text("good")
    texts = [tmp_path / "good.txt", tmp_path / name]
    with pytest.raises(CorpusError, match=message):
        tokenize(texts, tmp_path / "x.ds")
    assert names(tmp_path) == sorted(["good.txt", name])
    summary = tokenize(texts, tmp_path / "x.ds", skip_bad=True)
    assert summary.skipped_undecodable == 1
    assert bytes(documents(tmp_path / "x.ds")[0]) == b"good"


def test_no_such_text(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for path in (tmp_path / "none.txt", tmp_path / "empty"):
        with pytest.raises(CorpusError, match="is neither a text file nor a folder with files"):
            tokenize(path, tmp_path / "x.ds")
    with pytest.raises(CorpusError, match="no text was given"):
        tokenize([], tmp_path / "x.ds")


def test_output_names(tmp_path: Path) -> None:
    (file,) = write_texts(tmp_path / "in", ["a"])
    with pytest.raises(OptionError, match=r"must end in \.ds"):
        tokenize(file, tmp_path / "x.bin")
    with pytest.raises(OptionError, match="its folder does not exist"):
        tokenize(file, tmp_path / "none" / "x.ds")
    with pytest.raises(CorpusError, match="would be overwritten"):
        tokenize(file.rename(tmp_path / "x.ds"), tmp_path / "x.ds")


def test_an_unreadable_text_is_not_blamed_on_the_output(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (file,) = write_texts(tmp_path / "in", ["a"])

    def refuse(*_: object) -> bytes:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr("icfast.corpus.text.open_regular", refuse)
    with pytest.raises(CorpusError, match=r"cannot read .*00.txt: Permission denied"):
        tokenize(file, tmp_path / "x.ds")


@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError])
def test_interruption_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: type[BaseException]
) -> None:
    files = write_texts(tmp_path / "in", ["a", "b"])
    read_texts = module.read_texts

    def interrupted(*args: Any, **options: Any) -> Iterator[bytes]:
        yield next(read_texts(*args, **options))
        raise error

    monkeypatch.setattr(module, "read_texts", interrupted)
    monkeypatch.setattr(module, "_BATCH_BYTES", 1)
    with pytest.raises(error):
        tokenize(files, tmp_path / "x.ds")
    assert names(tmp_path) == ["in"]


def test_a_full_disk_leaves_nothing(tmp_path: Path) -> None:
    files = write_texts(tmp_path / "in", ["x" * 50_000])
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, hard))
    try:
        with pytest.raises(ResourceError, match=r"cannot write .*x.ds: .*nothing was left"):
            tokenize(files, tmp_path / "x.ds")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert names(tmp_path) == ["in"]


def test_tokenizers_that_are_none(tmp_path: Path, bpe: Path) -> None:
    (file,) = write_texts(tmp_path / "in", ["a"])
    (tmp_path / "bad.json").write_text("{}")
    cases: list[tuple[str | Path, int | None, str]] = [
        ("gpt2", None, "tokenizer gpt2 is neither 'bytes' nor a file"),
        (tmp_path / "bad.json", None, "is not a tokenizer of the tokenizers package"),
        (bpe, 290, "eos_id 290 is outside the 290 ids"),
        ("bytes", 0, "all 256 ids are text"),
    ]
    for tokenizer, eos_id, message in cases:
        with pytest.raises(OptionError, match=message):
            tokenize(file, tmp_path / "x.ds", tokenizer=tokenizer, eos_id=eos_id)
    assert names(tmp_path) == ["bad.json", "in"]


def test_without_the_tokenizers_package(
    tmp_path: Path, bpe: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    (file,) = write_texts(tmp_path / "in", ["a"])
    assert tokenize(file, tmp_path / "x.ds").documents == 1
    for work in (
        lambda: tokenize(file, tmp_path / "y.ds", tokenizer=bpe),
        lambda: train_bpe(TEXTS, 290, tmp_path / "y.json"),
    ):
        with pytest.raises(MissingExtraError, match=r"pip install 'icfast\[tokenize\]'"):
            work()


def test_training_is_deterministic_and_knows_all_bytes(tmp_path: Path, bpe: Path) -> None:
    import tokenizers

    assert train_bpe(TEXTS * 3, 290, tmp_path / "again.json") == 290
    assert (tmp_path / "again.json").read_bytes() == bpe.read_bytes()
    tokenizer = tokenizers.Tokenizer.from_file(str(bpe))
    unseen = "\x00\x7f ÿ𝄞 zq"
    assert tokenizer.decode(tokenizer.encode(unseen).ids) == unseen


def test_training_bounds(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="vocab_size 255 is below the 256 bytes"):
        train_bpe(TEXTS, 255, tmp_path / "x.json")
    assert 256 <= train_bpe(["ab ab"], 1000, tmp_path / "x.json") < 1000
    assert names(tmp_path) == ["x.json"]
