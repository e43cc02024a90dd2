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

from typing import TYPE_CHECKING

from . import combinations, curve, piecewise, record, sequences, shapes, transitions
from .combinations import *
from .curve import *
from .piecewise import *
from .record import *
from .sequences import *
from .shapes import *
from .transitions import *

# Type checkers take the names from the star imports. mypy follows no __all__ that is computed.
if not TYPE_CHECKING:
    _rooms = (combinations, curve, piecewise, record, sequences, shapes, transitions)
    __all__ = sorted(name for room in _rooms for name in room.__all__)
