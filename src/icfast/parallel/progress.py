"""Progress of long work, as it is reported to the caller."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Function that receives the progress of a stage."""

    def __call__(self, stage: str, done: int, total: int, unit: str = "tokens") -> None:
        """Report that `done` of `total` units of a stage are complete.

        Args:
            stage: name of the stage, such as "counting".
            done: units completed so far, at most `total`.
            total: units of the whole stage.
            unit: what is counted, in the plural.
        """


def silent(stage: str, done: int, total: int, unit: str = "tokens") -> None:
    """Ignore the report: the Progress of a caller that gives none."""
