"""The HTML page of scaling fits: one file, no scripts, nothing fetched."""

from __future__ import annotations

from pathlib import Path

from icfast.errors import needs_extra
from icfast.report import scaling_charts
from icfast.report.environment import environment
from icfast.report.svg import Result


def write_scaling_report(result: Result, path: Path) -> None:
    """Write the page to exactly ``path``.

    Raises:
        MissingExtraError: jinja2 or matplotlib is not installed.
    """
    path.write_text(render_scaling_report(result), encoding="utf-8")


def render_scaling_report(result: Result) -> str:
    """Render what ``icfast laws scaling`` found as one self-contained HTML page.

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
    template = environment().get_template("scaling.html.j2")
    return template.render(result, charts=charts, best=best_runs(result))


def best_runs(result: Result) -> list[Result]:
    """The run with the lowest loss of every line of equal P."""
    lines = range(len(result["lines"]))
    return [
        min((run for run in result["runs"] if run["line"] == line), key=lambda r: r["loss_nats"])
        for line in lines
    ]
