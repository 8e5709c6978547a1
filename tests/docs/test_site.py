"""The documentation site builds without a warning."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from tests.docs.console import DOCS

pytestmark = pytest.mark.ci
PARTS = ("sphinx", "myst_parser", "furo")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    for part in PARTS:
        pytest.importorskip(part, reason="the site needs the extra `docs`")
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-E", "-b", "html"]
    run = subprocess.run([*command, str(DOCS), str(folder)], capture_output=True, encoding="utf-8")
    assert run.returncode == 0, run.stderr
    return folder


def test_every_command_is_there(site: Path) -> None:
    from icfast.cli import COMMANDS

    page = (site / "reference" / "command-line.html").read_text(encoding="utf-8")
    names = set(COMMANDS) - {"laws"}
    assert len(names) >= 10
    for name in (*names, "laws capacity", "laws run"):
        assert f"icfast {name}<" in page, name
    assert "--vocab-size" in page


def test_every_public_name_is_there(site: Path) -> None:
    import icfast
    from icfast import laws

    for page, module in (("api", icfast), ("laws-api", laws)):
        text = (site / "reference" / f"{page}.html").read_text(encoding="utf-8")
        for name in module.__all__:
            # A class is documented once, under its shortest name.
            short = name in icfast.__all__ and isinstance(getattr(module, name), type)
            where = "icfast" if short else module.__name__
            if name not in ("laws", "__version__") and (where, page) != ("icfast", "laws-api"):
                assert f'id="{where}.{name}"' in text, name
