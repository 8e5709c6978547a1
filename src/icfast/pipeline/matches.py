"""Entropy rate of a corpus from its match lengths."""

from __future__ import annotations

from icfast.corpus import Corpus
from icfast.laws.matches import MatchEntropy, match_estimates
from icfast.ngrams.matches import match_lengths
from icfast.parallel.progress import Progress, silent
from icfast.parallel.threads import Work


def match_entropy(
    corpus: Corpus,
    *,
    tokens: int | None = None,
    memory: str | int | None = None,
    threads: int | None = None,
    backend: str = "auto",
    progress: Progress = silent,
) -> MatchEntropy:
    """Estimate the entropy rate from the lengths of repeated passages, in bits per token.

    Lambda_i is 1 plus the largest l such that the l tokens from position i also occur from an
    earlier position. Neither passage may cross a document's end; they may overlap. The three
    estimates are in ``bits_per_token``; icfast.laws.matches gives their formulas, sources and bias.

    Args:
        corpus: an open corpus.
        tokens: number of tokens to use, from the start of the corpus; the default is all.
        memory: maximum bytes to allocate, such as ``"4GiB"``. The computation needs 16 bytes per
            token and document at once. The default is half of the available memory.
        threads: number of threads that read the ids; sorting uses one.
        backend: auto, core, numba or cuda.
        progress: called with the stage and its progress.

    Raises:
        CorpusError: an id is outside the vocabulary, or a document is empty.
        ResourceError: the memory cap is too small, or tokens and documents together exceed
            2^31 - 1.
        OptionError: an argument has no meaning.

    >>> import tempfile
    >>> from pathlib import Path
    >>> import icfast
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "abracadabra.bin"
    ...     _ = path.write_bytes(b"abracadabra")
    ...     corpus = icfast.open(path, dtype="u1", vocab_size=256)
    ...     found = icfast.match_entropy(corpus)
    >>> found.longest_match, round(found.bits_per_token["mean_length"], 9)
    (4, 1.274415466)
    """
    return measure_matches(corpus, Work.of(backend, threads, memory, progress), tokens)


def measure_matches(corpus: Corpus, work: Work, tokens: int | None = None) -> MatchEntropy:
    """Estimate the entropy rate as `match_entropy` does, with the given work.

    Raises:
        CorpusError, OptionError, ResourceError: as `match_entropy`.
    """
    return match_estimates(match_lengths(corpus, work, tokens))
