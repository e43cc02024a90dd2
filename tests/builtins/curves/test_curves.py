"""The values of curves: random ones on their closed forms, and others at the steps that matter."""

from __future__ import annotations

import copy
import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch
from cases import examples
from curve_forms import KINDS, TRANSITIONS, Pair, assert_comes_back, make, pairs, shapes, third
from hypothesis import example, given, settings
from hypothesis import strategies as st
from small_runs import adamw, advance
from torch.optim.lr_scheduler import LambdaLR, MultiplicativeLR

from tsa_builtins import curves
from tsa_builtins.curves import (
    Constant,
    Cosine,
    Curve,
    InversePower,
    Linear,
    Piecewise,
    PiecewiseConstant,
    Power,
    clip,
    delay,
    join,
    repeat,
    staircase,
    stretch,
    switch,
)

# -- random curves, four combinations deep --------------------------------------------------------

times = st.one_of(
    st.integers(-10, 200),
    st.integers(-20, 400).map(lambda n: n / 2),
    st.floats(-10, 200).map(lambda x: round(x, 2)),
    st.sampled_from([10**6, 10**9, 1e9 + 0.5]),
)


def test_every_public_curve_is_drawn() -> None:
    """Every public name that makes a curve is among the kinds of the tests."""
    assert set(KINDS) == set(curves.__all__) - {"Curve", "from_dict", "to_dict"}


def assert_on_closed_form(pair: Pair, t: float) -> None:
    """λ(t) is that of the closed form, and in the range of its parts."""
    # Close to a jump or a bound of clip the last bit may decide. The steps drawn avoid both.
    value = pair.curve(t)
    assert value == pytest.approx(pair.closed_form(t), rel=1e-12, abs=pair.rounding)
    assert math.isfinite(value)
    assert pair.low - pair.rounding <= value <= pair.high + pair.rounding


@pytest.mark.parametrize("name", KINDS)
@settings(max_examples=examples(40))
@given(data=st.data(), t=times)
def test_a_kind_of_curve_has_the_value_of_its_closed_form(
    name: str, data: st.DataObject, t: float
) -> None:
    """λ(t) of a shape, or of a combination of shapes, is the value that the formulas give."""
    kind = KINDS[name]
    pair = data.draw(kind.pairs(shapes) if callable(kind.pairs) else kind.pairs)
    assert_on_closed_form(pair, t)
    assert_comes_back(pair.curve)


@given(pair=pairs, ts=st.lists(times, max_size=6))
@example(pair=Pair(curves.PiecewiseConstant({3: 1, 0.5: 2}), lambda t: 2 - (t >= 3), 1, 2), ts=[0])
def test_a_combination_of_combinations_has_the_value_of_its_closed_form(
    pair: Pair, ts: list[float]
) -> None:
    """An array or a tensor of steps gives, bit for bit, what the steps give one by one."""
    for t in ts:
        assert_on_closed_form(pair, t)
    one_by_one = [float(pair.curve(t)) for t in ts]
    assert pair.curve(np.array(ts, dtype=float)).tolist() == one_by_one
    assert pair.curve(torch.tensor(ts, dtype=torch.float64)).tolist() == one_by_one
    assert_comes_back(pair.curve)


# -- the shapes ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", TRANSITIONS)
def test_a_transition_holds_both_ends(name: str) -> None:
    """A transition is exactly ``start`` up to 0, and exactly ``end`` from ``steps`` on, forever."""
    curve, jump = (make(name, start=0.2, end=1.4, steps=steps) for steps in (8, 0))
    assert [curve(t) for t in (-math.inf, -10, 0)] == [0.2] * 3
    assert [curve(t) for t in (8, 9, 10**18, 10**30, math.inf)] == [1.4] * 5
    assert (jump(0), jump(1e-9)) == (0.2, 1.4)
    # Also where start + (end − start) rounds, and where end − start is hardly a float.
    for start, end in ((1e16, 1.0), (0.3, 0.7), (1e308, 5e307), (8e307, -8e307)):
        wide = make(name, start=start, end=abs(end) if name == "Exponential" else end)
        assert wide(8) == wide.end
        assert all(min(start, wide.end) <= wide(t / 4) <= max(start, end) for t in range(40))


def test_an_inverse_power_has_all_its_digits() -> None:
    """It is 0 where its power is beyond every float, and with any exponent the fall is exact."""
    assert InversePower(2, 1, 4)(1e200) == InversePower(2, 1e-300, 3)(1e300) == 0
    for exponent in (1e4, 1e9, 1e15):
        timescale = 1e3 * exponent  # as large as the exponent, so the fall is near e^(−t/1000)
        for t in (1, 10, 100):
            share = t / timescale  # three terms of the logarithm of 1 + share are enough
            expected = math.exp(-t / 1e3 * (1 - share / 2 + share**2 / 3))
            assert InversePower(1, timescale, exponent)(t) == pytest.approx(expected, rel=1e-11)


