"""One name for each kind of array; shapes stand in the docstrings, as (N, K)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Float32s = NDArray[np.float32]
Float64s = NDArray[np.float64]
Floats = NDArray[np.floating[Any]]  # of any width
Int8s = NDArray[np.int8]  # labels and verdicts: 1 yes, -1 no, 0 unknown
Int64s = NDArray[np.int64]
SignedInts = NDArray[np.signedinteger[Any]]  # of any width
Indices = NDArray[np.intp]  # places in another array
Bools = NDArray[np.bool_]
Pixels = NDArray[np.uint8]
