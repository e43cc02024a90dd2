"""Schedulers of other libraries give the same numbers on any target as on a plain lr."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from cases import crossed
from pytorch_optimizer.lr_scheduler import CosineAnnealingWarmupRestarts, REXScheduler
from torch.nn import Parameter
from torch.optim.lr_scheduler import CyclicLR, ExponentialLR, LambdaLR, OneCycleLR
from transformers import get_scheduler
from two_groups import run, values_of
from warmup_scheduler import GradualWarmupScheduler

import torch_schedule_anything as tsa

INITIAL_VALUES = (0.2, 0.05)  # one per param group
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


def param_groups(target: str) -> list[dict[str, Any]]:
    """Two groups. The first takes the optimizer's default for the target, the second its own."""
    first, second = ({"params": [Parameter(torch.ones(1))]} for _ in range(2))
    return [first, {**second, target: INITIAL_VALUES[1]}]


def make_sgd() -> torch.optim.SGD:
    return torch.optim.SGD(param_groups("lr"), lr=INITIAL_VALUES[0])


# GradualWarmupScheduler calls get_lr() of its after_scheduler outside of a step.
@pytest.mark.filterwarnings("ignore:To get the last learning rate computed:UserWarning")
@pytest.mark.parametrize(
    ("name", "target"), crossed(SCHEDULERS, ["weight_decay", "gradient_clip_threshold"])
)
def test_a_foreign_scheduler_gives_any_target_the_numbers_of_lr(name: str, target: str) -> None:
    """A scheduler of another library gives a target the same numbers that it gives lr."""
    reference = make_sgd()
    expected = run(reference, SCHEDULERS[name](reference), "lr", STEPS)
    defaults = {"weight_decay": INITIAL_VALUES[0]} if target == "weight_decay" else {}
    optimizer = torch.optim.AdamW(param_groups(target), lr=0.007, **defaults)
    tsa.extend_optimizer(optimizer, target, INITIAL_VALUES[0])
    schedule = tsa.arbitrary_schedule_factory(optimizer, SCHEDULERS[name], schedule_target=target)
    sync = tsa.SynchronousSchedule([schedule])
    values = run(optimizer, sync, target, STEPS)
    assert values == expected
    assert len({str(value) for value in values}) > 3 or name == "constant"
    assert sync.get_last_lr() == [0.007, 0.007]


# torch's LambdaLR warns because GradualWarmupScheduler calls its get_lr() outside of a step.
@pytest.mark.filterwarnings("ignore:To get the last learning rate computed:UserWarning")
def test_a_builtin_after_a_foreign_warmup_goes_on_from_its_learning_rates() -> None:
    """A built-in goes on from the learning rates that ``GradualWarmupScheduler`` sets for it."""

    def falling(t: float) -> float:
        return max(0.0, 1 - t / 8)

    def values(after_scheduler: Callable[[Any], Any]) -> list[list[float]]:
        optimizer = make_sgd()
        return run(optimizer, gradual(optimizer, after_scheduler(optimizer)), "lr", STEPS)

    expected = values(lambda o: LambdaLR(o, falling))
    assert expected[8] == [2 * value * falling(2) for value in INITIAL_VALUES]
    assert values(lambda o: tsa.linear_schedule_with_warmup(o, 1.0, 0.0, 0, 8)) == expected


def cyclic(optimizer: Any, **settings: Any) -> CyclicLR:
    return CyclicLR(optimizer, 0.02, 0.1, 10, **settings)


def one_cycle(optimizer: Any, **settings: Any) -> OneCycleLR:
    return OneCycleLR(optimizer, 0.1, 40, final_div_factor=1.0, **settings)


@pytest.mark.parametrize(
    ("scheduler", "lowest", "highest_momentum", "lowest_momentum"),
    [(cyclic, 0.02, 0.9, 0.8), (one_cycle, 0.004, 0.95, 0.85)],
)
def test_momentum_that_falls_as_lr_rises_equals_that_of_torch(
    scheduler: Any, lowest: float, highest_momentum: float, lowest_momentum: float
) -> None:
    """A line from lr to momentum gives what ``cycle_momentum=True`` gives."""

    def momentum_of(lr: float) -> float:
        p = (lr - lowest) / (0.1 - lowest)
        return highest_momentum + (lowest_momentum - highest_momentum) * p

    by_torch, ours = (
        torch.optim.SGD([Parameter(torch.ones(1))], lr=0.1, momentum=highest_momentum)
        for _ in range(2)
    )
    cycle = scheduler(by_torch)
    momentum = tsa.DerivedSchedule(ours, momentum_of, "momentum", absolute=True)
    schedule = tsa.SynchronousSchedule([scheduler(ours, cycle_momentum=False), momentum])
    for _ in range(39):
        for target in ("lr", "momentum"):
            assert values_of(ours, target) == pytest.approx(values_of(by_torch, target), rel=1e-12)
        for each in (by_torch, cycle, ours, schedule):
            each.step()
