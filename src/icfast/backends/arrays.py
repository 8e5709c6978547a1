"""Types of the arrays that kernels take, and of the status that they return."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

U32 = NDArray[np.uint32]
U64 = NDArray[np.uint64]
I32 = NDArray[np.int32]
I64 = NDArray[np.int64]
F64 = NDArray[np.float64]
Tokens = NDArray[Any]

#: u16 or u32: the symbols of all documents, separated by zeros.
Text = NDArray[Any]

#: (code, index, value). Code 0 is success; errors.py explains the other codes.
Status = tuple[int, int, int]
