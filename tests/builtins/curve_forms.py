"""Every kind of curve, entered once: the tests over all curves read it here.

A kind has arguments that it takes, numbers that it refuses, and random curves with a closed form.
"""

from __future__ import annotations

import copy
import math
import operator
from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from hypothesis import strategies as st
from small_runs import through_json, through_pickle

from tsa_builtins import curves

DEPTH = 4


class Pair:
    """A curve, its closed form, and the range of its values, from the least to the greatest."""

    def __init__(self, curve: Any, closed_form: Callable[[float], float], *values: float) -> None:
        self.curve, self.closed_form = curve, closed_form
        self.low, self.high = min(values), max(values)

    @property
    def rounding(self) -> float:
        """The rounding of all levels, relative to the largest number that can occur."""
        return 1e-12 * max(1, 4**DEPTH, abs(self.low), abs(self.high))

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

Formula = Callable[..., float]


def blend(done: Formula) -> Formula:
    """The formula of a shape that has gone the share ``done(p, n)`` of its way of n steps."""

    def formula(p: float, n: float, start: float, end: float, **own: float) -> float:
        return start * (1 - done(p, n, **own)) + end * done(p, n, **own)

    return formula


# λ between the ends, of progress p, the length n, ``start``, ``end`` and the other arguments.
TRANSITIONS: dict[str, Formula] = {
    "Linear": blend(lambda p, n: p),
    "Cosine": blend(lambda p, n: math.sin(math.pi / 2 * p) ** 2),
    "QuarterCosine": blend(lambda p, n: 1 - math.sin(math.pi / 2 * (1 - p))),
    "OneMinusSqrt": blend(lambda p, n: p**0.5),
    "Polynomial": blend(lambda p, n, exponent: 1 - (1 - p) ** exponent),
    "Exponential": lambda p, n, start, end: math.copysign(
        abs(start) ** (1 - p) * abs(end) ** p, start
    ),
    "Logarithmic": blend(lambda p, n: math.log(1 + p * n, 1 + n)),
}
# The arguments after ``steps``, with a strategy for each.
OWN = {"Polynomial": {"exponent": st.sampled_from([0.5, 1, 2, 3.7])}}


def at_progress(
    formula: Formula, t: float, start: float, end: float, steps: float, **own: float
) -> float:
    if t <= 0:
        return start
    return end if t >= steps else formula(t / steps, steps, start, end, **own)


def of_one_sign(sign: int) -> st.SearchStrategy[float]:
    return st.floats(0.01, 4).map(lambda size: sign * size)


signs = st.sampled_from([-1, 1])


@st.composite
def transitions(draw: st.DrawFn, name: str) -> Pair:
    end = of_one_sign(draw(signs)) if name == "Exponential" else values
    ends, length = (draw(end), draw(end)), draw(steps)
    own = draw(st.fixed_dictionaries(OWN.get(name, {})))
    curve = getattr(curves, name)(*ends, length, **own)
    return Pair(curve, lambda t: at_progress(TRANSITIONS[name], t, *ends, length, **own), *ends)


@st.composite
def inverse_powers(draw: st.DrawFn, name: str, exponents: list[float]) -> Pair:
    start, scale, exponent = draw(values), draw(some_steps), draw(st.sampled_from(exponents))
    others = (exponent,) if len(exponents) > 1 else ()
    curve = getattr(curves, name)(start, scale, *others)
    return Pair(curve, lambda t: start * (scale / (scale + max(t, 0))) ** exponent, start, 0)


