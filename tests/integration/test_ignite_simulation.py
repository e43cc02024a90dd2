"""Ignite's ``simulate_values``, which steps a schedule and then restores it and its optimizer."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from ignite.handlers.param_scheduler import LRScheduler
from torch.optim.lr_scheduler import StepLR
from two_groups import INITIAL_VALUES, make_optimizer, values_of

import torch_schedule_anything as tsa

STEPS = 8
TARGETS = ["lr", "weight_decay"]


def step_lr(optimizer: Any) -> StepLR:
    return StepLR(optimizer, 2, 0.5)


def step_lr_on(optimizer: Any, target: str) -> StepLR:
    return tsa.arbitrary_schedule_factory(optimizer, step_lr, schedule_target=target)


def values_at(t: int) -> list[float]:
    """The values of ``step_lr`` at step t, in closed form."""
    return [initial_value * 0.5 ** (t // 2) for initial_value in INITIAL_VALUES]


def run(optimizer: Any, schedule: Any, target: str, steps: int) -> list[list[float]]:
    """The target's values before each step."""
    values = []
    for _ in range(steps):
        values.append(values_of(optimizer, target))
        optimizer.step()
        schedule.step()
    return values


@pytest.mark.parametrize("start", [0, 3])
@pytest.mark.parametrize("target", TARGETS)
def test_ignites_simulation_gives_the_values_of_the_run(target: str, start: int) -> None:
    """A simulation of a factory schedule, new or in a run, gives the next values, undone."""
    reference, optimizer = make_optimizer("lr"), make_optimizer(target)
    reference_schedule, schedule = step_lr(reference), step_lr_on(optimizer, target)
    for parameter in (group["params"][0] for group in optimizer.param_groups):
        parameter.grad = torch.ones(1)  # so that the optimizer has a state to restore
    run(reference, reference_schedule, "lr", start)
    run(optimizer, schedule, target, start)
    expected = LRScheduler.simulate_values(STEPS, reference_schedule)
    assert expected == [[i, *values_at(start + i)] for i in range(STEPS)]

    before = copy.deepcopy((optimizer.state_dict(), schedule.state_dict()))
    assert LRScheduler.simulate_values(STEPS, schedule) == expected
    after = (optimizer.state_dict(), schedule.state_dict())
    torch.testing.assert_close(after, before, rtol=0, atol=0)
    assert run(optimizer, schedule, target, STEPS) == [values for _, *values in expected]


def builtin_on_lr(optimizer: Any) -> tsa.CurveSchedule:
    return tsa.linear_schedule_with_warmup(optimizer, 1.0, 0.0, 0, 4)


def builtin_on_weight_decay(optimizer: Any) -> tsa.CurveSchedule:
    return tsa.arbitrary_schedule_factory(optimizer, builtin_on_lr, schedule_target="weight_decay")


@pytest.mark.parametrize(
    ("make_schedule", "target"),
    [(builtin_on_lr, "lr"), (builtin_on_weight_decay, "weight_decay")],
)
def test_ignites_simulation_of_a_builtin_gives_the_values_of_the_run(
    make_schedule: Callable[[Any], tsa.CurveSchedule], target: str
) -> None:
    """A simulation of a built-in gives its values, and the run then starts from step 0."""
    optimizer = make_optimizer(target)
    schedule = make_schedule(optimizer)
    simulated = LRScheduler.simulate_values(STEPS, schedule)
    expected = [
        [initial_value * max(0.0, 1 - t / 4) for initial_value in INITIAL_VALUES]
        for t in range(STEPS)
    ]
    assert [values for _, *values in simulated] == expected
    assert run(optimizer, schedule, target, STEPS) == expected
