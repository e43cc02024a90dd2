"""Requests from public threads of Accelerate that work here: see docs/contribute/threads.md."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import training_plan as plan
from accelerate_run import train
from processes import launch
from torch.optim.lr_scheduler import LambdaLR

import torch_schedule_anything as tsa


def learning_rates(folder: Path, with_clock: bool) -> list[list[float]]:
    """Those of each optimizer step, where Accelerate steps the schedule."""

    def make_schedule(optimizer: Any, tokens: Any) -> Any:
        if not with_clock:
            return LambdaLR(optimizer, plan.lr_multiple)
        curve = tsa.CurveSchedule(optimizer, plan.lr_multiple)
        return tsa.SynchronousSchedule([curve], clock=tsa.OptimizerSteps(optimizer))

    values_by_step, _ = train(folder, make_schedule)
    return [values["lr"] for values in values_by_step.values()]


def expected(calls: int) -> list[list[float]]:
    multiples = [plan.lr_multiple(calls * t) for t in range(plan.STEPS)]
    return [[lr * multiple for lr in plan.INITIAL["lr"]] for multiple in multiples]


def test_accelerate_2926(tmp_path: Path) -> None:
    """With a clock, a plan in optimizer steps is followed in two processes as in one."""
    assert launch(learning_rates, tmp_path, True) == [expected(calls=1)] * 2


def test_accelerate_2773(tmp_path: Path) -> None:
    """The clock makes the difference: a plain scheduler goes two steps per optimizer step."""
    assert launch(learning_rates, tmp_path, False) == [expected(calls=2)] * 2
