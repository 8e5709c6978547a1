"""HTML page of scaling fits: one file without scripts, which loads nothing from elsewhere."""

from __future__ import annotations

from icfast.errors import needs_extra
from icfast.pipeline.records.training import ScalingResult, ScalingRun
from icfast.report import scaling_charts
from icfast.report.environment import environment


def render_scaling_report(result: ScalingResult) -> str:
    """Render the result of ``icfast laws scaling`` as one self-contained HTML page.

    Raises:
        MissingExtraError: jinja2 or matplotlib is not installed.
    """
    with needs_extra("report", "an HTML report"):
        from markupsafe import Markup
    charts = {
        form: {
            "lines": Markup(scaling_charts.lines_chart(result, form)),
            "residuals": Markup(scaling_charts.residual_chart(result, form)),
        }
        for form in ("chinchilla", "kaplan")
    }
    page = environment().get_template("scaling.html.j2")
    return page.render(vars(result), charts=charts, best=best_runs(result))


def best_runs(result: ScalingResult) -> list[ScalingRun]:
    """Return the run with the lowest loss of every line of equal P."""
    return [
        min((run for run in result.runs if run.line == line), key=lambda run: run.loss_nats)
        for line in range(len(result.lines))
    ]
