"""What callers rely on when they write arguments by position or leave them out."""

from __future__ import annotations

import inspect
from typing import Any

import pytest
import torch
from closed_forms import NAMES, Plan, arguments

import tsa_builtins

PLAN = "optimizer, warmup_to_value, anneal_to_value, num_warmup_steps, num_training_steps"

SIGNATURES = {
    "cosine_annealing_with_warmup": f"({PLAN}, schedule_target='lr')",
    "cosine_annealing_with_inverse_warmup": f"({PLAN}, warmup_multiplier=20.0, "
    "schedule_target='lr')",
    "polynomial_schedule_with_warmup": f"({PLAN}, polynomial_exponent=2.0, schedule_target='lr')",
    "polynomial_schedule_with_inverse_warmup": f"({PLAN}, polynomial_exponent=2.0, "
    "warmup_multiplier=20.0, schedule_target='lr')",
    "linear_schedule_with_warmup": f"({PLAN}, schedule_target='lr')",
    "linear_schedule_with_inverse_warmup": f"({PLAN}, warmup_multiplier=20.0, "
    "schedule_target='lr')",
    "quadratic_schedule_with_warmup": f"({PLAN}, schedule_target='lr')",
    "quadratic_schedule_with_inverse_warmup": f"({PLAN}, warmup_multiplier=20.0, "
    "schedule_target='lr')",
    "sqrt_schedule_with_warmup": f"({PLAN}, schedule_target='lr')",
    "sqrt_schedule_with_inverse_warmup": f"({PLAN}, warmup_multiplier=20.0, schedule_target='lr')",
    "constant_with_warmup": "(optimizer, warmup_to_value, num_warmup_steps, schedule_target='lr')",
    "constant_with_inverse_warmup": "(optimizer, warmup_to_value, num_warmup_steps, "
    "warmup_multiplier=20.0, schedule_target='lr')",
    "constant_schedule": "(optimizer, value, schedule_target='lr')",
}


def without_types(signature: inspect.Signature) -> str:
    parameters = [
        parameter.replace(annotation=inspect.Parameter.empty)
        for parameter in signature.parameters.values()
    ]
    return str(signature.replace(parameters=parameters, return_annotation=inspect.Signature.empty))


@pytest.mark.parametrize("name", NAMES)
def test_positional_order_and_defaults(name: str) -> None:
    """The names, their order and their defaults are those that were promised."""
    assert without_types(inspect.signature(getattr(tsa_builtins, name))) == SIGNATURES[name]


@pytest.mark.parametrize("name", NAMES)
def test_arguments_by_position_mean_what_they_mean_by_name(name: str) -> None:
    """The same arguments by position and by name make the same curve on the same target."""

    def built(**by_name: Any) -> Any:
        optimizer = torch.optim.AdamW([torch.nn.Parameter(torch.ones(1))])
        return getattr(tsa_builtins, name)(optimizer, *by_position, **by_name)

    given = arguments(name, Plan(W=0.5, A=0.1, L=2, M=7, R=3.0, P=1.7))
    by_position: list[Any] = [*given.values(), "weight_decay"]
    positional = built()
    by_position = []
    named = built(**given, schedule_target="weight_decay")
    assert positional.curve == named.curve
    assert positional.schedule_target == named.schedule_target == "weight_decay"


def test_defaults_are_used() -> None:
    """Left out, the exponent is 2, the multiplier 20 and the target the learning rate."""

    def λ_at(t: float, name: str) -> Any:
        optimizer = torch.optim.SGD([torch.nn.Parameter(torch.ones(1))], lr=1.0)
        schedule = getattr(tsa_builtins, name)(optimizer, 1.0, 0.0, 4, 12)
        optimizer.step()
        schedule.step(t)
        return optimizer.param_groups[0]["lr"]

    assert λ_at(0, "linear_schedule_with_inverse_warmup") == 20.0
    assert λ_at(8, "polynomial_schedule_with_warmup") == 0.5**2
