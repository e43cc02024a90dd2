"""A schedule of one target does not change or read the values of any other target."""

from __future__ import annotations

from typing import Any

import pytest
from cases import crossed
from helpers import adamw, advance, held, put, put_curve, put_lambda, sgd
from torch.optim.lr_scheduler import ExponentialLR, OneCycleLR
from torch.optim.swa_utils import SWALR
from torch_schedulers import MOMENTUM_CYCLES

import tsa_core

# Schedules that halve a target at each step, and its initial values.
MAKERS: dict[str, Any] = {
    "lr": lambda optimizer, target: ExponentialLR(optimizer, 0.5),
    "weight_decay": put_curve,
    "momentum": put_lambda,
    "betas[0]": put,
}
INITIAL = {"lr": (0.1, 0.4), "weight_decay": (0.02, 0.3), "momentum": (0.9, 0.5)}


@pytest.mark.parametrize(
    "order", [(*MAKERS,), (*reversed(MAKERS),), ("betas[0]", "lr"), ("momentum",)], ids=", ".join
)
def test_each_target_follows_its_own_initial_value(order: tuple[str, ...]) -> None:
    """In any order of construction, each target is its own initial value, halved at each step."""
    groups = [{key: values[i] for key, values in INITIAL.items()} for i in range(2)]
    optimizer = sgd({**groups[0], "betas": (0.8, 0.99)}, {**groups[1], "betas": (0.6, 0.99)})
    schedules = [MAKERS[target](optimizer, target) for target in order]
    for t in range(4):
        for target, values in {**INITIAL, "betas[0]": (0.8, 0.6)}.items():
            expected = [value * 0.5 ** (t * (target in order)) for value in values]
            assert held(optimizer, target) == pytest.approx(expected, rel=1e-12)
        for schedule in schedules:
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
