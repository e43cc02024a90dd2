"""Curves λ(t) as values: shapes, and functions that combine them.

A curve is called with the step t, at any t and in any order, and returns λ(t). Called with a NumPy
array or a tensor of steps, it returns one with λ of each. It is frozen, hashable, picklable and
equal to its equals. Its ``repr`` is the expression that makes it. ``to_dict`` makes a plain dict
of it, and ``from_dict`` makes the curve again.

The shapes are classes, such as ``Linear`` and ``Cosine``. A shape with an ``end`` goes from
``start`` at t = 0 to ``end`` at t = ``steps``. It is ``start`` before 0 and ``end`` from ``steps``
on. With ``steps`` = 0 it is ``start`` at 0 and ``end`` after. ``steps`` need not be whole.

The combinations are functions, such as ``join`` and ``repeat``, and the operators of ``a * b``,
``a + b`` and ``1 - a``. Each returns a curve again. Any callable t → λ goes where a curve goes.
"""

from .combinations import clip, delay, repeat, staircase, stretch
from .curve import Constant, Curve
from .piecewise import Piecewise, PiecewiseConstant
from .primitives import (
    Cosine,
    Exponential,
    InversePower,
    InverseSqrt,
    Linear,
    OneMinusSqrt,
    Polynomial,
    Power,
    QuarterCosine,
    Warmup,
)
from .record import from_dict, to_dict
from .sequences import join, switch

__all__ = [
    "Constant",
    "Cosine",
    "Curve",
    "Exponential",
    "InversePower",
    "InverseSqrt",
    "Linear",
    "OneMinusSqrt",
    "Piecewise",
    "PiecewiseConstant",
    "Polynomial",
    "Power",
    "QuarterCosine",
    "Warmup",
    "clip",
    "delay",
    "from_dict",
    "join",
    "repeat",
    "staircase",
    "stretch",
    "switch",
    "to_dict",
]
