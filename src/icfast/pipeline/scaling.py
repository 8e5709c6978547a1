"""Result of `icfast laws scaling`: two forms fitted to many runs, and their lines of equal P."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from icfast.laws.scaling import HUBER_DELTA, ScalingFit
from icfast.logs import ScalingPoints
from icfast.pipeline.provenance import input_file, versions
from icfast.pipeline.records.base import SCHEMA_VERSION
from icfast.pipeline.records.training import FittedForm, ScalingLine, ScalingResult, ScalingRun

#: Largest number of lines of equal P in one drawing, and the number of points of each.
_LINES, _POINTS = 5, 50

_FORMULAS = {
    "chinchilla": "L = E + A P^-alpha + B D^-beta",
    "kaplan": "L = [(N_c/P)^(alpha_N/alpha_D) + D_c/D]^alpha_D",
}
_UNITS = {
    "e": "nats per token",
    "a": "nats per token times parameters^alpha",
    "b": "nats per token times tokens^beta",
    "alpha": "of P, no unit",
    "beta": "of D, no unit",
    "n_c": "parameters",
    "d_c": "tokens",
    "alpha_n": "of P, no unit",
    "alpha_d": "of D, no unit",
    "rms_log_error": "of ln L, no unit",
    "params_exponent": "of C, no unit",
}


def scaling_result(
    points: ScalingPoints,
    chinchilla: ScalingFit,
    kaplan: ScalingFit,
    table: Path,
    *,
    bootstraps: int,
    seed: int,
) -> ScalingResult:
    """Return both fits, every run with its fitted losses, and lines of equal P through the runs."""
    columns = zip(points.params, points.tokens, points.loss_nats, strict=True)
    centres, line_of = _lines(points)
    span = np.geomspace(points.tokens.min(), points.tokens.max(), _POINTS)
    return ScalingResult(
        schema_version=SCHEMA_VERSION,
        icfast_version=versions()["icfast"],
        inputs=(input_file(table),),
        convention=_conventions(bootstraps, seed),
        units=_UNITS,
        huber_delta=HUBER_DELTA,
        chinchilla=FittedForm(_FORMULAS["chinchilla"], chinchilla),
        kaplan=FittedForm(_FORMULAS["kaplan"], kaplan),
        runs=tuple(
            ScalingRun(
                params=float(p),
                tokens=float(d),
                loss_nats=float(loss),
                line=line,
                chinchilla_nats=chinchilla.loss_nats(p, d),
                kaplan_nats=kaplan.loss_nats(p, d),
                reducible_params_nats=chinchilla.reducible_params_nats(p),
                reducible_tokens_nats=chinchilla.reducible_tokens_nats(d),
            )
            for (p, d, loss), line in zip(columns, line_of, strict=True)
        ),
        lines=tuple(
            ScalingLine(
                params=p,
                tokens=tuple(span.tolist()),
                chinchilla_nats=tuple(chinchilla.loss_nats(p, d) for d in span),
                kaplan_nats=tuple(kaplan.loss_nats(p, d) for d in span),
            )
            for p in centres
        ),
    )


def _lines(points: ScalingPoints) -> tuple[list[float], list[int]]:
    """Return P of each line, and the line of each run.

    Runs share a line if their P is equal. With many different P they share one if their ln P falls
    in the same part of its range.
    """
    different, place = np.unique(points.params, return_inverse=True)
    if len(different) > _LINES:
        edges = np.geomspace(different[0], different[-1], _LINES + 1)[1:-1]
        place = np.unique(np.searchsorted(edges, points.params), return_inverse=True)[1]
    logs = np.log(points.params)
    centres = [float(np.exp(logs[place == line].mean())) for line in range(place.max() + 1)]
    return centres, place.tolist()


def _conventions(bootstraps: int, seed: int) -> dict[str, str]:
    return {
        "points": "P parameters, D tokens and L of each run, from the table; L in nats per token",
        "fit": f"sum of Huber losses of ln L, delta = {HUBER_DELTA:g}, by L-BFGS from several "
        "starts",
        "intervals": f"95 %, of {bootstraps} resamples of the points, seed {seed}",
        "optimum": "P ~ C^a at the least loss for C = 6 P D, a = beta/(alpha + beta)",
        "reducible": "A P^-alpha and B D^-beta: what more parameters and more tokens could gain",
        "lines": "runs by P, or by fifths of the range of ln P; a line's P is the geometric mean "
        "of its runs'",
    }
