"""Times of losses of logits, next to peers and to the copy rate of the same run."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from gpu import timing
from gpu.bench import Bench

#: Share of the device's memory that the inputs of one shape may take.
_SHARE_OF_MEMORY = 0.6


def logits(bench: Bench) -> None:
    """Beside the copy rate of the same run, and peers."""
    if bench.torch is None:
        for rows, columns, dtype in _shapes(bench):
            bench.times += [
                {"rows": rows, "V": columns, "dtype": dtype} | row
                for row in timing.rows_of([timing.Contender("icfast", print)], 0, rows, None)
            ]
        return
    bench.copy_rate = _copy_rate(bench)
    for rows, columns, dtype in _shapes(bench):
        if not bench.has_time():
            bench.note(f"left out, out of time: {rows} x {columns} {dtype} and what follows")
            return
        _time_shape(bench, rows, columns, dtype)
        bench.torch.cuda.empty_cache()


def _shapes(bench: Bench) -> Iterator[tuple[int, int, str]]:
    for rows in bench.options.rows:
        for columns in bench.options.vocabularies:
            for dtype in ("bfloat16", "float32"):
                yield rows, columns, dtype


def _copy_rate(bench: Bench) -> float:
    """GB/s of a copy between buffers of 2 GiB, bytes read and written."""
    torch = bench.torch
    buffers = [torch.randn(1 << 29, device="cuda") for _ in range(4)]
    copy = timing.Contender("copy", lambda i: buffers[i].copy_(buffers[i + 2]))
    timing.interleave([copy], 2, 20, torch)
    rate = 2 * buffers[0].nbytes / sorted(copy.milliseconds)[10] / 1e6
    bench.note(f"copy: {rate:.0f} GB/s read and written")
    return float(rate)


def _time_shape(bench: Bench, rows: int, columns: int, dtype: str) -> None:
    torch = bench.torch
    properties = torch.cuda.get_device_properties(0)
    size = rows * columns * (2 if dtype == "bfloat16" else 4)
    inputs = -(-4 * properties.L2_cache_size // size)  # one that is larger evicts itself
    if inputs * size > _SHARE_OF_MEMORY * properties.total_memory:
        return bench.note(f"left out, too large for this device: {rows} x {columns} {dtype}")
    kept = []
    for _ in range(inputs):
        kept.append(torch.empty(rows, columns, device="cuda", dtype=getattr(torch, dtype)))
        kept[-1].normal_(0, 3)
    targets = torch.randint(0, columns, (rows,), device="cuda")

    def of(function: Callable[[Any, Any], Any], given: list[Any]) -> Callable[[int], Any]:
        return lambda i: function(given[i % len(given)], targets)

    contenders = [timing.Contender("icfast", of(bench.icfast.cross_entropy, kept))]
    for peer in _peers(bench):
        try:
            given = [kept[0].clone()] if peer.overwrites else kept
            contender = timing.Contender(peer.name, of(peer.run, given))
            contender.run(0)
            torch.cuda.synchronize()
        except Exception as error:  # a peer's own limits: its memory, its index types
            bench.note(f"{peer.name} left out at {rows} x {columns} {dtype}: {error!r:.200}")
            torch.cuda.empty_cache()
            continue
        contenders.append(contender)
    timing.interleave(contenders, inputs, bench.options.rounds, torch)
    bench.times += [
        {"rows": rows, "V": columns, "dtype": dtype} | row
        for row in timing.rows_of(contenders, size, rows, bench.copy_rate)
    ]
    return None


class Peer(NamedTuple):
    """Another way to the losses; some write over what they are given."""

    name: str
    run: Callable[[Any, Any], Any]
    overwrites: bool = False


def _peers(bench: Bench) -> Iterator[Peer]:
    torch = bench.torch

    def eager(x: Any, y: Any) -> Any:
        return torch.nn.functional.cross_entropy(x, y, reduction="none")

    yield Peer("torch", eager)
    if bench.compiled is None:
        bench.compiled = torch.compile(eager, dynamic=True)
    yield Peer("torch.compile", bench.compiled)
    try:
        liger = importlib.import_module("liger_kernel.ops.cross_entropy")
    except ImportError as error:
        if not any(text.startswith("Liger") for text in bench.notes):
            bench.note(f"Liger left out: {error}")
        return
    function = liger.LigerCrossEntropyFunction
    yield Peer(
        "Liger", lambda x, y: function.apply(x, y, None, -100, 0.0, 0.0, "none"), overwrites=True
    )
