"""Accuracy of losses on each instruction set of this machine except the best one."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.conftest import backends_under_test

from icfast.backends.select import select

HERE = Path(__file__).parent
ACCURACY = [HERE / "test_losses_accuracy.py", HERE / "test_linear_accuracy.py"]
WHICH = "from icfast.backends.select import select; print(select('core').kernels.isa)"


def run(isa: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "ICFAST_ISA": isa, "ICFAST_TEST_BACKENDS": "core"}
    return subprocess.run(
        [sys.executable, *map(str, arguments)],
        capture_output=True,
        text=True,
        env=environment,
        cwd=HERE.parents[1],
        check=False,
    )


@pytest.fixture(params=["amx", "avx512", "avx2", "neon", "portable"])
def isa(request):
    if "core" not in backends_under_test():
        pytest.skip("the core is not under test")
    if "ICFAST_ISA" in os.environ:
        pytest.skip("ICFAST_ISA chose this run's; each is tried where it is not set")
    if request.param == getattr(select("core").kernels, "isa", None):
        pytest.skip(f"{request.param} is what this run uses")
    found = run(request.param, "-c", WHICH)
    if found.returncode:
        assert f"ICFAST_ISA is '{request.param}', and this machine has" in found.stderr
        pytest.skip(f"this machine has no {request.param}")
    assert found.stdout.strip() == request.param
    return request.param


@pytest.mark.ci
def test_losses_on_another_instruction_set(isa, tmp_path):
    options = ("-q", "-p", "no:cacheprovider", f"--basetemp={tmp_path}")
    found = run(isa, "-m", "pytest", *options, *ACCURACY)
    assert found.returncode == 0, found.stdout
