"""Curves λ(t) as values: shapes, and the ways to put them together.

A curve is called with the step t, in any order and at any t, and returns the multiplier; called
with a NumPy array or a tensor of steps it returns one of multipliers. It is frozen, hashable,
picklable, equal to its equal, its ``repr`` is the expression that makes it, and ``to_dict`` and
``from_dict`` take it to a plain dict and back.

Shapes: ``Constant``, ``Linear``, ``Polynomial``, ``QuarterCosine``, ``Cosine``, ``Exponential``,
``OneMinusSqrt`` and ``InverseSqrt``; ``PiecewiseLinear`` and ``PiecewiseConstant`` through points.
Those with an ``end`` run from ``start`` at t = 0 to ``end`` at t = ``steps`` and hold ``end`` from
there on; before 0 they are at ``start``. One of no steps is ``start`` at 0 and ``end`` after.
Their values are multiples of the initial value; ``steps`` need not be whole.

Combinations: ``join``, ``a * b``, ``clip``, ``repeat``, ``delay``. Each is a curve again, and takes
any callable t → λ where it takes a curve.
"""

from ._combinations import Clip, Delay, Join, Repeat, clip, delay, join, repeat
from ._curve import Constant, Curve, Product
from ._piecewise import PiecewiseConstant, PiecewiseLinear
from ._primitives import (
    Cosine,
    Exponential,
    InverseSqrt,
    Linear,
    OneMinusSqrt,
    Polynomial,
    QuarterCosine,
)
from ._record import from_dict, to_dict

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
