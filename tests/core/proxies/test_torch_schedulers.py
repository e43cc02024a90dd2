"""Every torch scheduler gives any target the numbers that it gives the lr of a plain optimizer."""

from __future__ import annotations

import itertools
import warnings
from typing import Any

import pytest
import torch
from helpers import Untouched, held, ignore_epoch_deprecation, put, sgd
from target_helpers import KINDS, adamw_with
from torch.optim import lr_scheduler as torch_lr
from torch_schedulers import MOMENTUM_CYCLES, SCHEDULERS, TORCH, each_scheduler, step

INITIAL = (0.1, 0.03, 0.5)
TARGETS = ("lr", "weight_decay", "clip", "betas[0]")

pytestmark = ignore_epoch_deprecation


def initial_values(kind: str) -> list[Any]:
    return [KINDS[kind](value) for value in INITIAL]


def plain_optimizer(kind: str) -> torch.optim.Optimizer:
    """The optimizer that torch itself schedules: its ``lr`` has the initial values."""
    return sgd(*({"lr": value} for value in initial_values(kind)))


def scheduled_optimizer(target: str, kind: str) -> torch.optim.Optimizer:
    """The optimizer that the library schedules: its ``target`` has the initial values."""
    return adamw_with(target, *initial_values(kind), lr=0.007, weight_decay=0.013)


def everything_but(target: str, optimizer: torch.optim.Optimizer) -> list[dict[str, Any]]:
    """All that a schedule of ``target`` must leave alone."""
    key = target.partition("[")[0]
    own = {key, *(f"{prefix}_{target}" for prefix in ("initial", "max", "min", "swa"))}
    rest = [{k: v for k, v in group.items() if k not in own} for group in optimizer.param_groups]
    if target == "betas[0]":
        for others, group in zip(rest, optimizer.param_groups):
            others["container"] = type(group["betas"]), group["betas"][1:]
    return rest


def one_cycle(proxy: Any) -> Any:
    return torch_lr.OneCycleLR(proxy, 0.5, total_steps=10, cycle_momentum=False)


def test_an_entry_of_the_users_is_not_overwritten(untouched: Untouched) -> None:
    """An entry that has the name of one that the scheduler would keep is refused."""
    optimizer, scheduled = sgd({"norm": 1.0, "max_norm": 5.0}), sgd({"norm": 1.0})
    put(scheduled, "norm")
    scheduled.param_groups[0]["max_norm"] = 5.0
    put(scheduled, "max_norm")
    for each in (optimizer, scheduled):
        with untouched(each), pytest.raises(ValueError, match="'max_norm' is an entry of param"):
            put(each, "norm", one_cycle)


def test_an_entry_that_a_scheduler_left_is_taken_over() -> None:
    """A scheduler that is built again, also on a resumed optimizer, finds its own entries."""
    optimizer = sgd({"norm": 1.0})
    first = put(optimizer, "norm", one_cycle)
    again = put(optimizer, "norm", one_cycle)
    assert again.get_last_lr() == first.get_last_lr()
    resumed = sgd({"norm": 1.0})
    resumed.load_state_dict(optimizer.state_dict())
    assert put(resumed, "norm", one_cycle).get_last_lr() == first.get_last_lr()


@each_scheduler(target_and_kind=itertools.product(TARGETS, KINDS))
def test_a_torch_scheduler_gives_any_target_the_numbers_it_gives_lr(
    name: str, target_and_kind: tuple[str, str]
) -> None:
    """At each step the target holds what torch gives a plain lr, and no other entry changes."""
    target, kind = target_and_kind
    # torch before 2.13 makes lr and initial_lr one tensor in SequentialLR, and since 2.4 torch
    # fills that tensor, so its own numbers are wrong. Then a float lr is the reference, up to
    # float32.
    torch_is_wrong = kind == "tensor" and "SequentialLR" in name and TORCH < (2, 13)
    reference = plain_optimizer("float" if torch_is_wrong else kind)
    expected = SCHEDULERS[name](reference)
    optimizer = scheduled_optimizer(target, kind)
    first_values = held(optimizer, target)
    before = everything_but(target, optimizer)

    schedule = put(optimizer, target, SCHEDULERS[name])
    for _ in range(18):
        values, numbers = held(optimizer, target), held(reference)
        assert values == (pytest.approx(numbers, rel=1e-6) if torch_is_wrong else numbers)
        assert everything_but(target, optimizer) == before
        if kind == "tensor":
            assert all(value is first for value, first in zip(values, first_values))
        reference.step()
        step(expected)
        optimizer.step()
        step(schedule)


@each_scheduler(target_and_order=itertools.product(TARGETS, [True, False]))
def test_a_torch_scheduler_on_any_target_warns_as_on_lr(
    name: str, target_and_order: tuple[str, bool]
) -> None:
    """A scheduler on any target warns if and only if torch warns on lr, in the same words."""
    target, right_order = target_and_order

    def warnings_in_a_run(optimizer: Any, make: Any) -> list[str]:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            schedule = make(optimizer)
            for _ in range(9):
                if right_order:
                    optimizer.step()
                step(schedule)
        return [str(warning.message) for warning in caught]

    make, scheduled = SCHEDULERS[name], scheduled_optimizer(target, "float")
    ours = warnings_in_a_run(scheduled, lambda optimizer: put(optimizer, target, make))
    assert ours == warnings_in_a_run(plain_optimizer("float"), make)


@pytest.mark.parametrize("make", MOMENTUM_CYCLES.values(), ids=MOMENTUM_CYCLES.keys())
def test_a_cycled_momentum_on_lr_has_torchs_values(make: Any) -> None:
    """A scheduler that cycles lr and momentum gives both the numbers of a plain run."""
    expected, optimizer = (sgd(lr=0.1, momentum=0.9) for _ in range(2))
    reference, schedule = make(expected), put(optimizer, make=make)
    for _ in range(15):
        for key in ("lr", "momentum"):
            assert held(optimizer, key) == held(expected, key)
        expected.step(), reference.step(), optimizer.step(), schedule.step()
