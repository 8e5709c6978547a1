"""Compare a wheel's files with the package's: python .ci/check_wheel.py WHEEL [--pure].

The wheel must hold every tracked file of src/icfast, the compiled core unless it is pure, the
metadata and the licence; and nothing else.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path, PurePosixPath
from zipfile import ZipFile

ROOT = Path(__file__).resolve().parents[1]
METADATA = {"METADATA", "WHEEL", "RECORD", "entry_points.txt", "licenses/LICENSE"}
EXTENSIONS = {"_core", "_cuda"}


def tracked() -> set[str]:
    """Return the paths of the package's tracked files, as a wheel names them."""
    listed = subprocess.run(
        ["git", "ls-files", "src/icfast"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return {line.removeprefix("src/") for line in listed.stdout.splitlines()}


def problems(wheel: Path, pure: bool) -> list[str]:
    """Return one line for each file that is missing or should not be there."""
    names = {n for n in ZipFile(wheel).namelist() if not n.endswith("/")}
    folder = "-".join(wheel.name.split("-")[:2]) + ".dist-info/"
    described = {n.removeprefix(folder) for n in names if n.startswith(folder)}
    files = {n for n in names if not n.startswith(folder)}
    compiled = {n for n in files if PurePosixPath(n).suffix in {".so", ".pyd"}}
    wanted = tracked()
    found = [f"missing: {n}" for n in sorted(wanted - files)]
    found += [f"should not be there: {n}" for n in sorted(files - wanted - compiled)]
    found += [f"metadata missing: {n}" for n in sorted(METADATA - described)]
    found += [f"metadata that is not known: {n}" for n in sorted(described - METADATA)]
    stems = {PurePosixPath(n).name.split(".")[0] for n in compiled}
    if pure and compiled:
        found.append(f"a pure wheel with compiled files: {sorted(compiled)}")
    if not pure and ("_core" not in stems or stems - EXTENSIONS):
        found.append(f"compiled files are {sorted(compiled)}; expected icfast/backends/_core")
    if pure and not wheel.name.endswith("-py3-none-any.whl"):
        found.append(f"a pure wheel's name must end with -py3-none-any.whl: {wheel.name}")
    return found


if __name__ == "__main__":
    wrong = problems(Path(sys.argv[1]), "--pure" in sys.argv[2:])
    print("\n".join(wrong) or f"{sys.argv[1]}: whole, and nothing else")
    sys.exit(bool(wrong))
