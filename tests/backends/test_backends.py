"""Installed backends, and that the selected backend is the one that runs."""

from __future__ import annotations

import os
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
from tests.conftest import RESTRICTION

import icfast
from icfast.backends.contract import Kernels
from icfast.backends.counting import Chunk
from icfast.backends.select import _MODULES, installed, select, select_device
from icfast.errors import BackendError, OptionError

NAMES = [
    name
    for protocol in Kernels.__mro__
    if protocol.__module__.startswith("icfast.")
    for name in vars(protocol)
    if not name.startswith("_")
]


@pytest.mark.skipif(RESTRICTION in os.environ, reason="a restricted list of backends")
def test_the_compiled_core_is_installed():
    assert "core" in installed()


def test_every_backend_has_every_kernel(backend, kernels):
    assert {"count_ids", "score_ngrams", "add_losses"} < set(NAMES)
    assert all(callable(getattr(kernels, name)) for name in NAMES)
    assert kernels is import_module(_MODULES[backend])


def test_the_kernels_are_of_the_kind_the_name_says(backend, kernels):
    counts = np.zeros(3, np.uint64)
    whole = np.array([0], np.int64), np.array([2], np.int64)
    assert kernels.count_ids(Chunk(np.array([2, 2], np.uint8), *whole, 0, 2), counts) == (0, 0, 0)
    assert counts.tolist() == [0, 0, 2]
    if backend == "numba":
        assert kernels.count_ids.signatures
    else:
        assert Path(kernels.__file__).suffix in {".so", ".pyd"}


def test_a_pass_runs_the_backend_it_was_given(backend, tmp_path, monkeypatch):
    ran = []
    for name in installed():
        kernels = select(name).kernels

        def spy(*arguments, name=name, sort_runs=kernels.sort_runs):
            ran.append(name)
            return sort_runs(*arguments)

        monkeypatch.setattr(kernels, "sort_runs", spy)
    np.array([1, 2, 1], "u2").tofile(tmp_path / "a.bin")
    icfast.spectra(icfast.open(tmp_path / "a.bin", dtype="u2"), order=2, backend=backend)
    assert set(ran) == {backend}


def test_auto_takes_the_fastest_and_carries_its_name():
    assert select("auto").name == installed()[0]
    assert select() is select(installed()[0])


def test_a_name_that_is_none():
    with pytest.raises(OptionError, match="backend 'fast' is none of auto, cuda, core, numba"):
        select("fast")


def test_the_cuda_part_says_why_it_can_not_run():
    try:
        cuda = import_module(_MODULES["cuda"])
    except ImportError:
        said = r"cuda is not available: .*_cuda.*; this build has no CUDA part; .*ICFAST_CUDA=ON"
    else:
        if not cuda.device_error():
            pytest.skip("it can")
        said = rf"cuda is not available: it was built for .*: {cuda.device_error()}"
    for choose in (select, select_device):
        with pytest.raises(BackendError, match=said):
            choose("cuda")
    assert "cuda" not in installed()


def test_a_backend_reads_one_kind_of_memory():
    with pytest.raises(
        BackendError,
        match="backend numba reads host memory, but these",
    ):
        select_device("numba")
    with pytest.raises(OptionError, match="backend 'fast' is none of"):
        select_device("fast")
