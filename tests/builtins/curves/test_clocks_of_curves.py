"""``switch``, ``staircase`` and ``Warmup``: which step of its own a curve plays."""

from __future__ import annotations

import math
import re
from fractions import Fraction
from typing import Any

import pytest
from curve_forms import third
from hypothesis import given
from hypothesis import strategies as st

from tsa_builtins import curves
from tsa_builtins.curves import (
    Constant,
    Cosine,
    Linear,
    Piecewise,
    Warmup,
    clip,
    delay,
    from_dict,
    join,
    repeat,
    staircase,
    stretch,
    switch,
)


def test_switch_plays_on_the_runs_own_clock() -> None:
    """Each curve plays at the step of the run, where a join starts it at its own 0."""
    curve = switch({10: lambda t: 100 + t, 4: third, 6: Constant(9)})
    assert [curve(t) for t in (-3, 0, 3, 5.9, 6, 9.5, 10, 1e6)] == [
        -1, 0, 1, pytest.approx(5.9 / 3), 9, 9, 110, 1_000_100
    ]  # fmt: skip
    decay = Linear(1, 0, 100)
    assert switch({0: Constant(1), 60: decay})(60) == decay(60)
    assert join([Constant(1), decay], [60])(60) == decay(0)


def test_switch_has_its_boundaries_and_those_that_play() -> None:
    """A boundary of a part shows where that part plays."""
    part = join([third, third, third], [5, 50])
    assert switch({0: part, 20: third, 40: part}).boundaries == (5, 20, 40, 50)
    assert switch({0: part, 20: part}).boundaries == (5, 20, 50)


def test_switch_as_data() -> None:
    """The curves by step are a mapping, with strings as keys too, or pairs."""
    line, record = Linear(1, 0, 100), {"kind": "Linear", "start": 1, "end": 0, "steps": 100}
    one = {"kind": "Constant", "value": 1}
    for form in ({0: one, 50: record}, {"0": one, "50": record}, [[0, one], [50, record]]):
        assert from_dict({"kind": "Switch", "curves": form}) == switch({0: Constant(1), 50: line})
    with pytest.raises(ValueError, match=r"^curves\.50\.steps: expected 0 or more"):
        from_dict({"kind": "Switch", "curves": {0: one, "50": {**record, "steps": -1}}})
    with pytest.raises(TypeError, match=r"^curves\.x: expected a number"):
        from_dict({"kind": "Switch", "curves": {"x": one}})


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ({}, ValueError, "curves: expected at least one {step: curve}"),
        (third, TypeError, "curves: expected a mapping {step: curve}"),
        ({0: 1.0}, TypeError, "curves: the curve at 0: expected a curve"),
        ({-1: third}, ValueError, "curves: a step: expected 0 or more, got -1"),
        ({math.nan: third}, ValueError, "curves: a step: expected a finite"),
        ([(0, third), (0.0, third)], ValueError, "curves: expected each step once, got 0 twice"),
    ],
)
def test_a_switch_that_does_not_fit_is_refused(
    given: Any, error: type[Exception], message: str
) -> None:
    """The error names the argument, and the step where there is one."""
    with pytest.raises(error, match=re.escape(message)):
        switch(given)


def test_staircase_holds_each_value() -> None:
    """A value moves at the multiples of ``every`` alone."""
    curve = staircase(third, 3)
    assert [curve(t) for t in (-1, 0, 2, 2.999, 3, 5, 6, 10**15 + 1)] == [
        -1, 0, 0, 0, 1, 1, 2, 333333333333333
    ]  # fmt: skip
    assert staircase(join([third, third], [7]), 3).boundaries == (9,)


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


@pytest.mark.parametrize("every", [1e-300, 1e-9, 3, 0.1, 1e300])
def test_a_staircase_is_finite_far_out(every: float) -> None:
    """However many stairs there are, the value is one of the curve's."""
    for t in (0, 1, 1e9, 1e15, 1e18, 1.7e308):
        assert 0 <= staircase(Cosine(1, 0, 3), every)(t) <= 1


@pytest.mark.parametrize("steps", [4, 2.5, 1])
def test_a_warmup_rises_to_1(steps: float) -> None:
    """λ is t/steps, or one step further in its course, then 1; and λ(0) before 0."""
    for t in (-5, -0.5, 0, 0.25, 1, 2, 2.4999, 4, 5, 10**30):
        since = max(t, 0)
        assert Warmup(steps)(t) == pytest.approx(min(since / steps, 1))
        expected = min((since + 1) / (steps + 1), 1)
        assert Warmup(steps, skip_zero=True)(t) == pytest.approx(expected)
    assert Warmup(steps, skip_zero=True)(0) == 1 / (steps + 1)


@pytest.mark.parametrize("skip_zero", [False, True])
def test_a_warmup_of_no_steps_is_1(skip_zero: bool) -> None:
    """There is no warmup, from the start on."""
    assert [Warmup(0, skip_zero)(t) for t in (-1, 0, 1e-9, 5)] == [1, 1, 1, 1]


@pytest.mark.parametrize("bad", [1, 0, "yes", None])
def test_a_flag_is_a_bool(bad: Any) -> None:
    """``skip_zero`` is true or false, in code and in data."""
    with pytest.raises(TypeError, match="skip_zero: expected true or false"):
        Warmup(4, bad)
    with pytest.raises(TypeError, match=r"^skip_zero: expected true or false"):
        from_dict({"kind": "Warmup", "steps": 4, "skip_zero": bad})


def test_a_staircase_of_epochs() -> None:
    """In a plan of epochs the value moves at the first iteration of an epoch."""
    epochs = stretch(staircase(Linear(1, 0, 90), 1), 391)
    assert [epochs(t) for t in (0, 390, 391, 781, 782)] == [
        Linear(1, 0, 90)(epoch) for epoch in (0, 0, 1, 1, 2)
    ]


def test_the_classes_are_not_public() -> None:
    """Each combination has one public name, the function that makes it."""
    assert not set(vars(curves)) & {"Switch", "Staircase", "Sum", "Relay"}


def test_a_curve_knows_the_turns_of_the_curves_in_it() -> None:
    """The turns are on the clock of the whole; those that never play are left out."""
    part = join([Linear(0, 1, 4), third, Linear(1, 0, 3)], [6, 10])  # third has no turns
    assert part.turns == (4, 6, 10, 13)
    assert Constant(1.0).turns == ()
    assert join([part, part], [8]).turns == (4, 6, 8, 12, 14, 18, 21)
    assert join([third, delay(part, 20)], [100]).turns == (100, 120, 124, 126, 130, 133)
    assert switch({0: third, 5: part}).turns == (5, 6, 10, 13)
    assert stretch(join([part, third], [20]), 10).turns == (40, 60, 100, 130, 200)
    assert delay(part, -5).turns == (1, 5, 8)
    assert repeat(part, 9).turns == (4, 6, 9)
    assert staircase(part, 5).turns == (5, 10, 15)
    assert staircase(part, 5e-324).turns == (4, 6, 10, 13)
    assert staircase(part, 5e-324).boundaries == (6, 10)
    assert (1 - clip(2 * part, 0, 1) + Cosine(1, 0, 5)).turns == (4, 5, 6, 10, 13)
    assert Piecewise({0: 1, 3: 2, 7: 0}).turns == (3, 7)
