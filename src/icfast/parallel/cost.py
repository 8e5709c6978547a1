"""The cost of a count, known before it begins."""

from __future__ import annotations

from dataclasses import dataclass

from icfast.notebook import facts_html
from icfast.units import format_bytes


@dataclass(frozen=True)
class Cost:
    """Passes, memory and disk that a count needs.

    Attributes:
        order: N.
        windows: number of windows of N symbols, including those with marked histories.
        passes: number of times that the corpus is read for them.
        memory_bytes: maximum bytes allocated at once; the memory-mapped corpus is not counted.
        table_bytes: approximate size of the count table; 0 if none is written.
        temporary_bytes: bytes written and removed again: keys that memory does not hold, or a table
            made only to fit a model.
    """

    order: int
    windows: int
    passes: int
    memory_bytes: int
    table_bytes: int
    temporary_bytes: int

    def _repr_html_(self) -> str:
        facts = {
            "order": str(self.order),
            "windows": f"{self.windows:,}",
            "passes": str(self.passes),
            "memory": format_bytes(self.memory_bytes),
            "count table": format_bytes(self.table_bytes),
            "temporary files": format_bytes(self.temporary_bytes),
        }
        return facts_html("Cost of the count", facts)
