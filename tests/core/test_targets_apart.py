"""A schedule of one target does not change or read the values of any other target."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from cases import crossed, some
from helpers import adamw, advance, held, put, put_curve, put_lambda, sgd
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
ORDERS = [
    order
    for order in itertools.permutations(SCHEDULES, 3)
    if not {"curve on weight_decay", "factory on weight_decay"} <= set(order)
]


@pytest.mark.parametrize("order", some(ORDERS, 6), ids=", ".join)
def test_each_target_follows_its_own_initial_value(order: tuple[str, ...]) -> None:
    """In any order of construction, each target is its own initial value, halved at each step."""
    initial = {"lr": (0.1, 0.4), "weight_decay": (0.02, 0.3), "momentum": (0.9, 0.5)}
    groups = [{key: values[i] for key, values in initial.items()} for i in range(2)]
    optimizer = sgd({**groups[0], "betas": (0.8, 0.99)}, {**groups[1], "betas": (0.6, 0.99)})
    initial["betas[0]"] = (0.8, 0.6)
    schedules = {
        target: make(optimizer, target) for target, make in map(SCHEDULES.__getitem__, order)
    }
    for t in range(4):
        for target in initial:
            expected = [value * 0.5 ** (t * (target in schedules)) for value in initial[target]]
            assert held(optimizer, target) == pytest.approx(expected, rel=1e-12)
        for schedule in schedules.values():
            advance(schedule)


def test_the_auxiliary_keys_of_a_plain_scheduler_are_not_seen_on_another_target() -> None:
    """The auxiliary keys in a group are those of lr, and those of other targets have their names.

    In a resumed run, ``test_resume.py`` shows the same for several targets on proxies.
    """
    optimizer = sgd(momentum=0.9, weight_decay=0.25)
    SWALR(optimizer, 0.3), OneCycleLR(optimizer, 0.7, total_steps=10)
    auxiliary = {"swa_lr", "max_lr", "min_lr", "max_momentum", "base_momentum"}
    assert auxiliary <= set(optimizer.param_groups[0])
    view = tsa_core.ProxyOptimizer(optimizer, "weight_decay").param_groups[0]
    assert auxiliary.isdisjoint(view)
    assert not [key for key in auxiliary if key in view]
    put(optimizer, "weight_decay", lambda proxy: SWALR(proxy, 0.2))
    put(
        optimizer,
        "weight_decay",
        lambda proxy: OneCycleLR(proxy, 0.2, total_steps=10, cycle_momentum=False),
    )
    group = optimizer.param_groups[0]
    assert (group["swa_lr"], group["max_lr"]) == (0.3, 0.7)


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
