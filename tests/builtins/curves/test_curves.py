"""The values of shapes and combinations, at the steps that matter."""

from __future__ import annotations

import copy
import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from cases import crossed, some
from curve_forms import ENDS, TRANSITIONS, make, third
from hypothesis import given
from hypothesis import strategies as st
from small_runs import adamw, advance
from torch.optim.lr_scheduler import LambdaLR, MultiplicativeLR

from tsa_builtins.curves import (
    Constant,
    Cosine,
    Curve,
    InversePower,
    InverseSqrt,
    Linear,
    Piecewise,
    PiecewiseConstant,
    Power,
    clip,
    delay,
    join,
    repeat,
    stretch,
)

each_transition = pytest.mark.parametrize("name", TRANSITIONS)
START, END, STEPS = ENDS["start"], ENDS["end"], ENDS["steps"]


# -- the shapes ------------------------------------------------------------------------------------


@each_transition
def test_a_transition_holds_both_ends(name: str) -> None:
    """A transition is exactly ``start`` up to 0, and exactly ``end`` from ``steps`` on, forever."""
    curve = make(name)
    assert [curve(t) for t in (-math.inf, -10, 0)] == [START] * 3
    assert [curve(t) for t in (STEPS, STEPS + 1, 10**18, 10**30, math.inf)] == [END] * 5


@each_transition
def test_a_transition_of_no_steps_is_a_jump(name: str) -> None:
    """A transition with ``steps`` = 0 is ``start`` at 0, and ``end`` after."""
    curve = make(name, steps=0)
    assert (curve(0), curve(1e-9)) == (START, END)


@each_transition
def test_the_end_of_a_transition_is_exact_where_the_formula_rounds(name: str) -> None:
    """λ(steps) is ``end``, although start + (end − start) need not be."""
    assert make(name, start=1e16, end=1.0)(STEPS) == 1.0
    assert make(name, start=0.3, end=0.7)(STEPS) == 0.7


@pytest.mark.parametrize(("name", "ends"), crossed(TRANSITIONS, [(1e308, 5e307), (8e307, -8e307)]))
def test_a_transition_over_a_huge_range_is_finite(name: str, ends: tuple[float, float]) -> None:
    """A transition between ends that a float can subtract is finite at every step."""
    start, end = ends
    if name == "Exponential":
        end = abs(end)
    curve = make(name, start=start, end=end)
    assert all(min(start, end) <= curve(t / 4) <= max(start, end) for t in range(40))


def test_inverse_sqrt_falls_forever() -> None:
    """start/√(1 + t/timescale) is half at 3 timescales, a third at 8, a tenth at 99."""
    for t, share in ((-5, 1), (0, 1), (30, 1 / 2), (80, 1 / 3), (990, 0.1)):
        assert InverseSqrt(2, 10)(t) == pytest.approx(2 * share, rel=1e-12)
        assert InversePower(2, 10, 0.5)(t) == pytest.approx(2 * share, rel=1e-12)


def test_inverse_power_falls_forever() -> None:
    """start/(1 + t/timescale)^exponent: with exponent 1, half at one timescale, a tenth at 9."""
    for exponent, t, share in ((1, 10, 1 / 2), (1, 90, 1 / 10), (2, 10, 1 / 4), (1.5, 30, 1 / 8)):
        assert InversePower(2, 10, exponent)(t) == pytest.approx(2 * share, rel=1e-12)


def test_inverse_power_goes_to_0_far_out() -> None:
    """InversePower underflows to 0 where its power is beyond every float."""
    assert InversePower(2, 1, 4)(1e200) == 0
    assert InversePower(2, 1e-300, 3)(1e300) == 0


def test_power_is_a_power() -> None:
    """t^exponent, to the last bit with exponent 1; a negative t has whole powers."""
    for t, exponent, power in (
        (0.25, -0.5, 2),
        (0.25, 0.5, 0.5),
        (3, 2, 9),
        (-3, 3, -27),
        (7, 0, 1),
    ):
        assert Power(exponent)(t) == power
    assert [Power(1)(t) for t in (0, 0.1, 1 / 3, -0.7, 1e300)] == [0, 0.1, 1 / 3, -0.7, 1e300]


