"""Numbers out of named fields, of JSON or of CSV."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from icfast.errors import LogError
from icfast.logs.rows import number, whole


@dataclass(frozen=True)
class FieldReader:
    """The fields of one row; an empty one is as good as none."""

    line: int
    fields: Mapping[str, Any]

    def has(self, name: str | None) -> bool:
        """Whether a field is there and says something."""
        return name is not None and self.fields.get(name) not in (None, "")

    def number(self, name: str) -> float:
        """A finite number.

        Raises:
            LogError: the field is missing, or no number.
        """
        return number(self._text(name), name, self.line)

    def whole(self, name: str) -> int:
        """A whole number that is not negative.

        Raises:
            LogError: the field is missing, or no such number.
        """
        return whole(self._text(name), name, self.line)

    def optional_number(self, name: str | None) -> float | None:
        """A number, None where the field is missing."""
        return self.number(name) if name is not None and self.has(name) else None

    def optional_whole(self, name: str | None) -> int | None:
        """A whole number, None where the field is missing."""
        return self.whole(name) if name is not None and self.has(name) else None

    def _text(self, name: str) -> str:
        if not self.has(name):
            raise LogError(f"line {self.line}: {name} is missing")
        return str(self.fields[name])
