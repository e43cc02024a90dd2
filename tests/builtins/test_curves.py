"""The shapes and the combinations, at the steps that matter, and what they refuse."""

from __future__ import annotations

import copy
import json
import math
import pickle
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.optim.lr_scheduler import LambdaLR, MultiplicativeLR

import tsa_builtins
from tsa_builtins.curves import (
    Constant,
    Cosine,
    Curve,
    Exponential,
    InverseSqrt,
    Linear,
    OneMinusSqrt,
    PiecewiseConstant,
    PiecewiseLinear,
    Polynomial,
    QuarterCosine,
    clip,
    delay,
    from_dict,
    join,
    repeat,
    to_dict,
)

START, END, STEPS = 0.2, 1.4, 8

# Each transition with the share of it that is done at p.
TRANSITIONS: dict[str, tuple[Callable[..., Any], Callable[[float], float]]] = {
    "Linear": (Linear, lambda p: p),
    "Cosine": (Cosine, lambda p: (1 - math.cos(math.pi * p)) / 2),
    "QuarterCosine": (QuarterCosine, lambda p: 1 - math.cos(math.pi * p / 2)),
    "OneMinusSqrt": (OneMinusSqrt, lambda p: math.sqrt(p)),
    "Polynomial": (
        lambda start, end, steps: Polynomial(start, end, steps, 3),
        lambda p: 1 - (1 - p) ** 3,
    ),
    "Exponential": (
        Exponential,
        lambda p: (START * (END / START) ** p - START) / (END - START),
    ),
}
each_transition = pytest.mark.parametrize(("make", "done"), TRANSITIONS.values(), ids=TRANSITIONS)

# One curve of every kind.
EVERY_KIND: list[Curve] = [
    Constant(0.5),
    *(make(START, END, STEPS) for make, _ in TRANSITIONS.values()),
    InverseSqrt(1, 10),
    PiecewiseLinear({0: 0, 4: 1.5}),
    PiecewiseConstant({0: 1, 4: 0.5}),
    join([Linear(0, 1, 4), Cosine(1, 0, 4)], [4]),
    Linear(0, 1, 4) * Cosine(1, 0, 4),
    0.5 * Linear(0, 1, 4),
    clip(InverseSqrt(1, 10), 0.1, 0.9),
    repeat(Cosine(1, 0, 4), 4, growth=2, decay=0.5),
    delay(Linear(0, 1, 4), 2),
]
each_kind = pytest.mark.parametrize("curve", EVERY_KIND, ids=[repr(curve) for curve in EVERY_KIND])


def third(t: float) -> float:
    return t / 3


# -- the shapes ------------------------------------------------------------------------------------


@each_transition
@pytest.mark.parametrize("t", [1, 2, 4, 5.5, 7, 7.999])
def test_a_transition_follows_its_formula(
    make: Callable[..., Any], done: Callable[[float], float], t: float
) -> None:
    """Between 0 and ``steps`` it is start + (end − start) × what is done at t/steps."""
    expected = START + (END - START) * done(t / STEPS)
    assert make(START, END, STEPS)(t) == pytest.approx(expected, rel=1e-12)


@each_transition
def test_a_transition_holds_both_ends(make: Callable[..., Any], done: Any) -> None:
    """It is exactly ``start`` up to 0, and exactly ``end`` from ``steps`` on, for ever."""
    curve = make(START, END, STEPS)
    assert [curve(t) for t in (-math.inf, -10, 0)] == [START] * 3
    assert [curve(t) for t in (STEPS, STEPS + 1, 10**18, 10**30, math.inf)] == [END] * 5


@each_transition
def test_a_transition_of_no_steps_is_a_jump(make: Callable[..., Any], done: Any) -> None:
    """With ``steps`` 0 it is ``start`` at 0, and ``end`` after."""
    assert (make(START, END, 0)(0), make(START, END, 0)(1e-9)) == (START, END)


@pytest.mark.parametrize(("t", "share"), [(-5, 1), (0, 1), (30, 1 / 2), (80, 1 / 3), (990, 0.1)])
def test_inverse_sqrt_falls_for_ever(t: float, share: float) -> None:
    """start/√(1 + t/timescale): half at 3 timescales, a third at 8, a tenth at 99."""
    assert InverseSqrt(2, 10)(t) == pytest.approx(2 * share, rel=1e-12)


