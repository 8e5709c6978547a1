"""What the benchmarks run on: real token corpora where they are, generated tokens elsewhere."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import icfast
from icfast.corpus import Corpus

_SHARED = Path(os.environ.get("ICFAST_SHARED", Path(__file__).parents[2] / "shared"))
_END = 50256
_VOCAB_SIZE = 50257

#: Values of --data.
NAMES = ("auto", "linux", "english", "both", "generated")


@dataclass(frozen=True)
class Tokens:
    """A raw file of ids with an end id behind each document, and its name for the tables."""

    name: str
    path: Path
    dtype: str = "u2"
    vocab_size: int = _VOCAB_SIZE
    eos_id: int = _END

    @property
    def ids(self) -> NDArray[np.unsignedinteger[Any]]:
        return np.memmap(self.path, f"<{self.dtype}", "r")

    @property
    def title(self) -> str:
        return f"{self.name}, {len(self.ids) / 1e6:.1f} M tokens"

    @property
    def input_bytes(self) -> int:
        """Bytes of all ids."""
        return self.path.stat().st_size

    def corpus(self, **options: Any) -> Corpus:
        return icfast.open(
            self.path,
            dtype=self.dtype,
            vocab_size=self.vocab_size,
            eos_id=self.eos_id,
            **options,
        )

    def cut(self, parts: int, folder: Path) -> list[Tokens]:
        """The documents, in about equal parts one after the other."""
        ends = np.flatnonzero(self.ids == self.eos_id) + 1
        wanted = len(self.ids) * np.arange(1, parts) // parts
        return self._split([int(ends[np.searchsorted(ends, one)]) for one in wanted], folder)

    def split(self, first: int, folder: Path) -> list[Tokens]:
        """The documents within the first so many tokens, and the others."""
        ends = np.flatnonzero(self.ids[:first] == self.eos_id) + 1
        return self._split([int(ends[-1])], folder)

    def _split(self, edges: list[int], folder: Path) -> list[Tokens]:
        whole = [0, *edges, len(self.ids)]
        found = []
        for number, (low, high) in enumerate(pairwise(whole)):
            path = folder / f"{self.path.stem}.{number}of{len(whole) - 1}.bin"
            self.ids[low:high].tofile(path)
            found.append(replace(self, path=path))
        return found

    def write_words(self, path: Path) -> Path:
        """Ids as words, a document a line, end ids left out: what KenLM reads."""
        words = [f" {number}".encode() for number in range(self.vocab_size)]
        words[self.eos_id] = b"\n"
        with path.open("wb") as file:
            for first in range(0, len(self.ids), 1 << 20):
                ids = self.ids[first : first + (1 << 20)].tolist()
                file.write(b"".join(map(words.__getitem__, ids)))
            if self.ids[-1] != self.eos_id:
                file.write(b"\n")  # the last document was cut
        return path


def load(name: str, folder: Path, tokens: int) -> Tokens:
    """The data of that name; files that must be written, or generated, go to a folder."""
    unpacked = _unpacked()
    if name == "auto":
        name = "generated" if unpacked is None else "linux"
    if name == "generated":
        return generated(folder / "generated.bin", tokens)
    if unpacked is None:
        raise FileNotFoundError(f"no corpora in {_SHARED}; ICFAST_SHARED names their folder")
    if name == "linux":
        return Tokens("Linux source", unpacked / "linux-gpt2.u16.bin")
    english = _with_ends(unpacked / "english-gpt2.ds")
    if name == "english":
        path = folder / "english.bin"
        english.tofile(path)
        return Tokens("English text", path)
    path = folder / "both.bin"
    linux = np.fromfile(unpacked / "linux-gpt2.u16.bin", "<u2")
    np.concatenate([linux, english]).tofile(path)
    return Tokens("Linux source and English text", path)


def _unpacked() -> Path | None:
    unpack = _SHARED / "corpora" / "unpack"
    if not unpack.exists():
        return None
    run = subprocess.run([unpack], check=True, capture_output=True, text=True)
    return Path(run.stdout.strip())


def _with_ends(path: Path) -> NDArray[np.uint16]:
    """A file whose index holds the documents' ends, with an end id behind each."""
    ends = np.fromfile(f"{path}.index", "<u8").astype(np.int64)
    return np.insert(np.fromfile(path, "<u2"), ends, _END)


def generated(path: Path, tokens: int) -> Tokens:
    """Documents of 1024 tokens, each a Markov chain over 32,000 ids with Zipf's frequencies.

    A token is fresh with probability 0.15: a rank r with probability ~ 1/r. Else it is one of the
    successors of the token before, which are ranked in the same way among eight.
    """
    vocab_size, length, lanes = 32_000, 1024, 4096
    end = vocab_size - 1
    with path.open("wb") as file:
        for chunk in range(-(-tokens // (length * lanes))):
            # Chunks have their own seeds, so a shorter file is the beginning of a longer one.
            rng = np.random.default_rng([1, chunk])
            fresh = _zipf_ranks(rng, (length, lanes), vocab_size - 1)
            successor = _zipf_ranks(rng, (length, lanes), 8)
            follows = rng.random((length, lanes), np.float32) < 0.85
            for t in range(1, length):
                after = (fresh[t - 1] * 7919 + successor[t] * 104_729) % (vocab_size - 1)
                # Squared, so that successors too are mostly frequent ids.
                after = after * after // (vocab_size - 1)
                fresh[t] = np.where(follows[t], after, fresh[t])
            fresh[-1] = end
            rest = tokens - chunk * length * lanes
            fresh.T.ravel()[:rest].astype("<u2").tofile(file)
    return Tokens("generated", path, vocab_size=vocab_size, eos_id=end)


def _zipf_ranks(rng: np.random.Generator, shape: tuple[int, int], ranks: int) -> NDArray[np.int64]:
    """Ranks from 0, rank r with probability about 1 / ((r + 1) ln ranks)."""
    return np.exp(rng.random(shape, np.float32) * np.log(ranks + 1)).astype(np.int64) - 1


def widened(tokens: Tokens, path: Path, used: int = 100_000) -> Tokens:
    """The same documents as u32 with at least so many ids in use.

    An id becomes id + vocabulary * (document number mod k), with the least k from 3 on that does;
    end ids stay.
    """
    ids = tokens.ids.astype(np.uint32)
    is_end = ids == tokens.eos_id
    document = np.cumsum(is_end) - is_end
    for kinds in range(3, 65):
        wide = ids + np.uint32(tokens.vocab_size) * (document % kinds).astype(np.uint32)
        wide[is_end] = tokens.eos_id
        found = len(np.flatnonzero(np.bincount(wide)))
        if found >= used:
            wide.astype("<u4").tofile(path)
            name = f"{tokens.name}, as u32 with {found} ids in use"
            return Tokens(name, path, "u4", tokens.vocab_size * kinds, tokens.eos_id)
    raise ValueError(f"{tokens.name} has too few ids for {used} in use")
