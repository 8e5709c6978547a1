"""What was measured, with what, where: enough to do it again."""

from __future__ import annotations

import datetime
import hashlib
import importlib.metadata
import platform
import sys
from pathlib import Path
from typing import Any

import numpy as np

import icfast
from icfast.corpus import Shard
from icfast.corpus.documents import DocumentSet
from icfast.parallel.threads import Work


def versions() -> dict[str, str]:
    """Versions of what computes: icfast, Python, numpy, scipy."""
    return {
        "icfast": icfast.__version__,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "scipy": importlib.metadata.version("scipy"),
    }


def manifest(documents: DocumentSet, arguments: dict[str, Any], work: Work) -> dict[str, Any]:
    """Inputs with size and hash, conventions, arguments, versions, host and backend."""
    corpus = documents.corpus
    return {
        "schema_version": 1,
        "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "inputs": [_input(shard) for shard in corpus.shards],
        "corpus_options": {
            "vocab_size": corpus.given_vocab_size,
            "eos_id": corpus.eos_id,
            "boundary": corpus.boundary,
            "tokenizer": corpus.tokenizer,
            "tokenizer_sha256": corpus.tokenizer_sha256,
            "cross_documents": corpus.cross_documents,
            "skip_bad": corpus.skip_bad,
        },
        "arguments": arguments,
        "work": {
            "backend": work.backend.name,
            "threads": work.threads,
            "memory_bytes": work.memory_bytes,
        },
        "versions": versions(),
        "host": {"system": platform.platform(), "machine": platform.machine()},
        "command": sys.argv,
    }


def file_record(path: Path) -> dict[str, Any]:
    """One file that was read: its name, size and hash."""
    with path.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    return {"path": str(path.resolve()), "bytes": path.stat().st_size, "sha256": digest}


def _input(shard: Shard) -> dict[str, Any]:
    return {
        "path": str(shard.path.resolve()),
        "format": shard.format,
        "dtype": str(shard.tokens.dtype),
        "tokens": len(shard.tokens),
        "bytes": sum(path.stat().st_size for path in shard.files),
        "sha256": shard.digest(),
    }
