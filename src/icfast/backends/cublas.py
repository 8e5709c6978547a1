"""Folders of cuBLASLt that the dynamic loader does not search: Python wheels and CUDA toolkits."""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path

#: Library folders of NVIDIA's wheels, for CUDA 13 and for CUDA 12.
_IN_WHEELS = ("cu13/lib", "cublas/lib")


def folders() -> list[str]:
    """Return the existing folders to search, in order."""
    spec = find_spec("nvidia")
    wheels = list(spec.submodule_search_locations or ()) if spec is not None else []
    found = [Path(wheel) / part for part in _IN_WHEELS for wheel in wheels]
    toolkits = [os.environ.get("CUDA_HOME"), os.environ.get("CUDA_PATH"), "/usr/local/cuda"]
    found += [Path(toolkit) / "lib64" for toolkit in toolkits if toolkit]
    return [str(folder) for folder in dict.fromkeys(found) if folder.is_dir()]
