"""Records of IC-1 and IC-2: the ladder of losses, bits saved, and Landauer's floor."""

from __future__ import annotations

from dataclasses import dataclass, field

from icfast.pipeline.records.base import OPTIONAL


@dataclass(frozen=True)
class LadderRow:
    """Loss of one model of the ladder.

    Attributes:
        model: name of the model.
        order: order of an n-gram model, None for other models.
        loss_bits_per_token: mean loss, bits per token.
        gain_bits_per_token: loss of the row below minus this one, bits per token; None for the
            first row.
        gain_bits: that gain times D, bits.
    """

    model: str
    order: int | None
    loss_bits_per_token: float
    gain_bits_per_token: float | None
    gain_bits: float | None


@dataclass(frozen=True)
class CapacityRow:
    """IC-1, eta N = D (H - L), against one baseline.

    Attributes:
        baseline: name of the baseline.
        tokens: D, number of tokens.
        entropy_bits_per_token: H, loss of the baseline, bits per token.
        loss_bits_per_token: L, loss of the model, bits per token.
        model_bits: N, size of the model, bits.
        params: P, number of parameters.
        bits_saved: D (H - L), bits.
        bits_per_param: bits saved per parameter.
        eta: bits saved per bit of model.
        flags: warnings about this row.
        note: how an extrapolated row was computed; absent for measured rows.
    """

    baseline: str
    tokens: int
    entropy_bits_per_token: float
    loss_bits_per_token: float
    model_bits: int
    params: int
    bits_saved: float
    bits_per_param: float | None
    eta: float | None
    flags: tuple[str, ...]
    note: str | None = field(default=None, metadata=OPTIONAL)


@dataclass(frozen=True)
class CapacityRows:
    """IC-1 on both sides of the split.

    Attributes:
        heldout: rows measured on the held-out tokens.
        training: rows extrapolated to the training tokens.
    """

    heldout: tuple[CapacityRow, ...]
    training: tuple[CapacityRow, ...]


@dataclass(frozen=True)
class FloorRow:
    """Landauer's floor of the bits saved against one baseline.

    Attributes:
        baseline: name of the baseline.
        bits: bits saved.
        energy_joules: E0, joules; None if no bits were saved.
    """

    baseline: str
    bits: float
    energy_joules: float | None


@dataclass(frozen=True)
class Floor:
    """IC-2 against the headline baseline.

    Attributes:
        temperature_kelvin: T, kelvin.
        baseline: name of the headline baseline.
        energy_joules: E0 = bits kB T ln 2, joules; None if no bits were saved.
    """

    temperature_kelvin: float
    baseline: str
    energy_joules: float | None


@dataclass(frozen=True)
class MeasuredFloor(Floor):
    """IC-2 of a measurement, for every baseline on both sides of the split."""

    heldout: tuple[FloorRow, ...]
    training: tuple[FloorRow, ...]


@dataclass(frozen=True)
class ScoredFloor(Floor):
    """IC-2 of a neural model, for every baseline."""

    rows: tuple[FloorRow, ...]
