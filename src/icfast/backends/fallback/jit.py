"""How the fallback is compiled, and what success looks like.

Compiled functions are cached beside their file; numba looks only at that file's own time stamp,
so after editing one module here remove the ``__pycache__`` of all of them.

In loops over all keys no row is taken out as an array, and no call is given many arrays: each
counts references, which takes longer than what is done to one key.
"""

from __future__ import annotations

import numpy as np
from numba import njit

OK = (0, 0, np.uint64(0))
U1 = np.uint64(1)

# As in C++, a division by zero is infinite or not a number, and raises nothing.
jit = njit(nogil=True, cache=True, error_model="numpy")
