"""Exact n-gram entropy, held-out cross-entropy and information capacity of token corpora.

The public names are listed in `__init__.pyi`. Each is imported when it is first used, so
`import icfast` takes little time and loads only numpy.
"""

from __future__ import annotations

import ast
from importlib import import_module
from pathlib import Path
from typing import Any

__version__ = "0.1.0"


def _public_names() -> dict[str, tuple[str, str]]:
    """Return the module and the name there of each public name, as the stub imports them."""
    stub = ast.parse(Path(__file__).with_suffix(".pyi").read_text(encoding="utf-8"))
    found, public = {}, []
    for node in stub.body:
        if isinstance(node, ast.ImportFrom):
            for alias in node.names:
                found[alias.name] = (node.module or __name__, alias.name)
                public += [alias.asname] if alias.asname else []
        elif isinstance(node, ast.Assign):  # open = open_corpus
            (target,) = node.targets
            found[ast.unparse(target)] = found[ast.unparse(node.value)]
            public.append(ast.unparse(target))
    return {name: found[name] for name in public}


_PUBLIC = _public_names()

__all__ = ["__version__", *_PUBLIC]


def __getattr__(name: str) -> Any:
    try:
        module, attribute = _PUBLIC[name]
    except KeyError:
        raise AttributeError(f"module 'icfast' has no attribute {name!r}") from None
    if module == __name__:
        value: Any = import_module(f"{module}.{attribute}")
    else:
        value = getattr(import_module(module), attribute)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
