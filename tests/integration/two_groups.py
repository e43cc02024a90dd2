"""An optimizer with two param groups, whose values of one target differ."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

import torch_schedule_anything as tsa

INITIAL_VALUES = (0.5, 0.25)  # one per param group
LR = 1e-3  # AdamW's default, in both groups unless lr is the target


def make_optimizer(target: str) -> torch.optim.AdamW:
    groups = [
        {"params": [torch.nn.Parameter(torch.ones(1))], target: value} for value in INITIAL_VALUES
    ]
    return torch.optim.AdamW(groups, lr=LR)


def values_of(optimizer: Any, target: str = "lr") -> list[float]:
    return [group[target] for group in optimizer.param_groups]


def run(optimizer: Any, schedule: Any, target: str, steps: int) -> list[list[float]]:
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
