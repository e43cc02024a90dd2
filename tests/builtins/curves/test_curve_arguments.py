"""The arguments that curves refuse: at once, with the name of the argument and the value."""

from __future__ import annotations

import inspect
import math
import numbers
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from bad_numbers import BAD_NUMBERS
from cases import crossed
from curve_forms import COMBINATIONS, KINDS, SHAPES, TRANSITIONS, make, third

from tsa_builtins import curves
from tsa_builtins.curves import Constant, Curve, Linear, Piecewise, PiecewiseConstant, join

# -- numbers ---------------------------------------------------------------------------------------

NUMBERS = [
    (name, argument)
    for name, kind in KINDS.items()
    for argument, value in kind.example.items()
    if isinstance(value, numbers.Real)
]
RANGES = [(name, argument) for name, kind in KINDS.items() for argument in kind.out_of_range]

# Numbers inside a container: how it is made from one, the argument and numbers out of range.
INSIDE: dict[str, tuple[Callable[[Any], Any], str, list[Any]]] = {
    "a step of Piecewise": (lambda x: Piecewise([(x, 2)]), "points", [-1]),
    "a value of Piecewise": (lambda x: Piecewise([(0, x)]), "points", []),
    "a step of PiecewiseConstant": (lambda x: PiecewiseConstant([(x, 2)]), "points", [-1]),
    "a value of PiecewiseConstant": (lambda x: PiecewiseConstant({0: x}), "points", []),
    "a boundary": (lambda x: join([third, third], [x]), "boundaries", [-1]),
}


def refused(make: Callable[[Any], Any], argument: str, value: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match=argument) as raised:
        make(value)
    assert repr(value) in str(raised.value)


@pytest.mark.parametrize(("place", "bad"), crossed(NUMBERS, BAD_NUMBERS))
def test_a_bad_number_is_refused(place: tuple[str, str], bad: str) -> None:
    """The error has the name of the argument and the value."""
    name, argument = place
    refused(lambda x: make(name, **{argument: x}), argument, *BAD_NUMBERS[bad])


@pytest.mark.parametrize(("name", "argument"), RANGES)
def test_an_argument_out_of_its_range_is_refused(name: str, argument: str) -> None:
    """A ValueError has the name of the argument; a curve of this value cannot be made."""
    for value in KINDS[name].out_of_range[argument]:
        with pytest.raises(ValueError, match=argument):
            make(name, **{argument: value})


@pytest.mark.parametrize("place", INSIDE)
def test_a_bad_number_in_a_container_is_refused(place: str) -> None:
    """The numbers inside points and boundaries are checked like any other argument."""
    make, argument, out_of_range = INSIDE[place]
    for value, error in [*BAD_NUMBERS.values(), *((each, ValueError) for each in out_of_range)]:
        refused(make, argument, value, error)


@pytest.mark.parametrize(
    ("name", "ends"),
    crossed(TRANSITIONS, [(1e308, -1e308), (-1e308, 1e308), (10**308, -(10**308))]),
)
def test_a_transition_longer_than_any_float_is_refused(name: str, ends: Any) -> None:
    """The ends are finite and the way between them is not, so the formula would overflow."""
    start, end = ends
    with pytest.raises(ValueError, match=r"end: expected .*start") as raised:
        make(name, start=start, end=end)
    assert repr(end) in str(raised.value)


@pytest.mark.parametrize(("start", "end"), [(1e-300, 1e300), (1e300, 1e-300), (-1e-300, -1e300)])
def test_an_exponential_whose_quotient_no_float_holds_is_refused(start: float, end: float) -> None:
    """The formula takes a power of end / start, which may be too large or too small."""
    with pytest.raises(ValueError, match="end: expected the same sign as start") as raised:
        make("Exponential", start=start, end=end)
    assert repr(end) in str(raised.value)


def test_points_further_apart_than_any_float_are_refused() -> None:
    """A line between two finite values can be too long for a float; stairs cannot."""
    points = {0: 1, 5: 1e308, 8: -1e308}
    with pytest.raises(ValueError, match=r"points: the value at 8: .*less than 1.8e308 away"):
        Piecewise(points)
    assert PiecewiseConstant(points)(8) == -1e308


# -- curves, points and boundaries -----------------------------------------------------------------


OF_ONE_CURVE = [name for name, kind in COMBINATIONS.items() if "curve" in kind.example]


