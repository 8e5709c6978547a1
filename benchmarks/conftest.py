"""Fixtures of the benchmarks: data, and a line per measurement for docs/benchmarks.md."""

import os
import platform

import numpy as np
import pytest

import icfast
from data import Tokens, generated, linux


@pytest.fixture(scope="session")
def tokens(tmp_path_factory: pytest.TempPathFactory) -> Tokens:
    path = linux()
    if path is not None:
        return Tokens("Linux, 48 M tokens", path)
    return generated(tmp_path_factory.mktemp("bench") / "generated.bin")


def pytest_report_header() -> str:
    return (
        f"icfast {icfast.__version__}, numpy {np.__version__}, "
        f"Python {platform.python_version()}, {os.cpu_count()} cores, {platform.machine()}"
    )
