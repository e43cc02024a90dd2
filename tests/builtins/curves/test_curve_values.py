"""Curves as values: frozen, equal to their equals, shown, recorded, and called with arrays."""

from __future__ import annotations

import copy
import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch
from cases import crossed
from curve_forms import EXAMPLES, third
from small_runs import through_json, through_pickle

import tsa_builtins
from tsa_builtins.curves import (
    Constant,
    Cosine,
    Curve,
    Linear,
    Logarithmic,
    Piecewise,
    delay,
    from_dict,
    join,
    repeat,
    to_dict,
)

each_kind = pytest.mark.parametrize("curve", EXAMPLES, ids=repr)


def evaluated(expression: str) -> Any:
    return eval(expression, dict(vars(tsa_builtins.curves)))


# -- a value ---------------------------------------------------------------------------------------


@each_kind
def test_a_curve_is_frozen(curve: Any) -> None:
    """The arguments of a curve cannot be set or deleted, and no attribute can be added."""
    for name in (*to_dict(curve).keys() - {"kind"}, "another"):
        with pytest.raises(AttributeError, match=name):
            setattr(curve, name, 1)
        with pytest.raises(AttributeError, match=name):
            delattr(curve, name)


@each_kind
def test_a_curve_comes_back_equal(curve: Curve) -> None:
    """Copies, a pickle, the ``repr`` and a record in JSON give an equal curve of equal values."""
    record = to_dict(curve)
    assert through_json(record) == record
    copies = [copy.copy(curve), copy.deepcopy(curve), through_pickle(curve)]
    for back in (*copies, evaluated(repr(curve)), from_dict(record)):
        assert back == curve
        assert hash(back) == hash(curve)
        assert [back(t) for t in range(12)] == [curve(t) for t in range(12)]


def test_different_curves_differ() -> None:
    """Curves of two kinds are not equal, nor are curves that differ in one argument."""
    assert len(set(EXAMPLES)) == len(EXAMPLES)
    assert Linear(0, 1, 4) != Linear(0, 1, 5)
    assert Linear(0, 1, 4) != Cosine(0, 1, 4)
    assert Linear(0, 1, 4) != "Linear(start=0, end=1, steps=4)"
    assert (Linear(0, 1, 4) == "Linear(start=0, end=1, steps=4)") is False


def test_every_curve_is_a_curve_to_isinstance() -> None:
    """Shapes, combinations and products are instances of the one public class."""
    assert all(isinstance(curve, Curve) for curve in EXAMPLES)


def test_the_classes_of_combinations_are_not_public() -> None:
    """Each combination has one public name, the function that makes it."""
    names = set(vars(tsa_builtins.curves))
    assert not names & {"Join", "Clip", "Repeat", "Delay", "Stretch", "Product"}


LINEAR = "Linear(start=0, end=1, steps=4)"


@pytest.mark.parametrize(
    ("expression", "shown"),
    [
        ("0.5 * Linear(0, 1, 4)", f"0.5 * {LINEAR}"),
        ("Linear(0, 1, 4) * -0.5", f"{LINEAR} * -0.5"),
        ("Constant(2) * Linear(0, 1, 4)", f"2 * {LINEAR}"),
        ("Constant(2) * Constant(3)", "2 * Constant(value=3)"),
        ("2 * Linear(0, 1, 4) * 3 * 4", f"2 * {LINEAR} * 3 * 4"),
        ("(2 * Linear(0, 1, 4)) * (Linear(0, 1, 4) * 3)", f"2 * {LINEAR} * {LINEAR} * 3"),
        ("clip(2 * Linear(0, 1, 4), 0, 1)", f"clip(2 * {LINEAR}, 0, 1)"),
        ("join([Constant(1), Linear(0, 1, 4)], [9])", f"join([Constant(value=1), {LINEAR}], [9])"),
        ("delay(Linear(0, 1, 4), -2.5)", f"delay({LINEAR}, -2.5)"),
        ("stretch(Linear(0, 1, 4), 391)", f"stretch({LINEAR}, 391)"),
        ("repeat(Linear(0, 1, 4), 4)", f"repeat({LINEAR}, 4)"),
        ("repeat(Linear(0, 1, 4), 4, growth=2)", f"repeat({LINEAR}, 4, growth=2)"),
        ("repeat(Linear(0, 1, 4), 4, decay=0.5)", f"repeat({LINEAR}, 4, decay=0.5)"),
        ("Piecewise({4: 0.5, 0: 1})", "Piecewise({0: 1, 4: 0.5})"),
    ],
)
def test_repr_is_no_longer_than_necessary(expression: str, shown: str) -> None:
    """A product of products has no parentheses, and defaults are left out."""
    assert repr(evaluated(expression)) == shown


