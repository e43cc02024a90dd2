"""What a torch scheduler finds on the proxy."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import Parameter
from torch.optim.lr_scheduler import (
    ChainedScheduler,
    ConstantLR,
    LambdaLR,
    LRScheduler,
    OneCycleLR,
    SequentialLR,
    StepLR,
)

import tsa_core


def adamw() -> torch.optim.AdamW:
    return torch.optim.AdamW(
        [
            {"params": [Parameter(torch.ones(1))], "weight_decay": 0.25},
            {"params": [Parameter(torch.ones(1))], "weight_decay": 0.5},
        ],
        lr=0.1,
    )


def test_it_is_an_optimizer() -> None:
    """To isinstance, to a truth test, to comparison; and weakly to a reference."""
    proxy = tsa_core.ProxyOptimizer(adamw(), "weight_decay")
    assert isinstance(proxy, torch.optim.Optimizer)
    assert proxy
    assert proxy == proxy  # what SequentialLR does
    assert proxy != tsa_core.ProxyOptimizer(proxy.optimizer, "weight_decay")


def test_it_forwards_what_it_does_not_redefine() -> None:
    """Attributes, state, and the methods that the base class would have acted on itself with."""
    optimizer = adamw()
    proxy = tsa_core.ProxyOptimizer(optimizer, "weight_decay")
    assert proxy.state is optimizer.state
    assert proxy.state_dict() == optimizer.state_dict()
    optimizer.param_groups[0]["params"][0].grad = torch.ones(1)
    proxy.zero_grad()
    assert optimizer.param_groups[0]["params"][0].grad is None
    proxy.add_param_group({"params": [Parameter(torch.ones(1))]})
    assert len(optimizer.param_groups) == 3
    with pytest.raises(AttributeError, match="'AdamW' object has no attribute 'no_such_thing'"):
        proxy.no_such_thing


@pytest.mark.parametrize(
    ("target", "default"), [("weight_decay", 0.01), ("lr", 0.1), ("betas[0]", 0.9), ("clip", 4.0)]
)
def test_its_default_lr_is_the_targets(target: str, default: float) -> None:
    """Some schedulers scale by it; an entry of the user's own starts where its first group does."""
    optimizer = adamw()
    for group, value in zip(optimizer.param_groups, (4.0, 5.0)):
        group["clip"] = value
    proxy = tsa_core.ProxyOptimizer(optimizer, target)
    assert proxy.defaults == {**optimizer.defaults, "lr": default}
    tsa_core.CurveSchedule(optimizer, lambda t: 0.5, target)
    assert proxy.defaults["lr"] == default


def test_it_refuses_to_be_stepped_or_loaded() -> None:
    """In words that name what to do it to."""
    proxy = tsa_core.ProxyOptimizer(adamw(), "weight_decay")
    with pytest.raises(RuntimeError, match="step the optimizer itself"):
        proxy.step()
    with pytest.raises(RuntimeError, match="load into AdamW itself"):
        proxy.load_state_dict({})


def test_its_repr_says_what_it_schedules_on_what_and_where_it_stands() -> None:
    """Target, optimizer and present values."""
    proxy = tsa_core.ProxyOptimizer(adamw(), "weight_decay")
    proxy.param_groups[0]["lr"] = 0.125
    assert repr(proxy) == "ProxyOptimizer('weight_decay' of AdamW as lr, now [0.125, 0.5])"


