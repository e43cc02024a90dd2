"""``tsa_builtins.curves``, under the name of the whole: curves λ(t) as values."""

import sys

import tsa_builtins.curves
from tsa_builtins.curves import (
    Clip,
    Constant,
    Cosine,
    Curve,
    Delay,
    Exponential,
    InverseSqrt,
    Join,
    Linear,
    OneMinusSqrt,
    PiecewiseConstant,
    PiecewiseLinear,
    Polynomial,
    Product,
    QuarterCosine,
    Repeat,
    clip,
    delay,
    from_dict,
    join,
    repeat,
    to_dict,
)

__all__ = [
    "Clip",
    "Constant",
    "Cosine",
    "Curve",
    "Delay",
    "Exponential",
    "InverseSqrt",
    "Join",
    "Linear",
    "OneMinusSqrt",
    "PiecewiseConstant",
    "PiecewiseLinear",
    "Polynomial",
    "Product",
    "QuarterCosine",
    "Repeat",
    "clip",
    "delay",
    "from_dict",
    "join",
    "repeat",
    "to_dict",
]

# One module under two names: what is imported from either is the same, the module too.
sys.modules[__name__] = tsa_builtins.curves
