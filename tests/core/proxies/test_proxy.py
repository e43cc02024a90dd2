"""A torch scheduler finds the target as lr on the proxy, and the rest of the optimizer as it is."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from helpers import adamw, add_group, advance, held, put, sgd
from target_helpers import adamw_with
from torch.optim.lr_scheduler import LambdaLR, LRScheduler, OneCycleLR, StepLR

from tsa_core import CurveSchedule, ProxyOptimizer


def two_groups() -> torch.optim.AdamW:
    return adamw_with("weight_decay", 0.25, 0.5)


def test_a_proxy_is_an_optimizer_and_forwards_what_it_does_not_redefine() -> None:
    """It is truthy and equal to itself alone; attributes and methods act on the optimizer."""
    optimizer = adamw({}, lr=0.5, weight_decay=0.5)
    proxy = ProxyOptimizer(optimizer, "weight_decay")
    assert isinstance(proxy, torch.optim.Optimizer)
    assert proxy
    assert proxy == proxy  # as SequentialLR compares the optimizers of its parts
    assert proxy != ProxyOptimizer(optimizer, "weight_decay")
    assert proxy.state is optimizer.state
    assert proxy.state_dict() == optimizer.state_dict()
    parameter = optimizer.param_groups[0]["params"][0]
    parameter.grad = torch.zeros(1)
    assert proxy.step(lambda: 7.0) == 7.0
    assert parameter.item() == 1 - 0.5 * 0.5
    proxy.zero_grad()
    assert parameter.grad is None
    state = optimizer.state_dict()
    state["param_groups"][0]["weight_decay"] = 0.125
    proxy.load_state_dict(state)
    assert held(optimizer, "weight_decay") == [0.125]
    assert proxy.param_groups[0]["lr"] == 0.125
    assert repr(proxy) == "ProxyOptimizer('weight_decay' of AdamW as lr, now [0.125])"
    add_group(proxy)
    assert len(optimizer.param_groups) == 2
    with pytest.raises(AttributeError, match="'AdamW' object has no attribute 'no_such_thing'"):
        proxy.no_such_thing


@pytest.mark.parametrize(
    ("target", "default"), [("weight_decay", 0.01), ("lr", 0.1), ("betas[0]", 0.9), ("clip", 4.0)]
)
def test_the_default_lr_of_a_proxy_is_the_default_of_the_target(
    target: str, default: float
) -> None:
    """The default lr is the target's default, or its first value where it has no default."""
    optimizer = adamw({"clip": 4.0}, {"clip": 5.0}, lr=0.1)
    proxy = ProxyOptimizer(optimizer, target)
    assert proxy.defaults == {**optimizer.defaults, "lr": default}
    CurveSchedule(optimizer, lambda t: 0.5, target)
    assert proxy.defaults["lr"] == default
    without_defaults = SimpleNamespace(param_groups=[{"clip": 4.0}])
    assert ProxyOptimizer(without_defaults, "clip").defaults == {"lr": 4.0}


def test_a_group_view_is_a_consistent_mapping() -> None:
    """A view agrees with itself in [], in, get, keys, iteration, length and dict()."""
    optimizer = two_groups()
    real = optimizer.param_groups[0]
    real.update(initial_lr=7.0, max_lr=8.0)  # of a plain scheduler, on lr
    group: Any = ProxyOptimizer(optimizer, "weight_decay").param_groups[0]
    for key in ("initial_lr", "max_lr"):
        assert key not in group
        assert key not in list(group)
        assert group.get(key) is None
        with pytest.raises(KeyError, match=key):
            group[key]
    group.setdefault("initial_lr", 0.25)
    group["max_lr"] = 0.75
    as_dict = dict(group)
    assert len(group) == len(as_dict) == len(list(group)) == len(set(group.keys()))
    assert {"params", "eps", "betas", "amsgrad"} <= set(as_dict)
    for key, value in as_dict.items():
        assert key in group
        assert group[key] is group.get(key) is value
    assert (as_dict["lr"], as_dict["initial_lr"], as_dict["max_lr"]) == (0.25, 0.25, 0.75)
    assert (real["initial_lr"], real["max_lr"], real["initial_weight_decay"]) == (7.0, 8.0, 0.25)
    del group["max_lr"]
    assert "max_lr" not in group
    with pytest.raises(KeyError, match="belongs to the optimizer"):
        del group["eps"]


