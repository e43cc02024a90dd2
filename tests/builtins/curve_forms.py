"""Every kind of curve, entered once: the tests over all curves read it here.

A kind has arguments that it takes, numbers that it refuses, and random curves with a closed form.
"""

from __future__ import annotations

import math
from collections.abc import Callable
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
    (start, end), length = draw(transition.ends), draw(steps)
    others = {argument: draw(strategy) for argument, strategy in transition.others.items()}
    return Pair(
        getattr(curves, name)(start, end, length, **others),
        lambda t: at_progress(transition, t, start, end, length, **others),
        min(start, end),
        max(start, end),
    )


@st.composite
def constants(draw: st.DrawFn) -> Pair:
    value = draw(values)
    return Pair(curves.Constant(value), lambda t: value, value, value)


@st.composite
def inverse_powers(draw: st.DrawFn, name: str, exponents: list[float]) -> Pair:
    start, scale, exponent = draw(values), draw(some_steps), draw(st.sampled_from(exponents))
    others = (exponent,) if len(exponents) > 1 else ()
    return Pair(
        getattr(curves, name)(start, scale, *others),
        lambda t: start * (scale / (scale + max(t, 0))) ** exponent,
        min(start, 0),
        max(start, 0),
    )


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
    return Pair(curves.Piecewise(points), value, min(levels.values()), max(levels.values()))


@st.composite
def stairs(draw: st.DrawFn) -> Pair:
    points = draw(st.dictionaries(steps, values, min_size=1, max_size=5))

    def value(t: float) -> float:
        return points[max((step for step in points if step <= t), default=min(points))]

    ends = min(points.values()), max(points.values())
    return Pair(curves.PiecewiseConstant(points), value, *ends)


@st.composite
def warmups(draw: st.DrawFn) -> Pair:
    length, skip_zero = draw(steps), draw(st.booleans())

    def value(t: float) -> float:
        ahead = 1 if skip_zero else 0
        return 1 if t >= length or length == 0 else (max(t, 0) + ahead) / (length + ahead)

    return Pair(curves.Warmup(length, skip_zero), value, 0, 1)


@st.composite
def powers(draw: st.DrawFn) -> Pair:
    # Whole and above 0, so that every step has a power.
    exponent = draw(st.integers(1, 2))
    return Pair(curves.Power(exponent), lambda t: t if exponent == 1 else t * t, -100, 1e19)


ENDS: dict[str, Any] = {"start": 0.2, "end": 1.4, "steps": 8}
NO_STEPS: dict[str, list[Any]] = {"steps": [-1, -0.5, -1e-9]}
NOT_POSITIVE: list[Any] = [0, 0.0, -1, -0.5]

SHAPES: dict[str, Kind] = {
    "Constant": Kind({"value": 0.5}, constants()),
    "Linear": Kind(ENDS, transitions("Linear"), NO_STEPS),
    "Cosine": Kind(ENDS, transitions("Cosine"), NO_STEPS),
    "QuarterCosine": Kind(ENDS, transitions("QuarterCosine"), NO_STEPS),
    "OneMinusSqrt": Kind(ENDS, transitions("OneMinusSqrt"), NO_STEPS),
    "Polynomial": Kind(
        {**ENDS, "exponent": 3},
        transitions("Polynomial"),
        {**NO_STEPS, "exponent": NOT_POSITIVE},
    ),
    "Exponential": Kind(
        ENDS,
        transitions("Exponential"),
        {**NO_STEPS, "start": [0, -1], "end": [0, -1]},
    ),
    "Logarithmic": Kind(ENDS, transitions("Logarithmic"), NO_STEPS),
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
    "Power": Kind({"exponent": 2}, powers()),
}


# -- the combinations: each closed form goes through all the parts ---------------------------------


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
    return Pair(curve, value, min(p.low for p in pairs), max(p.high for p in pairs))


@st.composite
def products(draw: st.DrawFn, parts: st.SearchStrategy[Pair]) -> Pair:
    a, b = draw(parts), draw(parts)
    ends = [x * y for x in (a.low, a.high) for y in (b.low, b.high)]
    return Pair(
        a.curve * b.curve, lambda t: a.closed_form(t) * b.closed_form(t), min(ends), max(ends)
    )


@st.composite
def sums(draw: st.DrawFn, parts: st.SearchStrategy[Pair]) -> Pair:
    a, b, minus = draw(parts), draw(parts), draw(st.booleans())
    if minus:
        low, high = a.low - b.high, a.high - b.low
        return Pair(a.curve - b.curve, lambda t: a.closed_form(t) - b.closed_form(t), low, high)
    low, high = a.low + b.low, a.high + b.high
    return Pair(a.curve + b.curve, lambda t: a.closed_form(t) + b.closed_form(t), low, high)


@st.composite
def lifted(draw: st.DrawFn, parts: st.SearchStrategy[Pair]) -> Pair:
    by, a = draw(values), draw(parts)
    if draw(st.booleans()):
        return Pair(by - a.curve, lambda t: by - a.closed_form(t), by - a.high, by - a.low)
    return Pair(a.curve + by, lambda t: a.closed_form(t) + by, a.low + by, a.high + by)


@st.composite
def scaled(draw: st.DrawFn, parts: st.SearchStrategy[Pair]) -> Pair:
    factor, a, left = draw(values), draw(parts), draw(st.booleans())
    ends = [factor * a.low, factor * a.high]
    curve = factor * a.curve if left else a.curve * factor
    return Pair(curve, lambda t: factor * a.closed_form(t), min(ends), max(ends))


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

    # A decay draws the values towards 0.
    low, high = (a.low, a.high) if decay == 1 else (min(a.low, 0), max(a.high, 0))
    curve = curves.repeat(a.curve, length, growth=growth, decay=decay)
    return Pair(curve, value, low, high)


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
    pairs = by_step.values()
    return Pair(curve, value, min(p.low for p in pairs), max(p.high for p in pairs))


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
    combined = [combine(pairs) for combine in (kind.pairs for kind in COMBINATIONS.values())]
    operated = [products(pairs), sums(pairs), scaled(pairs), lifted(pairs)]
    pairs = st.one_of(shapes, *combined, *operated)
