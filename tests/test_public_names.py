"""The public names of the package: listed in the stub, found lazily, light to import."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

import icfast


@pytest.mark.parametrize("name", icfast.__all__)
def test_every_public_name_is_there(name: str) -> None:
    found = getattr(icfast, name)
    assert found is getattr(icfast, name)
    assert name in dir(icfast)
    assert name == "__version__" or found.__doc__


def test_unknown_names_are_refused() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = icfast.nothing


RETURNING_A_TYPE = """
    open inspect tokenize cost count merge fit compress fan_out spectra match_entropy measure score
"""


@pytest.mark.parametrize("function", [getattr(icfast, name) for name in RETURNING_A_TYPE.split()])
def test_returned_types_are_public(function: Any) -> None:
    assert isinstance(getattr(icfast, function.__annotations__["return"]), type)


def test_import_loads_only_numpy() -> None:
    code = "import sys; before = set(sys.modules); import icfast; print(*set(sys.modules) - before)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    tops = {name.split(".")[0] for name in run.stdout.split()}
    assert tops - sys.stdlib_module_names <= {"icfast", "numpy"}