def test_other_entries_are_read_only_except_on_lr() -> None:
    """Only a scheduler on lr can write other entries, as torch's own can; an error names both.

    A key that the group lacks is kept under a name of the target, and listed once.
    """
    optimizer = adamw({}, {})
    group: Any = ProxyOptimizer(optimizer, "weight_decay").param_groups[1]
    assert group["eps"] == 1e-8
    with pytest.raises(ValueError, match="'weight_decay' would write 'eps' of param group 1"):
        group["eps"] = 1.0
    assert held(optimizer, "eps") == [1e-8, 1e-8]
    real = optimizer.param_groups[1]
    group["note"] = 1
    assert (real["note_weight_decay"], "note" in real) == (1, False)
    real["note"] = 2
    assert (list(group).count("note"), group["note"]) == (1, 1)
    del group["note"]
    assert ("note_weight_decay" in real, group["note"]) == (False, 2)
    group = ProxyOptimizer(optimizer).param_groups[1]
    group["eps"] = 1.0
    assert held(optimizer, "eps") == [1e-8, 1.0]


@pytest.mark.parametrize("make", [np.float64, np.float32, np.int64, torch.tensor])
def test_a_value_lands_as_a_python_number(make: Any) -> None:
    """A scheduler that computes NumPy scalars or tensors still leaves floats in the groups."""
    # torch.load(weights_only=True) would refuse a checkpoint that holds a NumPy scalar.
    optimizer = two_groups()
    advance(put(optimizer, "weight_decay", lambda p: LambdaLR(p, lambda t: make(2) if t else 1.0)))
    values = held(optimizer, "weight_decay")
    assert values == [0.5, 1.0]
    assert {type(value) for value in values} == {float}


def test_resuming_with_last_epoch_needs_the_initial_value() -> None:
    """A scheduler with ``last_epoch`` raises torch's KeyError until an initial value is there."""
    optimizer = two_groups()

    def put_resumed() -> Any:
        return put(optimizer, "weight_decay", lambda proxy: StepLR(proxy, 2, 0.5, last_epoch=1))

    with pytest.raises(KeyError, match="initial_lr"):
        put_resumed()
    for group in optimizer.param_groups:
        group["initial_weight_decay"] = group["weight_decay"]
    put_resumed()
    assert held(optimizer, "weight_decay") == [0.125, 0.25]


@pytest.mark.parametrize("as_kind", [float, torch.tensor])
def test_a_scheduler_assigns_the_initial_value_of_the_target(as_kind: Any) -> None:
    """OneCycleLR assigns an initial value, from a NumPy number, which stays a Python number."""
    optimizer = adamw_with("weight_decay", as_kind(0.25), as_kind(0.25))
    settings: Any = {"total_steps": 10, "cycle_momentum": False, "div_factor": 4}
    put(optimizer, "weight_decay", lambda p: OneCycleLR(p, np.float64(0.5), **settings))
    assert held(optimizer, "initial_weight_decay") == [0.125, 0.125]
    assert {type(value) for value in held(optimizer, "initial_weight_decay")} == {float}
    assert {"max_lr", "min_lr", "initial_lr"}.isdisjoint(optimizer.param_groups[0])


def test_an_initial_value_is_not_an_alias_of_the_tensor() -> None:
    """The initial value stays, also if a scheduler records the very tensor that it then fills."""
    optimizer = sgd(lr=torch.tensor(0.5))
    group: Any = ProxyOptimizer(optimizer).param_groups[0]
    group.setdefault("initial_lr", group["lr"])
    group["lr"] = 0.25
    assert (group["lr"].item(), float(group["initial_lr"])) == (0.25, 0.5)


class Floored(LRScheduler):
    """A user's scheduler that reads a floor from the group."""

    def get_lr(self) -> Any:
        pairs = zip(self.optimizer.param_groups, self.base_lrs)
        return [max(group["min_lr"], base * 0.5**self.last_epoch) for group, base in pairs]


def test_an_entry_named_like_an_auxiliary_key_is_read_on_lr_alone() -> None:
    """A scheduler on lr reads the user's min_lr; elsewhere an error says why it cannot."""
    optimizer = adamw({"min_lr": 0.375}, lr=1.0)
    schedule = put(optimizer, make=Floored)
    view = schedule.optimizer.param_groups[0]
    assert "min_lr" in view
    assert dict(view)["min_lr"] == 0.375
    advance(schedule, 2)
    assert held(optimizer) == [0.375]
    with pytest.raises(KeyError, match=r"'min_lr': .* is about the learning rate.* 'weight_decay'"):
        put(optimizer, "weight_decay", Floored)
