"""Schedulers of other libraries give the same numbers on any target as on a plain lr."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
import two_groups as pair
from cases import crossed
from pytorch_optimizer.lr_scheduler import CosineAnnealingWarmupRestarts, REXScheduler
from torch.optim.lr_scheduler import CyclicLR, ExponentialLR, OneCycleLR
from transformers import get_scheduler
from warmup_scheduler import GradualWarmupScheduler

import torch_schedule_anything as tsa

STEPS = 30


def from_transformers(name: str, **settings: Any) -> Callable[[Any], Any]:
    return lambda o: get_scheduler(name, o, 5, 25, scheduler_specific_kwargs=settings or None)


def gradual(optimizer: Any, after_scheduler: Any) -> GradualWarmupScheduler:
    return GradualWarmupScheduler(
        optimizer, multiplier=2.0, total_epoch=5, after_scheduler=after_scheduler
    )


# All schedulers of transformers that need no metric, and subclasses of torch schedulers.
PLAIN = "linear cosine cosine_with_restarts polynomial constant constant_with_warmup inverse_sqrt"
SCHEDULERS: dict[str, Callable[[Any], Any]] = {
    **{name: from_transformers(name) for name in PLAIN.split()},
    "cosine_with_min_lr": from_transformers("cosine_with_min_lr", min_lr=0.01),
    "cosine_warmup_with_min_lr": from_transformers(
        "cosine_warmup_with_min_lr", min_lr=0.01, warmup_lr_rate=0.1
    ),
    "warmup_stable_decay": from_transformers("warmup_stable_decay", num_decay_steps=8),
    "GradualWarmupScheduler": lambda o: gradual(o, ExponentialLR(o, 0.9)),
    "CosineAnnealingWarmupRestarts": lambda o: CosineAnnealingWarmupRestarts(
        o, first_cycle_steps=12, cycle_mult=1.5, max_lr=0.3, min_lr=0.01, warmup_steps=3, gamma=0.7
    ),
    "REXScheduler": lambda o: REXScheduler(o, total_steps=STEPS, max_lr=0.3, min_lr=0.01),
}


@pair.calls_get_lr  # GradualWarmupScheduler does
@pytest.mark.parametrize(
    ("name", "target"), crossed(SCHEDULERS, ["weight_decay", "gradient_clip_threshold"])
)
def test_a_foreign_scheduler_gives_any_target_the_numbers_of_lr(name: str, target: str) -> None:
    reference, optimizer = pair.make_optimizer("lr"), pair.make_optimizer(target)
    expected = pair.run(reference, SCHEDULERS[name](reference), "lr", STEPS)
    schedule = tsa.arbitrary_schedule_factory(optimizer, SCHEDULERS[name], schedule_target=target)
    sync = tsa.SynchronousSchedule([schedule])
    assert pair.run(optimizer, sync, target, STEPS) == expected
    assert len({str(row) for row in expected}) > 3 or name == "constant"
    assert sync.get_last_lr() == [pair.LR, pair.LR]


@pair.calls_get_lr
def test_a_builtin_after_a_foreign_warmup_goes_on_from_its_learning_rates() -> None:
    """A built-in goes on from the learning rates that ``GradualWarmupScheduler`` sets for it."""

    def values(make_schedule: Callable[[Any], Any]) -> list[list[float]]:
        optimizer = pair.make_optimizer("lr")
        return pair.run(optimizer, gradual(optimizer, make_schedule(optimizer)), "lr", STEPS)

    expected = values(pair.lambda_lr)
    assert expected[8] == [2 * value for value in pair.expected(2)]
    assert values(pair.builtin) == expected


@pytest.mark.parametrize(
    ("scheduler", "settings", "lowest", "momentums"),
    [
        (CyclicLR, {"base_lr": 0.02, "step_size_up": 10}, 0.02, (0.9, 0.8)),
        (OneCycleLR, {"total_steps": 40, "final_div_factor": 1.0}, 0.004, (0.95, 0.85)),
    ],
)
def test_momentum_that_falls_as_lr_rises_equals_that_of_torch(
    scheduler: Any, settings: dict[str, Any], lowest: float, momentums: tuple[float, float]
) -> None:
    """A line from lr to momentum gives what ``cycle_momentum=True`` gives."""
    line = tsa.curves.Linear(*momentums, 0.1 - lowest)
    by_torch, ours = (
        torch.optim.SGD([torch.nn.Parameter(torch.ones(1))], lr=0.1, momentum=momentums[0])
        for _ in range(2)
    )
    cycle = scheduler(by_torch, max_lr=0.1, **settings)
    rates = scheduler(ours, max_lr=0.1, cycle_momentum=False, **settings)
    momentum = tsa.DerivedSchedule(ours, lambda lr: line(lr - lowest), "momentum", absolute=True)
    schedule = tsa.SynchronousSchedule([rates, momentum])
    for _ in range(39):
        for target in ("lr", "momentum"):
            value, expected = (each.param_groups[0][target] for each in (ours, by_torch))
            assert value == pytest.approx(expected, rel=1e-12)
        for each in (by_torch, cycle, ours, schedule):
            each.step()
