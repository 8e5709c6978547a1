"""HTML page of a measurement: one file without scripts, which loads nothing from elsewhere."""

from __future__ import annotations

from icfast.errors import needs_extra
from icfast.pipeline.records.capacity import CapacityRow
from icfast.pipeline.records.measure import MeasureResult
from icfast.report import charts, corpus_charts
from icfast.report.energy_chart import COMPARISON, LANDAUER, EnergyRow, energy_chart
from icfast.report.environment import environment

_ESTIMATORS = {
    "ml": "plug-in (ML)",
    "cwj": "Chao–Wang–Jost",
    "grassberger": "Grassberger",
    "chao_shen": "Chao–Shen",
    "miller_madow": "Miller–Madow",
    "zhang": "Zhang",
    "jackknife": "jackknife",
}
#: Energies that give the axis a scale if nothing was metered.
_COMPARISONS = (("one joule", 1.0), ("one kilowatt-hour", 3.6e6))


def render_report(result: MeasureResult) -> str:
    """Render the result of ``icfast measure`` as one self-contained HTML page.

    Raises:
        MissingExtraError: jinja2 or matplotlib is not installed.
    """
    with needs_extra("report", "an HTML report"):
        from markupsafe import Markup
    drawings = {
        "entropy": charts.entropy_chart(result),
        "spectra": charts.spectra_chart(result),
        "ladder": charts.ladder_chart(result),
        "codes": charts.code_chart(result),
        "positions": charts.position_chart(result) if result.neural else "",
        "heaps": corpus_charts.heaps_chart(result),
        "zipf": corpus_charts.zipf_chart(result),
        "constancy": corpus_charts.constancy_chart(result),
        "energy": energy_chart(_energies(result)),
    }
    page = environment().get_template("report.html.j2")
    return page.render(
        vars(result),
        charts={name: Markup(svg) for name, svg in drawings.items()},
        headline=_headline(result),
        estimators=_estimators(result),
        notes=_notes(result.ic1.training),
        spectrum_rows=charts.SPECTRUM_ROWS,
    )


def _headline(result: MeasureResult) -> CapacityRow:
    """Return the IC-1 row at the top of the page: the baseline of IC-2, or the first row."""
    rows = result.ic1.heldout
    return next((row for row in rows if row.baseline == result.ic2.baseline), rows[0])


def _energies(result: MeasureResult) -> list[EnergyRow]:
    """Return the floors, the headline's first, and the energy spent, or energies to compare."""
    ic2, spent = result.ic2, result.spent
    rows = [("E₀, held out", ic2.energy_joules, LANDAUER)]
    rows += [
        (f"E₀ over {row.baseline}, held out", row.energy_joules, LANDAUER)
        for row in ic2.heldout
        if row.baseline != ic2.baseline
    ]
    rows += [
        (f"E₀ over {row.baseline}, training, extrapolated", row.energy_joules, LANDAUER)
        for row in ic2.training
        if row.baseline == ic2.baseline
    ]
    if spent is not None and spent.joules is not None:
        rows.append((spent.work, spent.joules, spent.source))
    else:
        rows += [(name, joules, COMPARISON) for name, joules in _COMPARISONS]
    return [(name, joules, source) for name, joules, source in rows if joules is not None]


def _estimators(result: MeasureResult) -> dict[str, str]:
    """Return the names of the entropy estimators in the result, the best known first."""
    carried = {name for row in result.orders for name in row.block_entropy_bits}
    return {name: label for name, label in _ESTIMATORS.items() if name in carried}


def _notes(rows: tuple[CapacityRow, ...]) -> list[str]:
    """Return each different note of the extrapolated rows once."""
    return list(dict.fromkeys(row.note for row in rows if row.note))
