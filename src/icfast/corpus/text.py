"""Read text files as a stream of documents.

The content of a file says what it is: JSON lines (each line a document), one JSON value (an array
of documents, or one), or plain text, which is one document.
"""

from __future__ import annotations

import codecs
import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import NoneType
from typing import Any, BinaryIO, Literal, NamedTuple

from icfast.corpus.formats.foreign import foreign_content
from icfast.errors import CorpusError
from icfast.files import OpenedFile, open_regular
from icfast.parallel.mapped_file import MappedFile

#: Suffixes of JSON lines, in lower case. A .json file may also be one JSON value.
_LINES = (".jsonl", ".ndjson", ".jsonlines", ".json")
_VALUE = ".json"

#: Bytes at the beginning of a file that show its encoding.
_HEAD_BYTES = 4096

#: Byte order marks of other encodings than UTF-8. The longer ones come first.
_OTHER_MARKS = {
    codecs.BOM_UTF32_LE: "UTF-32",
    codecs.BOM_UTF32_BE: "UTF-32",
    codecs.BOM_UTF16_LE: "UTF-16",
    codecs.BOM_UTF16_BE: "UTF-16",
}

#: Types of JSON values in messages.
_JSON_TYPES = {
    dict: "an object",
    list: "a list",
    str: "a string",
    bool: "a boolean",
    NoneType: "null",
}

Kind = Literal["lines", "value", "text"]


class Text(NamedTuple):
    """A document: its UTF-8 bytes and where it was read."""

    content: bytes
    path: Path
    line: int | None = None

    @property
    def where(self) -> str:
        """The file, and the line in it."""
        return str(self.path) if self.line is None else f"line {self.line} of {self.path}"


@dataclass
class Skipped:
    """Counts of documents left out while reading. The reader updates them.

    Attributes:
        empty: documents without text.
        undecodable: documents that are not UTF-8, or not a JSON object with a "text" string.
    """

    empty: int = 0
    undecodable: int = 0


def read_texts(files: Iterable[Path], skipped: Skipped, *, skip_bad: bool) -> Iterator[Text]:
    """Yield each document as valid, non-empty UTF-8. Line ends are kept, a byte order mark is not.

    Args:
        files: text files and JSON files.
        skipped: counts to update.
        skip_bad: whether to count undecodable documents instead of raising.

    Raises:
        CorpusError: a document is not UTF-8, or not a JSON object with "text".
    """
    for path in files:
        try:
            for document in _documents(path):
                if isinstance(document, CorpusError):
                    if not skip_bad:
                        raise document
                    skipped.undecodable += 1
                elif document.content:
                    yield document
                else:
                    skipped.empty += 1
        except OSError as error:
            raise CorpusError(
                f"cannot read {path}: {error.strerror}. Check its permissions."
            ) from error


def _documents(path: Path) -> Iterator[Text | CorpusError]:
    with open_regular(path, CorpusError) as file:
        opened = OpenedFile(path, CorpusError, os.fstat(file.fileno()))
        head = file.read(_HEAD_BYTES)
        other = _other_encoding(head)
        if other is not None:
            yield CorpusError(
                f"{path} is {other}, not UTF-8. Convert it (iconv -f {other} -t UTF-8), or skip "
                "and count such documents (--skip-bad)."
            )
            return
        start = len(codecs.BOM_UTF8) if head.startswith(codecs.BOM_UTF8) else 0
        kind = _kind(path, head[start:], file, start)
        file.seek(start)
        yield from _READERS[kind](path, file, start)
        opened.check_unchanged()


def _other_encoding(head: bytes) -> str | None:
    """Return the name of an encoding other than UTF-8 that the first bytes show, or None."""
    for mark, name in _OTHER_MARKS.items():
        if head.startswith(mark):
            return name
    even, odd = head[:-1:2], head[1::2]
    # Latin text in UTF-16 has a zero in every second byte.
    if len(head) >= 4 and any(not any(one) and all(other) for one, other in _swapped(even, odd)):
        return "UTF-16LE" if not any(odd) else "UTF-16BE"
    return None


def _swapped(even: bytes, odd: bytes) -> tuple[tuple[bytes, bytes], tuple[bytes, bytes]]:
    return (even, odd), (odd, even)


def _kind(path: Path, head: bytes, file: BinaryIO, start: int) -> Kind:
    """Return what a file is by its first line, or by its name if the line is not JSON."""
    suffix = path.suffix.lower()
    by_name: Kind = "lines" if suffix in _LINES else "text"
    if head.lstrip()[:1] not in (b"{", b"["):
        return by_name
    file.seek(start)
    lines = (line for line in file if line.strip())
    first = _parsed(next(lines).decode("utf-8", "replace"))
    if isinstance(first, dict):
        return "lines"
    if isinstance(first, list) and suffix not in _LINES:
        return "value" if first and isinstance(first[0], dict) else "text"
    if suffix == _VALUE and not _is_broken_line(head, first, lines):
        return "value"
    return by_name


