"""Losses and sums on a device, compared with fp64, with each other and with the CPU."""

from __future__ import annotations

import importlib

import numpy as np

from gpu import cases
from gpu.bench import Bench


def accuracy(bench: Bench) -> None:
    """Every dtype, number of columns and option against fp64."""
    dry = bench.options.dry_run
    columns_tried = [c for c in cases.COLUMNS if not dry or c <= 4097]
    for dtype in (d for d in cases.DTYPES if not dry or d != "bfloat16"):
        for columns in columns_tried:
            made = cases.make_rows(columns, seed=columns)
            kept, numbers = bench.stored(made, dtype)
            targets = np.random.default_rng(1).integers(0, columns, len(made))
            targets[::3] = numbers[::3].argmax(axis=1)
            for options in cases.OPTIONS if columns < 50000 or columns == 50257 else ({},):
                name = f"accuracy {dtype} V={columns} {options}"
                found = bench.losses(kept, bench.ids(targets), **options)
                bench.check(cases.compare(name, found, cases.define(numbers, targets, **options)))


def behaviour(bench: Bench) -> None:
    """Kinds, alignment, batches, streams, graphs, more than 2^31 elements."""
    if bench.torch is None:
        return bench.note("behaviour: needs a device")
    _kinds(bench)
    _same_bits(bench)
    _streams_and_graphs(bench)
    _beyond_2_31(bench)
    return None


def _kinds(bench: Bench) -> None:
    rows = np.random.default_rng(0).normal(size=(8, 5000))
    rows[0, 4999], rows[1, 0], rows[2] = np.nan, np.inf, -np.inf
    rows[3, 4999], rows[7] = -np.inf, -np.inf
    rows[7, 4999] = np.nan
    targets = np.array([0, 0, 0, 4999, 1, 5000, -1, 0])
    expected = [3, 3, 3, 2, 1, 4, 4, 3]
    for dtype in cases.DTYPES:
        kept, _ = bench.stored(rows, dtype)
        found = bench.losses(kept, bench.ids(targets), ignore_index=1)
        kinds = found.kinds.tolist()
        bench.check(cases.Check(f"kinds {dtype}", kinds == expected, str(kinds)))


def _same_bits(bench: Bench) -> None:
    """A row is the same wherever it lies: any alignment, stride and batch; and twice."""
    torch = bench.torch
    for dtype in ("bfloat16", "float32", "float16"):
        for columns in (1, 8, 1023, 50257):
            logits = torch.randn(9, columns, device="cuda").to(getattr(torch, dtype))
            targets = torch.randint(0, columns, (9,), device="cuda")
            expected = bench.icfast.cross_entropy(logits, targets)
            again = [bench.icfast.cross_entropy(logits, targets)]
            again.append(
                torch.stack([bench.icfast.cross_entropy(logits[i], targets[i]) for i in range(9)])
            )
            for offset in range(1, 9):
                room = torch.full((9, columns + 8), float("nan"), device="cuda", dtype=logits.dtype)
                view = room[:, offset : offset + columns]
                view.copy_(logits)
                again.append(bench.icfast.cross_entropy(view, targets))
            same = all(torch.equal(expected, found) for found in again)
            bench.check(cases.Check(f"same bits {dtype} V={columns}", same))


def _streams_and_graphs(bench: Bench) -> None:
    torch = bench.torch
    logits = torch.randn(512, 50257, device="cuda", dtype=torch.bfloat16)
    targets = torch.randint(0, 50257, (512,), device="cuda")
    expected = bench.icfast.cross_entropy(logits, targets)
    torch.cuda.synchronize()
    stream = torch.cuda.Stream()
    with torch.cuda.stream(stream):
        torch.cuda._sleep(50_000_000)  # the logits are written late
        late = logits * 1
        found = bench.icfast.cross_entropy(late, targets)
    stream.synchronize()
    bench.check(cases.Check("another stream", torch.equal(expected, found)))
    graph = torch.cuda.CUDAGraph()
    held = torch.zeros_like(logits)
    with torch.cuda.graph(graph):
        recorded = bench.icfast.cross_entropy(held, targets)
    held.copy_(logits)
    graph.replay()
    torch.cuda.synchronize()
    bench.check(cases.Check("a recorded graph", torch.equal(expected, recorded)))


def _beyond_2_31(bench: Bench) -> None:
    torch, columns = bench.torch, 50257
    rows = 2**31 // columns + 100
    logits = torch.randn(rows, columns, device="cuda", dtype=torch.bfloat16)
    targets = torch.randint(0, columns, (rows,), device="cuda")
    found = bench.icfast.cross_entropy(logits, targets)
    some = torch.tensor([0, rows // 2, rows - 50, rows - 1], device="cuda")
    expected = cases.define(logits[some].double().cpu().numpy(), targets[some].cpu().numpy())
    share = cases.share_of_budget(found[some].cpu().numpy(), expected.nll_nats)
    bench.check(cases.Check("beyond 2^31 elements", share <= 1, f"{share:.3f} of the budget"))
    parts = torch.cat([bench.icfast.cross_entropy(logits[i::7], targets[i::7]) for i in range(7)])
    order = torch.cat([torch.arange(i, rows, 7, device="cuda") for i in range(7)])
    bench.check(cases.Check("beyond 2^31, in parts", torch.equal(found[order], parts)))


def sums(bench: Bench) -> None:
    """Sums of the same losses: the CPU's integers, and the same twice."""
    if bench.torch is None:
        return bench.note("sums: needs a device")
    torch = bench.torch
    losses, select = (
        importlib.import_module(f"icfast.backends.{name}") for name in ("losses", "select")
    )
    device, dlpack = (
        importlib.import_module(f"icfast.losses.{name}") for name in ("device_arrays", "dlpack")
    )
    rows, cells = 1_000_000, 257
    random = np.random.default_rng(3)
    nats = random.exponential(4, rows) - 1e-7
    nats[::1000] = 2.0**30.9
    kinds = (random.integers(0, 40, rows) == 0).astype(np.uint8)
    to = random.integers(-1, cells, rows)
    expected = losses.LossCells(*(np.zeros(s, np.uint64) for s in (cells, cells, (cells, 6))))
    select.select("core").kernels.add_losses(nats, kinds, to, expected)
    given = [torch.from_numpy(array).to("cuda") for array in (nats, kinds, to)]
    here = device.DeviceArrays.like(given[0], dlpack.Device("cuda", given[0].device.index))
    for order in (torch.arange(rows), torch.randperm(rows)):
        total = device.LossSums(select.select_device().kernels, here, cells)
        total.add(*(array[order.to("cuda")] for array in given))
        found = total.read()
        same = all(np.array_equal(a, b) for a, b in zip(found, expected, strict=True))
        bench.check(cases.Check("sums are the CPU's integers", same))
    return None
