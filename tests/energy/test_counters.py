"""Counters of GPUs and CPUs: a fake driver, and folders like those of Linux."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from icfast.energy import JoulesSource, open_meter
from icfast.energy.nvml import nvml_counters
from icfast.energy.rapl import rapl_counters
from icfast.errors import MeterError, MissingExtraError, OptionError

# NVML ---------------------------------------------------------------------------------------------


class NvmlError(Exception):
    """Error as pynvml raises it."""


class Nvml:
    """Fake NVML with boards (uuid, model, millijoules per reading)."""

    NVMLError = NvmlError

    def __init__(self, *boards: tuple[str, str, int | None], driver: bool = True) -> None:
        self.boards, self.driver = boards, driver
        self.millijoules = {uuid: start for uuid, _, start in boards}

    def nvmlInit(self) -> None:  # noqa: N802
        if not self.driver:
            raise NvmlError("NVML Shared Library Not Found")

    def nvmlDeviceGetCount(self) -> int:  # noqa: N802
        return len(self.boards)

    def nvmlDeviceGetHandleByIndex(self, index: int) -> int:  # noqa: N802
        return index

    def nvmlDeviceGetUUID(self, handle: int) -> str:  # noqa: N802
        return self.boards[handle][0]

    def nvmlDeviceGetName(self, handle: int) -> str:  # noqa: N802
        return self.boards[handle][1]

    def nvmlDeviceGetTotalEnergyConsumption(self, handle: int) -> int:  # noqa: N802
        uuid, _, start = self.boards[handle]
        if start is None:
            raise NvmlError("Not Supported")
        self.millijoules[uuid] = (self.millijoules[uuid] or 0) + 1000 * (handle + 1)
        return self.millijoules[uuid] or 0


ALIKE = [(f"GPU-{n}{n}aa", "H100", 10**12) for n in range(3)]


def names(gpus: Sequence[str] | None, nvml: Nvml, **environment: str) -> list[str]:
    found = nvml_counters(gpus, library=nvml, environment=environment)
    return [counter.name.partition("(")[2].rstrip(")") for counter in found]


def test_all_gpus_or_those_cuda_shows() -> None:
    uuids = [uuid for uuid, *_ in ALIKE]
    assert names(None, Nvml(*ALIKE)) == uuids
    visible = {
        "2,0": [uuids[2], uuids[0]],
        "1": [uuids[1]],
        " 0 , 1 ": uuids[:2],
        "0,-1,1": uuids[:1],  # a list ends at its first entry that is no GPU
        "1,3,0": [uuids[1]],
        "GPU-22,1": [uuids[2], uuids[1]],
    }
    for listed, expected in visible.items():
        assert names(None, Nvml(*ALIKE), CUDA_VISIBLE_DEVICES=listed) == expected
    assert names(["GPU-11"], Nvml(*ALIKE), CUDA_VISIBLE_DEVICES="0") == [uuids[1]]


def test_counts_are_millijoules() -> None:
    (counter,) = nvml_counters(["GPU-22aa"], library=Nvml(*ALIKE), environment={})
    first, second = counter.read(), counter.read()
    assert (second - first) * counter.joules_per_count == pytest.approx(3.0)
    assert (counter.name, counter.wraps_at, counter.least_seconds) == ("H100 (GPU-22aa)", None, 5)


@pytest.mark.parametrize("listed", ["", "-1", "7", "none"])
def test_no_gpu_is_visible(listed: str) -> None:
    with pytest.raises(MeterError, match=f"none of this machine's 3 GPUs .*'{listed}'"):
        names(None, Nvml(*ALIKE), CUDA_VISIBLE_DEVICES=listed)


def test_numbers_mean_nothing_where_gpus_differ() -> None:
    """CUDA numbers GPUs from the fastest, NVML by PCI bus."""
    mixed = Nvml(("GPU-a", "T4", 1), ("GPU-b", "H100", 1))
    with pytest.raises(OptionError, match="CUDA_VISIBLE_DEVICES=0 numbers GPUs from the fastest"):
        names(None, mixed, CUDA_VISIBLE_DEVICES="0")
    order = {"CUDA_DEVICE_ORDER": "PCI_BUS_ID"}
    assert names(None, mixed, CUDA_VISIBLE_DEVICES="1", **order) == ["GPU-b"]
    assert names(None, mixed, CUDA_VISIBLE_DEVICES="GPU-a") == ["GPU-a"]
    assert names(None, mixed) == ["GPU-a", "GPU-b"]


@pytest.mark.parametrize(
    ("gpus", "nvml", "said"),
    [
        (None, Nvml(driver=False), "no NVIDIA driver"),
        (None, Nvml(), "none of this machine's 0 GPUs"),
        (["GPU-9"], Nvml(*ALIKE), r"0 GPUs match the UUID GPU-9, expected one of: H100 \(GPU-0"),
        (["GPU-"], Nvml(*ALIKE), "3 GPUs match the UUID"),
        (["MIG-1"], Nvml(*ALIKE), "MIG-1 is a MIG instance, but only whole GPUs"),
        (None, Nvml(("GPU-a", "M40", None)), r"M40 \(GPU-a\) has no energy counter \(Not Supp"),
    ],
)
def test_gpus_that_cannot_be_metered(gpus: Any, nvml: Nvml, said: str) -> None:
    with pytest.raises(MeterError, match=said):
        nvml_counters(gpus, library=nvml, environment={})


def test_without_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", None)
    with pytest.raises(MissingExtraError, match=r"icfast\[energy\]"):
        open_meter("nvml")


def test_the_package_itself() -> None:
    """Without a driver, the message of the real package is passed on."""
    pynvml = pytest.importorskip("pynvml", reason="no nvidia-ml-py: pip install 'icfast[energy]'")
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        with pytest.raises(MeterError, match="no NVIDIA driver"):
            open_meter("nvml")
    else:
        assert open_meter("nvml").source is JoulesSource.NVML


# RAPL ---------------------------------------------------------------------------------------------


def zone(root: Path, name: str, label: str, microjoules: object = 5, most: object = 1000) -> Path:
    folder = root / name
    folder.mkdir(parents=True)
    for file, content in (
        ("name", label),
        ("energy_uj", microjoules),
        ("max_energy_range_uj", most),
    ):
        (folder / file).write_text(f"{content}\n")
    return folder


def test_packages_and_memory_are_added_and_nothing_twice(tmp_path: Path) -> None:
    zone(tmp_path, "intel-rapl:0", "package-0", 5, 262143328850)
    zone(tmp_path, "intel-rapl:0:0", "core")
    zone(tmp_path, "intel-rapl:0:1", "dram", 7)
    zone(tmp_path, "intel-rapl:1", "package-1")
    zone(tmp_path, "intel-rapl:1:0", "uncore")
    zone(tmp_path, "intel-rapl:2", "psys")
    zone(tmp_path, "intel-rapl:2:0", "dram")  # of no package
    zone(tmp_path, "intel-rapl-mmio:0", "package-0")  # the same package by another register
    found = rapl_counters(tmp_path)
    assert [counter.name for counter in found] == ["package-0", "package-0 dram", "package-1"]
    first, dram, _ = found
    assert (first.read(), first.wraps_at, first.joules_per_count) == (5, 262143328850, 1e-6)
    (tmp_path / "intel-rapl:0:1" / "energy_uj").write_text("11\n")
    assert dram.read() == 11


def test_a_meter_of_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = zone(tmp_path, "intel-rapl:0", "package-0", 900)
    counters = rapl_counters(tmp_path)
    monkeypatch.setattr("icfast.energy.open.rapl_counters", lambda: counters)
    with open_meter("rapl") as running:
        (folder / "energy_uj").write_text("100\n")
    assert running.result is not None
    assert running.result.spent.joules == pytest.approx(200e-6)
    assert running.result.spent.source is JoulesSource.RAPL


def test_cpus_that_cannot_be_metered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(MeterError, match=f"no energy counter of a CPU in {tmp_path}"):
        rapl_counters(tmp_path)
    folder = zone(tmp_path, "intel-rapl:0", "package-0", "none")
    with pytest.raises(MeterError, match="energy_uj holds 'none', expected a whole number"):
        rapl_counters(tmp_path)
    (folder / "energy_uj").unlink()
    with pytest.raises(MeterError, match=r"cannot read .*energy_uj: No such file"):
        rapl_counters(tmp_path)

    def refused(path: Path) -> str:
        if path.name == "energy_uj":
            raise PermissionError(13, "Permission denied")
        return "package-0"

    monkeypatch.setattr(Path, "read_text", refused)
    with pytest.raises(MeterError, match=r"root only.*sudo chmod a\+r .*intel-rapl:\*/energy_uj"):
        rapl_counters(tmp_path)


def test_meters_by_name() -> None:
    with pytest.raises(OptionError, match="energy must be one of nvml, rapl, found 'megatron-log'"):
        open_meter("megatron-log")
    with pytest.raises(OptionError, match="rapl meters the CPU, but GPUs are given"):
        open_meter("rapl", ["GPU-0"])
