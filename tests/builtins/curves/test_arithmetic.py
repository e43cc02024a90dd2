"""Sums, differences and products: their values, their length, and what they refuse."""

from __future__ import annotations

import math
from functools import reduce
from operator import add, mul, sub
from typing import Any

import numpy as np
import pytest
import torch
from curve_forms import third
from small_runs import through_json, through_pickle

import tsa_builtins.curves
from tsa_builtins.curves import Linear, from_dict, to_dict

LINE = Linear(0, 1, 10)


def test_operators_work_step_by_step() -> None:
    """Curves, callables and numbers are combined on either side, to the last bit."""
    assert (LINE + LINE)(5) == sum([LINE, LINE])(5) == 1
    assert (LINE + third)(6) == (third + LINE)(6) == 2.6
    assert ((LINE - third)(6), (third - LINE)(6)) == (-1.4, 1.4)
    assert (LINE * third)(6) == (third * LINE)(6) == 1.2
    assert (np.float64(3) + LINE)(5) == (LINE + np.float64(3))(5) == 3.5
    assert (np.float64(3) * LINE)(5) == (LINE * np.float64(3))(5) == 1.5
    assert ((LINE - 3)(5), (3 - LINE)(5), (-LINE)(5)) == (-2.5, 2.5, -0.5)
    assert (1 - (LINE - (0.25 - LINE)))(5) == 1 - (0.5 - (0.25 - 0.5))


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
    shown = eval(repr(curve), dict(vars(tsa_builtins.curves)))
    for back in (from_dict(through_json(to_dict(curve))), through_pickle(curve), shown):
        assert back == curve
        assert hash(back) == hash(curve)


@pytest.mark.parametrize("operator", [add, sub, mul])
def test_an_operand_that_is_not_a_finite_number_is_refused(operator: Any) -> None:
    """On either side, Python's TypeError, or a ValueError that names the operands."""
    name = "factors" if operator is mul else "terms"
    for bad in ("2", None, True, 1j, [2], np.array([1.0, 2.0]), torch.tensor(2.0)):
        for operands in ((LINE, bad), (bad, LINE)):
            with pytest.raises(TypeError):
                operator(*operands)
    for bad in (math.nan, math.inf, 10**400):
        for operands in ((LINE, bad), (bad, LINE)):
            with pytest.raises(ValueError, match=f"{name}: expected a finite"):
                operator(*operands)


def test_a_right_operand_with_a_product_of_its_own_is_asked() -> None:
    """Python asks the right operand of ``*`` if the curve on the left cannot multiply it."""

    class Scaling:
        def __rmul__(self, other: Any) -> Any:
            return "mine"

    assert LINE * Scaling() == "mine"
