"""Names of the array types that kernels take, and what they return."""

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

#: u16 or u32: the symbols of all documents, zeros between them.
Text = NDArray[Any]

#: (code, index, value); code 0 is success.
Status = tuple[int, int, int]
