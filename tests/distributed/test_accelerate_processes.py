"""Accelerate in two processes: by default it steps a prepared scheduler once per process.

Without a clock, the plan needs a length of processes × steps for that. With one, the plan counts
optimizer steps, and not calls of ``step``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import training_plan as plan
from accelerate.utils import DataLoaderConfiguration
from accelerate_run import run_and_resume
from processes import assert_ranks_on_plan, launch

import torch_schedule_anything as tsa


def train_and_resume(
    folder: Path, with_clock: bool, calls: int, settings: dict[str, Any]
) -> list[plan.Run]:
    """The plan is made for ``calls`` per step, or its clock is asked so often."""
    asked = []

    def make_schedule(optimizer: Any, tokens: Any) -> tsa.SynchronousSchedule:
        if not with_clock:
            return plan.make_schedule(optimizer, calls)
        steps = tsa.OptimizerSteps(optimizer)
        return plan.make_schedule(optimizer, clock=lambda: asked.append(1) or steps())

    runs = run_and_resume(folder, make_schedule, **settings)
    assert len(asked) == with_clock * calls * (plan.STEPS + plan.STEPS - plan.SAVED_AT)
    return runs


@pytest.mark.parametrize(
    ("with_clock", "calls", "settings"),
    [
        (False, 2, {}),
        (False, 1, {"step_scheduler_with_optimizer": False}),  # by the loop
        (False, 1, {"dataloader_config": DataLoaderConfiguration(split_batches=True)}),
        (True, 1, {"is_prepared": False}),
        (True, 2, {"is_prepared": False, "accumulation": 2}),
        (True, 2, {}),
        (True, 2, {"accumulation": 2}),
    ],
)
def test_a_plan_counts_the_steps_that_accelerate_makes(
    tmp_path: Path, with_clock: bool, calls: int, settings: dict[str, Any]
) -> None:
    """Every rank follows a plan of processes × steps, or one of steps with one call or a clock."""
    assert_ranks_on_plan(launch(train_and_resume, tmp_path, with_clock, calls, settings))
