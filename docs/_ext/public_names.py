"""List the public names of a module, so that the reference never misses one.

The line ``<!-- public names of MODULE -->`` of a page becomes the documentation of every name of
``MODULE.__all__``, from its docstring.
"""

from __future__ import annotations

import inspect
import re
from importlib import import_module
from types import ModuleType
from typing import Any

import icfast

PLACE = re.compile(r"<!-- public names of ([\w.]+) -->")


def directive(module: str, name: str, value: Any) -> str:
    """Return the autodoc directive of one public name."""
    if inspect.isclass(value):
        return f".. autoclass:: {module}.{name}\n   :members:\n"
    if callable(value):
        return f".. autofunction:: {module}.{name}\n"
    shown = f"\n   :value: {value}" if isinstance(value, int | float | str) else ""
    return f".. py:data:: {module}.{name}{shown}\n"


def listed(module: ModuleType) -> list[str]:
    """Return ``__all__``, or the classes that a module without it defines.

    A class that icfast itself shows is documented there and nowhere else.
    """
    public = getattr(module, "__all__", None) or [
        name
        for name, value in vars(module).items()
        if inspect.isclass(value) and value.__module__ == module.__name__ and name[0] != "_"
    ]
    shown = set() if module is icfast else set(icfast.__all__)
    return [name for name in public if name not in shown or not is_class(module, name)]


def is_class(module: ModuleType, name: str) -> bool:
    """Return whether a name of a module is a class."""
    return inspect.isclass(getattr(module, name))


def names(found: re.Match[str]) -> str:
    """Return the reference of one module, in MyST."""
    module = found[1]
    loaded = import_module(module)
    public = {name: getattr(loaded, name) for name in sorted(listed(loaded), key=str.lower)}
    entries = [
        directive(module, name, value)
        for name, value in public.items()
        if not isinstance(value, ModuleType) and not name.startswith("__")
    ]
    return "\n".join(["```{eval-rst}", *entries, "```"])


def insert(app: Any, docname: str, source: list[str]) -> None:
    """Put the names where a page asks for them."""
    source[0] = PLACE.sub(names, source[0])


def setup(app: Any) -> dict[str, bool]:
    """Register the extension with Sphinx."""
    app.connect("source-read", insert)
    return {"parallel_read_safe": True}
