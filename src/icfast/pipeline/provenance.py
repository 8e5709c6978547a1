"""Provenance of a result: inputs, arguments and versions, enough to compute it again."""

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
from icfast.errors import LogError
from icfast.files import open_regular, shown_path, utf8_text
from icfast.parallel.threads import Work
from icfast.pipeline.records.base import SCHEMA_VERSION, Result
from icfast.pipeline.records.training import InputFile


def versions() -> dict[str, str]:
    """Return the versions of icfast, Python, numpy and scipy."""
    return {
        "icfast": icfast.__version__,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "scipy": importlib.metadata.version("scipy"),
    }


def manifest(documents: DocumentSet, arguments: dict[str, Any], work: Work) -> dict[str, Any]:
    """Return the inputs with their hashes, and options, arguments, versions, host and backend."""
    corpus = documents.corpus
    return {
        "schema_version": SCHEMA_VERSION,
        "created": _now(),
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
        "host": _host(),
        "command": [utf8_text(argument) for argument in sys.argv],
    }


def run_manifest(result: Result) -> dict[str, Any]:
    """Return the versions, host and command of a result that names its inputs itself."""
    return {
        "schema_version": SCHEMA_VERSION,
        "created": _now(),
        "result": type(result).__name__,
        "versions": versions(),
        "host": _host(),
        "command": sys.argv,
    }


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")


def _host() -> dict[str, str]:
    return {"system": platform.platform(), "machine": platform.machine()}


def input_file(path: Path) -> InputFile:
    """Return the path, size and hash of a file that was read."""
    with open_regular(path, LogError) as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    return InputFile(shown_path(path.resolve()), path.stat().st_size, digest)


def _input(shard: Shard) -> dict[str, Any]:
    return {
        "path": shown_path(shard.path.resolve()),
        "format": shard.format,
        "dtype": str(shard.tokens.dtype),
        "tokens": len(shard.tokens),
        "bytes": sum(file.size for file in shard.mapped_files),
        "sha256": shard.digest(),
    }