POINTS = {20: 0.5, 5: 1.0, 9: 3.0}


@pytest.mark.parametrize(
    ("t", "line", "stairs"),
    [
        (-1, 1, 1), (0, 1, 1), (4, 1, 1), (5, 1, 1), (6, 1.5, 1), (8.999, 2.9995, 1), (9, 3, 3),
        (10, 3 - 2.5 / 11, 3), (19.5, 0.5 + 2.5 / 22, 3), (20, 0.5, 0.5), (10**12, 0.5, 0.5),
    ],
)  # fmt: skip
def test_points_are_gone_through(t: float, line: float, stairs: float) -> None:
    """Given in any order: straight between them, or level until the next; held at both ends."""
    assert PiecewiseLinear(POINTS)(t) == pytest.approx(line, rel=1e-12)
    assert PiecewiseConstant(POINTS)(t) == stairs


def test_points_may_come_as_pairs() -> None:
    """Pairs make the same curve as a mapping, and a mapping may be changed afterwards."""
    points = dict(POINTS)
    curve = PiecewiseLinear(points)
    points[100] = 7.0
    assert curve == PiecewiseLinear(POINTS.items()) == PiecewiseLinear([*POINTS.items()])


# -- the combinations ------------------------------------------------------------------------------


def test_join_plays_each_from_its_own_0() -> None:
    """At a boundary the next plays already; of those that share one, the last."""
    curve = join([third, Linear(5, 6, 10), Constant(9), lambda t: 100 + t], [6, 16, 16])
    assert [curve(t) for t in (-3, 0, 3, 6, 11, 15, 16, 18)] == [-1, 0, 1, 5, 5.5, 5.9, 100, 102]


def test_join_at_boundary_0_never_plays_the_first() -> None:
    """With a boundary at 0 the second curve plays from 0 on."""
    assert join([Linear(0, 1, 0), Linear(3, 4, 2)], [0])(0) == 3


def test_join_of_one_is_that_one() -> None:
    """One curve needs no boundary."""
    assert [join([third], [])(t) for t in (-3, 0, 6)] == [-1, 0, 2]


def test_product_multiplies_step_by_step() -> None:
    """Curves, callables on either side and numbers on either side."""
    line = Linear(0, 1, 10)
    assert (line * line)(5) == 0.25
    assert (line * third)(6) == (third * line)(6) == 1.2
    assert (line * 3)(5) == (3 * line)(5) == (np.float64(3) * line)(5) == 1.5
    assert (2 * line * third * line)(6) == pytest.approx(2 * 0.6 * 2 * 0.6, rel=1e-12)


def test_clip_keeps_between() -> None:
    """Below ``low`` it is ``low``, above ``high`` it is ``high``; in between it is the curve."""
    curve = clip(third, 1, 2)
    assert [curve(t) for t in (-9, 0, 3, 4.5, 6, 9)] == [1, 1, 1, 1.5, 2, 2]


def test_clip_does_not_hide_a_nan() -> None:
    """A NaN of one's own function goes through, for the schedule to refuse."""
    assert math.isnan(clip(lambda t: math.nan, 0, 1)(3))


@pytest.mark.parametrize(
    ("t", "expected"),
    [(-3, -1), (-0.6, -0.2), (0, 0), (3, 1), (5.7, 1.9), (6, 0), (9, 0.5 * 0.5),
     (17.999, 0.5 * 5.9995 / 3), (18, 0), (30, 0.25 * 1), (41.9, 0.25 * 5.975 / 3), (42, 0),
     (6 * (2**20 - 1), 0)],
)  # fmt: skip
def test_repeat_starts_again(t: float, expected: float) -> None:
    """Cycles of 6, 12, 24, … steps from 0, 6, 18, 42, …, each as tall as half the last."""
    assert repeat(third, 6, growth=2, decay=0.5)(t) == pytest.approx(expected, rel=1e-12, abs=1e-15)


@pytest.mark.parametrize("growth", [1.1, 1.5, 3])
@pytest.mark.parametrize("cycle", range(8))
def test_a_cycle_is_as_long_as_it_grew(growth: float, cycle: int) -> None:
    """Half-way through cycle i the curve is half-way, at decayⁱ of its height."""
    start = 6 * sum(growth**i for i in range(cycle))
    curve = repeat(Linear(0, 1, 6), 6, growth=growth, decay=0.5)
    assert curve(start + 3 * growth**cycle) == pytest.approx(0.5 * 0.5**cycle, rel=1e-9)


