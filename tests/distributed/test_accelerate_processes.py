"""Accelerate in two processes: by default it steps a prepared scheduler once per process.

Without a clock, the plan needs a length of processes × steps for that. With one, the plan counts
optimizer steps, and not calls of ``step``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import shared_plan as plan
import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from accelerate.utils import DataLoaderConfiguration
from processes import launch

import torch_schedule_anything as tsa

PER_PROCESS = "once per process"
BY_THE_LOOP = "once, by the loop"
SPLIT_BATCHES = "once, with split batches"
CLOCK = "in every batch, with a clock"
PREPARED_CLOCK = "once per process and batch, with a clock"


def accelerator_arguments(stepping: str) -> dict[str, Any]:
    """Arguments with which Accelerate steps the schedule as often as ``stepping`` says."""
    if stepping == SPLIT_BATCHES:
        return {"dataloader_config": DataLoaderConfiguration(split_batches=True)}
    return {"step_scheduler_with_optimizer": stepping != BY_THE_LOOP}


class Run:
    """A run that trains on ``accumulation`` batches per step, and steps its schedule in each.

    ``calls`` counts how often Accelerate, or the loop, stepped a schedule with a clock.
    """

    def __init__(self, stepping: str, accumulation: int) -> None:
        AcceleratorState._reset_state(reset_partial_state=True)
        self.accelerator = Accelerator(
            cpu=True,
            gradient_accumulation_steps=accumulation,
            **accelerator_arguments(stepping),
        )
        self.accumulation, self.calls = accumulation, 0
        self.model = plan.make_model()
        optimizer = torch.optim.AdamW(plan.param_groups(self.model))
        schedule = self.make_schedule(optimizer, stepping)
        self.prepared_model, self.optimizer = self.accelerator.prepare(self.model, optimizer)
        if stepping == CLOCK:
            self.schedule = schedule
            self.accelerator.register_for_checkpointing(schedule)
        else:
            self.schedule = self.accelerator.prepare(schedule)

    def make_schedule(self, optimizer: Any, stepping: str) -> tsa.SynchronousSchedule:
        if stepping not in (CLOCK, PREPARED_CLOCK):
            calls_per_step = self.accelerator.num_processes if stepping == PER_PROCESS else 1
            return plan.make_schedule(optimizer, calls_per_step)
        steps = tsa.OptimizerSteps(optimizer)

        def clock() -> float:
            self.calls += 1
            return steps()

        return plan.make_schedule_with_clock(optimizer, clock)

    def train(self, steps: range) -> dict[int, Any]:
        """Train, and return the values that the optimizer held before each step."""
        values = {}
        for t in steps:
            values[t] = plan.values_of(self.optimizer)
            weight = self.optimizer.param_groups[0]["loss_weight"]
            for i in range(self.accumulation):
                generator = torch.Generator().manual_seed(10 * t + i)
                batch = torch.randn(8, 4, generator=generator)
                with self.accelerator.accumulate(self.prepared_model):
                    loss = self.prepared_model(batch).square().mean() * weight
                    self.accelerator.backward(loss)
                    self.optimizer.step()
                    self.schedule.step()
                    self.optimizer.zero_grad()
        return values


def worker(folder: Path, stepping: str, accumulation: int) -> list[dict[str, Any]]:
    """An uninterrupted run saves at ``SAVED_AT``, and a second run resumes there."""
    results = []
    for start in (0, plan.SAVED_AT):
        run = Run(stepping, accumulation)
        values = {}
        if start == 0:
            values = run.train(range(plan.SAVED_AT))
            run.accelerator.save_state(str(folder))
        else:
            run.accelerator.load_state(str(folder))
        values |= run.train(range(plan.SAVED_AT, plan.STEPS))
        calls = {CLOCK: accumulation, PREPARED_CLOCK: run.accelerator.num_processes}
        assert run.calls == (plan.STEPS - start) * calls.get(stepping, 0)
        results.append({"values": values, "weights": run.model.state_dict()})
    return results


@pytest.mark.parametrize(
    ("stepping", "accumulation"),
    [
        (PER_PROCESS, 1),
        (BY_THE_LOOP, 1),
        (SPLIT_BATCHES, 1),
        (CLOCK, 1),
        (CLOCK, 2),
        (PREPARED_CLOCK, 1),
        (PREPARED_CLOCK, 2),
    ],
)
def test_a_plan_counts_the_steps_that_accelerate_makes(
    tmp_path: Path, stepping: str, accumulation: int
) -> None:
    """Every rank follows a plan of processes × steps, or one of steps with one call or a clock."""
    plan.assert_ranks_on_plan(launch(worker, tmp_path, stepping, accumulation))
