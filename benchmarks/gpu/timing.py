"""Interleaved times by CUDA events, and a table of them."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

UNMEASURED = "unmeasured"

#: Clock cycles the device is kept busy before each timed call, so that its launches are queued by
#: the time the first one begins, and the host's work does not show.
_HEAD_START = 2_000_000


@dataclass
class Contender:
    """One way to the same result; run(i) uses the i-th of several inputs."""

    name: str
    run: Callable[[int], Any]
    milliseconds: list[float] = field(default_factory=list)


def interleave(contenders: Sequence[Contender], inputs: int, rounds: int, torch: Any) -> None:
    """Each in turn, every round on another input, so that no round reads what a cache still has."""
    for contender in contenders:
        for _ in range(2):
            contender.run(0)
    torch.cuda.synchronize()
    for turn in range(rounds):
        for contender in contenders:
            begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
            torch.cuda._sleep(_HEAD_START)
            begin.record()
            contender.run(turn % inputs)
            end.record()
            torch.cuda.synchronize()
            contender.milliseconds.append(begin.elapsed_time(end))


def rows_of(
    contenders: Sequence[Contender], read_bytes: int, tokens: int, copy_rate: float | None
) -> list[dict[str, Any]]:
    """Medians and rates; what was not timed says so."""
    return [
        {
            "name": contender.name,
            **_rates(contender.milliseconds, read_bytes, tokens, copy_rate),
        }
        for contender in contenders
    ]


def _rates(
    milliseconds: Sequence[float], read_bytes: int, tokens: int, copy_rate: float | None
) -> dict[str, Any]:
    if not milliseconds:
        keys = ("median_ms", "least_ms", "GB/s", "of_copy", "Mtok/s")
        return dict.fromkeys(keys, UNMEASURED)
    median = statistics.median(milliseconds)
    rate = read_bytes / median / 1e6
    return {
        "median_ms": round(median, 4),
        "least_ms": round(min(milliseconds), 4),
        "GB/s": round(rate, 1),
        "of_copy": round(rate / copy_rate, 4) if copy_rate else UNMEASURED,
        "Mtok/s": round(tokens / median / 1e3, 3),
    }


def product_rows(
    contenders: Sequence[Contender], flop: float, tokens: int, bare: Contender | None
) -> list[dict[str, Any]]:
    """The same of products of `flop` operations, beside the one that does nothing else."""
    rows = []
    for contender in contenders:
        if not contender.milliseconds or bare is None:
            keys = ("median_ms", "least_ms", "TFLOP/s", "of_product", "Mtok/s")
            rows.append({"name": contender.name, **dict.fromkeys(keys, UNMEASURED)})
            continue
        median = statistics.median(contender.milliseconds)
        rows.append(
            {
                "name": contender.name,
                "median_ms": round(median, 4),
                "least_ms": round(min(contender.milliseconds), 4),
                "TFLOP/s": round(flop / median / 1e9, 1),
                "of_product": round(statistics.median(bare.milliseconds) / median, 4),
                "Mtok/s": round(tokens / median / 1e3, 3),
            }
        )
    return rows


def table(rows: Sequence[dict[str, Any]]) -> str:
    """Columns as wide as they need; numbers to the right."""
    if not rows:
        return "(nothing)"
    keys = list(dict.fromkeys(key for row in rows for key in row))
    cells = [keys, *[[str(row.get(key, "")) for key in keys] for row in rows]]
    widths = [max(len(row[i]) for row in cells) for i in range(len(keys))]
    numeric = [all(_is_number(row.get(key, 0)) for row in rows) for key in keys]
    lines = [
        "  ".join(
            cell.rjust(width) if right else cell.ljust(width)
            for cell, width, right in zip(row, widths, numeric, strict=True)
        ).rstrip()
        for row in cells
    ]
    return "\n".join(lines)


def _is_number(value: Any) -> bool:
    return value == UNMEASURED or isinstance(value, (int, float))
