"""The arguments that curves refuse: at once, with the name of the argument and the value."""

from __future__ import annotations

import inspect
import numbers
import re
from collections.abc import Callable
from typing import Any

import pytest
from bad_numbers import BAD_NUMBERS
from cases import crossed
from curve_forms import COMBINATIONS, KINDS, SHAPES, TRANSITIONS, make, third

from tsa_builtins import curves
from tsa_builtins.curves import Constant, Curve, Piecewise, PiecewiseConstant, Warmup, join, switch


def taking(name: str, argument: str) -> Callable[[Any], Any]:
    return lambda value: make(name, **{argument: value})


# How a number is passed, alone or in a container, to which argument, and numbers out of its range.
NUMBERS: list[tuple[Callable[[Any], Any], str, list[Any]]] = [
    *(
        (taking(name, argument), argument, kind.out_of_range.get(argument, []))
        for name, kind in KINDS.items()
        for argument, value in kind.example.items()
        if isinstance(value, numbers.Real)
    ),
    (lambda x: Piecewise([(x, 2)]), "points", [-1]),
    (lambda x: Piecewise([(0, x)]), "points", []),
    (lambda x: PiecewiseConstant([(x, 2)]), "points", [-1]),
    (lambda x: PiecewiseConstant({0: x}), "points", []),
    (lambda x: join([third, third], [x]), "boundaries", [-1]),
    (lambda x: switch([(x, third)]), "curves: a step", [-1]),
]


def test_a_bad_number_is_refused() -> None:
    """The error has the name of the argument and the value."""
    for make_of, argument, out_of_range in NUMBERS:
        for value, error in (*BAD_NUMBERS.values(), *((each, ValueError) for each in out_of_range)):
            with pytest.raises(error, match=argument) as raised:
                make_of(value)
            assert repr(value) in str(raised.value)


def test_a_transition_longer_than_any_float_is_refused() -> None:
    """The ends are finite and the way between them is not, so the formula would overflow."""
    too_far = [(1e308, -1e308), (-1e308, 1e308), (10**308, -(10**308))]
    # An exponential takes a power of end / start, which may be too large or too small.
    quotients = [(1e-300, 1e300), (1e300, 1e-300), (-1e-300, -1e300)]
    for name, (start, end), message in (
        *crossed(TRANSITIONS, too_far, ["end: expected .*start"]),
        *crossed(["Exponential"], quotients, ["end: expected the same sign as start"]),
    ):
        with pytest.raises(ValueError, match=f"{message}.*{re.escape(repr(end))}"):
            make(name, start=start, end=end)
    assert PiecewiseConstant({0: 1e308, 8: -1e308})(8) == -1e308  # stairs have no way between


def to_a_point(point: Any) -> Any:
    return Piecewise({0: 0, 7: point})


