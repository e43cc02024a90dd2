"""The arguments that built-ins refuse: at once, by name, and with nothing touched."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from contextlib import AbstractContextManager
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch
from bad_numbers import NOT_FINITE, NOT_REAL
from closed_forms import (
    ANNEALING,
    INVERSE,
    NAMES,
    OUT_OF_RANGE,
    SYMBOLS,
    Plan,
    arguments,
    build,
    closed_form,
)

import tsa_builtins

Untouched = Callable[[Any], AbstractContextManager[None]]

every_name = pytest.mark.parametrize("name", NAMES)


def refused_numbers(parameter: str) -> list[Any]:
    """``(parameter, value, error)``, each with a readable id."""
    rows = [
        *((label, value, TypeError) for label, value in NOT_REAL.items()),
        *((label, value, ValueError) for label, value in NOT_FINITE.items()),
        *((repr(value), value, ValueError) for value in OUT_OF_RANGE.get(parameter, [])),
    ]
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


# -- numbers --------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "parameter", "value", "error"), refused_arguments())
def test_a_bad_number_is_refused(
    name: str, parameter: str, value: Any, error: type[Exception], untouched: Untouched
) -> None:
    """The error has the parameter's name and the value, and the groups stay as they were."""
    opt = optimizer()
    with untouched(opt), pytest.raises(error) as raised:
        build(name, opt, Plan(), **{parameter: value})
    assert parameter in str(raised.value)
    assert repr(value) in str(raised.value)


SPANS = [
    *((name, "warmup_multiplier", 1e200, 1e200, r"to_value \* warmup_mult") for name in INVERSE),
    *((name, "warmup_multiplier", 1e308, -1.0, r"warmup_multiplier - 1\)") for name in INVERSE),
    *((name, "anneal_to_value", 1e308, -1e308, "to_value - anneal_to") for name in ANNEALING),
    *((name, "anneal_to_value", 10**308, -(10**308), "value - anneal") for name in ANNEALING),
]


@pytest.mark.parametrize(("name", "parameter", "W", "value", "message"), SPANS)
def test_a_span_beyond_every_float_is_refused(
    name: str, parameter: str, W: float, value: float, message: str, untouched: Untouched
) -> None:
    """Two finite values can be so far apart that a step between them would overflow."""
    opt = optimizer()
    with untouched(opt), pytest.raises(ValueError, match=message):
        build(name, opt, Plan(), **{"warmup_to_value": W, parameter: value})


@pytest.mark.parametrize("name", ANNEALING)
@pytest.mark.parametrize(("L", "M"), [(13, 12), (12.001, 12), (1, 0.5)])
def test_a_warmup_longer_than_the_training_is_refused(
    name: str, L: float, M: float, untouched: Untouched
) -> None:
    """L > M is a ValueError that names both parameters and both values."""
    opt = optimizer()
    with untouched(opt), pytest.raises(ValueError, match="num_warmup_steps") as raised:
        build(name, opt, Plan(), num_warmup_steps=L, num_training_steps=M)
    message = str(raised.value)
    assert "num_training_steps" in message
    assert repr(L) in message
    assert repr(M) in message


@every_name
@pytest.mark.parametrize("kind", [np.float64, np.float32, np.int64, Fraction, int])
def test_every_kind_of_real_number_is_taken(name: str, kind: Callable[[int], Any]) -> None:
    """NumPy's scalars, fractions and ints are taken, and the groups then hold Python floats."""
    opt = optimizer()
    numbers = {parameter: kind(4) for parameter in arguments(name, Plan())}
    if "num_decay_steps" in numbers:  # no room for a decay beside the warmup
        numbers["num_decay_steps"] = kind(0)
    schedule = build(name, opt, Plan(), **numbers)
    opt.step()
    for _ in range(5):
        schedule.step()
        assert [type(group["lr"]) for group in opt.param_groups] == [float, float]
    λ = closed_form(name, Plan(W=4, A=4, L=4, M=4), 5)
    assert [group["lr"] for group in opt.param_groups] == pytest.approx([0.1 * λ, 0.003 * λ])


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
@pytest.mark.parametrize(("target", "error", "named"), TARGETS.values(), ids=TARGETS.keys())
def test_a_bad_target_is_refused(
    name: str, target: Any, error: type[Exception], named: str, untouched: Untouched
) -> None:
    """The error names the target, or ``schedule_target`` if the target is not a name."""
    opt = optimizer()
    with untouched(opt), pytest.raises(error) as raised:
        build(name, opt, Plan(), target)
    assert named in raised.value.args[0]


# -- optimizers -----------------------------------------------------------------------------

NOT_OPTIMIZERS: dict[str, Any] = {
    "a model": torch.nn.Linear(2, 1),
    "its parameters": [torch.nn.Parameter(torch.ones(2))],
    "a class": torch.optim.AdamW,
    "None": None,
    "a bool": True,
    "a string": "AdamW",
    "a dict": {"param_groups": []},
}


@every_name
@pytest.mark.parametrize("not_one", NOT_OPTIMIZERS.values(), ids=NOT_OPTIMIZERS.keys())
def test_an_object_that_is_not_an_optimizer_is_refused(name: str, not_one: Any) -> None:
    """A TypeError says what was expected as ``optimizer``, and which type was given."""
    with pytest.raises(TypeError, match=r"optimizer: expected .*param_groups") as raised:
        build(name, not_one, Plan())
    assert f"got {type(not_one).__name__}" in str(raised.value)


# -- tables and warnings ---------------------------------------------------------------------


@every_name
def test_every_parameter_is_in_the_tables(name: str) -> None:
    """No parameter of a built-in is left out of the tests of this file."""
    parameters = set(inspect.signature(getattr(tsa_builtins, name)).parameters)
    others = {"optimizer", "schedule_target", "absolute", "skip_zero", "decay"} & parameters
    assert parameters == others | (parameters & set(SYMBOLS))


def test_a_warning_points_at_the_users_line() -> None:
    """A warning about the target shows the line that calls the built-in."""
    opt = torch.optim.SGD([torch.nn.Parameter(torch.ones(2))], lr=0.1)
    with pytest.warns(UserWarning, match="starts at 0") as caught:
        tsa_builtins.constant_schedule(opt, 0.5, "momentum")
    assert [warning.filename for warning in caught] == [__file__]
