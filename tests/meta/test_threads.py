"""Requests from public threads of PyTorch that work here: see docs/contribute/threads.md."""

from __future__ import annotations

import math
from collections.abc import Iterable
from functools import partial
from typing import Any

import pytest
import torch
from torch.nn import Parameter
from torch.optim.lr_scheduler import (
    CosineAnnealingLR,
    CosineAnnealingWarmRestarts,
    ExponentialLR,
    ReduceLROnPlateau,
)

import torch_schedule_anything as tsa
from torch_schedule_anything.curves import Constant, Cosine, Linear, join, repeat


def parameter() -> Parameter:
    return Parameter(torch.ones(1))


def plateau(optimizer: Any) -> ReduceLROnPlateau:
    return ReduceLROnPlateau(optimizer, factor=0.5, patience=0)


def take_steps(optimizer: Any, schedule: Any, each: Iterable[tuple[Any, ...]]) -> None:
    """A step of both per item, which has the arguments of the schedule's ``step``."""
    for arguments in each:
        optimizer.step()
        schedule.step(*arguments)


def test_pytorch_83159() -> None:
    """A torch scheduler drives a hyperparameter of an optimizer that has no learning rate."""

    class TrustRegion(torch.optim.Optimizer):
        def step(self, closure: Any = None) -> None:
            pass

    optimizer = TrustRegion([parameter()], {"kl_bound": 0.5})
    schedule = tsa.arbitrary_schedule_factory(
        optimizer, lambda proxy: ExponentialLR(proxy, gamma=0.5), schedule_target="kl_bound"
    )
    take_steps(optimizer, schedule, [()] * 3)
    assert optimizer.param_groups[0]["kl_bound"] == 0.5**4
    assert "lr" not in optimizer.param_groups[0]


def test_pytorch_22343() -> None:
    """Weight decay follows the numbers that torch's own scheduler gives a learning rate."""
    cosine = partial(CosineAnnealingLR, T_max=10, eta_min=0.01)
    plain = torch.optim.SGD([parameter()], lr=0.1)
    on_lr = cosine(plain)
    optimizer = torch.optim.AdamW([parameter()], lr=1e-3, weight_decay=0.1)
    on_weight_decay = tsa.arbitrary_schedule_factory(
        optimizer, cosine, schedule_target="weight_decay"
    )
    for _ in range(10):
        for each in (plain, on_lr, optimizer, on_weight_decay):
            each.step()
        assert optimizer.param_groups[0]["weight_decay"] == plain.param_groups[0]["lr"]
    assert optimizer.param_groups[0]["lr"] == 1e-3


def test_pytorch_79888() -> None:
    """Warm restarts as a curve drive a group that joins later; torch's class is refused there."""
    optimizer = torch.optim.Adam([parameter()], lr=0.001)
    restarts = repeat(Cosine(1, 0, 10), 10)
    schedule = tsa.CurveSchedule(optimizer, restarts)
    take_steps(optimizer, schedule, [()])
    optimizer.add_param_group({"params": [parameter()], "lr": 0.01})
    for t in range(2, 25):
        take_steps(optimizer, schedule, [()])
        assert schedule.get_last_lr() == [0.001 * restarts(t), 0.01 * restarts(t)]

    optimizer = torch.optim.Adam([parameter()], lr=0.001)
    refused = tsa.arbitrary_schedule_factory(
        optimizer, lambda proxy: CosineAnnealingWarmRestarts(proxy, T_0=10)
    )
    optimizer.add_param_group({"params": [parameter()], "lr": 0.01})
    optimizer.step()
    with pytest.raises(RuntimeError, match="CosineAnnealingWarmRestarts"):
        refused.step()


@pytest.mark.skipif(
    not hasattr(ReduceLROnPlateau(torch.optim.SGD([parameter()], lr=1.0)), "default_min_lr"),
    reason="this torch's ReduceLROnPlateau fails when a group joins",
)
@pytest.mark.parametrize("target", ["lr", "weight_decay"])
def test_pytorch_20997(target: str) -> None:
    """A plateau reduces the group that joined later too, on any entry."""
    optimizer = torch.optim.AdamW([parameter()], lr=0.1, weight_decay=0.1)
    member = tsa.arbitrary_schedule_factory(optimizer, plateau, schedule_target=target)
    schedule = tsa.SynchronousSchedule([member])
    optimizer.add_param_group({"params": [parameter()], target: 0.4})
    take_steps(optimizer, schedule, [(1.0,), (2.0,), (3.0,)])
    assert schedule.get_last_schedule(target) == [0.1 / 4, 0.4 / 4]


def test_pytorch_196243() -> None:
    """A sequence of curves inside another one plays as it does alone, also as its only part."""
    sequence = join([Constant(0.5), Constant(0.2)], [2])
    later = join([Linear(0, 1, 4), sequence], [4])
    for curve, start in ((sequence, 0), (join([sequence], []), 0), (later, 4)):
        assert [curve(start + t) for t in range(5)] == [0.5, 0.5, 0.2, 0.2, 0.2]


@pytest.mark.parametrize("optimizer_first", [True, False])
def test_pytorch_65342(optimizer_first: bool) -> None:
    """After loading, the optimizer holds the saved learning rate at once, in either order."""

    def build() -> tuple[Any, Any]:
        optimizer = torch.optim.SGD([parameter()], lr=0.1)
        return optimizer, tsa.SynchronousSchedule([CosineAnnealingLR(optimizer, T_max=1000)])

    optimizer, schedule = build()
    take_steps(optimizer, schedule, [()] * 500)
    assert math.isclose(optimizer.param_groups[0]["lr"], 0.05)

    resumed, resumed_schedule = build()
    assert resumed.param_groups[0]["lr"] == 0.1
    pairs = [(resumed, optimizer), (resumed_schedule, schedule)]
    for new, saved in pairs if optimizer_first else reversed(pairs):
        new.load_state_dict(saved.state_dict())
    assert resumed.param_groups[0]["lr"] == optimizer.param_groups[0]["lr"]
    assert resumed_schedule.get_last_lr() == schedule.get_last_lr()


def test_pytorch_163093() -> None:
    """A plateau fills a learning rate that is a tensor: it stays the same tensor."""
    lr = torch.tensor(0.1)
    optimizer = torch.optim.Adam([parameter()], lr=lr, capturable=True)
    schedule = tsa.arbitrary_schedule_factory(optimizer, plateau)
    take_steps(optimizer, schedule, [(1.0,), (2.0,), (3.0,)])
    assert optimizer.param_groups[0]["lr"] is lr
    assert math.isclose(lr.item(), 0.1 / 4, rel_tol=1e-6)
