"""Calls into the `tokenizers` package, whose failures have no narrow class."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

#: Exceptions that a call may raise for reasons of its own.
_PASSED = (KeyboardInterrupt, SystemExit, GeneratorExit, MemoryError)

_LONGEST_REASON = 200


class PackageError(Exception):
    """Failure of the package. Its text is one line."""


def call(function: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
    """Return what a function of the package returns.

    Raises:
        PackageError: it raised any exception. A panic of its Rust code is a BaseException.
    """
    try:
        return function(*arguments, **options)
    except _PASSED:
        raise
    except BaseException as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise PackageError(reason[:_LONGEST_REASON]) from error
