"""What `icfast laws scaling` reports of many runs: both forms fitted, and what they say of each."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from icfast.laws.scaling import HUBER_DELTA, ScalingFit
from icfast.logs import ScalingPoints
from icfast.pipeline.entropy import SCHEMA_VERSION
from icfast.pipeline.provenance import file_record, versions

#: So many lines of equal P can be told apart in one drawing, of so many points each.
_LINES, _PLACES = 5, 50

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
) -> dict[str, Any]:
    """Both fits, every run beside what they say of it, and lines of equal P through the runs."""
    fits = (chinchilla, kaplan)
    columns = zip(points.params, points.tokens, points.loss_nats, strict=True)
    centres, line_of = _lines(points)
    span = np.geomspace(points.tokens.min(), points.tokens.max(), _PLACES)
    return {
        "schema_version": SCHEMA_VERSION,
        "icfast_version": versions()["icfast"],
        "inputs": [file_record(table)],
        "convention": _conventions(bootstraps, seed),
        "units": _UNITS,
        "huber_delta": HUBER_DELTA,
        **{fit.form: {"formula": _FORMULAS[fit.form], **asdict(fit)} for fit in fits},
        "runs": [
            {
                "params": float(p),
                "tokens": float(d),
                "loss_nats": float(loss),
                "line": line,
                **{f"{fit.form}_nats": fit.loss_nats(p, d) for fit in fits},
                "reducible_params_nats": chinchilla.reducible_params_nats(p),
                "reducible_tokens_nats": chinchilla.reducible_tokens_nats(d),
            }
            for (p, d, loss), line in zip(columns, line_of, strict=True)
        ],
        "lines": [
            {
                "params": p,
                "tokens": span.tolist(),
                **{f"{fit.form}_nats": [fit.loss_nats(p, d) for d in span] for fit in fits},
            }
            for p in centres
        ],
    }


def _lines(points: ScalingPoints) -> tuple[list[float], list[int]]:
    """P of each line, and each run's line: its own P, or the part of the range of ln P it is in."""
    different, place = np.unique(points.params, return_inverse=True)
    if len(different) > _LINES:
        edges = np.geomspace(different[0], different[-1], _LINES + 1)[1:-1]
        place = np.unique(np.searchsorted(edges, points.params), return_inverse=True)[1]
    logs = np.log(points.params)
    centres = [float(np.exp(logs[place == line].mean())) for line in range(place.max() + 1)]
    return centres, place.tolist()


def _conventions(bootstraps: int, seed: int) -> dict[str, str]:
    return {
        "points": "P parameters, D tokens and L of each run, as the table has them; L in nats per "
        "token",
        "fit": f"sum of Huber losses of ln L, delta = {HUBER_DELTA:g}, by L-BFGS from several "
        "starts",
        "intervals": f"95 %, of {bootstraps} resamples of the points, seed {seed}",
        "optimum": "P ~ C^a at the least loss for C = 6 P D, a = beta/(alpha + beta)",
        "reducible": "A P^-alpha and B D^-beta: what more parameters and more tokens could gain",
        "lines": "runs by P, or by fifths of the range of ln P; a line's P is the geometric mean "
        "of its runs'",
    }
