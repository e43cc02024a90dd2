"""Every test in several processes trains this model, under this plan, in this loop."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch.optim.lr_scheduler import ExponentialLR

import torch_schedule_anything as tsa

STEPS = 12
SAVED_AT = 5


def make_model() -> torch.nn.Sequential:
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.Tanh(), torch.nn.Linear(8, 1))


def param_groups(model: Any) -> list[dict[str, Any]]:
    return [
        {"params": model[0].parameters(), "lr": 0.02},
        {"params": model[2].parameters(), "lr": 0.05},
    ]


def make_schedule(optimizer: Any, calls_per_step: int = 1) -> tsa.SynchronousSchedule:
    """The plan on ``optimizer``, for a loop that makes so many schedule steps per training step."""
    gamma = 0.9 ** (1 / calls_per_step)
    custom_entry = tsa.arbitrary_schedule_factory(
        optimizer, lambda proxy: ExponentialLR(proxy, gamma), 2.0, "loss_weight"
    )
    return tsa.SynchronousSchedule([*builtins(optimizer, calls_per_step), custom_entry])


def builtins(optimizer: Any, calls_per_step: int = 1) -> list[Any]:
    """The plan's built-ins on lr and on an element of betas."""
    M = STEPS * calls_per_step
    return [
        tsa.linear_schedule_with_warmup(optimizer, 1.0, 0.25, 0, M),
        tsa.linear_schedule_with_warmup(optimizer, 1.0, 0.5, 0, M, "betas[0]"),
    ]


def make_schedule_with_clock(optimizer: Any, clock: Callable[[], float]) -> tsa.SynchronousSchedule:
    """The same plan, with a curve in place of the torch scheduler, which takes no clock."""
    tsa.extend_optimizer(optimizer, "loss_weight", 2.0)
    custom_entry = tsa.CurveSchedule(optimizer, lambda t: 0.9**t, "loss_weight")
    return tsa.SynchronousSchedule([*builtins(optimizer), custom_entry], clock=clock)


def expected(t: int) -> dict[str, list[float]]:
    """The plan's values before training step t, in closed form."""
    p = t / STEPS
    return {
        "lr": [0.02 * (1 - 0.75 * p), 0.05 * (1 - 0.75 * p)],
        "betas[0]": [0.9 * (1 - 0.5 * p)] * 2,
        "loss_weight": [2.0 * 0.9**t] * 2,
    }


def values_of(optimizer: Any) -> dict[str, list[float]]:
    """The values that the optimizer holds now: per target a list with one number per group."""
    groups = optimizer.param_groups
    return {
        "lr": [group["lr"] for group in groups],
        "betas[0]": [group["betas"][0] for group in groups],
        "loss_weight": [group["loss_weight"] for group in groups],
    }


def train(
    model: Any,
    optimizer: Any,
    schedule: Any,
    steps: range,
    data: int = 0,
    backward: Any = torch.Tensor.backward,
) -> dict[int, Any]:
    """Train for ``steps``, and return the values that the optimizer held before each of them.

    The loss reads ``loss_weight``, so a wrong value of it changes the weights. Ranks that train on
    the same ``data`` have the same gradients. The mean over them is then exactly the same for any
    number of ranks.
    """
    values = {}
    for t in steps:
        values[t] = values_of(optimizer)
        batch = torch.randn(8, 4, generator=torch.Generator().manual_seed(1000 * data + t))
        optimizer.zero_grad()
        backward(model(batch).square().mean() * optimizer.param_groups[0]["loss_weight"])
        optimizer.step()
        schedule.step()
    return values


def assert_on_plan(values: dict[int, Any], steps: range) -> None:
    assert list(values) == list(steps)
    for t, values_at_t in values.items():
        for target, numbers in expected(t).items():
            # Rounding differs: the library multiplies in another order, ExponentialLR t times.
            torch.testing.assert_close(values_at_t[target], numbers, rtol=1e-12, atol=0.0)


def assert_same_weights(weights: dict[str, torch.Tensor], wanted: dict[str, torch.Tensor]) -> None:
    assert weights.keys() == wanted.keys()
    for name, weight in weights.items():
        assert torch.equal(weight, wanted[name]), name


def assert_ranks_on_plan(ranks: list[Any]) -> None:
    """Both runs of every rank follow the plan and end in the weights of rank 0's first run."""
    for whole, resumed in ranks:
        assert_on_plan(whole["values"], range(STEPS))
        assert_on_plan(resumed["values"], range(SAVED_AT, STEPS))
        for run in (whole, resumed):
            assert_same_weights(run["weights"], ranks[0][0]["weights"])
