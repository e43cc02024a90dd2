"""The transitions: each leads from one value to another, along a formula of its own."""

from __future__ import annotations

import inspect
import math
from math import cos, log1p, pi, sqrt
from typing import Any, ClassVar, TypeAlias

from ..checks import at_least_zero, check_name, finite, positive, shown, within_reach
from .curve import Curve
from .value import Value, argument_names

__all__ = [
    "Cosine",
    "Exponential",
    "Linear",
    "Logarithmic",
    "OneMinusSqrt",
    "Polynomial",
    "QuarterCosine",
]

HALF_PI = pi / 2

# The name of a transition, and the arguments that it has beside its ends and its length.
Shape: TypeAlias = str | tuple[str, float]

TRANSITIONS: dict[str, Any] = {}
"""Every transition by its name. A class enters it where it is defined."""


_ARGUMENTS = {
    "start": "λ(0), any finite real number.",
    "end": "λ(steps) and after, any finite real number less than 1.8e308 away from ``start``.",
    "steps": "the number of steps from ``start`` to ``end``, a finite real number ≥ 0.",
}
_RAISES = """\
Raises:
    TypeError: an argument is not a real number.
    ValueError: an argument is NaN, infinite or out of the range above."""


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

    def __init_subclass__(cls, **arguments: str) -> None:
        """Enter a kind, and describe its arguments: ``arguments`` are those of its own."""
        super().__init_subclass__()
        TRANSITIONS[cls.__name__] = cls
        if cls.__doc__:  # None under python -OO
            text, example = inspect.cleandoc(cls.__doc__).split("Example:")
            texts = {**_ARGUMENTS, **arguments}
            described = "".join(f"\n    {name}: {texts[name]}" for name in argument_names(cls))
            cls.__doc__ = f"{text}Args:{described}\n\n{_RAISES}\n\nExample:{example}"

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
        return self.end + (self.start - self.end) * ((1 + cos(pi * (t / self.steps))) / 2)


class QuarterCosine(_Transition):
    """λ(t) = end + (start − end)·cos(π/2·p), with p = t/steps: a quarter of a cosine wave.

    λ is ``start`` before 0, and ``end`` from ``steps`` on. It is level at ``start`` and steepest
    at ``end``. It is the cosine of ``cosine_annealing_with_warmup``.

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
        return self.end + (self.start - self.end) * cos(HALF_PI * (t / self.steps))


class Polynomial(_Transition, exponent="the power, a finite real number > 0."):
    """λ(t) = end + (start − end)·(1 − p)^exponent, with p = t/steps.

    λ is ``start`` before 0, and ``end`` from ``steps`` on. With exponent 1 it is a straight line.
    A higher exponent makes it steep at ``start`` and level at ``end``; a lower one does the
    opposite.

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
        return self.end + (self.start - self.end) * (1 - sqrt(t / self.steps))


class Exponential(
    _Transition,
    start="λ(0), a finite real number other than 0.",
    end="λ(steps) and after, of the same sign as ``start``; a float has to hold ``end / start``.",
):
    """λ(t) = start·(end/start)^p, with p = t/steps: the same factor at every step.

    λ is ``start`` before 0, and ``end`` from ``steps`` on.

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


class Logarithmic(_Transition):
    """λ(t) = start + (end − start)·log(1 + t)/log(1 + steps): steep at first, then ever flatter.

    λ is ``start`` before 0, and ``end`` from ``steps`` on. The 1 is one step, so the
    shape changes if the curve is stretched. ``delay(Logarithmic(0, 1, W - 1), 1)`` is the warmup of
    DeepSpeed's ``WarmupLR`` over W steps: 0, then log(t)/log(W) from step 1 to W, then 1.

    Example:
        >>> from tsa_builtins.curves import Logarithmic
        >>> round(Logarithmic(0.0, 1.0, 99)(9), 6)
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
        return self.start + (self.end - self.start) * (log1p(t) / log1p(self.steps))


def own_arguments(name: str) -> tuple[str, ...]:
    """The arguments that a transition has beside ``start``, ``end`` and ``steps``."""
    return argument_names(TRANSITIONS[name])[3:]


def shown_shapes() -> str:
    """The shapes as a caller writes them, in one line of text."""
    return ", ".join(f"``{_as_written(name)}``" for name in TRANSITIONS)


def _as_written(name: str) -> str:
    own = own_arguments(name)
    return f'("{name}", {", ".join(own)})' if own else f'"{name}"'


def transition_named(where: str, shape: Any, start: float, end: float, steps: float) -> Curve:
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
