"""Builds the CUDA part, checks it against fp64, times it beside peers; JSON and a table.

    python benchmarks/gpu/run.py --out FOLDER            # all of it, on a machine with a device
    python benchmarks/gpu/run.py --sections accuracy     # some of it
    python benchmarks/gpu/run.py --dry-run               # without a device: nothing is measured

Exit code 1 where a check failed. Needs torch for its arrays and events.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import platform
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

ROOT = Path(__file__).parents[2]
if __name__ == "__main__":  # the modules it builds, wherever it is called from
    sys.path[:0] = [str(ROOT / "src"), str(ROOT / "benchmarks")]

from gpu import cases, timing  # noqa: E402
from gpu.linear import linear  # noqa: E402
from gpu.score import score  # noqa: E402

SECTIONS = ("accuracy", "behaviour", "sums", "logits", "linear", "score")
VOCABULARIES = (32000, 50257, 128256, 151936, 256000)
ROWS = (4096, 16384, 65536)

#: Rows, width and columns of output layers; and tiles of logits beside the one that is used.
LAYERS = tuple((rows, 4096, columns) for rows in (8192, 16384) for columns in (128256, 131072))
TILES = ((2048, 2112), (1024, 4224), (4096, 4224))

_START = time.monotonic()  # the build counts

#: Of a device's memory, what one shape's inputs may take.
_SHARE_OF_MEMORY = 0.6


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sections", default=",".join(SECTIONS), help="some of them, by comma")
    parser.add_argument("--rounds", type=int, default=15, help="timed calls of each contender")
    parser.add_argument("--rows", default=",".join(map(str, ROWS)))
    parser.add_argument("--vocabularies", default=",".join(map(str, VOCABULARIES)))
    parser.add_argument("--layers", type=_shapes_of, default=LAYERS, help="8192x4096x128256,..")
    parser.add_argument("--tiles", type=_shapes_of, default=TILES, help="2048x2112,..")
    parser.add_argument("--score-tokens", type=int, default=1 << 20, help="of the scored corpus")
    parser.add_argument("--out", type=Path, default=Path(os.environ.get("OUT", "build/gpu")))
    parser.add_argument("--build", type=Path, default=ROOT / "build" / "gpu")
    parser.add_argument("--no-build", action="store_true", help="take the modules as they are")
    parser.add_argument("--seconds", type=float, default=420, help="no new shape after so many")
    parser.add_argument("--dry-run", action="store_true", help="without a device")
    options = parser.parse_args(arguments)
    options.sections = tuple(options.sections.split(","))
    if unknown := set(options.sections) - set(SECTIONS):
        parser.error(f"no sections {sorted(unknown)}; there are {', '.join(SECTIONS)}")
    options.rows = tuple(map(int, options.rows.split(",")))
    options.vocabularies = tuple(map(int, options.vocabularies.split(",")))
    return options


def _shapes_of(text: str) -> tuple[tuple[int, ...], ...]:
    return tuple(tuple(map(int, shape.split("x"))) for shape in text.split(",") if shape)


def build(folder: Path, capability: tuple[int, int]) -> None:
    """Both extensions, for this device alone, into the source tree."""
    pybind11 = importlib.import_module("pybind11")
    major, minor = capability
    configure = [
        *("cmake", "-S", ROOT, "-B", folder, "-G", "Ninja", "-DICFAST_CUDA=ON"),
        f"-DCMAKE_CUDA_ARCHITECTURES={major}{minor}",
        f"-DPython_EXECUTABLE={sys.executable}",
        f"-Dpybind11_DIR={pybind11.get_cmake_dir()}",
    ]
    for command in (configure, ["cmake", "--build", folder, "--target", "_core", "_cuda"]):
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            sys.exit(f"{done.stdout[-4000:]}\n{done.stderr[-4000:]}")
    for module in folder.glob("_c*.so"):
        shutil.copy(module, ROOT / "src" / "icfast" / "kernels")


class Bench:
    """What sections need: arrays where they are checked, and the clock."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.checks: list[cases.Check] = []
        self.times: list[dict[str, Any]] = []
        self.scores: list[dict[str, Any]] = []
        self.notes: list[str] = []
        self.copy_rate: float | None = None
        self.compiled: Any = None
        self.icfast = importlib.import_module("icfast")
        self.torch: Any = None if options.dry_run else importlib.import_module("torch")

    def note(self, text: str) -> None:
        """Say something at once, and keep it."""
        print(text, flush=True)
        self.notes.append(text)

    def check(self, check: cases.Check) -> None:
        """Keep a result, and say it where it is bad."""
        self.checks.append(check)
        if not check.passed:
            print(f"FAILED {check.name}: {check.detail}", flush=True)

    def has_time(self) -> bool:
        """Whether another shape may begin."""
        return time.monotonic() - _START < self.options.seconds

    def stored(self, values: Any, dtype: str) -> tuple[Any, Any]:
        """Rounded to a dtype where the kernels will read it, and the numbers it then holds."""
        if self.torch is None:
            kept = values.astype(dtype)
            return kept, kept.astype(np.float64)
        kept = self.torch.from_numpy(values).to("cuda").to(getattr(self.torch, dtype))
        return kept, kept.double().cpu().numpy()

    def ids(self, targets: Any) -> Any:
        """Targets beside the logits."""
        return targets if self.torch is None else self.torch.from_numpy(targets).to("cuda")

    def host(self, array: Any) -> Any:
        """As numpy has it."""
        return array if isinstance(array, np.ndarray) else array.cpu().numpy()

    def losses(self, logits: Any, targets: Any, **options: float) -> Any:
        """Everything the kernel can be asked for, on the host."""
        found = self.icfast.cross_entropy(
            logits,
            targets,
            return_logsumexp=True,
            return_entropy=True,
            return_rank=True,
            **options,
        )
        return type(found)._make(self.host(array) for array in found)


