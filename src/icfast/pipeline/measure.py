"""The main job: spectra, a model on the training documents, its loss on the held-out ones, laws."""

from __future__ import annotations

import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from icfast.corpus import Corpus
from icfast.corpus.documents import all_documents
from icfast.corpus.heldout import Split, split
from icfast.energy import EnergyMeter, JoulesSource
from icfast.errors import OptionError
from icfast.files import write_json
from icfast.kneser_ney.discounts import OrderDiscounts
from icfast.kneser_ney.fan_out import fan_out
from icfast.kneser_ney.fit import fit_counted
from icfast.kneser_ney.ladder import score_ladder
from icfast.kneser_ney.model import NgramModel
from icfast.laws.landauer import energy
from icfast.ngrams.growth import growth
from icfast.ngrams.spectra import spectra_of
from icfast.parallel.threads import Work
from icfast.pipeline.capacity import Ladder, ic1_rows, ic2
from icfast.pipeline.code_lengths import code_lengths_record
from icfast.pipeline.corpus_laws import corpus_laws
from icfast.pipeline.energy import Spending
from icfast.pipeline.entropy import SCHEMA_VERSION, conventions, orders
from icfast.pipeline.neural import Neural, check_neural, neural_record
from icfast.pipeline.provenance import manifest, versions
from icfast.sums.spectrum import Spectra

#: Of every figure whose name does not end in its unit.
_UNITS = {
    "block_entropy_bits": "bits per window",
    "conditional_entropy_bits_per_token": "bits per token",
    "code_lengths": "bits",
    "model_bits": "bits of the saved file",
    "bits_per_param": "bits saved per parameter",
    "eta": "bits saved per bit stored",
    "coverage": "share of 1",
}

#: How the figures come about that have no formula beside them.
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
    output: Path,
    *,
    order: int = 5,
    heldout: float = 0.1,
    temperature_kelvin: float = 300.0,
    neural: Neural | None = None,
    skipped_texts: int = 0,
    meter: EnergyMeter | None = None,
    work: Work,
) -> dict[str, Any]:
    """Measure a corpus and write manifest.json, model.icfast and result.json into a folder.

    Every file appears only when whole; result.json is the last.

    Args:
        output: a folder, made where it is missing; results of an earlier run are replaced.
        heldout: share of documents held out, by their hash.
        temperature_kelvin: T of IC-2.
        neural: a model to score on the same held-out tokens, above the n-grams on the ladder.
        skipped_texts: texts left out when the corpus was tokenised, for the record.
        meter: of the joules spent, by the CPU on all of it, by GPUs on the neural model; None:
            they are not metered.

    Returns:
        What result.json holds.

    Raises:
        CorpusError: the corpus can't be read or split.
        OptionError: an argument has no meaning, or the folder can't be written.
        ResourceError: memory or disk do not suffice.
    """
    begun = time.monotonic()
    energy(bits=0, temperature_kelvin=temperature_kelvin)  # a wrong T is found before the work
    documents = all_documents(corpus)
    if neural is not None:
        check_neural(documents, neural)
    sides = split(documents, heldout, work.backend.kernels)
    make_folder(output)
    # Of all this, only a neural model is what GPUs are busy with.
    on_gpu = meter is not None and meter.source is JoulesSource.NVML
    spending = Spending(None if on_gpu else meter, "counting, fitting and scoring")
    with spending:
        spectra = spectra_of(documents, order, work)
        grown = growth(documents, work)
        model, learned = fit_counted(sides.training, order, work, output / "model.icfast")
        losses = score_ladder(sides.heldout, model, work)
        ladder = rungs = Ladder.of(losses.total, corpus.vocab_size)
        scored = None
        if neural is not None:
            scored, rungs = neural_record(
                sides.heldout,
                neural,
                ladder,
                spectra[1],
                temperature_kelvin,
                work,
                meter if on_gpu else None,
            )
    laws = _laws(ladder, sides, model, temperature_kelvin)
    result = {
        "schema_version": SCHEMA_VERSION,
        "icfast_version": versions()["icfast"],
        "corpus": {
            **_corpus(corpus, spectra, documents.text_bytes),
            "skipped_texts": skipped_texts,
        },
        "convention": {
            **conventions(documents.source(order)),
            "predicted_set": "held-out documents, every token of them",
        },
        "units": _UNITS,
        "formulas": _FORMULAS,
        "inputs": [asdict(record) for record in documents.source(order).shards],
        "backend": work.backend.name,
        "threads": work.threads,
        "memory_bytes": work.memory_bytes,
        "orders": orders(spectra, with_spectra=True),
        "heldout": _heldout(sides, losses.total[-1].oov),
        "training": {"tokens": sides.training.tokens, "documents": len(sides.training)},
        "model": _model(model),
        "ladder": rungs.as_json(),
        "neural": scored,
        "code_lengths": code_lengths_record(learned, fan_out(model), corpus.vocab_size),
        "corpus_laws": corpus_laws(spectra, grown, losses, sides),
        **laws,
        "spent": spending.record(laws["ic2"]["energy_joules"]),
        "wall_seconds": time.monotonic() - begun,
    }
    arguments = {
        "order": order,
        "heldout": heldout,
        "temperature_kelvin": temperature_kelvin,
        "neural": None if neural is None else _asked(neural),
    }
    write_json(output / "manifest.json", manifest(documents, arguments, work))
    write_json(output / "result.json", result)
    return result


