"""The framework tests train under this plan: four targets, each with its formula."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch.optim.lr_scheduler import ExponentialLR

import torch_schedule_anything as tsa

STEPS = 24
WARMUP = 4

# The same in tokens: those of each row, of which a run sees every one twice.
LENGTHS = [3, 4, 5, 6, 7, 8] * 4
TOKENS = 2 * sum(LENGTHS)
WARMUP_TOKENS = 50

ValuesByStep = dict[int, dict[str, list[float]]]

# Initial values, one per param group.
LR = (0.01, 0.02)
WEIGHT_DECAY = (0.1, 0.3)
BETA = (0.9, 0.9)
CLIP = (1.0, 0.25)


def choosing(**choices: Any) -> Any:
    """A class of schedules that choose what goes on, because a framework passes no choice."""

    class Choosing(tsa.SynchronousSchedule):
        def load_state_dict(self, state: Any) -> None:  # type: ignore[override]
            super().load_state_dict(state, **choices)

    return Choosing


def make_parts() -> tuple[torch.nn.Sequential, torch.optim.AdamW, tsa.SynchronousSchedule]:
    """A model with fixed weights, an optimizer with one param group per layer, and the plan."""
    model, optimizer = make_model_and_optimizer()
    return model, optimizer, make_schedule(optimizer)


def make_model_and_optimizer() -> tuple[torch.nn.Sequential, torch.optim.AdamW]:
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.Tanh(), torch.nn.Linear(8, 1))
    return model, make_optimizer(model[0].parameters(), model[2].parameters())


def make_optimizer(first: Any, second: Any) -> torch.optim.AdamW:
    """An AdamW with two param groups and the custom entry ``clip``, for ``clip_gradients``."""
    return torch.optim.AdamW(
        [
            {"params": list(params), "lr": lr, "weight_decay": weight_decay, "clip": clip}
            for params, lr, weight_decay, clip in zip((first, second), LR, WEIGHT_DECAY, CLIP)
        ]
    )


def make_schedule(optimizer: Any) -> tsa.SynchronousSchedule:
    return tsa.SynchronousSchedule([lr_schedule(optimizer), *other_schedules(optimizer)])


def lr_schedule(optimizer: Any) -> Any:
    return tsa.cosine_annealing_with_warmup(optimizer, 1.0, 0.1, WARMUP, STEPS)


def other_schedules(optimizer: Any) -> list[Any]:
    """Two built-ins and a torch scheduler, on every target of the plan except the learning rate."""
    return [
        weight_decay_schedule(optimizer),
        tsa.arbitrary_schedule_factory(
            optimizer, lambda proxy: ExponentialLR(proxy, 0.99), schedule_target="betas[0]"
        ),
        clip_schedule(optimizer),
    ]


def make_schedule_with_clock(optimizer: Any, clock: Callable[[], float]) -> tsa.SynchronousSchedule:
    """The same plan, with a curve in place of the torch scheduler, which takes no clock."""
    return tsa.SynchronousSchedule(
        [
            lr_schedule(optimizer),
            weight_decay_schedule(optimizer),
            tsa.CurveSchedule(optimizer, lambda t: 0.99**t, "betas[0]"),
            clip_schedule(optimizer),
        ],
        clock=clock,
    )


def make_schedule_on_steps(optimizer: Any) -> tsa.SynchronousSchedule:
    """The plan with a clock that counts the steps of the optimizer."""
    return make_schedule_with_clock(optimizer, tsa.OptimizerSteps(optimizer))


def make_schedule_in_tokens(optimizer: Any, clock: Callable[[], float]) -> tsa.SynchronousSchedule:
    return tsa.SynchronousSchedule(
        [
            tsa.linear_schedule_with_warmup(optimizer, 1.0, 0.25, WARMUP_TOKENS, TOKENS),
            tsa.linear_schedule_with_warmup(optimizer, 1.0, 0.0, 0, TOKENS, "weight_decay"),
        ],
        clock=clock,
    )


def weight_decay_schedule(optimizer: Any) -> Any:
    return tsa.linear_schedule_with_warmup(optimizer, 1.0, 0.25, 0, STEPS, "weight_decay")


def clip_schedule(optimizer: Any) -> Any:
    return tsa.constant_with_inverse_warmup(optimizer, 0.5, 8, 4.0, "clip")


def expected_lr(t: int) -> list[float]:
    if t <= WARMUP:
        factor = t / WARMUP
    else:
        p = min((t - WARMUP) / (STEPS - WARMUP), 1.0)
        factor = 0.1 + 0.9 * math.cos(math.pi / 2 * p)
    return [initial * factor for initial in LR]


def replan(schedule: tsa.SynchronousSchedule) -> None:
    """From now on the learning rate falls from half of its initial value to 0, in 10 steps."""
    schedule.replan({"lr": tsa.curves.Linear(0.5, 0.0, 10)})


def expected_replanned_lr(t: int, replanned_at: int) -> list[float]:
    if t < replanned_at:
        return expected_lr(t)
    return [initial * 0.5 * max(0.0, 1 - (t - replanned_at) / 10) for initial in LR]


def expected_others(t: int) -> dict[str, list[float]]:
    p = min(t / STEPS, 1.0)
    clip_factor = 0.5 * (4.0 - 3.0 * t / 8) if t <= 8 else 0.5
    return {
        "weight_decay": [initial * (1.0 - 0.75 * p) for initial in WEIGHT_DECAY],
        "betas[0]": [initial * 0.99**t for initial in BETA],
        "clip": [initial * clip_factor for initial in CLIP],
    }


def values_of(optimizer: Any) -> dict[str, list[float]]:
    """The values that the optimizer holds now: per target a list with one number per group."""
    groups = optimizer.param_groups
    return {
        "lr": [group["lr"] for group in groups],
        "weight_decay": [group["weight_decay"] for group in groups],
        "betas[0]": [group["betas"][0] for group in groups],
        "clip": [group["clip"] for group in groups],
    }


def assert_on_plan(values: dict[str, list[float]], t: int, lr: list[float] | None = None) -> None:
    """``values`` equal the formulas at step t; ``lr`` replaces the formula of the learning rate."""
    expected = {"lr": expected_lr(t) if lr is None else lr, **expected_others(t)}
    assert values.keys() == expected.keys()
    for target, numbers in expected.items():
        for value, number in zip(values[target], numbers, strict=True):
            # Rounding differs: the library multiplies in another order, ExponentialLR t times.
            assert math.isclose(value, number, rel_tol=1e-12, abs_tol=1e-15), (t, target)


def assert_on_plan_in_tokens(values: dict[str, list[float]], tokens: int) -> None:
    p = (tokens - WARMUP_TOKENS) / (TOKENS - WARMUP_TOKENS)
    factor = tokens / WARMUP_TOKENS if tokens <= WARMUP_TOKENS else 1 - 0.75 * p
    decay = 1 - tokens / TOKENS
    for target, initials, share in (("lr", LR, factor), ("weight_decay", WEIGHT_DECAY, decay)):
        for value, initial in zip(values[target], initials, strict=True):
            assert math.isclose(value, initial * share, rel_tol=1e-12), (tokens, target)


def assert_run_on_plan(values_by_step: ValuesByStep, lr: list[float] | None = None) -> None:
    """The run made every step of the plan in order, each under the values of the formulas."""
    assert list(values_by_step) == list(range(STEPS))
    for t, values in values_by_step.items():
        assert_on_plan(values, t, lr)


def assert_same_weights(model: torch.nn.Module, other: torch.nn.Module) -> None:
    for weight, other_weight in zip(model.parameters(), other.parameters(), strict=True):
        assert torch.equal(weight, other_weight)


def clip_gradients(optimizer: Any) -> None:
    """Clip each group by its ``clip`` entry, so that a wrong value of it changes the weights."""
    for clip, params, _ in tsa.get_param_groups_regrouped_by_key(optimizer, "clip"):
        torch.nn.utils.clip_grad_norm_(params, clip)