ONE = Constant(1.0)
NOT_A_CURVE = [(None,), (0.5,), ("cosine",), ([third],)]
SHAPE_OF_THE_FIRST = [({3: (0.5, "Cosine"), 8: 1},), ({3: (0.5, "Polynomial", 2.5), 8: 1},)]
# What is called, and the arguments that it refuses in these words.
REFUSED: list[tuple[Any, type[Exception], str, list[tuple[Any, ...]]]] = [
    (join, TypeError, "curves: expected a curve", [([ONE, 0.5], [1]), ([ONE, None], [1])]),
    (join, TypeError, "curves: expected a list", [(ONE, []), (third, []), (None, [])]),
    (join, TypeError, "boundaries: expected a list", [([ONE], None), ([ONE, ONE], 1)]),
    (join, ValueError, "curves: expected at least one", [([], [])]),
    (join, ValueError, "boundaries: expected one between", [([ONE, ONE], []), ([ONE], [1])]),
    (join, ValueError, "boundaries: .* in order", [([ONE] * 3, [2, 1])]),
    (switch, TypeError, "curves: expected a mapping {step: curve}", [(third,)]),
    (switch, TypeError, "curves: the curve at 0: expected a curve", [({0: 1.0},)]),
    (switch, ValueError, "curves: expected at least one {step: curve}", [({},)]),
    (switch, ValueError, "curves: .* each step once, got 0 twice", [([(0, third), (0.0, third)],)]),
    *(
        (taking(name, "curve"), TypeError, "curve: expected a curve", NOT_A_CURVE)
        for name, kind in COMBINATIONS.items()
        if "curve" in kind.example
    ),
    (Warmup, TypeError, "skip_zero: expected true or false", [(4, x) for x in (1, 0, "yes", None)]),
    *(
        (points, error, "points", values)
        for points in (Piecewise, PiecewiseConstant)
        for error, values in (
            (TypeError, [(3,), ([0, 1],), ("ab",), (None,)]),
            (ValueError, [({},), ([],), ([(0, 1), (0.0, 2)],)]),
        )
    ),
    (Piecewise, ValueError, "points: the value at 8: .*1.8e308 away", [({5: 1e308, 8: -1e308},)]),
    (Piecewise, ValueError, r"the value at 3: no shape .* write 3: 0\.5$", SHAPE_OF_THE_FIRST),
    *(
        (to_a_point, error, f"^points: the value at 7: .*{message}", [(point,)])
        for point, error, message in (
            ((1, "Cosin"), ValueError, "'Cosin' is not a shape; .*'Cosine'"),
            ((1, "Constant"), ValueError, "'Constant' is not a shape"),
            ((1, 3), TypeError, "expected the name of a shape, got 3"),
            ((1, "Polynomial"), TypeError, "'Polynomial', exponent"),
            ((1, "Cosine", 2), TypeError, "expected the shape as 'Cosine'"),
            ((1, "Polynomial", 0), ValueError, "exponent: expected more"),
            ((1,), TypeError, r"expected a number, or \(number, shape\)"),
            (("Cosine", 1), TypeError, "expected a finite real number"),
            ("Cosine", TypeError, "expected a finite real number"),
            ((1, "Exponential"), ValueError, "Exponential from 0 to 1: start"),
        )
    ),
]


@pytest.mark.parametrize(("make_of", "error", "message", "refused"), REFUSED)
def test_an_argument_that_does_not_fit_is_refused(
    make_of: Any, error: type[Exception], message: str, refused: list[tuple[Any, ...]]
) -> None:
    """The error names the argument, and the step where there is one."""
    for arguments in refused:
        with pytest.raises(error, match=message):
            make_of(*arguments)


@pytest.mark.parametrize("name", KINDS)
def test_a_wrong_call_is_refused_in_the_name_of_the_curve(name: str) -> None:
    """Python's TypeError names the public class or function, and what is unknown or missing."""
    unknown = rf"^{name}(\.__init__)?\(\) got an unexpected keyword argument 'num_steps'"
    with pytest.raises(TypeError, match=unknown):
        make(name, num_steps=3)
    parameters = inspect.signature(getattr(curves, name)).parameters.values()
    required = [each.name for each in parameters if each.default is each.empty]
    with pytest.raises(TypeError, match=rf"^{name}(\.__init__)?\(\) missing ") as raised:
        getattr(curves, name)()
    assert re.findall("'(.*?)'", str(raised.value)) == required


def test_a_subclass_that_cannot_work_is_refused() -> None:
    """Combinations would pass over the ``__call__`` of a shape's subclass; ``Curve`` has none."""
    for name in SHAPES:
        with pytest.raises(TypeError, match=f"Own: {name} cannot be subclassed.*write a function"):
            type("Own", (getattr(curves, name),), {"__call__": lambda self, t: 1.0})
        assert make(name) == make(name)  # the shape itself is as before
    bare = type("Bare", (Curve,), {})
    with pytest.raises(NotImplementedError, match=r"Bare: define __call__\(self, t\)"):
        bare()(3)
