"""``Piecewise``: points along named shapes, as code and as data."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from cases import some
from curve_forms import TRANSITIONS, at_progress
from hypothesis import given
from hypothesis import strategies as st

from tsa_builtins import curves
from tsa_builtins.curves import Linear, Piecewise, PiecewiseConstant, from_dict, join, to_dict

OWN = {"Polynomial": (2.5,)}


def test_warmup_plateau_and_cooldown() -> None:
    """The line of the docstring has the values of WSD, before 0 and far out too."""
    curve = Piecewise({0: 0, 500: 1, 8000: 1, 10_000: (0, "OneMinusSqrt")})
    for t in (-5, 0, 1, 499, 500, 3000.5, 8000, 8001, 9999, 10_000, 1e12, 10**30):
        rise, fall = min(max(t, 0) / 500, 1), math.sqrt(min(max(t - 8000, 0) / 2000, 1))
        expected = rise - fall
        assert curve(t) == pytest.approx(expected, rel=1e-12, abs=1e-15)


@pytest.mark.parametrize("name", TRANSITIONS)
def test_each_shape_leads_to_its_point(name: str) -> None:
    """The way to a point has the formula of the class of that name."""
    own = OWN.get(name, ())
    curve = Piecewise({3: 0.5, 8: 2, 20: (0.25, name, *own)})
    others = dict(zip(("exponent",), own))
    for t in (0, 3, 5.5, 8, 8.5, 14, 19.999, 20, 1000):
        expected = at_progress(TRANSITIONS[name], t - 8, 2, 0.25, 12, **others)
        if t < 8:
            expected = 0.5 + 1.5 * max(t - 3, 0) / 5
        assert curve(t) == pytest.approx(expected, rel=1e-12)
    assert eval(repr(curve), dict(vars(curves))) == curve


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


def test_a_line_needs_no_name() -> None:
    """``"Linear"`` is the shape that is left out, and the curves are equal."""
    assert Piecewise({0: 0, 5: (1, "Linear")}) == Piecewise([(0, 0), (5, 1)])
    assert Piecewise({0: 0, 5: [1, "Cosine"]}) == Piecewise({5: (1, "Cosine"), 0: 0})
    assert Piecewise({0: 0, 5: (1, "Linear")}).points == ((0, 0), (5, 1))


def test_points_are_the_join_that_they_stand_for() -> None:
    """Points give, bit for bit, the numbers of the joined transitions."""
    joined = join([Linear(0, 1, 100), curves.Cosine(1, 0.1, 900)], [100])
    points = Piecewise({0: 0, 100: 1, 1000: (0.1, "Cosine")})
    assert [points(t) for t in range(1100)] == [joined(t) for t in range(1100)]


def test_points_in_json_and_yaml() -> None:
    """A mapping with numbers or strings as keys, and pairs, make the same curve."""
    curve = Piecewise({0: 0, 500: 1, 10_000: (0, "OneMinusSqrt"), 12_000: (1, "Polynomial", 2.0)})
    points: list[Any] = [0, 1, [0, "OneMinusSqrt"], [1, "Polynomial", 2.0]]
    steps = [0, 500, 10_000, 12_000]
    for form in (
        dict(zip(steps, points)),
        dict(zip(map(str, steps), points)),
        dict(zip(("0", "5e2", "10000.0", "1.2e4"), points)),
        [[step, point] for step, point in zip(steps, points)],
    ):
        record = json.loads(json.dumps({"kind": "Piecewise", "points": form}))
        assert from_dict(record) == from_dict({"kind": "Piecewise", "points": form}) == curve
    assert json.loads(json.dumps(to_dict(curve))) == to_dict(curve)
    assert to_dict(curve)["points"][2] == [10_000, [0, "OneMinusSqrt"]]


def test_boundaries_are_the_steps_of_the_points() -> None:
    """Where the pieces meet, and at the ends, a preview marks a step."""
    assert Piecewise({5: 1, 9: 2, 0: 3}).boundaries == (0, 5, 9)
    assert PiecewiseConstant({5: 1, 9: 2, 0: 3}).boundaries == (5, 9)


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


@pytest.mark.parametrize("name", some(TRANSITIONS))
def test_a_shape_of_the_first_point_is_refused(name: str) -> None:
    """Nothing leads to the first point; the error says what to write."""
    if name != "Linear":
        with pytest.raises(ValueError, match=r"the value at 3: no shape .* write 3: 0\.5$"):
            Piecewise({3: (0.5, name, *OWN.get(name, ())), 8: 1})


def test_the_path_of_a_point_in_data() -> None:
    """The error of a record begins with the path of the point."""
    with pytest.raises(TypeError, match=r"^points\.500\[0\]: .*write 1 without quotes"):
        from_dict({"kind": "Piecewise", "points": {"0": 0, "500": ["1", "Cosine"]}})
    with pytest.raises(TypeError, match=r"^points\[1\]\[1\]\[2\]: expected a finite real number"):
        from_dict({"kind": "Piecewise", "points": [[0, 0], [9, [1, "Polynomial", None]]]})
    with pytest.raises(ValueError, match=r"^points: the value at 500: 'Cos' is not a shape"):
        from_dict({"kind": "Piecewise", "points": {"0": 0, "500": [1, "Cos"]}})


def test_the_old_name_is_gone() -> None:
    """``Piecewise`` is the one name of the one thing."""
    assert not hasattr(curves, "PiecewiseLinear")
    with pytest.raises(ValueError, match="did you mean 'Piecewise"):
        from_dict({"kind": "PiecewiseLinear", "points": {0: 0}})
