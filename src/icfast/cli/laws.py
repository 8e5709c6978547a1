"""Commands that apply a formula: laws capacity, energy, size, quantise."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any

import typer

from icfast.cli.energy import SpentOptions
from icfast.cli.groups import lazy_group
from icfast.cli.options import Json
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

_Tokens = Annotated[float | None, typer.Option(metavar="D", help="Number of tokens.")]
_Params = Annotated[float | None, typer.Option(metavar="P", help="Number of parameters.")]
_JOULES_PER_FLOP = "Joules per FLOP; with P and D, estimate the energy from 6 P D FLOP."


def _field(metavar: str, text: str, panel: str | None = None) -> Any:
    """Return an option without a default value."""
    return field(default=None, metadata={"metavar": metavar, "help": text, "panel": panel})


@dataclass(frozen=True)
class Losses:
    """Losses of a baseline and of a model on the same tokens, in bits or in nats."""

    entropy_bits_per_token: float | None = _field(
        "H", "Loss of the baseline (its code length), in bits per token."
    )
    loss_bits_per_token: float | None = _field(
        "L", "Loss of the model on the same tokens, in bits per token."
    )
    entropy_nats_per_token: float | None = _field("H", "H in nats per token; L is then in nats.")
    loss_nats_per_token: float | None = _field("L", "L in nats per token; H is then in nats.")


@dataclass(frozen=True)
class ModelSize:
    """Size of a model, in one of several ways."""

    model_bits: float | None = _field("N", "Size of the model, in bits.")
    params: float | None = _field("P", "Number of parameters; with --bits-per-param it gives N.")
    bits_per_param: float | None = _field("BITS", "Bits in which a parameter is stored.")
    precision: list[str] | None = field(
        default=None,
        metadata={"metavar": "P:B", "help": "P parameters of B bits each; repeatable."},
    )
    model_bits_per_token: float | None = _field("K", "k = N/D; replaces one of the two.")


_ERRORS = "Standard errors"
_SETS = "Names of the data"


@dataclass(frozen=True)
class Uncertainty:
    """Standard errors of H and L, and their correlation."""

    entropy_standard_error_bits_per_token: float | None = _field(
        "SE", "Standard error of H, in bits per token; 0 if H is exact.", _ERRORS
    )
    loss_standard_error_bits_per_token: float | None = _field(
        "SE", "Standard error of L, in bits per token.", _ERRORS
    )
    entropy_standard_error_nats_per_token: float | None = _field(
        "SE", "Standard error of H, in nats per token.", _ERRORS
    )
    loss_standard_error_nats_per_token: float | None = _field(
        "SE", "Standard error of L, in nats per token.", _ERRORS
    )
    error_correlation: float = field(
        default=0.0,
        metadata={
            "metavar": "R",
            "help": "Correlation of the two errors; above 0 for losses on the same tokens.",
            "panel": _ERRORS,
        },
    )


@dataclass(frozen=True)
class DataNames:
    """Names of the baseline, and of the tokens on which H and L were measured."""

    baseline: str | None = _field("NAME", "Baseline of H: uniform, unigram, ...", _SETS)
    entropy_predicted_set: str | None = _field(
        "HASH", "Hash of the tokens on which H was measured.", _SETS
    )
    loss_predicted_set: str | None = _field(
        "HASH", "Hash of the tokens on which L was measured; both must be equal.", _SETS
    )


def capacity(
    losses: Losses,
    size: ModelSize,
    uncertainty: Uncertainty,
    names: DataNames,
    tokens: _Tokens = None,
    eta: Annotated[
        float | None, typer.Option(help="Bits saved per stored bit; can exceed 1.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Solve IC-1, eta N = D (H - L), for the one quantity that is not given."""
    from icfast import laws

    sizes = {name: value for name, value in vars(size).items() if name != "precision"}
    found = laws.capacity(
        tokens=tokens,
        eta=eta,
        precisions=_precisions(size.precision),
        **sizes,
        **vars(losses),
        **vars(uncertainty),
        **vars(names),
    )
    facts = _capacity_facts(found)
    emit(found, as_json, lambda console: print_facts(console, facts))


def _precisions(written: list[str] | None) -> list[tuple[float, float]] | None:
    """Parse texts such as "7e9:4" into pairs of parameters and bits."""
    if not written:
        return None
    pairs = []
    for word in written:
        try:
            params, bits = map(float, word.split(":"))
        except ValueError:
            raise OptionError(
                f"--precision {word!r} has no parameters and bits; write it as 7e9:4"
            ) from None
        pairs.append((params, bits))
    return pairs


def _capacity_facts(found: Capacity) -> dict[str, str]:
    from icfast.units import DASH, format_bits, format_fixed, format_ratio, format_short_count

    def plain(value: float | None) -> str:
        return DASH if value is None else format_short_count(value)

    named = f" ({found.baseline})" if found.baseline else ""
    facts = {
        "D": f"{plain(found.tokens)} tokens",
        "H": f"{format_fixed(found.entropy_bits_per_token)} bits/token{named}",
        "L": f"{format_fixed(found.loss_bits_per_token)} bits/token",
        "N": format_bits(found.model_bits),
        "Parameters": plain(found.params),
        "Stored bits/param": plain(found.bits_per_param_stored),
        "k = N/D": f"{format_ratio(found.model_bits_per_token)} bits/token",
        "Saved": _with_error(format_bits, found.bits_saved, found.bits_saved_standard_error),
        "Saved bits/param": format_ratio(found.bits_per_param),
        "eta": f"{_with_error(format_ratio, found.eta, found.eta_standard_error)} bits/bit",
        "eta in nats": f"{format_ratio(found.eta_nats_per_bit)} nats/bit",
    }
    for known in found.compared:
        facts[f"Against {known.known_bits_per_param:g}"] = (
            f"{format_ratio(known.ratio)} times ({known.name}: {known.source})"
        )
    if found.flags:
        facts["Note"] = "; ".join(found.flags)
    return facts


