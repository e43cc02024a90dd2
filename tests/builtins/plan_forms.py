"""The optimizer, the curves and the run of the tests of plans."""

from __future__ import annotations

from typing import Any

import torch
from torch.optim.lr_scheduler import ReduceLROnPlateau

NAMES_OF_GROUPS = ("backbone", "head")
LINE = {"kind": "Linear", "start": 1, "end": 0, "steps": 10}
HALF = {"kind": "Constant", "value": 0.5}


def make_optimizer() -> torch.optim.AdamW:
    """An AdamW with two param groups, whose initial values differ."""
    parameters = [torch.nn.Parameter(torch.ones(2)) for _ in NAMES_OF_GROUPS]
    groups = [
        {"params": [each], "name": name, "lr": 0.1 * i, "weight_decay": 0.2 * i}
        for i, (name, each) in enumerate(zip(NAMES_OF_GROUPS, parameters), 1)
    ]
    return torch.optim.AdamW(groups)


def values_along(schedule: Any, steps: int = 30) -> list[Any]:
    """The values of all members, at each step from the present one on."""
    takes_metrics = any(isinstance(each, ReduceLROnPlateau) for each in schedule.schedules.values())
    values = [schedule.get_last_schedules()]
    for optimizer in {each.optimizer for each in schedule.members}:
        optimizer.step()
    for t in range(steps):
        schedule.step(*([1.0 + t % 3] if takes_metrics else []))
        values.append(schedule.get_last_schedules())
    return values
