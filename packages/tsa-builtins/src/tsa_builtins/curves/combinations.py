"""The functions that make a curve from one other, each with the kind of curve that it returns."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator

from ..checks import finite, positive
from .curve import Curve, CurveLike, Formula, boundaries_of, checked, one_step, turning
from .rounding import LONGEST_HAIR, NEAR, NO_LONGER, cycle_at, hair
from .value import Value, arguments

__all__ = ["clip", "delay", "repeat", "staircase", "stretch"]


class _OfOneCurve(Value, Curve):
    """A curve that asks one other at a step of its own."""

    __slots__ = ("_curve", "curve")
    curve: CurveLike
    _curve: Formula

    def _set_curve(self, curve: CurveLike) -> None:
        self._set(curve=checked("curve", curve), _curve=one_step(curve))

    def __repr__(self) -> str:
        _, *numbers = arguments(self).values()
        shown = "".join(f", {number!r}" for number in numbers)
        # Not in a loop: each level of a deep nesting is then one call.
        return f"{type(self).__name__.lower()}({self.curve!r}{shown})"


class Clip(_OfOneCurve):
    _made_from = ("curve", "low", "high")
    __slots__ = ("high", "low")
    low: float
    high: float

    def __init__(self, curve: CurveLike, low: float, high: float) -> None:
        self._set_curve(curve)
        self._set(low=finite("low", low), high=finite("high", high))
        if self.low > self.high:
            raise ValueError(f"low: expected at most high = {self.high!r}, got {self.low!r}")

    def _at(self, t: float, span: float = 0) -> float:
        # In this order a NaN passes through, so the schedule can refuse it.
        return min(max(self._curve(t, span), self.low), self.high)

    @property
    def boundaries(self) -> tuple[float, ...]:
        return boundaries_of(self.curve)


def clip(curve: CurveLike, low: float, high: float) -> Curve:
    """Keep ``curve`` between ``low`` and ``high``: λ(t) = min(max(curve(t), low), high).

    Args:
        curve: a curve, or any callable t → λ.
        low: the least value, a finite real number.
        high: the greatest value, a finite real number ≥ ``low``.

    Raises:
        TypeError: ``curve`` is not a callable, or a bound is not a real number.
        ValueError: a bound is not finite, or ``low`` is above ``high``.

    Example:
        >>> from tsa_builtins.curves import InverseSqrt, clip
        >>> curve = clip(InverseSqrt(1.0, 100), 0.1, 1.0)
        >>> curve(300), curve(1_000_000)
        (0.5, 0.1)
    """
    return Clip(curve, low, high)


class Repeat(_OfOneCurve):
    _made_from = ("curve", "steps", "growth", "decay")
    __slots__ = ("decay", "growth", "steps")
    steps: float
    growth: float
    decay: float

    def __init__(
        self, curve: CurveLike, steps: float, growth: float = 1.0, decay: float = 1.0
    ) -> None:
        self._set_curve(curve)
        self._set(
            steps=positive("steps", steps),
            growth=finite("growth", growth),
            decay=positive("decay", decay),
        )
        if self.growth < 1:
            raise ValueError(f"growth: expected 1 or more, got {self.growth!r}")
        if self.decay > 1:
            raise ValueError(f"decay: expected at most 1, got {self.decay!r}")

    def _at(self, t: float, span: float = 0) -> float:
        if not t > 0:  # NaN too, which no cycle has
            return self._curve(t, span)
        span = span or t
        if self.growth == 1:
            cycle, since = cycle_at(t, self.steps, span)
        else:
            cycle, since, span = self._growing_cycle_at(t, span)
        height: float = self.decay**cycle
        return height * self._curve(since, span)

    def _growing_cycle_at(self, t: float, span: float) -> tuple[int, float, float]:
        """The number of the cycle at t > 0; the steps since it began, and ``span``, in its unit."""
        # The starts are computed too, so a hair is relative to them, however far out they are.
        later = t + (NEAR * span if span < NO_LONGER else max(NEAR * t, LONGEST_HAIR))
        # start(i) ≤ t solved for i. The logarithms round too, and may miss a restart.
        total = min(later * (self.growth - 1) / self.steps, sys.float_info.max)
        cycle = math.floor(math.log1p(total) / math.log(self.growth))
        if self._start(cycle + 1) <= later:
            cycle += 1
        length = self._length(cycle)
        return cycle, max(t - self._start(cycle), 0) / length, span / length

    def _length(self, cycle: int) -> float:
        """How many times as long as the first a cycle is; infinite if no float can hold it."""
        try:
            return float(self.growth**cycle)
        except OverflowError:
            return math.inf

    def _start(self, cycle: int) -> float:
        """The step at which a cycle starts: steps·(1 + growth + … + growth^(cycle − 1))."""
        return self.steps * ((self._length(cycle) - 1) / (self.growth - 1))

    def _turns(self) -> Iterator[float]:
        yield self.steps
        yield from (t for t in turning(self.curve) if t < self.steps)

    def __repr__(self) -> str:
        growth = f", growth={self.growth!r}" * (self.growth != 1)
        decay = f", decay={self.decay!r}" * (self.decay != 1)
        return f"repeat({self.curve!r}, {self.steps!r}{growth}{decay})"


def repeat(curve: CurveLike, steps: float, *, growth: float = 1.0, decay: float = 1.0) -> Curve:
    """Start ``curve`` again every ``steps``, each time ``growth`` as long and ``decay`` as high.

    Cycle i = 0, 1, 2, … starts at Sᵢ = steps·(1 + growth + … + growthⁱ⁻¹). In it,
    λ(t) = decayⁱ·curve((t − Sᵢ)/growthⁱ). A curve longer than ``steps`` is cut at the end of a
    cycle, and a shorter curve stays at its end. At the step of a restart the next cycle plays.
    Before 0 ``curve`` itself plays. The cycles go on forever; :func:`join` another curve to end
    them. With a :class:`Cosine` these are warm restarts: Loshchilov and Hutter, *SGDR*
    (arXiv:1608.03983).

    Whole ``steps`` with ``growth`` 1 restart exactly, however large t is. Otherwise a float
    cannot tell the steps of a cycle apart beyond some 10^14 cycles.

    Args:
        curve: a curve, or any callable t → λ.
        steps: the length of the first cycle, a finite real number > 0.
        growth: the length of each cycle divided by that of the one before, finite and ≥ 1.
        decay: the height of each cycle divided by that of the one before, 0 < decay ≤ 1.

    Raises:
        TypeError: ``curve`` is not a callable, or another argument is not a real number.
        ValueError: an argument is out of the range above.

    Example:
        >>> from tsa_builtins.curves import Cosine, repeat
        >>> curve = repeat(Cosine(1.0, 0.0, 10), 10, growth=2, decay=0.5)
        >>> curve(0), curve(10), curve(20), curve(30)
        (1.0, 0.5, 0.25, 0.25)
    """
    return Repeat(curve, steps, growth, decay)


class Delay(_OfOneCurve):
    _made_from = ("curve", "steps")
    __slots__ = ("steps",)
    steps: float

    def __init__(self, curve: CurveLike, steps: float) -> None:
        self._set_curve(curve)
        self._set(steps=finite("steps", steps))

    def _at(self, t: float, span: float = 0) -> float:
        since = t - self.steps
        if since <= hair(t, span):
            since = 0
        span = span or t
        return self._curve(since, span if span > since else since)

    @property
    def boundaries(self) -> tuple[float, ...]:
        later = (boundary + self.steps for boundary in boundaries_of(self.curve))
        return tuple(boundary for boundary in later if boundary >= 0)

    def _turns(self) -> Iterator[float]:
        yield self.steps
        yield from (t + self.steps for t in turning(self.curve))


def delay(curve: CurveLike, steps: float) -> Curve:
    """Play ``curve`` that many steps later, and hold its beginning until then.

    λ(t) = curve(max(t − steps, 0)). A negative number skips the first steps of ``curve``. Some
    libraries skip the steps of the warmup in this way.

    Args:
        curve: a curve, or any callable t → λ.
        steps: the number of steps, any finite real number.

    Raises:
        TypeError: ``curve`` is not a callable, or ``steps`` is not a real number.
        ValueError: ``steps`` is not finite.

    Example:
        >>> from tsa_builtins.curves import Linear, delay
        >>> curve = delay(Linear(1.0, 0.0, 10), 100)
        >>> curve(0), curve(100), curve(105)
        (1.0, 1.0, 0.5)
        >>> delay(Linear(1.0, 0.0, 10), -5)(0)
        0.5
    """
    return Delay(curve, steps)


class Stretch(_OfOneCurve):
    _made_from = ("curve", "factor")
    __slots__ = ("factor",)
    factor: float

    def __init__(self, curve: CurveLike, factor: float) -> None:
        self._set_curve(curve)
        self._set(factor=positive("factor", factor))

    def _at(self, t: float, span: float = 0) -> float:
        t /= self.factor
        return self._curve(t, span / self.factor if span else t)

    @property
    def boundaries(self) -> tuple[float, ...]:
        return tuple(boundary * self.factor for boundary in boundaries_of(self.curve))

    def _turns(self) -> Iterator[float]:
        return (t * self.factor for t in turning(self.curve))


def stretch(curve: CurveLike, factor: float) -> Curve:
    """Play ``curve`` ``factor`` times as slowly: λ(t) = curve(t / factor).

    This turns a plan in epochs into a plan in steps: the factor is the number of steps per epoch.
    For a plan in fractions of a run, the factor is the number of training steps.

    Args:
        curve: a curve, or any callable t → λ.
        factor: the length of the result divided by that of ``curve``, a finite real number > 0.

    Raises:
        TypeError: ``curve`` is not a callable, or ``factor`` is not a real number.
        ValueError: ``factor`` is not finite, or not above 0.

    Example:
        >>> from tsa_builtins.curves import Constant, Linear, join, stretch
        >>> epochs = join([Linear(0.0, 1.0, 2), Constant(1.0), Linear(1.0, 0.0, 5)], [2, 5])
        >>> curve = stretch(epochs, 391)
        >>> curve(391), curve(5 * 391), curve(10 * 391)
        (0.5, 1.0, 0.0)
        >>> curve.boundaries
        (782, 1955)
    """
    return Stretch(curve, factor)


class Staircase(_OfOneCurve):
    _made_from = ("curve", "every")
    __slots__ = ("every",)
    every: float

    def __init__(self, curve: CurveLike, every: float) -> None:
        self._set_curve(curve)
        self._set(every=positive("every", every))

    def _at(self, t: float, span: float = 0) -> float:
        span = span or t
        stair, _ = cycle_at(t, self.every, span)
        # The number of the stair is infinite if ``every`` is too short for any float.
        return self._curve(min(stair * self.every, sys.float_info.max), span)

    @property
    def boundaries(self) -> tuple[float, ...]:
        return tuple(sorted({*map(self._next_stair, boundaries_of(self.curve))}))

    def _turns(self) -> Iterator[float]:
        return map(self._next_stair, turning(self.curve))

    def _next_stair(self, t: float) -> float:
        # The number of the stair is infinite if ``every`` is too short for any float.
        return math.ceil(t / self.every) * self.every if t / self.every < math.inf else t


def staircase(curve: CurveLike, every: float) -> Curve:
    """Hold each value of ``curve`` for ``every`` steps: λ(t) = curve(every·⌊t/every⌋).

    A schedule that is stepped at each iteration then moves once per epoch: ``every`` is the number
    of steps per epoch. Inside :func:`stretch`, ``every`` counts in the unit of the plan.

    Args:
        curve: a curve, or any callable t → λ.
        every: the length of a stair in steps, a finite real number > 0; need not be whole.

    Raises:
        TypeError: ``curve`` is not a callable, or ``every`` is not a real number.
        ValueError: ``every`` is not finite, or not above 0.

    Example:
        >>> from tsa_builtins.curves import Linear, staircase
        >>> curve = staircase(Linear(1.0, 0.0, 1000), 250)
        >>> curve(0), curve(249), curve(250), curve(1000)
        (1.0, 1.0, 0.75, 0.0)
    """
    return Staircase(curve, every)
