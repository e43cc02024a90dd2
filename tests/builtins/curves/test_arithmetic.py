"""Sums, differences and long products: their values, the code that shows them, and their data."""

from __future__ import annotations

import json
import math
import pickle
from functools import reduce
from operator import add, mul, sub
from typing import Any

import numpy as np
import pytest
import torch
from cases import some
from curve_forms import third

import tsa_builtins.curves
from tsa_builtins.curves import Constant, Cosine, InverseSqrt, Linear, from_dict, join, to_dict

A, B = Linear(0, 1, 4), Cosine(1, 0, 4)
SHOWN_A, SHOWN_B = repr(A), repr(B)


def evaluated(expression: str) -> Any:
    return eval(expression, dict(vars(tsa_builtins.curves)))


def test_a_sum_adds_step_by_step() -> None:
    """Curves, callables and numbers are added and subtracted, on either side."""
    line = Linear(0, 1, 10)
    assert (line + line)(5) == 1
    assert (line + third)(6) == (third + line)(6) == 2.6
    assert (line - third)(6) == -1.4
    assert (third - line)(6) == 1.4
    assert (line + 3)(5) == (3 + line)(5) == (np.float64(3) + line)(5) == 3.5
    assert ((line - 3)(5), (3 - line)(5), (-line)(5)) == (-2.5, 2.5, -0.5)
    assert (1 - (line - (0.25 - line)))(5) == 1 - (0.5 - (0.25 - 0.5))
    assert sum([line, line, line])(5) == 1.5


def test_three_lines_of_practice() -> None:
    """A floor under a decay, a way between two values, and a decay turned over."""
    low, high, shape = 0.1, 0.7, Cosine(1, 0, 100)
    for t in (0, 1, 30, 99, 100, 10**6):
        cosine = (1 + math.cos(math.pi * min(t / 100, 1))) / 2
        assert (low + (high - low) * shape)(t) == pytest.approx(low + (high - low) * cosine)
        assert (1 - shape)(t) == pytest.approx(1 - cosine, abs=1e-15)
        assert (0.1 + 0.9 * InverseSqrt(1, 100))(t) == pytest.approx(
            0.1 + 0.9 / math.sqrt(1 + t / 100)
        )


@pytest.mark.parametrize(
    ("expression", "shown"),
    [
        ("A + B", f"{SHOWN_A} + {SHOWN_B}"),
        ("A - B", f"{SHOWN_A} - {SHOWN_B}"),
        ("-A", f"-1 * {SHOWN_A}"),
        ("A - 0.1", f"{SHOWN_A} - 0.1"),
        ("A + -0.1", f"{SHOWN_A} - 0.1"),
        ("1 - A", f"1 - {SHOWN_A}"),
        ("1 - (A - B)", f"1 - ({SHOWN_A} - {SHOWN_B})"),
        ("1 - 2 * A", f"1 - 2 * {SHOWN_A}"),
        ("1 + -2 * A", f"1 + -2 * {SHOWN_A}"),
        ("A + (B + 1)", f"{SHOWN_A} + {SHOWN_B} + 1"),
        ("2 * (A + B)", f"2 * ({SHOWN_A} + {SHOWN_B})"),
        ("(A + B) * (A - B)", f"({SHOWN_A} + {SHOWN_B}) * ({SHOWN_A} - {SHOWN_B})"),
        ("A * B - A * (B * 2)", f"{SHOWN_A} * {SHOWN_B} - {SHOWN_A} * {SHOWN_B} * 2"),
        ("1 + Constant(2)", "1 + Constant(value=2)"),
        ("1 - Constant(2)", "1 - Constant(value=2)"),
        ("Constant(1) + -2 + A", f"1 + Constant(value=-2) + {SHOWN_A}"),
        ("-(2 * A)", f"-1 * Constant(value=2) * {SHOWN_A}"),
        ("A - 2 * Constant(3)", f"{SHOWN_A} - 2 * Constant(value=3)"),
        ("-(A + B) - 1", f"-1 * ({SHOWN_A} + {SHOWN_B}) - 1"),
        ("join([A + B], [])", f"join([{SHOWN_A} + {SHOWN_B}], [])"),
    ],
)
def test_the_code_that_is_shown_makes_the_curve_again(expression: str, shown: str) -> None:
    """Parentheses stand around a sum in a product and a difference; nowhere else."""
    curve = eval(expression, {**vars(tsa_builtins.curves), "A": A, "B": B})
    assert repr(curve) == shown
    for back in (evaluated(shown), from_dict(json.loads(json.dumps(to_dict(curve))))):
        assert back == curve
        assert hash(back) == hash(curve)


