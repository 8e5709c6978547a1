"""Write a model as ARPA text, the format of SRILM and KenLM, block by block.

::

    \\data\\
    ngram 1=...
    \\1-grams:
    log10 p <tab> word <tab> log10 backoff       (words oldest first; no backoff at order N)
    \\end\\

Words are decimal ids, <s>, </s> and <unk>. Every reader expects the last three. Convention tokens
has no </s>, so </s> gets probability 0 there, and <unk> gets the probability of one id that the
model never saw. log10 of 0 is written as -99. <s> gets -99 too, because no context predicts it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from icfast.backends.models import Trie, Weights
from icfast.files import Output, new_file
from icfast.kneser_ney.model import NgramModel
from icfast.kneser_ney.weights import weigh
from icfast.parallel.mapped_file import refuses_changes
from icfast.parallel.progress import Progress, silent
from icfast.parallel.threads import Work

Bytes = NDArray[np.uint8]

#: Lines per block.
_BLOCK = 1 << 15

#: Decimals of a logarithm. Readers keep single precision, which is no finer.
_DECIMALS = 8
_SCALE = 10**_DECIMALS

#: Value written for log10 of 0.
_NEVER = -99.0


#: Begin of an ARPA text of icfast: eight decimals, <unk> first, and log10 of 0 for <s>.
_OURS = re.compile(
    rb"\\data\\\n(?:ngram \d+=\d+\n)+\n\\1-grams:\n-\d+(?:\.\d{8})?\t<unk>(?:\t0)?\n"
    rb"(?:-99\t</s>(?:\t0)?\n)?-99\.0{8}\t<s>[\t\n]"
)
_HEAD_BYTES = 4096


def arpa_output(path: Path) -> Output:
    """Return an ARPA text as an output of a command."""
    return Output(path, "ARPA text", is_arpa, (".arpa", ".lm", ".txt"))


def is_arpa(path: Path) -> bool:
    """Return whether a file begins as an ARPA text of icfast does."""
    with path.open("rb") as file:
        return _OURS.match(file.read(_HEAD_BYTES)) is not None


def write_arpa(
    model: NgramModel | str | Path,
    output: str | Path,
    *,
    overwrite: bool = False,
    threads: int | None = None,
    backend: str = "auto",
    progress: Progress = silent,
) -> None:
    r"""Write the order-N model as an ARPA file, atomically.

    Words are decimal ids, <s>, </s> and <unk>; log10 values have eight decimals. Scores under the
    file equal those of :func:`icfast.score`. Under convention tokens </s> has probability 0 (score
    without it), and <unk> has the probability of one id that the model never saw.

    Args:
        model: a model or its file.
        output: the file to write.
        overwrite: whether to replace an ARPA text that icfast wrote there.
        threads, backend: as in :func:`icfast.spectra`.
        progress: called with the progress.

    Writing takes 8 bytes of memory per n-gram and 8 per context.

    Raises:
        OptionError: the output exists already, or its folder is missing or not writable.
        OutputError: the output is the model's own file, or is not what icfast wrote.
        ResourceError: the disk is full.
        ArtefactError: the model's file is damaged.

    >>> import tempfile
    >>> import icfast
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "abracadabra.bin"
    ...     _ = path.write_bytes(b"abracadabra")
    ...     corpus = icfast.open(path, dtype="u1", vocab_size=256)
    ...     icfast.write_arpa(icfast.fit(corpus, order=2), Path(folder) / "m.arpa")
    ...     lines = (Path(folder) / "m.arpa").read_text().splitlines()
    >>> lines[:3], lines[-3]
    (['\\data\\', 'ngram 1=8', 'ngram 2=8'], '-0.27400307\t98 114')
    """
    work = Work.of(backend, threads, None, progress)
    if not isinstance(model, NgramModel):
        model = NgramModel.load(model)
    with new_file(arpa_output(Path(output)), [model.path], overwrite) as temporary:
        export_arpa(model, temporary, work)


@refuses_changes
def export_arpa(model: NgramModel, path: Path, work: Work) -> None:
    """Write the ARPA text to this path directly."""
    blocks = list(arpa_blocks(model))
    written, total = 0, sum(model.ngrams)
    with path.open("wb") as file, work.pool() as pool:
        text = arpa_text(model, weigh(model, work.backend.kernels, pool.for_each))
        file.write(arpa_header(model))
        for block, lines in zip(blocks, pool.map(text, blocks), strict=True):
            file.write(lines)
            written += block.end - block.begin
            work.progress("writing ARPA", written, total, "n-grams")
        file.write(ARPA_END)


class Lines(NamedTuple):
    """N-grams [begin, end) of the trie, all of one order."""

    order: int
    begin: int
    end: int


def arpa_header(model: NgramModel) -> bytes:
    """Return the header, which has the number of n-grams of each order."""
    first, *rest = model.ngrams
    # The trie lacks <s> and <unk>, and </s> under convention tokens.
    counts = [first + (2 if model.end_mark else 3), *rest]
    sizes = "".join(f"ngram {n}={count}\n" for n, count in enumerate(counts, start=1))
    return f"\\data\\\n{sizes}".encode()


def arpa_blocks(model: NgramModel) -> Iterator[Lines]:
    """Yield all n-grams in blocks of at most ``_BLOCK``."""
    levels = model.trie.levels.tolist()
    for order in range(1, model.order + 1):
        low, high = levels[order - 1], levels[order]
        # An order without n-grams still has a title.
        for begin in range(low, max(high, low + 1), _BLOCK):
            yield Lines(order, begin, min(begin + _BLOCK, high))


def arpa_text(model: NgramModel, weights: Weights) -> Callable[[Lines], bytes]:
    """Return a function that formats a block. The first block of an order includes its title."""
    words = _word_cells(model)
    numbers = _NumberCells()
    trie, levels = model.trie, model.trie.levels.tolist()

    def text(lines: Lines) -> bytes:
        n, begin, end = lines
        probabilities = weights.probabilities[begin:end]
        head = b""
        if begin == levels[n - 1]:
            head = f"\n\\{n}-grams:\n".encode()
        if begin == end:
            return head
        if begin == 0:
            head += _lines_without_node(model, float(probabilities[0]))
            probabilities = np.append(0.0, probabilities[1:])  # the begin mark
        cells = [numbers(probabilities), _column("\t", end - begin), _words(trie, words, *lines)]
        if n < model.order:
            cells += [_column("\t", end - begin), numbers(weights.backoffs[begin:end])]
        cells.append(_column("\n", end - begin))
        rows = np.concatenate(cells, axis=1).reshape(-1)
        body: bytes = rows[rows != 0].tobytes()
        return head + body

    return text


ARPA_END = b"\n\\end\\\n"


def _lines_without_node(model: NgramModel, unknown: float) -> bytes:
    backoff = "\t0" if model.order > 1 else ""
    lines = f"{math.log10(unknown) if unknown > 0 else _NEVER:.{_DECIMALS}f}\t<unk>{backoff}\n"
    if not model.end_mark:
        lines += f"{_NEVER:.0f}\t</s>{backoff}\n"
    return lines.encode()


def _column(character: str, rows: int) -> Bytes:
    return np.full((rows, 1), ord(character), np.uint8)


def _word_cells(model: NgramModel) -> NDArray[np.void]:
    """Return the word of each rank and a space, padded on the left with zero bytes."""
    names = ["<s>", *map(str, model.ids.tolist()), *(["</s>"] if model.end_mark else [])]
    width = 1 + max(map(len, names))
    return _cells([f"{name} " for name in names], width)


def _cells(texts: list[str], width: int) -> NDArray[np.void]:
    padded = b"".join(text.encode().rjust(width, b"\0") for text in texts)
    return np.frombuffer(padded, f"V{width}")


def _bytes_of(cells: NDArray[np.void]) -> Bytes:
    return cells.view(np.uint8).reshape(len(cells), -1)


def _words(trie: Trie, words: NDArray[np.void], n: int, begin: int, end: int) -> Bytes:
    """Return the words of n-grams [begin, end), oldest first, without the last space."""
    own = _bytes_of(words[trie.symbols[begin:end]])
    if n == 1:
        return own[:, :-1]
    child, number = trie.child, trie.child.dtype.type
    # Their parents are consecutive, in the order of their children.
    first, last = np.searchsorted(child, [number(begin), number(end - 1)], "right").tolist()
    edges = np.clip(child[first - 1 : last + 1].astype(np.int64), begin, end)
    shorter = _words(trie, words, n - 1, first - 1, last)
    return np.concatenate([own, np.repeat(shorter, np.diff(edges), axis=0)], axis=1)


class _NumberCells:
    """Formatter of log10 of probabilities, padded on the left with zero bytes."""

    def __init__(self) -> None:
        self._whole = _cells([f"-{whole}." for whole in range(1000)], 5)
        self._digits = _cells([f"{four:04}" for four in range(10_000)], 4)

    def __call__(self, values: NDArray[np.float64]) -> Bytes:
        """Return u8[n, width] for values from 0 to 1. Rounding errors above 1 count as 1."""
        with np.errstate(divide="ignore"):
            logs = np.where(values > 0, np.log10(np.minimum(values, 1.0)), _NEVER)
        units = np.rint(logs * -_SCALE).astype(np.int64)
        whole, decimals = np.divmod(units, _SCALE)
        upper, lower = np.divmod(decimals, 10_000)
        parts = (self._whole[whole], self._digits[upper], self._digits[lower])
        return np.concatenate([_bytes_of(part) for part in parts], axis=1)
