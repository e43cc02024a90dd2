"""Curves λ(t) as values: a few primitives, and ``join`` to play them one after the other.

A curve is called with the step t, in any order and at any t, and returns the multiplier. It is
frozen, hashable, picklable, equal to its equal, and its ``repr`` is the expression that makes it.

Each primitive but ``Constant`` runs from ``start`` at t = 0 to ``end`` at t = ``steps`` and holds
``end`` from there on; before 0 it is at ``start``. One of no steps is ``start`` at 0 and ``end``
after. ``start`` and ``end`` are multiples of the initial value; ``steps`` need not be whole.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from ._checks import at_least_zero, finite, positive

__all__ = ["Constant", "Curve", "Join", "Linear", "Polynomial", "QuarterCosine", "join"]


class Curve:
    """What every curve here is: a frozen value, called with t. Subclasses give the formula."""

    __slots__ = ()

    def __call__(self, t: float) -> float:
        """λ(t)."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class Constant(Curve):
    """λ(t) = value.

    Args:
        value: any finite real number.

    Example:
        >>> Constant(0.5)(1000)
        0.5
    """

    value: float

    def __post_init__(self) -> None:
        object.__setattr__(self, "value", finite("value", self.value))

    def __call__(self, t: float) -> float:
        return self.value


@dataclass(frozen=True, slots=True)
class _Transition(Curve):
    """From ``start`` to ``end`` in ``steps``, the way that a subclass's ``_between`` goes."""

    start: float
    end: float
    steps: float

    def __post_init__(self) -> None:
        object.__setattr__(self, "start", finite("start", self.start))
        object.__setattr__(self, "end", finite("end", self.end))
        object.__setattr__(self, "steps", at_least_zero("steps", self.steps))

    def __call__(self, t: float) -> float:
        if t <= 0:
            return self.start
        if t >= self.steps:
            return self.end
        return self._between(t / self.steps)

    def _between(self, p: float) -> float:
        """λ where the fraction 0 < p < 1 of the steps is done."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class Linear(_Transition):
    """λ(t) = start + (end − start)·p, with p = t/steps.

    Args:
        start: λ(0), any finite real number.
        end: λ(steps), and after.
        steps: how many steps it takes, a finite real number ≥ 0.

    Example:
        >>> Linear(0.0, 1.0, 10)(5)
        0.5
    """

    def _between(self, p: float) -> float:
        return self.start + (self.end - self.start) * p


@dataclass(frozen=True, slots=True)
class QuarterCosine(_Transition):
    """λ(t) = end + (start − end)·cos(π/2·p), with p = t/steps: a quarter of a cosine wave.

    It leaves ``start`` level and arrives at ``end`` with its steepest slope.

    Args:
        start: λ(0), any finite real number.
        end: λ(steps), and after.
        steps: how many steps it takes, a finite real number ≥ 0.

    Example:
        >>> round(QuarterCosine(1.0, 0.0, 100)(50), 6)
        0.707107
    """

    def _between(self, p: float) -> float:
        return self.end + (self.start - self.end) * math.cos(math.pi / 2 * p)


@dataclass(frozen=True, slots=True)
class Polynomial(_Transition):
    """λ(t) = end + (start − end)·(1 − p)^exponent, with p = t/steps.

    Args:
        start: λ(0), any finite real number.
        end: λ(steps), and after.
        steps: how many steps it takes, a finite real number ≥ 0.
        exponent: the power, > 0. 1 is a straight line; above, the curve drops fast and arrives
            level; below, it leaves slowly and arrives steeply.

    Example:
        >>> Polynomial(1.0, 0.0, 10, exponent=2.0)(5)
        0.25
    """

    exponent: float

    def __post_init__(self) -> None:
        super(Polynomial, self).__post_init__()
        object.__setattr__(self, "exponent", positive("exponent", self.exponent))

    def _between(self, p: float) -> float:
        return self.end + (self.start - self.end) * math.pow(1 - p, self.exponent)


@dataclass(frozen=True, slots=True, repr=False)
class Join(Curve):
    """What :func:`join` returns."""

    curves: tuple[Callable[[float], float], ...]
    boundaries: tuple[float, ...]
    _starts: tuple[float, ...] = field(init=False, compare=False)

    def __post_init__(self) -> None:
        for curve in self.curves:
            if not callable(curve):
                raise TypeError(f"curves: expected callables t -> multiplier, got {curve!r}")
        boundaries = tuple(at_least_zero("boundaries", boundary) for boundary in self.boundaries)
        if len(boundaries) != len(self.curves) - 1:
            raise ValueError(
                "boundaries: expected one between each two curves, got "
                f"{len(boundaries)} for {len(self.curves)} curves"
            )
        if list(boundaries) != sorted(boundaries):
            raise ValueError(f"boundaries: expected them in order, got {list(boundaries)}")
        object.__setattr__(self, "boundaries", boundaries)
        object.__setattr__(self, "_starts", (0, *boundaries))

    def __call__(self, t: float) -> float:
        playing = bisect_right(self.boundaries, t)
        return self.curves[playing](t - self._starts[playing])

    def __repr__(self) -> str:
        return f"join({list(self.curves)!r}, {list(self.boundaries)!r})"


def join(curves: Sequence[Callable[[float], float]], boundaries: Sequence[float]) -> Join:
    """Play ``curves`` one after the other, each from its own 0.

    With boundaries b₁ ≤ b₂ ≤ …, λ(t) = curves[i](t − bᵢ) for bᵢ ≤ t < bᵢ₊₁, where b₀ = 0: at a
    boundary the next curve plays already.

    Args:
        curves: at least one; curves, or any callables t → λ.
        boundaries: the steps at which the second, third, … start: finite, ≥ 0, in order, one
            less than there are curves.

    Raises:
        TypeError: a curve is no callable, or a boundary no real number.
        ValueError: the number of boundaries does not fit, or they are out of order.

    Example:
        >>> schedule = join([Linear(0.0, 1.0, 10), Constant(0.5)], [10])
        >>> schedule(5), schedule(10)
        (0.5, 0.5)
        >>> schedule
        join([Linear(start=0.0, end=1.0, steps=10), Constant(value=0.5)], [10])
    """
    return Join(tuple(curves), tuple(boundaries))
