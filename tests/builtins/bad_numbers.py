"""Values that no numeric argument of a built-in or a curve takes, and the error of each."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np
import torch

NOT_REAL: dict[str, Any] = {
    "complex": 1 + 0j,
    "string": "0.5",
    "None": None,
    "bool": True,
    "NumPy bool": np.bool_(True),
    "list": [0.5],
    "tensor": torch.tensor(0.5),
}
NOT_FINITE: dict[str, Any] = {
    "NaN": math.nan,
    "inf": math.inf,
    "-inf": -math.inf,
    "NumPy NaN": np.float64("nan"),
    "int beyond every float": 10**400,
    "Fraction beyond every float": Fraction(10**400),
}
BAD_NUMBERS: dict[str, tuple[Any, type[Exception]]] = {
    **{name: (value, TypeError) for name, value in NOT_REAL.items()},
    **{name: (value, ValueError) for name, value in NOT_FINITE.items()},
}
