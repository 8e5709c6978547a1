"""The packages only a report needs, asked for with a sentence that says how to get them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from icfast.errors import MissingExtraError


@contextmanager
def report_extra() -> Iterator[None]:
    """Turn a failed import of a report package into the name of the extra that holds it.

    Raises:
        MissingExtraError: a package imported inside the block is not installed.
    """
    try:
        yield
    except ImportError as missing:
        raise MissingExtraError(
            f"an HTML report needs {missing.name or missing}, which is not installed; "
            "install it with: pip install 'icfast[report]'"
        ) from missing
