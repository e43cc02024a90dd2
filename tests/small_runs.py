"""Optimizers, and steps and states of a run, that many tests use."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import pytest
import torch
from torch.nn import Parameter

# The fixture ``untouched``: a context in which an optimizer's param groups must not change.
Untouched = Callable[[Any], AbstractContextManager[None]]

# torch deprecates the epoch argument of step() (EPOCH_DEPRECATION_WARNING in its lr_scheduler.py),
# and the SequentialLR of torch < 2.9 passes it.
ignore_epoch_deprecation = pytest.mark.filterwarnings(
    "ignore:The epoch parameter in `scheduler.step:UserWarning"
)


def groups_of(entries: tuple[dict[str, Any], ...]) -> list[dict[str, Any]]:
    """One group with one parameter per entries, or one alone."""
    return [{"params": [Parameter(torch.ones(1))], **group} for group in entries or ({},)]


def sgd(*groups: dict[str, Any], **settings: Any) -> torch.optim.SGD:
    """An SGD with one parameter per group; ``groups`` are the entries of each group."""
    return torch.optim.SGD(groups_of(groups), **{"lr": 0.5, **settings})


def adamw(*groups: dict[str, Any], **settings: Any) -> torch.optim.AdamW:
    """An AdamW with one parameter per group; ``groups`` are the entries of each group."""
    return torch.optim.AdamW(groups_of(groups), **settings)


def held(optimizer: Any, target: str = "lr") -> list[Any]:
    """The value of ``target`` in each param group."""
    key, _, element = target.partition("[")
    entries = [group[key] for group in optimizer.param_groups]
    return [entry[int(element[:-1])] for entry in entries] if element else entries


def real_optimizer(schedule: Any) -> Any:
    """The user's optimizer, also where the schedule is on a proxy of it."""
    return getattr(schedule.optimizer, "optimizer", schedule.optimizer)


def optimizers_of(schedule: Any) -> list[Any]:
    """The optimizer of a schedule, or the several ones of a ``SynchronousSchedule``."""
    members = getattr(schedule, "schedules", {"": schedule}).values()
    return [*{id(each): each for each in map(real_optimizer, members)}.values()]


def step_optimizers(schedule: Any) -> None:
    for optimizer in optimizers_of(schedule):
        optimizer.step()


def advance(schedule: Any, steps: int = 1, *metrics: float) -> None:
    """Step the optimizer or the optimizers, then the schedule, ``steps`` times."""
    for _ in range(steps):
        step_optimizers(schedule)
        schedule.step(*metrics)


def through_json(state: Any) -> Any:
    return json.loads(json.dumps(state))


def through_pickle(each: Any) -> Any:
    return pickle.loads(pickle.dumps(each))
