"""Read text files as a stream of documents. Each line of a .jsonl file is a document."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from icfast.errors import CorpusError
from icfast.files import open_regular, require_regular


@dataclass
class Skipped:
    """Counts of documents left out while reading. The reader updates them.

    Attributes:
        empty: documents without text.
        undecodable: documents that are not UTF-8, or not a JSON object with a "text" string.
    """

    empty: int = 0
    undecodable: int = 0


def text_files(paths: Iterable[Path], leave_out: Collection[Path] = ()) -> list[Path]:
    """Return the files of a list of files and folders.

    A folder means all files in it and in its subfolders, sorted.

    Args:
        paths: files and folders.
        leave_out: files about to be written, which a folder may already contain.

    Raises:
        CorpusError: a path does not exist, a folder holds no file, or a named file is about to be
            overwritten.
    """
    written = {path.resolve() for path in leave_out}
    files: list[Path] = []
    for path in paths:
        if path.is_dir():
            inside = sorted(file for file in path.rglob("*") if file.is_file())
            found = [file for file in inside if file.resolve() not in written]
        elif path.resolve() in written:
            raise CorpusError(
                f"{path} is named as a text and would be overwritten by the output. "
                "Choose another output."
            )
        else:
            found = [path] if path.exists() else []
            for file in found:
                require_regular(file, CorpusError)
        if not found:
            raise CorpusError(
                f"{path} is neither a text file nor a folder with files. Check the path."
            )
        files += found
    if not files:
        raise CorpusError("no text was given. Name files or folders.")
    return files


def read_texts(files: Iterable[Path], skipped: Skipped, *, skip_bad: bool) -> Iterator[bytes]:
    """Yield the text of each document as valid, non-empty UTF-8 bytes. Line ends are kept.

    Args:
        files: text files and .jsonl files.
        skipped: counts to update.
        skip_bad: whether to count undecodable documents instead of raising.

    Raises:
        CorpusError: a document is not UTF-8, or a line is not JSON with "text".
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
            raise CorpusError(
                f"cannot read {path}: {error.strerror}. Check its permissions."
            ) from error


def _whole(path: Path) -> Iterator[bytes | CorpusError]:
    with open_regular(path, CorpusError) as file:
        content = file.read()
    yield _not_utf8(path, content, 0) or content


def _lines(path: Path) -> Iterator[bytes | CorpusError]:
    position = 0
    with open_regular(path, CorpusError) as file:
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
            f"{position + error.start} ({error.reason}). Convert it, or skip and count such "
            "documents (--skip-bad)."
        )
    return None


def _field(path: Path, number: int, line: bytes) -> bytes | CorpusError:
    try:
        record = json.loads(line)
        text = record["text"] if isinstance(record, dict) else None
        if isinstance(text, str):
            return text.encode("utf-8")  # fails for half a surrogate pair, which JSON can express
        found = f"found {type(record).__name__}"
    except KeyError:
        found = f"found the keys {sorted(record)}"
    except ValueError as error:
        found = str(error)
    return CorpusError(
        f'line {number} of {path} should be a JSON object with a "text" string: {found}. Correct '
        "it, or skip and count such lines (--skip-bad)."
    )