@pytest.mark.parametrize(("name", "value"), crossed(OF_ONE_CURVE, [None, 0.5, "cosine", [third]]))
def test_a_curve_that_cannot_be_called_is_refused(name: str, value: Any) -> None:
    """A TypeError names the argument and says what a curve is."""
    with pytest.raises(TypeError, match="curve: expected a curve"):
        make(name, curve=value)


ONE = Constant(1.0)
JOINS: dict[str, tuple[Any, Any, type[Exception], str]] = {
    "a number among the curves": ([ONE, 0.5], [1], TypeError, "curves: expected a curve"),
    "None among the curves": ([ONE, None], [1], TypeError, "curves: expected a curve"),
    "no curve": ([], [], ValueError, "curves: expected at least one"),
    "a curve outside a list": (ONE, [], TypeError, "curves: expected a list"),
    "a function outside a list": (third, [], TypeError, "curves: expected a list"),
    "None for curves": (None, [], TypeError, "curves: expected a list"),
    "None for boundaries": ([ONE], None, TypeError, "boundaries: expected a list"),
    "a number for boundaries": ([ONE, ONE], 1, TypeError, "boundaries: expected a list"),
    "too few boundaries": ([ONE, ONE], [], ValueError, "boundaries: expected one between"),
    "too many boundaries": ([ONE], [1], ValueError, "boundaries: expected one between"),
    "boundaries out of order": ([ONE] * 3, [2, 1], ValueError, "boundaries: .* in order"),
}


@pytest.mark.parametrize("name", JOINS)
def test_a_join_that_does_not_fit_is_refused(name: str) -> None:
    """The error names the argument that does not fit."""
    curves, boundaries, error, message = JOINS[name]
    with pytest.raises(error, match=message):
        join(curves, boundaries)


BAD_POINTS: list[tuple[Any, type[Exception]]] = [
    ({}, ValueError),
    ([], ValueError),
    ([(0, 1), (0.0, 2)], ValueError),
    (3, TypeError),
    ([0, 1], TypeError),
    ("ab", TypeError),
    (None, TypeError),
]


@pytest.mark.parametrize("kind", [Piecewise, PiecewiseConstant])
def test_points_that_do_not_fit_are_refused(kind: Any) -> None:
    """There is at least one point, and each has a value and a step of its own."""
    for points, error in BAD_POINTS:
        with pytest.raises(error, match="points"):
            kind(points)


# -- products --------------------------------------------------------------------------------------


@pytest.mark.parametrize("bad", ["2", None, True, 1j, [2], np.array([1.0, 2.0]), torch.tensor(2.0)])
def test_a_factor_that_is_not_a_number_is_refused(bad: Any) -> None:
    """On either side Python raises its TypeError for operands that ``*`` cannot multiply."""
    for multiply in (lambda: Linear(0, 1, 4) * bad, lambda: bad * Linear(0, 1, 4)):
        with pytest.raises(TypeError):
            multiply()


@pytest.mark.parametrize("bad", [math.nan, math.inf, 10**400])
def test_a_factor_that_is_not_finite_is_refused(bad: Any) -> None:
    """A factor that is NaN or infinite is a ValueError on either side."""
    for multiply in (lambda: Linear(0, 1, 4) * bad, lambda: bad * Linear(0, 1, 4)):
        with pytest.raises(ValueError, match="finite"):
            multiply()


def test_a_right_operand_with_a_product_of_its_own_is_asked() -> None:
    """Python asks the right operand of ``*`` if the curve on the left cannot multiply it."""

    class Scaling:
        def __rmul__(self, other: Any) -> Any:
            return "mine"

    assert Linear(0, 1, 4) * Scaling() == "mine"


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


@pytest.mark.parametrize("name", SHAPES)
def test_a_subclass_of_a_shape_is_refused(name: str) -> None:
    """Combinations would pass over its ``__call__``; the error says what to write instead."""
    shape = getattr(curves, name)
    with pytest.raises(TypeError, match=rf"Own: {name} cannot be subclassed.*write a function"):
        type("Own", (shape,), {"__call__": lambda self, t: 1.0})
    assert make(name) == make(name)  # the shape itself is as before


def test_a_subclass_of_curve_without_a_call_says_what_it_lacks() -> None:
    """A bare subclass of ``Curve`` has no formula, and calling it names ``__call__``."""

    class Bare(Curve):
        pass

    with pytest.raises(NotImplementedError, match=r"Bare: define __call__\(self, t\)"):
        Bare()(3)
