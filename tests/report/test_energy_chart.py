"""Energies on one axis: in their places, named, with their sources, compared with the floor."""

from __future__ import annotations

import re

import pytest

from icfast.report.energy_chart import LANDAUER, energy_chart

#: A point is a circle with its own colour.
_POINT = re.compile(
    r'<use href="#[^"]*" x="([\d.]+)" y="([\d.]+)" style="fill: var\(--(blue|orange)\)'
)


def points(svg: str) -> list[tuple[float, float, str]]:
    return [(float(x), float(y), colour) for x, y, colour in _POINT.findall(svg)]


def test_points_are_evenly_apart_in_the_logarithm() -> None:
    rows = [("floor", 1e-16, LANDAUER), ("one", 1e-6, "rapl"), ("another", 1e4, "nvml")]
    first, second, third = points(energy_chart(rows))
    assert second[0] - first[0] == pytest.approx(third[0] - second[0], rel=1e-5)
    assert third[1] - second[1] == pytest.approx(second[1] - first[1], rel=1e-5)
    assert first[1] < second[1] < third[1]
    assert [colour for *_, colour in (first, second, third)] == ["blue", "orange", "orange"]


def test_what_is_said_of_each() -> None:
    rows = [("B − C", 2e-16, LANDAUER), ("other bits", 1e-15, LANDAUER), ("run <a>", 2e5, "rapl")]
    svg = energy_chart(rows)
    for text in ("B − C", "run &lt;a&gt;", "rapl", "2.00e-16 J", "1 fJ", "1 MJ", "1 J"):
        assert f">{text}<" in svg, text
    # The first floor is what is compared with, and floors are not.
    assert ">2.00e+05 J, 10^21.0 times the floor<" in svg
    assert svg.count("times the floor") == 1


def test_nothing_and_no_floor() -> None:
    assert "nothing to draw" in energy_chart([])
    assert "nothing to draw" in energy_chart([("floor", 0.0, LANDAUER)])
    svg = energy_chart([("floor", 0.0, LANDAUER), ("run", 12.0, "nvml")])
    assert ">0 J<" in svg
    assert "times the floor" not in svg
    assert len(points(svg)) == 1


def test_short_and_long_axes_have_ticks() -> None:
    short = energy_chart([("a", 1.2e-14, LANDAUER), ("b", 2.2e-14, LANDAUER)])
    assert ">10 fJ<" in short
    long = energy_chart([("a", 1e-30, LANDAUER), ("b", 1e20, "stated")])
    ticks = re.findall(r">(1(?:e−?\d+)? \w?J)<", long)
    assert 3 <= len(ticks) <= 12
    assert "1 J" in ticks