def test_a_group_is_a_mapping_that_agrees_with_itself() -> None:
    """[], in, get, keys, iteration, length and dict() tell the same."""
    optimizer = adamw()
    optimizer.param_groups[0].update(initial_lr=7.0, max_lr=8.0)  # of a plain scheduler, on lr
    group: Any = tsa_core.ProxyOptimizer(optimizer, "weight_decay").param_groups[0]
    assert "initial_lr" not in group
    assert "max_lr" not in group
    assert group.get("max_lr") is None
    group.setdefault("initial_lr", 0.25)
    group["max_lr"] = 0.75
    as_dict = dict(group)
    assert len(group) == len(as_dict) == len(list(group)) == len(set(group.keys()))
    assert {"params", "eps", "betas", "amsgrad"} <= set(as_dict)
    for key, value in as_dict.items():
        assert key in group
        assert group[key] is value
        assert group.get(key) is value
    assert (as_dict["lr"], as_dict["initial_lr"], as_dict["max_lr"]) == (0.25, 0.25, 0.75)
    assert optimizer.param_groups[0]["initial_lr"] == 7.0
    assert optimizer.param_groups[0]["max_lr"] == 8.0
    assert optimizer.param_groups[0]["initial_weight_decay"] == 0.25
    del group["max_lr"]
    assert "max_lr" not in group
    with pytest.raises(KeyError, match="belongs to the optimizer"):
        del group["eps"]


def test_other_entries_are_read_only() -> None:
    """A schedule of one target that writes another is refused by name, and nothing changes."""
    optimizer = adamw()
    group: Any = tsa_core.ProxyOptimizer(optimizer, "weight_decay").param_groups[1]
    assert group["eps"] == 1e-8
    with pytest.raises(ValueError, match="'weight_decay' would write 'eps' of param group 1"):
        group["eps"] = 1.0
    assert optimizer.param_groups[1]["eps"] == 1e-8


def test_on_lr_it_writes_what_torch_would() -> None:
    """The proxy of lr itself stands for the whole group."""
    optimizer = adamw()
    group: Any = tsa_core.ProxyOptimizer(optimizer).param_groups[0]
    group["betas"] = (0.5, 0.999)
    assert optimizer.param_groups[0]["betas"] == (0.5, 0.999)


@pytest.mark.parametrize("make", [np.float64, np.float32, np.int64, torch.tensor])
def test_what_a_scheduler_gives_lands_as_a_python_number(make: Any) -> None:
    """NumPy scalars would make a checkpoint unreadable, and tensors would replace a float."""
    optimizer = adamw()
    schedule = tsa_core.arbitrary_schedule_factory(
        optimizer,
        lambda proxy: LambdaLR(proxy, lambda t: make(2) if t else 1.0),
        schedule_target="weight_decay",
    )
    optimizer.step()
    schedule.step()
    values = [group["weight_decay"] for group in optimizer.param_groups]
    assert values == [0.5, 1.0]
    assert {type(value) for value in values} == {float}


@pytest.mark.parametrize(
    ("bad", "error"),
    [(math.nan, ValueError), (math.inf, ValueError), (1j, TypeError), (np.nan, ValueError)],
)
@pytest.mark.parametrize("at", [0, 3])
def test_what_is_no_finite_real_number_is_refused(bad: Any, error: Any, at: int) -> None:
    """With target, group and step; at construction the groups are as they were."""
    optimizer = adamw()
    before = [dict(group) for group in optimizer.param_groups]

    def put() -> Any:
        return tsa_core.arbitrary_schedule_factory(
            optimizer,
            lambda proxy: LambdaLR(proxy, lambda t: bad if t == at else 1.0),
            schedule_target="weight_decay",
        )

    where = f"'weight_decay' in param group 0 at step {at}"
    if at == 0:
        with pytest.raises(error, match=where):
            put()
        assert optimizer.param_groups == before
        return
    schedule = put()
    for _ in range(2):
        optimizer.step()
        schedule.step()
    with pytest.raises(error, match=where):
        schedule.step()


def test_the_step_is_named_in_a_copy_too() -> None:
    """The message finds the scheduler that is writing, whichever it is."""
    import copy

    schedule = tsa_core.arbitrary_schedule_factory(
        adamw(), lambda proxy: LambdaLR(proxy, lambda t: math.nan if t == 2 else 1.0)
    )
    schedule.optimizer.optimizer.step()
    schedule.step()
    with pytest.raises(ValueError, match="'lr' in param group 0 at step 2"):
        copy.deepcopy(schedule).step()


