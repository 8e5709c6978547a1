"""matplotlib drawings as parts of a page: themed by CSS, titled and deterministic.

Every colour of a drawing is a key of ``THEME`` and becomes a CSS variable, so that one drawing fits
the light and the dark page. Text remains text, in the fonts of the page.
"""

from __future__ import annotations

import html
import io
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from icfast.errors import needs_extra

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_Content = TypeVar("_Content")

INK, MUTED, GRID, SURFACE = "#1a2230", "#5b6675", "#e3e7ec", "#fefefe"
BLUE, ORANGE, BAND, REST = "#0a6ab4", "#c8550a", "#d5e6f4", "#9aa7b6"
#: Colours of Okabe and Ito, which colour-blind readers can tell apart, darkened for white paper.
SERIES = ("#0072b2", "#d55e00", "#009e73", "#b8558f", "#c99700", "#4aa3df", "#6b5bd2", "#6f7782")
THEME = {
    INK: "--ink",
    MUTED: "--muted",
    GRID: "--line",
    SURFACE: "--surface",
    BLUE: "--blue",
    ORANGE: "--orange",
    BAND: "--band",
    REST: "--rest",
} | {colour: f"--series-{place}" for place, colour in enumerate(SERIES, 1)}

_STYLE = {
    "svg.fonttype": "none",
    "font.size": 9,
    "text.color": INK,
    "axes.edgecolor": GRID,
    "axes.labelcolor": MUTED,
    "axes.axisbelow": True,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "axes.spines.left": False,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "grid.color": GRID,
    "grid.linewidth": 0.8,
    "xtick.color": GRID,
    "ytick.color": GRID,
    "xtick.labelcolor": MUTED,
    "ytick.labelcolor": MUTED,
    "ytick.left": False,
    "legend.frameon": False,
    "legend.labelcolor": INK,
    "lines.linewidth": 1.8,
}
_NO_METADATA = dict.fromkeys(("Creator", "Date", "Format", "Type"))


def draw_svg(
    title: str, draw: Callable[[Axes, _Content], None], content: _Content, height: float = 3.7
) -> str:
    """Return the ``<svg>`` text of ``draw(axes, content)``, independent of the user's matplotlibrc.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    with needs_extra("report", "an HTML report"):
        import matplotlib.style
        from matplotlib.figure import Figure
    text = io.StringIO()
    style: dict[str, Any] = {**_STYLE, "svg.hashsalt": title}
    with matplotlib.style.context(style, after_reset=True):
        figure = Figure(figsize=(9.2, height), layout="constrained")
        axes = figure.subplots()
        draw(axes, content)
        if not axes.has_data():
            axes.set_axis_off()
            axes.text(0.5, 0.5, "nothing to draw", ha="center", color=MUTED)
        figure.savefig(text, format="svg", transparent=True, metadata=_NO_METADATA)
    return _inline(text.getvalue(), title)


def _inline(document: str, title: str) -> str:
    """Return the drawing of an SVG file without repeated ids, namespaces and fixed sizes."""
    opening = document.index("<svg")
    body = document[document.index(">", opening) + 1 :]
    body = re.sub(r'<g id="[^"]*">', "<g>", body).replace("xlink:href", "href")
    for colour, variable in THEME.items():
        body = body.replace(colour, f"var({variable})")
    view = re.search(r'viewBox="[^"]*"', document[opening:])
    label = html.escape(title)
    head = f'<svg role="img" aria-label="{label}" {view[0] if view else ""}>'
    return f"{head}<title>{label}</title>{body}"


def standalone(svg: str) -> str:
    """Return a drawing as a separate SVG file with the page's light and dark colours.

    >>> standalone("<svg viewBox='0 0 1 1'></svg>").partition(">")[0]
    '<svg viewBox=\\'0 0 1 1\\' xmlns="http://www.w3.org/2000/svg"'
    """
    sheet = (Path(__file__).parent / "templates" / "style.css").read_text(encoding="utf-8")
    colours = sheet[: sheet.index("* {")]
    head, _, body = svg.partition(">")
    style = f"<style>{colours}svg {{ background: var(--surface); }}</style>"
    return f'{head} xmlns="http://www.w3.org/2000/svg">{style}{body}\n'
