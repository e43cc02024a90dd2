"""Every checkpoint in this folder comes from one of these runs, which this version runs too."""

from __future__ import annotations

from typing import Any

import torch
from torch.optim.lr_scheduler import ExponentialLR, LinearLR, OneCycleLR, SequentialLR

STEPS = 40
SAVED_AT = 13


def make_model() -> torch.nn.Sequential:
    return torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Linear(2, 1))


def make_optimizer(model: torch.nn.Sequential) -> torch.optim.AdamW:
    """An AdamW with two param groups and a custom entry that it does not read."""
    return torch.optim.AdamW(
        [
            {"params": model[0].parameters(), "lr": 0.01, "weight_decay": 0.1, "clip": 2.0},
            {"params": model[1].parameters(), "lr": 0.03, "weight_decay": 0.2, "clip": 1.0},
        ]
    )


def builtins(tsa: Any, optimizer: Any) -> list[Any]:
    tsa.extend_optimizer(optimizer, "noise", 0.5)
    return [
        tsa.cosine_annealing_with_warmup(optimizer, 1.0, 0.1, 5, STEPS),
        tsa.linear_schedule_with_inverse_warmup(
            optimizer, 1.0, 0.0, 20, STEPS, warmup_multiplier=3.0, schedule_target="weight_decay"
        ),
        tsa.polynomial_schedule_with_warmup(
            optimizer, 2.0, 0.5, 0, STEPS, polynomial_exponent=3.0, schedule_target="clip"
        ),
        tsa.constant_with_inverse_warmup(optimizer, 1.0, 30, schedule_target="noise"),
    ]


def sequential(tsa: Any, optimizer: Any, milestone: int) -> list[Any]:
    def warm_then_decay(proxy: Any) -> SequentialLR:
        return SequentialLR(
            proxy,
            [LinearLR(proxy, 0.1, total_iters=milestone), ExponentialLR(proxy, 0.9)],
            milestones=[milestone],
        )

    return [
        tsa.arbitrary_schedule_factory(optimizer, warm_then_decay),
        tsa.arbitrary_schedule_factory(
            optimizer, warm_then_decay, default_value=0.5, schedule_target="noise"
        ),
        tsa.sqrt_schedule_with_warmup(optimizer, 1.0, 0.1, 5, STEPS, schedule_target="clip"),
    ]


def one_cycle(tsa: Any, optimizer: Any) -> list[Any]:
    def cycle(proxy: Any) -> OneCycleLR:
        return OneCycleLR(proxy, [0.2, 0.4], total_steps=STEPS + 1, cycle_momentum=False)

    return [
        tsa.arbitrary_schedule_factory(optimizer, cycle),
        tsa.arbitrary_schedule_factory(optimizer, cycle, schedule_target="clip"),
        tsa.quadratic_schedule_with_warmup(
            optimizer, 1.0, 0.1, 5, STEPS, schedule_target="weight_decay"
        ),
    ]


RUNS = {
    "builtins": builtins,
    "sequential_before_milestone": lambda tsa, optimizer: sequential(tsa, optimizer, 20),
    "sequential_after_milestone": lambda tsa, optimizer: sequential(tsa, optimizer, 8),
    "one_cycle": one_cycle,
}
