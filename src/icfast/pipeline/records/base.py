"""Records of a result: frozen dataclasses that are written to JSON and read back.

A record becomes a JSON object with one key per field, in the order of the fields. Two kinds of
field differ: `FLAT` fields add the keys of their record to those of the record around them, and
`OPTIONAL` fields are left out of the object if they are None.
"""

from __future__ import annotations

import types
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from enum import Enum
from functools import cache
from pathlib import Path
from typing import Any, Self, TypeVar, Union, get_args, get_origin, get_type_hints

from icfast.files import shown_path, utf8_text
from icfast.notebook import facts_html

#: Version of the field names in every result.
SCHEMA_VERSION = 1

#: Metadata of a field whose record adds its keys to the record around it.
FLAT = {"json": "flat"}

#: Metadata of a field that JSON leaves out if it is None.
OPTIONAL = {"json": "optional"}


def is_flat(described: Field[Any]) -> bool:
    """Tell whether the keys of a field's record belong to the record around it."""
    return described.metadata.get("json") == FLAT["json"]


def is_optional(described: Field[Any]) -> bool:
    """Tell whether JSON leaves a field out if it is None."""
    return described.metadata.get("json") == OPTIONAL["json"]


def to_json(value: Any) -> Any:
    """Return a record, or a value in one, as JSON has it: dictionaries, lists and scalars.

    Half surrogates are escaped, because many readers of JSON refuse them.
    """
    if is_dataclass(value) and not isinstance(value, type):
        return dict(_items(value))
    if isinstance(value, Mapping):
        return {to_json(key): to_json(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [to_json(item) for item in value]
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Path):
        return shown_path(value)
    return utf8_text(value) if isinstance(value, str) else value


def _items(record: Any) -> Iterator[tuple[str, Any]]:
    for described in fields(record):
        value = getattr(record, described.name)
        if value is None and (is_flat(described) or is_optional(described)):
            continue
        if is_flat(described):
            yield from _items(value)
        else:
            yield described.name, to_json(value)


class Result:
    """Base of everything that a command prints with ``--json``; prints short."""

    def facts(self) -> dict[str, str]:
        """Return the main figures as text, by name."""
        raise NotImplementedError

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}: {value}" for name, value in self.facts().items())
        return f"<{type(self).__name__} {shown}>"

    def _repr_html_(self) -> str:
        return facts_html(type(self).__name__, self.facts())

    def to_json(self) -> dict[str, Any]:
        """Return the result as one JSON object."""
        found: dict[str, Any] = to_json(self)
        return found

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Self:
        """Read a result back from the object that `to_json` returned.

        Raises:
            KeyError: a key is missing.
        """
        found: Self = from_json(cls, content)
        return found


def from_json(hint: Any, content: Any) -> Any:
    """Return the value of a type from its JSON form.

    >>> from_json(tuple[float, ...], [1.0, 2.0]), from_json(int | None, None)
    ((1.0, 2.0), None)
    """
    kind, arguments = get_origin(hint) or hint, get_args(hint)
    if kind in (Union, types.UnionType):
        if content is None:
            return None
        return from_json(next(one for one in arguments if one is not type(None)), content)
    if is_dataclass(kind):
        return _record(hint, content)
    if kind is tuple:
        return tuple(from_json(arguments[0], item) for item in content)
    if kind is list:
        return [from_json(arguments[0], item) for item in content]
    if kind in (dict, Mapping):
        return {key: from_json(arguments[1], item) for key, item in content.items()}
    if isinstance(kind, type) and issubclass(kind, Enum | Path):
        return kind(content)
    return content


def _record(hint: Any, content: Mapping[str, Any]) -> Any:
    values = {}
    for name, (described, of) in fields_of(hint).items():
        if is_flat(described):
            there = not is_nullable(of) or _has_keys(of, content)
            values[name] = from_json(of, content) if there else None
        elif is_optional(described):
            values[name] = from_json(of, content.get(name))
        elif name not in content and described.default is not MISSING:
            values[name] = described.default  # an older icfast did not write this field
        else:
            values[name] = from_json(of, content[name])
    return (get_origin(hint) or hint)(**values)


def _has_keys(hint: Any, content: Mapping[str, Any]) -> bool:
    """Tell whether an object has every required key of a nullable flat record."""
    (record,) = (one for one in get_args(hint) if one is not type(None))
    found = fields_of(record).items()
    return all(n in content for n, (f, _) in found if not is_flat(f) and not is_optional(f))


def is_nullable(hint: Any) -> bool:
    """Tell whether a type admits None."""
    return type(None) in get_args(hint)


@cache
def fields_of(hint: Any) -> dict[str, tuple[Field[Any], Any]]:
    """Return each field of a record with its type, type parameters replaced."""
    kind = get_origin(hint) or hint
    parameters = dict(zip(getattr(kind, "__parameters__", ()), get_args(hint), strict=True))
    hints = get_type_hints(kind)
    return {f.name: (f, _replaced(hints[f.name], parameters)) for f in fields(kind)}


def _replaced(hint: Any, parameters: Mapping[Any, Any]) -> Any:
    if isinstance(hint, TypeVar):
        return parameters[hint]
    if get_origin(hint) in (Union, types.UnionType):
        return Union[tuple(_replaced(one, parameters) for one in get_args(hint))]  # noqa: UP007
    return hint
