"""Open a corpus from paths. Only this module knows every format."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

from icfast.corpus.boundary import choose_boundary
from icfast.corpus.corpus import Corpus
from icfast.corpus.formats.datatrove import Datatrove
from icfast.corpus.formats.llmc import LlmC
from icfast.corpus.formats.npy import Npy
from icfast.corpus.formats.raw import Raw
from icfast.corpus.options import CorpusOptions, check_ids, combined
from icfast.corpus.reader import Format, ReadOptions, starts_with
from icfast.corpus.shard import Shard
from icfast.corpus.sidecar import SIDECAR_SUFFIXES
from icfast.errors import CorpusError, OptionError

AnyPath: TypeAlias = "str | os.PathLike[str]"
T = TypeVar("T", int, str)

#: Formats in the order of detection. raw is last: it can only look at the file name.
FORMATS: tuple[Format, ...] = (LlmC(), Npy(), Datatrove(), Raw())
_RAW = FORMATS[-1]

#: First bytes of formats that icfast does not read. A headerless file never begins with them.
_FOREIGN = {
    b"MMIDIDX\0\0": "a Megatron index",
    b"TNTIDX\0\0": "a NeoX index",
    b"LITPKDS": "a TinyLlama shard",
    (278895051).to_bytes(4, "little"): "a NeMo Automodel shard",
    b"PAR1": "a Parquet file",
    b"ARROW1": "an Arrow file",
    b"\xfd7zXZ\0": "a file compressed by xz",
    b"\x28\xb5\x2f\xfd": "a file compressed by zstd",
}


def as_paths(paths: AnyPath | Iterable[AnyPath]) -> list[Path]:
    """Return one path or several as a list.

    >>> [path.as_posix() for path in as_paths("a/*.bin")]
    ['a/*.bin']
    """
    if isinstance(paths, str | os.PathLike):
        return [Path(paths)]
    return [Path(path) for path in paths]


def expand(path: Path) -> list[Path]:
    """Return the shard files of a file, folder or glob pattern, sorted.

    Raises:
        CorpusError: the file does not exist, or the folder or pattern yields no shard.
    """
    if path.is_dir():
        found = [file for file in _shard_files(path.iterdir()) if sniff(file) is not None]
        missing = f"{path} holds no file of a known format ({_names()})"
    elif path.exists():
        return [path]
    elif glob.has_magic(str(path)):
        # Path.glob takes no absolute pattern.
        names = glob.glob(str(path), recursive=True)  # noqa: PTH207
        found = _shard_files(map(Path, names))
        missing = f"{path} matches no file"
    else:
        raise CorpusError(f"{path}: there is no such file or folder. Check the path.")
    if not found:
        raise CorpusError(f"{missing}. Name the files, or a pattern that matches them.")
    return found


def _shard_files(paths: Iterable[Path]) -> list[Path]:
    return sorted(
        path
        for path in paths
        if path.is_file()
        and path.suffix not in SIDECAR_SUFFIXES
        and not path.name.startswith(".")  # an unfinished file, or an editor's
    )


def refuse_duplicates(paths: Iterable[Path]) -> None:
    """Refuse a file that is in the list twice, also under another name or link.

    Raises:
        CorpusError: a file is in the list twice. The message names both paths.
    """
    seen: dict[Path, Path] = {}
    for path in paths:
        real = path.resolve()
        if real in seen:
            raise CorpusError(
                f"{path} is in the list twice (first as {seen[real]}) and would be counted twice. "
                "Take one of them out."
            )
        seen[real] = path


def sniff(path: Path) -> Format | None:
    """Return the format that a file looks like, or None.

    Raises:
        CorpusError: the file can't be read.
    """
    try:
        return next((known for known in FORMATS if known.sniff(path)), None)
    except OSError as error:
        raise CorpusError(
            f"cannot read {path}: {error.strerror}. Check its permissions."
        ) from error


def choose_format(path: Path, dtype: str | None, name: str | None) -> Format:
    """Return the named format, else the detected one, else raw if a dtype is given.

    Raises:
        OptionError: there is no format of that name.
        CorpusError: the path is not a regular file, or its format is unknown.
    """
    if not path.is_file():
        raise CorpusError(
            f"{path} is not a regular file; icfast memory-maps its input. "
            "Copy it to a regular file."
        )
    if name is not None:
        return _named(name)
    chosen = sniff(path)
    if chosen is None and path.suffix in SIDECAR_SUFFIXES:
        raise CorpusError(
            f"{path} is a sidecar, not a file of ids. Name the file that it belongs to."
        )
    if chosen is None and dtype is None:
        raise CorpusError(
            f"{path} has none of the known formats ({_names()}). Pass --dtype u2 (or u1, u4, i4) "
            "for a headerless file of ids, or run `icfast tokenize` on text first."
        )
    return chosen or _RAW


def _names() -> str:
    return ", ".join(known.name for known in FORMATS)


def _named(name: str) -> Format:
    for known in FORMATS:
        if known.name == name:
            return known
    raise OptionError(f"format {name!r} is not one of {_names()}. Pass one of them, or none.")


def _refuse_disguised(path: Path) -> None:
    """Refuse a file that is to be read as headerless but begins with a known header."""
    for known in FORMATS:
        if starts_with(path, known.magics):
            raise CorpusError(
                f"{path} is not headerless: it begins with the magic of format {known.name}. "
                f"Leave --format and --dtype out, or pass --format {known.name}."
            )
    for magic, owner in _FOREIGN.items():
        if starts_with(path, (magic,)):
            raise CorpusError(
                f"{path} is not a headerless file of ids: it looks like {owner}. Convert or "
                f"decompress it to a format that icfast reads ({_names()})."
            )


def read_shard(path: Path, format_name: str | None, options: ReadOptions) -> Shard:
    """Open one file in the named or detected format.

    Raises:
        CorpusError: the file can't be read in that format.
    """
    chosen = choose_format(path, options.dtype, format_name)
    try:
        if chosen is _RAW:
            _refuse_disguised(path)
        return chosen.open(path, options)
    except OSError as error:
        raise CorpusError(
            f"cannot read {path}: {error.strerror}. Check its permissions."
        ) from error


def open_corpus(
    paths: AnyPath | Iterable[AnyPath],
    *,
    options: CorpusOptions | None = None,
    dtype: str | None = CorpusOptions.dtype,
    vocab_size: int | None = CorpusOptions.vocab_size,
    eos_id: int | None = CorpusOptions.eos_id,
    boundary: str | None = CorpusOptions.boundary,
    format: str | None = CorpusOptions.format,  # noqa: A002 - the name of the option everywhere
    tokenizer: str | None = CorpusOptions.tokenizer,
    cross_documents: bool = CorpusOptions.cross_documents,
    skip_bad: bool = CorpusOptions.skip_bad,
) -> Corpus:
    """Open a corpus of tokenised files. The files are memory-mapped, not read.

    Args:
        paths: a file, a folder, a glob pattern, or several of them. A folder means its files
            of a known format, sorted by name.
        options: the keywords below as one record, instead of keywords.
        dtype: "u1", "u2", "u4" or "i4" (little-endian). A file without a header needs it.
        vocab_size: number of ids V. The default is the sidecar's, else the largest id + 1.
        eos_id: the id that separates documents. An index next to the file takes precedence.
        boundary: "end" if that id is the last of its document, "start" if it is the first, "auto"
            to decide from the shares of documents that begin and end with it. The default is the
            format's own: "start" for llmc, else "end".
        format: "raw", "llmc", "datatrove" or "npy". By default icfast detects the format.
        tokenizer: name of the tokenizer, recorded and compared. "bytes" declares that u1 ids are
            the UTF-8 bytes of the text.
        cross_documents: whether each file counts as one document.
        skip_bad: whether to leave out empty files and empty documents and count them. By default
            icfast refuses them.

    Returns:
        The corpus. Each shard holds its ids as a memory-mapped array of u1, u2 or u4, shape
        (tokens,). Documents are found on first use.

    Raises:
        CorpusError: a file can't be read, appears twice, or contradicts the options.
        OptionError: an option has no meaning, or `options` and keywords are both given.
        ResourceError: too many files are open.

    >>> import numpy as np
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     np.array([5, 7, 0, 5, 0], "<u2").tofile(f"{folder}/a.bin")
    ...     open_corpus(folder, dtype="u2", eos_id=0).documents
    2
    """
    chosen = combined(
        options,
        dtype=dtype,
        vocab_size=vocab_size,
        eos_id=eos_id,
        boundary=boundary,
        format=format,
        tokenizer=tokenizer,
        cross_documents=cross_documents,
        skip_bad=skip_bad,
    )
    shards = _read_all(as_paths(paths), chosen)
    kept = tuple(shard for shard in shards if len(shard.tokens))
    empty = tuple(shard.path for shard in shards if not len(shard.tokens))
    if empty and not (chosen.skip_bad and kept):
        raise _without_tokens(empty[0], alone=not kept)
    settled = settle(shards, chosen)
    return Corpus(
        kept,
        boundary=choose_boundary(kept, chosen.boundary, settled["eos_id"], chosen.cross_documents),
        cross_documents=chosen.cross_documents,
        skip_bad=chosen.skip_bad,
        skipped_files=empty,
        **settled,
    )


def _without_tokens(path: Path, alone: bool) -> CorpusError:
    if alone:
        return CorpusError(
            f"{path} holds no tokens, nor does any other file. Name files with tokens."
        )
    return CorpusError(f"{path} holds no tokens. Take it out, or skip and count it (--skip-bad).")


def _read_all(paths: Iterable[Path], options: CorpusOptions) -> list[Shard]:
    found = [shard for path in paths for shard in expand(path)]
    if not found:
        raise CorpusError("no path was given. Name a file, a folder or a pattern.")
    refuse_duplicates(found)
    return [read_shard(path, options.format, ReadOptions(options.dtype)) for path in found]


def settle(shards: Iterable[Shard], options: CorpusOptions) -> dict[str, Any]:
    """Combine what the sidecars say with the options, as keywords for `Corpus`.

    Raises:
        CorpusError: two sidecars disagree, or one contradicts an option.
        OptionError: the end id is outside the vocabulary.
    """
    vocab_size, eos_id = options.vocab_size, options.eos_id
    tokenizer = options.tokenizer
    sha256 = None
    for shard in shards:
        told = shard.description
        if told is None:
            continue
        vocab_size = _same(shard, "vocab_size", told.vocab_size, vocab_size)
        tokenizer = _same(shard, "tokenizer", told.tokenizer, tokenizer and Path(tokenizer).name)
        if told.eos_id is not None:
            eos_id = _same(shard, "eos_id", told.eos_id, eos_id)
        if told.tokenizer_sha256 is not None:
            sha256 = _same(shard, "tokenizer_sha256", told.tokenizer_sha256, sha256)
    check_ids(vocab_size, eos_id)
    return {
        "given_vocab_size": vocab_size,
        "eos_id": eos_id,
        "tokenizer": tokenizer,
        "tokenizer_sha256": sha256,
    }


def _same(shard: Shard, what: str, told: T, known: T | None) -> T:
    if known is not None and known != told:
        raise CorpusError(
            f"{shard.path} was written with {what} {told!r} according to its sidecar, but "
            f"{known!r} was given or comes from another shard. Leave {what} out, or take the file "
            "out."
        )
    return told
