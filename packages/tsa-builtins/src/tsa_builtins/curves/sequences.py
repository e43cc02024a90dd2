"""Curves that play one after the other: each from its own 0, or all on one clock."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from ..checks import at_least_zero
from .curve import (
    Curve,
    CurveLike,
    Formula,
    at_each,
    boundaries_of,
    checked,
    listed,
    one_step,
    turning,
)
from .rounding import LONGEST_HAIR, NEAR, NO_LONGER, hair
from .value import Value

__all__ = ["join", "switch"]

# The keys are steps. A mapping's type does not let an int be a float among them.
CurveByStep: TypeAlias = Mapping[Any, CurveLike] | Sequence[tuple[float, CurveLike]]
T = TypeVar("T")


class Relay(Curve):
    """Parts that play one after the other, each from its own 0 at its boundary."""

    __slots__ = ("_parts", "_starts", "boundaries")
    boundaries: tuple[float, ...]
    _starts: tuple[float, ...]
    _parts: tuple[Formula, ...]

    def _at(self, t: float, span: float = 0) -> float:
        if not span:
            playing = bisect_right(self.boundaries, t)
            return self._parts[playing](t - self._starts[playing], t)
        near: float = 0
        if type(t) is float:
            near = NEAR * span if span < NO_LONGER else LONGEST_HAIR  # hair(t, span) in line
        playing = bisect_right(self.boundaries, t + near)
        since = t - self._starts[playing]
        if since <= near and playing:
            since = 0
        return self._parts[playing](since, span)

    if not TYPE_CHECKING:  # the types are those of Curve

        def __call__(self, t):
            # _at in line, where it is the caller's own step: each training step pays for a call.
            if type(t) is int or type(t) is float:
                playing = bisect_right(self.boundaries, t)
                return self._parts[playing](t - self._starts[playing], t)
            return at_each(self._at, t)


def in_turn(curves: Iterable[CurveLike], boundaries: tuple[float, ...]) -> dict[str, Any]:
    """The attributes of a :class:`Relay` that plays ``curves``."""
    parts = tuple(map(one_step, curves))
    return {"boundaries": boundaries, "_starts": (0, *boundaries), "_parts": parts}


class Join(Value, Relay):
    _made_from = ("curves", "boundaries")
    __slots__ = ("curves",)
    curves: tuple[CurveLike, ...]

    def __init__(self, curves: Iterable[CurveLike], boundaries: Iterable[float]) -> None:
        curves = tuple(checked("curves", curve) for curve in listed("curves", curves))
        boundaries = tuple(
            at_least_zero("boundaries", boundary) for boundary in listed("boundaries", boundaries)
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
        self._set(curves=curves, **in_turn(curves, boundaries))

    def _turns(self) -> Iterator[float]:
        starts = (0, *self.boundaries)
        for start, end, curve in zip(starts, (*self.boundaries, math.inf), self.curves):
            yield start
            yield from (t for t in (start + t for t in turning(curve)) if start < t <= end)

    def __repr__(self) -> str:
        return f"join({list(self.curves)!r}, {list(self.boundaries)!r})"


def join(curves: Iterable[CurveLike], boundaries: Iterable[float]) -> Curve:
    """Play ``curves`` one after the other, each from its own step 0.

    For curves that count from the beginning of the run, use :func:`switch`::

        step    0     1     …  49     50     51
        join    a(0)  a(1)  …  a(49)  b(0)   b(1)
        switch  a(0)  a(1)  …  a(49)  b(50)  b(51)

    With boundaries b₁ ≤ b₂ ≤ … and b₀ = 0, λ(t) = curves[i](t − bᵢ) for bᵢ ≤ t < bᵢ₊₁. The next
    curve plays from its boundary on. If boundaries are equal, the last of their curves plays.
    Before 0 the first curve plays; after the last boundary the last curve plays forever.

    Args:
        curves: at least one curve, or any callables t → λ.
        boundaries: the steps at which the second, third, … curve starts. They are finite, ≥ 0
            and in order; there is one less than there are curves.

    Raises:
        TypeError: a curve is not a callable, or a boundary is not a real number.
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


