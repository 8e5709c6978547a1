"""State of one benchmark run: options, results, and arrays on the device."""

from __future__ import annotations

import argparse
import importlib
import time
from typing import Any

import numpy as np

from gpu import cases

#: Seconds count from here, so they include the build.
START = time.monotonic()


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
        return time.monotonic() - START < self.options.seconds

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
