"""Proof that nobody changed a file between its opening and now."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from icfast.errors import IcfastError

#: Facts about a file that change its time of status without changing its content.
_OUTSIDE = ("st_mode", "st_uid", "st_gid", "st_nlink")


@dataclass(frozen=True, eq=False)
class OpenedFile:
    """What the system said of a file when it was opened.

    Attributes:
        path: the file.
        error: class of the errors about it.
        facts: result of fstat on the open file.
        replaceable: whether another file may take its path.
    """

    path: Path
    error: type[IcfastError]
    facts: os.stat_result
    replaceable: bool = False

    @property
    def size(self) -> int:
        """Bytes of the file when it was opened."""
        return self.facts.st_size

    def check_unchanged(self) -> None:
        """Refuse what was read if the file changed since it was opened.

        Raises:
            IcfastError: the file was cut, replaced or written to; of the file's class.
        """
        self.check_not_cut()
        change = self._change()
        if change is not None:
            raise self.error(
                f"{self.path} changed while it was read: {change}. The result would mix two "
                "contents. Run again when nothing writes to it."
            )

    def check_not_cut(self) -> None:
        """Refuse what was read if the file is shorter than when it was opened.

        Raises:
            IcfastError: the file was cut; of the file's class.
        """
        now = self._now()
        if now is not None and self._same_file(now) and now.st_size < self.size:
            raise self.error(
                f"{self.path} shrank while it was read: it had {self.size} bytes when it was "
                f"opened, and has {now.st_size} now. Run again when nothing writes to it."
            )

    def _now(self) -> os.stat_result | None:
        try:
            return self.path.stat()
        except OSError:
            return None

    def _same_file(self, now: os.stat_result) -> bool:
        return (now.st_dev, now.st_ino) == (self.facts.st_dev, self.facts.st_ino)

    def _change(self) -> str | None:
        """Describe how the file at the path differs from the one that was opened."""
        before, now = self.facts, self._now()
        if now is None or not self._same_file(now):
            if self.replaceable:
                return None
            return "it was removed" if now is None else "another file took its place"
        if now.st_size != before.st_size:
            return f"it had {before.st_size} bytes, and has {now.st_size} now"
        if now.st_mtime_ns != before.st_mtime_ns:
            return "it was written to (its time of modification is another)"
        # Times of modification can be set back; times of status cannot. A new name changes them.
        explained = self.replaceable or any(
            getattr(now, fact) != getattr(before, fact) for fact in _OUTSIDE
        )
        if now.st_ctime_ns != before.st_ctime_ns and not explained:
            return "it was touched (its time of status is another)"
        return None