def _with_error(write: Callable[[float | None], str], value: float, error: float | None) -> str:
    return write(value) if error is None else f"{write(value)} ± {write(error)}"


def energy(
    spent_options: SpentOptions,
    bits: Annotated[float | None, typer.Option(help="Information, in bits.")] = None,
    nats: Annotated[float | None, typer.Option(help="Information, in nats.")] = None,
    temperature_kelvin: Annotated[float, typer.Option(help="Temperature, in kelvin.")] = 300.0,
    params: _Params = None,
    tokens: _Tokens = None,
    joules_per_flop: Annotated[float | None, typer.Option(help=_JOULES_PER_FLOP)] = None,
    as_json: Json = False,
) -> None:
    """Compute IC-2, Landauer's floor of kB T ln 2 joules per bit, and compare the energy spent."""
    from icfast import laws

    spent = spent_options.joules()
    estimate = (params, tokens, joules_per_flop)
    if params is not None and tokens is not None and joules_per_flop is not None:
        if spent is not None:
            raise OptionError(
                "--spent-joules and --joules-per-flop exclude each other; pass one of them"
            )
        spent = laws.flop_estimate(params=params, tokens=tokens, joules_per_flop=joules_per_flop)
    elif estimate != (None, None, None):
        raise OptionError(
            "an estimate of the energy needs all of --params, --tokens and --joules-per-flop"
        )
    found = laws.energy(bits=bits, nats=nats, temperature_kelvin=temperature_kelvin, spent=spent)
    facts = _energy_facts(found)
    emit(found, as_json, lambda console: print_facts(console, facts))


def _energy_facts(found: Energy) -> dict[str, str]:
    from icfast.units import format_bits, format_joules, format_kelvin

    facts = {
        "Information": f"{format_bits(found.bits)}, {found.nats:.4g} nats",
        "Temperature": format_kelvin(found.temperature_kelvin),
        "Energy": f"{format_joules(found.energy_joules)}: a formal floor, not energy spent",
        "Per bit": format_joules(found.joules_per_bit),
        "Per nat": format_joules(found.joules_per_nat),
    }
    if found.spent_joules is not None:
        facts["Spent"] = f"{format_joules(found.spent_joules)} ({found.spent_source})"
    if found.spent_log10_ratio is not None:
        facts["Spent/floor"] = f"10^{found.spent_log10_ratio:.2f}"
    return facts


def size(
    losses: Losses,
    params: _Params = None,
    tokens: _Tokens = None,
    capacity_bits_per_param: Annotated[
        float, typer.Option(metavar="C", help="Bits that a parameter can hold.")
    ] = 2.0,
    as_json: Json = False,
) -> None:
    """Compute the tokens that fill P parameters, or the parameters that D tokens fill."""
    from icfast import laws
    from icfast.units import format_fixed, format_ratio, format_short_count

    found = laws.size(
        params=params,
        tokens=tokens,
        capacity_bits_per_param=capacity_bits_per_param,
        **vars(losses),
    )
    facts = {
        "Parameters": format_short_count(found.params),
        "D": f"{format_short_count(found.tokens)} tokens",
        "H − L": f"{format_fixed(found.gain_bits_per_token)} bits/token",
        "Capacity bits/param": format_ratio(found.capacity_bits_per_param),
        "Tokens/param": format_ratio(found.tokens_per_param),
        "Compute-optimal": f"20 tokens/param, {format_ratio(found.chinchilla_ratio)} times as many"
        f": {format_short_count(found.chinchilla_tokens)} tokens for these parameters, or "
        f"{format_short_count(found.chinchilla_params)} parameters for these tokens",
    }
    emit(found, as_json, lambda console: print_facts(console, facts))


def quantise(
    bits_per_param: Annotated[
        float, typer.Option(metavar="BITS", help="Bits in which a parameter is stored now.")
    ],
    eta: Annotated[
        float | None, typer.Option(help="Bits absorbed per stored bit, from 0 to 1.")
    ] = None,
    absorbed_bits: Annotated[
        float | None,
        typer.Option(help="Bits absorbed (B - C of laws run); needs --params, replaces --eta."),
    ] = None,
    params: _Params = None,
    proposed_bits_per_param: Annotated[
        float | None, typer.Option(metavar="BITS", help="Bits of a proposed format, to be judged.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Compute the fewest bits per parameter that still hold what was learned."""
    from icfast import laws
    from icfast.units import format_ratio

    found = laws.quantise(
        bits_per_param=bits_per_param,
        eta=eta,
        absorbed_bits=absorbed_bits,
        params=params,
        proposed_bits_per_param=proposed_bits_per_param,
    )
    facts = {
        "Stored bits/param": format_ratio(found.bits_per_param_stored),
        "eta": format_ratio(found.eta),
        "At least": f"{format_ratio(found.minimum_bits_per_param)} bits/param",
        "Proposed bits/param": format_ratio(found.proposed_bits_per_param),
        "eta then": format_ratio(found.proposed_eta),
        "Verdict": found.verdict,
    }
    emit(found, as_json, lambda console: print_facts(console, facts))


@app.callback()
def _laws() -> None:
    """Group the commands; the help text is the app's."""
