"""What every test of a kernel or a pass shares: the backends it runs on.

ICFAST_TEST_BACKENDS=numba (or a comma-separated list) runs only those; a backend that is named but
missing fails, it is not skipped.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from icfast.backends.contract import Kernels
from icfast.backends.select import installed, select

RESTRICTION = "ICFAST_TEST_BACKENDS"

# The first example may compile a kernel, and machines that test are busy.
settings.register_profile("icfast", deadline=None)
settings.load_profile("icfast")


def backends_under_test() -> tuple[str, ...]:
    named = os.environ.get(RESTRICTION)
    if named:
        return tuple(name.strip() for name in named.split(","))
    return installed()


def marked_backends() -> list[Any]:
    """List the backends under test; all but the fastest are marked ci."""
    first, *others = backends_under_test()
    return [first, *(pytest.param(name, marks=pytest.mark.ci) for name in others)]


@pytest.fixture(params=marked_backends(), scope="session")
def backend(request: pytest.FixtureRequest) -> str:
    """The name of a CPU backend; a test that asks for it runs once on each."""
    return str(request.param)


@pytest.fixture(scope="session")
def kernels(backend: str) -> Kernels:
    """The kernels of that backend."""
    chosen = select(backend)
    assert chosen.name == backend
    return chosen.kernels


# Real corpora and figures of others, for the tests marked corpora and kenlm ------------------


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder with real corpora and oracles: $ICFAST_SHARED, or ../shared of the repository."""
    folder = Path(os.environ.get("ICFAST_SHARED", Path(__file__).parents[2] / "shared"))
    if not (folder / "corpora" / "unpack").exists():
        pytest.skip(f"no real corpora in {folder}; ICFAST_SHARED names their folder")
    return folder


@pytest.fixture(scope="session")
def corpora(shared: Path) -> Path:
    """The folder with the unpacked corpora."""
    run = subprocess.run(
        [shared / "corpora" / "unpack"], capture_output=True, text=True, check=True
    )
    return Path(run.stdout.strip())


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--ci", action="store_true", help="run the tests marked ci too")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Skip tests marked slow unless -m names a mark, and the others by their own switch."""
    reasons = {}
    if not config.option.markexpr:
        reasons["slow"] = "slow: run with -m slow"
    if "mutation" not in config.option.markexpr:
        reasons["mutation"] = "mutation: run with -m mutation"
    if not config.getoption("--ci"):
        reasons["ci"] = "ci: run with --ci"
    for item in items:
        for mark, reason in reasons.items():
            if item.get_closest_marker(mark):
                item.add_marker(pytest.mark.skip(reason=reason))
