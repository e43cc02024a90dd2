"""Curves as values: combined, frozen, equal to equals, shown, recorded, called with arrays."""

from __future__ import annotations

import math
from fractions import Fraction
from functools import reduce
from operator import add, mul, sub
from typing import Any

import numpy as np
import pytest
import torch
from cases import crossed
from curve_forms import EXAMPLES, assert_comes_back, third

import tsa_builtins.curves
from tsa_builtins.curves import (
    Constant,
    Cosine,
    Curve,
    Linear,
    Piecewise,
    delay,
    from_dict,
    join,
    repeat,
    switch,
    to_dict,
)

A, B = Linear(0, 1, 4), Cosine(1, 0, 4)


def evaluated(expression: str) -> Any:
    return eval(expression, {**vars(tsa_builtins.curves), "A": A, "B": B})


# -- operators -------------------------------------------------------------------------------------

UP = Linear(0, 1, 10)


def test_operators_work_step_by_step() -> None:
    """Curves, callables and numbers are combined on either side, to the last bit."""
    assert (UP + UP)(5) == sum([UP, UP])(5) == 1
    assert (UP + third)(6) == (third + UP)(6) == 2.6
    assert ((UP - third)(6), (third - UP)(6)) == (-1.4, 1.4)
    assert (UP * third)(6) == (third * UP)(6) == 1.2
    assert (np.float64(3) + UP)(5) == (UP + np.float64(3))(5) == 3.5
    assert (np.float64(3) * UP)(5) == (UP * np.float64(3))(5) == 1.5
    assert ((UP - 3)(5), (3 - UP)(5), (-UP)(5)) == (-2.5, 2.5, -0.5)
    assert (1 - (UP - (0.25 - UP)))(5) == 1 - (0.5 - (0.25 - 0.5))


CHAINS: dict[str, Any] = {
    "a + b + c": lambda each: reduce(add, each),
    "c + (b + a)": lambda each: reduce(lambda a, b: b + a, each),
    "(a + a) + (b + b)": lambda each: reduce(add, map(add, each, each)),
    "a * b * c": lambda each: reduce(mul, each),
    "c * (b * a)": lambda each: reduce(lambda a, b: b * a, each),
    "(a * a) * (b * b)": lambda each: reduce(mul, map(mul, each, each)),
    "a - b - c": lambda each: reduce(sub, each),
}


@pytest.mark.parametrize("chain", CHAINS.values(), ids=CHAINS)
def test_hundreds_of_operands_are_flat(chain: Any) -> None:
    """A curve of 400 factors or terms is called, shown, saved, pickled, hashed and compared."""
    curves = [Linear(1, 1 + i / 1e4, 10) for i in range(400)]
    curve = chain(curves)
    assert curve(7) == pytest.approx(chain([each(7) for each in curves]), rel=1e-12)
    assert_comes_back(curve)


@pytest.mark.parametrize("operator", [add, sub, mul])
def test_an_operand_that_is_not_a_finite_number_is_refused(operator: Any) -> None:
    """On either side, Python's TypeError, or a ValueError that names the operands."""
    name = "factors" if operator is mul else "terms"
    for bad in ("2", None, True, 1j, [2], np.array([1.0, 2.0]), torch.tensor(2.0)):
        for operands in ((UP, bad), (bad, UP)):
            with pytest.raises(TypeError):
                operator(*operands)
    for bad in (math.nan, math.inf, 10**400):
        for operands in ((UP, bad), (bad, UP)):
            with pytest.raises(ValueError, match=f"{name}: expected a finite"):
                operator(*operands)


def test_a_right_operand_with_a_product_of_its_own_is_asked() -> None:
    """Python asks the right operand of ``*`` if the curve on the left cannot multiply it."""
    own = type("Scaling", (), {"__rmul__": lambda self, other: "mine"})()
    assert UP * own == "mine"


# -- a value ---------------------------------------------------------------------------------------


def test_a_curve_is_frozen() -> None:
    """The arguments of a curve cannot be set or deleted, and no attribute can be added."""
    for curve in EXAMPLES:
        for name in (*to_dict(curve).keys() - {"kind"}, "another"):
            with pytest.raises(AttributeError, match=name):
                setattr(curve, name, 1)
            with pytest.raises(AttributeError, match=name):
                delattr(curve, name)


