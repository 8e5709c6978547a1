"""HTML tables of notebooks: well-formed, escaped."""

from __future__ import annotations

from xml.etree import ElementTree

from icfast.notebook import facts_html, table_html


def cells(html: str) -> list[list[str]]:
    return [[cell.text or "" for cell in row] for row in ElementTree.fromstring(html).iter("tr")]


def test_a_table_holds_its_cells_as_text() -> None:
    html = table_html("a < b", ("file", "tokens"), [("<x>.bin", "1,024"), ("&", "–")])
    assert ElementTree.fromstring(html).findtext("caption") == "a < b"
    assert cells(html) == [
        ["file", "tokens"],
        ["<x>.bin", "1,024"],
        ["&", "–"],
    ]


def test_facts_have_no_heading() -> None:
    html = facts_html("Corpus", {"tokens": "7", "documents": "2"})
    assert "<thead>" not in html
    assert cells(html) == [["tokens", "7"], ["documents", "2"]]
