"""Demonstration on text that every machine has: the sources of Python's standard library."""

from __future__ import annotations

import sysconfig
from collections.abc import Iterator
from pathlib import Path

from icfast.corpus import Tokenized, open_corpus, tokenize, train_bpe
from icfast.corpus.sidecar import SIDECAR_SUFFIXES, is_tokenized
from icfast.errors import CorpusError, OptionError
from icfast.files import Output, new_file
from icfast.parallel.threads import Work
from icfast.pipeline.measure import measure_corpus
from icfast.pipeline.records.measure import MeasureResult
from icfast.pipeline.results import Page, ResultFolder, made_folder

#: Vocabulary of the tokenizer that the demonstration trains.
_VOCAB_SIZE = 8192

#: Names of the files in the corpus folder.
_TOKENIZER, _IDS = "python-bpe.json", "stdlib.ds"

#: Folders that are not part of the library itself.
_OUTSIDE = ("site-packages", "dist-packages", "__pycache__")


def demo(
    output: Path,
    *,
    tokenizer: str = "bpe",
    order: int = 5,
    page: Page | None = None,
    work: Work,
) -> MeasureResult:
    """Tokenise Python's standard library, one document per file, and measure it.

    Results of an earlier demonstration are replaced.

    Args:
        output: folder for the results; the tokens go to its subfolder ``corpus``.
        tokenizer: "bpe" (byte-level, trained on these sources) or "bytes".
        order: order of the longest n-grams.
        page: draws the report, as `measure_corpus` takes it.
        work: how the work runs.

    Raises:
        OptionError: the tokenizer is unknown.
        OutputError: the folder has files of these names that icfast did not write.
        MissingExtraError: bpe is asked for and the package tokenizers is not installed.
    """
    if tokenizer not in ("bpe", "bytes"):
        raise OptionError(f"the demo has no tokenizer {tokenizer!r}; pass bpe or bytes")
    sources = library_sources()
    ResultFolder(output, (), True, with_model=True, with_page=page is not None).check()
    corpus = output / "corpus"
    with made_folder(output), new_file(_corpus_output(corpus), (), True) as folder:
        written = _tokenize(sources, folder, tokenizer, work)
    return measure_corpus(
        open_corpus(corpus / written.output.name),
        output,
        order=order,
        overwrite=True,
        page=page,
        skipped_texts=written.skipped_undecodable,
        work=work,
    )


def _tokenize(sources: list[Path], folder: Path, tokenizer: str, work: Work) -> Tokenized:
    name = "bytes"
    if tokenizer == "bpe":
        work.progress("training a tokenizer", 0, len(sources), "files")
        name = str(folder / _TOKENIZER)
        train_bpe(_texts(sources), _VOCAB_SIZE, name)
        work.progress("training a tokenizer", len(sources), len(sources), "files")
    work.progress("tokenising", 0, len(sources), "files")
    # A few test files of the library are deliberately not UTF-8.
    written = tokenize(sources, folder / _IDS, tokenizer=name, skip_bad=True)
    work.progress("tokenising", len(sources), len(sources), "files")
    return written


def _corpus_output(folder: Path) -> Output:
    return Output(folder, "the demonstration's corpus", _is_corpus, folder=True)


def _is_corpus(folder: Path) -> bool:
    """Return whether a folder holds what the demonstration writes, and nothing else."""
    names = {_TOKENIZER, _IDS, *(_IDS + suffix for suffix in SIDECAR_SUFFIXES)}
    return all(path.name in names for path in folder.iterdir()) and is_tokenized(folder / _IDS)


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