def test_different_curves_differ() -> None:
    """Curves of two kinds are not equal, nor are curves that differ in one argument."""
    assert len(set(EXAMPLES)) == len(EXAMPLES)
    others = (Linear(0, 1, 5), Cosine(0, 1, 4), repr(A))
    assert [other == A for other in others] == [False] * 3


def test_the_classes_of_combinations_are_not_public() -> None:
    """Every curve is a ``Curve``, and each combination has one name: the function's."""
    assert all(isinstance(curve, Curve) for curve in EXAMPLES)
    public = vars(tsa_builtins.curves)
    classes = {name for name, each in public.items() if isinstance(each, type)}
    assert classes <= set(tsa_builtins.curves.__all__)


# Parentheses stand around a sum in a product, and around a difference; nowhere else.
SHOWN_AS_WRITTEN = [
    "A + B", "A - B", "A - 0.1", "1 - A", "1 - (A - B)", "1 - 2 * A", "1 + -2 * A", "2 * (A + B)",
    "(A + B) * (A - B)", "0.5 * A", "A * -0.5", "2 * A * 3 * 4", "join([A + B], [])",
    "clip(2 * A, 0, 1)", "delay(A, -2.5)", "stretch(A, 391)", "repeat(A, 4)",
    "repeat(A, 4, growth=2)", "repeat(A, 4, decay=0.5)",
]  # fmt: skip
SHOWN = {
    **{each: each for each in SHOWN_AS_WRITTEN},
    "-A": "-1 * A",
    "A + -0.1": "A - 0.1",
    "A + (B + 1)": "A + B + 1",
    "A * B - A * (B * 2)": "A * B - A * B * 2",
    "1 + Constant(2)": "1 + Constant(value=2)",
    "1 - Constant(2)": "1 - Constant(value=2)",
    "Constant(1) + -2 + A": "1 + Constant(value=-2) + A",
    "-(2 * A)": "-1 * Constant(value=2) * A",
    "A - 2 * Constant(3)": "A - 2 * Constant(value=3)",
    "-(A + B) - 1": "-1 * (A + B) - 1",
    "Constant(2) * A": "2 * A",
    "Constant(2) * Constant(3)": "2 * Constant(value=3)",
    "(2 * A) * (A * 3)": "2 * A * A * 3",
    "join([Constant(1), A], [9])": "join([Constant(value=1), A], [9])",
    "Piecewise({4: 0.5, 0: 1})": "Piecewise({0: 1, 4: 0.5})",
    "Piecewise([(0, 0), (5, (1, 'Linear'))])": "Piecewise({0: 0, 5: 1})",
    "Piecewise({5: [1, 'Cosine'], 0: 0})": "Piecewise({0: 0, 5: (1, 'Cosine')})",
}


def test_the_code_that_is_shown_is_short_and_makes_the_curve_again() -> None:
    """A product of products has no parentheses, and defaults are left out."""
    for expression, shown in SHOWN.items():
        curve = evaluated(expression)
        assert repr(curve) == shown.replace("A", repr(A)).replace("B", repr(B))
        assert_comes_back(curve)


def test_a_curve_holds_python_numbers() -> None:
    """Numbers of any library are kept as Python's own, so that they go through JSON."""
    curve = Linear(np.float32(0.5), Fraction(1, 4), np.int64(8))
    assert [type(n) for n in (curve.start, curve.end, curve.steps)] == [float, float, int]
    assert curve == Linear(0.5, 0.25, 8)


# -- a record --------------------------------------------------------------------------------------

LINE = {"kind": "Linear", "start": 0, "end": 1, "steps": 4}
ONE = {"kind": "Constant", "value": 1}
RECORDS: dict[str, dict[str, Any]] = {
    "0.1 + 0.9 * A": {
        "kind": "Sum", "terms": [0.1, {"kind": "Product", "factors": [0.9, LINE]}]
    },
    "join([A, PiecewiseConstant({0: 2})], [4])": {
        "kind": "Join", "curves": [LINE, {"kind": "PiecewiseConstant", "points": [[0, 2]]}],
        "boundaries": [4],
    },
    "clip(A, 0, 1)": {"kind": "Clip", "curve": LINE, "low": 0, "high": 1},
    "delay(A, 3)": {"kind": "Delay", "curve": LINE, "steps": 3},
    "stretch(A, 391)": {"kind": "Stretch", "curve": LINE, "factor": 391},
    "repeat(A, 4)": {"kind": "Repeat", "curve": LINE, "steps": 4, "growth": 1.0, "decay": 1.0},
    "InversePower(1, 10, 2)": {
        "kind": "InversePower", "start": 1, "timescale": 10, "exponent": 2
    },
    "Piecewise({0: 0, 9: (1, 'Polynomial', 2.0)})": {
        "kind": "Piecewise", "points": [[0, 0], [9, [1, "Polynomial", 2.0]]]
    },
}  # fmt: skip


