"""Commands that only compute: laws capacity, laws energy."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from icfast.cli.options import Json
from icfast.cli.output import emit, print_facts

if TYPE_CHECKING:
    from icfast.laws import Capacity


def capacity(
    tokens: Annotated[float | None, typer.Option(help="D, tokens.")] = None,
    entropy_bits_per_token: Annotated[
        float | None, typer.Option(help="H, the baseline's code length of a token, in bits.")
    ] = None,
    loss_bits_per_token: Annotated[
        float | None, typer.Option(help="L, the model's loss on the same tokens, in bits.")
    ] = None,
    entropy_nats_per_token: Annotated[
        float | None, typer.Option(help="H in nats; then L in nats too.")
    ] = None,
    loss_nats_per_token: Annotated[
        float | None, typer.Option(help="L in nats; then H in nats too.")
    ] = None,
    model_bits: Annotated[float | None, typer.Option(help="N, size of the model in bits.")] = None,
    params: Annotated[
        float | None, typer.Option(help="P, parameters; with --bits-per-param this is N.")
    ] = None,
    bits_per_param: Annotated[
        float | None, typer.Option(help="Bits a parameter is stored in.")
    ] = None,
    eta: Annotated[
        float | None, typer.Option(help="Bits saved per stored bit; may pass 1.")
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
        eta=eta,
    )
    facts = _capacity_facts(found)
    emit(asdict(found), as_json, lambda console: print_facts(console, facts))


def _capacity_facts(found: Capacity) -> dict[str, str]:
    from icfast.report import numbers

    def plain(value: float | None) -> str:
        return numbers.DASH if value is None else numbers.short_count(value)

    facts = {
        "D": f"{plain(found.tokens)} tokens",
        "H": f"{numbers.per_token(found.entropy_bits_per_token)} bits/token",
        "L": f"{numbers.per_token(found.loss_bits_per_token)} bits/token",
        "N": numbers.bits(found.model_bits),
        "Parameters": plain(found.params),
        "Stored bits/param": plain(found.bits_per_param_stored),
        "Saved": numbers.bits(found.bits_saved),
        "Saved bits/param": numbers.ratio(found.bits_per_param),
        "eta": numbers.ratio(found.eta),
    }
    if found.flags:
        facts["Note"] = "; ".join(found.flags)
    return facts


def energy(
    bits: Annotated[float | None, typer.Option(help="Information, in bits.")] = None,
    nats: Annotated[float | None, typer.Option(help="The same in nats, instead.")] = None,
    temperature_kelvin: Annotated[float, typer.Option(help="Temperature, in kelvin.")] = 300.0,
    as_json: Json = False,
) -> None:
    """Compute IC-2, Landauer's floor kB T ln 2 per bit, in joules."""
    from icfast import laws
    from icfast.report import numbers

    found = laws.energy(bits=bits, nats=nats, temperature_kelvin=temperature_kelvin)
    facts = {
        "Information": numbers.bits(found.bits),
        "Temperature": numbers.kelvin(found.temperature_kelvin),
        "Energy": f"{numbers.joules(found.energy_joules)}: a formal floor, not energy spent",
    }
    emit(asdict(found), as_json, lambda console: print_facts(console, facts))
