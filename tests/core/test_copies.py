"""Copies belong to the copied optimizer, and what is dropped is freed."""

from __future__ import annotations

import copy
import gc
import pickle
import warnings
import weakref
from typing import Any

import pytest
import torch
from torch.optim.lr_scheduler import ExponentialLR, LambdaLR, SequentialLR, StepLR
from torch_schedulers import SCHEDULERS, TORCH, factor, step

import tsa_core


class Scaled:
    """A picklable curve with a parameter."""

    def __init__(self, rate: float) -> None:
        self.rate = rate

    def __call__(self, t: float) -> float:
        return self.rate**t


def exponential(proxy: Any) -> Any:
    return ExponentialLR(proxy, 0.5)


def in_sequence(proxy: Any) -> Any:
    return SequentialLR(
        proxy, [tsa_core.CurveSchedule(proxy, Scaled(0.5)), StepLR(proxy, 1, 0.5)], [9]
    )


def on_weight_decay(maker: Any) -> Any:
    return lambda optimizer: tsa_core.arbitrary_schedule_factory(
        optimizer, maker, schedule_target="weight_decay"
    )


MAKERS = {
    "curve": lambda o: tsa_core.CurveSchedule(o, Scaled(0.5), "weight_decay"),
    "ExponentialLR": on_weight_decay(exponential),
    "LambdaLR": on_weight_decay(lambda proxy: LambdaLR(proxy, Scaled(0.5))),
    "SequentialLR of both": on_weight_decay(in_sequence),
    "synchronous": lambda o: tsa_core.SynchronousSchedule(
        [
            tsa_core.CurveSchedule(o, Scaled(0.9)),
            on_weight_decay(exponential)(o),
            tsa_core.CurveSchedule(o, Scaled(0.7), "betas[0]"),
        ]
    ),
}
# torch < 2.9 warns of its own SequentialLR, which passes itself a deprecated epoch.
pytestmark = pytest.mark.filterwarnings("ignore:The epoch parameter in `scheduler.step:UserWarning")


def build(name: str) -> tuple[Any, Any, Any]:
    model = torch.nn.Linear(2, 1)
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.1, weight_decay=0.08)
    schedule = MAKERS[name](optimizer)
    optimizer.step()
    schedule.step()
    return model, optimizer, schedule


def real(schedule: Any) -> Any:
    return getattr(schedule.optimizer, "optimizer", schedule.optimizer)


def pickled(value: Any) -> Any:
    return pickle.loads(pickle.dumps(value))


@pytest.mark.parametrize("duplicate", [copy.deepcopy, pickled])
@pytest.mark.parametrize("name", MAKERS)
def test_a_copy_of_all_drives_the_copy(name: str, duplicate: Any) -> None:
    """(model, optimizer, schedule) copied together: the copy moves, and the original does not."""
    original = build(name)
    model, optimizer, schedule = duplicate(original)
    assert real(schedule) is optimizer
    assert optimizer.param_groups[0]["params"][0] is model.weight
    for _ in range(3):
        optimizer.step()
        schedule.step()
        assert original[1].param_groups[0]["weight_decay"] == 0.04
    for _ in range(3):
        original[1].step()
        original[2].step()
    for key in ("lr", "weight_decay", "betas"):
        assert optimizer.param_groups[0][key] == original[1].param_groups[0][key]
    assert optimizer.param_groups[0]["weight_decay"] == 0.005


@pytest.mark.parametrize("name", MAKERS)
def test_a_copy_of_a_schedule_alone_has_an_optimizer_of_its_own(name: str) -> None:
    """It keeps no reference to the first one."""
    first = build(name)
    dropped = [weakref.ref(part) for part in first]
    schedule = copy.deepcopy(first[2])
    assert real(schedule) is not first[1]
    del first
    gc.collect()
    assert [reference() for reference in dropped] == [None] * 3
    real(schedule).step()
    schedule.step()
    assert real(schedule).param_groups[0]["weight_decay"] == 0.02


@pytest.mark.parametrize("name", MAKERS)
def test_reference_counting_frees_it_all(name: str) -> None:
    """No cycle keeps optimizer or schedule: without the garbage collector, both are gone."""
    gc.collect()
    gc.disable()
    try:
        _, optimizer, schedule = build(name)
        optimizer.zero_grad()
        dropped = [weakref.ref(optimizer), weakref.ref(schedule), weakref.ref(schedule.optimizer)]
        del optimizer, schedule
        assert [reference() for reference in dropped] == [None] * 3
    finally:
        gc.enable()


# Before torch 2.4, CyclicLR holds a weak method, which nothing can copy.
@pytest.mark.parametrize("name", [n for n in SCHEDULERS if n != "CyclicLR" or TORCH >= (2, 4)])
def test_every_torch_scheduler_copies(name: str) -> None:
    """A copied one goes on to give the numbers of the first."""
    if "SequentialLR in" in name:  # torch warns of the order in its own constructor here
        warnings.filterwarnings("ignore", "Detected call of `lr_scheduler", UserWarning)
    optimizer = torch.optim.AdamW(torch.nn.Linear(2, 1).parameters(), weight_decay=0.08)
    schedule = on_weight_decay(SCHEDULERS[name])(optimizer)
    optimizer.step()
    step(schedule)
    other, copied = copy.deepcopy((optimizer, schedule))
    assert copied.optimizer.optimizer is other
    for _ in range(8):
        optimizer.step(), step(schedule)
        other.step(), step(copied)
        assert other.param_groups[0]["weight_decay"] == optimizer.param_groups[0]["weight_decay"]


def test_a_copy_is_watched_too() -> None:
    """Hooks do not survive a copy; the copied schedule brings its own."""
    model = torch.nn.Linear(2, 1)
    optimizer = torch.optim.AdamW(model.parameters())
    schedule = tsa_core.CurveSchedule(optimizer, factor)
    other, copied = copy.deepcopy((optimizer, schedule))
    other.step()
    copied.step()  # in the right order: no warning
    with pytest.warns(UserWarning, match="before `optimizer.step"):
        schedule.step()
