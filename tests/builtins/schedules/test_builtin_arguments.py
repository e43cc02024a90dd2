"""The arguments that built-ins refuse: at once, by name, and with nothing touched."""

from __future__ import annotations

import inspect
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch
from bad_numbers import BAD_NUMBERS
from cases import crossed, some
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
from small_runs import Untouched, adamw, advance, held

import tsa_builtins

NUMBERS = [(name, parameter) for name in NAMES for parameter in arguments(name, Plan())]
RANGES = [
    case
    for ranged, values in OUT_OF_RANGE.items()
    for case in crossed([each for each in NUMBERS if each[1] == ranged], values)
]


def optimizer() -> Any:
    return adamw(*({"lr": lr, "tensor": torch.tensor(lr)} for lr in (0.1, 0.003)))


# -- numbers --------------------------------------------------------------------------------


def refuses(
    name: str, parameter: str, value: Any, error: type[Exception], untouched: Untouched
) -> None:
    """The error has the parameter's name and the value, and the groups stay as they were."""
    opt = optimizer()
    with untouched(opt), pytest.raises(error) as raised:
        build(name, opt, Plan(), **{parameter: value})
    assert parameter in str(raised.value)
    assert repr(value) in str(raised.value)


@pytest.mark.parametrize(("argument", "bad"), crossed(NUMBERS, BAD_NUMBERS))
def test_a_bad_number_is_refused(argument: tuple[str, str], bad: str, untouched: Untouched) -> None:
    """An argument that is not a real number, or not finite, is refused by its name."""
    refuses(*argument, *BAD_NUMBERS[bad], untouched)


@pytest.mark.parametrize(("argument", "value"), RANGES)
def test_a_number_out_of_its_range_is_refused(
    argument: tuple[str, str], value: float, untouched: Untouched
) -> None:
    """A count of steps or an exponent out of its range is refused by its name."""
    refuses(*argument, value, ValueError, untouched)


SPANS_OF_A_WARMUP = [
    ("warmup_multiplier", 1e200, 1e200, r"to_value \* warmup_mult"),
    ("warmup_multiplier", 1e308, -1.0, r"warmup_multiplier - 1\)"),
]
SPANS_OF_AN_ANNEALING = [
    ("anneal_to_value", 1e308, -1e308, "to_value - anneal_to"),
    ("anneal_to_value", 10**308, -(10**308), "value - anneal"),
]


@pytest.mark.parametrize(
    ("name", "span"),
    crossed(INVERSE, SPANS_OF_A_WARMUP) + crossed(ANNEALING, SPANS_OF_AN_ANNEALING),
)
def test_a_span_beyond_every_float_is_refused(
    name: str, span: tuple[str, float, float, str], untouched: Untouched
) -> None:
    """Two finite values can be so far apart that a step between them would overflow."""
    opt, (parameter, W, value, message) = optimizer(), span
    with untouched(opt), pytest.raises(ValueError, match=message):
        build(name, opt, Plan(), **{"warmup_to_value": W, parameter: value})


@pytest.mark.parametrize(
    ("name", "lengths"), crossed(ANNEALING, [(13, 12), (12.001, 12), (1, 0.5)])
)
def test_a_warmup_longer_than_the_training_is_refused(
    name: str, lengths: tuple[float, float], untouched: Untouched
) -> None:
    """L > M is a ValueError that names both parameters and both values."""
    opt, (L, M) = optimizer(), lengths
    with untouched(opt), pytest.raises(ValueError, match="num_warmup_steps") as raised:
        build(name, opt, Plan(), num_warmup_steps=L, num_training_steps=M)
    assert f"num_training_steps = {M!r}, got {L!r}" in str(raised.value)


@pytest.mark.parametrize(
    ("name", "kind"), crossed(NAMES, [np.float64, np.float32, np.int64, Fraction, int])
)
def test_every_kind_of_real_number_is_taken(name: str, kind: Any) -> None:
    """NumPy's scalars, fractions and ints are taken, and the groups then hold Python floats."""
    opt = optimizer()
    numbers = {parameter: kind(4) for parameter in arguments(name, Plan())}
    if "num_decay_steps" in numbers:  # no room for a decay beside the warmup
        numbers["num_decay_steps"] = kind(0)
    schedule = build(name, opt, Plan(), **numbers)
    for _ in range(5):
        advance(schedule)
        assert [type(value) for value in held(opt)] == [float, float]
    λ = closed_form(name, Plan(W=4, A=4, L=4, M=4), 5)
    assert held(opt) == pytest.approx([0.1 * λ, 0.003 * λ])


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


@pytest.mark.parametrize(("name", "target"), crossed(NAMES, TARGETS))
def test_a_bad_target_is_refused(name: str, target: str, untouched: Untouched) -> None:
    """The error names the target, or ``schedule_target`` if the target is not a name."""
    opt, (given, error, named) = optimizer(), TARGETS[target]
    with untouched(opt), pytest.raises(error) as raised:
        build(name, opt, Plan(), given)
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


@pytest.mark.parametrize(("name", "given"), crossed(some(NAMES), NOT_OPTIMIZERS))
def test_an_object_that_is_not_an_optimizer_is_refused(name: str, given: str) -> None:
    """A TypeError says what was expected as ``optimizer``, and which type was given."""
    not_one = NOT_OPTIMIZERS[given]
    with pytest.raises(TypeError, match=r"optimizer: expected .*param_groups") as raised:
        build(name, not_one, Plan())
    assert f"got {type(not_one).__name__}" in str(raised.value)


# -- tables ----------------------------------------------------------------------------------


def test_every_parameter_is_in_the_tables() -> None:
    """No parameter of a built-in is left out of the tests of this file."""
    others = {"optimizer", "schedule_target", "absolute", "where", "skip_zero", "decay"}
    for name in NAMES:
        parameters = set(inspect.signature(getattr(tsa_builtins, name)).parameters)
        assert parameters == (others & parameters) | (parameters & set(SYMBOLS)), name


def test_a_warning_points_at_the_users_line() -> None:
    """A warning about the target shows the line that calls the built-in."""
    opt = torch.optim.SGD([torch.nn.Parameter(torch.ones(2))], lr=0.1)
    with pytest.warns(UserWarning, match="starts at 0") as caught:
        tsa_builtins.constant_schedule(opt, 0.5, "momentum")
    assert [warning.filename for warning in caught] == [__file__]
