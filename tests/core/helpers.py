"""Optimizers, curves and schedules that many tests of the core use."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch.nn import Parameter
from torch.optim.lr_scheduler import ExponentialLR, LambdaLR

import tsa_core


def halving(t: float) -> float:
    return 0.5**t


def sgd(*groups: dict[str, Any], **settings: Any) -> torch.optim.SGD:
    """An SGD with one parameter per group; ``groups`` are the entries of each group."""
    entries = [{"params": [Parameter(torch.ones(1))], **group} for group in groups or ({},)]
    return torch.optim.SGD(entries, **{"lr": 0.5, **settings})


def adamw(*groups: dict[str, Any], **settings: Any) -> torch.optim.AdamW:
    """An AdamW with one parameter per group; ``groups`` are the entries of each group."""
    entries = [{"params": [Parameter(torch.ones(1))], **group} for group in groups or ({},)]
    return torch.optim.AdamW(entries, **settings)


def held(optimizer: Any, target: str = "lr") -> list[Any]:
    """The value of ``target`` in each param group."""
    key, _, element = target.partition("[")
    entries = [group[key] for group in optimizer.param_groups]
    return [entry[int(element[:-1])] for entry in entries] if element else entries


def put_curve(optimizer: Any, target: str = "lr") -> tsa_core.CurveSchedule:
    """A curve that halves ``target`` at each step."""
    return tsa_core.CurveSchedule(optimizer, halving, target)


def put(
    optimizer: Any,
    target: str = "lr",
    make: Callable[[Any], Any] = lambda proxy: ExponentialLR(proxy, 0.5),
) -> Any:
    """A torch scheduler on ``target``: by default one that halves it at each step."""
    return tsa_core.arbitrary_schedule_factory(optimizer, make, schedule_target=target)


def put_lambda(optimizer: Any, target: str = "lr") -> Any:
    """A torch ``LambdaLR`` that halves ``target`` at each step."""
    return put(optimizer, target, lambda proxy: LambdaLR(proxy, halving))


def advance(schedule: Any, steps: int = 1) -> None:
    """Step the optimizer, then the schedule, ``steps`` times."""
    for _ in range(steps):
        schedule.optimizer.step()
        schedule.step()
