"""What the framework tests train, and under which plan: four targets, each with its formula."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch.optim.lr_scheduler import ExponentialLR

import torch_schedule_anything as tsa

STEPS = 24
WARMUP = 4

# Initial values, one a param group.
LR = (0.01, 0.02)
WEIGHT_DECAY = (0.1, 0.3)
BETA = (0.9, 0.9)
CLIP = (1.0, 0.5)


def make_optimizer(first: Any, second: Any) -> torch.optim.AdamW:
    """One of two param groups with a key of our own; ``clip_gradients`` reads it."""
    return torch.optim.AdamW(
        [
            {"params": list(params), "lr": lr, "weight_decay": weight_decay, "clip": clip}
            for params, lr, weight_decay, clip in zip((first, second), LR, WEIGHT_DECAY, CLIP)
        ]
    )


def lr_schedule(optimizer: Any) -> Any:
    return tsa.cosine_annealing_with_warmup(optimizer, 1.0, 0.1, WARMUP, STEPS)


def other_schedules(optimizer: Any) -> list[Any]:
    """Two built-ins and a scheduler of torch's, on all but the learning rate."""
    return [
        tsa.linear_schedule_with_warmup(optimizer, 1.0, 0.25, 0, STEPS, "weight_decay"),
        tsa.arbitrary_schedule_factory(
            optimizer, lambda proxy: ExponentialLR(proxy, 0.99), schedule_target="betas[0]"
        ),
        tsa.constant_with_inverse_warmup(optimizer, 0.5, 8, 4.0, "clip"),
    ]


def expected_lr(t: int) -> list[float]:
    if t <= WARMUP:
        factor = t / WARMUP
    else:
        p = min((t - WARMUP) / (STEPS - WARMUP), 1.0)
        factor = 0.1 + 0.9 * math.cos(math.pi / 2 * p)
    return [initial * factor for initial in LR]


def expected_others(t: int) -> dict[str, list[float]]:
    p = min(t / STEPS, 1.0)
    clip_factor = 0.5 * (4.0 - 3.0 * t / 8) if t <= 8 else 0.5
    return {
        "weight_decay": [initial * (1.0 - 0.75 * p) for initial in WEIGHT_DECAY],
        "betas[0]": [initial * 0.99**t for initial in BETA],
        "clip": [initial * clip_factor for initial in CLIP],
    }


def held(optimizer: Any) -> dict[str, list[float]]:
    """What the optimizer holds now, by target, one value a param group."""
    groups = optimizer.param_groups
    return {
        "lr": [group["lr"] for group in groups],
        "weight_decay": [group["weight_decay"] for group in groups],
        "betas[0]": [group["betas"][0] for group in groups],
        "clip": [group["clip"] for group in groups],
    }


def assert_on_plan(values: dict[str, list[float]], t: int, lr: list[float] | None = None) -> None:
    """``values`` are the formulas' at step t; ``lr`` where the learning rate is not scheduled."""
    expected = {"lr": expected_lr(t) if lr is None else lr, **expected_others(t)}
    assert values.keys() == expected.keys()
    for target, numbers in expected.items():
        for value, number in zip(values[target], numbers, strict=True):
            # The library may multiply in another order, and ExponentialLR multiplies t times.
            assert math.isclose(value, number, rel_tol=1e-12, abs_tol=1e-15), (t, target)


def clip_gradients(optimizer: Any) -> None:
    """Clip as the ``clip`` entry of each group says, so that its values show in the weights."""
    for clip, params, _ in tsa.get_param_groups_regrouped_by_key(optimizer, "clip"):
        torch.nn.utils.clip_grad_norm_(params, clip)
