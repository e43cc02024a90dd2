"""Values that no numeric argument of a built-in or a curve takes, and the error of each."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np
import torch

BAD_NUMBERS: dict[str, tuple[Any, type[Exception]]] = {
    "complex": (1 + 0j, TypeError),
    "string": ("0.5", TypeError),
    "None": (None, TypeError),
    "bool": (True, TypeError),
    "NumPy bool": (np.bool_(True), TypeError),
    "list": ([0.5], TypeError),
    "tensor": (torch.tensor(0.5), TypeError),
    "NaN": (math.nan, ValueError),
    "inf": (math.inf, ValueError),
    "-inf": (-math.inf, ValueError),
    "NumPy NaN": (np.float64("nan"), ValueError),
    "int beyond every float": (10**400, ValueError),
    "Fraction beyond every float": (Fraction(10**400), ValueError),
}
