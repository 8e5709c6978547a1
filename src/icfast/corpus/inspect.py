"""Report the content of a corpus and every problem in it, not only the first."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from icfast.corpus.boundary import EdgeCounts, choose_boundary, count_edges
from icfast.corpus.corpus import Corpus
from icfast.corpus.detect import read_shard
from icfast.corpus.edge_ids import IdShare, edge_ids
from icfast.corpus.open import AnyPath, as_paths, expand, refuse_duplicates, settle
from icfast.corpus.options import CorpusOptions, combined
from icfast.corpus.reader import ReadOptions
from icfast.corpus.shard import Shard, first_at_least, largest_id, outside_vocabulary
from icfast.corpus.warnings import boundary_warnings, end_id_warnings, shard_warnings
from icfast.errors import CorpusError, IcfastError, OptionError
from icfast.files import shown_path
from icfast.notebook import table_html
from icfast.units import DASH, format_bytes, format_count


@dataclass(frozen=True)
class ShardReport:
    """Report on one path of a corpus. A field is None if the file could not be read that far.

    Attributes:
        path: the file, or a folder or pattern without files.
        format: name of the format.
        dtype: "u1", "u2", "u4" or "i4".
        tokens: number of ids.
        documents: number of documents.
        largest_id: the largest id, -1 for an empty file.
        disk_bytes: size of the file in bytes.
        problems: messages. Each problem would stop a measurement.
        warnings: messages about what looks unusual but may be right.
    """

    path: str
    format: str | None = None
    dtype: str | None = None
    tokens: int | None = None
    documents: int | None = None
    largest_id: int | None = None
    disk_bytes: int | None = None
    problems: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


@dataclass(frozen=True, repr=False)
class Inspection:
    """Reports on all shards, and their totals. `icfast.inspect` returns one.

    Attributes:
        shards: one report per file.
        tokens: ids in all readable files.
        documents: documents in them.
        largest_id: the largest id of all files, or None if no file could be read.
        disk_bytes: bytes of all files with ids.
        problems: problems of the corpus as a whole: a file twice, different tokenizers.
        eos_id: the end id, given or from a sidecar, or None.
        boundary: "end" or "start", or None if it cannot be told.
        edges: how many documents of an index, and files without one, begin and end with the end id.
            None without an end id.
        first_ids: the most frequent first ids of documents. Where the end id cuts the documents,
            they are the ids next to it.
        last_ids: the most frequent last ids of documents, found in the same way.
        warnings: messages about the corpus as a whole.
    """

    shards: list[ShardReport]
    tokens: int
    documents: int
    largest_id: int | None
    disk_bytes: int
    problems: list[str]
    eos_id: int | None = None
    boundary: str | None = None
    edges: EdgeCounts | None = None
    first_ids: list[IdShare] = field(default_factory=list)
    last_ids: list[IdShare] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    @property
    def sound(self) -> bool:
        """True if there is no problem. Warnings do not count."""
        return not self.problems and not any(shard.problems for shard in self.shards)

    def to_json(self) -> dict[str, Any]:
        """Return the report as one JSON object."""
        return {"schema_version": 1, "sound": self.sound, **asdict(self)}

    @property
    def all_problems(self) -> list[str]:
        """Problems of every file and of the corpus as a whole."""
        return [*(text for shard in self.shards for text in shard.problems), *self.problems]

    @property
    def all_warnings(self) -> list[str]:
        """Warnings about every file and about the corpus as a whole."""
        return [*(text for shard in self.shards for text in shard.warnings), *self.warnings]

    def __repr__(self) -> str:
        problems = len(self.all_problems)
        return (
            f"Inspection({len(self.shards)} files, {format_count(self.tokens)} tokens, "
            f"{format_count(self.documents)} documents, {problems} problems)"
        )

    def _repr_html_(self) -> str:
        columns = ("file", "format", "dtype", "tokens", "documents", "largest id", "size")
        rows = [
            (
                shard.path,
                shard.format or DASH,
                shard.dtype or DASH,
                format_count(shard.tokens),
                format_count(shard.documents),
                format_count(shard.largest_id),
                format_bytes(shard.disk_bytes),
            )
            for shard in self.shards
        ]
        table = table_html("Inspection", columns, rows)
        problems = [(text,) for text in self.all_problems]
        return table + (table_html("Problems", (), problems) if problems else "")


def inspect(
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
) -> Inspection:
    """Look at every file of a corpus and list every problem. Reads each file once or twice.

    Args:
        paths: a file, a folder, a glob pattern, or several of them.
        options: the keywords of `icfast.open` as one record, instead of keywords. The other
            parameters are those of `icfast.open`.

    Raises:
        OptionError: an option has no meaning. A problem of a file is reported, not raised.

    >>> import numpy as np
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     np.array([5, 7, 0], "<u2").tofile(f"{folder}/a.bin")
    ...     inspect(folder, dtype="u2", vocab_size=6).all_problems[0].split('. ')[1]
    'Was it written with another tokenizer or dtype? Pass --vocab-size or --dtype.'
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
    return _inspected(as_paths(paths), chosen)


