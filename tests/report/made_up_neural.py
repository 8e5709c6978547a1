"""A synthetic result.json with a neural model: no model has these figures."""

from __future__ import annotations

import copy

from tests.report.made_up import HELD, VOCABULARY, Result, made_up_capacity


def with_neural(result: Result) -> Result:
    """The same result with a neural model on top of the ladder."""
    found = copy.deepcopy(result)
    rows = [
        {**row, "model_bits": 6.7e8, "params": 134_515_008, "flags": []}
        for row in made_up_capacity(HELD)
    ]
    found["ladder"].append(
        {
            "model": "gguf:tiny.gguf",
            "order": None,
            "loss_bits_per_token": 4.5,
            "gain_bits_per_token": 1.8,
            "gain_bits": 1.8 * HELD,
        }
    )
    counted = ("oov", "infinite", "ignored", "nan", "out_of_range", "huge")
    found["neural"] = {
        "predicted_tokens": HELD,
        "documents": 1234,
        **dict.fromkeys(counted, 0),
        "text_bytes": None,
        "loss_nats_per_token": 3.1,
        "total_log10": -1.35e6,
        "reason": None,
        "normalised": {"per": "token", "bits": 4.5, "nats": 3.1, "perplexity": 22.6},
        "predicted_set_sha256": "ab" * 32,
        "resumed_units": 0,
        "refused_files": [],
        "spent": None,
        "model": {
            "name": "gguf:<models>/tiny.gguf",
            "vocab_size": VOCABULARY,
            "sha256": None,
            "device": "cpu",
            "params": 134_515_008,
            "model_bits": 670_000_000,
            "compute_format": "bf16",
            "logits_format": "fp32",
        },
        "loss_bits_per_token": 4.5,
        "standard_error": {"clusters": 9, "bits_per_token": 0.0321, "nats_per_token": 0.022},
        "bits_per_byte": 1.1,
        "perplexity": 22.6,
        "policy": {
            "name": "window 1024, stride 512, BOS 0",
            "window": 1024,
            "stride": 512,
            "bos_id": 0,
            "packed": False,
            "normaliser": "token",
        },
        "counts": {
            "windows": 1234,
            "predicted_tokens": HELD,
            "context_tokens": 512,
            "first_tokens_not_predicted": 0,
            "text_bytes": None,
            "words": None,
        },
        "by_position": [
            {"first": 0, "last": 0, "predicted_tokens": 9, "loss_bits_per_token": 9.0},
            {"first": 1, "last": 1, "predicted_tokens": 9, "loss_bits_per_token": None},
            {"first": 2, "last": 3, "predicted_tokens": 18, "loss_bits_per_token": 5.0},
        ],
        "initial_loss": {
            "seed": 3,
            "predicted_tokens": HELD,
            "standard_error_nats_per_token": 0.01,
            "logit_variance": 0.3,
            "logit_variance_measured": 0.31,
            "loss_nats_per_token": 10.97,
            "expected_nats_per_token": 10.9785,
            "uniform_nats_per_token": 10.8249,
            "unigram_entropy_nats_per_token": {"ml": 6.9, "cwj": 6.95},
            "note": "measures tokenizer and initialiser",
        },
        "ic1": rows,
        "ic2": {
            "baseline": "uniform",
            "energy_joules": 1e-14,
            "temperature_kelvin": 300.0,
            "rows": [],
        },
    }
    return found
