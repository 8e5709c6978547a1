"""Break the code on purpose, one change at a time, and see whether the tests notice.

A mutation names a file, a text that occurs in it exactly once, what replaces that text, and tests
that must fail then. The tree is copied to a temporary folder first, so the checkout never changes.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PARTS = ("src", "csrc", "cmake", "tests", "examples", "docs", "CMakeLists.txt", "pyproject.toml")
COMPILED = ("csrc/", "CMakeLists.txt")
BACKENDS = Path("src", "icfast", "backends")
#: Prefix of tests without Python: the rest is a part of their names.
CPP = "csrc/tests::"
#: A mutation may make a test wait for ever.
LIMIT_SECONDS = 900
#: Exit code of the C++ tests on a machine without the instruction set.
SKIPPED = 77


@dataclass(frozen=True)
class Mutation:
    """One change that must not go unnoticed.

    Attributes:
        breaks: what is wrong after the change, in words.
        file: path below the root of the repository.
        old: text that occurs in the file exactly once.
        new: text in its place.
        tests: files or node ids below ``tests/``, or ``csrc/tests::PART`` for the C++ tests with
            PART in their names; they must fail after the change.
        backend: backend that the tests run on; by default every installed one.
        isa: instruction set that has the changed code; by default the best of the machine.
    """

    breaks: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]
    backend: str = ""
    isa: str = ""

    @property
    def needs_build(self) -> bool:
        """Whether compiled code must be built again."""
        return self.file.startswith(COMPILED)

    @property
    def cpp(self) -> str | None:
        """The part of the names of C++ tests, if these are the tests that must fail."""
        (first, *others) = self.tests
        assert not others or not any(test.startswith(CPP) for test in self.tests)
        return first.removeprefix(CPP) if first.startswith(CPP) else None

    def applied(self, text: str) -> str:
        """Return the text of the file after the change."""
        found = text.count(self.old)
        assert found == 1, (
            f"{self.file}: the text of the mutation {self.breaks!r} occurs {found} times, expected "
            f"once. If the code changed, change tests/mutations with it. The text is:\n{self.old}"
        )
        assert self.new != self.old
        return text.replace(self.old, self.new)


class Tree:
    """A copy of the repository whose code can be broken."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "tree"
        self.build = folder / "build"
        self.build_cpp = folder / "build-cpp"
        unwanted = shutil.ignore_patterns("__pycache__", "*.so")
        for part in PARTS:
            source = ROOT / part
            if source.is_dir():
                shutil.copytree(source, self.root / part, ignore=unwanted)
            else:
                shutil.copy2(source, self.root / part)
        self._copy_installed_core()
        self._checked: set[tuple[object, ...]] = set()

    def check(self, mutation: Mutation) -> None:
        """Assert that the tests pass without the change and fail with it.

        The code is whole again for the next mutation, so it is compiled after both.
        """
        path = self.root / mutation.file
        text = path.read_text(encoding="utf-8")
        broken = mutation.applied(text)
        self._assert_pass(mutation)
        try:
            path.write_text(broken, encoding="utf-8")
            self._compile(mutation)
            run = self._run(mutation)
            # Other statuses of pytest mean that the tests could not run. A C++ test may crash.
            noticed = run.returncode == 1 or (mutation.cpp is not None and run.returncode < 0)
            assert noticed, (
                f"unnoticed by {', '.join(mutation.tests)} (status {run.returncode}): "
                f"{mutation.breaks}\n{run.stdout[-3000:]}"
            )
        finally:
            path.write_text(text, encoding="utf-8")
            self._compile(mutation)

    def _assert_pass(self, mutation: Mutation) -> None:
        key = (mutation.tests, mutation.backend, mutation.isa)
        if key in self._checked:
            return
        self._compile(mutation)
        run = self._run(mutation)
        if run.returncode == SKIPPED or "ICFAST_ISA is" in run.stdout:
            pytest.skip(f"this machine does not support {mutation.isa}")
        assert run.returncode == 0, f"fails without a mutation:\n{run.stdout[-3000:]}"
        self._checked.add(key)

    def _run(self, mutation: Mutation) -> subprocess.CompletedProcess[str]:
        environment = os.environ | {
            "PYTHONPATH": f"{self.root / 'src'}{os.pathsep}{os.environ.get('PYTHONPATH', '')}",
            # numba looks at the time stamp of a function's own file only.
            "NUMBA_CACHE_DIR": str(self.build / "numba"),
            "PYTHONDONTWRITEBYTECODE": "1",
            "ICFAST_TEST_BACKENDS": mutation.backend,
            "ICFAST_ISA": mutation.isa,
        }
        shutil.rmtree(self.build / "numba", ignore_errors=True)
        return subprocess.run(
            self._command(mutation),
            cwd=self.root,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            timeout=LIMIT_SECONDS,
        )

    def _command(self, mutation: Mutation) -> list[str]:
        if mutation.cpp is not None:
            return [str(self.build_cpp / "csrc" / "tests" / "icfast_tests"), mutation.cpp]
        pytest_quick = [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-x",
            "--ci",
            "-p",
            "no:cacheprovider",
        ]
        return [*pytest_quick, *(f"tests/{name}" for name in mutation.tests)]

    def _copy_installed_core(self) -> None:
        import icfast.backends

        for folder in icfast.backends.__path__:
            for core in Path(folder).glob("_core*.so"):
                shutil.copy2(core, self.root / BACKENDS)

    def _compile(self, mutation: Mutation) -> None:
        """Build what the tests of a mutation load; only changed files are compiled again."""
        if not mutation.needs_build:
            return
        if mutation.cpp is not None:
            self._cmake(self.build_cpp, "icfast_tests", ICFAST_TESTS="ON")
            return
        self._cmake(self.build, "_core")
        for old in (self.root / BACKENDS).glob("_core*.so"):
            old.unlink()
        for core in self.build.glob("_core*.so"):
            shutil.copy2(core, self.root / BACKENDS)

    def _cmake(self, build: Path, target: str, **more: str) -> None:
        if not (build / "CMakeCache.txt").exists():
            import pybind11

            options = {
                "ICFAST_CUDA": "OFF",
                "CMAKE_BUILD_TYPE": "Release",
                "Python_EXECUTABLE": sys.executable,
                "pybind11_DIR": pybind11.get_cmake_dir(),
                **({"CMAKE_CXX_COMPILER_LAUNCHER": "ccache"} if shutil.which("ccache") else {}),
                **more,
            }
            given = [f"-D{name}={value}" for name, value in options.items()]
            self._must(["cmake", "-S", str(self.root), "-B", str(build), *given])
        self._must(["cmake", "--build", str(build), "--target", target, "--parallel", "2"])

    @staticmethod
    def _must(command: list[str]) -> None:
        run = subprocess.run(command, capture_output=True, encoding="utf-8")
        assert run.returncode == 0, f"{' '.join(command)}\n{run.stdout[-2000:]}{run.stderr[-2000:]}"
