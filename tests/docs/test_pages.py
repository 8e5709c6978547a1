"""Every example of the documentation runs, and every page is sound."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from tests.docs.console import DOCS, FENCE, ROOT, check, prepare

from icfast.backends.select import installed

PAGES = sorted(DOCS.rglob("*.md"))
WITH_EXAMPLES = [
    page
    for page in PAGES
    if any(kind == "console" or ">>>" in block for kind, block in FENCE.findall(page.read_text()))
]
EXTRAS = ("jinja2", "matplotlib", "pyarrow")


def named(page: Path) -> str:
    return str(page.relative_to(DOCS))


IDS = [named(page) for page in WITH_EXAMPLES]


def marked(page: Path) -> object:
    """The tutorial runs everywhere, the other pages where .ci/run does."""
    return page if page.parent.name == "tutorial" else pytest.param(page, marks=pytest.mark.ci)


@pytest.mark.parametrize("page", [marked(page) for page in WITH_EXAMPLES], ids=IDS)
def test_examples(page: Path, tmp_path: Path) -> None:
    for extra in EXTRAS:
        pytest.importorskip(extra)
    if "core" not in installed():
        pytest.skip("the pages show the output of the compiled core")
    prepare(page, tmp_path)
    assert check(page.read_text(encoding="utf-8"), named(page), tmp_path) > 0


def test_the_tutorial_has_examples() -> None:
    assert any(page.parent.name == "tutorial" for page in WITH_EXAMPLES)
    assert sum(page.parent.name == "how-to" for page in WITH_EXAMPLES) >= 5


def test_an_example_that_shows_another_output_is_found(tmp_path: Path) -> None:
    page = "```console\n$ printf 'one\\ntwo\\n'\none\ntwo\n```\n"
    assert check(page, "page", tmp_path) == 1
    with pytest.raises(AssertionError):
        check(page.replace("two\n```", "three\n```"), "page", tmp_path)
    with pytest.raises(AssertionError):
        check("```python\n>>> 1 + 1\n3\n```\n", "page", tmp_path)


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
        if "://" not in target:
            assert (page.parent / target).exists(), target


def test_the_readme_links_to_pages_that_exist() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    targets = [t for t in re.findall(r"\]\(([^)#\s]+)[^)]*\)", readme) if "://" not in t]
    assert len(targets) >= 4
    assert all((ROOT / target).exists() for target in targets)
    assert readme.count("\n") < 120
