"""A copied schedule belongs to the copied optimizer, and dropped objects are freed."""

from __future__ import annotations

import copy
import gc
import pickle
import weakref
from typing import Any

import pytest
import torch
from cases import crossed
from helpers import adamw, advance, held, ignore_epoch_deprecation, put, real_optimizer
from torch.optim.lr_scheduler import LambdaLR, SequentialLR, StepLR
from torch_schedulers import SCHEDULERS, TORCH, each_scheduler, factor, step

import tsa_core

pytestmark = ignore_epoch_deprecation


class ExponentialCurve:
    """A curve that pickle can copy, because it is not a local function."""

    def __init__(self, rate: float, first: float = 1.0) -> None:
        self.rate = rate
        self.first = first

    def __call__(self, t: float) -> float:
        return self.first * self.rate**t


def lambda_scheduler(proxy: Any) -> LambdaLR:
    return LambdaLR(proxy, ExponentialCurve(0.5))


def curve_in_sequence(proxy: Any) -> SequentialLR:
    curve = tsa_core.CurveSchedule(proxy, ExponentialCurve(0.5))
    return SequentialLR(proxy, [curve, StepLR(proxy, 1, 0.5)], [9])


MAKERS = {
    "curve": lambda o: tsa_core.CurveSchedule(o, ExponentialCurve(0.5), "weight_decay"),
    "a list of curves": lambda o: tsa_core.CurveSchedule(
        o, [ExponentialCurve(0.5)], "weight_decay"
    ),
    "curve of values": lambda o: tsa_core.CurveSchedule(
        o, ExponentialCurve(0.5, 0.08), "weight_decay", absolute=True
    ),
    "ExponentialLR": lambda o: put(o, "weight_decay"),
    "LambdaLR": lambda o: put(o, "weight_decay", lambda_scheduler),
    "SequentialLR of both": lambda o: put(o, "weight_decay", curve_in_sequence),
    "synchronous": lambda o: tsa_core.SynchronousSchedule(
        [
            tsa_core.CurveSchedule(o, ExponentialCurve(0.9)),
            put(o, "weight_decay"),
            tsa_core.CurveSchedule(o, ExponentialCurve(0.7), "betas[0]"),
        ]
    ),
}


def after_one_step(name: str) -> tuple[Any, Any, Any]:
    """A model, its optimizer and a schedule that halves ``weight_decay``, stepped once."""
    model = torch.nn.Linear(2, 1)
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.1, weight_decay=0.08)
    schedule = MAKERS[name](optimizer)
    advance(schedule)
    return model, optimizer, schedule


def pickled(value: Any) -> Any:
    return pickle.loads(pickle.dumps(value))


@pytest.mark.parametrize(("name", "duplicate"), crossed(MAKERS, [copy.deepcopy, pickled]))
def test_a_schedule_copied_with_its_optimizer_drives_the_copy(name: str, duplicate: Any) -> None:
    """Of a model, optimizer and schedule that are copied together, only the copy moves."""
    original = after_one_step(name)
    model, optimizer, schedule = duplicate(original)
    assert real_optimizer(schedule) is optimizer
    assert optimizer.param_groups[0]["params"][0] is model.weight
    for _ in range(3):
        advance(schedule)
        assert held(original[1], "weight_decay") == [0.04]
    advance(original[2], 3)
    for key in ("lr", "weight_decay", "betas"):
        assert held(optimizer, key) == held(original[1], key)
    assert held(optimizer, "weight_decay") == [0.005]


@pytest.mark.parametrize("name", MAKERS)
def test_a_schedule_copied_alone_has_its_own_optimizer(name: str) -> None:
    """A copied schedule keeps no reference to the first optimizer."""
    first = after_one_step(name)
    dropped = [weakref.ref(part) for part in first]
    schedule = copy.deepcopy(first[2])
    assert real_optimizer(schedule) is not first[1]
    del first
    gc.collect()
    assert [reference() for reference in dropped] == [None] * 3
    advance(schedule)
    assert held(real_optimizer(schedule), "weight_decay") == [0.02]


@pytest.mark.parametrize("name", MAKERS)
def test_reference_counting_alone_frees_optimizer_and_schedule(name: str) -> None:
    """No cycle keeps optimizer or schedule: both are gone without the garbage collector."""
    gc.collect()
    gc.disable()
    try:
        _, optimizer, schedule = after_one_step(name)
        optimizer.zero_grad()
        dropped = [weakref.ref(optimizer), weakref.ref(schedule), weakref.ref(schedule.optimizer)]
        del optimizer, schedule
        assert [reference() for reference in dropped] == [None] * 3
    finally:
        gc.enable()


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
    schedule = tsa_core.CurveSchedule(optimizer, factor)
    other, copied = copy.deepcopy((optimizer, schedule))
    other.step()
    copied.step()  # in the right order: no warning
    for each in (schedule, copy.deepcopy(schedule)):
        with pytest.warns(UserWarning, match="before `optimizer.step"):
            each.step()
