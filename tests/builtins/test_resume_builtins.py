"""A built-in that is stopped at any step and resumed equals one that was not stopped."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
import torch
from closed_forms import ANNEALING, NAMES, Plan, build
from torch.nn import Parameter

import tsa_builtins.curves
import tsa_core

STEPS = 60
PLAN = Plan(W=0.7, A=0.1, L=7.5, M=50)
TARGET = "coefficients[0]"


def new_optimizer() -> torch.optim.Optimizer:
    return torch.optim.AdamW(
        [{"params": [Parameter(torch.ones(1))], "coefficients": (c, 0.99)} for c in (0.9, 0.4)]
    )


def held(optimizer: Any) -> list[float]:
    return [group["coefficients"][0] for group in optimizer.param_groups]


@pytest.mark.parametrize(
    "order",
    ["optimizer, schedule", "schedule, optimizer", "optimizer before building", "schedule alone"],
)
@pytest.mark.parametrize("name", NAMES)
def test_a_built_in_resumes_at_every_step(name: str, order: str) -> None:
    """Loaded through JSON in any order, a built-in goes on with the same values, bit for bit."""
    optimizer = new_optimizer()
    schedule = build(name, optimizer, PLAN, TARGET)
    values, saved = [], []
    for _ in range(STEPS):
        values.append(held(optimizer))
        saved.append((copy.deepcopy(optimizer.state_dict()), json.dumps(schedule.state_dict())))
        optimizer.step()
        schedule.step()
    for k, (optimizer_state, schedule_state) in enumerate(saved):
        optimizer = new_optimizer()
        if order == "optimizer before building":
            optimizer.load_state_dict(copy.deepcopy(optimizer_state))
        schedule = build(name, optimizer, PLAN, TARGET)
        if order == "optimizer, schedule":
            optimizer.load_state_dict(copy.deepcopy(optimizer_state))
        schedule.load_state_dict(json.loads(schedule_state))
        if order == "schedule, optimizer":
            optimizer.load_state_dict(copy.deepcopy(optimizer_state))
        for t in range(k, min(k + 8, STEPS)):
            assert held(optimizer) == schedule.get_last_lr() == values[t]
            optimizer.step()
            schedule.step()


@pytest.mark.parametrize("name", ANNEALING)
def test_a_built_in_resumes_under_another_plan(name: str) -> None:
    """The plan in the code goes on, and one warning names both plans."""
    old, new, throughout = (new_optimizer() for _ in range(3))
    first = build(name, old, PLAN, TARGET)
    second = build(name, new, PLAN, TARGET, num_training_steps=90)
    expected = build(name, throughout, PLAN, TARGET, num_training_steps=90)
    for _ in range(20):
        old.step()
        first.step()
        throughout.step()
        expected.step()
    with pytest.warns(UserWarning, match=r"(42.5|28.75).* goes on under .*(82.5|68.75)") as caught:
        second.load_state_dict(first.state_dict())
    assert len(caught) == 1
    assert held(new) == held(old)
    for _ in range(75):
        new.step()
        second.step()
        throughout.step()
        expected.step()
        assert held(new) == held(throughout)


@pytest.mark.parametrize("curves", ["one", "list", "dict"])
def test_an_equal_plan_loads_without_a_warning(curves: str) -> None:
    """A plan with 1 for 1.0, as another reader of the same settings gives, is the same plan."""

    def build_with(one: float, hundred: float) -> Any:
        curve = tsa_builtins.curves.Linear(one, 0.25, hundred)
        driven: Any = {"one": curve, "list": [curve, None], "dict": {"*": curve}}[curves]
        return tsa_core.CurveSchedule(new_optimizer(), driven, TARGET)

    build_with(1.0, 100.0).load_state_dict(build_with(1, 100).state_dict())
    with pytest.warns(UserWarning, match="was saved under"):
        build_with(1.0, 10.0).load_state_dict(build_with(1, 100).state_dict())
    with pytest.warns(UserWarning, match="was saved under"):
        build_with(1.05, 100).load_state_dict(build_with(1.5, 100).state_dict())
