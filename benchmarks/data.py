"""What the benchmarks run on: real token corpora where they are, generated tokens elsewhere."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

_SHARED = Path(os.environ.get("ICFAST_SHARED", Path(__file__).parents[2] / "shared"))
_END = 50256
_VOCAB_SIZE = 50257


@dataclass(frozen=True)
class Tokens:
    """A raw u16 file, its name for the tables, and how it is opened."""

    name: str
    path: Path
    vocab_size: int = _VOCAB_SIZE
    eos_id: int = _END

    @property
    def ids(self) -> NDArray[np.uint16]:
        return np.fromfile(self.path, "<u2")

    @property
    def options(self) -> dict[str, object]:
        return {"dtype": "u2", "vocab_size": self.vocab_size, "eos_id": self.eos_id}


def linux() -> Path | None:
    """The Linux corpus, 48,001,055 tokens, or None where it is absent."""
    unpack = _SHARED / "corpora" / "unpack"
    if not unpack.exists():
        return None
    folder = subprocess.run([unpack], check=True, capture_output=True, text=True).stdout.strip()
    return Path(folder) / "linux-gpt2.u16.bin"


def generated(path: Path, tokens: int = 20_000_000) -> Tokens:
    """Zipf-distributed ids with a first-order dependence, so that longer n-grams repeat."""
    rng = np.random.default_rng(1)
    fresh = np.minimum(rng.zipf(1.2, tokens), 40_000).astype(np.int64)
    follows = rng.random(tokens) < 0.6
    ids = np.where(follows, np.roll(fresh, 1) * 7919 % 40_000, fresh).astype("<u2")
    ids[999::1000] = _END
    ids.tofile(path)
    return Tokens(f"generated, {tokens / 1e6:.0f} M tokens", path)