def test_a_record_says_what_the_curve_is() -> None:
    """The record of a curve has its kind and its arguments, with curves as records again."""
    assert {each: to_dict(evaluated(each)) for each in RECORDS} == RECORDS


def test_code_cannot_be_recorded() -> None:
    """A function, or a class with the name of a shape, can be played, and is not data."""
    for curve in (third, third * Constant(2), join([delay(third, 3)], [])):
        curve(3)
        with pytest.raises(TypeError, match="third"):
            to_dict(curve)
    entries = {"__call__": lambda self, t: t, "start": 0, "end": 1, "steps": 2}
    for bases in ((), (Curve,)):
        with pytest.raises(TypeError, match="Linear"):
            to_dict(type("Linear", bases, entries)())
    assert type(from_dict(LINE)) is Linear


def joined(*parts: Any, boundaries: Any = (1,)) -> dict[str, Any]:
    return {"kind": "Join", "curves": [*parts], "boundaries": [*boundaries]}


@pytest.mark.parametrize(
    ("record", "error", "message"),
    [
        ([LINE], TypeError, "record"),
        ({}, ValueError, r"record: a curve needs 'kind', one of \['Clip', "),
        ({**LINE, "kind": ["Linear"]}, TypeError, "kind: .*'Linear'"),
        ({**LINE, "kind": "Curve"}, ValueError, "kind: 'Curve'"),
        ({**LINE, "kind": "_Transition"}, ValueError, "kind: '_Transition'"),
        (joined({"kind": "Const"}, LINE), ValueError,
         r"curves\[0\]\.kind: 'Const' is not a kind of curve; did you mean 'Constant'\?"),
        ({**LINE, 3: 2}, ValueError, "3: a Linear has no such entry; it has 'start', 'end', "),
        ({**joined(LINE), "curvse": []}, ValueError,
         "curvse: a Join has no such entry; it has 'curves', "),
        ({"kind": "Repeat", "curve": LINE}, ValueError, "record: a Repeat needs 'steps'$"),
        (joined(LINE, {**LINE, "steps": -3}), ValueError,
         r"curves\[1\]\.steps: expected 0 or more, got -3"),
        (joined(LINE, LINE, boundaries=[None]), TypeError,
         r"boundaries\[0\]: expected a finite real number"),
        ({**joined(), "curves": LINE}, TypeError, "curves"),
        (joined(3, boundaries=[]), TypeError, "curves"),
        ({"kind": "Warmup", "steps": 4, "skip_zero": 1}, TypeError,
         "skip_zero: expected true or false"),
        ({"kind": "Switch", "curves": {"0": ONE, "50": {**LINE, "steps": -1}}}, ValueError,
         r"curves\.50\.steps: expected 0 or more"),
        ({"kind": "Switch", "curves": {"x": ONE}}, TypeError, r"curves\.x: expected a number"),
        ({**joined(), "kind": "join"}, ValueError, "kind: .*; did you mean 'Join'"),
        (joined(LINE, LINE, boundaries=[]), ValueError,
         "boundaries: expected one between each two curves, got 0 for 2 curves"),
        ({"kind": "Piecewise", "points": [[0, 1, 2]]}, TypeError,
         r"points\[0\]: expected a pair \[step, value\], got \[0, 1, 2\] \(list\)"),
        ({"kind": "Piecewise", "points": {"0": 0, "500": ["1", "Cosine"]}}, TypeError,
         r"points\.500\[0\]: .*write 1 without quotes"),
        ({"kind": "Piecewise", "points": [[0, 0], [9, [1, "Polynomial", None]]]}, TypeError,
         r"points\[1\]\[1\]\[2\]: expected a finite real number"),
        ({"kind": "Piecewise", "points": {"0": 0, "500": [1, "Cos"]}}, ValueError,
         "points: the value at 500: 'Cos' is not a shape"),
        ({"kind": "Sum", "terms": [1]}, ValueError, "terms: expected at least two, got 1"),
        ({"kind": "Product", "factors": []}, ValueError, "factors: expected at least two, got 0"),
        ({"kind": "Product", "factors": [1, "2"]}, TypeError, r"factors\[1\]: .*write 2 without"),
        ({"kind": "Sum", "terms": 3}, TypeError, "terms: expected a list"),
    ],
)  # fmt: skip
def test_a_record_that_does_not_fit_is_refused(
    record: Any, error: type[Exception], message: str
) -> None:
    """Unknown kinds, and entries that are missing, unknown or wrong, are named by their path."""
    with pytest.raises(error, match=f"^{message}"):
        from_dict(record)