def test_repeat_cuts_and_holds() -> None:
    """A curve longer than a cycle is cut, and a shorter one holds its end."""
    assert [repeat(Linear(0, 1, 10), 4)(t) for t in (3, 4, 7)] == pytest.approx([0.3, 0, 0.3])
    assert [repeat(Linear(0, 1, 2), 4)(t) for t in (3, 4, 5, 6)] == [1, 0, 0.5, 1]


@pytest.mark.parametrize("growth", [1, 1.1, 1.5, 2, 3.7])
@given(length=st.integers(1, 1000), parts=st.integers(1, 50), cycle=st.integers(0, 40))
def test_a_restart_is_at_its_step(growth: float, length: int, parts: int, cycle: int) -> None:
    """Where a cycle is a quotient, the step at which the exact quotient restarts is the restart."""
    exact = Fraction(length, parts)
    start = sum((exact * Fraction(growth) ** i for i in range(cycle)), Fraction(0))
    curve = repeat(lambda t: t, length / parts, growth=growth)
    # A hair before the restart it would be at the end of a cycle instead, at length/parts.
    assert curve(float(start)) == pytest.approx(0, abs=1e-9 * length / parts)
    level = repeat(Constant(1), length / parts, growth=growth, decay=0.5)
    assert level(float(start)) == 0.5**cycle


def test_a_restart_is_not_before_0() -> None:
    """Three cycles of 0.1 end a hair after 0.3; a curve that has no value before 0 is not asked."""
    assert repeat(math.sqrt, 0.1)(0.3) == 0


@pytest.mark.parametrize("growth", [1, 1 + 1e-9, 1.5, 2])
def test_repeat_is_finite_far_out(growth: float) -> None:
    """A million million steps on, it is still within its curve, and a decay has brought it to 0."""
    assert 0 <= repeat(Cosine(1, 0, 3), 3, growth=growth)(10**12) <= 1
    assert 0 <= repeat(Cosine(1, 0, 3), 3, growth=growth, decay=0.5)(10**12) <= 1e-9


def test_delay_plays_later_or_leaves_out() -> None:
    """Before its steps are over it is at its beginning; negative steps leave out the beginning."""
    assert [delay(third, 3)(t) for t in (-5, 0, 3, 6)] == [0, 0, 0, 1]
    assert [delay(third, -3)(t) for t in (-5, -3, 0, 3)] == [0, 0, 1, 2]


def test_combinations_nest() -> None:
    """A join of products of clipped repeats of delayed joins is a curve like any other."""
    inner = delay(join([Linear(0, 1, 2), Constant(3)], [2]), 1)
    curve = join([0.5 * clip(repeat(inner, 4), 0, 2), Constant(7)], [10])
    assert [curve(t) for t in (1, 2, 3, 4, 6, 7, 10)] == [0, 0.25, 1, 0, 0.25, 1, 7]


# -- a value ---------------------------------------------------------------------------------------


@each_kind
def test_a_curve_is_frozen(curve: Any) -> None:
    """What it was made from cannot be set or deleted, and nothing can be added."""
    for name in (*to_dict(curve).keys() - {"kind"}, "another"):
        with pytest.raises(AttributeError, match=name):
            setattr(curve, name, 1)
        with pytest.raises(AttributeError, match=name):
            delattr(curve, name)


@each_kind
@pytest.mark.parametrize(
    "copied", [copy.copy, copy.deepcopy, lambda c: pickle.loads(pickle.dumps(c))]
)
def test_a_copy_is_equal(curve: Curve, copied: Callable[[Curve], Curve]) -> None:
    """Copies and pickles are equal, hash alike, and give the same."""
    assert copied(curve) == curve
    assert hash(copied(curve)) == hash(curve)
    assert [copied(curve)(t) for t in range(12)] == [curve(t) for t in range(12)]


def test_different_curves_differ() -> None:
    """No two of one kind each are equal, nor are curves that differ in one argument."""
    assert len(set(EVERY_KIND)) == len(EVERY_KIND)
    assert Linear(0, 1, 4) != Linear(0, 1, 5)
    assert Linear(0, 1, 4) != Cosine(0, 1, 4)
    assert Linear(0, 1, 4) != "Linear(start=0, end=1, steps=4)"
    assert (Linear(0, 1, 4) == "Linear(start=0, end=1, steps=4)") is False


