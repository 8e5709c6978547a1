"""Read dataclasses from JSON. Every field must exist and have its type."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import fields
from types import NoneType
from typing import Any, TypeVar

T = TypeVar("T")

#: JSON types of a field of each annotation. Whole numbers are counts and never negative.
_KINDS: dict[str, tuple[type, ...]] = {
    "int": (int,),
    "bool": (bool,),
    "str": (str,),
    "int | None": (int, NoneType),
    "str | None": (str, NoneType),
}


def stored_as(cls: type[T], stored: Mapping[str, Any], **built: Any) -> T:
    """Return a dataclass from the dictionary of its fields.

    Args:
        cls: the dataclass. The metadata `one_of` of a field lists its allowed values.
        stored: the fields by name.
        built: fields that the caller provides.

    Raises:
        KeyError: a field is missing.
        TypeError: `stored` is not a dictionary.
        ValueError: a field has another type or a value that is not allowed, or a number is
            negative or 2^63 or more.
    """
    values = {}
    for field in fields(cls):  # type: ignore[arg-type]
        if field.name not in built:
            value = checked(stored[field.name], str(field.type), field.name)
            values[field.name] = one_of(value, field.metadata.get("one_of"), field.name)
    return cls(**values, **built)


def one_of(value: T, allowed: Collection[Any] | None, name: str) -> T:
    """Return the value if it is one of the allowed ones, or if all are (None).

    Raises:
        ValueError: it is not allowed. The message names the field, the value and what is allowed.

    >>> one_of("end", ("end", "start"), "boundary")
    'end'
    """
    if allowed is not None and value not in allowed:
        raise ValueError(f"{name} is {value!r:.60}; allowed are {', '.join(map(repr, allowed))}")
    return value


def checked(value: Any, annotation: str, name: str) -> Any:
    """Return the value if it has the type of the annotation.

    Raises:
        ValueError: it has another type, or is a number that is no count.

    >>> checked(3, "int | None", "eos_id")
    3
    """
    # isinstance would accept True as an int.
    if type(value) not in _KINDS[annotation]:
        raise ValueError(f"{name} should be {annotation}, found {value!r:.60}")
    if type(value) is int and not 0 <= value < 1 << 63:
        raise ValueError(f"{name} should be a count, found {value!r:.60}")
    if type(value) is str:
        value.encode()  # fails for half a surrogate pair, which JSON can express
    return value
