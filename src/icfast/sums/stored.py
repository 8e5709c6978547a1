"""Reading back what was stored as JSON: each field there and of its type. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from types import NoneType
from typing import Any, TypeVar

T = TypeVar("T")

#: What JSON may hold for a field of each annotation; whole numbers are counts, never negative.
_KINDS: dict[str, tuple[type, ...]] = {
    "int": (int,),
    "bool": (bool,),
    "str": (str,),
    "int | None": (int, NoneType),
    "str | None": (str, NoneType),
}


def stored_as(cls: type[T], stored: Mapping[str, Any], **built: Any) -> T:
    """A dataclass from the dictionary of its fields, those in `built` made by the caller.

    Raises:
        KeyError: a field is missing.
        TypeError: not a dictionary.
        ValueError: a field is of another type, or a number not between 0 and 2^63.
    """
    values = {
        field.name: checked(stored[field.name], str(field.type), field.name)
        for field in fields(cls)  # type: ignore[arg-type]
        if field.name not in built
    }
    return cls(**values, **built)


def checked(value: Any, annotation: str, name: str) -> Any:
    """The value, if JSON may hold it where `annotation` says what is expected.

    Raises:
        ValueError: it may not.

    >>> checked(3, "int | None", "eos_id")
    3
    """
    # Not isinstance: True is no count.
    if type(value) not in _KINDS[annotation]:
        raise ValueError(f"{name} should be {annotation}, found {value!r:.60}")
    if type(value) is int and not 0 <= value < 1 << 63:
        raise ValueError(f"{name} should be a count, found {value!r:.60}")
    if type(value) is str:
        value.encode()  # JSON can spell half a surrogate pair, which nothing can write again
    return value
