"""Options and fixtures of the benchmarks: data, rounds, and the tables they print."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest

import icfast
from data import NAMES, Tokens, load
from report import Report


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("benchmarks")
    group.addoption("--data", choices=NAMES, default="auto", help="auto: linux, else generated")
    group.addoption("--tokens", type=int, default=20_000_000, help="of generated data")
    group.addoption("--rounds", type=int, default=3, help="interleaved rounds after the warm-up")
    group.addoption("--everything", action="store_true", help="rows that take minutes, too")
    group.addoption("--json", type=Path, help="write all tables and the machine here")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Skip what takes minutes, aloud, unless it is asked for."""
    if config.option.everything or config.option.markexpr:
        return
    for item in items:
        if item.get_closest_marker("slow"):
            item.add_marker(pytest.mark.skip(reason="slow: run with --everything or -m slow"))


def pytest_report_header() -> str:
    return (
        f"icfast {icfast.__version__}, numpy {np.__version__}, "
        f"Python {platform.python_version()}, {os.cpu_count()} cores, {platform.machine()}"
    )


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    """A folder that goes at once: pytest would keep gigabytes of three runs."""
    with TemporaryDirectory(prefix="icfast-bench-") as folder:
        yield Path(folder)


@pytest.fixture(scope="session")
def tokens(request: pytest.FixtureRequest) -> Iterator[Tokens]:
    option = request.config.option
    with TemporaryDirectory(prefix="icfast-bench-") as folder:
        yield load(option.data, Path(folder), option.tokens)


@pytest.fixture(scope="session")
def everything(request: pytest.FixtureRequest) -> bool:
    """Whether rows that take minutes are asked for."""
    return bool(request.config.option.everything)


@pytest.fixture(scope="session")
def report(request: pytest.FixtureRequest) -> Iterator[Report]:
    """Runs jobs side by side and prints their tables; in the end all of them go to --json."""
    option = request.config.option
    made = Report(option.rounds)
    yield made
    if option.json:
        made.write(option.json)
