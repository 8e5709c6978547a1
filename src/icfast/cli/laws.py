"""Commands that only compute: laws capacity, energy, size, quantise."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from icfast.cli.groups import lazy_group
from icfast.cli.options import Json, SpentOptions
from icfast.cli.output import emit, print_facts
from icfast.errors import OptionError

if TYPE_CHECKING:
    from icfast.laws import Capacity, Energy

#: Commands in the order of `icfast laws --help`, and where their functions are.
COMMANDS = {
    "capacity": "icfast.cli.laws:capacity",
    "energy": "icfast.cli.laws:energy",
    "size": "icfast.cli.laws:size",
    "quantise": "icfast.cli.laws:quantise",
    "run": "icfast.cli.training:run",
    "scaling": "icfast.cli.training:scaling",
}

app = typer.Typer(
    name="laws",
    cls=lazy_group(COMMANDS),
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    help="Apply the laws of information capacity (IC-1, IC-2) to numbers and training logs.",
)

_Tokens = Annotated[float | None, typer.Option(help="D, tokens.")]
_Params = Annotated[float | None, typer.Option(help="P, parameters.")]
_EntropyBits = Annotated[
    float | None, typer.Option(help="H, the baseline's code length of a token, in bits.")
]
_LossBits = Annotated[
    float | None, typer.Option(help="L, the model's loss on the same tokens, in bits.")
]
_EntropyNats = Annotated[float | None, typer.Option(help="H in nats; then L in nats too.")]
_LossNats = Annotated[float | None, typer.Option(help="L in nats; then H in nats too.")]


def capacity(
    tokens: _Tokens = None,
    entropy_bits_per_token: _EntropyBits = None,
    loss_bits_per_token: _LossBits = None,
    entropy_nats_per_token: _EntropyNats = None,
    loss_nats_per_token: _LossNats = None,
    model_bits: Annotated[float | None, typer.Option(help="N, size of the model in bits.")] = None,
    params: Annotated[
        float | None, typer.Option(help="P, parameters; with --bits-per-param this is N.")
    ] = None,
    bits_per_param: Annotated[
        float | None, typer.Option(help="Bits a parameter is stored in.")
    ] = None,
    precision: Annotated[
        list[str] | None,
        typer.Option(metavar="P:B", help="P parameters of B bits each; once for every width."),
    ] = None,
    model_bits_per_token: Annotated[
        float | None, typer.Option(help="k = N/D, with one of the two.")
    ] = None,
    eta: Annotated[
        float | None, typer.Option(help="Bits saved per stored bit; may pass 1.")
    ] = None,
    entropy_standard_error_bits_per_token: Annotated[
        float | None, typer.Option(help="Of H, in bits; 0 where H is exact.")
    ] = None,
    loss_standard_error_bits_per_token: Annotated[
        float | None, typer.Option(help="Of L, in bits.")
    ] = None,
    entropy_standard_error_nats_per_token: Annotated[
        float | None, typer.Option(help="Of H, in nats.")
    ] = None,
    loss_standard_error_nats_per_token: Annotated[
        float | None, typer.Option(help="Of L, in nats.")
    ] = None,
    error_correlation: Annotated[
        float, typer.Option(help="Of the two errors; above 0 for losses on the same tokens.")
    ] = 0.0,
    baseline: Annotated[
        str | None, typer.Option(help="What H is measured under: uniform, unigram, ...")
    ] = None,
    entropy_predicted_set: Annotated[
        str | None, typer.Option(help="Hash of the tokens that H is of.")
    ] = None,
    loss_predicted_set: Annotated[
        str | None, typer.Option(help="Hash of the tokens that L is of; must be the same.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Solve IC-1, eta N = D (H - L), for the one quantity left out."""
    from icfast import laws

    found = laws.capacity(
        tokens=tokens,
        entropy_bits_per_token=entropy_bits_per_token,
        loss_bits_per_token=loss_bits_per_token,
        entropy_nats_per_token=entropy_nats_per_token,
        loss_nats_per_token=loss_nats_per_token,
        model_bits=model_bits,
        params=params,
        bits_per_param=bits_per_param,
        precisions=_precisions(precision),
        model_bits_per_token=model_bits_per_token,
        eta=eta,
        entropy_standard_error_bits_per_token=entropy_standard_error_bits_per_token,
        loss_standard_error_bits_per_token=loss_standard_error_bits_per_token,
        entropy_standard_error_nats_per_token=entropy_standard_error_nats_per_token,
        loss_standard_error_nats_per_token=loss_standard_error_nats_per_token,
        error_correlation=error_correlation,
        baseline=baseline,
        entropy_predicted_set=entropy_predicted_set,
        loss_predicted_set=loss_predicted_set,
    )
    facts = _capacity_facts(found)
    emit(asdict(found), as_json, lambda console: print_facts(console, facts))


