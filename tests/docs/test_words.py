"""Pages name what exists, in plain words."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path

import pytest
from tests.docs.console import DOCS, ROOT

PAGES = sorted([*ROOT.glob("*.md"), *DOCS.rglob("*.md")])
#: Phrases that are fine once and a sign of an unclear text when they come often.
UNCLEAR = re.compile(
    r"\b(beside|behind|stands|so many|whatever|is said|lies|of its own|as they are)\b",
    re.IGNORECASE,
)
MOST_PER_THOUSAND = 0.2
#: Options of other programs.
FOREIGN = {"--build", "--ci", "--data", "--dry-run", "--everything", "--help", "--json"} | {
    "--install-completion",
    "--no-deps",
    "--out",
    "--output-on-failure",
    "--rounds",
    "--sections",
    "--test-dir",
    "--tiles",
    "--tokens",
    "--version",
}


def named(page: Path) -> str:
    return str(page.relative_to(ROOT))


def text_of(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def found(name: str) -> bool:
    """Return whether a dotted name is a module or an attribute of one."""
    parts = name.split(".")
    for end in range(len(parts), 0, -1):
        try:
            value = import_module(".".join(parts[:end]))
        except ImportError:
            continue
        for part in parts[end:]:
            if not hasattr(value, part):
                return False
            value = getattr(value, part)
        return True
    return False


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_names_exist(page: Path) -> None:
    if page.name == "CHANGELOG.md":
        pytest.skip("a changelog names what is gone")
    for name in set(re.findall(r"\bicfast(?:\.[a-z_A-Z]\w*)+", text_of(page))):
        assert name.endswith(".git") or found(name), name


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_options_exist(page: Path) -> None:
    options = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "src").rglob("*.py"))
    for name in set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", text_of(page))) - FOREIGN:
        field = name.removeprefix("--").replace("-", "_")
        assert name in options or re.search(rf"\b{field}\b", options), name


def test_words_are_plain() -> None:
    texts = {named(page): text_of(page) for page in PAGES}
    phrases = {name: UNCLEAR.findall(text) for name, text in texts.items()}
    words = sum(len(text.split()) for text in texts.values())
    count = sum(map(len, phrases.values()))
    assert 1000 * count / words <= MOST_PER_THOUSAND, {k: v for k, v in phrases.items() if v}
