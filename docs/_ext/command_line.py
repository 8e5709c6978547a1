"""Write the reference of the command line from the commands themselves.

The line ``<!-- commands -->`` of a page becomes one section per command: its usage, its help
text, its arguments and its options in the panels that ``--help`` shows.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

PLACE = "<!-- commands -->"
PANEL = "Options"


def commands(group: Any, context: Any) -> Iterator[tuple[str, Any]]:
    """Yield every command below a group, depth first, with the words that call it."""
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        words = f"{context.info_name} {name}"
        if hasattr(command, "list_commands"):
            yield from commands(command, type(context)(command, info_name=words))
        else:
            yield words, command


def cell(text: str) -> str:
    """Return text that a cell of a Markdown table can hold."""
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")


def row(parameter: Any) -> str:
    """Return the table row of one option or argument."""
    if parameter.param_type_name == "argument":
        shown = f"`{parameter.metavar or parameter.name.upper()}`"
    else:
        shown = ", ".join(f"`{name}`" for name in (*parameter.opts, *parameter.secondary_opts))
        if not parameter.is_flag:
            shown += " `" + (parameter.metavar or "VALUE").replace("|", "\\|") + "`"
    help_text = cell(parameter.help or "")
    if parameter.required:
        help_text += " Required."
    elif not isinstance(parameter.default, bool) and isinstance(
        parameter.default, str | int | float
    ):
        help_text += f" Default: `{parameter.default}`."
    return f"| {shown} | {help_text} |"


def panels(command: Any) -> Iterator[tuple[str, list[Any]]]:
    """Yield each panel of options with its title, arguments first."""
    found: dict[str, list[Any]] = {}
    for parameter in command.params:
        if getattr(parameter, "hidden", False):
            continue
        is_argument = parameter.param_type_name == "argument"
        title = getattr(parameter, "rich_help_panel", None)
        found.setdefault("Arguments" if is_argument else title or PANEL, []).append(parameter)
    yield from found.items()


def section(name: str, command: Any) -> str:
    """Return the Markdown section of one command."""
    arguments = [p for p in command.params if p.param_type_name == "argument"]
    usage = " ".join([name, "[OPTIONS]", *(p.metavar or p.name.upper() for p in arguments)])
    lines = [f"## {name}", "", (command.help or "").strip(), "", "```text", usage, "```", ""]
    for title, parameters in panels(command):
        lines += [f"**{title}**", "", "| | |", "|---|---|", *map(row, parameters), ""]
    return "\n".join(lines)


def insert(app: Any, docname: str, source: list[str]) -> None:
    """Put the commands where a page asks for them."""
    if PLACE not in source[0]:
        return
    import typer.main

    from icfast.cli import app as icfast_app

    group = typer.main.get_command(icfast_app)
    found = commands(group, typer.Context(group, info_name="icfast"))
    sections = (section(name, command) for name, command in found)
    source[0] = source[0].replace(PLACE, "\n".join(sections))


def setup(app: Any) -> dict[str, bool]:
    """Register the extension with Sphinx."""
    app.connect("source-read", insert)
    return {"parallel_read_safe": True}
