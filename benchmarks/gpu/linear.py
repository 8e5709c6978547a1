"""Losses of hidden states: checked against fp64, timed beside the bare product and peers."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from gpu import cases, timing
from gpu.bench import Bench

_LEAST_OF_PRODUCT = 0.85
_SCRATCH_BUDGET = 256 << 20
_SAMPLED = 48

#: Of |h| |w|, what a logit summed in fp32 may be off by; the loss, by twice that beside its budget.
_LOGIT_ERROR = 16 * 2.0**-24

#: (rows, width, columns), and what else is asked for.
_CHECKED = (
    ((5, 64, 1000), {}),
    ((2049, 96, 5000), {}),
    ((300, 256, 9001), {"softcap": 30.0}),
    ((300, 256, 4224), {"temperature": 0.7}),
    ((70, 333, 4225), {}),  # no operand can be read where it lies
    ((2500, 4096, 50257), {}),  # the last is for a device alone
)


class Layer(NamedTuple):
    """What is multiplied, where it is, and the ids."""

    hidden: Any
    weight: Any
    targets: Any
    bias: Any = None


def linear(bench: Bench) -> None:
    """Accuracy, scratch and bits; then times."""
    dtypes = ("float32", "float16") if bench.torch is None else cases.DTYPES[:3]
    for dtype in dtypes:
        for shape, options in _CHECKED if bench.torch is not None else _CHECKED[:-1]:
            _check_shape(bench, shape, dtype, options)
    if bench.torch is None:
        bench.note("linear: bits, graphs and scratch need a device")
    else:
        _check_bits(bench)
    for shape in bench.options.layers:
        if bench.torch is None:
            ours = timing.Contender("icfast", print)
            bench.times += _rows(shape, [ours], None)
        elif bench.has_time():
            _time_layer(bench, shape)
            bench.torch.cuda.empty_cache()
        else:
            bench.note(f"left out, out of time: {shape}")


# What is checked -----------------------------------------------------------------------------


def _check_shape(bench: Bench, shape: Any, dtype: str, options: dict[str, float]) -> None:
    rows, width, columns = shape
    draw = np.random.default_rng(shape).standard_normal
    hidden, h = bench.stored(draw((rows, width)), dtype)
    weight, w = bench.stored(0.05 * draw((columns, width)), dtype)
    bias, b = bench.stored(draw(columns), dtype)
    targets = np.random.default_rng(1).integers(0, columns, rows)
    some = np.unique(np.linspace(0, rows - 1, _SAMPLED).astype(int))
    expected = cases.define(h[some] @ w.T + b, targets[some], **options)
    found = bench.icfast.linear_cross_entropy(
        hidden,
        weight,
        bench.ids(targets),
        bias,
        return_logsumexp=True,
        return_entropy=True,
        return_rank=True,
        **options,
    )
    error = _LOGIT_ERROR * np.linalg.norm(h[some], axis=1).max() * np.linalg.norm(w, axis=1).max()
    bench.check(
        compare(
            f"linear {dtype} {'x'.join(map(str, shape))} {options}",
            type(found)._make(bench.host(array)[some] for array in found),
            expected,
            2 * error / options.get("temperature", 1.0),
        )
    )


def compare(name: str, found: Any, expected: cases.Losses, allowed: float) -> cases.Check:
    """Losses, logsumexps and entropies within their budget and what logits are off by."""
    shares = {}
    for field in ("nll_nats", "logsumexp_nats", "entropy_nats"):
        exact = getattr(expected, field)
        error = np.abs(np.asarray(getattr(found, field), np.float64) - exact)
        share = error / (2e-6 + 4e-7 * np.abs(exact) + allowed)
        shares[field] = float(np.nan_to_num(share, nan=np.inf).max(initial=0))
    worst = max(shares, key=lambda field: shares[field])
    # Neighbours in rank may be nearer to one another than rounding goes.
    ranks = int(np.abs(np.asarray(found.rank) - expected.rank).max(initial=0))
    detail = f"{shares[worst]:.3f} of what is allowed ({worst}), ranks off by {ranks}"
    return cases.Check(name, shares[worst] <= 1 and ranks <= 2, detail)


def _layer(bench: Bench, rows: int, width: int, columns: int) -> Layer:
    torch = bench.torch
    return Layer(
        torch.randn(rows, width, device="cuda", dtype=torch.bfloat16),
        torch.randn(columns, width, device="cuda", dtype=torch.bfloat16) * 0.02,
        torch.randint(0, columns, (rows,), device="cuda"),
    )


def _check_bits(bench: Bench) -> None:
    """A row is the same in any batch, place and stream, and in a graph; and twice."""
    torch, losses = bench.torch, bench.icfast.linear_cross_entropy
    given = _layer(bench, 5000, 1024, 50257)
    expected = losses(*given)

    def same(name: str, found: Any, wanted: Any = expected) -> None:
        torch.cuda.synchronize()
        bench.check(cases.Check(f"linear, same bits: {name}", torch.equal(found, wanted)))

    same("twice", losses(*given))
    for first, rows in ((0, 1), (1, 1), (2047, 2), (37, 1000), (4999, 1), (3, 4000)):
        part = slice(first, first + rows)
        found = losses(given.hidden[part], given.weight, given.targets[part])
        same(f"rows from {first}, {rows} of them", found, expected[part])
    order = torch.randperm(5000, device="cuda")
    same(
        "shuffled", losses(given.hidden[order], given.weight, given.targets[order])[order.argsort()]
    )
    room = torch.full((50257, 1031), float("nan"), device="cuda", dtype=torch.bfloat16)
    room[:, 3:1027] = given.weight
    same("weights at an odd place", losses(given.hidden, room[:, 3:1027], given.targets))
    more = losses(*given, return_rank=True)
    same("beside a rank", more.nll_nats)

    torch.cuda.synchronize()
    stream = torch.cuda.Stream()
    with torch.cuda.stream(stream):
        torch.cuda._sleep(50_000_000)  # hidden states are written late
        found = losses(given.hidden * 1, given.weight, given.targets)
    stream.synchronize()
    same("another stream", found)
    graph, held = torch.cuda.CUDAGraph(), torch.zeros_like(given.hidden)
    with torch.cuda.graph(graph):
        recorded = losses(held, given.weight, given.targets)
    held.copy_(given.hidden)
    graph.replay()
    same("a recorded graph", recorded)


# What is timed -------------------------------------------------------------------------------


def _time_layer(bench: Bench, shape: tuple[int, int, int]) -> None:
    torch = bench.torch
    rows, width, columns = shape
    # Each is far larger than the L2, so that one set of inputs is enough.
    needed = 2 * (rows * width + columns * width + 2 * rows * columns)
    if needed > 0.6 * torch.cuda.get_device_properties(0).total_memory:
        return bench.note(f"left out, too large for this device: {shape}")
    given = _layer(bench, *shape)
    _check_scratch(bench, shape, given)
    bench.note(f"{shape}: {_algorithm(bench, given)}")

    ours = timing.Contender("icfast", lambda _: bench.icfast.linear_cross_entropy(*given))
    logits = torch.empty(rows, columns, device="cuda", dtype=torch.bfloat16)
    bare = timing.Contender(
        "bare product", lambda _: torch.mm(given.hidden, given.weight.T, out=logits)
    )
    contenders = [ours, bare]
    for name, run in _others(bench, given):
        try:
            run(0)
            torch.cuda.synchronize()
        except Exception as error:  # a peer's own limits: its memory, its index types
            bench.note(f"{name} left out at {shape}: {error!r:.200}")
            torch.cuda.empty_cache()
            continue
        contenders.append(timing.Contender(name, run))
    timing.interleave(contenders, 1, bench.options.rounds, torch)
    measured = _rows(shape, contenders, bare)
    bench.times += measured
    share = measured[0]["of_product"]
    bench.check(
        cases.Check(f"linear {shape}: rate", share >= _LEAST_OF_PRODUCT, f"{share} of the product")
    )
    return None


def _rows(
    shape: tuple[int, int, int],
    contenders: list[timing.Contender],
    bare: timing.Contender | None,
) -> list[dict[str, Any]]:
    rows, width, columns = shape
    flop = 2.0 * rows * width * columns
    return [
        {"rows": rows, "V": columns, "dtype": "bfloat16", "D": width} | row
        for row in timing.product_rows(contenders, flop, rows, bare)
    ]


def _others(bench: Bench, given: Layer) -> Iterator[tuple[str, Callable[[int], Any]]]:
    """Our own other tiles, and peers."""
    torch = bench.torch
    on_device, inputs, options = (
        importlib.import_module(f"icfast.losses.{name}") for name in ("device", "inputs", "options")
    )
    losses = importlib.import_module("icfast.backends.losses")
    device, defaults = inputs.cuda_device(given.hidden), options.LossOptions()

    def with_tile(tile: Any) -> Callable[[int], Any]:
        return lambda _: on_device.device_linear_token_losses(*given, defaults, device, tile)

    for tile in bench.options.tiles:
        yield f"icfast {tile[0]}x{tile[1]}", with_tile(losses.Tile(*tile))

    def eager(_: int) -> Any:
        logits = given.hidden @ given.weight.T
        return torch.nn.functional.cross_entropy(logits, given.targets, reduction="none")

    yield "torch", eager
    try:
        liger = importlib.import_module("liger_kernel.ops.fused_linear_cross_entropy")
    except ImportError as error:
        bench.note(f"Liger left out: {error}")
        return
    function = liger.LigerFusedLinearCrossEntropyFunction
    yield "Liger", lambda _: function.apply(given.hidden, given.weight, given.targets)


def _check_scratch(bench: Bench, shape: Any, given: Layer) -> None:
    """What the call allocates beside its results, by the allocator's own count."""
    torch = bench.torch
    bench.icfast.linear_cross_entropy(*given)  # loads what is loaded once
    torch.cuda.synchronize()
    before = torch.cuda.memory_allocated()
    torch.cuda.reset_peak_memory_stats()
    found = bench.icfast.linear_cross_entropy(*given)
    torch.cuda.synchronize()
    used = torch.cuda.max_memory_allocated() - before - 9 * found.numel()
    detail = f"{used / 2**20:.0f} MiB"
    bench.note(f"{shape}: scratch {detail}")
    bench.check(cases.Check(f"linear {shape}: scratch", used <= _SCRATCH_BUDGET, detail))


def _algorithm(bench: Bench, given: Layer) -> str:
    losses, select = (
        importlib.import_module(f"icfast.backends.{name}") for name in ("losses", "select")
    )
    device_arrays, inputs = (
        importlib.import_module(f"icfast.losses.{name}") for name in ("device_arrays", "inputs")
    )
    here = device_arrays.DeviceArrays.like(given.hidden, inputs.cuda_device(given.hidden))
    operands = [
        here.matrix(*inputs.read_floats(array, "operands", here.queue))
        for array in (given.hidden, given.weight)
    ]
    softmax = losses.Softmax(len(given.weight), 0.0, 1.0, -100)
    none = losses.DeviceMatrix(0, losses.Format.FP32, 1, 0, 0)
    kernels = select.select_products().kernels
    return str(kernels.linear_algorithm(*operands, none, softmax, losses.LINEAR_TILE, here.queue))
