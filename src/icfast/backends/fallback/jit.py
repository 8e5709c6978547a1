"""Compiler settings of the fallback, and the status of success.

numba caches a compiled function and checks the time stamp of only that file. After editing one
module of this folder, remove ``__pycache__``.

Loops over keys neither slice rows out of arrays nor pass many arrays to functions. Both count
references, which takes longer than the work on one key.
"""

from __future__ import annotations

import numpy as np
from numba import njit

OK = (0, 0, np.uint64(0))
U1 = np.uint64(1)

# A division by zero gives infinity or NaN, as in C++.
jit = njit(nogil=True, cache=True, error_model="numpy")
