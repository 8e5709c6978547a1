"""Every number in a public docstring runs, on the package as it is installed."""

import doctest
import importlib
import pkgutil

import pytest

import icfast

# __main__ runs the command line, the fallback needs numba.
SKIPPED = ("icfast.__main__", "icfast.backends.fallback", "icfast.backends._")
MODULES = sorted(
    module.name
    for module in pkgutil.walk_packages(icfast.__path__, "icfast.")
    if not module.name.startswith(SKIPPED)
)


@pytest.mark.ci
@pytest.mark.parametrize("name", MODULES)
def test_doctests(name):
    assert doctest.testmod(importlib.import_module(name)).failed == 0


def test_there_are_doctests():
    laws = importlib.import_module("icfast.laws.capacity")
    assert doctest.testmod(laws).attempted > 0
