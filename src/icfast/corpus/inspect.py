"""Report the content of a corpus and every problem in it, not only the first."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from icfast.corpus.corpus import Corpus
from icfast.corpus.open import AnyPath, as_paths, expand, read_shard, refuse_duplicates, settle
from icfast.corpus.options import CorpusOptions, combined
from icfast.corpus.reader import ReadOptions
from icfast.corpus.shard import Shard, find_ids, first_at_least, largest_id, outside_vocabulary
from icfast.errors import CorpusError, IcfastError, OptionError
from icfast.notebook import table_html
from icfast.units import DASH, format_bytes, format_count

#: Ids that decide whether a headerless file looks like another dtype.
_SAMPLE_TOKENS = 1 << 20
#: No vocabulary is this large, but two u2 ids read as one u4 id are.
_IMPLAUSIBLE_ID = 1 << 24


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
    """

    shards: list[ShardReport]
    tokens: int
    documents: int
    largest_id: int | None
    disk_bytes: int
    problems: list[str]

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
    boundary: str = CorpusOptions.boundary,
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
    reports: list[ShardReport] = []
    shards: list[Shard] = []
    for path in paths:
        try:
            files = expand(path)
        except CorpusError as error:
            reports.append(ShardReport(str(path), problems=[str(error)]))
            continue
        for file in files:
            report, shard = _report(file, options)
            reports.append(report)
            shards += [shard] if shard is not None else []
    return _totals(reports, _whole_problems(shards, options))


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


def _totals(reports: list[ShardReport], problems: list[str]) -> Inspection:
    largest = [report.largest_id for report in reports if report.largest_id is not None]
    return Inspection(
        reports,
        tokens=sum(report.tokens or 0 for report in reports),
        documents=sum(report.documents or 0 for report in reports),
        largest_id=max(largest, default=None),
        disk_bytes=sum(report.disk_bytes or 0 for report in reports),
        problems=problems,
    )


def _report(path: Path, options: CorpusOptions) -> tuple[ShardReport, Shard | None]:
    problems: list[str] = []
    try:
        shard = read_shard(path, options.format, ReadOptions(options.dtype, problems.append))
    except IcfastError as error:
        if isinstance(error, OptionError):
            raise
        problems.append(str(error))
        disk_bytes = path.stat().st_size if path.is_file() else None
        return ShardReport(str(path), disk_bytes=disk_bytes, problems=problems), None
    if not len(shard.tokens):
        problems.append(f"{path} holds no tokens. Take it out, or skip it (--skip-bad).")
    report = ShardReport(
        path=str(path),
        format=shard.format,
        dtype=shard.dtype,
        tokens=len(shard.tokens),
        documents=_documents(shard, options, problems),
        largest_id=_largest_id(shard, options, problems),
        disk_bytes=path.stat().st_size,
        problems=problems,
        warnings=_warnings(shard, options),
    )
    return report, shard


def _documents(shard: Shard, options: CorpusOptions, problems: list[str]) -> int:
    """Count the documents. Empty documents are a problem and are not counted."""
    if not len(shard.tokens):
        return 0
    corpus = Corpus(
        (shard,),
        eos_id=_eos_id(shard, options),
        boundary=options.boundary,
        cross_documents=options.cross_documents,
        skip_bad=True,
    )
    if corpus.skipped_documents and not options.skip_bad:
        problems.append(
            f"{corpus.skipped_documents} documents of {shard.path} are empty (its index repeats "
            "an end). Write the file without them, or skip and count them (--skip-bad)."
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


def _warnings(shard: Shard, options: CorpusOptions) -> list[str]:
    warnings = []
    eos_id = _eos_id(shard, options)
    if eos_id is not None and len(shard.tokens) and not len(find_ids(shard.tokens, eos_id)):
        warnings.append(
            f"eos_id {eos_id} never occurs in {shard.path}. Is it the id of another tokenizer?"
        )
    sample = shard.tokens[:_SAMPLE_TOKENS]
    if shard.format == "raw" and len(sample) >= 2:
        if shard.dtype == "u2" and not np.any(sample[1::2]) and np.any(sample):
            warnings.append(
                f"every second u2 id of {shard.path} is 0: it looks like u4 ids. Check --dtype."
            )
        if sample.itemsize == 4 and int(np.median(sample)) >= _IMPLAUSIBLE_ID:
            warnings.append(
                f"most {shard.dtype} ids of {shard.path} are above {_IMPLAUSIBLE_ID}: "
                "it looks like u2 ids. Check --dtype."
            )
    return warnings
