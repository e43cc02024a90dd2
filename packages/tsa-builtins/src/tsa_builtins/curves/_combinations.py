"""The ways to make a curve from curves; each takes any callable t → λ for one."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable
from typing import TYPE_CHECKING

from .._checks import at_least_zero, finite, positive
from ._curve import Curve, CurveLike, at_each, checked, one_step
from ._value import Value


class Join(Value, Curve):
    """What :func:`join` returns."""

    _made_from = ("curves", "boundaries")
    __slots__ = (*_made_from, "_parts", "_starts")
    curves: tuple[CurveLike, ...]
    boundaries: tuple[float, ...]
    _starts: tuple[float, ...]
    _parts: tuple[CurveLike, ...]

    def __init__(self, curves: Iterable[CurveLike], boundaries: Iterable[float]) -> None:
        curves = tuple(checked("curves", curve) for curve in _several("curves", curves))
        boundaries = tuple(
            at_least_zero("boundaries", boundary) for boundary in _several("boundaries", boundaries)
        )
        if not curves:
            raise ValueError("curves: expected at least one, got none")
        if len(boundaries) != len(curves) - 1:
            raise ValueError(
                "boundaries: expected one between each two curves, got "
                f"{len(boundaries)} for {len(curves)} curves"
            )
        if list(boundaries) != sorted(boundaries):
            raise ValueError(f"boundaries: expected them in order, got {list(boundaries)}")
        self._set(
            curves=curves,
            boundaries=boundaries,
            _starts=(0, *boundaries),
            _parts=tuple(map(one_step, curves)),
        )

    # As Curve has it, a call shorter: all built-ins but the constant one are joins.
    if not TYPE_CHECKING:

        def __call__(self, t):
            if type(t) is int or type(t) is float:
                playing = bisect_right(self.boundaries, t)
                return self._parts[playing](t - self._starts[playing])
            return at_each(self, t)

    def __repr__(self) -> str:
        return f"join({list(self.curves)!r}, {list(self.boundaries)!r})"


def join(curves: Iterable[CurveLike], boundaries: Iterable[float]) -> Join:
    """Play ``curves`` one after the other, each from its own 0.

    With boundaries b₁ ≤ b₂ ≤ …, λ(t) = curves[i](t − bᵢ) for bᵢ ≤ t < bᵢ₊₁, where b₀ = 0: at a
    boundary the next curve plays already, and of curves with the same boundary only the last.
    Before 0 the first curve plays; past the last boundary the last one does, for ever.

    Args:
        curves: at least one; curves, or any callables t → λ.
        boundaries: the steps at which the second, third, … start: finite, ≥ 0, in order, one
            less than there are curves.

    Raises:
        TypeError: a curve is no callable, or a boundary no real number.
        ValueError: the number of boundaries does not fit, or they are out of order.

    Example:
        >>> from tsa_builtins.curves import Constant, Linear, join
        >>> curve = join([Linear(0.0, 1.0, 10), Constant(0.5)], [10])
        >>> curve(5), curve(10)
        (0.5, 0.5)
        >>> curve
        join([Linear(start=0.0, end=1.0, steps=10), Constant(value=0.5)], [10])
    """
    return Join(curves, boundaries)


class Clip(Value, Curve):
    """What :func:`clip` returns."""

    _made_from = ("curve", "low", "high")
    __slots__ = (*_made_from, "_curve")
    curve: CurveLike
    low: float
    high: float
    _curve: CurveLike

    def __init__(self, curve: CurveLike, low: float, high: float) -> None:
        self._set(
            curve=checked("curve", curve),
            low=finite("low", low),
            high=finite("high", high),
            _curve=one_step(curve),
        )
        if self.low > self.high:
            raise ValueError(f"low: expected at most high = {self.high!r}, got {self.low!r}")

    def _at(self, t: float) -> float:
        # In this order a NaN goes through, for whoever asked to see it.
        return min(max(self._curve(t), self.low), self.high)

    def __repr__(self) -> str:
        return f"clip({self.curve!r}, {self.low!r}, {self.high!r})"


def clip(curve: CurveLike, low: float, high: float) -> Clip:
    """Keep ``curve`` between ``low`` and ``high``: λ(t) = min(max(curve(t), low), high).

    Args:
        curve: a curve, or any callable t → λ.
        low: the least value, a finite real number.
        high: the greatest, a finite real number ≥ ``low``.

    Raises:
        TypeError: ``curve`` is no callable, or a bound no real number.
        ValueError: a bound is not finite, or ``low`` is above ``high``.

    Example:
        >>> from tsa_builtins.curves import InverseSqrt, clip
        >>> curve = clip(InverseSqrt(1.0, 100), 0.1, 1.0)
        >>> curve(300), curve(1_000_000)
        (0.5, 0.1)
    """
    return Clip(curve, low, high)


class Repeat(Value, Curve):
    """What :func:`repeat` returns."""

    _made_from = ("curve", "steps", "growth", "decay")
    __slots__ = (*_made_from, "_curve")
    curve: CurveLike
    steps: float
    growth: float
    decay: float
    _curve: CurveLike

    def __init__(
        self, curve: CurveLike, steps: float, growth: float = 1.0, decay: float = 1.0
    ) -> None:
        self._set(
            curve=checked("curve", curve),
            steps=positive("steps", steps),
            growth=finite("growth", growth),
            decay=positive("decay", decay),
            _curve=one_step(curve),
        )
        if self.growth < 1:
            raise ValueError(f"growth: expected 1 or more, got {self.growth!r}")
        if self.decay > 1:
            raise ValueError(f"decay: expected at most 1, got {self.decay!r}")

    def _at(self, t: float) -> float:
        if t <= 0:
            return self._curve(t)
        cycle = self._cycle(t)
        since = max(t - self._start(cycle), 0)  # that hair, for curves that begin at 0
        return self.decay**cycle * self._curve(since / self.growth**cycle)

    def _cycle(self, t: float) -> int:
        """The number of the cycle that plays at t > 0."""
        # Rounding may leave a restart a hair after the step it is meant for, and ``steps`` is
        # often a quotient: a step this near to a restart, in relation to t, is the restart.
        t *= 1 + 1e-15
        if self.growth == 1:
            return math.floor(t / self.steps)
        # start(i) ≤ t solved for i. The logarithms round too, and may leave out a restart.
        cycle = math.floor(math.log1p(t * (self.growth - 1) / self.steps) / math.log(self.growth))
        return cycle + 1 if self._start(cycle + 1) <= t else cycle

    def _start(self, cycle: int) -> float:
        """The step at which a cycle starts: steps·(1 + growth + … + growth^(cycle − 1))."""
        if self.growth == 1:
            return self.steps * cycle
        return self.steps * (self.growth**cycle - 1) / (self.growth - 1)

    def __repr__(self) -> str:
        growth = f", growth={self.growth!r}" * (self.growth != 1)
        decay = f", decay={self.decay!r}" * (self.decay != 1)
        return f"repeat({self.curve!r}, {self.steps!r}{growth}{decay})"


def repeat(curve: CurveLike, steps: float, *, growth: float = 1.0, decay: float = 1.0) -> Repeat:
    """Start ``curve`` again every ``steps``, each time ``growth`` as slow and ``decay`` as high.

    Cycle i = 0, 1, 2, … starts at Sᵢ = steps·(1 + growth + … + growthⁱ⁻¹), and in it
    λ(t) = decayⁱ·curve((t − Sᵢ)/growthⁱ): ``curve`` is cut where a cycle ends, and holds its end
    where it is shorter. At a restart the next cycle plays already. Before 0 ``curve`` plays; the
    cycles go on for ever, so join something to them to end them. With a :class:`Cosine` these are
    the warm restarts of Loshchilov and Hutter, *SGDR* (arXiv:1608.03983).

    Args:
        curve: a curve, or any callable t → λ.
        steps: the length of the first cycle, a finite real number > 0.
        growth: how many times as long as the last each cycle is, a finite real number ≥ 1.
        decay: what each cycle is scaled by in relation to the last, 0 < decay ≤ 1.

    Raises:
        TypeError: ``curve`` is no callable, or another argument no real number.
        ValueError: an argument is out of the range given above.

    Example:
        >>> from tsa_builtins.curves import Cosine, repeat
        >>> curve = repeat(Cosine(1.0, 0.0, 10), 10, growth=2, decay=0.5)
        >>> curve(0), curve(10), curve(20), curve(30)
        (1.0, 0.5, 0.25, 0.25)
    """
    return Repeat(curve, steps, growth, decay)


class Delay(Value, Curve):
    """What :func:`delay` returns."""

    _made_from = ("curve", "steps")
    __slots__ = (*_made_from, "_curve")
    curve: CurveLike
    steps: float
    _curve: CurveLike

    def __init__(self, curve: CurveLike, steps: float) -> None:
        self._set(
            curve=checked("curve", curve), steps=finite("steps", steps), _curve=one_step(curve)
        )

    def _at(self, t: float) -> float:
        return self._curve(max(t - self.steps, 0))

    def __repr__(self) -> str:
        return f"delay({self.curve!r}, {self.steps!r})"


def delay(curve: CurveLike, steps: float) -> Delay:
    """Play ``curve`` that many steps later, at its beginning until then.

    λ(t) = curve(max(t − steps, 0)). A negative number of steps leaves out as many: the curve
    begins there, as some libraries begin an annealing that they do not shift by the warm-up.

    Args:
        curve: a curve, or any callable t → λ.
        steps: how much later, any finite real number.

    Raises:
        TypeError: ``curve`` is no callable, or ``steps`` no real number.
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


def _several(name: str, values: object) -> tuple[object, ...]:
    if not isinstance(values, Iterable):
        raise TypeError(f"{name}: expected a list, got {values!r} ({type(values).__name__})")
    return tuple(values)
