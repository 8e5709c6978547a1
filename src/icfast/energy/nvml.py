"""Energy counters of NVIDIA GPUs: millijoules since the driver was loaded, from NVML.

https://docs.nvidia.com/deploy/nvml-api: nvmlDeviceGetTotalEnergyConsumption, for Volta and later. A
counter measures the whole board, for all of its users.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any

from icfast.energy.meter import Counter
from icfast.errors import MeterError, OptionError, needs_extra

_JOULES_PER_COUNT = 1e-3
#: Counters are refreshed about ten times a second, so 5 s are accurate to a few percent.
_LEAST_SECONDS = 5.0


def nvml_counters(
    gpus: Sequence[str] | None = None,
    *,
    library: Any = None,
    environment: Mapping[str, str] = os.environ,
) -> list[Counter]:
    """Return the counters of some GPUs.

    Args:
        gpus: UUIDs such as "GPU-8932f937-...", or unique prefixes of them; None selects the GPUs
            that CUDA_VISIBLE_DEVICES allows.
        library: NVML with the interface of the module pynvml; None imports pynvml.
        environment: environment variables.

    Raises:
        MissingExtraError: pynvml (nvidia-ml-py) is not installed.
        MeterError: there is no driver, no such GPU, or a GPU without a counter.
        OptionError: CUDA_VISIBLE_DEVICES numbers GPUs in an order that NVML does not know.
    """
    nvml = _pynvml() if library is None else library
    try:
        nvml.nvmlInit()  # never shut down, because other code in this process may use it
    except nvml.NVMLError as error:
        raise MeterError(
            f"NVML is not available ({error}): there is no NVIDIA driver, or it is not loaded"
        ) from error
    boards = _boards(nvml)
    chosen = _visible(boards, environment) if gpus is None else [_by_uuid(boards, u) for u in gpus]
    if not chosen:
        raise MeterError(
            f"none of this machine's {len(boards)} GPUs is visible to this process "
            f"(CUDA_VISIBLE_DEVICES={environment.get('CUDA_VISIBLE_DEVICES')!r})"
        )
    return [_counter(nvml, board) for board in chosen]


def _pynvml() -> Any:
    with needs_extra("energy", "metering a GPU (nvidia-ml-py)"):
        return import_module("pynvml")


class _Board:
    """GPU by its index in NVML's order, which is that of the PCI bus."""

    def __init__(self, nvml: Any, index: int) -> None:
        try:
            self.handle = nvml.nvmlDeviceGetHandleByIndex(index)
            self.uuid = str(nvml.nvmlDeviceGetUUID(self.handle))
            self.model = str(nvml.nvmlDeviceGetName(self.handle))
        except nvml.NVMLError as error:
            raise MeterError(f"NVML cannot identify GPU {index}: {error}") from error

    def __str__(self) -> str:
        return f"{self.model} ({self.uuid})"


def _boards(nvml: Any) -> list[_Board]:
    try:
        count = int(nvml.nvmlDeviceGetCount())
    except nvml.NVMLError as error:
        raise MeterError(f"NVML cannot count the GPUs: {error}") from error
    return [_Board(nvml, index) for index in range(count)]


def _visible(boards: list[_Board], environment: Mapping[str, str]) -> list[_Board]:
    """Return the GPUs of CUDA_VISIBLE_DEVICES; as in CUDA, the list ends at an invalid entry."""
    listed = environment.get("CUDA_VISIBLE_DEVICES")
    if listed is None:
        return boards
    by_bus = environment.get("CUDA_DEVICE_ORDER") == "PCI_BUS_ID"
    chosen: list[_Board] = []
    for entry in (text.strip() for text in listed.split(",")):
        if entry.startswith(("GPU-", "MIG-")):
            chosen.append(_by_uuid(boards, entry))
            continue
        if not entry.isdecimal() or int(entry) >= len(boards):
            break
        if not by_bus and len({board.model for board in boards}) > 1:
            raise OptionError(
                f"CUDA_VISIBLE_DEVICES={listed} numbers GPUs from the fastest, NVML by PCI bus, "
                "and the GPUs here differ. Use UUIDs (nvidia-smi -L), or set "
                "CUDA_DEVICE_ORDER=PCI_BUS_ID"
            )
        chosen.append(boards[int(entry)])
    return chosen


def _by_uuid(boards: list[_Board], uuid: str) -> _Board:
    if uuid.startswith("MIG-"):
        raise MeterError(
            f"{uuid} is a MIG instance, but only whole GPUs have energy counters; name the UUID of "
            "the GPU if nothing else runs on it"
        )
    found = [board for board in boards if board.uuid.startswith(uuid)]
    if len(found) != 1:
        listed = ", ".join(map(str, boards)) or "none"
        raise MeterError(f"{len(found)} GPUs match the UUID {uuid}, expected one of: {listed}")
    return found[0]


def _counter(nvml: Any, board: _Board) -> Counter:
    def read() -> int:
        try:
            return int(nvml.nvmlDeviceGetTotalEnergyConsumption(board.handle))
        except nvml.NVMLError as error:
            raise MeterError(
                f"{board} has no energy counter ({error}), like all GPUs before Volta and some "
                "virtual GPUs"
            ) from error

    read()  # fail before the work if the counter cannot be read
    return Counter(str(board), read, _JOULES_PER_COUNT, least_seconds=_LEAST_SECONDS)