def by_step(
    name: str,
    what: str,
    given: Mapping[Any, Any] | Iterable[Any],
    checked: Callable[[str, Any], T],
) -> tuple[tuple[float, T], ...]:
    """The pairs of a step and a value in ``given``, in order of their steps.

    ``checked`` takes the beginning of an error and a value. Errors call a value ``what``.
    """
    pairs = given.items() if isinstance(given, Mapping) else given
    try:
        listed = [(step, value) for step, value in pairs]
    except (TypeError, ValueError):
        raise TypeError(f"{name}: expected a mapping {{step: {what}}}, got {given!r}") from None
    if not listed:
        raise ValueError(f"{name}: expected at least one {{step: {what}}}, got none")
    in_order = sorted(
        (
            (
                at_least_zero(f"{name}: a step", step),
                checked(f"{name}: the {what} at {step}", value),
            )
            for step, value in listed
        ),
        key=lambda pair: pair[0],
    )
    for (step, _), (following, _) in pairwise(in_order):
        if step == following:
            raise ValueError(f"{name}: expected each step once, got {step!r} twice")
    return tuple(in_order)


class Switch(Value, Curve):
    _made_from = ("curves",)
    __slots__ = (*_made_from, "_parts", "_steps")
    curves: tuple[tuple[float, CurveLike], ...]
    _steps: tuple[float, ...]
    _parts: tuple[Formula, ...]

    def __init__(self, curves: CurveByStep) -> None:
        pairs = by_step("curves", "curve", curves, checked)
        parts = [one_step(curve) for _, curve in pairs]
        self._set(
            curves=pairs,
            _steps=tuple(step for step, _ in pairs),
            _parts=(parts[0], *parts),  # the first plays before its step too
        )

    def _at(self, t: float, span: float = 0) -> float:
        if not span:
            return self._parts[bisect_right(self._steps, t)](t, 0)
        playing = bisect_right(self._steps, t + hair(t, span))
        # A step a hair before a boundary is the boundary.
        return self._parts[playing](max(t, self._steps[playing - 1]) if playing else t, span)

    @property
    def boundaries(self) -> tuple[float, ...]:
        inside = {
            boundary
            for (start, curve), end in zip(self.curves, (*self._steps[1:], math.inf))
            for boundary in boundaries_of(curve)
            if start <= boundary < end
        }
        return tuple(sorted({*self._steps[1:], *inside}))

    def _turns(self) -> Iterator[float]:
        for (start, curve), end in zip(self.curves, (*self._steps[1:], math.inf)):
            yield start
            yield from (t for t in turning(curve) if start < t <= end)

    def __repr__(self) -> str:
        return f"switch({dict(self.curves)!r})"


def switch(curves: CurveByStep) -> Curve:
    """Play one of ``curves`` at a time, each at the step of the run.

    With steps s₁ < s₂ < …, λ(t) = curvesᵢ(t) for sᵢ ≤ t < sᵢ₊₁. Before s₁ the first curve plays.
    No curve starts again. In :func:`join` each curve starts at its own step 0 at its boundary::

        step    0     1     …  49     50     51
        join    a(0)  a(1)  …  a(49)  b(0)   b(1)
        switch  a(0)  a(1)  …  a(49)  b(50)  b(51)

    Args:
        curves: ``{s₁: curve₁, s₂: curve₂, …}``, at least one, in any order. Steps are finite and
            ≥ 0. A curve may be any callable t → λ. Pairs ``(step, curve)`` are taken too.

    Raises:
        TypeError: ``curves`` is neither a mapping nor pairs.
        TypeError: a curve is not a callable, or a step is not a real number.
        ValueError: ``curves`` is empty, or has a step twice.
        ValueError: a step is NaN, infinite or below 0.

    Example:
        >>> from tsa_builtins.curves import Constant, Linear, join, switch
        >>> warmup, decay = Constant(1.0), Linear(1.0, 0.0, 100)
        >>> switch({0: warmup, 50: decay})(50), join([warmup, decay], [50])(50)
        (0.5, 1.0)
        >>> switch({0: warmup, 50: decay})
        switch({0: Constant(value=1.0), 50: Linear(start=1.0, end=0.0, steps=100)})
    """
    return Switch(curves)