@st.composite
def piecewise(draw: st.DrawFn) -> Pair:
    levels = draw(st.dictionaries(steps, of_one_sign(draw(signs)), min_size=1, max_size=5))
    shapes: dict[float, tuple[str, dict[str, float]]] = {}
    for step in sorted(levels)[1:]:
        name = draw(st.sampled_from([*TRANSITIONS]))
        shapes[step] = (name, draw(st.fixed_dictionaries(OWN.get(name, {}))))

    def value(t: float) -> float:
        before = max((step for step in levels if step <= t), default=min(levels))
        after = min((step for step in levels if step > t), default=max(levels))
        name, own = shapes.get(after, ("Linear", {}))
        ends = levels[before], levels[after], after - before
        return at_progress(TRANSITIONS[name], t - before, *ends, **own)

    points: dict[float, Any] = dict(levels)
    for step, (name, own) in shapes.items():
        if name != "Linear" or draw(st.booleans()):
            points[step] = (levels[step], name, *own.values())
    return Pair(curves.Piecewise(points), value, *levels.values())


@st.composite
def stairs(draw: st.DrawFn) -> Pair:
    points = draw(st.dictionaries(steps, values, min_size=1, max_size=5))

    def value(t: float) -> float:
        return points[max((step for step in points if step <= t), default=min(points))]

    return Pair(curves.PiecewiseConstant(points), value, *points.values())


@st.composite
def warmups(draw: st.DrawFn) -> Pair:
    length, skip_zero = draw(steps), draw(st.booleans())

    def value(t: float) -> float:
        t = max(t, 0)
        return 1 if t >= length else (t + skip_zero) / (length + skip_zero)

    return Pair(curves.Warmup(length, skip_zero), value, 0, 1)


constants = values.map(lambda value: Pair(curves.Constant(value), lambda t: value, value))
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


@st.composite
def joins(draw: st.DrawFn, parts: st.SearchStrategy[Pair]) -> Pair:
    in_turn = draw(st.lists(parts, min_size=1, max_size=4))
    boundaries = sorted(draw(steps) for _ in in_turn[1:])

    def value(t: float) -> float:
        playing = sum(t >= boundary for boundary in boundaries)
        return in_turn[playing].closed_form(t - (0, *boundaries)[playing])

    curve = curves.join([part.curve for part in in_turn], boundaries)
    return Pair(curve, value, *(end for part in in_turn for end in (part.low, part.high)))


# A number stands for a curve beside an operator.
constant_numbers = values.map(lambda value: Pair(value, lambda t: value, value))


@st.composite
def operations(draw: st.DrawFn, parts: st.SearchStrategy[Pair]) -> Pair:
    operate = draw(st.sampled_from([operator.add, operator.sub, operator.mul]))
    sides = [(parts, parts), (parts, constant_numbers), (constant_numbers, parts)]
    a, b = map(draw, draw(st.sampled_from(sides)))
    return Pair(
        operate(a.curve, b.curve),
        lambda t: operate(a.closed_form(t), b.closed_form(t)),
        *(operate(x, y) for x in (a.low, a.high) for y in (b.low, b.high)),
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
    return Pair(curve, value, a.low, a.high, *([0] if decay < 1 else []))


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

    curve = curves.switch({step: part.curve for step, part in by_step.items()})
    return Pair(curve, value, *(end for part in by_step.values() for end in (part.low, part.high)))


@st.composite
def staircases(draw: st.DrawFn, parts: st.SearchStrategy[Pair]) -> Pair:
    a, every = draw(parts), draw(some_steps)
    curve, exact = curves.staircase(a.curve, every), Fraction(every)
    return Pair(curve, lambda t: a.closed_form(float(Fraction(t) // exact * exact)), a.low, a.high)


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


def assert_comes_back(curve: curves.Curve) -> None:
    """Copies, JSON, pickle and the expression that ``repr`` shows give an equal curve."""
    record = curves.to_dict(curve)
    assert through_json(record) == record
    copies = copy.copy(curve), copy.deepcopy(curve), through_pickle(curve)
    for back in (*copies, curves.from_dict(record), eval(repr(curve), dict(vars(curves)))):
        assert back == curve
        assert hash(back) == hash(curve)
        assert repr(back) == repr(curve)


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
