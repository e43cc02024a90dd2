"""The model, the plan and the loop of the several-process tests."""

from __future__ import annotations

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


def schedules(optimizer: Any, per_step: int = 1) -> list[Any]:
    """A built-in on lr, one on an element of betas, and torch's own on a key of ours.

    ``per_step`` is how often a training step steps them.
    """
    M, gamma = STEPS * per_step, 0.9 ** (1 / per_step)
    return [
        tsa.linear_schedule_with_warmup(optimizer, 1.0, 0.25, 0, M),
        tsa.linear_schedule_with_warmup(optimizer, 1.0, 0.5, 0, M, "betas[0]"),
        tsa.arbitrary_schedule_factory(
            optimizer, lambda proxy: ExponentialLR(proxy, gamma), 2.0, "loss_weight"
        ),
    ]


def expected(t: int) -> dict[str, list[float]]:
    """The values before training step t."""
    p = t / STEPS
    return {
        "lr": [0.02 * (1 - 0.75 * p), 0.05 * (1 - 0.75 * p)],
        "betas[0]": [0.9 * (1 - 0.5 * p)] * 2,
        "loss_weight": [2.0 * 0.9**t] * 2,
    }


def values_of(optimizer: Any) -> dict[str, list[float]]:
    """What the optimizer holds now, by target."""
    groups = optimizer.param_groups
    return {
        "lr": [group["lr"] for group in groups],
        "betas[0]": [group["betas"][0] for group in groups],
        "loss_weight": [group["loss_weight"] for group in groups],
    }


def train(
    model: Any,
    optimizer: Any,
    sync: Any,
    steps: range,
    data: int = 0,
    backward: Any = torch.Tensor.backward,
) -> dict[int, Any]:
    """The values before each step; ``loss_weight`` is read, so that it shows in the weights.

    Ranks that train on the same ``data`` have the same gradients: their mean is then the same to
    the last bit, however many ranks there are.
    """
    values = {}
    for t in steps:
        values[t] = values_of(optimizer)
        batch = torch.randn(8, 4, generator=torch.Generator().manual_seed(1000 * data + t))
        optimizer.zero_grad()
        backward(model(batch).square().mean() * optimizer.param_groups[0]["loss_weight"])
        optimizer.step()
        sync.step()
    return values


def assert_on_plan(values: dict[int, Any], steps: range) -> None:
    assert list(values) == list(steps)
    for t, at_t in values.items():
        for target, numbers in expected(t).items():
            # The library multiplies in another order, and ExponentialLR multiplies t times.
            torch.testing.assert_close(at_t[target], numbers, rtol=1e-12, atol=0.0)


def assert_same_weights(weights: dict[str, torch.Tensor], again: dict[str, torch.Tensor]) -> None:
    assert weights.keys() == again.keys()
    for name, weight in weights.items():
        assert torch.equal(weight, again[name]), name
