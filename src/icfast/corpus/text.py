"""Text files as a stream of documents: each file is one, each line of a .jsonl file is one."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from icfast.errors import CorpusError


@dataclass
class Skipped:
    """Documents left out while reading, counted as they are met.

    Attributes:
        empty: without any text.
        undecodable: not UTF-8, or not a JSON object with a "text" string.
    """

    empty: int = 0
    undecodable: int = 0


def text_files(paths: Iterable[Path], leave_out: Collection[Path] = ()) -> list[Path]:
    """The files of a list of files and folders, those of a folder sorted and with its sub-folders.

    `leave_out` are the files about to be written, which may lie in a folder that is read.

    Raises:
        CorpusError: there is no such file, a folder has none, or a file is about to be overwritten.
    """
    written = {path.resolve() for path in leave_out}
    files: list[Path] = []
    for path in paths:
        if path.is_dir():
            inside = sorted(file for file in path.rglob("*") if file.is_file())
            found = [file for file in inside if file.resolve() not in written]
        elif path.resolve() in written:
            raise CorpusError(
                f"{path} would be overwritten while it is read; choose another output"
            )
        else:
            found = [path] if path.is_file() else []
        if not found:
            raise CorpusError(f"{path} is no text file, nor a folder with files in it")
        files += found
    if not files:
        raise CorpusError("no text was given; name files or folders")
    return files


def read_texts(files: Iterable[Path], skipped: Skipped, *, skip_bad: bool) -> Iterator[bytes]:
    """Yield each document's text as valid UTF-8 bytes, none empty; line ends are left as they are.

    Raises:
        CorpusError: a document is not UTF-8, or a line not JSON with "text", and not `skip_bad`.
    """
    for path in files:
        documents = _lines(path) if path.suffix == ".jsonl" else _whole(path)
        try:
            for document in documents:
                if isinstance(document, CorpusError):
                    if not skip_bad:
                        raise document
                    skipped.undecodable += 1
                elif document:
                    yield document
                else:
                    skipped.empty += 1
        except OSError as error:
            raise CorpusError(f"cannot read {path}: {error.strerror}") from error


def _whole(path: Path) -> Iterator[bytes | CorpusError]:
    content = path.read_bytes()
    yield _not_utf8(path, content, 0) or content


def _lines(path: Path) -> Iterator[bytes | CorpusError]:
    position = 0
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            if line.strip():
                yield _not_utf8(path, line, position) or _field(path, number, line)
            position += len(line)


def _not_utf8(path: Path, content: bytes, position: int) -> CorpusError | None:
    try:
        content.decode("utf-8")
    except UnicodeDecodeError as error:
        return CorpusError(
            f"{path} is not UTF-8: byte 0x{content[error.start]:02x} at byte position "
            f"{position + error.start} ({error.reason}); convert it, or skip and count such "
            "documents (--skip-bad)"
        )
    return None


def _field(path: Path, number: int, line: bytes) -> bytes | CorpusError:
    try:
        record = json.loads(line)
        text = record["text"] if isinstance(record, dict) else None
        if isinstance(text, str):
            return text.encode("utf-8")  # fails on half a surrogate pair, which JSON can spell
        found = f"found {type(record).__name__}"
    except KeyError:
        found = f"found the keys {sorted(record)}"
    except ValueError as error:
        found = str(error)
    return CorpusError(
        f'line {number} of {path} should be a JSON object with a "text" string: {found}; correct '
        "it, or skip and count such lines (--skip-bad)"
    )