def test_a_record_has_numbers_as_numbers() -> None:
    """Operands are one list, in which a constant is a number."""
    line = to_dict(A)
    assert to_dict(0.1 + 0.9 * A) == {
        "kind": "Sum",
        "terms": [0.1, {"kind": "Product", "factors": [0.9, line]}],
    }
    assert from_dict({"kind": "Sum", "terms": [{"kind": "Constant", "value": 1}, line]}) == 1 + A


# A left fold, a right fold, and one of products.
FOLDS = {
    "from the left": lambda operator, curves: reduce(operator, curves),
    "from the right": lambda operator, curves: reduce(lambda a, b: operator(b, a), curves),
    "of pairs": lambda operator, curves: reduce(operator, map(operator, curves, curves)),
}


@pytest.mark.parametrize("operator", [mul, add])
@pytest.mark.parametrize("fold", FOLDS.values(), ids=FOLDS)
def test_hundreds_of_operands_are_flat(operator: Any, fold: Any) -> None:
    """A curve of 400 factors or terms is called, shown, saved, pickled, hashed and compared."""
    curves = [Linear(1, 1 + i / 1e4, 10) for i in range(400)]
    curve = fold(operator, curves)
    expected = fold(operator, [c(7) for c in curves])
    assert curve(7) == pytest.approx(expected, rel=1e-12)
    record = json.loads(json.dumps(to_dict(curve)))
    for back in (from_dict(record), pickle.loads(pickle.dumps(curve)), evaluated(repr(curve))):
        assert back == curve
        assert hash(back) == hash(curve)


def test_a_running_difference_is_flat() -> None:
    """Hundreds of subtractions from one curve are terms of one sum."""
    curve = reduce(sub, [Linear(0, i, 10) for i in range(400)])
    assert curve(5) == pytest.approx(-sum(range(400)) / 2)
    assert evaluated(repr(curve)) == curve == from_dict(to_dict(curve))


def test_boundaries_are_those_of_all_terms() -> None:
    """A sum shows the boundaries of its terms, each once and in order."""
    joined = join([A, B], [10])
    assert (1 - joined + third).boundaries == (10,)
    assert (joined + join([A, B, A], [3, 10])).boundaries == (3, 10)


@pytest.mark.parametrize("operator", [add, sub])
@pytest.mark.parametrize("bad", ["2", None, True, 1j, [2], np.array([1.0]), torch.tensor(2.0)])
def test_a_term_that_is_not_a_number_is_refused(operator: Any, bad: Any) -> None:
    """On either side Python raises its TypeError for operands that cannot be added."""
    with pytest.raises(TypeError):
        operator(A, bad)
    with pytest.raises(TypeError):
        operator(bad, A)


@pytest.mark.parametrize("operator", [add, sub])
@pytest.mark.parametrize("bad", some([math.nan, math.inf, 10**400]))
def test_a_term_that_is_not_finite_is_refused(operator: Any, bad: Any) -> None:
    """A term that is NaN or infinite is a ValueError that names the terms."""
    with pytest.raises(ValueError, match="terms: expected a finite"):
        operator(A, bad)
    with pytest.raises(ValueError, match="terms: expected a finite"):
        operator(bad, A)


@pytest.mark.parametrize(
    ("record", "error", "message"),
    [
        ({"kind": "Sum", "terms": [1]}, ValueError, "terms: expected at least two, got 1"),
        ({"kind": "Product", "factors": []}, ValueError, "factors: expected at least two, got 0"),
        ({"kind": "Product", "factors": [1, "2"]}, TypeError, r"^factors\[1\]: .*write 2 without"),
        ({"kind": "Sum", "terms": 3}, TypeError, "^terms: expected a list"),
    ],
)
def test_a_record_of_operands_that_do_not_fit_is_refused(
    record: Any, error: type[Exception], message: str
) -> None:
    """The message begins with the path of what is wrong."""
    with pytest.raises(error, match=message):
        from_dict(record)


def test_a_constant_and_a_number_are_one_operand() -> None:
    """``Constant(2) * a`` and ``2 * a`` are the same curve."""
    assert Constant(2) * A == 2 * A
    assert Constant(2) + A == 2 + A