@pytest.mark.parametrize(("exponent", "t"), [(-1, 0), (-0.5, 0.0), (0.5, -1), (2, 1e200)])
def test_a_power_that_is_not_a_number_is_refused(exponent: float, t: float) -> None:
    """0 has no negative power, a negative number no root, and a float no end."""
    with pytest.raises(ValueError, match=f"^t: expected a number with a finite power {exponent}, "):
        Power(exponent)(t)


POINTS = {20: 0.5, 5: 1.0, 9: 3.0}


def test_a_piecewise_curve_goes_through_its_points() -> None:
    """Points in any order are joined by lines or by stairs. Both hold their ends."""
    steps = (0, 5, 6, 9, 20, 10**12)
    assert [Piecewise(POINTS)(t) for t in steps] == [1, 1, 1.5, 3, 0.5, 0.5]
    assert [PiecewiseConstant(POINTS)(t) for t in steps] == [1, 1, 1, 3, 0.5, 0.5]


def test_points_can_be_pairs() -> None:
    """Pairs make the same curve as a mapping. A later change of the mapping has no effect."""
    points = dict(POINTS)
    curve = Piecewise(points)
    points[100] = 7.0
    assert curve == Piecewise(POINTS.items()) == Piecewise([*POINTS.items()])


# -- the combinations ------------------------------------------------------------------------------


def test_join_plays_each_curve_from_its_own_0() -> None:
    """The next curve plays from its boundary on; of equal boundaries, the last curve plays."""
    curve = join([third, Linear(5, 6, 10), Constant(9), lambda t: 100 + t], [6, 16, 16])
    assert [curve(t) for t in (-3, 0, 3, 6, 11, 15, 16, 18)] == [-1, 0, 1, 5, 5.5, 5.9, 100, 102]


def test_the_least_joins() -> None:
    """At a boundary of 0 the second curve plays. A join of one curve takes no boundary."""
    assert join([Linear(0, 1, 0), Linear(3, 4, 2)], [0])(0) == 3
    assert [join([third], [])(t) for t in (-3, 0, 6)] == [-1, 0, 2]


def test_a_product_multiplies_step_by_step() -> None:
    """A product takes curves, callables on either side and numbers on either side."""
    line = Linear(0, 1, 10)
    assert (line * line)(5) == 0.25
    assert (line * third)(6) == (third * line)(6) == 1.2
    assert (line * 3)(5) == (3 * line)(5) == (np.float64(3) * line)(5) == 1.5
    assert (2 * line * third * line)(6) == pytest.approx(2 * 0.6 * 2 * 0.6, rel=1e-12)


def test_clip_keeps_a_curve_between_two_bounds() -> None:
    """λ is ``low`` where the curve is below it, ``high`` where it is above, else the curve."""
    curve = clip(third, 1, 2)
    assert [curve(t) for t in (-9, 0, 3, 4.5, 6, 9)] == [1, 1, 1, 1.5, 2, 2]


def test_clip_does_not_hide_a_nan() -> None:
    """A NaN of a callable passes through clip, so that the schedule can refuse it."""
    assert math.isnan(clip(lambda t: math.nan, 0, 1)(3))


def test_repeat_starts_a_curve_again() -> None:
    """Cycles of 6, 12, 24, … steps start at 0, 6, 18, 42, …, each half as tall as the last."""
    curve = repeat(third, 6, growth=2, decay=0.5)
    steps = (-3, 0, 3, 6, 9, 12, 18, 30, 42)
    assert [curve(t) for t in steps] == [-1, 0, 1, 0, 0.25, 0.5, 0, 0.25, 0]
    assert [curve(6 * (2**cycle - 1)) for cycle in range(21)] == [0] * 21


def test_repeat_cuts_a_long_curve_and_holds_a_short_one() -> None:
    """A curve longer than a cycle is cut, and a shorter one holds its end."""
    assert [repeat(Linear(0, 1, 10), 4)(t) for t in (3, 4, 7)] == pytest.approx([0.3, 0, 0.3])
    assert [repeat(Linear(0, 1, 2), 4)(t) for t in (3, 4, 5, 6)] == [1, 0, 0.5, 1]


