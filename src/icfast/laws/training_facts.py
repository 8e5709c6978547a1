"""Facts about a training run that its log does not state."""

from __future__ import annotations

from dataclasses import dataclass, field

_MODEL = "The model"
_BASELINE = "The baseline"
_FINAL = "The final model's loss"
_DATA = "The data"
_LIMITS = "Fit and energy"


@dataclass(frozen=True)
class RunFacts:
    """Facts about a training run; the keywords of `training_run`.

    The metadata of each field holds the help text that the command line shows.

    Attributes:
        params: P, number of parameters.
        bits_per_param: b, bits in which a parameter is stored; with P it gives N = P b.
        model_bits: N, size of the model in bits.
        entropy_bits_per_token: H, code length of the training tokens under a baseline, bits per
            token. Give it here or in entropy_nats_per_token.
        entropy_nats_per_token: H in nats per token.
        baseline: name of the baseline that H refers to, such as uniform or unigram.
        final_loss_bits_per_token: L, loss of the final model in one pass over the training tokens,
            bits per token. Give it here or in final_loss_nats_per_token.
        final_loss_nats_per_token: L in nats per token.
        unique_tokens: number of tokens in the training set, each counted once. The default comes
        from
            the log's epochs; without epochs every token seen counts.
        predicted_set: hash of the training tokens.
        final_predicted_set: hash of the tokens on which L was measured.
        eval_predicted_set: hash of the evaluated tokens.
        saturated_below_nats: loss that doubling D must save for the run not to count as saturated,
            nats per token.
        joules_per_flop: J/FLOP, for an estimate of the energy from 6 P D FLOP.
        temperature_kelvin: temperature for Landauer's bound, K.
    """

    params: float | None = field(
        default=None,
        metadata={"metavar": "P", "help": "Number of parameters.", "panel": _MODEL},
    )
    bits_per_param: float | None = field(
        default=None,
        metadata={
            "metavar": "BITS",
            "help": "Bits in which a parameter is stored; with P it gives N.",
            "panel": _MODEL,
        },
    )
    model_bits: float | None = field(
        default=None,
        metadata={"metavar": "N", "help": "Size of the model in bits.", "panel": _MODEL},
    )
    entropy_bits_per_token: float | None = field(
        default=None,
        metadata={
            "metavar": "H",
            "help": "Code length of the training tokens under a baseline, in bits per token.",
            "panel": _BASELINE,
        },
    )
    entropy_nats_per_token: float | None = field(
        default=None,
        metadata={"metavar": "H", "help": "H in nats per token.", "panel": _BASELINE},
    )
    baseline: str | None = field(
        default=None,
        metadata={
            "metavar": "NAME",
            "help": "Baseline that H refers to: uniform, unigram, ...",
            "panel": _BASELINE,
        },
    )
    final_loss_bits_per_token: float | None = field(
        default=None,
        metadata={
            "metavar": "L",
            "help": "Loss of the final model in one pass over the training tokens, in bits per "
            "token.",
            "panel": _FINAL,
        },
    )
    final_loss_nats_per_token: float | None = field(
        default=None,
        metadata={"metavar": "L", "help": "L in nats per token.", "panel": _FINAL},
    )
    unique_tokens: int | None = field(
        default=None,
        metadata={
            "metavar": "TOKENS",
            "help": "Tokens in the training set, if the run saw them more than once.",
            "panel": _DATA,
        },
    )
    predicted_set: str | None = field(
        default=None,
        metadata={"metavar": "HASH", "help": "Hash of the training tokens.", "panel": _DATA},
    )
    final_predicted_set: str | None = field(
        default=None,
        metadata={
            "metavar": "HASH",
            "help": "Hash of the tokens on which L was measured; must equal --predicted-set.",
            "panel": _DATA,
        },
    )
    eval_predicted_set: str | None = field(
        default=None,
        metadata={
            "metavar": "HASH",
            "help": "Hash of the evaluated tokens. If it equals --predicted-set, the last "
            "evaluation is L.",
            "panel": _DATA,
        },
    )
    saturated_below_nats: float = field(
        default=0.01,
        metadata={
            "metavar": "NATS",
            "help": "Loss per token that twice the tokens must save to count as a gain.",
            "panel": _LIMITS,
        },
    )
    joules_per_flop: float | None = field(
        default=None,
        metadata={
            "metavar": "J",
            "help": "Joules per FLOP; with P, estimate the energy from 6 P D FLOP.",
            "panel": _LIMITS,
        },
    )
    temperature_kelvin: float = field(
        default=300.0,
        metadata={
            "metavar": "KELVIN",
            "help": "Temperature for Landauer's bound, in kelvin.",
            "panel": _LIMITS,
        },
    )
