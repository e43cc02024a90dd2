"""``Piecewise``: points along named shapes."""

from __future__ import annotations

from typing import Any

import pytest
from curve_forms import TRANSITIONS
from hypothesis import given
from hypothesis import strategies as st

from tsa_builtins.curves import Piecewise

OWN = {"Polynomial": (2.5,)}


@given(
    values=st.lists(st.floats(0.1, 10), min_size=2, max_size=6),
    name=st.sampled_from(sorted(TRANSITIONS)),
)
def test_points_never_jump(values: list[float], name: str) -> None:
    """The value at each point is the point's, and it is met from both sides."""
    points: dict[int, Any] = {10 * i: (v, name, *OWN.get(name, ())) for i, v in enumerate(values)}
    points[0] = values[0]
    curve = Piecewise(points)
    for i, value in enumerate(values):
        assert curve(10 * i) == value
        for t in (10 * i - 1e-9, 10 * i + 1e-9):
            assert curve(t) == pytest.approx(value, rel=1e-2)


def test_points_that_are_equal() -> None:
    """A line needs no name, pairs are as good as a mapping, and a mapping is not kept."""
    assert Piecewise({0: 0, 5: (1, "Linear")}) == Piecewise([(0, 0), (5, 1)])
    assert Piecewise({0: 0, 5: (1, "Linear")}).points == ((0, 0), (5, 1))
    points = {0: 0, 5: [1, "Cosine"]}
    curve = Piecewise(points)
    points[9] = 3
    assert curve == Piecewise({5: (1, "Cosine"), 0: 0})


REFUSED: dict[str, tuple[Any, type[Exception], str]] = {
    "an unknown shape": ((1, "Cosin"), ValueError, "'Cosin' is not a shape; .*'Cosine'"),
    "another curve": ((1, "Constant"), ValueError, "'Constant' is not a shape"),
    "a shape that is not a name": ((1, 3), TypeError, "expected the name of a shape, got 3"),
    "no exponent": ((1, "Polynomial"), TypeError, "'Polynomial', exponent"),
    "an exponent too many": ((1, "Cosine", 2), TypeError, "expected the shape as 'Cosine'"),
    "an exponent out of range": ((1, "Polynomial", 0), ValueError, "exponent: expected more"),
    "a value alone in a list": ((1,), TypeError, r"expected a number, or \(number, shape\)"),
    "a shape without a value": (("Cosine", 1), TypeError, "expected a finite real number"),
    "text": ("Cosine", TypeError, "expected a finite real number"),
    "an exponential from 0": ((1, "Exponential"), ValueError, "Exponential from 0 to 1: start"),
}


@pytest.mark.parametrize(("point", "error", "message"), REFUSED.values(), ids=REFUSED)
def test_a_point_that_does_not_fit_is_refused(
    point: Any, error: type[Exception], message: str
) -> None:
    """The error names the argument, the step and what was given."""
    with pytest.raises(error, match=f"^points: the value at 7: .*{message}"):
        Piecewise({0: 0, 7: point})


def test_a_shape_of_the_first_point_is_refused() -> None:
    """Nothing leads to the first point; the error says what to write."""
    for name in TRANSITIONS.keys() - {"Linear"}:
        with pytest.raises(ValueError, match=r"the value at 3: no shape .* write 3: 0\.5$"):
            Piecewise({3: (0.5, name, *OWN.get(name, ())), 8: 1})
