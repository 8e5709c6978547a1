"""Functions as commands: option records become options, errors become exit codes."""

from __future__ import annotations

import os
import signal
import traceback
import types
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import MISSING, Field, fields, is_dataclass
from inspect import Parameter, Signature, signature
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

import typer

from icfast.cli.output import say, saying_warnings
from icfast.cli.signals import farewell
from icfast.cli.streams import discard_stdout
from icfast.errors import IcfastError, OptionError, OutputError

FAILURE = 1
USAGE = 2
INTERRUPTED = 130

#: Environment variable that shows the traceback of unexpected errors.
_TRACEBACK = "ICFAST_TRACEBACK"
_PACKAGE = Path(__file__).parents[1]
_LONGEST_TEXT = 300


def as_command(function: Callable[..., None]) -> Callable[..., None]:
    """Return the function in the form that typer expects.

    A parameter whose type is a dataclass becomes one option per field of that class; the function
    receives the dataclass. An expected error becomes one line on stderr and an exit code.

    A field describes its option in its metadata:

    - ``help``: help text; a field without one is not an option and keeps its default
    - ``metavar``: name of the value in the help text
    - ``panel``: heading under which the help text lists the option
    - ``option``: name of the option, if it differs from ``--field-name``
    - ``min``, ``max``: range of a number
    """
    hints = get_type_hints(function, include_extras=True)
    records = {name: hint for name, hint in hints.items() if _is_record(hint)}

    def command(**values: Any) -> None:
        with exit_codes():
            for name, record in records.items():
                options = [field.name for field in fields(record) if _is_option(field)]
                values[name] = record(**{option: values.pop(option) for option in options})
            function(**values)

    parameters = list(_parameters(function, hints))
    command.__name__ = function.__name__
    command.__doc__ = function.__doc__
    command.__annotations__ = {p.name: p.annotation for p in parameters}
    command.__signature__ = Signature(parameters)  # type: ignore[attr-defined]
    return command


def _is_record(hint: Any) -> bool:
    return isinstance(hint, type) and is_dataclass(hint)


def _is_option(field: Field[Any]) -> bool:
    return field.init and "help" in field.metadata


def _parameters(function: Callable[..., None], hints: dict[str, Any]) -> Iterator[Parameter]:
    for parameter in signature(function).parameters.values():
        hint = hints[parameter.name]
        if not _is_record(hint):
            yield parameter.replace(kind=Parameter.KEYWORD_ONLY, annotation=hint)
            continue
        types_of_fields = get_type_hints(hint)
        for field in fields(hint):
            if _is_option(field):
                yield _option(field, types_of_fields[field.name])


def _option(field: Field[Any], hint: Any) -> Parameter:
    """Return the typer parameter of one field of a record."""
    about = field.metadata
    names = (about["option"],) if "option" in about else ()
    if hint is bool:
        # A flag that is off by default needs no --no-flag.
        names = names or ("--" + field.name.replace("_", "-"),)
    option = typer.Option(
        *names,
        help=about["help"],
        metavar=about.get("metavar"),
        rich_help_panel=about.get("panel"),
        min=about.get("min"),
        max=about.get("max"),
    )
    default = field.default if field.default is not MISSING else Parameter.empty
    if field.default_factory is not MISSING:
        default = field.default_factory()
    return Parameter(
        field.name,
        Parameter.KEYWORD_ONLY,
        default=default,
        annotation=Annotated[_typed(hint), option],
    )


def _typed(hint: Any) -> Any:
    """Return the type that the command line reads for a field.

    The Python API accepts more types than text can express, such as ``str | int | None`` for a
    size. The command line reads a path if the field accepts one, and a string otherwise.

    >>> _typed(str | int | None), _typed(int | None), _typed(Literal["start", "end"])
    (str | None, int | None, <class 'str'>)
    """
    if get_origin(hint) is Literal:
        return str
    if get_origin(hint) not in (Union, types.UnionType):
        return hint
    chosen = [_typed(one) for one in get_args(hint) if one is not type(None)]
    one = next((wide for wide in (Path, str) if wide in chosen), chosen[0])
    return one | None if type(None) in get_args(hint) else one


@contextmanager
def exit_codes() -> Iterator[None]:
    """Turn every exception into one line on stderr and an exit code.

    Raises:
        typer.Exit: an exception occurred.
    """
    try:
        with saying_warnings():
            yield
    except (typer.Exit, SystemExit, GeneratorExit):
        raise
    except BaseException as error:  # a panic of Rust code is no Exception
        raise typer.Exit(exit_code_of(error)) from None


def exit_code_of(error: BaseException) -> int:
    """Write one line about an error and return its exit code.

    An error that icfast does not expect is raised again if ICFAST_TRACEBACK is set.
    """
    match error:
        case IcfastError():
            say(f"error: {error}")
            usage = isinstance(error, OptionError) and not isinstance(error, OutputError)
            return USAGE if usage else FAILURE
        case MemoryError():
            say("error: out of memory; reduce --memory or --threads, or use a larger machine")
        case KeyboardInterrupt():
            line = farewell(signal.SIGINT)
            if line is not None:
                say(line)
            return INTERRUPTED
        case BrokenPipeError():
            discard_stdout()  # the reader closed the pipe (`| head`)
        case OSError():
            # Errors that the packages below did not explain keep the text of the system.
            say(f"error: {error}")
        case _:
            if os.environ.get(_TRACEBACK):
                raise error
            say(f"error: {_unexpected(error)}")
    return FAILURE


def _unexpected(error: BaseException) -> str:
    """Describe an error that no part of icfast explains: a fault of icfast or of a package."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if _PACKAGE in Path(frame.filename).parents]
    where = own[-1] if own else frames[-1]
    text = " ".join(str(error).split())[:_LONGEST_TEXT]
    return (
        f"unexpected {type(error).__name__}: {text or 'without a message'} "
        f"({Path(where.filename).name}, line {where.lineno}). This is a fault of icfast or of a "
        f"package that it uses. Set {_TRACEBACK}=1 to see where it happens, and report it."
    )
