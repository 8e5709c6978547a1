"""The packages only neural models need, asked for with a sentence that says how to get them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from icfast.errors import MissingExtraError


@contextmanager
def neural_extra() -> Iterator[None]:
    """Turn a failed import of torch and its kin into the name of the extra that holds it.

    Raises:
        MissingExtraError: a package imported inside the block is not installed.
    """
    try:
        yield
    except ImportError as missing:
        raise MissingExtraError(
            f"a neural model needs {missing.name or missing}, which is not installed; "
            "install it with: pip install 'icfast[neural]'"
        ) from missing
