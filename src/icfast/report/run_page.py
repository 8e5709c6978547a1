"""HTML page of a training run: one file without scripts, which loads nothing from elsewhere."""

from __future__ import annotations

from icfast.errors import needs_extra
from icfast.laws.training_result import TrainingRun
from icfast.pipeline.records.training import TrainingResult
from icfast.report import run_charts
from icfast.report.energy_chart import LANDAUER, EnergyRow, energy_chart
from icfast.report.environment import environment


def render_run_report(result: TrainingResult) -> str:
    """Render the result of ``icfast laws run`` as one self-contained HTML page.

    Raises:
        MissingExtraError: jinja2 or matplotlib is not installed.
    """
    with needs_extra("report", "an HTML report"):
        from markupsafe import Markup
    run = result.run
    logged = any(point.energy_joules is not None for point in run.trajectory)
    drawings = {
        "losses": run_charts.loss_chart(run) if run.losses else "",
        "absorbed": run_charts.absorbed_chart(run) if run.trajectory else "",
        "eta": run_charts.eta_chart(run) if run.trajectory else "",
        "fit": run_charts.fit_chart(run),
        "annealing": run_charts.annealing_chart(run.annealing) if run.annealing else "",
        "energy": energy_chart(energy_rows(run)),
        "energy_run": run_charts.energy_run_chart(run) if logged else "",
    }
    charts = {name: Markup(svg) for name, svg in drawings.items()}
    page = environment().get_template("run.html.j2")
    return page.render({**vars(result), **vars(run)}, charts=charts)


def energy_rows(run: TrainingRun) -> list[EnergyRow]:
    """Return Landauer's floors of a run and the energy it spent."""
    floor = run.energy
    if floor is None:
        return []
    rows: list[EnergyRow] = [("floor of B − C", floor.energy_joules, LANDAUER)]
    lengths = run.lengths
    if lengths is not None and lengths.gross_savings_bits > 0:
        gross = lengths.gross_savings_bits * floor.joules_per_bit
        rows.append(("floor of A − C", gross, LANDAUER))
    for name, energy in (("spent", floor), ("6·P·D FLOP", run.estimated_energy)):
        if energy is not None and energy.spent_joules is not None:
            rows.append((name, energy.spent_joules, str(energy.spent_source)))
    return rows
