"""Select the backend. Only this module knows the names of backends and their order."""

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

#: Fastest first. "auto" takes the first installed backend that reads the memory in question.
ORDER = ("cuda", "core", "numba")

#: Backends that read device memory. The others read host memory.
_ON_DEVICE = ("cuda",)

_MODULES = {
    "cuda": "icfast.backends._cuda",
    "core": "icfast.backends._core",
    "numba": "icfast.backends.fallback",
}
_HINTS = {
    "cuda": "this build has no CUDA part; build one with nvcc: ICFAST_CUDA=ON pip install .",
    "core": "the package was built without its compiled core; reinstall without ICFAST_PURE",
    "numba": "pip install 'icfast[numba]'",
}


@dataclass(frozen=True)
class Backend:
    """A loaded backend. Every measurement records its name."""

    name: str
    kernels: Kernels


@dataclass(frozen=True)
class DeviceBackend:
    """A loaded backend for arrays on a device."""

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


def mapped_bytes() -> type[_core.MappedBytes] | None:
    """Return the compiled core's class of mapped files, or None in a pure installation.

    It does not depend on the backend that counts.
    """
    try:
        from icfast.backends._core import MappedBytes
    except ImportError:
        return None
    return MappedBytes


def installed() -> tuple[str, ...]:
    """Return the names of the installed backends that read host memory, fastest first."""
    return tuple(
        name for name in ORDER if name not in _ON_DEVICE and isinstance(_load(name), Backend)
    )


def select(backend: str = "auto") -> Backend:
    """Load a backend by name, or the fastest installed one for ``"auto"``.

    Args:
        backend: auto, core, numba or cuda.

    Raises:
        OptionError: the name is unknown, or ICFAST_ISA names an instruction set that this machine
            lacks.
        BackendError: the backend can't be imported. The message has the reason.
    """
    if backend == "auto":
        return _first_installed()
    _check_name(backend)
    if backend in _ON_DEVICE:
        select_device(backend)
        raise BackendError(
            f"backend {backend} computes losses of arrays on a CUDA device, but these arrays are "
            "in host memory. Choose backend auto, or move the arrays to the device."
        )
    loaded = _load(backend)
    if isinstance(loaded, ImportError):
        raise BackendError(f"backend {backend} is not available: {loaded}; {_HINTS[backend]}")
    return loaded


def select_device(backend: str = "auto") -> DeviceBackend:
    """Load the backend for arrays on a CUDA device, by name or ``"auto"``.

    Raises:
        OptionError: the name is unknown.
        BackendError: the backend reads host memory only, was not built, or finds no device.
    """
    name = _ON_DEVICE[0] if backend == "auto" else backend
    _check_name(name)
    if name not in _ON_DEVICE:
        raise BackendError(
            f"backend {name} reads host memory, but these arrays are on a CUDA device. Move them "
            f"to the host, for example with .cpu(), or choose backend {_ON_DEVICE[0]}."
        )
    loaded = _load_device(name)
    if isinstance(loaded, ImportError):
        raise BackendError(f"backend {name} is not available: {loaded}")
    return loaded


def select_products(backend: str = "auto") -> DeviceBackend:
    """Load the backend for arrays on a CUDA device, and cuBLASLt for matrix products.

    Raises:
        OptionError, BackendError: as in :func:`select_device`.
        MissingExtraError: cuBLASLt was not found. The message lists the places that were tried.
    """
    found = select_device(backend)
    _load_products(found.name)
    return found


@cache
def _load_products(name: str) -> None:
    if tried := select_device(name).kernels.load_products(cublas.folders()):
        raise MissingExtraError(
            f"matrix products on a CUDA device need cuBLASLt, which backend {name} did not find; "
            "Install 'icfast[cuda13]' or 'icfast[cuda12]', import torch with CUDA first, or set "
            "CUDA_HOME to a toolkit that has it. "
            f"Tried:{tried}"
        )


def device_has_linear() -> bool:
    """Return whether cuBLASLt is available, which losses of hidden states on a device need."""
    try:
        select_products()
    except MissingExtraError:
        return False
    return True


def _check_name(backend: str) -> None:
    if backend not in ORDER:
        raise OptionError(f"backend {backend!r} is none of auto, {', '.join(ORDER)}")


def _first_installed() -> Backend:
    # Load one at a time: importing numba takes a second, which is wasted if the core is installed.
    names = [name for name in ORDER if name not in _ON_DEVICE]
    for name in names:
        if isinstance(loaded := _load(name), Backend):
            return loaded
    reasons = "; ".join(f"{name}: {_load(name)}" for name in names)
    raise BackendError(f"no backend is installed ({reasons}); {_HINTS['numba']}")
