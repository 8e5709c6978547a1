"""What tests of pages and tables share."""

from __future__ import annotations

import io
import re
from html.parser import HTMLParser
from typing import Any

from rich.console import Console

from icfast.pipeline.records.measure import MeasureResult
from icfast.pipeline.records.training import ScalingResult, TrainingResult
from icfast.report.page import render_report
from icfast.report.run_page import render_run_report
from icfast.report.scaling_page import render_scaling_report
from icfast.report.terminal import print_result

Result = dict[str, Any]

VOID = {"meta", "br", "use", "path", "rect", "link", "hr", "img"}


class Balance(HTMLParser):
    """Checks that every element opened is closed in order; gathers text and ids."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.tags: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.ids += [value for name, value in attrs if name == "id" and value]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.ids += [value for name, value in attrs if name == "id" and value]

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag


def parse(page: str) -> Balance:
    parser = Balance()
    parser.feed(page)
    parser.close()
    assert parser.open == []
    return parser


def assert_whole(page: str, sections: set[str], charts: int) -> None:
    """Well-formed, with these sections and drawings, every number told, nothing fetched."""
    parsed = parse(page)
    assert sections <= set(parsed.ids)
    assert len(parsed.ids) == len(set(parsed.ids))
    assert page.count("<svg ") == page.count("</svg>") == charts
    assert "nothing to draw" not in page
    assert not re.search(r">None<|\bnan\b|\binf\b", page)
    assert not re.search(r"https?:|<script|<link|@import|src=|url\((?!#)", page)
    # Colours are the page's, light or dark.
    assert not re.findall(r"#[0-9a-f]{6}\b", "".join(re.findall(r"<svg .*?</svg>", page, re.S)))


def page_of(result: Result) -> str:
    """The page of a measurement, from its JSON."""
    return render_report(MeasureResult.from_json(result))


def run_page_of(result: Result) -> str:
    """The page of a training run, from its JSON."""
    return render_run_report(TrainingResult.from_json(result))


def scaling_page_of(result: Result) -> str:
    """The page of scaling fits, from its JSON."""
    return render_scaling_report(ScalingResult.from_json(result))


def printed(result: Result, width: int = 100) -> str:
    """What the terminal shows of a measurement, from its JSON."""
    console = Console(file=io.StringIO(), width=width)
    print_result(MeasureResult.from_json(result), console)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()