@each_kind
def test_repr_is_the_expression(curve: Curve) -> None:
    """``eval`` of it gives an equal curve."""
    assert eval(repr(curve), dict(vars(tsa_builtins.curves))) == curve


LINEAR = "Linear(start=0, end=1, steps=4)"


@pytest.mark.parametrize(
    ("expression", "shown"),
    [
        ("0.5 * Linear(0, 1, 4)", f"0.5 * {LINEAR}"),
        ("Linear(0, 1, 4) * -0.5", f"{LINEAR} * -0.5"),
        ("Constant(2) * Linear(0, 1, 4)", f"2 * {LINEAR}"),
        ("Constant(2) * Constant(3)", "2 * Constant(value=3)"),
        ("2 * Linear(0, 1, 4) * 3 * 4", f"2 * {LINEAR} * 3 * 4"),
        ("(2 * Linear(0, 1, 4)) * (Linear(0, 1, 4) * 3)", f"2 * {LINEAR} * ({LINEAR} * 3)"),
        ("clip(2 * Linear(0, 1, 4), 0, 1)", f"clip(2 * {LINEAR}, 0, 1)"),
        ("join([Constant(1), Linear(0, 1, 4)], [9])", f"join([Constant(value=1), {LINEAR}], [9])"),
        ("delay(Linear(0, 1, 4), -2.5)", f"delay({LINEAR}, -2.5)"),
        ("repeat(Linear(0, 1, 4), 4)", f"repeat({LINEAR}, 4)"),
        ("repeat(Linear(0, 1, 4), 4, growth=2)", f"repeat({LINEAR}, 4, growth=2)"),
        ("repeat(Linear(0, 1, 4), 4, decay=0.5)", f"repeat({LINEAR}, 4, decay=0.5)"),
        ("PiecewiseLinear({4: 0.5, 0: 1})", "PiecewiseLinear({0: 1, 4: 0.5})"),
    ],
)
def test_repr_is_no_longer_than_need_be(expression: str, shown: str) -> None:
    """A product is shown as one, in parentheses on the right alone; defaults are left out."""
    assert repr(eval(expression, dict(vars(tsa_builtins.curves)))) == shown


def test_numbers_are_kept_as_pythons_own() -> None:
    """Whatever they came as, what a curve holds goes through JSON."""
    curve = Linear(np.float32(0.5), Fraction(1, 4), np.int64(8))
    assert [type(n) for n in (curve.start, curve.end, curve.steps)] == [float, float, int]
    assert curve == Linear(0.5, 0.25, 8)


# -- a record --------------------------------------------------------------------------------------


@each_kind
def test_a_record_goes_through_json(curve: Curve) -> None:
    """The dict that JSON gives back is the dict, and makes an equal curve."""
    record = to_dict(curve)
    assert json.loads(json.dumps(record)) == record
    assert from_dict(record) == curve


def test_a_record_says_what_the_curve_is() -> None:
    """The kind, and what it was made from, curves within it as records again."""
    assert to_dict(join([Linear(0, 1, 4), 0.5 * PiecewiseConstant({0: 2})], [4])) == {
        "kind": "Join",
        "curves": [
            {"kind": "Linear", "start": 0, "end": 1, "steps": 4},
            {
                "kind": "Product",
                "left": {"kind": "Constant", "value": 0.5},
                "right": {"kind": "PiecewiseConstant", "points": [[0, 2]]},
            },
        ],
        "boundaries": [4],
    }


@pytest.mark.parametrize("curve", [third, third * Constant(2), join([delay(third, 3)], [])])
def test_code_is_no_record(curve: Any) -> None:
    """A function of one's own can be played and is refused here, by name."""
    curve(3)
    with pytest.raises(TypeError, match="third"):
        to_dict(curve)


def test_a_namesake_is_no_record() -> None:
    """A class of one's own that is called as one of ours is code, too."""
    namesake = type("Linear", (), {"__call__": lambda self, t: t, "start": 0, "end": 1, "steps": 2})
    with pytest.raises(TypeError, match="Linear"):
        to_dict(namesake())


