"""What the built-ins and the curves refuse: at once, by name, and with nothing touched."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from contextlib import AbstractContextManager
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch
from closed_forms import NAMES, SYMBOLS, Plan, arguments

import tsa_builtins
from tsa_builtins.curves import Constant, Linear, Polynomial, QuarterCosine, join

Untouched = Callable[[Any], AbstractContextManager[None]]

nan, inf = float("nan"), float("inf")

NOT_A_NUMBER: dict[str, tuple[Any, type[Exception]]] = {
    "NaN": (nan, ValueError),
    "inf": (inf, ValueError),
    "-inf": (-inf, ValueError),
    "NumPy NaN": (np.float64("nan"), ValueError),
    "complex": (1 + 0j, TypeError),
    "string": ("0.5", TypeError),
    "None": (None, TypeError),
    "bool": (True, TypeError),
    "NumPy bool": (np.bool_(True), TypeError),
    "list": ([0.5], TypeError),
    "tensor": (torch.tensor(0.5), TypeError),
}
OUT_OF_RANGE: dict[str, list[Any]] = {
    "num_warmup_steps": [-1, -0.5, -1e-9],
    "num_training_steps": [0, 0.0, -1, -12.5],
    "polynomial_exponent": [0, 0.0, -1, -0.5],
}


def refused_numbers(parameter: str) -> list[Any]:
    """``(parameter, value, error)``, each with a readable id."""
    rows = [(label, value, error) for label, (value, error) in NOT_A_NUMBER.items()]
    rows += [(repr(value), value, ValueError) for value in OUT_OF_RANGE.get(parameter, [])]
    return [pytest.param(parameter, *row[1:], id=f"{parameter}={row[0]}") for row in rows]


def refused_arguments() -> list[Any]:
    return [
        pytest.param(name, *refused.values, id=f"{name}-{refused.id}")
        for name in NAMES
        for parameter in arguments(name, Plan())
        for refused in refused_numbers(parameter)
    ]


def optimizer() -> Any:
    return torch.optim.AdamW(
        [
            {"params": [torch.nn.Parameter(torch.ones(2))], "lr": lr, "tensor": torch.tensor(lr)}
            for lr in (0.1, 0.003)
        ]
    )


def call(name: str, opt: Any, target: Any = "lr", **changed: Any) -> Any:
    good = arguments(name, Plan())
    return getattr(tsa_builtins, name)(opt, **{**good, **changed}, schedule_target=target)


every_name = pytest.mark.parametrize("name", NAMES)


# -- numbers --------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "parameter", "value", "error"), refused_arguments())
def test_a_number_that_cannot_be_is_refused(
    name: str, parameter: str, value: Any, error: type[Exception], untouched: Untouched
) -> None:
    """The error has the parameter's name and the value, and the groups stay as they were."""
    opt = optimizer()
    with untouched(opt), pytest.raises(error) as raised:
        call(name, opt, **{parameter: value})
    assert parameter in str(raised.value)
    assert repr(value) in str(raised.value)


@pytest.mark.parametrize("value", [10**400, Fraction(10**400)], ids=["int", "Fraction"])
def test_a_number_beyond_every_float_is_refused(value: Any, untouched: Untouched) -> None:
    """It is as good as infinite: a ``ValueError`` with the parameter's name."""
    opt = optimizer()
    with untouched(opt), pytest.raises(ValueError, match="value: expected a finite real number"):
        tsa_builtins.constant_schedule(opt, value)


INVERSE = [name for name in NAMES if name.endswith("inverse_warmup")]
ANNEALING = [name for name in NAMES if not name.startswith("constant")]


SPANS = [
    *((name, "warmup_multiplier", 1e200, 1e200, r"to_value \* warmup_mult") for name in INVERSE),
    *((name, "warmup_multiplier", 1e308, -1.0, r"warmup_multiplier - 1\)") for name in INVERSE),
    *((name, "anneal_to_value", 1e308, -1e308, "to_value - anneal_to") for name in ANNEALING),
    *((name, "anneal_to_value", 10**308, -(10**308), "value - anneal") for name in ANNEALING),
]


