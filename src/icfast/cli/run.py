"""From a function to a command: groups of options are spread, errors become exit codes."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import fields, is_dataclass
from inspect import Parameter, Signature, signature
from typing import Any, get_type_hints

import typer

from icfast.cli.output import say
from icfast.errors import IcfastError, OptionError

FAILURE = 1
USAGE = 2
INTERRUPTED = 130


def as_command(function: Callable[..., None]) -> Callable[..., None]:
    """The function as typer takes it.

    A parameter whose type is a dataclass stands for the fields of that class, each an option; the
    function gets the dataclass. What it raises on purpose becomes a line on stderr and a code.
    """
    hints = get_type_hints(function, include_extras=True)
    groups = {name: hint for name, hint in hints.items() if _is_group(hint)}

    def command(**values: Any) -> None:
        for name, group in groups.items():
            values[name] = group(**{f.name: values.pop(f.name) for f in fields(group)})
        with exit_codes():
            function(**values)

    parameters = list(_parameters(function, hints))
    command.__name__ = function.__name__
    command.__doc__ = function.__doc__
    command.__annotations__ = {p.name: p.annotation for p in parameters}
    command.__signature__ = Signature(parameters)  # type: ignore[attr-defined]
    return command


def _is_group(hint: Any) -> bool:
    return isinstance(hint, type) and is_dataclass(hint)


def _parameters(function: Callable[..., None], hints: dict[str, Any]) -> Iterator[Parameter]:
    for parameter in signature(function).parameters.values():
        hint = hints[parameter.name]
        if not _is_group(hint):
            yield parameter.replace(kind=Parameter.KEYWORD_ONLY, annotation=hint)
            continue
        types = get_type_hints(hint, include_extras=True)
        for field in fields(hint):
            yield Parameter(
                field.name,
                Parameter.KEYWORD_ONLY,
                default=field.default,
                annotation=types[field.name],
            )


@contextmanager
def exit_codes() -> Iterator[None]:
    """Turn expected failures into one line on stderr and an exit code; others pass.

    Raises:
        typer.Exit: with the code.
    """
    try:
        yield
    except IcfastError as error:
        say(f"error: {error}")
        raise typer.Exit(USAGE if isinstance(error, OptionError) else FAILURE) from None
    except MemoryError:
        say("error: out of memory; give less (--memory, --threads), or use a larger machine")
        raise typer.Exit(FAILURE) from None
    except KeyboardInterrupt:
        say("interrupted; nothing half-written was kept")
        raise typer.Exit(INTERRUPTED) from None
    except BrokenPipeError:
        # The reader went away (`| head`). Python would complain again when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit(FAILURE) from None
    except OSError as error:
        # The rooms below explain what they can; the system's own words are left for the rest.
        say(f"error: {error}")
        raise typer.Exit(FAILURE) from None