def test_power_is_a_power() -> None:
    """t^exponent, to the last bit with exponent 1; without a finite power, an error."""
    for t, exponent, power in (
        (0.25, -0.5, 2), (0.25, 0.5, 0.5), (3, 2, 9), (-3, 3, -27), (7, 0, 1)
    ):  # fmt: skip
        assert Power(exponent)(t) == power
    assert [Power(1)(t) for t in (0, 0.1, 1 / 3, -0.7, 1e300)] == [0, 0.1, 1 / 3, -0.7, 1e300]
    for exponent, t in ((-1, 0), (-0.5, 0.0), (0.5, -1), (2, 1e200)):
        with pytest.raises(ValueError, match=f"^t: expected .* a finite power {exponent}, "):
            Power(exponent)(t)


VALUES: dict[str, tuple[Any, dict[float, float]]] = {
    # The next curve plays from its boundary on; of equal boundaries, the last curve plays.
    "join": (join([third, Linear(5, 6, 10), Constant(9), lambda t: 100 + t], [6, 16, 16]),
             {-3: -1, 0: 0, 3: 1, 6: 5, 11: 5.5, 15: 5.9, 16: 100, 18: 102}),
    "switch": (switch({10: lambda t: 100 + t, 4: third, 6: Constant(9)}),
               {-3: -1, 0: 0, 3: 1, 6: 9, 9.5: 9, 10: 110, 1e6: 1_000_100}),
    # Cycles of 6, 12, 24, … steps start at 0, 6, 18, 42, …, each half as tall as the last.
    "repeat": (repeat(third, 6, growth=2, decay=0.5),
               {-3: -1, 0: 0, 3: 1, 6: 0, 9: 0.25, 12: 0.5, 18: 0, 30: 0.25, 42: 0}),
    # The second cycle, at step 10, is the last that any float reaches.
    "repeat of huge growth": (repeat(Linear(1, 0, 10), 10, growth=1e200, decay=0.5),
                              {0: 1, 5: 0.5, 10: 0.5, 1000: 0.5, 1e150: 0.5}),
    "staircase": (staircase(third, 3), {-1: -1, 0: 0, 2: 0, 2.999: 0, 3: 1, 5: 1, 6: 2,
                                        10**15 + 1: 333333333333333}),
}  # fmt: skip


def test_curves_have_these_values() -> None:
    """At these steps nothing rounds, so the values are exact."""
    for name, (curve, values) in VALUES.items():
        assert (name, {t: curve(t) for t in values}) == (name, values)


def test_clip_does_not_hide_a_nan() -> None:
    """A NaN of a callable passes through clip, so that the schedule can refuse it."""
    assert math.isnan(clip(lambda t: math.nan, 0, 1)(3))


# -- cycles ----------------------------------------------------------------------------------------


@settings(max_examples=examples(200))
@given(
    growth=st.sampled_from([1, 1.1, 1.5, 2, 3.7]),
    length=st.integers(1, 1000),
    parts=st.integers(1, 50),
    cycle=st.integers(0, 40),
)
def test_a_restart_is_at_its_step(growth: float, length: int, parts: int, cycle: int) -> None:
    """A cycle whose length is a quotient restarts at the step of the exact quotient."""
    exact = Fraction(length, parts)
    start = sum((exact * Fraction(growth) ** i for i in range(cycle)), Fraction(0))
    curve = repeat(lambda t: t, length / parts, growth=growth)
    # A hair before the restart it would be at the end of a cycle instead, at length/parts.
    assert curve(float(start)) == pytest.approx(0, abs=1e-9 * length / parts)
    level = repeat(Constant(1), length / parts, growth=growth, decay=0.5)
    assert level(float(start)) == 0.5**cycle


@given(
    steps=st.sampled_from([1, 3, 7, 1000]),
    magnitude=st.integers(0, 18),
    beyond=st.integers(0, 2000),
)
def test_whole_equal_cycles_are_exact_however_far_out(
    steps: int, magnitude: int, beyond: int
) -> None:
    """λ of equal cycles of whole steps is that of the exact remainder, beyond 10^15 cycles too."""
    t = 10**magnitude + beyond
    assert repeat(lambda since: since, steps)(t) == t % steps
    assert repeat(lambda since: since, float(steps))(float(t)) == int(float(t)) % steps


@given(
    growth=st.floats(1, 1e308) | st.integers(1, 10**308),
    steps=st.floats(1e-300, 1e308),
    t=st.floats(0, 1.7e308),
)
def test_cycles_and_stairs_are_finite_however_many(growth: float, steps: float, t: float) -> None:
    """However many have passed, λ is one of the curve's, and within one cycle."""
    assert 0 <= repeat(lambda since: since, steps)(t) <= steps
    for curve in (
        repeat(Constant(1), steps, decay=0.5),
        repeat(Cosine(1, 0, 3), steps, growth=growth),
        repeat(Cosine(1, 0, 3), steps, growth=growth, decay=0.5),
        staircase(Cosine(1, 0, 3), steps),
    ):
        assert 0 <= curve(t) <= 1


