"""Tests of the tests: code that is broken on purpose must turn them red.

The marked tests take minutes and run with ``pytest -m mutation tests/mutations``; ``-k`` chooses
among them. The other tests of this file keep the list of mutations true to the code.
"""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path

import pytest
from tests.mutations.harness import ROOT, Mutation, Tree

ROOMS = (
    "compiled",
    "counting",
    "cuda",
    "energy",
    "fallback",
    "files",
    "kneser_ney",
    "laws",
    "logs",
    "losses",
    "neural",
    "positions",
    "report",
    "sorting",
    "sums",
)
MUTATIONS: dict[str, Mutation] = {
    f"{room}: {mutation.breaks}": mutation
    for room in ROOMS
    for mutation in import_module(f"tests.mutations.{room}").MUTATIONS
}
named = pytest.mark.parametrize("mutation", MUTATIONS.values(), ids=MUTATIONS.keys())


@pytest.fixture(scope="session")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Tree:
    return Tree(tmp_path_factory.mktemp("mutations"))


@pytest.mark.mutation
@named
def test_is_noticed(mutation: Mutation, tree: Tree) -> None:
    tree.check(mutation)


@named
def test_fits_the_code(mutation: Mutation) -> None:
    mutation.applied((ROOT / mutation.file).read_text(encoding="utf-8"))
    assert mutation.tests
    if mutation.cpp is not None:
        bodies = "".join(path.read_text() for path in (ROOT / "csrc" / "tests").glob("*.cpp"))
        assert re.search(rf"TEST\(\w*{mutation.cpp}", bodies), mutation.cpp
        return
    for test in mutation.tests:
        assert (ROOT / "tests" / test.partition("::")[0]).exists(), test


def test_every_list_is_read() -> None:
    files = {path.stem for path in Path(__file__).parent.glob("*.py")}
    assert files - {"harness", "test_mutations"} == set(ROOMS)
    assert len(MUTATIONS) == sum(
        len(import_module(f"tests.mutations.{room}").MUTATIONS) for room in ROOMS
    )
    assert len(MUTATIONS) >= 25


def test_text_that_is_missing_or_doubled_is_refused() -> None:
    mutation = Mutation("a sign", "a.py", "x = 1", "x = -1", ("laws",))
    assert mutation.applied("y\nx = 1\n") == "y\nx = -1\n"
    for text in ("y\n", "x = 1\nx = 1\n"):
        with pytest.raises(AssertionError, match="occurs"):
            mutation.applied(text)