@pytest.mark.parametrize(("name", "parameter", "W", "value", "said"), SPANS)
def test_a_span_beyond_every_float_is_refused(
    name: str, parameter: str, W: float, value: float, said: str, untouched: Untouched
) -> None:
    """Each value is finite, and the way from one to the other is not: a step in it would fail."""
    opt = optimizer()
    with untouched(opt), pytest.raises(ValueError, match=said):
        call(name, opt, **{"warmup_to_value": W, parameter: value})


@pytest.mark.parametrize("name", ANNEALING)
@pytest.mark.parametrize(("L", "M"), [(13, 12), (12.001, 12), (1, 0.5)])
def test_a_warmup_longer_than_the_training_is_refused(
    name: str, L: float, M: float, untouched: Untouched
) -> None:
    """L > M is a ``ValueError`` that names both parameters and both values."""
    opt = optimizer()
    with untouched(opt), pytest.raises(ValueError, match="num_warmup_steps") as raised:
        call(name, opt, num_warmup_steps=L, num_training_steps=M)
    message = str(raised.value)
    assert "num_training_steps" in message
    assert repr(L) in message
    assert repr(M) in message


@every_name
@pytest.mark.parametrize("kind", [np.float64, np.float32, np.int64, Fraction, int])
def test_every_kind_of_real_number_is_taken(name: str, kind: Callable[[int], Any]) -> None:
    """NumPy's scalars, fractions and ints will do, and a Python float is what lands."""
    opt = optimizer()
    numbers = {parameter: kind(4) for parameter in arguments(name, Plan())}
    schedule = call(name, opt, **numbers)
    opt.step()
    for _ in range(5):
        schedule.step()
        assert [type(group["lr"]) for group in opt.param_groups] == [float, float]
    assert [group["lr"] for group in opt.param_groups] == [0.1 * 4, 0.003 * 4]


# -- targets --------------------------------------------------------------------------------

TARGETS: dict[str, tuple[Any, type[Exception], str]] = {
    "unknown": ("momentum", KeyError, "momentum"),
    "misspelt": ("weight_decy", KeyError, "did you mean 'weight_decay'"),
    "whole tuple": ("betas", TypeError, "betas[0]"),
    "boolean": ("amsgrad", TypeError, "amsgrad"),
    "None": ("foreach", TypeError, "foreach"),
    "parameters": ("params", TypeError, "params"),
    "index past the end": ("betas[7]", KeyError, "betas[7]"),
    "index from behind": ("betas[-1]", ValueError, "betas[-1]"),
    "element of a number": ("lr[0]", KeyError, "lr[0]"),
    "empty": ("", ValueError, "schedule_target"),
    "None itself": (None, TypeError, "schedule_target"),
    "bool itself": (True, TypeError, "schedule_target"),
    "number": (0, TypeError, "schedule_target"),
    "list": (["lr"], TypeError, "schedule_target"),
    "bytes": (b"lr", TypeError, "schedule_target"),
}


@every_name
@pytest.mark.parametrize(("target", "error", "said"), TARGETS.values(), ids=TARGETS.keys())
def test_a_target_that_cannot_be_is_refused(
    name: str, target: Any, error: type[Exception], said: str, untouched: Untouched
) -> None:
    """The error names the target, or the parameter where it is no name at all."""
    opt = optimizer()
    with untouched(opt), pytest.raises(error) as raised:
        call(name, opt, target)
    assert said in raised.value.args[0]


# -- optimizers -----------------------------------------------------------------------------

NO_OPTIMIZERS: dict[str, Any] = {
    "a model": torch.nn.Linear(2, 1),
    "its parameters": [torch.nn.Parameter(torch.ones(2))],
    "a class": torch.optim.AdamW,
    "None": None,
    "a bool": True,
    "a string": "AdamW",
    "a dict": {"param_groups": []},
}


