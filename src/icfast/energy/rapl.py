"""Energy counters of CPUs: RAPL, as Linux shows it in /sys/class/powercap.

https://docs.kernel.org/power/powercap/powercap.html. A zone `package-*` measures a socket's cores,
caches and integrated GPU. Its subzone `dram` measures memory, which is not part of the package.
`core` and `uncore` are parts of a package and `psys` contains packages, so none of them is added.
"""

from __future__ import annotations

from pathlib import Path

from icfast.energy.meter import Counter
from icfast.errors import MeterError

_ROOT = Path("/sys/class/powercap")
_JOULES_PER_COUNT = 1e-6
#: Counters are refreshed every millisecond.
_LEAST_SECONDS = 0.1


def rapl_counters(root: Path = _ROOT) -> list[Counter]:
    """Return the counters of all sockets, and of their memory if it has one.

    Raises:
        MeterError: there are none, or this user may not read them.
    """
    # intel-rapl:0 is a package and intel-rapl:0:1 its subzone; AMD CPUs use the same names.
    zones = [(zone, _text(zone / "name")) for zone in sorted(root.glob("intel-rapl:*"))]
    chosen = {zone.name: name for zone, name in zones if name.startswith("package-")}
    packages = dict(chosen)
    for zone, name in zones:
        package = packages.get(zone.name.rpartition(":")[0])
        if package is not None and name == "dram":
            chosen[zone.name] = f"{package} dram"
    if not chosen:
        raise MeterError(
            f"no energy counter of a CPU in {root}. RAPL needs Linux and an Intel or AMD CPU; "
            "virtual machines and containers rarely have it"
        )
    return [_counter(root / zone, name) for zone, name in sorted(chosen.items())]


def _counter(zone: Path, name: str) -> Counter:
    energy = zone / "energy_uj"

    def read() -> int:
        return _number(energy)

    read()  # fail before the work if the counter cannot be read
    most = _number(zone / "max_energy_range_uj")
    return Counter(name, read, _JOULES_PER_COUNT, most, _LEAST_SECONDS)


def _number(path: Path) -> int:
    text = _text(path)
    if not text.isdecimal():
        raise MeterError(f"{path} holds {text!r}, expected a whole number of microjoules")
    return int(text)


def _text(path: Path) -> str:
    try:
        return path.read_text().strip()
    except PermissionError as error:
        raise MeterError(
            f"{path} is readable by root only, as a protection against side channels. Run as root, "
            "or allow reading until the next boot: "
            f"sudo chmod a+r {path.parent.parent}/intel-rapl:*/energy_uj"
        ) from error
    except OSError as error:
        raise MeterError(f"cannot read {path}: {error.strerror}") from error
