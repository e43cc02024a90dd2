"""Curves through given points."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping
from itertools import pairwise
from typing import TypeAlias

from ..checks.numbers_ import at_least_zero, finite, within_reach
from .curve import Curve
from .value import Value

# A mapping's type does not let an int be a float among its keys.
Points: TypeAlias = Mapping[float, float] | Mapping[int, float] | Iterable[tuple[float, float]]


class _Piecewise(Value, Curve):
    """``points`` in order of their steps."""

    _made_from = ("points",)
    __slots__ = (*_made_from, "_steps", "_values")
    points: tuple[tuple[float, float], ...]
    _steps: tuple[float, ...]
    _values: tuple[float, ...]

    def _set_points(self, points: Points) -> None:
        pairs = points.items() if isinstance(points, Mapping) else points
        try:
            listed = [(step, value) for step, value in pairs]
        except (TypeError, ValueError):
            raise TypeError(f"points: expected a mapping {{step: value}}, got {points!r}") from None
        if not listed:
            raise ValueError("points: expected at least one {step: value}, got none")
        checked = sorted(
            (at_least_zero("points: a step", step), finite(f"points: the value at {step}", value))
            for step, value in listed
        )
        steps, values = zip(*checked)
        for step, following in pairwise(steps):
            if step == following:
                raise ValueError(f"points: expected each step once, got {step!r} twice")
        self._set(points=tuple(checked), _steps=steps, _values=values)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({dict(self.points)!r})"


class PiecewiseLinear(_Piecewise):
    """λ(t) = vᵢ + (vᵢ₊₁ − vᵢ)·(t − sᵢ)/(sᵢ₊₁ − sᵢ) for sᵢ ≤ t < sᵢ₊₁: straight lines.

    λ is the first value before the first step, and the last value from the last step on.

    Args:
        points: ``{s₁: v₁, s₂: v₂, …}``, at least one, in any order. Steps are finite and ≥ 0,
            values any finite real numbers. Pairs ``(step, value)`` are taken too.

    Raises:
        TypeError: ``points`` is neither a mapping nor pairs.
        TypeError: a step or a value is not a real number.
        ValueError: ``points`` is empty, or has a step twice.
        ValueError: a step or a value is NaN, infinite or out of the range above.
        ValueError: neighbouring values are further apart than any float.

    Example:
        >>> from tsa_builtins.curves import PiecewiseLinear
        >>> curve = PiecewiseLinear({0: 0.0, 10: 1.0, 30: 0.5})
        >>> curve(5), curve(10), curve(20), curve(1000)
        (0.5, 1.0, 0.75, 0.5)
    """

    __slots__ = ()

    def __init__(self, points: Points) -> None:
        self._set_points(points)
        for (step, value), (following, next_value) in pairwise(self.points):
            within_reach(
                f"points: the value at {following!r}", next_value, f"the one at {step!r}", value
            )

    def _at(self, t: float) -> float:
        after = bisect_right(self._steps, t)
        if after == 0:
            return self._values[0]
        if after == len(self._steps):
            return self._values[-1]
        step, following = self._steps[after - 1], self._steps[after]
        start, end = self._values[after - 1], self._values[after]
        return start + (end - start) * ((t - step) / (following - step))


class PiecewiseConstant(_Piecewise):
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

    __slots__ = ()

    def __init__(self, points: Points) -> None:
        self._set_points(points)

    def _at(self, t: float) -> float:
        # Before the first step the index would be -1.
        return self._values[max(bisect_right(self._steps, t) - 1, 0)]
