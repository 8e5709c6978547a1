"""What a text file is, by its content: JSON lines, one JSON value or plain text; its encoding."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from pathlib import Path

import pytest

from icfast.corpus.text import Skipped, Text, read_texts
from icfast.errors import CorpusError

LINES = '{"text": "one"}\n{"text": "three"}\n'


def read(path: Path, content: str | bytes, skipped: Skipped | None = None) -> list[str]:
    """The documents of a file; a `skipped` counts bad ones instead of raising."""
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    found = read_texts([path], skipped or Skipped(), skip_bad=skipped is not None)
    return [text.content.decode() for text in found]


@pytest.mark.parametrize(
    "name", ["l.jsonl", "l.json", "l.ndjson", "l.JSONL", "l.jsonlines", "l.Json", "l.txt", "l"]
)
def test_json_lines_names(tmp_path: Path, name: str) -> None:
    assert read(tmp_path / name, LINES) == ["one", "three"]
    assert read(tmp_path / name, "\n \n" + LINES.replace("\n", "\r\n\r\n")) == ["one", "three"]


@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("name", ["a.json", "a.JSON"])
def test_one_json_value(tmp_path: Path, indent: int | None, name: str) -> None:
    items = [{"text": "one", "id": 1}, {"id": 2, "text": "three\n"}]
    for value, expected in ((items, ["one", "three\n"]), (items[0], ["one"]), ([], [])):
        assert read(tmp_path / name, json.dumps(value, indent=indent)) == expected


def test_an_array_of_objects_is_one_under_any_name(tmp_path: Path) -> None:
    assert read(tmp_path / "a.txt", '[{"text": "one"}, {"text": "two"}]\n') == ["one", "two"]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        (
            "a.json",
            '{\n "name": "icfast",\n "version": 2\n}',
            r"found the keys \['name', 'version'",
        ),
        ("a.json", '[\n {"text": "a"},\n {"body": "b"}\n]', r"item 2 of the array in .*\['body'\]"),
        ("a.json", "[1, 2]", "item 1 of the array in .*found a number"),
        (
            "a.json",
            '{\n "text": "a"\n}\n{\n "text": "b"\n}',
            "a.json should be JSON lines, .*Extra",
        ),
        ("a.json", "word", "line 1 of .*Expecting value"),
        ("a.json", '"word"', "line 1 of .*found a string"),
        ("a.txt", '{"body": "x"}\nmore', r"line 1 of .*found the keys \['body'\]"),
        ("a.jsonl", '{"text": null}', 'line 1 of .*its "text" is null'),
        ("a.jsonl", '{"text": ["a"]}', 'line 1 of .*its "text" is a list'),
        ("a.jsonl", '{"text": true}', 'line 1 of .*its "text" is a boolean'),
        ("a.jsonl", '{"text": "a"}{"text": "b"}', "line 1 of .*Extra data"),
    ],
)
def test_json_without_a_text_is_refused(
    tmp_path: Path, name: str, content: str, message: str
) -> None:
    with pytest.raises(CorpusError, match=message) as refused:
        read(tmp_path / name, content)
    assert "found dict" not in str(refused.value)


@pytest.mark.parametrize(
    "content", ["[section]\nkey = 1\n", "{\n  int x;\n}\n", "[1, 2]\n", '{"text": "a"', "[[[["]
)
def test_other_text_in_brackets_is_plain_text(tmp_path: Path, content: str) -> None:
    assert read(tmp_path / "a.txt", content) == [content]


@pytest.mark.parametrize("name", ["d.jsonl", "d.json"])
@pytest.mark.parametrize("at", [0, 1])
def test_deep_json_is_a_bad_line(tmp_path: Path, name: str, at: int) -> None:
    lines = ['{"text": "ok"}', '{"text": "ok"}']
    lines.insert(at, '{"text": "a", "m": ' + "[" * 20_000 + "]" * 20_000 + "}")
    content = "\n".join(lines)
    with pytest.raises(CorpusError, match=rf"line {at + 1} of .*nested too deeply"):
        read(tmp_path / name, content)
    skipped = Skipped()
    assert read(tmp_path / name, content, skipped) == ["ok", "ok"]
    assert skipped.undecodable == 1


def test_a_deep_json_value_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="nested too deeply"):
        read(tmp_path / "d.json", "[" * 100_000)


def test_a_broken_first_line_of_json_lines_is_one_bad_line(tmp_path: Path) -> None:
    skipped = Skipped()
    assert read(tmp_path / "l.json", '{"text": \n' + LINES, skipped) == ["one", "three"]
    assert skipped.undecodable == 1


@pytest.mark.parametrize("name", ["a.txt", "a.jsonl", "a.json"])
def test_a_byte_order_mark_is_dropped(tmp_path: Path, name: str) -> None:
    content, expected = ("one", ["one"]) if name == "a.txt" else (LINES, ["one", "three"])
    assert read(tmp_path / name, b"\xef\xbb\xbf" + content.encode()) == expected
    assert read(tmp_path / name, "\ufeff" + content) == expected


def test_a_byte_order_mark_alone_is_an_empty_document(tmp_path: Path) -> None:
    skipped = Skipped()
    assert read(tmp_path / "a.txt", b"\xef\xbb\xbf", skipped) == []
    assert (skipped.empty, skipped.undecodable) == (1, 0)


def test_a_mark_of_a_joined_file_is_dropped_but_not_one_inside_a_text(tmp_path: Path) -> None:
    joined = "\ufeff" + LINES + "\ufeff" + json.dumps({"text": "\ufefffour"}, ensure_ascii=False)
    assert read(tmp_path / "a.jsonl", joined) == ["one", "three", "\ufefffour"]


def test_positions_count_the_mark(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="byte 0xff at byte position 5 "):
        read(tmp_path / "a.txt", b"\xef\xbb\xbfab\xff")


@pytest.mark.parametrize(
    ("encoding", "said"),
    [
        ("utf-16", "UTF-16"),
        ("utf-16-le", "UTF-16LE"),
        ("utf-16-be", "UTF-16BE"),
        ("utf-32", "UTF-32"),
    ],
)
@pytest.mark.parametrize("name", ["a.txt", "a.jsonl"])
def test_other_encodings_are_named(tmp_path: Path, encoding: str, said: str, name: str) -> None:
    content = LINES.encode(encoding)
    with pytest.raises(CorpusError, match=rf"is {said}, not UTF-8. Convert it .iconv -f {said} "):
        read(tmp_path / name, content)
    skipped = Skipped()
    assert read(tmp_path / name, content, skipped) == []
    assert skipped.undecodable == 1


def test_a_number_of_many_digits_does_not_matter(tmp_path: Path) -> None:
    line = '{"text": "a", "n": ' + "9" * 5000 + "}\n"
    assert read(tmp_path / "a.jsonl", line + LINES) == ["a", "one", "three"]


def test_archives_are_named(tmp_path: Path) -> None:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("a.txt"), io.BytesIO(b""))
    for stored, name in (
        (gzip.compress(b"some text"), "data compressed by gzip"),
        (content.getvalue(), "a tar archive"),
    ):
        with pytest.raises(CorpusError, match=f"is not text: it is {name}"):
            read(tmp_path / "a.txt", stored)
        skipped = Skipped()
        assert read(tmp_path / "a.txt", stored, skipped) == []
        assert skipped.undecodable == 1


def test_zeros_alone_are_no_encoding(tmp_path: Path) -> None:
    assert read(tmp_path / "a.txt", b"a\0b\0\0\0c") == ["a\0b\0\0\0c"]


def test_a_text_says_where_it_was_read(tmp_path: Path) -> None:
    path = tmp_path / "l.jsonl"
    path.write_text("\n" + LINES)
    found = list(read_texts([path], Skipped(), skip_bad=False))
    assert found[0] == Text(b"one", path, 2)
    assert found[1].where == f"line 3 of {path}"


def test_white_space_is_no_document_of_json_lines(tmp_path: Path) -> None:
    assert read(tmp_path / "a.jsonl", " " * 5000 + "\n") == []
    assert read(tmp_path / "a.txt", "  ") == ["  "]
