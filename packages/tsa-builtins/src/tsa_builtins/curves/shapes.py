"""The shapes that lead to no value of the caller's: a warmup, falls that never end, and a power."""

from __future__ import annotations

import math
from math import exp, log1p, sqrt

from ..checks import at_least_zero, finite, flag, positive
from .curve import Curve
from .value import Value

__all__ = ["InversePower", "InverseSqrt", "Power", "Warmup"]


class Warmup(Value, Curve):
    """λ(t) = t/steps, then 1. With ``skip_zero``, λ(t) = (t + 1)/(steps + 1), then 1.

    λ is λ(0) before 0. With ``steps`` = 0, λ is 1 from the start. The first step of the optimizer
    uses λ(0), and a learning rate of 0 would waste this step. ``skip_zero`` prevents that. A
    stretched curve counts in its own unit, so use ``skip_zero`` in plans that count steps.

    Args:
        steps: the number of steps from 0 to 1, a finite real number ≥ 0.
        skip_zero: if true, the warmup starts one step later in its course, above 0.

    Raises:
        TypeError: ``steps`` is not a real number, or ``skip_zero`` is not a bool.
        ValueError: ``steps`` is NaN, infinite or below 0.

    Example:
        >>> from tsa_builtins.curves import Cosine, Warmup, switch
        >>> [Warmup(4)(t) for t in (0, 1, 4, 5)]
        [0.0, 0.25, 1.0, 1.0]
        >>> [Warmup(4, skip_zero=True)(t) for t in (0, 1, 4, 5)]
        [0.2, 0.4, 1.0, 1.0]
    """

    _made_from = ("steps", "skip_zero")
    __slots__ = _made_from
    steps: float
    skip_zero: bool

    def __init__(self, steps: float, skip_zero: bool = False) -> None:
        self._set(steps=at_least_zero("steps", steps), skip_zero=flag("skip_zero", skip_zero))

    def _at(self, t: float, span: float = 0) -> float:
        t = max(t, 0)
        if t >= self.steps:
            return 1.0
        return (t + self.skip_zero) / (self.steps + self.skip_zero)


class InverseSqrt(Value, Curve):
    """λ(t) = start/√(1 + t/timescale): it falls forever, ever more slowly.

    λ is ``start`` before 0, half of it at 3 timescales and a tenth at 99. After a warmup of W
    steps, ``InverseSqrt(1, W)`` is √(W/t), with t counted from the beginning: Vaswani et al.,
    *Attention Is All You Need* (arXiv:1706.03762). It is :class:`InversePower` with exponent 0.5.

    Args:
        start: λ(0), any finite real number.
        timescale: the step at which λ is start/√2, a finite real number > 0.

    Raises:
        TypeError: an argument is not a real number.
        ValueError: an argument is NaN, infinite or out of the range above.

    Example:
        >>> from tsa_builtins.curves import InverseSqrt
        >>> InverseSqrt(1.0, 100)(300)
        0.5
    """

    _made_from = ("start", "timescale")
    __slots__ = _made_from
    start: float
    timescale: float

    def __init__(self, start: float, timescale: float) -> None:
        self._set(start=finite("start", start), timescale=positive("timescale", timescale))

    def _at(self, t: float, span: float = 0) -> float:
        if t <= 0:
            return self.start
        return self.start / sqrt(1 + t / self.timescale)


class InversePower(Value, Curve):
    """λ(t) = start/(1 + t/timescale)^exponent: it falls forever, ever more slowly.

    λ is ``start`` before 0. With exponent 1 it is inverse time decay: half of ``start`` at one
    timescale, a tenth at 9. With exponent 0.5 it is :class:`InverseSqrt`. From 0.5 (exclusive) to 1
    it meets the conditions of Robbins and Monro for stochastic approximation.

    Args:
        start: λ(0), any finite real number.
        timescale: the step at which λ is start/2^exponent, a finite real number > 0.
        exponent: the power, a finite real number > 0. A higher one falls faster.

    Raises:
        TypeError: an argument is not a real number.
        ValueError: an argument is NaN, infinite or out of the range above.

    Example:
        >>> from tsa_builtins.curves import InversePower
        >>> InversePower(1.0, 100, exponent=1)(300)
        0.25
    """

    _made_from = ("start", "timescale", "exponent")
    __slots__ = _made_from
    start: float
    timescale: float
    exponent: float

    def __init__(self, start: float, timescale: float, exponent: float) -> None:
        self._set(
            start=finite("start", start),
            timescale=positive("timescale", timescale),
            exponent=positive("exponent", exponent),
        )

    def _at(self, t: float, span: float = 0) -> float:
        if t <= 0:
            return self.start
        # log1p keeps the digits of a small t/timescale, which 1 + t/timescale would round away.
        return self.start * exp(-self.exponent * log1p(t / self.timescale))


class Power(Value, Curve):
    """λ(t) = t^exponent. It is meant as the rule of a derived schedule, whose t is a multiple.

    With exponent 1 the target is in proportion to its source. With -0.5 the target is in inverse
    proportion to the square root of its source, and with -1 to the source itself.

    Args:
        exponent: the power, a finite real number.

    Raises:
        TypeError: ``exponent`` is not a real number.
        ValueError: ``exponent`` is NaN or infinite.
        ValueError: in a call, the power has no finite value: 0 to a negative power, or a negative
            number to a fraction.

    Example:
        >>> from tsa_builtins.curves import Power
        >>> Power(-0.5)(0.25), Power(1)(0.25)
        (2.0, 0.25)
    """

    _made_from = ("exponent",)
    __slots__ = _made_from
    exponent: float

    def __init__(self, exponent: float) -> None:
        self._set(exponent=finite("exponent", exponent))

    def _at(self, t: float, span: float = 0) -> float:
        try:
            return math.pow(t, self.exponent)
        except (ValueError, OverflowError):
            raise ValueError(
                f"t: expected a number with a finite power {self.exponent!r}, got {t!r}"
            ) from None
