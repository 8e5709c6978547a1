"""Detect the format of a file, and refuse a file that holds no ids.

Only this module knows every format.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from icfast.corpus.formats.datatrove import Datatrove
from icfast.corpus.formats.foreign import Foreign, foreign_content
from icfast.corpus.formats.llmc import LlmC
from icfast.corpus.formats.npy import Npy
from icfast.corpus.formats.plain_text import text_content
from icfast.corpus.formats.raw import Raw
from icfast.corpus.reader import Format, ReadOptions, map_file
from icfast.corpus.shard import Shard
from icfast.corpus.sidecar import SIDECAR_SUFFIXES
from icfast.errors import CorpusError, OptionError
from icfast.files import open_regular
from icfast.parallel.mapped_file import MappedFile

#: Formats in the order of detection. raw is last: it can only look at the file name.
FORMATS: tuple[Format, ...] = (LlmC(), Npy(), Datatrove(), Raw())
_RAW = FORMATS[-1]

_HEAD_BYTES = 16


def sniff(path: Path) -> Format | None:
    """Return the format that a file looks like, or None.

    Raises:
        CorpusError: the file can't be read.
    """
    try:
        with open_regular(path, CorpusError) as file:
            head = file.read(_HEAD_BYTES)
    except OSError as error:
        raise CorpusError(
            f"cannot read {path}: {error.strerror}. Check its permissions."
        ) from error
    return _sniffed(path, head)


def _sniffed(path: Path, head: bytes) -> Format | None:
    return next((known for known in FORMATS if known.sniff(path, head)), None)


def read_shard(path: Path, format_name: str | None, options: ReadOptions) -> Shard:
    """Map one file, in the named or detected format.

    Raises:
        OptionError: there is no format of that name.
        CorpusError: the file can't be read in that format, or its content is not ids.
    """
    named = None if format_name is None else _named(format_name)
    file = map_file(path)
    chosen = named or _detected(file, options.dtype)
    warnings = () if _has_magic(file, chosen) else _content_warnings(file, chosen, named, options)
    return replace(chosen.open(file, options), warnings=warnings)


def _named(name: str) -> Format:
    for known in FORMATS:
        if known.name == name:
            return known
    raise OptionError(
        f"format {name!r} is not one of {names_of_formats()}. Pass one of them, or none."
    )


def names_of_formats() -> str:
    """Return the names of all formats, for messages."""
    return ", ".join(known.name for known in FORMATS)


def _detected(file: MappedFile, dtype: str | None) -> Format:
    """Return the format of a file, or raw if a dtype is given."""
    path = file.path
    chosen = _sniffed(path, file.part(0, _HEAD_BYTES))
    if chosen is not None:
        return chosen
    if path.suffix in SIDECAR_SUFFIXES:
        raise CorpusError(
            f"{path} is a sidecar, not a file of ids. Name the file that it belongs to."
        )
    if dtype is None:
        found = _content(file, None)
        if found is not None:
            raise _no_ids(file, found)
        raise CorpusError(
            f"{path} has none of the known formats ({names_of_formats()}). Pass --dtype u2 (or "
            "u1, u4, i4) for a headerless file of ids, or run `icfast tokenize` on text first."
        )
    return _RAW


def _has_magic(file: MappedFile, chosen: Format) -> bool:
    return file.part(0, _HEAD_BYTES).startswith(chosen.magics) if chosen.magics else False


def _content_warnings(
    file: MappedFile, chosen: Format, named: Format | None, options: ReadOptions
) -> tuple[str, ...]:
    """Refuse content that is not ids. If the caller named the format, return a warning instead."""
    if chosen is _RAW:
        _refuse_header(file)
    # An index that fits the size shows ids: their content is not judged by statistics.
    found = foreign_content(file) if chosen.name == "datatrove" else _content(file, options.dtype)
    if found is None:
        return ()
    if named is None:
        raise _no_ids(file, found)
    return (
        f"{file.path} looks like {found.name}, not like token ids. icfast reads it as ids because "
        f"--format {named.name} was given.",
    )


def _content(file: MappedFile, dtype: str | None) -> Foreign | None:
    """Return what a headerless file holds instead of ids, or None."""
    # Ids of one byte may be text.
    return foreign_content(file) or (None if dtype == "u1" else text_content(file))


def _no_ids(file: MappedFile, found: Foreign) -> CorpusError:
    return CorpusError(
        f"{file.path} is not a file of token ids: it is {found.name}. "
        f"{found.advice.replace('FILE', str(file.path))} If it does hold ids, pass --format raw."
    )


def _refuse_header(file: MappedFile) -> None:
    """Refuse a file that is to be read as headerless but begins with a known header."""
    for known in FORMATS:
        if _has_magic(file, known):
            raise CorpusError(
                f"{file.path} is not headerless: it begins with the magic of format {known.name}. "
                f"Leave --format and --dtype out, or pass --format {known.name}."
            )