@pytest.mark.parametrize("growth", some([1, 1.1, 1.5, 2, 3.7]))
@given(length=st.integers(1, 1000), parts=st.integers(1, 50), cycle=st.integers(0, 40))
def test_a_restart_is_at_its_step(growth: float, length: int, parts: int, cycle: int) -> None:
    """A cycle whose length is a quotient restarts at the step of the exact quotient."""
    exact = Fraction(length, parts)
    start = sum((exact * Fraction(growth) ** i for i in range(cycle)), Fraction(0))
    curve = repeat(lambda t: t, length / parts, growth=growth)
    # A hair before the restart it would be at the end of a cycle instead, at length/parts.
    assert curve(float(start)) == pytest.approx(0, abs=1e-9 * length / parts)
    level = repeat(Constant(1), length / parts, growth=growth, decay=0.5)
    assert level(float(start)) == 0.5**cycle


def test_a_restart_a_hair_early_is_the_restart() -> None:
    """A step just after the rounded restart, as 0.9 is after 3 · 0.3, is exactly the restart."""
    remainder = 0.9 % 0.3
    assert 0 < remainder < 1e-16
    assert repeat(lambda since: since, 0.3)(0.9) == 0


def test_a_restart_is_not_before_0() -> None:
    """A curve without a value before 0 is never called there, although 3 · 0.1 is above 0.3."""
    assert repeat(math.sqrt, 0.1)(0.3) == 0


def test_repeat_is_finite_far_out() -> None:
    """At 10^12 steps λ is within the range of the curve, and a decay has brought it to 0."""
    for growth in (1, 1 + 1e-9, 1.5, 2):
        assert 0 <= repeat(Cosine(1, 0, 3), 3, growth=growth)(10**12) <= 1
        assert 0 <= repeat(Cosine(1, 0, 3), 3, growth=growth, decay=0.5)(10**12) <= 1e-9


@pytest.mark.parametrize("steps", some([1, 3, 7, 1000]))
@given(magnitude=st.integers(0, 18), beyond=st.integers(0, 2000))
def test_whole_equal_cycles_are_exact_however_far_out(
    steps: int, magnitude: int, beyond: int
) -> None:
    """λ of equal cycles of whole steps is that of the exact remainder, beyond 10^15 cycles too."""
    t = 10**magnitude + beyond
    assert repeat(lambda since: since, steps)(t) == t % steps
    assert repeat(lambda since: since, float(steps))(float(t)) == int(float(t)) % steps


def test_cycles_of_a_fraction_go_on_beyond_all_precision() -> None:
    """Beyond 10^15 cycles of 0.75 steps λ is that of the exact remainder again."""
    for t in (1e16, 1e17, 1e18):
        assert repeat(lambda since: since, 0.75)(t) == float(Fraction(t) % Fraction(0.75))


@given(steps=st.floats(1e-300, 1e300), t=st.floats(0, 1.7e308))
def test_equal_cycles_stay_within_their_steps(steps: float, t: float) -> None:
    """However many cycles have passed, the curve is called with a step of one cycle."""
    assert 0 <= repeat(lambda since: since, steps)(t) <= steps
    assert 0 <= repeat(Constant(1), steps, decay=0.5)(t) <= 1


@given(
    growth=st.floats(1, 1e308) | st.integers(1, 10**308),
    steps=st.floats(1e-9, 1e308),
    t=st.floats(0, 1e308),
)
def test_repeat_is_finite_with_any_growth(growth: float, steps: float, t: float) -> None:
    """A growth whose powers are beyond every float still gives a λ within the curve's range."""
    assert 0 <= repeat(Cosine(1, 0, 3), steps, growth=growth)(t) <= 1
    assert 0 <= repeat(Cosine(1, 0, 3), steps, growth=growth, decay=0.5)(t) <= 1