def test_a_record_may_be_written_in_several_ways() -> None:
    """What parsers make of ``{0: 1.0}``, defaults that are left out, and a constant operand."""
    line = Piecewise({0: 1.0, 30: 0.5, 1000: (0, "OneMinusSqrt"), 2000: (1, "Polynomial", 2.0)})
    points: list[Any] = [1.0, 0.5, [0, "OneMinusSqrt"], [1, "Polynomial", 2.0]]
    steps, texts = (0, 30, 1000, 2000), ("0", "30.0", "1e3", "2000")
    for form in (dict(zip(steps, points)), dict(zip(texts, points)), [*zip(steps, points)]):
        assert from_dict({"kind": "Piecewise", "points": form}) == line
    for curves in ({0: ONE, 50: LINE}, {"0": ONE, "50": LINE}, [[0, ONE], (50, LINE)]):
        assert from_dict({"kind": "Switch", "curves": curves}) == switch({0: Constant(1), 50: A})
    assert from_dict({"kind": "Repeat", "curve": LINE, "steps": 9}) == repeat(A, 9)
    assert from_dict({"kind": "Sum", "terms": [ONE, LINE]}) == 1 + A


# -- arrays ----------------------------------------------------------------------------------------

SOME_STEPS = [[-3, 0, 1], [2, 4, 7], [8, 11, 1000]]
STEPS_OF_A_DTYPE = [
    *(np.array(SOME_STEPS, dtype) for dtype in (np.int64, np.float32, np.float64, object)),
    *(torch.tensor(SOME_STEPS, dtype=dtype) for dtype in (torch.int64, torch.float32)),
    torch.tensor(SOME_STEPS, dtype=torch.bfloat16),  # holds these steps exactly
]


def test_an_array_or_a_tensor_of_steps_gives_one_of_values() -> None:
    """The result has the shape of the steps, in double precision, and the scalars' numbers."""
    for curve, steps in crossed(EXAMPLES, STEPS_OF_A_DTYPE):
        result = curve(steps)
        assert type(result) is type(steps)
        assert result.dtype in (np.float64, torch.float64)
        assert result.tolist() == [[curve(t) for t in row] for row in SOME_STEPS]
        assert steps.tolist() == SOME_STEPS


def test_an_array_of_any_shape_is_taken() -> None:
    """Empty arrays, arrays of no dimension, of many, and views out of order keep their shape."""
    curve = Linear(0, 1, 8)
    for shape in ((), (0,), (1,), (3, 0), (1, 2, 3), (6,)):
        array = np.arange(math.prod(shape)).reshape(shape)
        for steps in (array, array.T, torch.from_numpy(array), torch.from_numpy(array.T)):
            assert curve(steps).shape == steps.shape
            assert (curve(steps) == steps / 8).all()
    tensor = torch.tensor([2.0, 4.0], requires_grad=True)
    assert curve(tensor).tolist() == [0.25, 0.5]
    assert not curve(tensor).requires_grad


def test_every_real_number_is_a_step_and_nothing_else() -> None:
    """A NumPy scalar or a fraction gives a Python number; anything else says what a step is."""
    for curve in EXAMPLES:
        for t in (np.int64(3), np.float32(3), np.float64(3), Fraction(3), True):
            assert curve(t) == curve(int(t))
            assert type(curve(t)) in (int, float)
    not_steps = ["3", None, [1, 2], 3j, b"3", {}, np.array(["3"]), torch.tensor([3j])]
    for curve, bad in crossed(EXAMPLES, not_steps):
        with pytest.raises(TypeError, match="t: expected a step"):
            curve(bad)
