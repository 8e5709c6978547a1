"""Which backend runs. The only place that knows their names and their order."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import cast

from icfast.errors import BackendError, OptionError
from icfast.kernels.contract import Kernels

#: Fastest first; "auto" takes the first that is installed.
ORDER = ("cuda", "core", "numba")

_MODULES = {
    "cuda": "icfast.kernels._cuda",
    "core": "icfast.kernels._core",
    "numba": "icfast.kernels.fallback",
}
_HINTS = {
    "cuda": "this build has no CUDA part",
    "core": "the package was built without its compiled core; reinstall without ICFAST_PURE",
    "numba": "pip install 'icfast[numba]'",
}


@dataclass(frozen=True)
class Backend:
    """A backend that is ready to run, and the name that goes into every measurement."""

    name: str
    kernels: Kernels


@cache
def _load(name: str) -> Backend | ImportError:
    try:
        module = import_module(_MODULES[name])
    except ImportError as reason:
        return reason
    if error := getattr(module, "isa_error", ""):
        raise OptionError(error)  # not a reason to fall back to another backend
    return Backend(name, cast(Kernels, module))


def installed() -> tuple[str, ...]:
    """Names of the backends that import here, fastest first."""
    return tuple(name for name in ORDER if isinstance(_load(name), Backend))


def select(backend: str = "auto") -> Backend:
    """Load a backend by name, or the first installed one for ``"auto"``; its name says which.

    Args:
        backend: auto, core, numba or cuda.

    Raises:
        OptionError: no such name; or ICFAST_ISA names instructions this machine does not have.
        BackendError: it can't be imported; the message carries the import's own reason.
    """
    if backend == "auto":
        return _first_installed()
    if backend not in ORDER:
        raise OptionError(f"backend {backend!r} is none of auto, {', '.join(ORDER)}")
    loaded = _load(backend)
    if isinstance(loaded, ImportError):
        raise BackendError(f"backend {backend} is not here: {loaded}; {_HINTS[backend]}")
    return loaded


def _first_installed() -> Backend:
    # One at a time: importing numba takes a second that the core does not need.
    for name in ORDER:
        if isinstance(loaded := _load(name), Backend):
            return loaded
    reasons = "; ".join(f"{name}: {_load(name)}" for name in ORDER)
    raise BackendError(f"no backend is installed ({reasons}); {_HINTS['numba']}")