LINE = {"kind": "Linear", "start": 0, "end": 1, "steps": 4}


@pytest.mark.parametrize(
    ("record", "error", "named"),
    [
        ([LINE], TypeError, "record"),
        ("Linear", TypeError, "record"),
        ({}, ValueError, "kind"),
        ({**LINE, "kind": "Spline"}, ValueError, "'Spline'"),
        ({**LINE, "kind": ["Linear"]}, ValueError, "'Linear'"),
        ({**LINE, "kind": "Curve"}, ValueError, "'Curve'"),
        ({**LINE, "exponent": 2}, ValueError, "exponent"),
        ({**LINE, 3: 2}, ValueError, "3"),
        ({**LINE, "exponent": 2, 3: 2}, ValueError, r"unknown \['3', 'exponent'\]"),
        ({"kind": "Linear", "start": 0, "steps": 4}, ValueError, "end"),
        ({**LINE, "steps": -1}, ValueError, "steps"),
        ({**LINE, "steps": "4"}, TypeError, "steps"),
        ({**LINE, "steps": [4]}, TypeError, "steps"),
        ({**LINE, "steps": LINE}, TypeError, "steps"),
        ({"kind": "Join", "curves": [LINE, {"kind": "?"}], "boundaries": [1]}, ValueError, "'\\?'"),
        ({"kind": "Join", "curves": LINE, "boundaries": []}, TypeError, "curves"),
        ({"kind": "Join", "curves": [3], "boundaries": []}, TypeError, "curves"),
        ({"kind": "Clip", "curve": 1, "low": 0, "high": 1}, TypeError, "curve"),
        ({"kind": "PiecewiseLinear", "points": [[0, 1, 2]]}, TypeError, "points"),
        ({"kind": "PiecewiseLinear", "points": 3}, TypeError, "points"),
    ],
)  # fmt: skip
def test_a_record_that_is_none_is_refused(record: Any, error: type[Exception], named: str) -> None:
    """Unknown kinds, entries that are missing, unknown or wrong: each is named."""
    with pytest.raises(error, match=named):
        from_dict(record)


# -- arrays ----------------------------------------------------------------------------------------

SOME_STEPS = [[-3, 0, 1], [2, 4, 7], [8, 11, 1000]]


@each_kind
@pytest.mark.parametrize("dtype", [np.int64, np.float32, np.float64, object])
def test_an_array_of_steps_gives_an_array(curve: Curve, dtype: Any) -> None:
    """Of the same shape, in double precision, with exactly the numbers of the scalar calls."""
    given = np.array(SOME_STEPS, dtype=dtype)
    result = curve(given)
    assert type(result) is np.ndarray
    assert result.dtype == np.float64
    assert result.tolist() == [[curve(t) for t in row] for row in SOME_STEPS]
    assert given.tolist() == SOME_STEPS


@each_kind
@pytest.mark.parametrize("dtype", [torch.int64, torch.float32, torch.bfloat16])
def test_a_tensor_of_steps_gives_a_tensor(curve: Curve, dtype: torch.dtype) -> None:
    """The same for a tensor; bfloat16 holds these steps exactly."""
    result = curve(torch.tensor(SOME_STEPS, dtype=dtype))
    assert type(result) is torch.Tensor
    assert result.dtype == torch.float64
    assert result.tolist() == [[curve(t) for t in row] for row in SOME_STEPS]


@pytest.mark.parametrize("shape", [(), (0,), (1,), (3, 0), (1, 2, 3), (6,)])
def test_an_array_of_any_shape(shape: tuple[int, ...]) -> None:
    """None at all, a single one in no dimension, many dimensions, views that are not in a row."""
    curve = Linear(0, 1, 8)
    array = np.arange(math.prod(shape)).reshape(shape)
    assert curve(array).shape == curve(array.T).T.shape == shape
    assert (curve(array) == array / 8).all()
    assert (curve(array.T) == array.T / 8).all()
    assert curve(
        torch.from_numpy(array).T if len(shape) == 2 else torch.from_numpy(array)
    ).dim() == (len(shape))


@pytest.mark.parametrize("t", [np.int64(3), np.float32(3), np.float64(3), Fraction(3), True])
def test_other_numbers_are_steps(t: Any) -> None:
    """A NumPy scalar, a fraction: a step like any other, which gives a Python float."""
    for curve in EVERY_KIND:
        assert curve(t) == curve(int(t))
        assert type(curve(t)) in (int, float)


