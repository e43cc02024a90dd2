"""What a step spends, counted and not timed: operators, memory, questions to the curve."""

from __future__ import annotations

import tracemalloc
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch.nn import Parameter
from torch.optim.lr_scheduler import ExponentialLR, LambdaLR, OneCycleLR
from torch.utils._python_dispatch import TorchDispatchMode
from torch_schedulers import TORCH

import tsa_core

GROUPS = 7
# What makes the host wait for an accelerator: its value is read, or copied off.
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


def adamw(value: Callable[[], Any]) -> torch.optim.AdamW:
    """One whose groups hold ``value()`` as weight decay, and ``clip``, and betas."""
    return torch.optim.AdamW(
        [
            {
                "params": [Parameter(torch.ones(1))],
                "weight_decay": value(),
                "clip": value(),
                "betas": (value(), 0.999),
            }
            for _ in range(GROUPS)
        ]
    )


def halving(t: float) -> float:
    return 0.5**t


def put_curve(optimizer: Any, target: str) -> Any:
    return tsa_core.CurveSchedule(optimizer, halving, target)


def put_lambda(optimizer: Any, target: str) -> Any:
    return tsa_core.arbitrary_schedule_factory(
        optimizer, lambda proxy: LambdaLR(proxy, halving), schedule_target=target
    )


TARGETS = pytest.mark.parametrize("target", ["weight_decay", "clip", "betas[0]"])


def test_the_count_sees_a_wait() -> None:
    """Reading a tensor's value is counted, so that its absence below means something."""
    tensor = torch.tensor(0.5)
    assert operators_of(tensor.item) == {"aten._local_scalar_dense.default": 1}


@TARGETS
def test_a_curve_fills_each_tensor_once_and_waits_for_none(target: str) -> None:
    """With tensor values a step is one in-place fill a group, and no other operator."""
    optimizer = adamw(lambda: torch.tensor(0.5))
    schedule = put_curve(optimizer, target)
    optimizer.step()
    for _ in range(3):
        assert operators_of(schedule.step) == {"aten.fill_.Scalar": GROUPS}


def test_schedules_in_step_fill_each_tensor_once() -> None:
    """So many fills as there are groups and targets, also in lock-step."""
    optimizer = adamw(lambda: torch.tensor(0.5))
    targets = ["weight_decay", "clip", "betas[0]"]
    schedule = tsa_core.SynchronousSchedule([put_curve(optimizer, each) for each in targets])
    optimizer.step()
    assert operators_of(schedule.step) == {"aten.fill_.Scalar": GROUPS * len(targets)}


@pytest.mark.skipif(TORCH < (2, 6), reason="torch itself reads the tensor there, to fill it")
@TARGETS
def test_a_torch_scheduler_waits_for_no_tensor(target: str) -> None:
    """Through the proxy a step fills each tensor once, and reads none."""
    optimizer = adamw(lambda: torch.tensor(0.5))
    schedule = put_lambda(optimizer, target)
    optimizer.step()
    schedule.step()
    called = operators_of(schedule.step)
    assert sum(n for name, n in called.items() if name.startswith("aten.fill_")) == GROUPS
    assert not WAITING & set(called)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no accelerator to wait for")
@pytest.mark.parametrize("put", [put_curve, put_lambda])
@TARGETS
def test_an_accelerator_is_not_waited_for(put: Any, target: str) -> None:
    """With values on the accelerator, torch's own watch sees no step wait for it."""
    optimizer = adamw(lambda: torch.tensor(0.5, device="cuda"))
    schedule = put(optimizer, target)
    optimizer.step()
    schedule.step()
    torch.cuda.set_sync_debug_mode("error")
    try:
        schedule.step()
    finally:
        torch.cuda.set_sync_debug_mode("default")
    value = optimizer.param_groups[0][target.partition("[")[0]]
    assert float(value[0] if target == "betas[0]" else value) == 0.5**3


@pytest.mark.parametrize("put", [put_curve, put_lambda])
@TARGETS
def test_with_floats_torch_is_not_asked_at_all(put: Any, target: str) -> None:
    """With float values a step calls no operator of torch's."""
    optimizer = adamw(lambda: 0.5)
    schedule = put(optimizer, target)
    optimizer.step()
    for _ in range(3):
        assert operators_of(schedule.step) == {}


@pytest.mark.parametrize(
    "make",
    [
        lambda proxy: LambdaLR(proxy, halving),
        lambda proxy: ExponentialLR(proxy, 0.5),
        lambda proxy: OneCycleLR(proxy, 0.5, total_steps=50, cycle_momentum=False),
        None,
    ],
    ids=["LambdaLR", "ExponentialLR", "OneCycleLR", "CurveSchedule"],
)
def test_neither_making_nor_stepping_copies_a_parameter(make: Any) -> None:
    """No operator is called, so no tensor is made, of whatever size the parameters are."""
    optimizer = adamw(lambda: 0.5)
    schedules = []

    def put() -> None:
        schedules.append(
            put_curve(optimizer, "weight_decay")
            if make is None
            else tsa_core.arbitrary_schedule_factory(
                optimizer, make, schedule_target="weight_decay"
            )
        )

    assert operators_of(put) == {}
    optimizer.step()
    assert operators_of(schedules[0].step) == {}


def test_what_a_curve_schedule_keeps_does_not_grow_with_steps() -> None:
    """Between the 10th step and the 1000th nothing more is kept."""
    optimizer = adamw(lambda: 0.5)
    schedule = put_curve(optimizer, "weight_decay")
    optimizer.step()
    for _ in range(10):
        schedule.step()
    tracemalloc.start()
    try:
        for _ in range(990):
            schedule.step()
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept < 990 * 8  # not as much as one reference a step


def test_the_curve_is_asked_once_a_step() -> None:
    """However many groups there are."""
    asked: list[float] = []

    def curve(t: float) -> float:
        asked.append(t)
        return 1.0

    optimizer = adamw(lambda: 0.5)
    schedule = tsa_core.CurveSchedule(optimizer, curve, "weight_decay")
    optimizer.step()
    schedule.step()
    schedule.step()
    assert asked == [0, 1, 2]