def test_a_shared_tensor_becomes_one_a_group() -> None:
    """The first group keeps it; three groups are not reduced three times."""
    shared = torch.tensor(0.5)
    groups = [{"params": [Parameter(torch.ones(1))]} for _ in range(3)]
    optimizer = torch.optim.AdamW(groups, lr=shared)
    schedule = tsa_core.arbitrary_schedule_factory(
        optimizer,
        lambda proxy: torch.optim.lr_scheduler.ReduceLROnPlateau(proxy, factor=0.5, patience=0),
    )
    schedule.step(1.0)
    schedule.step(2.0)
    values = [group["lr"] for group in optimizer.param_groups]
    assert values[0] is shared
    assert [float(value) for value in values] == [0.25] * 3


def test_a_proxy_of_a_proxy_is_refused() -> None:
    """The second target is scheduled on the optimizer itself."""
    proxy = tsa_core.ProxyOptimizer(adamw(), "weight_decay")
    with pytest.raises(ValueError, match="is a proxy already"):
        tsa_core.ProxyOptimizer(proxy)


def test_a_built_in_on_a_proxy_drives_lr_alone() -> None:
    """There, the target is called lr."""
    with pytest.raises(ValueError, match="is a proxy already"):
        tsa_core.arbitrary_schedule_factory(
            adamw(),
            lambda proxy: tsa_core.CurveSchedule(proxy, lambda t: 1.0, "weight_decay"),
            schedule_target="weight_decay",
        )


def test_resuming_with_last_epoch_needs_the_initial_value() -> None:
    """As on lr: without a recorded initial value torch's KeyError, with one it goes on."""
    optimizer = adamw()

    def resumed(proxy: Any) -> Any:
        return StepLR(proxy, 2, 0.5, last_epoch=1)

    def put() -> Any:
        return tsa_core.arbitrary_schedule_factory(
            optimizer, resumed, schedule_target="weight_decay"
        )

    with pytest.raises(KeyError, match="initial_lr"):
        put()
    for group in optimizer.param_groups:
        group["initial_weight_decay"] = group["weight_decay"]
    put()
    assert [group["weight_decay"] for group in optimizer.param_groups] == [0.125, 0.25]


def test_initial_values_that_a_scheduler_assigns() -> None:
    """OneCycleLR sets its own: it is the target's, as on lr."""
    optimizer = adamw()
    tsa_core.arbitrary_schedule_factory(
        optimizer,
        lambda proxy: OneCycleLR(proxy, 0.5, total_steps=10, cycle_momentum=False, div_factor=4),
        schedule_target="weight_decay",
    )
    assert [group["initial_weight_decay"] for group in optimizer.param_groups] == [0.125, 0.125]
    assert {"max_lr", "min_lr", "initial_lr"}.isdisjoint(optimizer.param_groups[0])


def test_defaults_of_what_has_none() -> None:
    """An object that only has groups presents its first value."""
    proxy = tsa_core.ProxyOptimizer(SimpleNamespace(param_groups=[{"clip": 4.0}]), "clip")
    assert proxy.defaults == {"lr": 4.0}


@pytest.mark.parametrize("value", [0.25, torch.tensor(0.25)], ids=["float", "tensor"])
def test_an_initial_value_lands_as_a_python_number(value: Any) -> None:
    """OneCycleLR assigns what it was given."""
    optimizer = adamw()
    for group in optimizer.param_groups:
        group["weight_decay"] = value
    tsa_core.arbitrary_schedule_factory(
        optimizer,
        lambda p: OneCycleLR(p, np.float64(0.5), total_steps=10, cycle_momentum=False),
        schedule_target="weight_decay",
    )
    assert {type(group["initial_weight_decay"]) for group in optimizer.param_groups} == {float}


def test_an_initial_value_is_no_alias_of_the_tensor() -> None:
    """A scheduler may hand over the very tensor that it fills afterwards."""
    optimizer = torch.optim.SGD([Parameter(torch.ones(1))], lr=torch.tensor(0.5))
    group: Any = tsa_core.ProxyOptimizer(optimizer).param_groups[0]
    group.setdefault("initial_lr", group["lr"])
    group["lr"] = 0.25
    assert (group["lr"].item(), float(group["initial_lr"])) == (0.25, 0.5)