def test_a_cycle_of_huge_growth_lasts_forever() -> None:
    """With a growth of 1e200 the second cycle, at step 10, is the last that any float reaches."""
    curve = repeat(Linear(1, 0, 10), 10, growth=1e200, decay=0.5)
    assert [curve(t) for t in (0, 5, 10, 1000, 1e150)] == [1, 0.5, 0.5, 0.5, 0.5]


def test_delay_plays_a_curve_later_or_skips_its_beginning() -> None:
    """Until its steps are over λ is the beginning; a negative number skips the first steps."""
    assert [delay(third, 3)(t) for t in (-5, 0, 3, 6)] == [0, 0, 0, 1]
    assert [delay(third, -3)(t) for t in (-5, -3, 0, 3)] == [0, 0, 1, 2]


def test_stretch_plays_a_curve_more_slowly_or_faster() -> None:
    """λ(t) = curve(t / factor): a plan in epochs becomes one in steps."""
    assert [stretch(third, 10)(t) for t in (-30, 0, 15, 30)] == [-1, 0, 0.5, 1]
    assert [stretch(Linear(0, 1, 100), 0.1)(t) for t in (5, 10, 11)] == [0.5, 1, 1]


@given(
    boundary=st.integers(1, 100) | st.floats(0.001, 1).map(lambda share: round(share, 3)),
    factor=st.integers(1, 10**6),
)
def test_a_stretched_boundary_is_at_its_step(boundary: float, factor: int) -> None:
    """The next curve plays at the whole step that is boundary × factor, and not one step later."""
    step = Fraction(str(boundary)) * factor
    curve = stretch(join([Constant(0), Constant(1)], [boundary]), factor)
    assert [curve(math.ceil(step) - 1), curve(math.ceil(step))] == [0, 1]


JOINED = join([Linear(0, 1, 10), Constant(1), Linear(1, 0, 20)], [10, 50])


BOUNDARIES = [
    (JOINED, (10, 50)),
    (clip(JOINED, 0.1, 1), (10, 50)),
    (0.5 * JOINED, (10, 50)),
    (JOINED * join([third, third], [30]), (10, 30, 50)),
    (third * JOINED, (10, 50)),
    (delay(JOINED, 5), (15, 55)),
    (delay(JOINED, -20), (30,)),
    (stretch(JOINED, 2.5), (25, 125)),
    (repeat(JOINED, 70), ()),
    (Linear(0, 1, 10), ()),
    (clip(third, 0, 1), ()),
]


def test_boundaries_are_the_steps_of_the_combined_curve() -> None:
    """A combination moves the boundaries of the joins inside it as it moves their values."""
    assert [curve.boundaries for curve, _ in BOUNDARIES] == [steps for _, steps in BOUNDARIES]


# -- callables -------------------------------------------------------------------------------------


def test_a_callable_inside_a_curve_is_called_step_by_step() -> None:
    """A function of one step is enough, also where the curve is called with an array."""
    seen = []

    def watching(t: float) -> float:
        seen.append(t)
        return t

    assert (watching * Constant(2))(np.array([1, 2])).tolist() == [2, 4]
    assert seen == [1, 2]


def test_a_callable_gets_a_numpy_step_as_a_python_number() -> None:
    """A NumPy int arrives in a callable as an int, and a NumPy float as a float."""
    seen: list[Any] = []
    curve = (lambda t: seen.append(t) or 1.0) * Constant(2)
    curve(np.int64(3)), curve(np.float32(3))
    assert [type(t) for t in seen] == [int, float]


def test_a_subclass_of_curve_is_called_inside_every_combination() -> None:
    """A subclass of ``Curve`` that defines ``__call__`` is combined like any other callable."""

    class Half(Curve):
        def __call__(self, t: Any) -> Any:
            return 0.5

    assert (Half() * Linear(0, 1, 4))(2) == 0.25
    assert join([Half(), 2 * Half()], [3])(np.array([2, 3])).tolist() == [0.5, 1.0]
    combined = [
        clip(Half(), 0, 1),
        repeat(Half(), 3),
        delay(Half(), 3),
        stretch(Half(), 3),
        join([Half()], []),
        1 * Half(),
    ]
    assert [curve(2) for curve in combined] == [0.5] * 6


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
