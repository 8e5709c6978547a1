"""Options of how work runs: one record for the Python API and the command line.

The metadata of a field describes the option of the same name: `help` is its help text, `metavar`
its placeholder, `panel` the heading it appears under.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from icfast.parallel.progress import Progress, silent

if TYPE_CHECKING:
    from icfast.parallel.cost import Cost
    from icfast.parallel.threads import Work


_PANEL = "Work options"


@dataclass(frozen=True)
class WorkOptions:
    """Backend, threads and memory of a computation; its results do not depend on them.

    Attributes:
        backend: "auto", "core", "numba" or "cuda". "auto" selects the fastest one installed.
        threads: maximum number of threads; the default is one per available core.
        memory: maximum bytes that icfast allocates, such as "4GiB"; memory-mapped input is not
            counted. The default is half of the available memory.
        temporary: folder for files that hold what memory does not. By default icfast writes none.
    """

    backend: str = field(
        default="auto",
        metadata={
            "help": "Kernels to run. auto selects the fastest one installed.",
            "metavar": "auto|core|numba|cuda",
            "panel": _PANEL,
        },
    )
    threads: int | None = field(
        default=None,
        metadata={
            "help": "Maximum number of threads. Default: one per core.",
            "metavar": "N",
            "panel": _PANEL,
        },
    )
    memory: str | int | None = field(
        default=None,
        metadata={
            "help": "Maximum memory to allocate, such as 4GiB. Default: half of the free memory.",
            "metavar": "SIZE",
            "panel": _PANEL,
        },
    )
    temporary: str | Path | None = field(
        default=None,
        metadata={
            "help": "Folder for temporary files, used if memory would need many passes.",
            "metavar": "DIR",
            "panel": _PANEL,
        },
    )

    def resolve(
        self, progress: Progress = silent, announce: Callable[[Cost], None] | None = None
    ) -> Work:
        """Return the work these options ask for.

        Args:
            progress: receives the progress of the work.
            announce: receives the cost of a counting pass before it begins.

        Raises:
            OptionError: the backend, size, number of threads or folder is invalid.
            BackendError: the backend is not available.
        """
        from icfast.parallel.threads import Work  # imports NumPy, which --help does without

        return Work.of(self.backend, self.threads, self.memory, progress, announce, self.temporary)