@pytest.mark.parametrize("t", ["3", None, [1, 2], 3j, b"3", {}])
def test_what_is_no_step_is_refused(t: Any) -> None:
    """A list, a string, a complex number: refused in words, by every kind of curve."""
    for curve in EVERY_KIND:
        with pytest.raises(TypeError, match="t: expected a step"):
            curve(t)


def test_a_tensor_that_requires_a_gradient_is_a_step() -> None:
    """Its steps are read, and no gradient flows through."""
    result = Linear(0, 1, 8)(torch.tensor([2.0, 4.0], requires_grad=True))
    assert result.tolist() == [0.25, 0.5]
    assert not result.requires_grad


def test_callables_inside_are_asked_step_by_step() -> None:
    """A function that takes one step is enough, also where an array is asked for."""
    seen = []

    def watching(t: float) -> float:
        seen.append(t)
        return t

    assert (watching * Constant(2))(np.array([1, 2])).tolist() == [2, 4]
    assert seen == [1, 2]


def test_a_curve_class_of_ones_own_goes_where_a_curve_goes() -> None:
    """A subclass of ``Curve`` that says what it gives is multiplied and joined like any other."""

    class Half(Curve):
        def __call__(self, t: Any) -> Any:
            return 0.5

    assert (Half() * Linear(0, 1, 4))(2) == 0.25
    assert join([Half(), 2 * Half()], [3])(np.array([2, 3])).tolist() == [0.5, 1.0]


# -- what is refused -------------------------------------------------------------------------------

NO_NUMBER: list[Any] = ["1", None, True, 1j, [1], torch.tensor(1.0)]
NOT_FINITE: list[Any] = [math.nan, math.inf, -math.inf, 10**400, Fraction(10**400)]

ARGUMENTS: list[tuple[Callable[[Any], Any], str, list[Any]]] = [
    (Constant, "value", []),
    *(
        entry
        for make, _ in TRANSITIONS.values()
        for entry in [
            (lambda x, make=make: make(x, 1, 4), "start", []),
            (lambda x, make=make: make(1, x, 4), "end", []),
            (lambda x, make=make: make(1, 1, x), "steps", [-1, -1e-9]),
        ]
    ),
    (lambda x: Polynomial(0, 1, 4, x), "exponent", [0, -1]),
    (lambda x: Exponential(x, 1, 4), "start", [0]),
    (lambda x: Exponential(1, x, 4), "end", [0, -1]),
    (lambda x: Exponential(1e-300, x, 4), "end", [1e300]),
    (lambda x: InverseSqrt(x, 4), "start", []),
    (lambda x: InverseSqrt(1, x), "timescale", [0, -1]),
    (lambda x: PiecewiseLinear([(x, 2)]), "points", [-1]),
    (lambda x: PiecewiseConstant({0: x}), "points", []),
    (lambda x: join([third, third], [x]), "boundaries", [-1]),
    (lambda x: clip(third, x, 1), "low", [1.5]),
    (lambda x: clip(third, 0, x), "high", []),
    (lambda x: repeat(third, x), "steps", [0, -1]),
    (lambda x: repeat(third, 3, growth=x), "growth", [0, 0.99, -2]),
    (lambda x: repeat(third, 3, decay=x), "decay", [0, 1.01, -0.5]),
    (lambda x: delay(third, x), "steps", []),
]  # fmt: skip


@pytest.mark.parametrize(("make", "name", "out_of_range"), ARGUMENTS)
def test_a_bad_number_is_refused_by_name(
    make: Callable[[Any], Any], name: str, out_of_range: list[Any]
) -> None:
    """What is no real number is a TypeError, what is out of range a ValueError; both name it."""
    for bad in NO_NUMBER:
        with pytest.raises(TypeError, match=name):
            make(bad)
    for bad in (*NOT_FINITE, *out_of_range):
        with pytest.raises(ValueError, match=name):
            make(bad)


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (lambda x: join([third, x], [3]), "curves"),
        (lambda x: clip(x, 0, 1), "curve"),
        (lambda x: repeat(x, 3), "curve"),
        (lambda x: delay(x, 3), "curve"),
    ],
)
@pytest.mark.parametrize("bad", [None, 0.5, "cosine", [third]])
def test_what_is_no_curve_is_refused_by_name(
    make: Callable[[Any], Any], name: str, bad: Any
) -> None:
    """What cannot be called is no curve."""
    with pytest.raises(TypeError, match=f"{name}: expected a curve"):
        make(bad)