def test_what_a_scheduler_keeps_for_itself_stays_in_the_proxy() -> None:
    """A name that the group does not have; listed once, if the group comes to have it."""
    optimizer = adamw()
    group: Any = tsa_core.ProxyOptimizer(optimizer, "weight_decay").param_groups[0]
    group["note"] = 1
    assert "note" not in optimizer.param_groups[0]
    optimizer.param_groups[0]["note"] = 2
    assert (list(group).count("note"), group["note"]) == (1, 1)


def test_a_group_without_an_initial_value_lists_none() -> None:
    """Until a scheduler records one."""
    group = tsa_core.ProxyOptimizer(adamw(), "weight_decay").param_groups[0]
    assert "initial_lr" not in list(group)
    assert dict(group)["lr"] == 0.25
    with pytest.raises(KeyError, match="'initial_lr'"):
        group["initial_lr"]


def in_sequence(proxy: Any) -> Any:
    bad = LambdaLR(proxy, lambda t: math.nan if t == 2 else 1.0)
    return SequentialLR(proxy, [ConstantLR(proxy, 0.5, 9), bad], [3])


def in_chain(proxy: Any) -> Any:
    return ChainedScheduler([LambdaLR(proxy, lambda t: math.nan if t == 5 else 1.0)])


@pytest.mark.filterwarnings("ignore:The epoch parameter in `scheduler.step:UserWarning")  # torch's
@pytest.mark.parametrize("make", [in_sequence, in_chain])
@pytest.mark.parametrize("among_others", [False, True])
def test_the_step_named_is_that_of_the_whole(make: Any, among_others: bool) -> None:
    """Of a compound scheduler, where it knows; else of the part that is writing."""
    optimizer = adamw()
    schedule = tsa_core.arbitrary_schedule_factory(optimizer, make, schedule_target="weight_decay")
    if among_others:
        schedule = tsa_core.SynchronousSchedule([schedule])
    optimizer.step()
    for _ in range(4):
        schedule.step()
    with pytest.raises(ValueError, match="'weight_decay' in param group 0 at step 5"):
        schedule.step()


class Floored(LRScheduler):
    """Somebody's scheduler that reads a floor from the group."""

    def get_lr(self) -> Any:
        groups = self.optimizer.param_groups
        return [
            max(group["min_lr"], base * 0.5**self.last_epoch)
            for group, base in zip(groups, self.base_lrs)
        ]


def test_an_entry_of_the_users_that_schedulers_name_too() -> None:
    """On ``lr`` it is there to read, as on the optimizer; on another target, it is said why not."""
    group = {"params": [Parameter(torch.ones(1))], "min_lr": 0.375}
    optimizer = torch.optim.AdamW([group], lr=1.0)
    schedule = tsa_core.arbitrary_schedule_factory(optimizer, Floored)
    view = schedule.optimizer.param_groups[0]
    assert "min_lr" in view
    assert dict(view)["min_lr"] == 0.375
    for _ in range(2):
        optimizer.step()
        schedule.step()
    assert optimizer.param_groups[0]["lr"] == 0.375
    with pytest.raises(KeyError, match=r"'min_lr': .* about the learning rate.* 'weight_decay'"):
        tsa_core.arbitrary_schedule_factory(optimizer, Floored, schedule_target="weight_decay")


def test_who_calls_is_not_asked() -> None:
    """Looking for the step, an error passes by objects whose attributes may do anything."""

    class Trainer:
        @property
        def optimizer(self) -> Any:
            raise RuntimeError("not attached yet")

        def run(self) -> None:
            optimizer = adamw()
            schedule = tsa_core.arbitrary_schedule_factory(
                optimizer,
                lambda proxy: LambdaLR(proxy, lambda t: 1.0 if t < 1 else math.nan),
                schedule_target="weight_decay",
            )
            optimizer.step()
            schedule.step()

    with pytest.raises(ValueError, match=r"'weight_decay' in param group 0 at step 1: .* nan"):
        Trainer().run()
