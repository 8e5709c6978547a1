"""The documentation site builds without a warning."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from tests.docs.console import DOCS

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
    from icfast.cli import app

    page = (site / "reference" / "command-line.html").read_text(encoding="utf-8")
    names = [command.callback.__name__ for command in app.registered_commands if command.callback]
    assert len(names) >= 10
    for name in (*names, "laws capacity", "laws run"):
        assert f"icfast {name}<" in page, name


def test_every_public_name_is_there(site: Path) -> None:
    import icfast
    from icfast import laws

    for page, module in (("api", icfast), ("laws-api", laws)):
        text = (site / "reference" / f"{page}.html").read_text(encoding="utf-8")
        for name in module.__all__:
            if name not in ("laws", "__version__"):
                assert f'id="{module.__name__}.{name}"' in text, name
