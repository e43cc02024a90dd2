"""Random curves, four combinations deep, against the closed forms of their parts."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from cases import examples
from curve_forms import DEPTH, KINDS, SHAPES, Pair, assert_comes_back, pairs, shapes
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tsa_builtins import curves

times = st.one_of(
    st.integers(-10, 200),
    st.integers(-20, 400).map(lambda n: n / 2),
    st.floats(-10, 200).map(lambda x: round(x, 2)),
    st.sampled_from([10**6, 10**9, 1e9 + 0.5]),
)


def rounding(pair: Pair) -> float:
    """The rounding of all levels, relative to the largest number that can occur."""
    return 1e-12 * max(1, 4**DEPTH, abs(pair.low), abs(pair.high))


def test_every_public_curve_is_drawn() -> None:
    """Every public name that makes a curve is among the kinds of the tests."""
    assert set(KINDS) == set(curves.__all__) - {"Curve", "from_dict", "to_dict"}


def assert_on_closed_form(pair: Pair, t: float) -> None:
    """λ(t) is that of the closed form, and in the range of its parts."""
    # Close to a jump or a bound of clip the last bit may decide. The steps drawn avoid both.
    value = pair.curve(t)
    assert value == pytest.approx(pair.closed_form(t), rel=1e-12, abs=rounding(pair))
    assert math.isfinite(value)
    assert pair.low - rounding(pair) <= value <= pair.high + rounding(pair)


@pytest.mark.parametrize("name", KINDS)
@settings(max_examples=examples(40))
@given(data=st.data(), t=times)
def test_a_kind_of_curve_has_the_value_of_its_closed_form(
    name: str, data: st.DataObject, t: float
) -> None:
    """λ(t) of a shape, or of a combination of shapes, is the value that the formulas give."""
    kind = KINDS[name]
    pair = data.draw(kind.pairs if name in SHAPES else kind.pairs(shapes))
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
