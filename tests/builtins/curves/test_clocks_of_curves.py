"""Stairs, and the steps at which curves hand over and turn."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from curve_forms import third
from hypothesis import given
from hypothesis import strategies as st

from tsa_builtins.curves import (
    Constant,
    Cosine,
    Linear,
    Piecewise,
    PiecewiseConstant,
    clip,
    delay,
    join,
    repeat,
    staircase,
    stretch,
    switch,
)


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


def test_a_staircase_is_finite_far_out() -> None:
    """However many stairs there are, the value is one of the curve's."""
    for every in (1e-300, 1e-9, 3, 0.1, 1e300):
        for t in (0, 1, 1e9, 1e15, 1e18, 1.7e308):
            assert 0 <= staircase(Cosine(1, 0, 3), every)(t) <= 1


JOINED = join([Linear(0, 1, 10), Constant(1), Linear(1, 0, 20)], [10, 50])
SWITCHED = join([third, third, third], [5, 50])
BOUNDARIES: list[tuple[Any, tuple[float, ...]]] = [
    (JOINED, (10, 50)),
    (clip(JOINED, 0.1, 1), (10, 50)),
    (0.5 * JOINED, (10, 50)),
    (JOINED * join([third, third], [30]), (10, 30, 50)),
    (third * JOINED, (10, 50)),
    (1 - JOINED + third, (10, 50)),
    (JOINED + join([third, third, third], [3, 10]), (3, 10, 50)),
    (delay(JOINED, 5), (15, 55)),
    (delay(JOINED, -20), (30,)),
    (stretch(JOINED, 2.5), (25, 125)),
    (repeat(JOINED, 70), ()),
    (Linear(0, 1, 10), ()),
    (clip(third, 0, 1), ()),
    (switch({0: SWITCHED, 20: third, 40: SWITCHED}), (5, 20, 40, 50)),
    (switch({0: SWITCHED, 20: SWITCHED}), (5, 20, 50)),
    (staircase(join([third, third], [7]), 3), (9,)),
    (Piecewise({5: 1, 9: 2, 0: 3}), (0, 5, 9)),
    (PiecewiseConstant({5: 1, 9: 2, 0: 3}), (5, 9)),
]


def test_boundaries_are_the_steps_of_the_combined_curve() -> None:
    """A combination moves the boundaries of the joins inside it as it moves their values."""
    assert [curve.boundaries for curve, _ in BOUNDARIES] == [steps for _, steps in BOUNDARIES]


PART = join([Linear(0, 1, 4), third, Linear(1, 0, 3)], [6, 10])  # third has no turns
TURNS: list[tuple[Any, tuple[float, ...]]] = [
    (PART, (4, 6, 10, 13)),
    (Constant(1.0), ()),
    (join([PART, PART], [8]), (4, 6, 8, 12, 14, 18, 21)),
    (join([third, delay(PART, 20)], [100]), (100, 120, 124, 126, 130, 133)),
    (switch({0: third, 5: PART}), (5, 6, 10, 13)),
    (stretch(join([PART, third], [20]), 10), (40, 60, 100, 130, 200)),
    (delay(PART, -5), (1, 5, 8)),
    (repeat(PART, 9), (4, 6, 9)),
    (staircase(PART, 5), (5, 10, 15)),
    (staircase(PART, 5e-324), (4, 6, 10, 13)),
    (1 - clip(2 * PART, 0, 1) + Cosine(1, 0, 5), (4, 5, 6, 10, 13)),
    (Piecewise({0: 1, 3: 2, 7: 0}), (3, 7)),
]


def test_a_curve_knows_the_turns_of_the_curves_in_it() -> None:
    """The turns are on the clock of the whole; those that never play are left out."""
    assert [curve.turns for curve, _ in TURNS] == [steps for _, steps in TURNS]
    assert staircase(PART, 5e-324).boundaries == (6, 10)
