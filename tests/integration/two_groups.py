"""An optimizer with two param groups, whose values of one target differ."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch.optim.lr_scheduler import LambdaLR

import torch_schedule_anything as tsa

INITIAL_VALUES = (0.5, 0.25)  # one per param group
LR = 1e-3  # AdamW's default, in both groups unless lr is the target
STEPS = 8

# torch's LambdaLR warns if somebody calls its get_lr() outside of a step.
calls_get_lr = pytest.mark.filterwarnings("ignore:To get the last learning rate:UserWarning")


def make_optimizer(target: str) -> torch.optim.AdamW:
    """The first group takes the optimizer's default for the target, the second has its own."""
    groups = [{"params": [torch.nn.Parameter(torch.ones(1))]} for _ in INITIAL_VALUES]
    groups[1][target] = INITIAL_VALUES[1]
    defaults = {target: INITIAL_VALUES[0]} if target in ("lr", "weight_decay") else {}
    optimizer = torch.optim.AdamW(groups, **{"lr": LR, **defaults})
    return tsa.extend_optimizer(optimizer, target, INITIAL_VALUES[0])


def values_of(optimizer: Any, target: str = "lr") -> list[float]:
    return [group[target] for group in optimizer.param_groups]


def run(optimizer: Any, schedule: Any, target: str, steps: int = STEPS) -> list[list[float]]:
    """The target's values before each step."""
    values = []
    for _ in range(steps):
        values.append(values_of(optimizer, target))
        optimizer.step()
        schedule.step()
    return values


def on_weight_decay(make_schedule: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda optimizer: tsa.arbitrary_schedule_factory(
        optimizer, make_schedule, schedule_target="weight_decay"
    )


# -- the same fall to 0, by torch and by a built-in ------------------------------------------------


def multiple(t: float) -> float:
    return max(0.0, 1 - t / STEPS)


def expected(t: float) -> list[float]:
    return [initial * multiple(t) for initial in INITIAL_VALUES]


def lambda_lr(optimizer: Any) -> LambdaLR:
    return LambdaLR(optimizer, multiple)


def builtin(optimizer: Any, schedule_target: str = "lr") -> tsa.CurveSchedule:
    return tsa.linear_schedule_with_warmup(optimizer, 1.0, 0.0, 0, STEPS, schedule_target)
