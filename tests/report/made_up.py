"""A synthetic result.json: no corpus has these figures."""

from __future__ import annotations

import copy
import itertools
from typing import Any

Result = dict[str, Any]

VOCABULARY = 4096
TRAIN, HELD = 9_000_000, 1_000_000
MODELS = ("uniform", "unigram", "bigram", "3-gram", "4-gram", "5-gram")
LOSSES = [12.0, 9.5, 7.25, 6.5, 6.25, 6.3]
PLUG_IN = [9.4, 6.9, 4.1, 1.9, 0.7]
COVERAGE = [0.99995, 0.9912, 0.93, 0.71, 0.42]
GATES = ["reliable", "reliable", "estimate", "lower bound", "lower bound"]
MODEL_BITS, PARAMS = 480_000_000, 15_000_000
JOULES_PER_BIT = 2.87097888508e-21


def made_up_spectrum(order: int) -> Result:
    rows = range(1, 3000 // order)
    types = [max(1, round(2e5 * order / r**1.7)) for r in rows]
    return {"multiplicity": list(rows), "types": types}


def made_up_order(order: int) -> Result:
    block = sum(PLUG_IN[:order])
    names = ["ml", "cwj", "grassberger", "chao_shen", "miller_madow", "zhang", "jackknife"]
    return {
        "order": order,
        "windows": 10_000_000 - 1234 * order,
        "distinct": 4000 * 6 ** (order - 1),
        "singletons": 900 * 6 ** (order - 1),
        "doubletons": 300 * 6 ** (order - 1),
        "coverage": COVERAGE[order - 1],
        "coverage_chao_jost": min(1.0, COVERAGE[order - 1] + 0.01),
        "gate": GATES[order - 1],
        "block_entropy_bits": {name: block + 0.1 * place for place, name in enumerate(names)},
        "conditional_entropy_bits_per_token": {
            "difference": PLUG_IN[order - 1] + 0.02,
            "prefix_marginal": PLUG_IN[order - 1] - 0.15,
            "bos_padded": PLUG_IN[order - 1],
        },
        "spectrum": made_up_spectrum(order),
    }


def made_up_ladder() -> list[Result]:
    gains = [None, *(a - b for a, b in itertools.pairwise(LOSSES))]
    return [
        {
            "model": MODELS[order],
            "order": order,
            "loss_bits_per_token": loss,
            "gain_bits_per_token": gain,
            "gain_bits": None if gain is None else gain * HELD,
        }
        for order, (loss, gain) in enumerate(zip(LOSSES, gains, strict=True))
    ]


def made_up_capacity(tokens: int) -> list[Result]:
    entropies = {"uniform": 12.0, "unigram": 9.5, "bigram": 7.25}
    return [
        {
            "baseline": name,
            "tokens": tokens,
            "entropy_bits_per_token": entropy,
            "loss_bits_per_token": LOSSES[-1],
            "model_bits": MODEL_BITS,
            "params": PARAMS,
            "bits_saved": tokens * (entropy - LOSSES[-1]),
            "bits_per_param": tokens * (entropy - LOSSES[-1]) / PARAMS,
            "eta": tokens * (entropy - LOSSES[-1]) / MODEL_BITS,
            "flags": [],
        }
        for name, entropy in entropies.items()
    ]


def made_up_code(order: int, online: float, final: float) -> Result:
    a, b, c = (TRAIN * bits for bits in (12.0, online, final))
    return {
        "order": order,
        "baseline_bits": a,
        "online_bits": b,
        "final_bits": c,
        "gross_savings_bits": a - c,
        "compression_bits": a - b,
        "absorbed_bits": b - c,
    }


def made_up_codes() -> Result:
    final = [9.4, 6.9, 4.1, 1.9]
    kt = [
        made_up_code(n, b, c)
        for n, (b, c) in enumerate(zip([9.6, 8.3, 9.1, 10.9], final, strict=True), 1)
    ]
    pitman_yor = [
        {**made_up_code(n, b, c), "discount": 0.5, "strength": 10.0, "parameter_bits": 5.64}
        for n, (b, c) in enumerate(zip([9.5, 7.4, 7.2, 8.8], final, strict=True), 1)
    ]
    best = {"family": "Pitman-Yor", **pitman_yor[2]}
    return {
        "documents": "training",
        "tokens": TRAIN,
        "alphabet_size": VOCABULARY,
        "convention": "bos_padded",
        "families": [
            {"family": "KT", "formula": "kt formula", "orders": kt, "best_order": 2},
            {"family": "Pitman-Yor", "formula": "py <d>", "orders": pitman_yor, "best_order": 3},
        ],
        "best": {name: best[name] for name in ("family", "order", "online_bits", "absorbed_bits")},
    }


def made_up_law(**values: Any) -> Result:
    about = {"formula": "<f>", "unit": "bits", "convention": "made up"}
    return {**about, "reason": None, "gate": "fact", **values}


def made_up_rate() -> Result:
    forms = {"exponential": 5.9123, "power": 5.1, "hilberg": None}
    found = {"by_form": forms, "bits_per_token": 5.5, "spread_bits_per_token": 0.8123}
    excess = {"flags": ["synthetic <flag> of a rate"], "excess_entropy_bits": 9.87}
    return {
        "from_heldout": {"orders": 5, "reason": None, **found, **excess},
        "from_plug_in": {"orders": 2, "reason": "too few <orders>"},
    }


def made_up_tail(least: int) -> Result:
    return {
        "minimum_count": least,
        "types": 3000 // least,
        "spectrum_exponent": 1.87,
        "standard_error": 0.01,
        "rank_exponent": 1.149,
        "distance": 0.0432,
    }


def made_up_laws() -> Result:
    tokens = [1, 100, 10_000, TRAIN + HELD]
    return {
        "quality": made_up_law(
            unigram_bits_per_token=PLUG_IN[0],
            orders=[
                {
                    "order": n,
                    "conditional_bits_per_token": h,
                    "learnable_bits_per_token": PLUG_IN[0] - h,
                    "excess_entropy_bits": 1.25 * n,
                    "gate": gate,
                }
                for n, (h, gate) in enumerate(zip(PLUG_IN, GATES, strict=True), 1)
            ],
            noise_floor_low_bits_per_token=0.7,
            noise_floor_high_bits_per_token=6.25,
            heldout_learnable_bits_per_token=3.25,
            flags=["synthetic <flag> of quality"],
        ),
        "entropy_rate": made_up_law(**made_up_rate()),
        "heaps": made_up_law(
            tokens=tokens,
            observed_types=[1, 60, 900, 4000],
            shuffled_types=[1.0, 80.5, 1100.25, 4000.0],
            observed_fit={"k": 3.21, "beta": 0.456},
            shuffled_fit={"k": 4.0, "beta": 0.444},
            largest_shortfall={"tokens": 100, "share": 0.254},
        ),
        "zipf": made_up_law(
            hapax_share=0.225,
            types=4000,
            tokens=TRAIN + HELD,
            tails=[made_up_tail(1), made_up_tail(10)],
            best=made_up_tail(10),
        ),
        "renyi": made_up_law(
            entropies=[{"q": 0.5, "bits_per_token": 10.5}, {"q": None, "bits_per_token": 3.5}],
            note="q null is infinity",
        ),
        "repetition": made_up_law(
            orders=[{"order": 1, "share": 0.99}, {"order": 5, "share": 0.4321}],
            documents=17,
            documents_share=0.001377,
            tokens=1234,
            tokens_share=0.0001234,
        ),
        "shard_divergence": made_up_law(
            shards=3, bits_per_token=0.0123456, sampling_floor_bits_per_token=0.000321
        ),
        "constancy": made_up_law(
            order=5,
            rows=[
                {"first": 0, "last": 0, "predicted_tokens": 9, "loss_bits_per_token": 9.0},
                {"first": 1, "last": 1, "predicted_tokens": 9, "loss_bits_per_token": 7.0},
                {"first": 2, "last": 3, "predicted_tokens": 18, "loss_bits_per_token": 5.0},
            ],
            slope_bits_per_doubling=-0.4567,
            range_bits_per_token=2.0,
        ),
    }


def made_up_discount(order: int) -> Result:
    top = order == len(GATES)
    return {
        "order": order,
        "top": [0.5, 1.0, 1.5] if order == 1 else [0.71, 1.08, 1.39],
        "top_fallback": order == 1,
        "lower": None if top else [0.62, 1.01, 1.33],
        "lower_fallback": None if top else False,
    }


def made_up_energy(rows: list[Result]) -> list[Result]:
    return [
        {
            "baseline": row["baseline"],
            "bits": row["bits_saved"],
            "energy_joules": row["bits_saved"] * JOULES_PER_BIT,
        }
        for row in rows
    ]


def made_up_result() -> Result:
    """Everything ``icfast measure`` gives, of three shards."""
    held, extrapolated = made_up_capacity(HELD), made_up_capacity(TRAIN)
    for row in extrapolated:
        row["note"] = "extrapolated: the held-out H - L is taken to hold for the training tokens"
    held[0]["flags"] = held[2]["flags"] = ["synthetic flag"]
    return {
        "schema_version": 1,
        "icfast_version": "0.1.0",
        "corpus": {
            "tokens": TRAIN + HELD,
            "documents": 12_345,
            "vocab_size": VOCABULARY,
            "vocab_size_given": True,
            "shards": 3,
            "formats": ["raw"],
            "tokenizer": "made-up",
            "eos_id": 0,
            "boundary": "end",
            "cross_documents": False,
            "text_bytes": 41_234_567,
            "skipped_documents": 0,
            "skipped_files": 0,
            "skipped_texts": 0,
        },
        "convention": {
            "name": "tokens",
            "windows": "inside documents",
            "boundary": "end",
            "eos_id": 0,
            "unit": "bits",
            "predicted_set": "held-out documents, every token of them",
        },
        "units": {"eta": "bits saved per bit stored"},
        "formulas": {"ic1": "eta N = D (H - L)"},
        "inputs": [{"name": "a.bin", "sha256": "ef" * 32, "tokens": 1, "documents": 1}],
        "backend": "core",
        "threads": 8,
        "memory_bytes": 4 << 30,
        "wall_seconds": 75.4,
        "orders": [made_up_order(order) for order in range(1, len(GATES) + 1)],
        "heldout": {
            "fraction_asked": 0.1,
            "tokens": HELD,
            "documents": 1234,
            "share_of_tokens": 0.1,
            "text_bytes": None,
            "oov": 0,
            "predicted_set_sha256": "ab" * 32,
        },
        "training": {"tokens": TRAIN, "documents": 11_111},
        "model": {
            "kind": "modified Kneser-Ney",
            "order": len(GATES),
            "convention": "tokens",
            "file": "model.icfast",
            "ngram_counts": [4000] * len(GATES),
            "model_bits": MODEL_BITS,
            "params": PARAMS,
            "sha256": "cd" * 32,
            "discounts": [made_up_discount(order) for order in range(1, len(GATES) + 1)],
        },
        "ladder": made_up_ladder(),
        "neural": None,
        "code_lengths": made_up_codes(),
        "corpus_laws": made_up_laws(),
        "ic1": {"heldout": held, "training": extrapolated},
        "ic2": {
            "temperature_kelvin": 300.0,
            "baseline": "uniform",
            "energy_joules": held[0]["bits_saved"] * JOULES_PER_BIT,
            "heldout": made_up_energy(held),
            "training": made_up_energy(extrapolated),
        },
        "spent": None,
    }


def without_windows(result: Result) -> Result:
    """The same result whose orders had no window at all, and nothing else optional."""
    empty = copy.deepcopy(result)
    for row in empty["orders"]:
        row.update(windows=0, distinct=0, coverage=None, coverage_chao_jost=None)
        row["spectrum"] = {"multiplicity": [], "types": []}
        for name in ("block_entropy_bits", "conditional_entropy_bits_per_token"):
            row[name] = dict.fromkeys(row[name])
    empty["corpus"].update(tokenizer=None, eos_id=None, text_bytes=None)
    for law in empty["corpus_laws"].values():
        about = {name: law[name] for name in ("formula", "unit", "convention")}
        law.clear()
        law.update(about, reason="nothing <counted>", gate=None)
    for row in (*empty["ic1"]["heldout"], *empty["ic1"]["training"]):
        row.update(eta=None, bits_per_param=None)
    return empty
