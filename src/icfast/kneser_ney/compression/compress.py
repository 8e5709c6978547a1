"""Making a small model of a whole one, and measuring what that costs."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from icfast.corpus import Corpus
from icfast.corpus.documents import all_documents
from icfast.errors import OptionError, ResourceError
from icfast.files import atomic_path
from icfast.kneser_ney.compact import CompactModel
from icfast.kneser_ney.compression.levels import levels_of, mean_log2_mass
from icfast.kneser_ney.compression.pack import pack
from icfast.kneser_ney.compression.prune import prune as prune_levels
from icfast.kneser_ney.compression.quantise import decoded, quantised
from icfast.kneser_ney.model import NgramModel
from icfast.kneser_ney.score import score_documents
from icfast.kneser_ney.weights import weigh
from icfast.parallel.progress import Progress, silent
from icfast.parallel.threads import Work
from icfast.sums.loss import LossSum
from icfast.units import format_bytes

#: Memory of an n-gram at most: its level, the weights it was made from, and what packing takes.
_NGRAM_BYTES = 80


def compress(
    model: NgramModel | str | Path,
    path: str | Path,
    *,
    bits: int = 8,
    prune: float = 0.0,
    heldout: Corpus | None = None,
    memory: str | int | None = None,
    threads: int | None = None,
    backend: str = "auto",
    progress: Progress = silent,
) -> CompactModel:
    """Write the order-N model with its probabilities and backoffs in a few bits each, atomically.

    :func:`icfast.score` takes the result as it takes a whole model. What is left out for good:
    counts, and with them the models of lower orders.

    Args:
        model: a model, or the file of one.
        bits: 1..16 bits of each probability and each backoff above order 1, which stays exact.
        prune: n-grams go whose loss raises the model's perplexity, as the model expects it, by less
            than this share each (Stolcke 1998); 0 keeps all.
        heldout: documents whose loss under both models is measured and recorded in ``about``.
        memory, threads, backend: as in :func:`icfast.spectra`. It takes 80 bytes an n-gram.

    Raises:
        OptionError: bits or prune is out of range, or the output can't be written.
        ResourceError: the memory does not suffice, or the disk is full.
        ArtefactError: the model's file is damaged, or of a compressed model already.
        MergeError: the held-out corpus was written by another tokenizer.

    >>> import tempfile
    >>> import icfast
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "abracadabra.bin"
    ...     _ = path.write_bytes(b"abracadabra")
    ...     corpus = icfast.open(path, dtype="u1", vocab_size=256)
    ...     whole = icfast.fit(corpus, order=2)
    ...     small = icfast.compress(whole, Path(folder) / "small", bits=1, heldout=corpus)
    >>> small.ngrams == whole.ngrams, round(abs(small.about["heldout"]["excess_bits_per_token"]), 6)
    (True, 0.0)
    """
    work = Work.of(backend, threads, memory, progress)
    if not isinstance(model, NgramModel):
        model = NgramModel.load(model)
    with atomic_path(Path(path)) as temporary:
        compress_to(temporary, model, work, bits, prune, heldout)
    return CompactModel.load(path)


def compress_to(
    path: Path, model: NgramModel, work: Work, bits: int, prune: float, heldout: Corpus | None
) -> None:
    """Write the compressed model to this very file."""
    if not 0 <= prune < math.inf:
        raise OptionError(f"prune {prune} must be a share of the perplexity: 0, or a bit more")
    ngrams = sum(model.ngrams)
    need = ngrams * _NGRAM_BYTES
    if need > work.memory_bytes:
        raise ResourceError(
            f"compressing {ngrams:,} n-grams takes {format_bytes(need)}, allowed are "
            f"{format_bytes(work.memory_bytes)}; allow more (--memory), or fit a lower order"
        )
    work.progress("compressing", 0, ngrams, "n-grams")
    with work.pool() as pool:
        levels = levels_of(model, weigh(model, work.backend.kernels, pool.for_each))
    if prune > 0:
        levels = prune_levels(levels, prune, model.documents)
    codes = quantised(levels, bits)
    described = {
        "bits": bits,
        "prune": prune,
        "whole_bytes": model.size_bits // 8,
        "whole_ngrams": model.ngrams,
        "mean_log2_mass": mean_log2_mass(decoded(levels, codes)),
    }
    small = pack(model, levels, codes, described)
    del levels, codes
    work.progress("compressing", ngrams, ngrams, "n-grams")
    small.save(path, {"heldout": None if heldout is None else _excess(model, small, heldout, work)})


def _excess(whole: NgramModel, small: CompactModel, heldout: Corpus, work: Work) -> dict[str, Any]:
    documents = all_documents(heldout, whole.convention)
    sums = [score_documents(documents, model, work).total for model in (whole, small)]
    before, after = map(_bits_per_token, sums)
    return {
        "predicted_tokens": sums[0].predicted_tokens,
        "documents": sums[0].documents,
        "whole_bits_per_token": before,
        "bits_per_token": after,
        "excess_bits_per_token": None if before is None or after is None else after - before,
    }


def _bits_per_token(loss: LossSum) -> float | None:
    """None where no token has one, or the probability of one is 0."""
    if loss.infinite or not loss.predicted_tokens:
        return None
    return loss.nats / math.log(2) / loss.predicted_tokens
