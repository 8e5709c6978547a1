"""Writing a model for other tools: ARPA text."""

from __future__ import annotations

from pathlib import Path

from icfast.files import atomic_path
from icfast.kneser_ney.arpa import ARPA_END, arpa_blocks, arpa_header, arpa_text
from icfast.kneser_ney.ngram import NgramModel
from icfast.kneser_ney.weights import weigh
from icfast.parallel.threads import Progress, Work, silent


def write_arpa(
    model: NgramModel | str | Path,
    path: str | Path,
    *,
    threads: int | None = None,
    backend: str = "auto",
    progress: Progress = silent,
) -> None:
    r"""Write the order-N model as an ARPA file, atomically.

    Words are ids in decimal, <s>, </s> and <unk>; log10 values have eight decimals. Scores under it
    are those of :func:`icfast.score`. Under convention tokens </s> has probability 0 (score without
    it), and <unk> that of each single id that training never saw.

    Args:
        model: a model, or the file of one.
        threads, backend: as in :func:`icfast.spectra`. Every n-gram's probability is held in
            memory, 8 bytes each, and every context's backoff.

    Raises:
        OptionError: the folder is missing or not writable.
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
    with atomic_path(Path(path)) as temporary:
        export_arpa(model, temporary, work)


def export_arpa(model: NgramModel, path: Path, work: Work) -> None:
    """Write the ARPA text to this very file."""
    blocks = list(arpa_blocks(model))
    with path.open("wb") as file, work.pool() as pool:
        text = arpa_text(model, weigh(model, work.backend.kernels, pool.for_each))
        file.write(arpa_header(model))
        for done, block in enumerate(pool.map(text, blocks), start=1):
            file.write(block)
            work.progress("writing ARPA", done / len(blocks))
        file.write(ARPA_END)
