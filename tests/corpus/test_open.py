"""open: paths, formats, options, and sidecars that contradict the options."""

from __future__ import annotations

import json
import os
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from icfast.corpus import CorpusOptions, inspect, open_corpus, tokenize
from icfast.errors import CorpusError, OptionError


def write_raw(path: Path, ids: list[int]) -> Path:
    np.array(ids, "<u2").tofile(path)
    return path


def describe(path: Path, **changes: Any) -> None:
    """Write (or change) the sidecar of a one-document FILE.ds."""
    content = {
        "schema_version": 1,
        "tokenizer": "bpe.json",
        "tokenizer_sha256": "ab",
        "vocab_size": 100,
        "eos_id": None,
        "dtype": "u2",
    }
    Path(f"{path}.json").write_text(json.dumps({**content, **changes}))


def described(path: Path, **changes: Any) -> Path:
    write_raw(path, [1, 2, 3])
    np.array([3], "<u8").tofile(f"{path}.index")
    describe(path, **changes)
    return path


def test_a_path_a_list_a_folder_and_a_pattern(tmp_path: Path) -> None:
    b, a = (write_raw(tmp_path / name, [1]) for name in ("b.bin", "a.bin"))
    cases: list[tuple[Any, list[Path]]] = [
        (a, [a]),
        (str(a), [a]),
        ([b, str(a)], [b, a]),
        (tmp_path, [a, b]),
        (tmp_path / "*.bin", [a, b]),
        (f"{tmp_path}/**/[ab].bin", [a, b]),
    ]
    for paths, expected in cases:
        corpus = open_corpus(paths, dtype="u2")
        assert [shard.path for shard in corpus.shards] == expected


def test_folder_takes_known_formats_and_no_sidecars(tmp_path: Path) -> None:
    ds = described(tmp_path / "c.ds")
    np.save(tmp_path / "b.npy", np.array([1, 2], "u2"))
    write_raw(tmp_path / "a.bin", [1])
    write_raw(tmp_path / ".a.bin.partial.bin", [1])
    for name in ("notes.txt", "c.ds.metadata", "other.json"):
        (tmp_path / name).write_text("{}")
    (tmp_path / "d.bin").mkdir()
    corpus = open_corpus(tmp_path, dtype="u2")
    assert [shard.format for shard in corpus.shards] == ["raw", "npy", "datatrove"]
    assert [shard.path for shard in open_corpus(tmp_path / "c.ds*").shards] == [ds]


def test_a_file_whose_name_is_a_pattern_is_taken_as_it_is(tmp_path: Path) -> None:
    path = write_raw(tmp_path / "a[1].bin", [1])
    assert open_corpus(path, dtype="u2").shards[0].path == path


def test_nothing_to_open(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("text")
    cases: list[tuple[Any, str]] = [
        (tmp_path / "none.bin", "none.bin: there is no such file or folder"),
        (tmp_path / "*.bin", "matches no file. Name the files"),
        (tmp_path, r"holds no file of a known format \(llmc, npy, datatrove, raw\)"),
        ([], "no path was given"),
    ]
    for path, message in cases:
        with pytest.raises(CorpusError, match=message):
            open_corpus(path, dtype="u2")


def test_unknown_format(tmp_path: Path) -> None:
    path = tmp_path / "x.u16"
    write_raw(path, [1, 2])
    with pytest.raises(
        CorpusError, match=r"none of the known formats .*--dtype u2.*icfast tokenize"
    ):
        open_corpus(path)
    assert open_corpus(path, dtype="u2").shards[0].format == "raw"
    with pytest.raises(OptionError, match="format 'megatron' is not one of llmc, npy, datatrove"):
        open_corpus(path, format="megatron")


def test_a_sidecar_is_not_a_shard(tmp_path: Path) -> None:
    described(tmp_path / "x.ds")
    with pytest.raises(CorpusError, match=r"x.ds.index is a sidecar, .* Name the file"):
        open_corpus(tmp_path / "x.ds.index", dtype="u4")


def test_a_pipe_cannot_be_mapped(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "x.bin")
    with pytest.raises(CorpusError, match="not a regular file"):
        open_corpus(tmp_path / "x.bin", dtype="u2")


def test_a_file_twice_is_refused_by_any_name(tmp_path: Path) -> None:
    path = write_raw(tmp_path / "x.bin", [1])
    link = tmp_path / "link.bin"
    link.symlink_to(path)
    for paths in ([path, path], [path, link], [tmp_path / "x.bin", tmp_path / "*.bin"]):
        with pytest.raises(CorpusError, match=r"is in the list twice .*counted twice"):
            open_corpus(paths, dtype="u2")


def test_empty_files(tmp_path: Path) -> None:
    empty = write_raw(tmp_path / "a.bin", [])
    full = write_raw(tmp_path / "b.bin", [1])
    with pytest.raises(CorpusError, match=r"a.bin holds no tokens. Take it out, .*--skip-bad"):
        open_corpus([empty, full], dtype="u2")
    corpus = open_corpus([empty, full], dtype="u2", skip_bad=True)
    assert corpus.skipped_files == (empty,)
    assert [shard.path for shard in corpus.shards] == [full]
    for skip_bad in (False, True):
        with pytest.raises(CorpusError, match=r"a.bin holds no tokens, nor does any other"):
            open_corpus(empty, dtype="u2", skip_bad=skip_bad)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"dtype": "u8"}, "dtype 'u8' is not one of u1, u2, u4, i4"),
        ({"dtype": ">u2"}, "is not one of"),
        ({"boundary": "middle"}, "boundary 'middle' is not one of end, start"),
        ({"vocab_size": 0}, "vocab_size 0 is not between 1 and"),
        ({"vocab_size": 2**32 + 1}, "is not between"),
        ({"eos_id": -1}, "eos_id -1 is negative"),
        ({"eos_id": 50257, "vocab_size": 50257}, "eos_id 50257 is outside the vocabulary of 50257"),
    ],
)
def test_options_without_meaning(tmp_path: Path, options: dict[str, Any], message: str) -> None:
    write_raw(tmp_path / "x.bin", [1])
    with pytest.raises(OptionError, match=message):
        open_corpus(tmp_path / "x.bin", **{"dtype": "u2", **options})