# What is checked -----------------------------------------------------------------------------


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


# What is timed -------------------------------------------------------------------------------


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


# All of it -----------------------------------------------------------------------------------


def machine(bench: Bench) -> dict[str, Any]:
    """What it ran on."""
    if bench.torch is None:
        return {"device": None, "host": platform.machine()}
    torch = bench.torch
    return {
        "device": torch.cuda.get_device_name(0),
        "capability": torch.cuda.get_device_capability(0),
        "torch": torch.__version__,
        "cuda": torch.version.cuda,
        "icfast": bench.icfast.__version__,
    }


def main(arguments: list[str] | None = None) -> int:
    """Run the sections; 1 where a check failed."""
    options = parse(arguments)
    if not (options.dry_run or options.no_build):
        torch = importlib.import_module("torch")
        build(options.build, torch.cuda.get_device_capability(0))
    bench = Bench(options)
    sections = {
        "accuracy": accuracy,
        "behaviour": behaviour,
        "sums": sums,
        "logits": logits,
        "linear": linear,
        "score": score,
    }
    for name in options.sections:
        begin = time.monotonic()
        sections[name](bench)
        bench.note(f"{name}: {time.monotonic() - begin:.0f} s")
    failed = [check for check in bench.checks if not check.passed]
    for kind in (False, True):  # products have rates of their own
        print(timing.table([row for row in bench.times if ("D" in row) is kind]))
    print(timing.table(bench.scores))
    print(f"{len(bench.checks) - len(failed)} checks passed, {len(failed)} failed")
    options.out.mkdir(parents=True, exist_ok=True)
    result = {
        "machine": machine(bench),
        "dry_run": options.dry_run,
        "copy_GB/s": bench.copy_rate,
        "checks": [vars(check) for check in bench.checks],
        "times": bench.times,
        "scores": bench.scores,
        "notes": bench.notes,
    }
    (options.out / "gpu.json").write_text(json.dumps(result, indent=1))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
