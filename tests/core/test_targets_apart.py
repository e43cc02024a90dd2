"""What was put on one target is nothing to another."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
import torch
from torch.nn import Parameter
from torch.optim.lr_scheduler import CyclicLR, ExponentialLR, LambdaLR, OneCycleLR
from torch.optim.swa_utils import SWALR

import tsa_core


def plain_lr(optimizer: Any) -> tuple[str, Any]:
    return "lr", ExponentialLR(optimizer, 0.5)


def curve_on_weight_decay(optimizer: Any) -> tuple[str, Any]:
    return "weight_decay", tsa_core.CurveSchedule(optimizer, lambda t: 0.5**t, "weight_decay")


def put(schedule_factory: Any, target: str) -> Any:
    def on(optimizer: Any) -> tuple[str, Any]:
        schedule = tsa_core.arbitrary_schedule_factory(
            optimizer, schedule_factory, schedule_target=target
        )
        return target, schedule

    return on


def halving(proxy: Any) -> Any:
    return LambdaLR(proxy, lambda t: 0.5**t)


PARTS = {
    "torch on lr": plain_lr,
    "curve on weight_decay": curve_on_weight_decay,
    "factory on weight_decay": put(lambda proxy: ExponentialLR(proxy, 0.5), "weight_decay"),
    "factory on momentum": put(halving, "momentum"),
    "factory on betas[0]": put(halving, "betas[0]"),
}
INITIAL = {
    "lr": (0.1, 0.4),
    "weight_decay": (0.02, 0.3),
    "momentum": (0.9, 0.5),
    "betas[0]": (0.8, 0.6),
}


def optimizer_with_all() -> Any:
    groups = [
        {
            "params": [Parameter(torch.ones(1))],
            "betas": (INITIAL["betas[0]"][i], 0.99),
            **{key: INITIAL[key][i] for key in ("lr", "weight_decay", "momentum")},
        }
        for i in range(2)
    ]
    return torch.optim.SGD(groups, lr=1.0)


ORDERS = [
    order
    for order in itertools.permutations(PARTS, 3)
    if not {"curve on weight_decay", "factory on weight_decay"} <= set(order)
]


@pytest.mark.parametrize("order", ORDERS, ids=", ".join)
def test_each_follows_its_own_initial_value(order: tuple[str, ...]) -> None:
    """In every order of putting them on, each target is its own initial value halved a step."""
    optimizer = optimizer_with_all()
    schedules = [PARTS[name](optimizer) for name in order]
    for t in range(4):
        for target, _ in schedules:
            values = [
                group["betas"][0] if target == "betas[0]" else group[target]
                for group in optimizer.param_groups
            ]
            assert values == pytest.approx([v * 0.5**t for v in INITIAL[target]], rel=1e-12)
        optimizer.step()
        for _, schedule in schedules:
            schedule.step()


@pytest.mark.parametrize("first", ["plain", "proxy"])
def test_auxiliary_keys_of_lr_are_not_read_by_another_target(first: str) -> None:
    """A OneCycleLR on lr leaves max_lr and more behind; one on weight_decay has its own."""
    optimizer = optimizer_with_all()
    cycles = {
        "plain": lambda: OneCycleLR(optimizer, 0.7, total_steps=10, cycle_momentum=False),
        "proxy": lambda: tsa_core.arbitrary_schedule_factory(
            optimizer,
            lambda proxy: OneCycleLR(proxy, 0.2, total_steps=10, cycle_momentum=False),
            schedule_target="weight_decay",
        ),
    }
    kept = {
        name: cycles[name]()
        for name in (["plain", "proxy"] if first == "plain" else ["proxy", "plain"])
    }
    expected = {}
    for key, top in (("lr", 0.7), ("weight_decay", 0.2)):
        reference = torch.optim.SGD([Parameter(torch.ones(1))], lr=0.1)
        schedule = OneCycleLR(reference, top, total_steps=10, cycle_momentum=False)
        expected[key] = []
        for _ in range(9):
            expected[key].append(reference.param_groups[0]["lr"])
            reference.step(), schedule.step()
    for t in range(9):
        for key in ("lr", "weight_decay"):
            assert [group[key] for group in optimizer.param_groups] == [expected[key][t]] * 2
        optimizer.step()
        for schedule in kept.values():
            schedule.step()
    assert optimizer.param_groups[0]["max_lr"] == 0.7


def test_a_later_schedule_of_the_same_target_starts_from_the_same_value() -> None:
    """As a notebook cell that is run again: whatever kind came first recorded the initial value."""
    optimizer = optimizer_with_all()
    first = tsa_core.arbitrary_schedule_factory(optimizer, halving, schedule_target="momentum")
    optimizer.step(), first.step()
    again = tsa_core.CurveSchedule(optimizer, lambda t: 1.0, "momentum")
    assert again.base_lrs == [0.9, 0.5]
    assert [group["momentum"] for group in optimizer.param_groups] == [0.9, 0.5]


def test_what_plain_schedulers_left_is_not_seen_on_another_target() -> None:
    """It is the learning rate's; a scheduler of the same kind keeps its own in the proxy."""
    optimizer = optimizer_with_all()
    SWALR(optimizer, 0.3), OneCycleLR(optimizer, 0.7, total_steps=10)
    left = {"swa_lr", "max_lr", "min_lr", "max_momentum", "base_momentum"}
    assert left <= set(optimizer.param_groups[0])
    view = tsa_core.ProxyOptimizer(optimizer, "weight_decay").param_groups[0]
    assert left.isdisjoint(view)
    assert not [key for key in left if key in view]
    put(lambda proxy: SWALR(proxy, 0.2), "weight_decay")(optimizer)
    assert optimizer.param_groups[0]["swa_lr"] == 0.3


@pytest.mark.parametrize("cls", [CyclicLR, OneCycleLR])
@pytest.mark.parametrize("target", ["weight_decay", "betas[0]", "momentum", "clip"])
def test_cycle_momentum_elsewhere_than_on_lr_is_refused(cls: Any, target: str) -> None:
    """In words that say what to write, and with the groups as they were."""
    optimizer = torch.optim.AdamW([Parameter(torch.ones(1))], lr=0.1)
    if target == "momentum":
        optimizer = torch.optim.SGD([Parameter(torch.ones(1))], lr=0.1, momentum=0.9)
    optimizer.param_groups[0]["clip"] = 1.0
    before = dict(optimizer.param_groups[0])
    # Where torch knows no betas in CyclicLR (< 2.3), it refuses AdamW itself.
    with pytest.raises(ValueError, match=r"cycle_momentum=False|`cycle_momentum` option"):
        tsa_core.arbitrary_schedule_factory(
            optimizer,
            lambda proxy: cls(
                proxy, max_lr=0.5, **{"base_lr": 0.1} if cls is CyclicLR else {"total_steps": 9}
            ),
            schedule_target=target,
        )
    assert optimizer.param_groups[0] == before