# -- boundaries and turns --------------------------------------------------------------------------

PART = join([Linear(0, 1, 4), third, Linear(1, 0, 3)], [6, 10])  # third has no turns
# The boundaries of a curve, and its turns.
KNOWN: list[tuple[Any, tuple[float, ...], tuple[float, ...]]] = [
    (PART, (6, 10), (4, 6, 10, 13)),
    (Constant(1.0), (), ()),
    (Linear(0, 1, 10), (), (10,)),
    (clip(third, 0, 1), (), ()),
    (third * PART * 0.5, (6, 10), (4, 6, 10, 13)),
    (PART * join([third, third], [8]), (6, 8, 10), (4, 6, 8, 10, 13)),
    (PART + join([third, third, third], [3, 10]), (3, 6, 10), (3, 4, 6, 10, 13)),
    (1 - clip(2 * PART, 0, 1) + Cosine(1, 0, 5), (6, 10), (4, 5, 6, 10, 13)),
    (join([PART, PART], [8]), (8,), (4, 6, 8, 12, 14, 18, 21)),
    (join([third, delay(PART, 20)], [100]), (100,), (100, 120, 124, 126, 130, 133)),
    (delay(PART, 5), (11, 15), (5, 9, 11, 15, 18)),
    (delay(PART, -5), (1, 5), (1, 5, 8)),
    (delay(PART, -8), (2,), (2, 5)),
    (stretch(PART, 2.5), (15, 25), (10, 15, 25, 32.5)),
    (repeat(PART, 9), (), (4, 6, 9)),
    (switch({0: PART, 7: third, 9: PART}), (6, 7, 9, 10), (4, 6, 7, 9, 10, 13)),
    (switch({0: switch({0: third, 5: PART}), 8: PART}), (5, 6, 8, 10), (5, 6, 8, 10, 13)),
    (staircase(PART, 5), (10,), (5, 10, 15)),
    (staircase(PART, 5e-324), (6, 10), (4, 6, 10, 13)),
    (Piecewise({5: 1, 9: 2, 0: 3}), (0, 5, 9), (5, 9)),
    (PiecewiseConstant({5: 1, 9: 2, 0: 3}), (5, 9), (5, 9)),
]


def test_a_curve_knows_its_boundaries_and_its_turns() -> None:
    """They are on the clock of the whole; those inside that never play are left out."""
    assert [(curve.boundaries, curve.turns) for curve, _, _ in KNOWN] == [
        (boundaries, turns) for _, boundaries, turns in KNOWN
    ]


# -- callables -------------------------------------------------------------------------------------


def test_a_callable_gets_python_numbers_one_by_one() -> None:
    """A function of one step is enough, also where the curve is called with an array."""
    seen: list[Any] = []

    def watching(t: float) -> float:
        seen.append(t)
        return t

    curve = watching * Constant(2)
    assert curve(np.array([1, 2])).tolist() == [2, 4]
    assert (curve(np.int64(3)), curve(np.float32(3))) == (6, 6)
    assert seen == [1, 2, 3, 3]
    assert [type(t) for t in seen[2:]] == [int, float]


def test_a_subclass_of_curve_is_called_inside_every_combination() -> None:
    """A subclass of ``Curve`` that defines ``__call__`` is combined like any other callable."""

    class Half(Curve):
        def __call__(self, t: Any) -> Any:
            return 0.5

    half = Half()
    assert (half * Linear(0, 1, 4))(2) == 0.25
    assert join([half, 2 * half], [3])(np.array([2, 3])).tolist() == [0.5, 1.0]
    combined = [clip(half, 0, 1), repeat(half, 3), delay(half, 3), stretch(half, 3), 1 * half]
    assert [curve(2) for curve in (*combined, join([half], []))] == [0.5] * 6


@pytest.mark.parametrize(
    ("scheduler", "curve"),
    [(LambdaLR, Linear(1.0, 0.5, 4)), (MultiplicativeLR, join([Constant(0.5)], []))],
)
def test_a_torch_scheduler_takes_and_saves_a_curve(scheduler: Any, curve: Any) -> None:
    """A torch scheduler saves the ``__dict__`` of a callable object, and puts it back."""
    schedule, resumed = scheduler(adamw(lr=0.5), curve), scheduler(adamw(lr=0.5), curve)
    advance(schedule)
    resumed.load_state_dict(copy.deepcopy(schedule.state_dict()))
    assert resumed.get_last_lr() == schedule.get_last_lr()
    assert resumed.lr_lambdas == schedule.lr_lambdas
