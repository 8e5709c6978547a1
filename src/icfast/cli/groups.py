"""Groups of commands that import a command's module only when it runs or shows its help."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import typer
from typer.core import TyperGroup
from typer.main import get_command

from icfast.cli.run import as_command


def lazy_group(places: Mapping[str, str]) -> type[TyperGroup]:
    """Return a group class whose commands are loaded on first use.

    Shell completion starts Python for every press of the tab key, so it must not import the
    modules of commands that are not on the command line.

    Args:
        places: command name -> ``"module:attribute"`` of its function or of its `typer.Typer`.
    """

    class LazyGroup(TyperGroup):
        """Group of commands in the order of `places`."""

        def list_commands(self, ctx: Any) -> list[str]:
            return list(places)

        def get_command(self, ctx: Any, cmd_name: str) -> Any:
            if cmd_name not in places:
                return None
            if cmd_name not in self.commands:
                self.commands[cmd_name] = _load(cmd_name, places[cmd_name])
            return self.commands[cmd_name]

        def shell_complete(self, ctx: Any, incomplete: str) -> list[Any]:
            if incomplete.startswith("-"):
                return list(super().shell_complete(ctx, incomplete))
            return [_completion(name) for name in places if name.startswith(incomplete)]

    return LazyGroup


def _load(name: str, place: str) -> Any:
    """Import the function or the group of one command."""
    module, _, attribute = place.partition(":")
    found = getattr(import_module(module), attribute)
    if isinstance(found, typer.Typer):
        return get_command(found)
    single = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    single.command(name)(as_command(found))
    return get_command(single)


def _completion(name: str) -> Any:
    """Return a completion item of the click that typer uses; newer versions carry their own."""
    click = "typer._click" if find_spec("typer._click") else "click"
    return import_module(f"{click}.shell_completion").CompletionItem(name)
