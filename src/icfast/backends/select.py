"""Which backend runs. The only place that knows their names and their order."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, cast

from icfast.backends import cublas
from icfast.backends.contract import Kernels
from icfast.backends.losses import DeviceKernels
from icfast.errors import BackendError, MissingExtraError, OptionError

if TYPE_CHECKING:
    from icfast.backends import _core, _cuda

    # mypy compares the stubs of both extensions with the contract here.
    _compiled: tuple[Kernels, DeviceKernels] = (_core, _cuda)

#: Fastest first; "auto" takes the first that is installed and reads memory of that kind.
ORDER = ("cuda", "core", "numba")

#: Kernels that read memory of a device; the others read the host's.
_ON_DEVICE = ("cuda",)

_MODULES = {
    "cuda": "icfast.backends._cuda",
    "core": "icfast.backends._core",
    "numba": "icfast.backends.fallback",
}
_HINTS = {
    "cuda": "this build has no CUDA part; where nvcc is, ICFAST_CUDA=ON pip install . makes one",
    "core": "the package was built without its compiled core; reinstall without ICFAST_PURE",
    "numba": "pip install 'icfast[numba]'",
}


@dataclass(frozen=True)
class Backend:
    """A backend that is ready to run, and the name that goes into every measurement."""

    name: str
    kernels: Kernels


@dataclass(frozen=True)
class DeviceBackend:
    """The same for arrays on a device."""

    name: str
    kernels: DeviceKernels


@cache
def _load(name: str) -> Backend | ImportError:
    try:
        module = import_module(_MODULES[name])
    except ImportError as reason:
        return reason
    if error := getattr(module, "isa_error", ""):
        raise OptionError(error)  # not a reason to fall back to another backend
    return Backend(name, cast(Kernels, module))


@cache
def _load_device(name: str) -> DeviceBackend | ImportError:
    try:
        module = import_module(_MODULES[name])
    except ImportError as reason:
        return ImportError(f"{reason}; {_HINTS[name]}")
    if error := module.device_error():
        return ImportError(f"it was built for compute capabilities {module.architectures}: {error}")
    return DeviceBackend(name, cast(DeviceKernels, module))


def installed() -> tuple[str, ...]:
    """Names of the backends that import here and read the host's memory, fastest first."""
    return tuple(
        name for name in ORDER if name not in _ON_DEVICE and isinstance(_load(name), Backend)
    )


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
    _check_name(backend)
    if backend in _ON_DEVICE:
        select_device(backend)
        raise BackendError(
            f"backend {backend} computes losses of arrays that live on a device; what is given "
            "here is read from the host's memory: choose auto, or move the arrays there"
        )
    loaded = _load(backend)
    if isinstance(loaded, ImportError):
        raise BackendError(f"backend {backend} is not here: {loaded}; {_HINTS[backend]}")
    return loaded


def select_device(backend: str = "auto") -> DeviceBackend:
    """The backend for arrays on a CUDA device, by name or ``"auto"``.

    Raises:
        OptionError: no such name.
        BackendError: it reads the host's memory only, was not built, or finds no device here.
    """
    name = _ON_DEVICE[0] if backend == "auto" else backend
    _check_name(name)
    if name not in _ON_DEVICE:
        raise BackendError(
            f"backend {name} reads the host's memory; move the arrays there, such as with .cpu(), "
            f"or choose {_ON_DEVICE[0]}"
        )
    loaded = _load_device(name)
    if isinstance(loaded, ImportError):
        raise BackendError(f"backend {name} is not here: {loaded}")
    return loaded


def select_products(backend: str = "auto") -> DeviceBackend:
    """The same, with the library loaded that multiplies matrices there.

    Raises:
        OptionError, BackendError: as :func:`select_device`.
        MissingExtraError: there is no cuBLASLt; the message has every place that was tried.
    """
    found = select_device(backend)
    _load_products(found.name)
    return found


@cache
def _load_products(name: str) -> None:
    if tried := select_device(name).kernels.load_products(cublas.folders()):
        raise MissingExtraError(
            f"products of matrices on a device need cuBLASLt, and backend {name} finds none; "
            "Install 'icfast[cuda13]' or 'icfast[cuda12]', import torch with CUDA first, or set "
            "CUDA_HOME to a toolkit that has it. "
            f"Tried:{tried}"
        )


def device_has_linear() -> bool:
    """Whether there is what losses of hidden states on a device need beside its backend."""
    try:
        select_products()
    except MissingExtraError:
        return False
    return True


def _check_name(backend: str) -> None:
    if backend not in ORDER:
        raise OptionError(f"backend {backend!r} is none of auto, {', '.join(ORDER)}")


def _first_installed() -> Backend:
    # One at a time: importing numba takes a second that the core does not need.
    names = [name for name in ORDER if name not in _ON_DEVICE]
    for name in names:
        if isinstance(loaded := _load(name), Backend):
            return loaded
    reasons = "; ".join(f"{name}: {_load(name)}" for name in names)
    raise BackendError(f"no backend is installed ({reasons}); {_HINTS['numba']}")
