"""No boundary inside a combination comes a step late or early because floats round."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tsa_builtins.curves import (
    Constant,
    Linear,
    OneMinusSqrt,
    PiecewiseConstant,
    clip,
    delay,
    join,
    repeat,
    staircase,
    stretch,
    switch,
)

LOW, HIGH = Constant(0), Constant(1)


def exact(x: float) -> Fraction:
    """The decimal that a user wrote."""
    return Fraction(repr(x))


# By name: a curve that is HIGH from ``first + second`` on, written in two numbers.
JUMPS: dict[str, Callable[[float, float], Any]] = {
    "one join": lambda a, b: join([LOW, HIGH], [float(exact(a) + exact(b))]),
    "join in join": lambda a, b: join([LOW, join([LOW, HIGH], [b])], [a]),
    "stairs in join": lambda a, b: join([LOW, PiecewiseConstant({0: 0, b: 1})], [a]),
    "switch in join": lambda a, b: join([LOW, switch({0: LOW, b: HIGH})], [a]),
    "join in delay": lambda a, b: delay(join([LOW, HIGH], [b]), a),
    "join in two delays": lambda a, b: delay(delay(join([LOW, HIGH], [b]), a / 2), a / 2),
    "in a sum": lambda a, b: join([LOW, join([LOW, HIGH], [b]) + 0], [a]),
    "in a product": lambda a, b: join([LOW, 1 * join([LOW, HIGH], [b])], [a]),
    "in a clip": lambda a, b: clip(join([LOW, join([LOW, HIGH], [b])], [a]), 0, 1),
    "in stairs": lambda a, b: staircase(join([LOW, HIGH], [float(exact(a) + exact(b))]), 0.01),
    "in a repeat": lambda a, b: repeat(join([LOW, join([LOW, HIGH], [b])], [a]), 100),
    "in a switch": lambda a, b: switch({0: join([LOW, join([LOW, HIGH], [b])], [a])}),
}
cents = st.integers(1, 3000).map(lambda n: n / 100)


@pytest.mark.parametrize("name", JUMPS)
@given(first=cents, second=cents, per_epoch=st.sampled_from([10, 100, 391, 1000, 4999]))
@example(first=0.1, second=0.2, per_epoch=10)  # 0.3 − 0.1 is less than 0.2
def test_a_boundary_in_a_plan_of_epochs_is_at_its_step(
    name: str, first: float, second: float, per_epoch: int
) -> None:
    """A plan switches where the decimals add up, in epochs and stretched to steps."""
    curve, at = JUMPS[name](first, second), exact(first) + exact(second)
    assert (curve(float(at - Fraction(1, 10**6))), curve(float(at))) == (0, 1)
    step = math.ceil(at * per_epoch)
    stretched = stretch(curve, per_epoch)
    assert (stretched(step - 1), stretched(step)) == (0, 1)


@given(
    cycle=st.integers(0, 1000),
    tenths=st.integers(1, 99),
    per_epoch=st.sampled_from([10, 100, 400]),
)
def test_a_boundary_in_a_late_cycle_is_at_its_step(cycle: int, tenths: int, per_epoch: int) -> None:
    """The rounding of a thousand cycles does not reach the boundary inside one."""
    curve = stretch(repeat(join([LOW, HIGH], [tenths / 10]), 10), per_epoch)
    step = math.ceil((10 * cycle + Fraction(tenths, 10)) * per_epoch)
    assert (curve(step - 1), curve(step)) == (0, 1)


@given(every=st.integers(1, 99), stair=st.integers(1, 1000), per_epoch=st.sampled_from([100, 1000]))
def test_a_stair_of_a_fraction_is_at_its_step(every: int, stair: int, per_epoch: int) -> None:
    """A staircase of every/100 epochs moves at the first step of each of its stairs."""
    curve = stretch(staircase(lambda t: t, every / 100), per_epoch)
    step = math.ceil(Fraction(every * stair, 100) * per_epoch)
    assert curve(step) == pytest.approx(every * stair / 100)
    assert curve(step - 1) < curve(step)


@given(
    every=st.floats(1e-3, 1e3) | st.integers(1, 10**6),
    t=st.floats(-1e6, 1e12) | st.integers(0, 10**15),
)
def test_a_stair_is_the_exact_multiple(every: float, t: float) -> None:
    """The curve is called at every·⌊t/every⌋, but for the rounding of one product."""
    held = staircase(lambda since: since, every)(t)
    exact = Fraction(t) // Fraction(every) * Fraction(every)
    near = 1e-15 * abs(t) + 1e-300
    assert any(abs(held - stair) <= 2 * near for stair in (exact, exact + Fraction(every)))
    if exact + Fraction(every) - Fraction(t) > 2 * near:
        assert abs(held - exact) <= near


@given(every=st.floats(0.01, 100), stair=st.integers(0, 10**6), share=st.floats(0.01, 0.99))
def test_a_value_does_not_move_within_a_stair(every: float, stair: int, share: float) -> None:
    """All steps of one stair have the same value, to the bit."""
    curve = staircase(Linear(0, 1, 1e9), every)
    assert curve((stair + share) * every) == curve((stair + 0.5) * every)


def test_whole_boundaries_are_exact_however_far_out() -> None:
    """A hair never reaches from one whole step to the next, nor from one of 10^15 cycles."""
    for far, by in itertools.product([10**n for n in range(1, 18, 2)], (-1, 0, 1, 2)):
        for curve in (
            join([LOW, join([LOW, HIGH], [3])], [far - 3]),
            delay(join([LOW, HIGH], [3]), far - 3),
            join([LOW, switch({0: LOW, 3: HIGH})], [far - 3]),
        ):
            assert curve(far + by) == (by >= 0)
    for t in (1e16, 1e17, 1e18):
        assert repeat(lambda since: since, 0.75)(t) == float(Fraction(t) % Fraction(0.75))


@given(t=st.floats(0, 1e9), boundary=st.floats(0, 1e9))
def test_the_boundary_of_the_outermost_curve_is_exact(t: float, boundary: float) -> None:
    """A step of the caller's own is compared as it is, to the last bit."""
    for curve in (
        join([LOW, HIGH], [boundary]),
        switch({0: LOW, boundary + 1: HIGH}),
        PiecewiseConstant({0: 0, boundary + 1: 1}),
    ):
        at = curve.boundaries[0]
        for step in (t, at, math.nextafter(at, math.inf), math.nextafter(at, -math.inf)):
            assert curve(step) == (step >= at)


def test_a_part_begins_at_its_0() -> None:
    """A step a hair before a boundary or past it arrives as 0: no root of a hair, none of −0."""
    steep = join([LOW, join([LOW, OneMinusSqrt(1, 0, 1)], [0.2])], [0.1])
    assert stretch(steep, 10)(3) == 1
    assert join([LOW, join([LOW, math.sqrt], [0.2])], [0.1])(0.3) == 0
    assert repeat(math.sqrt, 0.1)(0.3) == 0  # 3 · 0.1 is above 0.3
    assert 0 < 0.9 % 0.3 < 1e-16
    assert repeat(lambda since: since, 0.3)(0.9) == 0
