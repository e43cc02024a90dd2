"""Schedulers that other people publish give on any target what they give on a plain lr."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from pytorch_optimizer.lr_scheduler import CosineAnnealingWarmupRestarts, REXScheduler
from timm.scheduler import CosineLRScheduler
from torch.nn import Parameter
from torch.optim.lr_scheduler import ExponentialLR, LambdaLR
from transformers import get_scheduler
from warmup_scheduler import GradualWarmupScheduler

import torch_schedule_anything as tsa

# The second group has a value of its own, as in a model with a faster head.
INITIAL = (0.2, 0.05)
STEPS = 30


def from_transformers(name: str, **specific: Any) -> Callable[[Any], Any]:
    return lambda optimizer: get_scheduler(
        name,
        optimizer,
        num_warmup_steps=5,
        num_training_steps=25,
        scheduler_specific_kwargs=specific or None,
    )


SCHEDULERS: dict[str, Callable[[Any], Any]] = {
    **{
        name: from_transformers(name)
        for name in (
            "linear",
            "cosine",
            "cosine_with_restarts",
            "polynomial",
            "constant",
            "constant_with_warmup",
            "inverse_sqrt",
        )
    },
    "cosine_with_min_lr": from_transformers("cosine_with_min_lr", min_lr=0.01),
    "cosine_warmup_with_min_lr": from_transformers(
        "cosine_warmup_with_min_lr", min_lr=0.01, warmup_lr_rate=0.1
    ),
    "warmup_stable_decay": from_transformers("warmup_stable_decay", num_decay_steps=8),
    "GradualWarmupScheduler": lambda o: GradualWarmupScheduler(
        o, multiplier=2.0, total_epoch=5, after_scheduler=ExponentialLR(o, 0.9)
    ),
    "CosineAnnealingWarmupRestarts": lambda o: CosineAnnealingWarmupRestarts(
        o, first_cycle_steps=12, cycle_mult=1.5, max_lr=0.3, min_lr=0.01, warmup_steps=3, gamma=0.7
    ),
    "REXScheduler": lambda o: REXScheduler(o, total_steps=STEPS, max_lr=0.3, min_lr=0.01),
}


def groups(entry: str) -> list[dict[str, Any]]:
    own = [{}, {entry: INITIAL[1]}]
    return [{"params": [Parameter(torch.ones(1))], **entries} for entries in own]


def optimizer_for(target: str) -> torch.optim.Optimizer:
    if target == "weight_decay":
        return torch.optim.AdamW(groups(target), lr=0.007, weight_decay=INITIAL[0])
    optimizer = torch.optim.AdamW(groups(target), lr=0.007)
    return tsa.extend_optimizer(optimizer, target, INITIAL[0])


def run(optimizer: Any, schedule: Any, read: Callable[[], list[float]]) -> list[list[float]]:
    values = []
    for _ in range(STEPS):
        values.append(read())
        optimizer.step()
        schedule.step()
    return values


# GradualWarmupScheduler asks its after_scheduler for get_lr() outside of a step.
@pytest.mark.filterwarnings("ignore:To get the last learning rate computed:UserWarning")
@pytest.mark.parametrize("target", ["weight_decay", "gradient_clip_threshold"])
@pytest.mark.parametrize("name", SCHEDULERS)
def test_same_numbers_as_on_lr(name: str, target: str) -> None:
    """All of transformers that need no metric, and subclasses of torch's classes."""
    reference = torch.optim.SGD(groups("lr"), lr=INITIAL[0])
    expected = run(
        reference,
        SCHEDULERS[name](reference),
        lambda: [group["lr"] for group in reference.param_groups],
    )
    optimizer = optimizer_for(target)
    schedule = tsa.arbitrary_schedule_factory(optimizer, SCHEDULERS[name], schedule_target=target)
    sync = tsa.SynchronousSchedule([schedule])
    values = run(optimizer, sync, lambda: sync.get_last_schedule(target))
    assert values == expected
    assert len({str(value) for value in values}) > 3 or name == "constant"
    assert sync.get_last_lr() == [0.007, 0.007]


def test_timms_scheduler() -> None:
    """No LRScheduler at all: it keeps its own keys in the groups and is stepped with an epoch."""

    def cosine(optimizer: Any) -> Any:
        return CosineLRScheduler(optimizer, t_initial=20, lr_min=0.01, warmup_t=4)

    reference = torch.optim.SGD(groups("lr"), lr=INITIAL[0])
    expected = cosine(reference)
    optimizer = optimizer_for("weight_decay")
    schedule = tsa.arbitrary_schedule_factory(optimizer, cosine, schedule_target="weight_decay")
    for epoch in range(1, STEPS):
        expected.step(epoch)
        schedule.step(epoch)
        assert [group["weight_decay"] for group in optimizer.param_groups] == [
            group["lr"] for group in reference.param_groups
        ]


@pytest.mark.filterwarnings("ignore:To get the last learning rate computed:UserWarning")
def test_a_built_in_after_somebodys_warmup() -> None:
    """``GradualWarmupScheduler`` hands it learning rates of its own making to go on from."""

    def falling(t: float) -> float:
        return max(0.0, 1 - t / 8)

    def values(make_after: Callable[[Any], Any]) -> list[list[float]]:
        optimizer = torch.optim.SGD(groups("lr"), lr=INITIAL[0])
        schedule = GradualWarmupScheduler(
            optimizer, multiplier=2.0, total_epoch=5, after_scheduler=make_after(optimizer)
        )
        return run(optimizer, schedule, lambda: [group["lr"] for group in optimizer.param_groups])

    expected = values(lambda o: LambdaLR(o, falling))
    assert expected[8] == [2 * value * falling(2) for value in INITIAL]
    assert values(lambda o: tsa.linear_schedule_with_warmup(o, 1.0, 0.0, 0, 8)) == expected
