"""The shapes: each a formula from ``start`` on, and all but one to an ``end``."""

from __future__ import annotations

import math
from typing import ClassVar

from .._checks import at_least_zero, finite, positive
from ._curve import Curve
from ._value import Value


class _Transition(Value, Curve):
    """From ``start`` at 0 to ``end`` at ``steps``, the way that a subclass's formula goes.

    At ``start`` before 0, at ``end`` from ``steps`` on. One of no steps is ``start`` at 0 and
    ``end`` after. Each formula stands whole in its ``_at``: it is what a training step waits for.
    """

    _made_from: ClassVar[tuple[str, ...]] = ("start", "end", "steps")
    __slots__ = _made_from
    start: float
    end: float
    steps: float

    def __init__(self, start: float, end: float, steps: float) -> None:
        self._set(
            start=finite("start", start),
            end=finite("end", end),
            steps=at_least_zero("steps", steps),
        )


class Linear(_Transition):
    """λ(t) = start + (end − start)·p, with p = t/steps: a straight line.

    ``start`` before 0; ``end`` from ``steps`` on.

    Args:
        start: λ(0), any finite real number.
        end: λ(steps), and after.
        steps: how many steps it takes, a finite real number ≥ 0.

    Raises:
        TypeError: an argument is no real number.
        ValueError: it is NaN, infinite or out of the range given above.

    Example:
        >>> from tsa_builtins.curves import Linear
        >>> Linear(0.0, 1.0, 10)(5)
        0.5
    """

    __slots__ = ()

    def _at(self, t: float) -> float:
        if t <= 0:
            return self.start
        if t >= self.steps:
            return self.end
        return self.start + (self.end - self.start) * (t / self.steps)


class Cosine(_Transition):
    """λ(t) = end + (start − end)·(1 + cos(π·p))/2, with p = t/steps: half a cosine wave.

    It leaves ``start`` level and arrives at ``end`` level, steepest half-way. ``start`` before 0;
    ``end`` from ``steps`` on. It is what torch, transformers, timm and optax call cosine, after
    Loshchilov and Hutter, *SGDR* (arXiv:1608.03983); the built-ins use :class:`QuarterCosine`.

    Args:
        start: λ(0), any finite real number.
        end: λ(steps), and after.
        steps: how many steps it takes, a finite real number ≥ 0.

    Raises:
        TypeError: an argument is no real number.
        ValueError: it is NaN, infinite or out of the range given above.

    Example:
        >>> from tsa_builtins.curves import Cosine
        >>> round(Cosine(1.0, 0.0, 100)(25), 6)
        0.853553
    """

    __slots__ = ()

    def _at(self, t: float) -> float:
        if t <= 0:
            return self.start
        if t >= self.steps:
            return self.end
        return self.end + (self.start - self.end) * ((1 + math.cos(math.pi * (t / self.steps))) / 2)


class QuarterCosine(_Transition):
    """λ(t) = end + (start − end)·cos(π/2·p), with p = t/steps: a quarter of a cosine wave.

    It leaves ``start`` level and arrives at ``end`` with its steepest slope. ``start`` before 0;
    ``end`` from ``steps`` on. It is the cosine of this package's own built-ins.

    Args:
        start: λ(0), any finite real number.
        end: λ(steps), and after.
        steps: how many steps it takes, a finite real number ≥ 0.

    Raises:
        TypeError: an argument is no real number.
        ValueError: it is NaN, infinite or out of the range given above.

    Example:
        >>> from tsa_builtins.curves import QuarterCosine
        >>> round(QuarterCosine(1.0, 0.0, 100)(50), 6)
        0.707107
    """

    __slots__ = ()

    def _at(self, t: float) -> float:
        if t <= 0:
            return self.start
        if t >= self.steps:
            return self.end
        return self.end + (self.start - self.end) * math.cos(math.pi / 2 * (t / self.steps))