def _precisions(written: list[str] | None) -> list[tuple[float, float]] | None:
    """Pairs of parameters and bits, from "7e9:4"."""
    if not written:
        return None
    pairs = []
    for word in written:
        try:
            params, bits = map(float, word.split(":"))
        except ValueError:
            raise OptionError(
                f"--precision takes parameters and bits as in 7e9:4, found {word!r}"
            ) from None
        pairs.append((params, bits))
    return pairs


def _capacity_facts(found: Capacity) -> dict[str, str]:
    from icfast.report import numbers

    def plain(value: float | None) -> str:
        return numbers.DASH if value is None else numbers.short_count(value)

    named = f" ({found.baseline})" if found.baseline else ""
    facts = {
        "D": f"{plain(found.tokens)} tokens",
        "H": f"{numbers.per_token(found.entropy_bits_per_token)} bits/token{named}",
        "L": f"{numbers.per_token(found.loss_bits_per_token)} bits/token",
        "N": numbers.bits(found.model_bits),
        "Parameters": plain(found.params),
        "Stored bits/param": plain(found.bits_per_param_stored),
        "k = N/D": f"{numbers.ratio(found.model_bits_per_token)} bits/token",
        "Saved": _with_error(numbers.bits, found.bits_saved, found.bits_saved_standard_error),
        "Saved bits/param": numbers.ratio(found.bits_per_param),
        "eta": f"{_with_error(numbers.ratio, found.eta, found.eta_standard_error)} bits/bit",
        "eta in nats": f"{numbers.ratio(found.eta_nats_per_bit)} nats/bit",
    }
    for known in found.compared:
        facts[f"Against {known.known_bits_per_param:g}"] = (
            f"{numbers.ratio(known.ratio)} times ({known.name}: {known.source})"
        )
    if found.flags:
        facts["Note"] = "; ".join(found.flags)
    return facts


def _with_error(write: Callable[[float | None], str], value: float, error: float | None) -> str:
    return write(value) if error is None else f"{write(value)} ± {write(error)}"


