"""JSON Schemas (draft 2020-12) of results, derived from their records.

The package ships them as files. After a change of a record, write them again:

    python -m icfast.pipeline.records.schema
"""

from __future__ import annotations

import inspect
import json
import re
import types
from collections.abc import Mapping
from dataclasses import is_dataclass
from enum import Enum
from pathlib import Path
from typing import Any, Union, get_args, get_origin

from icfast.pipeline.records.base import (
    SCHEMA_VERSION,
    fields_of,
    is_flat,
    is_nullable,
    is_optional,
)
from icfast.pipeline.records.entropy import EntropyResult
from icfast.pipeline.records.measure import MeasureResult
from icfast.pipeline.records.models import CompressResult, ExportResult, FitResult, TableResult
from icfast.pipeline.records.score import ScoreResult
from icfast.pipeline.records.training import ScalingResult, TrainingResult

#: Name of each schema, and the record that it describes.
RESULTS: dict[str, type] = {
    "compress": CompressResult,
    "entropy": EntropyResult,
    "export": ExportResult,
    "fit": FitResult,
    "measure": MeasureResult,
    "scaling": ScalingResult,
    "score": ScoreResult,
    "table": TableResult,
    "training": TrainingResult,
}

#: Folder of the schemas in the package.
FOLDER = Path(__file__).parent / "schemas"

_SCALARS = {str: "string", int: "integer", float: "number", bool: "boolean"}


def read_schema(name: str) -> dict[str, Any]:
    """Return the JSON Schema of a result, by its name in `RESULTS`.

    >>> read_schema("measure")["title"]
    'MeasureResult'
    """
    found: dict[str, Any] = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    return found


def result_schema(name: str) -> dict[str, Any]:
    """Derive the JSON Schema of a result from its record."""
    record = RESULTS[name]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:icfast:result:{name}:{SCHEMA_VERSION}",
        "title": record.__name__,
        "description": (inspect.getdoc(record) or "").partition("\n")[0],
        **_object(record),
    }


def _object(record: Any) -> dict[str, Any]:
    properties, required = _keys(record)
    return {
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": False,
    }


def _keys(record: Any) -> tuple[dict[str, Any], list[str]]:
    """Return the properties of a record, and the names of those that are always there."""
    texts = _attribute_texts(get_origin(record) or record)
    properties: dict[str, Any] = {}
    required: list[str] = []
    for name, (described, hint) in fields_of(record).items():
        if is_flat(described):
            inner, inner_required = _keys(_without_none(hint))
            properties |= inner
            required += [] if is_nullable(hint) else inner_required
            continue
        found = _value(_without_none(hint) if is_optional(described) else hint)
        properties[name] = {**found, "description": texts[name]} if name in texts else found
        required += [] if is_optional(described) else [name]
    return properties, required


def _value(hint: Any) -> dict[str, Any]:
    if hint in _SCALARS:
        return {"type": _SCALARS[hint]}
    kind, arguments = get_origin(hint) or hint, get_args(hint)
    if kind in (Union, types.UnionType):
        return {"anyOf": [_value(_without_none(hint)), {"type": "null"}]}
    if is_dataclass(kind):
        return _object(hint)
    if kind in (tuple, list):
        return {"type": "array", "items": _value(arguments[0])}
    if kind in (dict, Mapping):
        return {"type": "object", "additionalProperties": _value(arguments[1])}
    if isinstance(kind, type) and issubclass(kind, Enum):
        return {"enum": [member.value for member in kind]}
    if arguments:  # a Literal
        return {"enum": list(arguments)}
    raise TypeError(f"{hint} has no JSON Schema")


def _without_none(hint: Any) -> Any:
    if not is_nullable(hint):
        return hint
    kept = tuple(one for one in get_args(hint) if one is not type(None))
    return Union[kept]  # noqa: UP007 - built from a list


def _attribute_texts(record: Any) -> dict[str, str]:
    """Return the text of each attribute in the docstrings of a record and of its bases."""
    texts: dict[str, str] = {}
    for base in reversed(record.__mro__):
        _, _, listed = (inspect.cleandoc(base.__doc__ or "")).partition("Attributes:\n")
        for name, text in re.findall(r"^    (\w+): (.*(?:\n        .*)*)", listed, re.MULTILINE):
            texts[name] = " ".join(text.split())
    return texts


def write_schemas() -> None:
    """Write the schema of every result into `FOLDER`."""
    FOLDER.mkdir(exist_ok=True)
    for name in RESULTS:
        text = json.dumps(result_schema(name), indent=1, ensure_ascii=False)
        (FOLDER / f"{name}.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    write_schemas()
