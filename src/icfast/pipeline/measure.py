"""The whole measurement: spectra, a model of the training documents, held-out losses, and laws."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from icfast.corpus import Corpus
from icfast.corpus.documents import DocumentSet, all_documents
from icfast.corpus.heldout import Split, split
from icfast.energy import EnergyMeter, JoulesSource
from icfast.kneser_ney.fan_out import fan_out
from icfast.kneser_ney.fit import fit_counted
from icfast.kneser_ney.ladder import LadderLosses, score_ladder
from icfast.kneser_ney.model import NgramModel
from icfast.laws.landauer import energy
from icfast.ngrams.growth import Growth, growth
from icfast.ngrams.spectra import spectra_of
from icfast.parallel.progress import Progress, silent
from icfast.parallel.threads import Work
from icfast.pipeline.capacity import HEADLINE, Ladder, capacity_rows, floor_rows, headline_joules
from icfast.pipeline.code_lengths import learned_codes
from icfast.pipeline.corpus_laws import corpus_laws
from icfast.pipeline.energy import Spending
from icfast.pipeline.entropy import convention_of, entropy_orders
from icfast.pipeline.models import discounts_of
from icfast.pipeline.neural import Neural, check_neural, score_heldout
from icfast.pipeline.provenance import manifest, versions
from icfast.pipeline.records.base import SCHEMA_VERSION
from icfast.pipeline.records.capacity import CapacityRows, MeasuredFloor
from icfast.pipeline.records.measure import (
    FittedModel,
    Heldout,
    MeasuredCorpus,
    MeasureResult,
    Training,
)
from icfast.pipeline.results import MODEL, Page, ResultFolder
from icfast.quality.open_model import named_file
from icfast.sums.spectrum import Spectra

#: Units of figures whose name does not end in one.
_UNITS = {
    "block_entropy_bits": "bits per window",
    "conditional_entropy_bits_per_token": "bits per token",
    "code_lengths": "bits",
    "model_bits": "bits of the saved file",
    "bits_per_param": "bits saved per parameter",
    "eta": "bits saved per bit stored",
    "coverage": "share of 1",
}

#: Formulas of figures that carry none of their own.
_FORMULAS = {
    "block_entropy_bits": "ml: -sum (r/N) log2 (r/N); the others correct it for what was not seen",
    "conditional_entropy_bits_per_token": "bos_padded, prefix_marginal: [sum n_c log2 n_c - "
    "sum n_cw log2 n_cw] / sum n_c; difference: H_n - H_(n-1)",
    "coverage": "1 - phi_1/N; gate: reliable from .99, estimate from .9, else lower bound",
    "ladder": "D (log2 V - L) = D (log2 V - L_1) + sum D (L_(k-1) - L_k)",
    "ic1": "eta N = D (H - L), H and L code lengths of the same D tokens",
    "ic2": "E0 = bits kB T ln 2: a formal floor, not energy spent",
    "code_lengths": "A = D log2 V; A - C = (A - B) + (B - C); C plug-in under the final counts",
}

_EXTRAPOLATED = "extrapolated: H - L measured on the held-out tokens, times the training tokens"


def measure(
    corpus: Corpus,
    output: str | Path,
    *,
    order: int = 5,
    heldout: float = 0.1,
    temperature_kelvin: float = 300.0,
    neural: Neural | None = None,
    overwrite: bool = False,
    memory: str | int | None = None,
    temporary: str | Path | None = None,
    threads: int | None = None,
    backend: str = "auto",
    progress: Progress = silent,
) -> MeasureResult:
    """Measure entropy, held-out loss, IC-1 and IC-2 of a corpus, as ``icfast measure`` does.

    IC-1 is eta N = D (H - L): the bits that a model of N bits saves on D held-out tokens, compared
    with a baseline (arXiv 2411.00660). IC-2 is Landauer's floor of those bits, E0 = bits kB T ln 2.

    Args:
        corpus: an open corpus.
        output: folder for result.json, manifest.json and model.icfast.
        order: order of the longest n-grams.
        heldout: share of documents held out, chosen by their hash.
        temperature_kelvin: T of IC-2, kelvin.
        neural: a neural model to score on the same held-out tokens.
        overwrite: whether to replace results that icfast wrote there.
        memory: maximum bytes to allocate, such as ``"4GiB"``; the default is half of the available
            memory.
        temporary: folder for temporary files, used if memory would need many passes.
        threads: maximum number of threads; the default is one per core.
        backend: auto, core, numba or cuda.
        progress: called with the stage and its progress.

    Raises:
        CorpusError: the corpus cannot be read or split.
        OptionError: an argument has no meaning, or the folder has results or cannot be written.
        OutputError: a file would be replaced that is an input or that icfast did not write.
        ResourceError: memory or disk do not suffice.

    >>> import tempfile
    >>> import icfast
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "words.bin"
    ...     _ = path.write_bytes(b"".join(b"a%dbc%d " % (n, n % 7) for n in range(99)))
    ...     corpus = icfast.open(path, dtype="u1", vocab_size=256, eos_id=32)
    ...     result = icfast.measure(corpus, Path(folder) / "out", order=2)
    >>> result.corpus.documents, result.ladder[0].loss_bits_per_token
    (99, 8.0)
    """
    return measure_corpus(
        corpus,
        Path(output),
        order=order,
        heldout=heldout,
        temperature_kelvin=temperature_kelvin,
        neural=neural,
        overwrite=overwrite,
        work=Work.of(backend, threads, memory, progress, temporary=temporary),
    )


def measure_corpus(
    corpus: Corpus,
    output: Path,
    *,
    order: int = 5,
    heldout: float = 0.1,
    temperature_kelvin: float = 300.0,
    neural: Neural | None = None,
    overwrite: bool = False,
    page: Page | None = None,
    skipped_texts: int = 0,
    meter: EnergyMeter | None = None,
    work: Work,
) -> MeasureResult:
    """Measure a corpus, and write its results into a folder, all together when they are complete.

    Args:
        corpus: an open corpus.
        output: folder for the results, see `icfast.pipeline.results`.
        order: order of the longest n-grams.
        heldout: share of documents held out, chosen by their hash.
        temperature_kelvin: T of IC-2, kelvin.
        neural: a model to score on the same held-out tokens, above the n-grams on the ladder.
        overwrite: whether to replace results that icfast wrote there.
        page: draws the report of the result, or returns None if it cannot. None draws none.
        skipped_texts: number of texts skipped when the corpus was tokenised.
        meter: energy meter. A CPU meter covers the whole measurement, a GPU meter the neural
            model. None meters nothing.
        work: how the work runs.

    Raises:
        CorpusError: the corpus cannot be read or split.
        OptionError: an argument has no meaning, or the folder has results or cannot be written.
        OutputError: a file would be replaced that is an input or that icfast did not write.
        ResourceError: memory or disk do not suffice.
    """
    energy(bits=0, temperature_kelvin=temperature_kelvin)  # refuses a wrong T before the work
    documents = all_documents(corpus)
    if neural is not None:
        check_neural(documents, neural)
    folder = _folder(corpus, output, neural, overwrite=overwrite, with_page=page is not None)
    folder.check()
    sides = split(documents, heldout, work.backend.kernels)
    arguments = {
        "order": order,
        "heldout": heldout,
        "temperature_kelvin": temperature_kelvin,
        "neural": None if neural is None else _asked(neural),
    }
    with folder.open() as new:
        result = _measured(
            documents,
            sides,
            new.paths[MODEL],
            order=order,
            temperature_kelvin=temperature_kelvin,
            neural=neural,
            skipped_texts=skipped_texts,
            meter=meter,
            work=work,
        )
        drawn = None if page is None else page(result)
        new.write(result, manifest(documents, arguments, work), drawn, with_model=True)
    return result


def _folder(
    corpus: Corpus, output: Path, neural: Neural | None, *, overwrite: bool, with_page: bool
) -> ResultFolder:
    inputs = list(corpus.files)
    if neural is not None and (file := named_file(neural.model.name)) is not None:
        inputs.append(file)
    checkpoint = None if neural is None else neural.options.get("checkpoint")
    return ResultFolder(
        output,
        tuple(inputs),
        overwrite,
        with_model=True,
        with_page=with_page,
        checkpoint=None if checkpoint is None else Path(checkpoint),
    )


def _measured(
    documents: DocumentSet,
    sides: Split,
    file: Path,
    *,
    order: int,
    temperature_kelvin: float,
    neural: Neural | None,
    skipped_texts: int,
    meter: EnergyMeter | None,
    work: Work,
) -> MeasureResult:
    """Measure documents, and write the model of the training documents into a file."""
    begun = time.monotonic()
    corpus = documents.corpus
    # Only a neural model keeps a GPU busy.
    on_gpu = meter is not None and meter.source is JoulesSource.NVML
    with Spending(None if on_gpu else meter, "counting, fitting and scoring") as spending:
        passes = _run_passes(documents, sides, order, work, file)
        scored, ladder = None, passes.ladder
        if neural is not None:
            scored, ladder = score_heldout(
                sides.heldout,
                neural,
                passes.ladder,
                passes.spectra[1],
                temperature_kelvin,
                work,
                meter if on_gpu else None,
            )
    ic1 = _ic1(passes.ladder, sides, passes.model)
    ic2 = _ic2(ic1, temperature_kelvin)
    source = documents.source(order)
    return MeasureResult(
        schema_version=SCHEMA_VERSION,
        icfast_version=versions()["icfast"],
        corpus=_corpus(documents, passes.spectra, skipped_texts),
        convention=convention_of(source, "held-out documents, every token of them"),
        units=_UNITS,
        formulas=_FORMULAS,
        inputs=tuple(source.shards),
        backend=work.backend.name,
        threads=work.threads,
        memory_bytes=work.memory_bytes,
        orders=entropy_orders(passes.spectra, with_spectra=True),
        heldout=_heldout(sides, passes.losses.total[-1].oov),
        training=Training(sides.training.tokens, len(sides.training)),
        model=_model(passes.model),
        ladder=ladder.rows(),
        neural=scored,
        code_lengths=learned_codes(passes.learned, fan_out(passes.model), corpus.vocab_size),
        corpus_laws=corpus_laws(passes.spectra, passes.grown, passes.losses, sides),
        ic1=ic1,
        ic2=ic2,
        spent=spending.record(ic2.energy_joules),
        wall_seconds=time.monotonic() - begun,
        warnings=corpus.warnings,
    )


@dataclass(frozen=True)
class _Passes:
    """Everything that is read from the corpus.

    Attributes:
        spectra: spectra of all documents.
        grown: growth of the types along all documents.
        model: Kneser-Ney model of the training documents.
        learned: spectra of the training documents.
        losses: losses of the held-out documents under the models of every order.
        ladder: the same losses as a ladder.
    """

    spectra: Spectra
    grown: Growth
    model: NgramModel
    learned: Spectra
    losses: LadderLosses
    ladder: Ladder


def _run_passes(
    documents: DocumentSet, sides: Split, order: int, work: Work, file: Path
) -> _Passes:
    """Count, fit and score; write the model into a file."""
    spectra = spectra_of(documents, order, work)
    grown = growth(documents, work)
    model, learned = fit_counted(sides.training, order, work, file)
    losses = score_ladder(sides.heldout, model, work)
    ladder = Ladder.of(losses.total, documents.corpus.vocab_size)
    return _Passes(spectra, grown, model, learned, losses, ladder)


def _asked(neural: Neural) -> dict[str, Any]:
    options = {name: str(value) for name, value in neural.options.items()}
    return {"model": neural.model.name, "options": options, "initial_seed": neural.initial_seed}


def _corpus(documents: DocumentSet, spectra: Spectra, skipped_texts: int) -> MeasuredCorpus:
    corpus = documents.corpus
    return MeasuredCorpus(
        tokens=spectra.tokens,
        documents=spectra.documents,
        vocab_size=corpus.vocab_size,
        vocab_size_given=corpus.vocab_size_given,
        shards=len(corpus.shards),
        formats=tuple(sorted({shard.format for shard in corpus.shards})),
        tokenizer=corpus.tokenizer,
        eos_id=corpus.eos_id,
        boundary=corpus.boundary,
        cross_documents=corpus.cross_documents,
        text_bytes=documents.text_bytes,
        skipped_documents=corpus.skipped_documents,
        skipped_files=len(corpus.skipped_files),
        skipped_texts=skipped_texts,
    )


def _heldout(sides: Split, oov: int) -> Heldout:
    tokens = sides.heldout.tokens
    return Heldout(
        fraction_asked=sides.fraction,
        tokens=tokens,
        documents=len(sides.heldout),
        share_of_tokens=tokens / (tokens + sides.training.tokens),
        text_bytes=sides.heldout.text_bytes,
        oov=oov,
        predicted_set_sha256=sides.predicted_set_sha256,
    )


def _model(model: NgramModel) -> FittedModel:
    return FittedModel(
        kind="modified Kneser-Ney",
        order=model.order,
        convention=model.convention,
        file=MODEL,
        model_bits=model.size_bits,
        params=model.parameters,
        sha256=model.sha256,
        ngram_counts=tuple(model.ngram_counts),
        discounts=tuple(discounts_of(entry) for entry in model.discounts),
    )


def _ic1(ladder: Ladder, sides: Split, model: NgramModel) -> CapacityRows:
    bits, params = model.size_bits, model.parameters
    return CapacityRows(
        heldout=capacity_rows(ladder, ladder.tokens, bits, params),
        training=capacity_rows(ladder, sides.training.tokens, bits, params, _EXTRAPOLATED),
    )


def _ic2(ic1: CapacityRows, temperature_kelvin: float) -> MeasuredFloor:
    heldout = floor_rows(ic1.heldout, temperature_kelvin)
    training = floor_rows(ic1.training, temperature_kelvin)
    return MeasuredFloor(temperature_kelvin, HEADLINE, headline_joules(heldout), heldout, training)
