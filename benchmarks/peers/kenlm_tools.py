"""KenLM's programs: lmplz, build_binary, query.

They are looked for in the folder named by ICFAST_KENLM_BIN, else on PATH.
"""

from __future__ import annotations

import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from memory import run_process

NAME = "KenLM"
FOLDER = "ICFAST_KENLM_BIN"
_PROGRAMS = ("lmplz", "build_binary", "query")
_SUMMARY = re.compile(
    rb"Perplexity including OOVs:\s+(?P<perplexity>\S+).*?"
    rb"OOVs:\s+(?P<oov>\d+)\s+Tokens:\s+(?P<tokens>\d+)\s*$",
    re.DOTALL,
)

#: Name of a binary form -> what build_binary is told.
FORMS = {
    "probing": ("probing",),
    "trie": ("trie",),
    "trie -q 8 -b 8": ("-q", "8", "-b", "8", "trie"),
    "trie -a 22 -q 8 -b 8": ("-a", "22", "-q", "8", "-b", "8", "trie"),
}


def available() -> str | None:
    absent = [name for name in _PROGRAMS if _find(name) is None]
    if not absent:
        return None
    where = f"{FOLDER}={os.environ[FOLDER]}" if FOLDER in os.environ else "PATH"
    return f"no {', '.join(absent)} in {where}; {FOLDER} names the folder of KenLM's programs"


def _find(name: str) -> str | None:
    return shutil.which(name, path=os.environ.get(FOLDER))


def _program(name: str) -> str:
    found = _find(name)
    if found is None:
        raise FileNotFoundError(available())
    return found


def estimate(words: Path, arpa: Path, order: int) -> None:
    """lmplz: text, one document a line, to an ARPA file."""
    memory = ["-S", "40%", "-T", f"{arpa.parent}/"]
    files = ["--text", words, "--arpa", arpa]
    run_process([_program("lmplz"), "-o", str(order), "--discount_fallback", *memory, *files])


def build(arpa: Path, binary: Path, form: str = "probing") -> None:
    """build_binary: ARPA file to a binary form."""
    memory = ["-S", "40%", "-T", f"{arpa.parent}/"]
    run_process([_program("build_binary"), *memory, *FORMS[form], arpa, binary])


def ngram_counts(arpa: Path) -> list[int]:
    """The counts at the head of an ARPA file, order 1 first."""
    counts = []
    with arpa.open() as lines:
        for line in lines:
            if line.startswith("ngram "):
                counts.append(int(line.partition("=")[2]))
            elif line.startswith("\\1-grams:"):
                break
    return counts


@dataclass(frozen=True)
class Summary:
    """What scoring found; </s> is among the tokens."""

    perplexity: float
    oov: int
    tokens: int


def score(words: Path, model: Path) -> Summary:
    """Query: text, one document a line, under a model; one thread, it has no more."""
    output = words.with_suffix(".scored")
    with words.open("rb") as text, output.open("wb") as said:
        run_process([_program("query"), "-v", "summary", model], stdin=text, stdout=said)
    found = _SUMMARY.search(output.read_bytes())
    if found is None:
        raise ValueError(f"{output} is not a summary of KenLM's query")
    return Summary(float(found["perplexity"]), int(found["oov"]), int(found["tokens"]))
