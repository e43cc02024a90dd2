"""Random curves, four combinations deep, against an oracle that says the same by brute force."""

from __future__ import annotations

import json
import math
import pickle
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st

from tsa_builtins import curves

DEPTH = 4


@dataclass(frozen=True)
class Pair:
    """A curve, what it must give, and between what."""

    curve: Any
    oracle: Callable[[float], float]
    low: float
    high: float

    def __repr__(self) -> str:
        return repr(self.curve)


values = st.floats(-4, 4).map(lambda x: round(x, 3))
# Halves, so that the oracle and the curve meet restarts and boundaries at the same floats.
steps = st.integers(0, 40).map(lambda n: n / 2)
some_steps = st.integers(1, 40).map(lambda n: n / 2)
times = st.one_of(
    st.integers(-10, 200),
    st.integers(-20, 400).map(lambda n: n / 2),
    st.floats(-10, 200).map(lambda x: round(x, 2)),
    st.sampled_from([10**6, 10**9, 1e9 + 0.5]),
)


# -- the shapes, each as its formula ---------------------------------------------------------------


def between(start: float, end: float, length: float, done: Callable[[float], float]) -> Any:
    """From start to end, of which the share ``done(p)`` is behind one."""

    def value(t: float) -> float:
        if t <= 0:
            return start
        return end if t >= length else start * (1 - done(t / length)) + end * done(t / length)

    return value


@st.composite
def transitions(draw: st.DrawFn) -> Pair:
    start, end, length = draw(values), draw(values), draw(steps)
    exponent = draw(st.sampled_from([0.5, 1, 2, 3.7]))
    name, extra, done = draw(
        st.sampled_from(
            [
                ("Linear", (), lambda p: p),
                ("Cosine", (), lambda p: math.sin(math.pi / 2 * p) ** 2),
                ("QuarterCosine", (), lambda p: 1 - math.sin(math.pi / 2 * (1 - p))),
                ("OneMinusSqrt", (), lambda p: p**0.5),
                ("Polynomial", (exponent,), lambda p: 1 - (1 - p) ** exponent),
            ]
        )
    )
    curve = getattr(curves, name)(start, end, length, *extra)
    return Pair(curve, between(start, end, length, done), min(start, end), max(start, end))


@st.composite
def constants(draw: st.DrawFn) -> Pair:
    value = draw(values)
    return Pair(curves.Constant(value), lambda t: value, value, value)


@st.composite
def exponentials(draw: st.DrawFn) -> Pair:
    sizes = st.floats(0.01, 4)
    sign = draw(st.sampled_from([-1, 1]))
    start, end, length = sign * draw(sizes), sign * draw(sizes), draw(steps)

    def value(t: float) -> float:
        if t <= 0:
            return start
        if t >= length:
            return end
        p = t / length
        return sign * math.exp((1 - p) * math.log(abs(start)) + p * math.log(abs(end)))

    return Pair(curves.Exponential(start, end, length), value, min(start, end), max(start, end))


@st.composite
def inverse_sqrts(draw: st.DrawFn) -> Pair:
    start, scale = draw(values), draw(some_steps)

    def value(t: float) -> float:
        return start * (scale / (scale + max(t, 0))) ** 0.5

    return Pair(curves.InverseSqrt(start, scale), value, min(start, 0), max(start, 0))


@st.composite
def piecewise(draw: st.DrawFn) -> Pair:
    points = draw(st.dictionaries(steps, values, min_size=1, max_size=5))
    linear = draw(st.booleans())

    def value(t: float) -> float:
        before = [step for step in points if step <= t]
        after = [step for step in points if step > t]
        if not before:
            return points[min(points)]
        if not after or not linear:
            return points[max(before)]
        a, b = max(before), min(after)
        return (points[a] * (b - t) + points[b] * (t - a)) / (b - a)

    kind = curves.PiecewiseLinear if linear else curves.PiecewiseConstant
    return Pair(kind(points), value, min(points.values()), max(points.values()))


shapes = st.one_of(transitions(), constants(), exponentials(), inverse_sqrts(), piecewise())


# -- the combinations, each by going through all that there is ------------------------------------


@st.composite
def joins(draw: st.DrawFn, parts: st.SearchStrategy[Pair]) -> Pair:
    pairs = draw(st.lists(parts, min_size=1, max_size=4))
    boundaries = sorted(draw(steps) for _ in pairs[1:])

    def value(t: float) -> float:
        playing, since = pairs[0], 0.0
        for pair, boundary in zip(pairs[1:], boundaries):
            if t >= boundary:
                playing, since = pair, boundary
        return playing.oracle(t - since)

    curve = curves.join([pair.curve for pair in pairs], boundaries)
    return Pair(curve, value, min(p.low for p in pairs), max(p.high for p in pairs))


