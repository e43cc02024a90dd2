"""The cost of a step is counted and not timed: torch's operators, and memory that is kept."""

from __future__ import annotations

import tracemalloc
from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
from cases import crossed
from helpers import adamw, advance, held, put, put_curve, put_lambda, same
from torch.optim.lr_scheduler import ExponentialLR, OneCycleLR
from torch.utils._python_dispatch import TorchDispatchMode
from torch_schedulers import TORCH

import tsa_core

GROUPS = 7
# These operators read a value or copy it, so the host waits for the accelerator.
WAITING = {"aten._local_scalar_dense.default", "aten._to_copy.default", "aten.item.default"}


class Operators(TorchDispatchMode):
    """Counts the operators that torch dispatches."""

    def __init__(self) -> None:
        super().__init__()
        self.called: Counter[str] = Counter()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.called[str(func)] += 1
        return func(*args, **(kwargs or {}))


def operators_of(step: Callable[[], Any]) -> Counter[str]:
    with Operators() as operators:
        step()
    return operators.called


def adamw_with_groups_of(value: Callable[[], Any]) -> torch.optim.AdamW:
    """An AdamW whose groups hold ``value()`` as weight decay, ``clip`` and first beta."""
    return adamw(
        *(
            {"weight_decay": value(), "clip": value(), "betas": (value(), 0.999)}
            for _ in range(GROUPS)
        )
    )


def tensor() -> torch.Tensor:
    return torch.tensor(0.5)


def put_one_cycle(optimizer: Any, target: str) -> Any:
    make = partial(OneCycleLR, max_lr=0.5, total_steps=50, cycle_momentum=False)
    return put(optimizer, target, make)


def put_derived(optimizer: Any, target: str) -> Any:
    """A derived schedule, whose source a torch scheduler moves."""
    derived = tsa_core.DerivedSchedule(optimizer, same, target)
    return tsa_core.SynchronousSchedule([ExponentialLR(optimizer, 0.5), derived])


TARGETS = ["weight_decay", "clip", "betas[0]"]
# torch < 2.6 reads the tensor itself, to fill it.
READING_NONE = [put_derived] if TORCH < (2, 6) else [put_derived, put_lambda]


def test_a_curve_fills_each_tensor_once_and_reads_none() -> None:
    """A step of curves is one in-place fill per group and target; a read would be counted."""
    assert operators_of(tensor().item) == {"aten._local_scalar_dense.default": 1}
    optimizer = adamw_with_groups_of(tensor)
    curves = [put_curve(optimizer, target) for target in TARGETS]
    optimizer.step()
    for curve in curves * 2:
        assert operators_of(curve.step) == {"aten.fill_.Scalar": GROUPS}
    sync = tsa_core.SynchronousSchedule(curves)
    assert operators_of(sync.step) == {"aten.fill_.Scalar": GROUPS * len(TARGETS)}


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("put_schedule", READING_NONE)
def test_a_step_behind_or_of_a_torch_scheduler_reads_no_tensor(
    put_schedule: Any, target: str
) -> None:
    """It fills each tensor once, also with values that are computed after torch's scheduler."""
    optimizer = adamw_with_groups_of(tensor)
    schedule = put_schedule(optimizer, target)
    advance(schedule)
    called = operators_of(schedule.step)
    assert sum(n for name, n in called.items() if name.startswith("aten.fill_")) == GROUPS
    assert not WAITING & set(called)
    assert float(held(optimizer, target)[0]) == 0.5**3


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize(("target", "put_schedule"), crossed(TARGETS, [put_curve, put_lambda]))
def test_an_accelerator_is_not_waited_for(target: str, put_schedule: Any) -> None:
    """A step on values on an accelerator does not wait, as torch's sync debug mode shows."""
    optimizer = adamw_with_groups_of(lambda: torch.tensor(0.5, device="cuda"))
    schedule = put_schedule(optimizer, target)
    advance(schedule)
    torch.cuda.set_sync_debug_mode("error")
    try:
        schedule.step()
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert float(held(optimizer, target)[0]) == 0.5**3


@pytest.mark.parametrize(
    ("put_schedule", "target"), crossed([put_curve, put_lambda, put, put_one_cycle], TARGETS)
)
def test_neither_making_nor_stepping_on_floats_calls_an_operator(
    put_schedule: Any, target: str
) -> None:
    """With float values, no torch operator is called, so no parameter is copied."""
    optimizer = adamw_with_groups_of(lambda: 0.5)
    schedules: list[Any] = []
    assert operators_of(lambda: schedules.append(put_schedule(optimizer, target))) == {}
    optimizer.step()
    for _ in range(3):
        assert operators_of(schedules[0].step) == {}


def test_the_memory_of_a_curve_schedule_does_not_grow_with_steps() -> None:
    """A curve schedule keeps nothing more between its 10th step and its 1000th."""
    schedule = put_curve(adamw_with_groups_of(lambda: 0.5), "weight_decay")
    advance(schedule, 10)
    tracemalloc.start()
    try:
        for _ in range(990):
            schedule.step()
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept < 990 * 8  # less than one reference per step
