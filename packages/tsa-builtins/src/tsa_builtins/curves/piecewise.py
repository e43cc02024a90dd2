"""Curves through given points."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any, TypeAlias

from ..checks import finite, shown
from .curve import Constant, Curve
from .rounding import hair
from .sequences import Relay, by_step, in_turn
from .transitions import own_arguments, transition_named
from .value import Value

__all__ = ["Piecewise", "PiecewiseConstant"]

# A mapping's type does not let an int be a float among its keys.
Levels: TypeAlias = Mapping[float, float] | Mapping[int, float] | Iterable[tuple[float, float]]
Point: TypeAlias = float | tuple[float, str] | tuple[float, str, float]
# mypy takes a dict of unlike values where one type alone fits a dict. An Iterable would be another.
Points: TypeAlias = Mapping[Any, Point] | Sequence[tuple[float, Point]]


class Piecewise(Value, Relay):
    """λ(t) goes from point to point: in a straight line, or in the shape named with the later one.

    λ is the first value before the first step, and the last value from the last step on. Between
    two points it is vᵢ + (vᵢ₊₁ − vᵢ)·(t − sᵢ)/(sᵢ₊₁ − sᵢ). A point with a shape,
    ``(value, "OneMinusSqrt")``, is reached along that curve: any that has a ``start`` and an
    ``end``. One of them needs its exponent: ``(value, "Polynomial", 2.0)``. λ never jumps.

    Args:
        points: ``{s₁: v₁, s₂: v₂, …}``, at least one, in any order. Steps are finite and ≥ 0,
            values any finite real numbers, alone or with a shape. Pairs ``(step, value)`` are
            taken too.

    Raises:
        TypeError: ``points`` is neither a mapping nor pairs.
        TypeError: a step or a value is not a real number, or a shape is not a name.
        ValueError: ``points`` is empty, or has a step twice.
        ValueError: a step or a value is NaN, infinite or out of the range above.
        ValueError: a shape is unknown, or is given for the first point.
        ValueError: a shape does not lead from one value to the next, as ``"Exponential"`` from 0.

    Example:
        >>> from tsa_builtins.curves import Piecewise
        >>> curve = Piecewise({0: 0.0, 10: 1.0, 30: 0.5})
        >>> curve(5), curve(10), curve(20), curve(1000)
        (0.5, 1.0, 0.75, 0.5)
        >>> cooled_down = Piecewise({0: 0, 500: 1, 8000: 1, 10_000: (0, "OneMinusSqrt")})
        >>> cooled_down(250), cooled_down(5000), cooled_down(8500)
        (0.5, 1.0, 0.5)
    """

    _made_from = ("points",)
    __slots__ = _made_from
    points: tuple[tuple[float, Point], ...]

    def __init__(self, points: Points) -> None:
        pairs = by_step("points", "value", points, _value_and_shape)
        (first, (level, shape)), *_ = pairs
        if shape != ["Linear"]:
            raise ValueError(
                f"points: the value at {first!r}: no shape leads to the first point; write "
                f"{first!r}: {level!r}"
            )
        ways = [
            transition_named(f"points: the value at {end!r}", shape, value, following, end - start)
            for (start, (value, _)), (end, (following, shape)) in pairwise(pairs)
        ]
        steps = tuple(step for step, _ in pairs)
        values = [value for _, (value, _) in pairs]
        parts = (Constant(values[0]), *ways, Constant(values[-1]))
        points = tuple(zip(steps, (values[0], *map(_point, values[1:], ways))))
        self._set(points=points, **in_turn(parts, steps))

    def __repr__(self) -> str:
        return f"Piecewise({dict(self.points)!r})"


def _value_and_shape(where: str, point: Any) -> tuple[float, list[Any]]:
    if not isinstance(point, (list, tuple)):
        return finite(where, point), ["Linear"]
    if len(point) < 2:
        raise TypeError(f"{where}: expected a number, or (number, shape), got {shown(point)}")
    value, *shape = point
    return finite(where, value), shape


def _point(value: float, way: Curve) -> Point:
    """A point as it is written: with the shape of the way to it, unless that is a line."""
    name = type(way).__name__
    own = (getattr(way, argument) for argument in own_arguments(name))
    return value if name == "Linear" else (value, name, *own)


class PiecewiseConstant(Value, Curve):
    """λ(t) = vᵢ for sᵢ ≤ t < sᵢ₊₁: stairs.

    λ is the first value before the first step too, and the last value from the last step on.

    Args:
        points: ``{s₁: v₁, s₂: v₂, …}``, at least one, in any order. Steps are finite and ≥ 0,
            values any finite real numbers. Pairs ``(step, value)`` are taken too.

    Raises:
        TypeError: ``points`` is neither a mapping nor pairs.
        TypeError: a step or a value is not a real number.
        ValueError: ``points`` is empty, or has a step twice.
        ValueError: a step or a value is NaN, infinite or out of the range above.

    Example:
        >>> from tsa_builtins.curves import PiecewiseConstant
        >>> curve = PiecewiseConstant({0: 1.0, 30: 0.1, 60: 0.01})
        >>> curve(29), curve(30), curve(1000)
        (1.0, 0.1, 0.01)
    """

    _made_from = ("points",)
    __slots__ = (*_made_from, "_steps", "_values")
    points: tuple[tuple[float, float], ...]
    _steps: tuple[float, ...]
    _values: tuple[float, ...]

    def __init__(self, points: Levels) -> None:
        pairs = by_step("points", "value", points, finite)
        steps, values = zip(*pairs)
        # The first value is there before the first step too.
        self._set(points=pairs, _steps=steps, _values=(values[0], *values))

    def _at(self, t: float, span: float = 0) -> float:
        return self._values[bisect_right(self._steps, t + hair(t, span) if span else t)]

    @property
    def boundaries(self) -> tuple[float, ...]:
        return self._steps[1:]

    def __repr__(self) -> str:
        return f"PiecewiseConstant({dict(self.points)!r})"
