"""An installed icfast: version, command line, backend and one answer. Needs no extra."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import entry_points, metadata, version
from pathlib import Path

import numpy as np
import pytest

import icfast
from icfast.backends.select import installed, select

REPOSITORY = Path(__file__).parents[2]


def test_the_version_is_written_once():
    assert version("icfast") == icfast.__version__
    cited = (REPOSITORY / "CITATION.cff").read_text(encoding="utf-8")
    assert f"\nversion: {icfast.__version__}\n" in cited


def test_the_licence_is_an_spdx_expression():
    described = metadata("icfast")
    assert described["License-Expression"] == "Apache-2.0"
    assert described.get_all("License-File") == ["LICENSE"]


def test_the_command_is_installed():
    (command,) = entry_points(group="console_scripts", name="icfast")
    assert command.value == "icfast.cli:main"
    printed = subprocess.run(
        [sys.executable, "-m", "icfast", "--version"], capture_output=True, text=True, check=True
    )
    assert printed.stdout == f"icfast {icfast.__version__}\n"


def test_spectra_of_a_tiny_corpus(tmp_path):
    shard = tmp_path / "tokens.bin"
    np.array([3, 1, 4, 1, 5, 0, 3, 1, 4, 0], "<u2").tofile(shard)
    corpus = icfast.open(shard, dtype="u2", vocab_size=6, eos_id=0)
    for backend in installed():
        if backend == "cuda":
            continue
        assert select(backend).name == backend
        spectra = icfast.spectra(corpus, order=2, backend=backend)
        assert spectra[1].multiplicity.tolist() == [1, 2, 3]
        assert spectra[1].types.tolist() == [1, 3, 1]


def test_typing_marker_and_stubs_are_installed():
    package = Path(icfast.__file__).parent
    assert (package / "py.typed").is_file()
    assert (package / "backends" / "_core.pyi").is_file()


@pytest.mark.parametrize("heavy", ["torch", "scipy", "numba", "pyarrow", "matplotlib", "rich"])
def test_import_loads_nothing_heavy(heavy):
    code = f"import sys, icfast; print({heavy!r} in sys.modules)"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout == "False\n"