def _is_broken_line(head: bytes, first: Any, more: Iterator[bytes]) -> bool:
    """Return whether the first line of a .json file is a bad line of JSON lines."""
    if head.lstrip()[:1] != b"{" or not isinstance(first, _NotJson):
        return False
    second = _parsed(next(more, b"").decode("utf-8", "replace"))
    return isinstance(second, dict) or first == _TOO_DEEP


def _whole(path: Path, file: BinaryIO, start: int) -> Iterator[Text | CorpusError]:
    content = file.read()
    refused = _not_utf8(path, content, start)
    if refused is not None or b"\0" in content[:_HEAD_BYTES]:
        refused = _not_text(path) or refused
    yield refused or Text(content, path)


def _not_text(path: Path) -> CorpusError | None:
    """Return the refusal of an archive, a table or another known format, or None."""
    found = foreign_content(MappedFile.open(path, CorpusError))
    if found is None:
        return None
    return CorpusError(
        f"{path} is not text: it is {found.name}. Pass its text as a file of UTF-8 or of JSON "
        "lines, or skip and count such documents (--skip-bad)."
    )


def _lines(path: Path, file: BinaryIO, position: int) -> Iterator[Text | CorpusError]:
    for number, line in enumerate(file, 1):
        if line.strip():
            yield _not_utf8(path, line, position) or _line(path, number, line)
        position += len(line)


def _line(path: Path, number: int, line: bytes) -> Text | CorpusError:
    # Files that were joined have a mark at the beginning of a line.
    value = _parsed(line.decode("utf-8").removeprefix("\ufeff"))
    found = _text_of(value)
    if isinstance(found, bytes):
        return Text(found, path, number)
    return CorpusError(
        f'line {number} of {path} should be a JSON object with a "text" string: {found}. Correct '
        "it, or skip and count such lines (--skip-bad)."
    )


def _value(path: Path, file: BinaryIO, start: int) -> Iterator[Text | CorpusError]:
    """Read one JSON value that covers the file: an object or an array of objects."""
    content = file.read()
    refused = _not_utf8(path, content, start)
    if refused is not None:
        yield refused
        return
    value = _parsed(content.decode("utf-8"))
    if not isinstance(value, list):
        found = _text_of(value)
        yield (
            Text(found, path)
            if isinstance(found, bytes)
            else CorpusError(
                f'{path} should be JSON lines, a JSON object with a "text" string, or an array of '
                f"such objects: {found}. Correct it, or skip and count it (--skip-bad)."
            )
        )
        return
    for number, item in enumerate(value, 1):
        found = _text_of(item)
        yield (
            Text(found, path)
            if isinstance(found, bytes)
            else CorpusError(
                f'item {number} of the array in {path} should be an object with a "text" string: '
                f"{found}. Correct it, or skip and count such items (--skip-bad)."
            )
        )


_READERS = {"lines": _lines, "value": _value, "text": _whole}


class _NotJson(str):
    """Reason why a text is no JSON."""


_TOO_DEEP = _NotJson("its values are nested too deeply to read")


def _parsed(text: str) -> Any:
    """Return the value of a JSON text, or the reason why there is none."""
    try:
        return json.loads(text)
    except RecursionError:
        return _TOO_DEEP
    except json.JSONDecodeError as error:
        return _NotJson(str(error))
    except ValueError:  # Python reads no integer of more than 4300 digits
        return json.loads(text, parse_int=float)


def _text_of(value: Any) -> bytes | str:
    """Return the text of a JSON object, or what was found instead."""
    if isinstance(value, _NotJson):
        return str(value)
    if not isinstance(value, dict):
        return f"found {_json_type(value)}"
    if "text" not in value:
        return f"found the keys {sorted(value)!s:.200}"
    text = value["text"]
    if not isinstance(text, str):
        return f'its "text" is {_json_type(text)}'
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError as error:  # half a surrogate pair, which JSON can express
        return str(error)


def _json_type(value: Any) -> str:
    return _JSON_TYPES.get(type(value), "a number")


def _not_utf8(path: Path, content: bytes, position: int) -> CorpusError | None:
    try:
        content.decode("utf-8")
    except UnicodeDecodeError as error:
        return CorpusError(
            f"{path} is not UTF-8: byte 0x{content[error.start]:02x} at byte position "
            f"{position + error.start} ({error.reason}). Convert it, or skip and count such "
            "documents (--skip-bad)."
        )
    return None