def test_a_curve_holds_python_numbers() -> None:
    """Numbers of any library are kept as Python's own, so that they go through JSON."""
    curve = Linear(np.float32(0.5), Fraction(1, 4), np.int64(8))
    assert [type(n) for n in (curve.start, curve.end, curve.steps)] == [float, float, int]
    assert curve == Linear(0.5, 0.25, 8)


# -- a record --------------------------------------------------------------------------------------


LINE = {"kind": "Linear", "start": 0, "end": 1, "steps": 4}


@pytest.mark.parametrize(
    ("expression", "record"),
    [
        ("join([Linear(0, 1, 4), 0.5 * PiecewiseConstant({0: 2})], [4])", {
            "kind": "Join",
            "curves": [
                LINE,
                {
                    "kind": "Product",
                    "factors": [0.5, {"kind": "PiecewiseConstant", "points": [[0, 2]]}],
                },
            ],
            "boundaries": [4],
        }),
        ("clip(Linear(0, 1, 4), 0, 1)", {"kind": "Clip", "curve": LINE, "low": 0, "high": 1}),
        ("delay(Linear(0, 1, 4), 3)", {"kind": "Delay", "curve": LINE, "steps": 3}),
        ("stretch(Linear(0, 1, 4), 391)", {"kind": "Stretch", "curve": LINE, "factor": 391}),
        ("repeat(Linear(0, 1, 4), 4)", {
            "kind": "Repeat", "curve": LINE, "steps": 4, "growth": 1.0, "decay": 1.0
        }),
        ("InversePower(1, 10, 2)", {
            "kind": "InversePower", "start": 1, "timescale": 10, "exponent": 2
        }),
    ],
)  # fmt: skip
def test_a_record_says_what_the_curve_is(expression: str, record: dict[str, Any]) -> None:
    """The record of a curve has its kind and its arguments, with curves as records again."""
    assert to_dict(evaluated(expression)) == record


@pytest.mark.parametrize("curve", [third, third * Constant(2), join([delay(third, 3)], [])])
def test_a_callable_cannot_be_recorded(curve: Any) -> None:
    """A function can be played; ``to_dict`` refuses it and shows it."""
    curve(3)
    with pytest.raises(TypeError, match="third"):
        to_dict(curve)


@pytest.mark.parametrize("bases", [(), (Curve,)])
def test_a_namesake_cannot_be_recorded(bases: Any) -> None:
    """A class or a subclass of ``Curve`` with the name of a shape is still code, and not data."""
    entries = {"__call__": lambda self, t: t, "start": 0, "end": 1, "steps": 2}
    with pytest.raises(TypeError, match="Linear"):
        to_dict(type("Linear", bases, entries)())
    assert type(from_dict(LINE)) is Linear


def joined(*parts: Any, boundaries: Any = (1,)) -> dict[str, Any]:
    return {"kind": "Join", "curves": [*parts], "boundaries": [*boundaries]}


@pytest.mark.parametrize(
    ("record", "error", "message"),
    [
        ([LINE], TypeError, "record"),
        ("Linear", TypeError, "record"),
        ({}, ValueError, r"record: a curve needs 'kind', one of \['Clip', "),
        ({**LINE, "kind": "Spline"}, ValueError, "kind: 'Spline'"),
        ({**LINE, "kind": ["Linear"]}, TypeError, "kind: .*'Linear'"),
        ({**LINE, "kind": "Curve"}, ValueError, "kind: 'Curve'"),
        ({**LINE, "kind": "_Transition"}, ValueError, "kind: '_Transition'"),
        (joined({"kind": "Const"}, LINE), ValueError,
         r"curves\[0\]\.kind: 'Const' is not a kind of curve; did you mean 'Constant'\?"),
        ({**LINE, "exponent": 2}, ValueError, "exponent"),
        ({**LINE, 3: 2}, ValueError, "3"),
        ({**LINE, "exponent": 2, 3: 2}, ValueError, "exponent: a Linear has no such entry"),
        ({**joined(LINE), "curvse": []}, ValueError,
         "curvse: a Join has no such entry; it has 'curves', "),
        ({"kind": "Linear", "start": 0, "steps": 4}, ValueError, ".*'end'"),
        ({"kind": "Repeat", "curve": LINE}, ValueError, "record: a Repeat needs 'steps'$"),
        (joined(LINE, {**LINE, "steps": -3}), ValueError,
         r"curves\[1\]\.steps: expected 0 or more, got -3"),
        (joined(LINE, {**LINE, "steps": "1e3"}), TypeError,
         r"curves\[1\]\.steps: expected a number, got "),
        ({**LINE, "steps": [4]}, TypeError, "steps"),
        ({**LINE, "steps": LINE}, TypeError, "steps"),
        (joined(LINE, LINE, boundaries=[None]), TypeError,
         r"boundaries\[0\]: expected a finite real number"),
        ({**joined(), "curves": LINE}, TypeError, "curves"),
        (joined(3, boundaries=[]), TypeError, "curves"),
        ({"kind": "Clip", "curve": 1, "low": 0, "high": 1}, TypeError, "curve"),
        ({"kind": "Stretch", "curve": LINE, "factor": 0}, ValueError, "factor"),
        ({"kind": "Piecewise", "points": [[0, 1, 2]]}, TypeError, "points"),
        ({"kind": "Piecewise", "points": 3}, TypeError, "points"),
    ],
)  # fmt: skip
def test_a_record_that_does_not_fit_is_refused(
    record: Any, error: type[Exception], message: str
) -> None:
    """Unknown kinds, and entries that are missing, unknown or wrong, are named by their path."""
    with pytest.raises(error, match=f"^{message}"):
        from_dict(record)


