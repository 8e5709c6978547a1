"""Drawings as separate files: well-formed, and every colour is defined for light and dark."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from icfast.report.energy_chart import LANDAUER, energy_chart
from icfast.report.svg import standalone

FIGURES = sorted((Path(__file__).parents[2] / "docs" / "figures").glob("*.svg"))


def check(svg: str) -> None:
    root = ElementTree.fromstring(svg)
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    style = root[0].text or ""
    for named in set(re.findall(r"var\((--[a-z0-9-]+)\)", svg)):
        # By day and by night.
        assert style.count(f"{named}: #") == 2, named
    assert "http" not in svg.replace("http://www.w3.org/2000/svg", "")


def test_a_drawing_by_itself() -> None:
    svg = energy_chart([("floor", 1e-16, LANDAUER), ("spent", 1.0, "nvml")])
    alone = standalone(svg)
    check(alone)
    assert "<title>" in alone
    assert svg.partition(">")[2] in alone


@pytest.mark.parametrize("path", FIGURES, ids=lambda path: path.stem)
def test_figures_of_the_pages(path: Path) -> None:
    check(path.read_text(encoding="utf-8"))
    pages = "".join(page.read_text(encoding="utf-8") for page in path.parents[1].rglob("*.md"))
    assert f"(../figures/{path.name})" in pages


def test_there_are_figures() -> None:
    assert len(FIGURES) >= 3
