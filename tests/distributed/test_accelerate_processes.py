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
from accelerate_run import Run
from processes import assert_ranks_on_plan, launch

import torch_schedule_anything as tsa

BY_THE_LOOP = {"step_scheduler_with_optimizer": False}
SPLIT_BATCHES = {"dataloader_config": DataLoaderConfiguration(split_batches=True)}


def train_and_resume(folder: Path, calls: int, settings: dict[str, Any]) -> list[plan.Run]:
    """An uninterrupted run, and a second one that resumes; ``calls`` are those per step."""

    def make_schedule(optimizer: Any, tokens: Any) -> tsa.SynchronousSchedule:
        return plan.make_schedule(optimizer, calls)

    return [Run(make_schedule, **settings).train(folder, t) for t in (0, plan.SAVED_AT)]


def train_and_resume_with_clock(
    folder: Path, calls: int, settings: dict[str, Any]
) -> list[plan.Run]:
    """The same, and the clock was asked ``calls`` times per step."""
    asked = []

    def make_schedule(optimizer: Any, tokens: Any) -> tsa.SynchronousSchedule:
        steps = tsa.OptimizerSteps(optimizer)
        return plan.make_schedule_with_clock(optimizer, lambda: asked.append(1) or steps())

    runs = [Run(make_schedule, **settings).train(folder, t) for t in (0, plan.SAVED_AT)]
    assert len(asked) == calls * (plan.STEPS + plan.STEPS - plan.SAVED_AT)
    return runs


@pytest.mark.parametrize(
    ("worker", "calls", "settings"),
    [
        (train_and_resume, 2, {}),
        (train_and_resume, 1, BY_THE_LOOP),
        (train_and_resume, 1, SPLIT_BATCHES),
        (train_and_resume_with_clock, 1, {"is_prepared": False}),
        (train_and_resume_with_clock, 2, {"is_prepared": False, "accumulation": 2}),
        (train_and_resume_with_clock, 2, {}),
        (train_and_resume_with_clock, 2, {"accumulation": 2}),
    ],
)
def test_a_plan_counts_the_steps_that_accelerate_makes(
    tmp_path: Path, worker: Any, calls: int, settings: dict[str, Any]
) -> None:
    """Every rank follows a plan of processes × steps, or one of steps with one call or a clock."""
    assert_ranks_on_plan(launch(worker, tmp_path, calls, settings))
