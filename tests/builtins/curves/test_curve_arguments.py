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
from tsa_builtins.curves import (
    Constant,
    Curve,
    Piecewise,
    PiecewiseConstant,
    Warmup,
    join,
    switch,
)

# -- numbers ---------------------------------------------------------------------------------------

NUMBERS = [
    (name, argument)
    for name, kind in KINDS.items()
    for argument, value in kind.example.items()
    if isinstance(value, numbers.Real)
]

# Numbers inside a container: how it is made from one, the argument and numbers out of range.
INSIDE: dict[str, tuple[Callable[[Any], Any], str, list[Any]]] = {
    "a step of Piecewise": (lambda x: Piecewise([(x, 2)]), "points", [-1]),
    "a value of Piecewise": (lambda x: Piecewise([(0, x)]), "points", []),
    "a step of PiecewiseConstant": (lambda x: PiecewiseConstant([(x, 2)]), "points", [-1]),
    "a value of PiecewiseConstant": (lambda x: PiecewiseConstant({0: x}), "points", []),
    "a boundary": (lambda x: join([third, third], [x]), "boundaries", [-1]),
    "a step of switch": (lambda x: switch([(x, third)]), "curves: a step", [-1]),
}


def refused(
    value: Any, error: type[Exception], message: str, make: Any, /, *given: Any, **named: Any
) -> None:
    with pytest.raises(error, match=message) as raised:
        make(*given, **named)
    assert repr(value) in str(raised.value)


def test_a_bad_number_is_refused() -> None:
    """The error has the name of the argument and the value."""
    for (name, argument), bad in crossed(NUMBERS, BAD_NUMBERS):
        value, error = BAD_NUMBERS[bad]
        refused(value, error, argument, make, name, **{argument: value})


@pytest.mark.parametrize("name", [name for name, kind in KINDS.items() if kind.out_of_range])
def test_an_argument_out_of_its_range_is_refused(name: str) -> None:
    """A ValueError has the name of the argument; a curve of this value cannot be made."""
    for argument, values in KINDS[name].out_of_range.items():
        for value in values:
            with pytest.raises(ValueError, match=argument):
                make(name, **{argument: value})


@pytest.mark.parametrize("place", INSIDE)
def test_a_bad_number_in_a_container_is_refused(place: str) -> None:
    """The numbers inside points and boundaries are checked like any other argument."""
    make, argument, out_of_range = INSIDE[place]
    for value, error in [*BAD_NUMBERS.values(), *((each, ValueError) for each in out_of_range)]:
        refused(value, error, argument, make, value)


def test_a_transition_longer_than_any_float_is_refused() -> None:
    """The ends are finite and the way between them is not, so the formula would overflow."""
    too_far = [(1e308, -1e308), (-1e308, 1e308), (10**308, -(10**308))]
    for name, (start, end) in crossed(TRANSITIONS, too_far):
        refused(end, ValueError, "end: expected .*start", make, name, start=start, end=end)
    # An exponential takes a power of end / start, which may be too large or too small.
    for start, end in ((1e-300, 1e300), (1e300, 1e-300), (-1e-300, -1e300)):
        message = "end: expected the same sign as start"
        refused(end, ValueError, message, curves.Exponential, start, end, 8)
    points = {0: 1, 5: 1e308, 8: -1e308}
    with pytest.raises(ValueError, match=r"points: the value at 8: .*less than 1.8e308 away"):
        Piecewise(points)
    assert PiecewiseConstant(points)(8) == -1e308  # stairs have no way between


# -- curves, points, boundaries and flags ----------------------------------------------------------

ONE = Constant(1.0)
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
        (points, error, "points", values)
        for points in (Piecewise, PiecewiseConstant)
        for error, values in (
            (TypeError, [(3,), ([0, 1],), ("ab",), (None,)]),
            (ValueError, [({},), ([],), ([(0, 1), (0.0, 2)],)]),
        )
    ),
    (Warmup, TypeError, "skip_zero: expected true or false", [(4, x) for x in (1, 0, "yes", None)]),
]


@pytest.mark.parametrize(("make", "error", "message", "refused"), REFUSED)
def test_an_argument_that_does_not_fit_is_refused(
    make: Any, error: type[Exception], message: str, refused: list[tuple[Any, ...]]
) -> None:
    """The error names the argument, and the step where there is one."""
    for arguments in refused:
        with pytest.raises(error, match=message):
            make(*arguments)


def test_a_curve_that_cannot_be_called_is_refused() -> None:
    """A TypeError names the argument and says what a curve is."""
    of_one_curve = [name for name, kind in COMBINATIONS.items() if "curve" in kind.example]
    for name, value in crossed(of_one_curve, [None, 0.5, "cosine", [third]]):
        with pytest.raises(TypeError, match="curve: expected a curve"):
            make(name, curve=value)


POINTS: dict[str, tuple[Any, type[Exception], str]] = {
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


@pytest.mark.parametrize(("point", "error", "message"), POINTS.values(), ids=POINTS)
def test_a_point_that_does_not_fit_is_refused(
    point: Any, error: type[Exception], message: str
) -> None:
    """The error names the argument, the step and what was given."""
    with pytest.raises(error, match=f"^points: the value at 7: .*{message}"):
        Piecewise({0: 0, 7: point})


def test_a_shape_of_the_first_point_is_refused() -> None:
    """Nothing leads to the first point; the error says what to write."""
    for shape in (("Cosine",), ("Polynomial", 2.5)):
        with pytest.raises(ValueError, match=r"the value at 3: no shape .* write 3: 0\.5$"):
            Piecewise({3: (0.5, *shape), 8: 1})


# -- calls and subclasses --------------------------------------------------------------------------


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
        message = rf"Own: {name} cannot be subclassed.*write a function"
        with pytest.raises(TypeError, match=message):
            type("Own", (getattr(curves, name),), {"__call__": lambda self, t: 1.0})
        assert make(name) == make(name)  # the shape itself is as before
    bare = type("Bare", (Curve,), {})
    with pytest.raises(NotImplementedError, match=r"Bare: define __call__\(self, t\)"):
        bare()(3)