@st.composite
def products(draw: st.DrawFn, parts: st.SearchStrategy[Pair]) -> Pair:
    a, b = draw(parts), draw(parts)
    ends = [x * y for x in (a.low, a.high) for y in (b.low, b.high)]
    return Pair(a.curve * b.curve, lambda t: a.oracle(t) * b.oracle(t), min(ends), max(ends))


@st.composite
def scaled(draw: st.DrawFn, parts: st.SearchStrategy[Pair]) -> Pair:
    factor, a, left = draw(values), draw(parts), draw(st.booleans())
    ends = [factor * a.low, factor * a.high]
    curve = factor * a.curve if left else a.curve * factor
    return Pair(curve, lambda t: factor * a.oracle(t), min(ends), max(ends))


@st.composite
def clips(draw: st.DrawFn, parts: st.SearchStrategy[Pair]) -> Pair:
    a, (low, high) = draw(parts), sorted([draw(values), draw(values)])

    def value(t: float) -> float:
        return sorted([low, a.oracle(t), high])[1]

    return Pair(curves.clip(a.curve, low, high), value, low, high)


@st.composite
def repeats(draw: st.DrawFn, parts: st.SearchStrategy[Pair]) -> Pair:
    a, length = draw(parts), draw(some_steps)
    growth = draw(st.sampled_from([1, 1.5, 2, 3]))
    decay = draw(st.sampled_from([1, 0.9, 0.5]))

    def value(t: float) -> float:
        if t <= 0:
            return a.oracle(t)
        if growth == 1:
            cycle, start = Fraction(t) // Fraction(length), 0.0
            since = float(Fraction(t) - cycle * Fraction(length))
        else:
            cycle, start = 0, 0.0
            while t >= start + length * growth**cycle:
                start, cycle = start + length * growth**cycle, cycle + 1
            since = (t - start) / growth**cycle
        return a.oracle(since) * float(decay) ** cycle

    # A decay draws the values towards 0.
    low, high = (a.low, a.high) if decay == 1 else (min(a.low, 0), max(a.high, 0))
    curve = curves.repeat(a.curve, length, growth=growth, decay=decay)
    return Pair(curve, value, low, high)


@st.composite
def delays(draw: st.DrawFn, parts: st.SearchStrategy[Pair]) -> Pair:
    a, length = draw(parts), draw(st.integers(-40, 40).map(lambda n: n / 2))

    def value(t: float) -> float:
        return a.oracle(0 if t < length else t - length)

    return Pair(curves.delay(a.curve, length), value, a.low, a.high)


pairs = shapes
for _ in range(DEPTH):
    pairs = st.one_of(
        shapes,
        *(kind(pairs) for kind in (joins, products, scaled, clips, repeats, delays)),
    )


def rounding(pair: Pair) -> float:
    """Four levels of rounding, in relation to the largest number that can be in it."""
    return 1e-12 * max(1, 4**DEPTH, abs(pair.low), abs(pair.high))


@given(pair=pairs, t=times)
def test_a_curve_gives_what_its_parts_say(pair: Pair, t: float) -> None:
    """However shapes are combined, λ(t) is what one finds by going through the parts."""
    # Close to a jump or a clip, the last bit may decide; the steps drawn keep away from both.
    assert pair.curve(t) == pytest.approx(pair.oracle(t), rel=1e-12, abs=rounding(pair))


@given(pair=pairs, t=times)
def test_a_curve_is_finite_and_within_the_range_of_its_parts(pair: Pair, t: float) -> None:
    """λ(t) is finite at any t, before 0 and far past the end, and no part reaches further."""
    assert math.isfinite(pair.curve(t))
    assert pair.low - rounding(pair) <= pair.curve(t) <= pair.high + rounding(pair)


@given(pair=pairs, ts=st.lists(times, max_size=6))
def test_an_array_gives_exactly_what_its_steps_give(pair: Pair, ts: list[float]) -> None:
    """A NumPy array and a tensor give, bit for bit, the numbers of the steps one by one."""
    one_by_one = [float(pair.curve(t)) for t in ts]
    assert pair.curve(np.array(ts, dtype=float)).tolist() == one_by_one
    assert pair.curve(torch.tensor(ts, dtype=torch.float64)).tolist() == one_by_one


@given(pair=pairs)
@example(pair=Pair(curves.PiecewiseConstant({3: 1, 0.5: 2}), abs, 0, 0))
def test_a_curve_comes_back_equal(pair: Pair) -> None:
    """JSON, pickle and the expression that ``repr`` shows give an equal curve of the same hash."""
    curve = pair.curve
    for back in (
        curves.from_dict(json.loads(json.dumps(curves.to_dict(curve)))),
        pickle.loads(pickle.dumps(curve)),
        eval(repr(curve), dict(vars(curves))),
    ):
        assert back == curve
        assert hash(back) == hash(curve)
        assert repr(back) == repr(curve)
