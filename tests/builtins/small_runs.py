"""Optimizers, and steps and states of a run, that many tests of this folder use."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import pytest
import torch
from closed_forms import NAMES
from torch.nn import Parameter

# The fixture ``untouched``: a context in which an optimizer's param groups must not change.
Untouched = Callable[[Any], AbstractContextManager[None]]

every_name = pytest.mark.parametrize("name", NAMES)

# torch < 2.9 calls its own step(epoch), which it deprecates, in a SequentialLR.
ignore_epoch_deprecation = pytest.mark.filterwarnings(
    "ignore:The epoch parameter in `scheduler.step:UserWarning"
)


def adamw(*groups: dict[str, Any], **settings: Any) -> torch.optim.AdamW:
    """An AdamW with one parameter per group; ``groups`` are the entries of each group."""
    entries = [{"params": [Parameter(torch.ones(1))], **group} for group in groups or ({},)]
    return torch.optim.AdamW(entries, **settings)


def held(optimizer: Any, target: str = "lr") -> list[Any]:
    """The value of ``target`` in each param group."""
    key, _, element = target.partition("[")
    entries = [group[key] for group in optimizer.param_groups]
    return [entry[int(element[:-1])] for entry in entries] if element else entries


def advance(schedule: Any, steps: int = 1) -> None:
    """Step the optimizer, then the schedule, ``steps`` times."""
    optimizer = getattr(schedule.optimizer, "optimizer", schedule.optimizer)
    for _ in range(steps):
        optimizer.step()
        schedule.step()


def through_json(state: Any) -> Any:
    return json.loads(json.dumps(state))


def through_pickle(each: Any) -> Any:
    return pickle.loads(pickle.dumps(each))