@every_name
@pytest.mark.parametrize("not_one", NO_OPTIMIZERS.values(), ids=NO_OPTIMIZERS.keys())
def test_something_that_is_no_optimizer_is_refused(name: str, not_one: Any) -> None:
    """A ``TypeError`` says what was expected as ``optimizer`` and what came."""
    with pytest.raises(TypeError, match=r"optimizer: expected .*param_groups") as raised:
        call(name, not_one)
    assert f"got {type(not_one).__name__}" in str(raised.value)


# -- curves ---------------------------------------------------------------------------------

CURVES: dict[str, tuple[Callable[..., Any], dict[str, Any]]] = {
    "Constant": (Constant, {"value": 1.0}),
    "Linear": (Linear, {"start": 0.0, "end": 1.0, "steps": 3}),
    "QuarterCosine": (QuarterCosine, {"start": 0.0, "end": 1.0, "steps": 3}),
    "Polynomial": (Polynomial, {"start": 0.0, "end": 1.0, "steps": 3, "exponent": 2.0}),
}
CURVE_RANGES: dict[str, list[Any]] = {"steps": [-1, -0.5], "exponent": [0, -1]}


@pytest.mark.parametrize(
    ("curve", "parameter", "value", "error"),
    [
        pytest.param(curve, parameter, value, error, id=f"{curve}-{parameter}={label}")
        for curve, (_, good) in CURVES.items()
        for parameter in good
        for label, value, error in [
            *((label, *row) for label, row in NOT_A_NUMBER.items()),
            *((repr(value), value, ValueError) for value in CURVE_RANGES.get(parameter, [])),
        ]
    ],
)
def test_a_curve_of_what_is_no_number_is_refused(
    curve: str, parameter: str, value: Any, error: type[Exception]
) -> None:
    """No curve can be made of it, and the error has the field's name and the value."""
    make, good = CURVES[curve]
    with pytest.raises(error, match=parameter) as raised:
        make(**{**good, parameter: value})
    assert repr(value) in str(raised.value)


ONE = Constant(1.0)
JOINS: dict[str, tuple[Any, Any, type[Exception], str]] = {
    "a curve that is none": ([ONE, 0.5], [1], TypeError, "curves"),
    "a curve that is None": ([ONE, None], [1], TypeError, "curves"),
    "no curve": ([], [], ValueError, "curves"),
    "one curve outside a list": (ONE, [], TypeError, "curves"),
    "None for curves": (None, [], TypeError, "curves"),
    "None for boundaries": ([ONE], None, TypeError, "boundaries"),
    "a number for boundaries": ([ONE, ONE], 1, TypeError, "boundaries"),
    "too few boundaries": ([ONE, ONE], [], ValueError, "boundaries"),
    "too many boundaries": ([ONE], [1], ValueError, "boundaries"),
    "boundaries out of order": ([ONE, ONE, ONE], [2, 1], ValueError, "boundaries"),
    "a negative boundary": ([ONE, ONE], [-1], ValueError, "boundaries"),
    **{
        f"a boundary that is {label}": ([ONE, ONE], [value], error, "boundaries")
        for label, (value, error) in NOT_A_NUMBER.items()
    },
}


@pytest.mark.parametrize(
    ("curves", "boundaries", "error", "said"), JOINS.values(), ids=JOINS.keys()
)
def test_a_join_that_cannot_be_is_refused(
    curves: Any, boundaries: Any, error: type[Exception], said: str
) -> None:
    """The error names the argument that does not fit."""
    with pytest.raises(error, match=said):
        join(curves, boundaries)


# -- the tables above ------------------------------------------------------------------------


@every_name
def test_every_parameter_is_in_the_tables(name: str) -> None:
    """No parameter of a built-in is left out of the tests of this file."""
    parameters = set(inspect.signature(getattr(tsa_builtins, name)).parameters)
    assert parameters == {"optimizer", "schedule_target"} | (parameters & set(SYMBOLS))


def test_a_warning_points_at_the_users_line() -> None:
    """Through the built-in's own frame."""
    opt = torch.optim.SGD([torch.nn.Parameter(torch.ones(2))], lr=0.1)
    with pytest.warns(UserWarning, match="starts at 0") as caught:
        tsa_builtins.constant_schedule(opt, 0.5, "momentum")
    assert [warning.filename for warning in caught] == [__file__]
