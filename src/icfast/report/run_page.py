"""The HTML page of a training run: one file, no scripts, nothing fetched."""

from __future__ import annotations

from pathlib import Path

from icfast.errors import needs_extra
from icfast.report import run_charts
from icfast.report.energy_chart import LANDAUER, EnergyRow, energy_chart
from icfast.report.environment import environment
from icfast.report.svg import Result


def write_run_report(result: Result, path: Path) -> None:
    """Write the page to exactly ``path``.

    Raises:
        MissingExtraError: jinja2 or matplotlib is not installed.
    """
    path.write_text(render_run_report(result), encoding="utf-8")


def render_run_report(result: Result) -> str:
    """Render what ``icfast laws run`` found as one self-contained HTML page.

    Raises:
        MissingExtraError: jinja2 or matplotlib is not installed.
    """
    with needs_extra("report", "an HTML report"):
        from markupsafe import Markup
    logged = any(row["energy_joules"] is not None for row in result["trajectory"])
    drawings = {
        "losses": run_charts.loss_chart(result),
        "absorbed": run_charts.absorbed_chart(result),
        "eta": run_charts.eta_chart(result),
        "fit": run_charts.fit_chart(result),
        "annealing": run_charts.annealing_chart(result) if result["annealing"] else "",
        "energy": energy_chart(energy_rows(result)),
        "energy_run": run_charts.energy_run_chart(result) if logged else "",
    }
    charts = {name: Markup(svg) for name, svg in drawings.items()}
    return environment().get_template("run.html.j2").render(result, charts=charts)


def energy_rows(result: Result) -> list[EnergyRow]:
    """The floors of a run and what it spent, as the energy chart takes them."""
    floor = result["energy"]
    if floor is None:
        return []
    rows: list[EnergyRow] = [("floor of B − C", floor["energy_joules"], LANDAUER)]
    lengths = result["lengths"]
    if lengths is not None and lengths["gross_savings_bits"] > 0:
        gross = lengths["gross_savings_bits"] * floor["joules_per_bit"]
        rows.append(("floor of A − C", gross, LANDAUER))
    rows += [
        (name, row["spent_joules"], row["spent_source"])
        for name, row in (("spent", floor), ("6·P·D FLOP", result["estimated_energy"]))
        if row is not None and row["spent_joules"] is not None
    ]
    return rows
