"""Build the CUDA part, check it against fp64 and time it next to peers.

    python benchmarks/gpu/run.py --out FOLDER            # all of it, on a machine with a device
    python benchmarks/gpu/run.py --sections accuracy     # some of it
    python benchmarks/gpu/run.py --dry-run               # without a device: nothing is measured

It prints tables and writes JSON. The exit code is 1 if a check failed. It needs torch for arrays
and events.
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
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
if __name__ == "__main__":  # the modules that it builds, from any folder
    sys.path[:0] = [str(ROOT / "src"), str(ROOT / "benchmarks")]

from gpu import timing  # noqa: E402
from gpu.bench import Bench  # noqa: E402
from gpu.checks import accuracy, behaviour, sums  # noqa: E402
from gpu.linear import linear  # noqa: E402
from gpu.logits import logits  # noqa: E402
from gpu.score import score  # noqa: E402

SECTIONS = {
    "accuracy": accuracy,
    "behaviour": behaviour,
    "sums": sums,
    "logits": logits,
    "linear": linear,
    "score": score,
}
VOCABULARIES = (32000, 50257, 128256, 151936, 256000)
ROWS = (4096, 16384, 65536)

#: Rows, width and columns of output layers; and tiles of logits beside the one that is used.
LAYERS = tuple((rows, 4096, columns) for rows in (8192, 16384) for columns in (128256, 131072))
TILES = ((2048, 2112), (1024, 4224), (4096, 4224))


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
        shutil.copy(module, ROOT / "src" / "icfast" / "backends")


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
    for name in options.sections:
        begin = time.monotonic()
        SECTIONS[name](bench)
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