def test_options_as_a_record_or_as_keywords(tmp_path: Path) -> None:
    path = write_raw(tmp_path / "x.bin", [1, 0, 2, 0])
    options = CorpusOptions(dtype="u2", eos_id=0, boundary="start")
    corpus = open_corpus(path, options=options)
    assert (corpus.documents, corpus.eos_id, corpus.boundary) == (3, 0, "start")
    assert inspect(path, options=options).documents == 3
    for function in (open_corpus, inspect):
        with pytest.raises(OptionError, match="options and dtype, skip_bad are both given"):
            function(path, options=options, dtype="u2", skip_bad=True)
        with pytest.raises(OptionError, match="dtype 'u3' is not one of"):
            function(path, options=CorpusOptions(dtype="u3"))


def test_every_option_is_described_for_the_command_line() -> None:
    for option in fields(CorpusOptions):
        assert option.metadata["help"]
        assert option.metadata["panel"] == "Corpus options"
        assert (option.metadata["metavar"] is None) == (option.type == "bool")


def test_the_sidecar_fills_what_is_not_given(tmp_path: Path) -> None:
    path = described(tmp_path / "x.ds", eos_id=3)
    corpus = open_corpus(path)
    assert (corpus.vocab_size, corpus.vocab_size_given) == (100, True)
    assert (corpus.tokenizer, corpus.tokenizer_sha256) == ("bpe.json", "ab")
    assert corpus.eos_id == 3
    same = open_corpus(path, vocab_size=100, tokenizer="some/bpe.json", eos_id=3, dtype="u2")
    assert same.tokenizer == "bpe.json"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"vocab_size": 99}, "was written with vocab_size 100 .*, but 99 was given"),
        ({"tokenizer": "gpt2"}, "written with tokenizer 'bpe.json' .*, but 'gpt2' was given"),
        ({"eos_id": 4}, "written with eos_id 3 .*, but 4 was given"),
    ],
)
def test_what_contradicts_the_sidecar_is_refused(
    tmp_path: Path, given: dict[str, Any], message: str
) -> None:
    path = described(tmp_path / "x.ds", eos_id=3)
    with pytest.raises(CorpusError, match=message):
        open_corpus(path, **given)


def test_an_end_id_outside_the_sidecars_vocabulary(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="eos_id 100 is outside the vocabulary of 100"):
        open_corpus(described(tmp_path / "x.ds"), eos_id=100)


def test_shards_of_two_tokenizers_are_refused(tmp_path: Path) -> None:
    paths = [described(tmp_path / "x.ds"), described(tmp_path / "y.ds", tokenizer_sha256="cd")]
    with pytest.raises(CorpusError, match=r"y.ds was written with tokenizer_sha256 'cd'"):
        open_corpus(paths)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"schema_version": 2}, "schema_version 2; this icfast reads 1"),
        ({"vocab_size": "100"}, "'vocab_size' as int, found '100'"),
        ({"vocab_size": True}, "'vocab_size' as int, found True"),
        ({"eos_id": "x"}, "'eos_id' as int or null"),
        ({"dtype": "u8"}, "x.ds.json: dtype 'u8' is not one of"),
        ({"dtype": "u4"}, "states dtype u4, but by the index the ids are u2"),
    ],
)
def test_a_damaged_sidecar(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(CorpusError, match=message):
        open_corpus(described(tmp_path / "x.ds", **changes))


def test_a_sidecar_that_is_not_json(tmp_path: Path) -> None:
    path = described(tmp_path / "x.ds")
    for content, message in [("{", "is not JSON"), ("[]", "schema_version None")]:
        (tmp_path / "x.ds.json").write_text(content)
        with pytest.raises(CorpusError, match=message):
            open_corpus(path)


def test_a_tokenised_file_opens_by_itself(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("héllo", encoding="utf-8")
    tokenize(tmp_path / "a.txt", tmp_path / "x.ds")
    corpus = open_corpus(tmp_path / "x.ds")
    (shard,) = corpus.shards
    assert bytes(shard.tokens).decode() == "héllo"
    assert (corpus.vocab_size, corpus.tokenizer, corpus.documents) == (256, "bytes", 1)
    text_bytes = corpus.documents_of(shard).text_bytes
    assert text_bytes is not None
    assert text_bytes.tolist() == [6]
