"""Demonstration on text that every machine has: the sources of Python's standard library."""

from __future__ import annotations

import sysconfig
from collections.abc import Iterator
from pathlib import Path

from icfast.corpus import open_corpus, tokenize, train_bpe
from icfast.errors import CorpusError, OptionError
from icfast.parallel.threads import Work
from icfast.pipeline.measure import measure_corpus
from icfast.pipeline.records.measure import MeasureResult

#: Vocabulary of the tokenizer that the demonstration trains.
_VOCAB_SIZE = 8192

#: Folders that are not part of the library itself.
_OUTSIDE = ("site-packages", "dist-packages", "__pycache__")


def demo(output: Path, *, tokenizer: str = "bpe", order: int = 5, work: Work) -> MeasureResult:
    """Tokenise Python's standard library, one document per file, and measure it.

    Args:
        output: folder for the results; the tokens go to its subfolder ``corpus``.
        tokenizer: "bpe" (byte-level, trained on these sources) or "bytes".
        order: order of the longest n-grams.
        work: how the work runs.

    Raises:
        OptionError: the tokenizer is unknown.
        MissingExtraError: bpe is asked for and the package tokenizers is not installed.
    """
    if tokenizer not in ("bpe", "bytes"):
        raise OptionError(f"the demo has no tokenizer {tokenizer!r}; pass bpe or bytes")
    sources = library_sources()
    folder = output / "corpus"
    folder.mkdir(parents=True, exist_ok=True)
    name = "bytes"
    if tokenizer == "bpe":
        work.progress("training a tokenizer", 0, len(sources), "files")
        name = str(folder / "python-bpe.json")
        train_bpe(_texts(sources), _VOCAB_SIZE, name)
        work.progress("training a tokenizer", len(sources), len(sources), "files")
    work.progress("tokenising", 0, len(sources), "files")
    # A few test files of the library are deliberately not UTF-8.
    written = tokenize(sources, folder / "stdlib.ds", tokenizer=name, skip_bad=True)
    work.progress("tokenising", len(sources), len(sources), "files")
    return measure_corpus(
        open_corpus(written.output),
        output,
        order=order,
        skipped_texts=written.skipped_undecodable,
        work=work,
    )


def library_sources() -> list[Path]:
    """List every .py file of this Python's standard library, sorted.

    Raises:
        CorpusError: this Python ships compiled files only.
    """
    root = Path(sysconfig.get_path("stdlib"))
    files = sorted(
        path for path in root.rglob("*.py") if not set(_OUTSIDE) & set(path.relative_to(root).parts)
    )
    if not files:
        raise CorpusError(
            f"{root} has no sources of the standard library: this Python has compiled files only. "
            "Measure files of your own with icfast tokenize and icfast measure."
        )
    return files


def _texts(files: list[Path]) -> Iterator[str]:
    for path in files:
        try:
            yield path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