def _asked(neural: Neural) -> dict[str, Any]:
    options = {name: str(value) for name, value in neural.options.items()}
    return {"model": neural.model.name, "options": options, "initial_seed": neural.initial_seed}


def make_folder(output: Path) -> None:
    """Make a folder for results where it is missing.

    Raises:
        OptionError: it can't be made.
    """
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OptionError(
            f"cannot make the output folder {output}: {error.strerror}; choose another --output"
        ) from error


def _corpus(corpus: Corpus, spectra: Spectra, text_bytes: int | None) -> dict[str, Any]:
    return {
        "tokens": spectra.tokens,
        "documents": spectra.documents,
        "vocab_size": corpus.vocab_size,
        "vocab_size_given": corpus.vocab_size_given,
        "shards": len(corpus.shards),
        "formats": sorted({shard.format for shard in corpus.shards}),
        "tokenizer": corpus.tokenizer,
        "eos_id": corpus.eos_id,
        "boundary": corpus.boundary,
        "cross_documents": corpus.cross_documents,
        "text_bytes": text_bytes,
        "skipped_documents": corpus.skipped_documents,
        "skipped_files": len(corpus.skipped_files),
    }


def _heldout(sides: Split, oov: int) -> dict[str, Any]:
    tokens = sides.heldout.tokens
    return {
        "fraction_asked": sides.fraction,
        "tokens": tokens,
        "documents": len(sides.heldout),
        "share_of_tokens": tokens / (tokens + sides.training.tokens),
        "text_bytes": sides.heldout.text_bytes,
        "oov": oov,
        "predicted_set_sha256": sides.predicted_set_sha256,
    }


def _model(model: NgramModel) -> dict[str, Any]:
    return {
        "kind": "modified Kneser-Ney",
        "order": model.order,
        "convention": model.convention,
        "file": model.path.name,
        "model_bits": model.size_bits,
        "params": model.parameters,
        "sha256": model.sha256,
        "ngram_counts": list(model.ngram_counts),
        "discounts": [discounts_record(entry) for entry in model.discounts],
    }


def discounts_record(entry: OrderDiscounts) -> dict[str, Any]:
    """The discounts of one order as reports show them."""
    lower = entry.lower
    return {
        "order": entry.order,
        "top": list(entry.top.values),
        "top_fallback": entry.top.fallback,
        "lower": None if lower is None else list(lower.values),
        "lower_fallback": None if lower is None else lower.fallback,
    }


def _laws(
    ladder: Ladder, sides: Split, model: NgramModel, temperature_kelvin: float
) -> dict[str, Any]:
    bits, params = model.size_bits, model.parameters
    measured = ic1_rows(ladder, ladder.tokens, bits, params)
    extrapolated = ic1_rows(ladder, sides.training.tokens, bits, params)
    return {
        "ic1": {
            "heldout": measured,
            "training": [{**row, "note": _EXTRAPOLATED} for row in extrapolated],
        },
        "ic2": ic2(measured, extrapolated, temperature_kelvin),
    }