def energy(
    spent_options: SpentOptions,
    bits: Annotated[float | None, typer.Option(help="Information, in bits.")] = None,
    nats: Annotated[float | None, typer.Option(help="The same in nats, instead.")] = None,
    temperature_kelvin: Annotated[float, typer.Option(help="Temperature, in kelvin.")] = 300.0,
    params: _Params = None,
    tokens: _Tokens = None,
    joules_per_flop: Annotated[
        float | None, typer.Option(help="With P and D: estimate 6 P D FLOP, labelled so.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Compute IC-2, Landauer's floor kB T ln 2 per bit, in joules, beside what was spent."""
    from icfast import laws

    spent = spent_options.joules()
    estimate = (params, tokens, joules_per_flop)
    if params is not None and tokens is not None and joules_per_flop is not None:
        if spent is not None:
            raise OptionError("give joules spent or an estimate, not both: one call for each")
        spent = laws.flop_estimate(params=params, tokens=tokens, joules_per_flop=joules_per_flop)
    elif estimate != (None, None, None):
        raise OptionError("an estimate needs --params, --tokens and --joules-per-flop")
    found = laws.energy(bits=bits, nats=nats, temperature_kelvin=temperature_kelvin, spent=spent)
    facts = _energy_facts(found)
    emit(asdict(found), as_json, lambda console: print_facts(console, facts))


def _energy_facts(found: Energy) -> dict[str, str]:
    from icfast.report import numbers

    facts = {
        "Information": f"{numbers.bits(found.bits)}, {found.nats:.4g} nats",
        "Temperature": numbers.kelvin(found.temperature_kelvin),
        "Energy": f"{numbers.joules(found.energy_joules)}: a formal floor, not energy spent",
        "Per bit": numbers.joules(found.joules_per_bit),
        "Per nat": numbers.joules(found.joules_per_nat),
    }
    if found.spent_joules is not None:
        facts["Spent"] = f"{numbers.joules(found.spent_joules)} ({found.spent_source})"
    if found.spent_log10_ratio is not None:
        facts["Spent/floor"] = f"10^{found.spent_log10_ratio:.2f}"
    return facts


def size(
    params: _Params = None,
    tokens: _Tokens = None,
    entropy_bits_per_token: _EntropyBits = None,
    loss_bits_per_token: _LossBits = None,
    entropy_nats_per_token: _EntropyNats = None,
    loss_nats_per_token: _LossNats = None,
    capacity_bits_per_param: Annotated[
        float, typer.Option(help="c, bits that a parameter holds.")
    ] = 2.0,
    as_json: Json = False,
) -> None:
    """Compute the tokens that fill P parameters, or the parameters D tokens fill: D (H-L) = c P."""
    from icfast import laws
    from icfast.report import numbers

    found = laws.size(
        params=params,
        tokens=tokens,
        entropy_bits_per_token=entropy_bits_per_token,
        loss_bits_per_token=loss_bits_per_token,
        entropy_nats_per_token=entropy_nats_per_token,
        loss_nats_per_token=loss_nats_per_token,
        capacity_bits_per_param=capacity_bits_per_param,
    )
    facts = {
        "Parameters": numbers.short_count(found.params),
        "D": f"{numbers.short_count(found.tokens)} tokens",
        "H − L": f"{numbers.per_token(found.gain_bits_per_token)} bits/token",
        "Held bits/param": numbers.ratio(found.capacity_bits_per_param),
        "Tokens/param": numbers.ratio(found.tokens_per_param),
        "Compute-optimal": f"20 tokens/param, {numbers.ratio(found.chinchilla_ratio)} times as many"
        f": {numbers.short_count(found.chinchilla_tokens)} tokens for these parameters, or "
        f"{numbers.short_count(found.chinchilla_params)} parameters for these tokens",
    }
    emit(asdict(found), as_json, lambda console: print_facts(console, facts))


def quantise(
    bits_per_param: Annotated[float, typer.Option(help="b, bits a parameter is stored in now.")],
    eta: Annotated[float | None, typer.Option(help="Bits absorbed per stored bit, 0 to 1.")] = None,
    absorbed_bits: Annotated[
        float | None, typer.Option(help="B - C of a training log, with --params, instead.")
    ] = None,
    params: _Params = None,
    proposed_bits_per_param: Annotated[
        float | None, typer.Option(help="b', bits of a format to judge.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Compute the fewest bits a parameter can be rounded to without losing what was learned."""
    from icfast import laws
    from icfast.report import numbers

    found = laws.quantise(
        bits_per_param=bits_per_param,
        eta=eta,
        absorbed_bits=absorbed_bits,
        params=params,
        proposed_bits_per_param=proposed_bits_per_param,
    )
    facts = {
        "Stored bits/param": numbers.ratio(found.bits_per_param_stored),
        "eta": numbers.ratio(found.eta),
        "At least": f"{numbers.ratio(found.minimum_bits_per_param)} bits/param",
        "Proposed bits/param": numbers.ratio(found.proposed_bits_per_param),
        "eta then": numbers.ratio(found.proposed_eta),
        "Verdict": found.verdict,
    }
    emit(asdict(found), as_json, lambda console: print_facts(console, facts))


@app.callback()
def _laws() -> None:
    """Group the commands; the help text is the app's."""
