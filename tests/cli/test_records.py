"""Dataclass records as groups of options."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

import pytest
import typer
from typer.testing import CliRunner

from icfast.cli.run import as_command


@dataclass(frozen=True)
class Options:
    size: int | str | None = field(default=None, metadata={"help": "Size.", "metavar": "SIZE"})
    side: Literal["left", "right"] = field(default="left", metadata={"help": "Side."})
    folder: str | Path | None = field(default=None, metadata={"help": "Folder.", "panel": "Disk"})
    skip_bad: bool = field(default=False, metadata={"help": "Skip.", "panel": "Disk"})
    times: int = field(default=2, metadata={"help": "Times.", "min": 1})
    depth: int = field(default=5, metadata={"help": "Depth.", "option": "--how-deep"})
    internal: object = None


@pytest.fixture
def app() -> typer.Typer:
    def show(name: Annotated[str, typer.Argument(help="Name.")], options: Options) -> None:
        """Show the options."""
        print(name, options)

    made = typer.Typer()
    made.command()(as_command(show))
    return made


def test_a_record_keeps_its_defaults(app: typer.Typer) -> None:
    assert CliRunner().invoke(app, ["x"]).output == f"x {Options()}\n"


def test_every_field_with_a_help_text_is_an_option(app: typer.Typer) -> None:
    given = "--size 4GiB --side right --folder f --skip-bad --times 3 --how-deep 7"
    expected = Options("4GiB", "right", Path("f"), True, 3, 7)
    assert CliRunner().invoke(app, ["x", *given.split()]).output == f"x {expected}\n"


@pytest.mark.parametrize("given", ["--times 0", "--no-skip-bad", "--internal 1"])
def test_other_options_are_refused(app: typer.Typer, given: str) -> None:
    assert CliRunner().invoke(app, ["x", *given.split()]).exit_code == 2


def test_the_help_text_has_panels(app: typer.Typer) -> None:
    text = CliRunner().invoke(app, ["--help"], env={"COLUMNS": "100"}).output
    assert "Disk" in text
    assert "SIZE" in text
    assert "Folder." in text
