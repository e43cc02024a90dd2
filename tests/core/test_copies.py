"""A copied schedule belongs to the copied optimizer, and dropped objects are freed."""

from __future__ import annotations

import copy
import gc
import weakref
from typing import Any

import pytest
import torch
from cases import crossed
from helpers import (
    adamw,
    advance,
    halving,
    held,
    ignore_epoch_deprecation,
    put,
    put_curve,
    put_lambda,
    real_optimizer,
    through_pickle,
)
from torch.optim.lr_scheduler import SequentialLR, StepLR
from torch_schedulers import SCHEDULERS, TORCH, each_scheduler, step

from tsa_core import CurveSchedule, SynchronousSchedule

pytestmark = ignore_epoch_deprecation


def curve_in_sequence(proxy: Any) -> SequentialLR:
    return SequentialLR(proxy, [put_curve(proxy), StepLR(proxy, 1, 0.5)], [9])


# Schedules that halve weight decay, which starts at 1.
MAKERS = {
    "curve": lambda o: put_curve(o, "weight_decay"),
    "a list of curves": lambda o: CurveSchedule(o, [halving], "weight_decay"),
    "curve of values": lambda o: CurveSchedule(o, halving, "weight_decay", absolute=True),
    "ExponentialLR": lambda o: put(o, "weight_decay"),
    "LambdaLR": lambda o: put_lambda(o, "weight_decay"),
    "SequentialLR of both": lambda o: put(o, "weight_decay", curve_in_sequence),
    "synchronous": lambda o: SynchronousSchedule(
        [put_curve(o), put(o, "weight_decay"), put_curve(o, "betas[0]")]
    ),
}


def after_one_step(name: str) -> tuple[Any, Any, Any]:
    """A model, its optimizer and a schedule, stepped once."""
    model = torch.nn.Linear(2, 1)
    optimizer = torch.optim.AdamW(model.parameters(), weight_decay=1.0)
    schedule = MAKERS[name](optimizer)
    advance(schedule)
    return model, optimizer, schedule


@pytest.mark.parametrize(("name", "duplicate"), crossed(MAKERS, [copy.deepcopy, through_pickle]))
def test_a_schedule_copied_with_its_optimizer_drives_the_copy(name: str, duplicate: Any) -> None:
    """Of a model, optimizer and schedule that are copied together, only the copy moves."""
    original = after_one_step(name)
    model, optimizer, schedule = duplicate(original)
    assert real_optimizer(schedule) is optimizer
    assert optimizer.param_groups[0]["params"][0] is model.weight
    for _ in range(3):
        advance(schedule)
        assert held(original[1], "weight_decay") == [0.5]
    advance(original[2], 3)
    for key in ("lr", "weight_decay", "betas"):
        assert held(optimizer, key) == held(original[1], key)
    assert held(optimizer, "weight_decay") == [0.0625]


@pytest.mark.parametrize("name", MAKERS)
def test_no_reference_keeps_what_is_dropped(name: str) -> None:
    """A copy refers to nothing of the original, and no cycle needs the garbage collector."""
    gc.collect()
    gc.disable()
    try:
        model, optimizer, schedule = after_one_step(name)
        optimizer.zero_grad()
        copied = copy.deepcopy(schedule)
        assert real_optimizer(copied) is not optimizer
        things = (model.weight, optimizer, schedule, schedule.optimizer)
        dropped = [weakref.ref(each) for each in things]
        del model, optimizer, schedule, things
        assert [reference() for reference in dropped] == [None] * 4
    finally:
        gc.enable()
    advance(copied)
    assert held(real_optimizer(copied), "weight_decay") == [0.25]


# The CyclicLR of torch < 2.4 holds a weak method, which nothing can copy.
@each_scheduler([name for name in SCHEDULERS if name != "CyclicLR" or TORCH >= (2, 4)])
def test_a_copied_torch_scheduler_gives_the_same_numbers(name: str) -> None:
    """A copy of a torch scheduler goes on to give the numbers of the first one."""
    optimizer = adamw(weight_decay=0.08)
    schedule = put(optimizer, "weight_decay", SCHEDULERS[name])
    optimizer.step()
    step(schedule)
    other, copied = copy.deepcopy((optimizer, schedule))
    assert copied.optimizer.optimizer is other
    for _ in range(8):
        optimizer.step(), step(schedule)
        other.step(), step(copied)
        assert held(other, "weight_decay") == held(optimizer, "weight_decay")


def test_the_order_of_steps_is_checked_on_a_copy_too() -> None:
    """A copied optimizer loses its step hooks, so the copied schedule adds its own."""
    optimizer = adamw()
    schedule = put_curve(optimizer)
    other, copied = copy.deepcopy((optimizer, schedule))
    other.step()
    copied.step()  # in the right order: no warning
    for each in (schedule, copy.deepcopy(schedule)):
        with pytest.warns(UserWarning, match="before `optimizer.step"):
            each.step()
