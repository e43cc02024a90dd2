"""The shapes: each is a formula that begins at 0. Most of them reach an ``end``."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, ClassVar, TypeAlias

from ..checks.data import check_name, flag, shown
from ..checks.numbers_ import at_least_zero, finite, positive, within_reach
from .curve import Curve
from .value import Value, argument_names

# The name of a transition, and the arguments that it has beside its ends and its length.
Shape: TypeAlias = str | tuple[str, float]


class _Transition(Value, Curve):
    """From ``start`` at 0 to ``end`` at ``steps``. Each subclass has its own formula in between.

    λ is ``start`` before 0, and ``end`` from ``steps`` on. With ``steps`` = 0 it is ``start`` at 0
    and ``end`` after. Each ``_at`` is written out in full, because a training step waits for it.
    """

    _made_from: ClassVar[tuple[str, ...]] = ("start", "end", "steps")
    __slots__ = _made_from
    start: float
    end: float
    steps: float

    # Each subclass has an __init__ of its own, so that Python's errors about arguments name it.
    def _set_transition(self, start: float, end: float, steps: float) -> None:
        self._set(
            start=finite("start", start),
            end=finite("end", end),
            steps=at_least_zero("steps", steps),
        )
        within_reach("end", self.end, "start", self.start)


class Linear(_Transition):
    """λ(t) = start + (end − start)·p, with p = t/steps: a straight line.

    λ is ``start`` before 0, and ``end`` from ``steps`` on.

    Args:
        start: λ(0), any finite real number.
        end: λ(steps) and after, any finite real number less than 1.8e308 away from ``start``.
        steps: the number of steps from ``start`` to ``end``, a finite real number ≥ 0.

    Raises:
        TypeError: an argument is not a real number.
        ValueError: an argument is NaN, infinite or out of the range above.

    Example:
        >>> from tsa_builtins.curves import Linear
        >>> Linear(0.0, 1.0, 10)(5)
        0.5
    """

    __slots__ = ()

    def __init__(self, start: float, end: float, steps: float) -> None:
        self._set_transition(start, end, steps)

    def _at(self, t: float, span: float = 0) -> float:
        if t <= 0:
            return self.start
        if t >= self.steps:
            return self.end
        return self.start + (self.end - self.start) * (t / self.steps)


class Cosine(_Transition):
    """λ(t) = end + (start − end)·(1 + cos(π·p))/2, with p = t/steps: half a cosine wave.

    λ is ``start`` before 0, and ``end`` from ``steps`` on. It is level at both ends and steepest
    half-way. torch, transformers, timm and optax call this shape cosine, after Loshchilov and
    Hutter, *SGDR* (arXiv:1608.03983). Another shape is :class:`QuarterCosine`.

    Args:
        start: λ(0), any finite real number.
        end: λ(steps) and after, any finite real number less than 1.8e308 away from ``start``.
        steps: the number of steps from ``start`` to ``end``, a finite real number ≥ 0.

    Raises:
        TypeError: an argument is not a real number.
        ValueError: an argument is NaN, infinite or out of the range above.

    Example:
        >>> from tsa_builtins.curves import Cosine
        >>> round(Cosine(1.0, 0.0, 100)(25), 6)
        0.853553
    """

    __slots__ = ()

    def __init__(self, start: float, end: float, steps: float) -> None:
        self._set_transition(start, end, steps)

    def _at(self, t: float, span: float = 0) -> float:
        if t <= 0:
            return self.start
        if t >= self.steps:
            return self.end
        return self.end + (self.start - self.end) * ((1 + math.cos(math.pi * (t / self.steps))) / 2)


class QuarterCosine(_Transition):
    """λ(t) = end + (start − end)·cos(π/2·p), with p = t/steps: a quarter of a cosine wave.

    λ is ``start`` before 0, and ``end`` from ``steps`` on. It is level at ``start`` and steepest
    at ``end``. It is the cosine of ``cosine_annealing_with_warmup``.

    Args:
        start: λ(0), any finite real number.
        end: λ(steps) and after, any finite real number less than 1.8e308 away from ``start``.
        steps: the number of steps from ``start`` to ``end``, a finite real number ≥ 0.

    Raises:
        TypeError: an argument is not a real number.
        ValueError: an argument is NaN, infinite or out of the range above.

    Example:
        >>> from tsa_builtins.curves import QuarterCosine
        >>> round(QuarterCosine(1.0, 0.0, 100)(50), 6)
        0.707107
    """

    __slots__ = ()

    def __init__(self, start: float, end: float, steps: float) -> None:
        self._set_transition(start, end, steps)

    def _at(self, t: float, span: float = 0) -> float:
        if t <= 0:
            return self.start
        if t >= self.steps:
            return self.end
        return self.end + (self.start - self.end) * math.cos(math.pi / 2 * (t / self.steps))


class Polynomial(_Transition):
    """λ(t) = end + (start − end)·(1 − p)^exponent, with p = t/steps.

    λ is ``start`` before 0, and ``end`` from ``steps`` on. With exponent 1 it is a straight line.
    A higher exponent makes it steep at ``start`` and level at ``end``; a lower one does the
    opposite.

    Args:
        start: λ(0), any finite real number.
        end: λ(steps) and after, any finite real number less than 1.8e308 away from ``start``.
        steps: the number of steps from ``start`` to ``end``, a finite real number ≥ 0.
        exponent: the power, a finite real number > 0.

    Raises:
        TypeError: an argument is not a real number.
        ValueError: an argument is NaN, infinite or out of the range above.

    Example:
        >>> from tsa_builtins.curves import Polynomial
        >>> Polynomial(1.0, 0.0, 10, exponent=2.0)(5)
        0.25
    """

    _made_from = ("start", "end", "steps", "exponent")
    __slots__ = ("exponent",)
    exponent: float

    def __init__(self, start: float, end: float, steps: float, exponent: float) -> None:
        self._set_transition(start, end, steps)
        self._set(exponent=positive("exponent", exponent))

    def _at(self, t: float, span: float = 0) -> float:
        if t <= 0:
            return self.start
        if t >= self.steps:
            return self.end
        rest = math.pow(1 - t / self.steps, self.exponent)
        return self.end + (self.start - self.end) * rest


class OneMinusSqrt(_Transition):
    """λ(t) = end + (start − end)·(1 − √p), with p = t/steps: steep at first, then ever flatter.

    λ is ``start`` before 0, and ``end`` from ``steps`` on. Hägele et al. found it the best cooldown
    after a constant learning rate: *Scaling Laws and Compute-Optimal Training Beyond Fixed
    Training Durations* (arXiv:2405.18392).

    Args:
        start: λ(0), any finite real number.
        end: λ(steps) and after, any finite real number less than 1.8e308 away from ``start``.
        steps: the number of steps from ``start`` to ``end``, a finite real number ≥ 0.

    Raises:
        TypeError: an argument is not a real number.
        ValueError: an argument is NaN, infinite or out of the range above.

    Example:
        >>> from tsa_builtins.curves import OneMinusSqrt
        >>> OneMinusSqrt(1.0, 0.0, 100)(25)
        0.5
    """

    __slots__ = ()

    def __init__(self, start: float, end: float, steps: float) -> None:
        self._set_transition(start, end, steps)

    def _at(self, t: float, span: float = 0) -> float:
        if t <= 0:
            return self.start
        if t >= self.steps:
            return self.end
        return self.end + (self.start - self.end) * (1 - math.sqrt(t / self.steps))


class Exponential(_Transition):
    """λ(t) = start·(end/start)^p, with p = t/steps: the same factor at every step.

    λ is ``start`` before 0, and ``end`` from ``steps`` on.

    Args:
        start: λ(0), a finite real number other than 0.
        end: λ(steps) and after, a finite real number of the same sign as ``start``.
        steps: the number of steps from ``start`` to ``end``, a finite real number ≥ 0.

    Raises:
        TypeError: an argument is not a real number.
        ValueError: an argument is NaN, infinite or out of the range above.
        ValueError: ``end / start`` is too large or too small for a float.

    Example:
        >>> from tsa_builtins.curves import Exponential
        >>> round(Exponential(1.0, 0.01, 100)(50), 6)
        0.1
    """

    __slots__ = ()

    def __init__(self, start: float, end: float, steps: float) -> None:
        self._set_transition(start, end, steps)
        if self.start == 0:
            raise ValueError(f"start: expected a number other than 0, got {self.start!r}")
        # The formula takes a power of the quotient, so a float must hold the quotient too.
        if not 0 < self.end / self.start < math.inf:
            raise ValueError(
                f"end: expected the same sign as start = {self.start!r}, and end / start neither "
                f"infinite nor 0, got {self.end!r}"
            )

    def _at(self, t: float, span: float = 0) -> float:
        if t <= 0:
            return self.start
        if t >= self.steps:
            return self.end
        return self.start * math.pow(self.end / self.start, t / self.steps)


TRANSITIONS: Mapping[str, Any] = {
    kind.__name__: kind
    for kind in (Linear, Cosine, QuarterCosine, Polynomial, OneMinusSqrt, Exponential)
}
"""The shapes that lead from one value to another, by name."""


def own_arguments(name: str) -> tuple[str, ...]:
    """The arguments that a transition has beside ``start``, ``end`` and ``steps``."""
    return argument_names(TRANSITIONS[name])[3:]


def transition(where: str, shape: Any, start: float, end: float, steps: float) -> Curve:
    """The transition that ``shape`` names; errors begin with ``where``."""
    first, *own = shape if isinstance(shape, (list, tuple)) else (shape,)
    name = check_name(where, first, TRANSITIONS, "a shape")
    takes = own_arguments(name)
    if len(own) != len(takes):
        needed = ", ".join((repr(name), *takes))
        raise TypeError(f"{where}: expected the shape as {needed}, got {shown(shape)}")
    try:
        made: Curve = TRANSITIONS[name](start, end, steps, *own)
    except (TypeError, ValueError) as error:
        raise type(error)(f"{where}: {name} from {start!r} to {end!r}: {error}") from None
    return made


class Warmup(Value, Curve):
    """λ(t) = t/steps, then 1. With ``skip_zero`` it is (t + 1)/(steps + 1), then 1.

    λ is λ(0) before 0. With ``steps`` = 0 it is 1 from the start. The first step of the optimizer
    uses λ(0): a learning rate of 0 wastes it, and ``skip_zero`` does not. A curve that is
    stretched counts in its own unit, so ``skip_zero`` belongs to plans that count steps.

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
        return self.start / math.sqrt(1 + t / self.timescale)


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
        return self.start * math.exp(-self.exponent * math.log1p(t / self.timescale))


class Power(Value, Curve):
    """λ(t) = t^exponent. It is meant as the rule of a derived schedule, whose t is a multiple.

    With exponent 1 the target follows its source in proportion. With -0.5 it goes against the
    square root of its source, and with -1 against the source itself.

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