class Polynomial(_Transition):
    """λ(t) = end + (start − end)·(1 − p)^exponent, with p = t/steps.

    ``start`` before 0; ``end`` from ``steps`` on.

    Args:
        start: λ(0), any finite real number.
        end: λ(steps), and after.
        steps: how many steps it takes, a finite real number ≥ 0.
        exponent: the power, > 0. 1 is a straight line; above, the curve drops fast and arrives
            level; below, it leaves slowly and arrives steeply.

    Raises:
        TypeError: an argument is no real number.
        ValueError: it is NaN, infinite or out of the range given above.

    Example:
        >>> from tsa_builtins.curves import Polynomial
        >>> Polynomial(1.0, 0.0, 10, exponent=2.0)(5)
        0.25
    """

    _made_from = ("start", "end", "steps", "exponent")
    __slots__ = ("exponent",)
    exponent: float

    def __init__(self, start: float, end: float, steps: float, exponent: float) -> None:
        super().__init__(start, end, steps)
        self._set(exponent=positive("exponent", exponent))

    def _at(self, t: float) -> float:
        if t <= 0:
            return self.start
        if t >= self.steps:
            return self.end
        rest = math.pow(1 - t / self.steps, self.exponent)
        return self.end + (self.start - self.end) * rest


class OneMinusSqrt(_Transition):
    """λ(t) = end + (start − end)·(1 − √p), with p = t/steps: steep at first, then ever flatter.

    ``start`` before 0; ``end`` from ``steps`` on. It is the cooldown that Hägele et al., *Scaling
    Laws and Compute-Optimal Training Beyond Fixed Training Durations* (arXiv:2405.18392), found
    best after a constant learning rate.

    Args:
        start: λ(0), any finite real number.
        end: λ(steps), and after.
        steps: how many steps it takes, a finite real number ≥ 0.

    Raises:
        TypeError: an argument is no real number.
        ValueError: it is NaN, infinite or out of the range given above.

    Example:
        >>> from tsa_builtins.curves import OneMinusSqrt
        >>> OneMinusSqrt(1.0, 0.0, 100)(25)
        0.5
    """

    __slots__ = ()

    def _at(self, t: float) -> float:
        if t <= 0:
            return self.start
        if t >= self.steps:
            return self.end
        return self.end + (self.start - self.end) * (1 - math.sqrt(t / self.steps))


class Exponential(_Transition):
    """λ(t) = start·(end/start)^p, with p = t/steps: the same factor at every step.

    ``start`` before 0; ``end`` from ``steps`` on.

    Args:
        start: λ(0), a finite real number other than 0.
        end: λ(steps), and after; of the sign of ``start``.
        steps: how many steps it takes, a finite real number ≥ 0.

    Raises:
        TypeError: an argument is no real number.
        ValueError: it is NaN, infinite or out of the range given above.

    Example:
        >>> from tsa_builtins.curves import Exponential
        >>> round(Exponential(1.0, 0.01, 100)(50), 6)
        0.1
    """

    __slots__ = ()

    def __init__(self, start: float, end: float, steps: float) -> None:
        super().__init__(start, end, steps)
        if self.start == 0:
            raise ValueError(f"start: expected other than 0, got {self.start!r}")
        # The quotient as well: where it is too large or too small for a float, so is the power.
        if not 0 < self.end / self.start < math.inf:
            raise ValueError(
                f"end: expected a number of the sign of start = {self.start!r} whose quotient by "
                f"it a float can hold, got {self.end!r}"
            )

    def _at(self, t: float) -> float:
        if t <= 0:
            return self.start
        if t >= self.steps:
            return self.end
        return self.start * math.pow(self.end / self.start, t / self.steps)


class InverseSqrt(Value, Curve):
    """λ(t) = start/√(1 + t/timescale): at ``start``, and falling ever more slowly.

    ``start`` before 0. It has no end: it falls for ever, to half of ``start`` at 3 timescales and
    a tenth at 99. After a warm-up of W steps, ``InverseSqrt(1, W)`` is √(W/t) in steps t from the
    beginning, as in Vaswani et al., *Attention Is All You Need* (arXiv:1706.03762).

    Args:
        start: λ(0), any finite real number.
        timescale: the step at which it is down to start/√2, a finite real number > 0.

    Raises:
        TypeError: an argument is no real number.
        ValueError: it is NaN, infinite or out of the range given above.

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

    def _at(self, t: float) -> float:
        if t <= 0:
            return self.start
        return self.start / math.sqrt(1 + t / self.timescale)