def _inspected(paths: Iterable[Path], options: CorpusOptions) -> Inspection:
    opened = [found for path in paths for found in _opened(path, options)]
    shards = [found.shard for found in opened if found.shard is not None]
    problems = _whole_problems(shards, options)
    boundary, eos_id = _boundary(shards, options, problems)
    reports, corpora = [], []
    for found in opened:
        corpus = _corpus(found.shard, options, boundary)
        reports.append(_report(found, corpus, options))
        corpora += [] if corpus is None else [corpus]
    first_ids, last_ids = edge_ids(corpora)
    warnings = []
    edges = None
    if eos_id is not None:
        edges = count_edges(shards, eos_id, options.cross_documents)
        if boundary is not None:
            warnings = boundary_warnings(shards, eos_id, boundary, options.cross_documents)
    largest = [report.largest_id for report in reports if report.largest_id is not None]
    return Inspection(
        reports,
        tokens=sum(report.tokens or 0 for report in reports),
        documents=sum(report.documents or 0 for report in reports),
        largest_id=max(largest, default=None),
        disk_bytes=sum(report.disk_bytes or 0 for report in reports),
        problems=problems,
        eos_id=eos_id,
        boundary=boundary,
        edges=edges,
        first_ids=first_ids,
        last_ids=last_ids,
        warnings=warnings,
    )


@dataclass(frozen=True)
class _Opened:
    """A path, its shard if it could be read, and the problems met on the way."""

    path: Path
    shard: Shard | None
    problems: list[str]


def _opened(path: Path, options: CorpusOptions) -> list[_Opened]:
    try:
        return [_read(file, options) for file in expand(path)]
    except CorpusError as error:
        return [_Opened(path, None, [str(error)])]


def _read(path: Path, options: CorpusOptions) -> _Opened:
    problems: list[str] = []
    try:
        shard = read_shard(path, options.format, ReadOptions(options.dtype, problems.append))
    except IcfastError as error:
        if isinstance(error, OptionError):
            raise
        return _Opened(path, None, [*problems, str(error)])
    if not len(shard.tokens):
        problems.append(f"{path} holds no tokens. Take it out, or skip it (--skip-bad).")
    return _Opened(path, shard, problems)


def _whole_problems(shards: list[Shard], options: CorpusOptions) -> list[str]:
    problems = []
    for check in (
        lambda: refuse_duplicates(shard.path for shard in shards),
        lambda: settle(shards, options),
    ):
        try:
            check()
        except IcfastError as error:
            problems.append(str(error))
    return problems


def _boundary(
    shards: list[Shard], options: CorpusOptions, problems: list[str]
) -> tuple[str | None, int | None]:
    """Return the boundary, None if it cannot be told, and the end id."""
    told = (_eos_id(shard, options) for shard in shards)
    eos_id = next((one for one in told if one is not None), options.eos_id)
    try:
        return choose_boundary(shards, options.boundary, eos_id, options.cross_documents), eos_id
    except CorpusError as error:
        problems.append(str(error))
        return None, eos_id


def _corpus(shard: Shard | None, options: CorpusOptions, boundary: str | None) -> Corpus | None:
    """Return a shard with tokens as a corpus that leaves out empty documents."""
    if shard is None or not len(shard.tokens):
        return None
    return Corpus(
        (shard,),
        eos_id=_eos_id(shard, options),
        boundary=boundary or shard.boundary,
        cross_documents=options.cross_documents,
        skip_bad=True,
    )


def _report(found: _Opened, corpus: Corpus | None, options: CorpusOptions) -> ShardReport:
    path, shard, problems = found.path, found.shard, found.problems
    disk_bytes = path.stat().st_size if path.is_file() else None
    if shard is None:
        return ShardReport(shown_path(path), disk_bytes=disk_bytes, problems=problems)
    report = ShardReport(
        path=shown_path(path),
        format=shard.format,
        dtype=shard.dtype,
        tokens=len(shard.tokens),
        documents=_documents(corpus, options, problems),
        largest_id=_largest_id(shard, options, problems),
        disk_bytes=shard.mapped_files[0].size,
        problems=problems,
        warnings=_warnings(shard, corpus),
    )
    try:
        shard.check_unchanged()
    except CorpusError as error:
        problems.append(str(error))
    return report


def _documents(corpus: Corpus | None, options: CorpusOptions, problems: list[str]) -> int:
    """Count the documents. Empty documents are a problem and are not counted."""
    if corpus is None:
        return 0
    if corpus.skipped_documents and not options.skip_bad:
        problems.append(
            f"{corpus.skipped_documents} documents of {corpus.shards[0].path} are empty (its index "
            "repeats an end). Write the file without them, or skip and count them (--skip-bad)."
        )
    return corpus.documents


def _eos_id(shard: Shard, options: CorpusOptions) -> int | None:
    if options.eos_id is None and shard.description is not None:
        return shard.description.eos_id
    return options.eos_id


def _largest_id(shard: Shard, options: CorpusOptions, problems: list[str]) -> int | None:
    try:
        largest = largest_id(shard)
    except CorpusError as error:
        problems.append(str(error))
        return None
    vocab_size = options.vocab_size
    if vocab_size is None and shard.description is not None:
        vocab_size = shard.description.vocab_size
    if vocab_size is not None and largest >= vocab_size:
        index = first_at_least(shard.tokens, vocab_size)
        problems.append(str(outside_vocabulary(shard, index or 0, vocab_size)))
    return largest


def _warnings(shard: Shard, corpus: Corpus | None) -> list[str]:
    warnings = shard_warnings(shard)
    if corpus is not None and corpus.eos_id is not None:
        warnings += end_id_warnings(corpus.shards, corpus.eos_id)
    return warnings