def test_a_record_may_be_written_in_several_ways() -> None:
    """Points are what parsers make of ``{0: 1.0}``, defaults are left out, a factor is a number."""
    line = Piecewise({0: 1.0, 30: 0.5})
    for points in ({0: 1.0, 30: 0.5}, {"30.0": 0.5, "0": 1}, [[0, 1.0], (30, 0.5)]):
        assert from_dict({"kind": "Piecewise", "points": points}) == line
    assert from_dict({"kind": "Repeat", "curve": LINE, "steps": 9}) == repeat(Linear(0, 1, 4), 9)
    product = {"kind": "Product", "factors": [0.5, LINE]}
    assert from_dict(product) == 0.5 * Linear(0, 1, 4)


# -- arrays ----------------------------------------------------------------------------------------

SOME_STEPS = [[-3, 0, 1], [2, 4, 7], [8, 11, 1000]]


STEPS_OF_A_DTYPE = [
    *(np.array(SOME_STEPS, dtype) for dtype in (np.int64, np.float32, np.float64, object)),
    *(torch.tensor(SOME_STEPS, dtype=dtype) for dtype in (torch.int64, torch.float32)),
    torch.tensor(SOME_STEPS, dtype=torch.bfloat16),  # holds these steps exactly
]


@pytest.mark.parametrize(("curve", "steps"), crossed(EXAMPLES, STEPS_OF_A_DTYPE))
def test_an_array_or_a_tensor_of_steps_gives_one_of_values(curve: Curve, steps: Any) -> None:
    """The result has the shape of the steps, in double precision, and the scalars' numbers."""
    result = curve(steps)
    assert type(result) is type(steps)
    assert result.dtype in (np.float64, torch.float64)
    assert result.tolist() == [[curve(t) for t in row] for row in SOME_STEPS]
    assert steps.tolist() == SOME_STEPS


@pytest.mark.parametrize("shape", [(), (0,), (1,), (3, 0), (1, 2, 3), (6,)])
def test_an_array_of_any_shape_is_taken(shape: tuple[int, ...]) -> None:
    """Empty arrays, arrays of no dimension, of many, and views out of order keep their shape."""
    curve = Linear(0, 1, 8)
    array = np.arange(math.prod(shape)).reshape(shape)
    assert curve(array).shape == curve(array.T).T.shape == shape
    assert (curve(array) == array / 8).all()
    assert (curve(array.T) == array.T / 8).all()
    tensor = torch.from_numpy(array).T if len(shape) == 2 else torch.from_numpy(array)
    assert curve(tensor).dim() == len(shape)


def test_the_default_warmup_of_deepspeed() -> None:
    """``WarmupLR`` over W steps is log(1 + t)/log(W) before step W, and then 1."""
    expected = [math.log(1 + t) / math.log(50) for t in range(50)] + [1] * 10
    curve = Logarithmic(0, 1, 50 - 1)
    assert [curve(t) for t in range(60)] == pytest.approx(expected, rel=1e-12)


@each_kind
def test_every_real_number_is_a_step(curve: Curve) -> None:
    """A NumPy scalar or a fraction is a step like any other, and gives a Python number."""
    for t in (np.int64(3), np.float32(3), np.float64(3), Fraction(3), True):
        assert curve(t) == curve(int(t))
        assert type(curve(t)) in (int, float)


NOT_STEPS = ["3", None, [1, 2], 3j, b"3", {}, np.array(["3"]), torch.tensor([3j])]


@pytest.mark.parametrize(("curve", "t"), crossed(EXAMPLES, NOT_STEPS))
def test_a_step_that_is_not_a_number_is_refused(curve: Any, t: Any) -> None:
    """A list, a string or a complex number is a TypeError that says what a step is."""
    with pytest.raises(TypeError, match="t: expected a step"):
        curve(t)


def test_a_tensor_that_requires_a_gradient_is_taken() -> None:
    """The steps of a tensor are read, and no gradient flows through the curve."""
    result = Linear(0, 1, 8)(torch.tensor([2.0, 4.0], requires_grad=True))
    assert result.tolist() == [0.25, 0.5]
    assert not result.requires_grad
