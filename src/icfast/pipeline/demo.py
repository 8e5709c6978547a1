"""The main job on text every machine has: the sources of Python's own standard library."""

from __future__ import annotations

import sysconfig
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from icfast.corpus import open_corpus, tokenize, train_bpe
from icfast.errors import CorpusError, OptionError
from icfast.parallel.threads import Work
from icfast.pipeline.measure import measure

#: Ids of the tokenizer trained on the spot.
_VOCAB_SIZE = 8192

#: Not part of the library itself.
_OUTSIDE = ("site-packages", "dist-packages", "__pycache__")


def demo(output: Path, *, tokenizer: str = "bpe", order: int = 5, work: Work) -> dict[str, Any]:
    """Tokenise Python's standard library, one file a document, and measure it.

    Args:
        output: a folder; the tokens go to ``corpus/`` in it, results beside that.
        tokenizer: "bpe" (byte-level, trained on these sources) or "bytes".

    Raises:
        OptionError: no such tokenizer.
        MissingExtraError: bpe without the tokenizers package.
    """
    if tokenizer not in ("bpe", "bytes"):
        raise OptionError(f"demo tokenizer {tokenizer!r} is neither bpe nor bytes")
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
    return measure(
        open_corpus(written.output),
        output,
        order=order,
        skipped_texts=written.skipped_undecodable,
        work=work,
    )


def library_sources() -> list[Path]:
    """Every .py file of this Python's standard library, sorted.

    Raises:
        CorpusError: it ships compiled only.
    """
    root = Path(sysconfig.get_path("stdlib"))
    files = sorted(
        path for path in root.rglob("*.py") if not set(_OUTSIDE) & set(path.relative_to(root).parts)
    )
    if not files:
        raise CorpusError(
            f"no sources of the standard library in {root}; this Python ships compiled only, "
            "measure files of your own (icfast tokenize, icfast measure)"
        )
    return files


def _texts(files: list[Path]) -> Iterator[str]:
    for path in files:
        try:
            yield path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
