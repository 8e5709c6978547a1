"""Open a corpus from paths."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

from icfast.corpus.boundary import choose_boundary
from icfast.corpus.corpus import Corpus
from icfast.corpus.detect import names_of_formats, read_shard, sniff
from icfast.corpus.options import CorpusOptions, check_ids, combined
from icfast.corpus.reader import ReadOptions
from icfast.corpus.shard import Shard
from icfast.corpus.sidecar import SIDECAR_SUFFIXES
from icfast.errors import CorpusError

AnyPath: TypeAlias = "str | os.PathLike[str]"
T = TypeVar("T", int, str)


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
        missing = f"{path} holds no file of a known format ({names_of_formats()})"
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


def settle(shards: Sequence[Shard], options: CorpusOptions) -> dict[str, Any]:
    """Combine what the sidecars say with the options, as keywords for `Corpus`.

    Raises:
        CorpusError: two sidecars disagree, or one contradicts an option.
        OptionError: the end id is outside the vocabulary, or a dtype cannot hold one of them.
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
    for shard in shards:
        shard.check_range(vocab_size, eos_id)
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
