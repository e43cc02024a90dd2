"""A schedule of one target does not change or read the values of any other target."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from cases import crossed, some
from helpers import adamw, held, put, put_curve, put_lambda, sgd, values_in_a_run
from torch.optim.lr_scheduler import ExponentialLR, OneCycleLR
from torch.optim.swa_utils import SWALR
from torch_schedulers import MOMENTUM_CYCLES

import tsa_core

# Each is a target, and a function that makes a schedule which halves it at each step.
SCHEDULES: dict[str, tuple[str, Any]] = {
    "torch on lr": ("lr", lambda optimizer, target: ExponentialLR(optimizer, 0.5)),
    "curve on weight_decay": ("weight_decay", put_curve),
    "factory on weight_decay": ("weight_decay", put),
    "factory on momentum": ("momentum", put_lambda),
    "factory on betas[0]": ("betas[0]", put_lambda),
}
INITIAL = {
    "lr": (0.1, 0.4),
    "weight_decay": (0.02, 0.3),
    "momentum": (0.9, 0.5),
    "betas[0]": (0.8, 0.6),
}


def optimizer_with_all_targets() -> Any:
    return sgd(
        *(
            {
                "betas": (INITIAL["betas[0]"][i], 0.99),
                **{key: INITIAL[key][i] for key in ("lr", "weight_decay", "momentum")},
            }
            for i in range(2)
        )
    )


ORDERS = [
    order
    for order in itertools.permutations(SCHEDULES, 3)
    if not {"curve on weight_decay", "factory on weight_decay"} <= set(order)
]


@pytest.mark.parametrize("order", some(ORDERS, 6), ids=", ".join)
def test_each_target_follows_its_own_initial_value(order: tuple[str, ...]) -> None:
    """In any order of construction, each target is its own initial value, halved at each step."""
    optimizer = optimizer_with_all_targets()
    schedules = {
        target: make(optimizer, target) for target, make in map(SCHEDULES.__getitem__, order)
    }
    for t in range(4):
        for target in schedules:
            expected = [value * 0.5**t for value in INITIAL[target]]
            assert held(optimizer, target) == pytest.approx(expected, rel=1e-12)
        optimizer.step()
        for schedule in schedules.values():
            schedule.step()


def one_cycle(maximum: float) -> Any:
    return lambda optimizer: OneCycleLR(optimizer, maximum, total_steps=10, cycle_momentum=False)


@pytest.mark.parametrize("order", [("lr", "weight_decay"), ("weight_decay", "lr")], ids=", ".join)
def test_two_targets_keep_their_own_auxiliary_keys(order: tuple[str, ...]) -> None:
    """OneCycleLR on lr and on weight_decay each read their own ``max_lr``, in any order."""
    optimizer = optimizer_with_all_targets()
    makers = {
        "lr": lambda: one_cycle(0.7)(optimizer),
        "weight_decay": lambda: put(optimizer, "weight_decay", one_cycle(0.2)),
    }
    schedules = [makers[target]() for target in order]
    expected = {
        "lr": values_in_a_run(one_cycle(0.7)(sgd()), 9),
        "weight_decay": values_in_a_run(one_cycle(0.2)(sgd()), 9),
    }
    for t in range(9):
        for target in order:
            assert held(optimizer, target) == expected[target][t] * 2
        optimizer.step()
        for schedule in schedules:
            schedule.step()
    assert optimizer.param_groups[0]["max_lr"] == 0.7


def test_the_auxiliary_keys_of_a_plain_scheduler_are_not_seen_on_another_target() -> None:
    """The auxiliary keys in a group are those of lr; other targets keep theirs in the proxy."""
    optimizer = optimizer_with_all_targets()
    SWALR(optimizer, 0.3), OneCycleLR(optimizer, 0.7, total_steps=10)
    auxiliary = {"swa_lr", "max_lr", "min_lr", "max_momentum", "base_momentum"}
    assert auxiliary <= set(optimizer.param_groups[0])
    view = tsa_core.ProxyOptimizer(optimizer, "weight_decay").param_groups[0]
    assert auxiliary.isdisjoint(view)
    assert not [key for key in auxiliary if key in view]
    put(optimizer, "weight_decay", lambda proxy: SWALR(proxy, 0.2))
    assert optimizer.param_groups[0]["swa_lr"] == 0.3


@pytest.mark.parametrize(
    ("target", "make"),
    crossed(["weight_decay", "betas[0]", "momentum", "clip"], MOMENTUM_CYCLES.values()),
)
def test_cycled_momentum_on_any_target_but_lr_is_refused(target: str, make: Any) -> None:
    """A scheduler that cycles momentum is refused on any target but lr, and no group changes."""
    optimizer = sgd(momentum=0.9) if target == "momentum" else adamw()
    optimizer.param_groups[0]["clip"] = 1.0
    before = dict(optimizer.param_groups[0])
    # torch < 2.3 knows no betas in CyclicLR, so there torch itself refuses an AdamW.
    with pytest.raises(ValueError, match=r"cycle_momentum=False|`cycle_momentum` option"):
        put(optimizer, target, make)
    assert optimizer.param_groups[0] == before