@pytest.mark.parametrize(
    ("curves", "boundaries", "error", "named"),
    [
        ([], [], ValueError, "curves: expected at least one"),
        ([third], [3], ValueError, "boundaries"),
        ([third, third], [], ValueError, "boundaries"),
        ([third] * 3, [4, 3], ValueError, "boundaries"),
        (third, [], TypeError, "curves"),
        ([third, third], 3, TypeError, "boundaries"),
    ],
)
def test_a_join_that_does_not_fit_is_refused(
    curves: Any, boundaries: Any, error: type[Exception], named: str
) -> None:
    """One boundary between each two curves, in order."""
    with pytest.raises(error, match=named):
        join(curves, boundaries)


@pytest.mark.parametrize("kind", [PiecewiseLinear, PiecewiseConstant])
@pytest.mark.parametrize(
    ("points", "error"),
    [
        ({}, ValueError),
        ([], ValueError),
        ([(0, 1), (0.0, 2)], ValueError),
        (3, TypeError),
        ([0, 1], TypeError),
        ("ab", TypeError),
        (None, TypeError),
    ],
)
def test_points_that_are_none_are_refused(kind: Any, points: Any, error: type[Exception]) -> None:
    """At least one, each step once, and each with a value."""
    with pytest.raises(error, match="points"):
        kind(points)


@pytest.mark.parametrize("bad", ["2", None, True, 1j, [2], np.array([1.0, 2.0]), torch.tensor(2.0)])
def test_a_product_with_what_is_no_factor_is_pythons_type_error(bad: Any) -> None:
    """On either side, as ``*`` answers for whatever it cannot multiply."""
    with pytest.raises(TypeError):
        Linear(0, 1, 4) * bad
    with pytest.raises(TypeError):
        bad * Linear(0, 1, 4)


def test_what_multiplies_curves_itself_has_its_turn() -> None:
    """As Python asks the right operand where the left one cannot."""

    class Scaling:
        def __rmul__(self, other: Any) -> Any:
            return "mine"

    assert Linear(0, 1, 4) * Scaling() == "mine"


@pytest.mark.parametrize("bad", [math.nan, math.inf, 10**400])
def test_a_product_with_no_finite_number_is_refused(bad: Any) -> None:
    """A factor is finite."""
    with pytest.raises(ValueError, match="finite"):
        Linear(0, 1, 4) * bad
    with pytest.raises(ValueError, match="finite"):
        bad * Linear(0, 1, 4)


@pytest.mark.parametrize(
    "make",
    [
        lambda optimizer: LambdaLR(optimizer, Linear(1.0, 0.5, 4)),
        lambda optimizer: MultiplicativeLR(optimizer, join([Constant(0.5)], [])),
    ],
)
def test_torchs_own_schedulers_take_and_save_a_curve(make: Any) -> None:
    """They save what a callable object has in its ``__dict__``, and put it back."""
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.ones(1))], lr=0.5)
    schedule = make(optimizer)
    optimizer.step()
    schedule.step()
    state = copy.deepcopy(schedule.state_dict())
    value = schedule.get_last_lr()
    resumed = make(torch.optim.SGD([torch.nn.Parameter(torch.ones(1))], lr=0.5))
    resumed.load_state_dict(state)
    assert resumed.get_last_lr() == value
    assert resumed.lr_lambdas == schedule.lr_lambdas


@each_transition
def test_the_end_is_exact_where_the_formula_rounds(make: Callable[..., Any], done: Any) -> None:
    """In floating point start + (end − start) need not be end; λ(steps) is."""
    assert make(1e16, 1.0, STEPS)(STEPS) == 1.0
    assert make(0.3, 0.7, STEPS)(STEPS) == 0.7


def test_a_numpy_number_comes_to_a_callable_as_pythons_own() -> None:
    """An int as an int, a float as a float."""
    seen: list[Any] = []
    curve = (lambda t: seen.append(t) or 1.0) * Constant(2)
    curve(np.int64(3)), curve(np.float32(3))
    assert [type(t) for t in seen] == [int, float]
