"""Every kind of curve, entered once: the tests over all curves read it here.

A kind has arguments that it takes, numbers that it refuses, and random curves with a closed form.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from hypothesis import strategies as st

from tsa_builtins import curves

DEPTH = 4


@dataclass(frozen=True)
class Pair:
    """A curve, its closed form, and the range of its values."""

    curve: Any
    closed_form: Callable[[float], float]
    low: float
    high: float

    def __repr__(self) -> str:
        return repr(self.curve)


def pair(curve: Any, closed_form: Callable[[float], float], values: Collection[float]) -> Pair:
    """A curve whose values are between the least and the greatest of ``values``."""
    return Pair(curve, closed_form, min(values), max(values))


@dataclass(frozen=True)
class Kind:
    """A public class or function that makes a curve."""

    example: dict[str, Any]
    """Arguments that it takes."""
    pairs: Any
    """A strategy of pairs. For a combination, a function from a strategy of parts to one."""
    out_of_range: dict[str, list[Any]] = field(default_factory=dict)
    """By argument, real numbers that it refuses."""


def third(t: float) -> float:
    """A callable that is not a curve of the package."""
    return t / 3


values = st.floats(-4, 4).map(lambda x: round(x, 3))
# Halves, so that a curve and its closed form meet restarts and boundaries at the same floats.
steps = st.integers(0, 40).map(lambda n: n / 2)
some_steps = st.integers(1, 40).map(lambda n: n / 2)


# -- the shapes ------------------------------------------------------------------------------------


TWO_VALUES = st.tuples(values, values)


@dataclass(frozen=True)
class Transition:
    """A shape from ``start`` at 0 to ``end`` at ``steps``."""

    formula: Callable[..., float]
    """λ in between, of progress p, the length, ``start``, ``end`` and the other arguments."""
    ends: Any = TWO_VALUES
    others: dict[str, Any] = field(default_factory=dict)
    """The arguments after ``steps``, with a strategy for each."""


def blend(done: Callable[..., float]) -> Callable[..., float]:
    """The formula of a shape that has gone the share ``done(p, n)`` of its way of n steps."""

    def formula(p: float, n: float, start: float, end: float, **others: float) -> float:
        return start * (1 - done(p, n, **others)) + end * done(p, n, **others)

    return formula


def between_logarithms(p: float, n: float, start: float, end: float) -> float:
    between = (1 - p) * math.log(abs(start)) + p * math.log(abs(end))
    return math.copysign(math.exp(between), start)


sizes = st.floats(0.01, 4)
of_one_sign = st.tuples(sizes, sizes, st.sampled_from([-1, 1])).map(
    lambda drawn: (drawn[2] * drawn[0], drawn[2] * drawn[1])
)

TRANSITIONS = {
    "Linear": Transition(blend(lambda p, n: p)),
    "Cosine": Transition(blend(lambda p, n: math.sin(math.pi / 2 * p) ** 2)),
    "QuarterCosine": Transition(blend(lambda p, n: 1 - math.sin(math.pi / 2 * (1 - p)))),
    "OneMinusSqrt": Transition(blend(lambda p, n: p**0.5)),
    "Polynomial": Transition(
        blend(lambda p, n, exponent: 1 - (1 - p) ** exponent),
        others={"exponent": st.sampled_from([0.5, 1, 2, 3.7])},
    ),
    "Exponential": Transition(between_logarithms, ends=of_one_sign),
    "Logarithmic": Transition(blend(lambda p, n: math.log(1 + p * n, 1 + n))),
}


def at_progress(
    transition: Transition, t: float, start: float, end: float, steps: float, **others: float
) -> float:
    if t <= 0:
        return start
    return end if t >= steps else transition.formula(t / steps, steps, start, end, **others)


@st.composite
def transitions(draw: st.DrawFn, name: str) -> Pair:
    transition = TRANSITIONS[name]
    ends, length = draw(transition.ends), draw(steps)
    others = {argument: draw(strategy) for argument, strategy in transition.others.items()}
    curve = getattr(curves, name)(*ends, length, **others)
    return pair(curve, lambda t: at_progress(transition, t, *ends, length, **others), ends)


@st.composite
def inverse_powers(draw: st.DrawFn, name: str, exponents: list[float]) -> Pair:
    start, scale, exponent = draw(values), draw(some_steps), draw(st.sampled_from(exponents))
    others = (exponent,) if len(exponents) > 1 else ()
    curve = getattr(curves, name)(start, scale, *others)
    return pair(curve, lambda t: start * (scale / (scale + max(t, 0))) ** exponent, [start, 0])


@st.composite
def piecewise(draw: st.DrawFn) -> Pair:
    sign = draw(st.sampled_from([-1, 1]))
    levels = draw(st.dictionaries(steps, sizes.map(lambda x: sign * x), min_size=1, max_size=5))
    shapes = {}
    for step in sorted(levels)[1:]:
        name = draw(st.sampled_from(["", *TRANSITIONS]))
        others = TRANSITIONS[name].others if name else {}
        shapes[step] = (name, {key: draw(each) for key, each in others.items()})

    def value(t: float) -> float:
        before = max((step for step in levels if step <= t), default=min(levels))
        after = min((step for step in levels if step > t), default=max(levels))
        name, others = shapes.get(after, ("", {}))
        ends = levels[before], levels[after], after - before
        return at_progress(TRANSITIONS[name or "Linear"], t - before, *ends, **others)

    points: dict[float, Any] = dict(levels)
    for step, (name, others) in shapes.items():
        if name:
            points[step] = (levels[step], name, *others.values())
    return pair(curves.Piecewise(points), value, levels.values())


@st.composite
def stairs(draw: st.DrawFn) -> Pair:
    points = draw(st.dictionaries(steps, values, min_size=1, max_size=5))

    def value(t: float) -> float:
        return points[max((step for step in points if step <= t), default=min(points))]

    return pair(curves.PiecewiseConstant(points), value, points.values())


@st.composite
def warmups(draw: st.DrawFn) -> Pair:
    length, skip_zero = draw(steps), draw(st.booleans())

    def value(t: float) -> float:
        ahead = 1 if skip_zero else 0
        return 1 if t >= length or length == 0 else (max(t, 0) + ahead) / (length + ahead)

    return Pair(curves.Warmup(length, skip_zero), value, 0, 1)


constants = values.map(lambda value: pair(curves.Constant(value), lambda t: value, [value]))
# Whole and above 0, so that every step has a power.
powers = st.integers(1, 2).map(lambda n: Pair(curves.Power(n), lambda t: t**n, -100, 1e19))


ENDS: dict[str, Any] = {"start": 0.2, "end": 1.4, "steps": 8}
NO_STEPS: dict[str, list[Any]] = {"steps": [-1, -0.5, -1e-9]}
NOT_POSITIVE: list[Any] = [0, 0.0, -1, -0.5]

SHAPES: dict[str, Kind] = {
    "Constant": Kind({"value": 0.5}, constants),
    **{name: Kind(ENDS, transitions(name), NO_STEPS) for name in TRANSITIONS},
    "Polynomial": Kind(
        {**ENDS, "exponent": 3}, transitions("Polynomial"), {**NO_STEPS, "exponent": NOT_POSITIVE}
    ),
    "Exponential": Kind(
        ENDS, transitions("Exponential"), {**NO_STEPS, "start": [0, -1], "end": [0, -1]}
    ),
    "InverseSqrt": Kind(
        {"start": 1, "timescale": 10},
        inverse_powers("InverseSqrt", [0.5]),
        {"timescale": NOT_POSITIVE},
    ),
    "InversePower": Kind(
        {"start": 1, "timescale": 10, "exponent": 1.5},
        inverse_powers("InversePower", [0.3, 0.5, 1, 2.5]),
        {"timescale": NOT_POSITIVE, "exponent": NOT_POSITIVE},
    ),
    "Piecewise": Kind({"points": {0: 0, 4: 1.5, 9: (0.5, "Polynomial", 3)}}, piecewise()),
    "PiecewiseConstant": Kind({"points": {0: 1, 4: 0.5}}, stairs()),
    "Warmup": Kind({"steps": 8}, warmups(), NO_STEPS),
    "Power": Kind({"exponent": 2}, powers),
}


# -- the combinations: each closed form goes through all the parts ---------------------------------


def of_parts(curve: Any, closed_form: Callable[[float], float], parts: Collection[Pair]) -> Pair:
    """A curve that plays one of its parts at each step."""
    return pair(curve, closed_form, [end for part in parts for end in (part.low, part.high)])


@st.composite
def joins(draw: st.DrawFn, parts: st.SearchStrategy[Pair]) -> Pair:
    pairs = draw(st.lists(parts, min_size=1, max_size=4))
    boundaries = sorted(draw(steps) for _ in pairs[1:])

    def value(t: float) -> float:
        playing, since = pairs[0], 0.0
        for pair, boundary in zip(pairs[1:], boundaries):
            if t >= boundary:
                playing, since = pair, boundary
        return playing.closed_form(t - since)

    curve = curves.join([pair.curve for pair in pairs], boundaries)
    return of_parts(curve, value, pairs)


# A number stands for a curve beside an operator.
constant_numbers = values.map(lambda value: pair(value, lambda t: value, [value]))


@st.composite
def operations(draw: st.DrawFn, parts: st.SearchStrategy[Pair]) -> Pair:
    operate = draw(st.sampled_from([operator.add, operator.sub, operator.mul]))
    sides = [(parts, parts), (parts, constant_numbers), (constant_numbers, parts)]
    a, b = map(draw, draw(st.sampled_from(sides)))
    return pair(
        operate(a.curve, b.curve),
        lambda t: operate(a.closed_form(t), b.closed_form(t)),
        [operate(x, y) for x in (a.low, a.high) for y in (b.low, b.high)],
    )


@st.composite
def clips(draw: st.DrawFn, parts: st.SearchStrategy[Pair]) -> Pair:
    a, (low, high) = draw(parts), sorted([draw(values), draw(values)])
    curve = curves.clip(a.curve, low, high)
    return Pair(curve, lambda t: sorted([low, a.closed_form(t), high])[1], low, high)


@st.composite
def repeats(draw: st.DrawFn, parts: st.SearchStrategy[Pair]) -> Pair:
    a, length = draw(parts), draw(some_steps)
    growth = draw(st.sampled_from([1, 1.5, 2, 3]))
    decay = draw(st.sampled_from([1, 0.9, 0.5]))

    def value(t: float) -> float:
        if t <= 0:
            return a.closed_form(t)
        if growth == 1:
            cycle = Fraction(t) // Fraction(length)
            since = float(Fraction(t) - cycle * Fraction(length))
        else:
            cycle, start = 0, 0.0
            while t >= start + length * growth**cycle:
                start, cycle = start + length * growth**cycle, cycle + 1
            since = (t - start) / growth**cycle
        return a.closed_form(since) * float(decay) ** cycle

    curve = curves.repeat(a.curve, length, growth=growth, decay=decay)
    towards = [0.0] if decay < 1 else []
    return pair(curve, value, [a.low, a.high, *towards])


@st.composite
def delays(draw: st.DrawFn, parts: st.SearchStrategy[Pair]) -> Pair:
    a, length = draw(parts), draw(st.integers(-40, 40).map(lambda n: n / 2))
    curve = curves.delay(a.curve, length)
    return Pair(curve, lambda t: a.closed_form(0 if t < length else t - length), a.low, a.high)


@st.composite
def stretches(draw: st.DrawFn, parts: st.SearchStrategy[Pair]) -> Pair:
    # Powers of 2, so that no division rounds.
    a, factor = draw(parts), draw(st.sampled_from([0.25, 0.5, 1, 4, 8.0]))
    return Pair(curves.stretch(a.curve, factor), lambda t: a.closed_form(t / factor), a.low, a.high)


@st.composite
def switches(draw: st.DrawFn, parts: st.SearchStrategy[Pair]) -> Pair:
    by_step = draw(st.dictionaries(steps, parts, min_size=1, max_size=4))

    def value(t: float) -> float:
        playing = max((step for step in by_step if step <= t), default=min(by_step))
        return by_step[playing].closed_form(t)

    curve = curves.switch({step: pair.curve for step, pair in by_step.items()})
    return of_parts(curve, value, by_step.values())


@st.composite
def staircases(draw: st.DrawFn, parts: st.SearchStrategy[Pair]) -> Pair:
    a, every = draw(parts), draw(some_steps)
    exact = Fraction(every)

    def value(t: float) -> float:
        return a.closed_form(float(Fraction(t) // exact * exact))

    return Pair(curves.staircase(a.curve, every), value, a.low, a.high)


PARTS = [curves.Linear(0, 1, 4), curves.Cosine(1, 0, 4)]

COMBINATIONS: dict[str, Kind] = {
    "join": Kind({"curves": PARTS, "boundaries": [4]}, joins),
    "clip": Kind(
        {"curve": curves.InverseSqrt(1, 10), "low": 0.1, "high": 0.9},
        clips,
        {"low": [1.5], "high": [0.05]},
    ),
    "repeat": Kind(
        {"curve": PARTS[1], "steps": 4, "growth": 2, "decay": 0.5},
        repeats,
        {"steps": NOT_POSITIVE, "growth": [0, 0.99, -2], "decay": [0, 1.01, -0.5]},
    ),
    "delay": Kind({"curve": PARTS[0], "steps": 2}, delays),
    "stretch": Kind({"curve": PARTS[0], "factor": 2.5}, stretches, {"factor": NOT_POSITIVE}),
    "switch": Kind({"curves": {0: PARTS[0], 2: PARTS[1]}}, switches),
    "staircase": Kind({"curve": PARTS[0], "every": 3}, staircases, {"every": NOT_POSITIVE}),
}


# -- all of them -----------------------------------------------------------------------------------

KINDS = {**SHAPES, **COMBINATIONS}


def make(name: str, **changed: Any) -> Any:
    """The example of a kind, with some arguments changed."""
    return getattr(curves, name)(**{**KINDS[name].example, **changed})


EXAMPLES = [
    *map(make, KINDS),
    PARTS[0] * PARTS[1],
    0.5 * PARTS[0],
    PARTS[0] + PARTS[1] * 3,
    1 - (PARTS[0] - 0.25),
]

# A power of the step is beyond all others, and would hide their faults.
shapes = st.one_of(*(kind.pairs for name, kind in SHAPES.items() if name != "Power"))
pairs = shapes
for _ in range(DEPTH):
    combined = [kind.pairs(pairs) for kind in COMBINATIONS.values()]
    pairs = st.one_of(shapes, *combined, operations(pairs), operations(pairs))
