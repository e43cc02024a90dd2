"""Schedules with a clock in two processes: the plan counts optimizer steps, not calls of ``step``.

Accelerate steps a prepared scheduler once per process. Without a clock, the plan needs a length of
processes × steps for that, as in test_accelerate_processes.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import shared_plan as plan
import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from data_parallel import train_and_resume
from processes import launch
from torch.distributed.optim import ZeroRedundancyOptimizer

import torch_schedule_anything as tsa


class Run:
    """A run that trains on ``accumulation`` batches per step, and steps its schedule in each.

    ``calls`` counts how often Accelerate, or the loop, stepped the schedule.
    """

    def __init__(self, accumulation: int, is_prepared: bool) -> None:
        AcceleratorState._reset_state(reset_partial_state=True)
        self.accelerator = Accelerator(cpu=True, gradient_accumulation_steps=accumulation)
        self.accumulation = accumulation
        self.model = plan.make_model()
        optimizer = torch.optim.AdamW(plan.param_groups(self.model))
        self.calls = 0
        steps = tsa.OptimizerSteps(optimizer)

        def clock() -> float:
            self.calls += 1
            return steps()

        sync = plan.make_schedule_with_clock(optimizer, clock)
        self.prepared_model, self.optimizer = self.accelerator.prepare(self.model, optimizer)
        self.schedule = self.accelerator.prepare(sync) if is_prepared else sync
        if not is_prepared:
            self.accelerator.register_for_checkpointing(sync)

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


def accelerate_worker(folder: Path, accumulation: int, is_prepared: bool) -> list[dict[str, Any]]:
    """An uninterrupted run saves at ``SAVED_AT``, and a second run resumes there."""
    results = []
    for start in (0, plan.SAVED_AT):
        run = Run(accumulation, is_prepared)
        values = {}
        if start == 0:
            values = run.train(range(plan.SAVED_AT))
            run.accelerator.save_state(str(folder))
        else:
            run.accelerator.load_state(str(folder))
        values |= run.train(range(plan.SAVED_AT, plan.STEPS))
        steps = plan.STEPS - start
        assert run.calls == steps * (run.accelerator.num_processes if is_prepared else accumulation)
        results.append({"values": values, "weights": run.model.state_dict()})
    return results


@pytest.mark.parametrize("is_prepared", [False, True], ids=["not prepared", "prepared"])
@pytest.mark.parametrize("accumulation", [1, 2])
def test_a_plan_counts_the_steps_of_accelerate(
    accumulation: int, is_prepared: bool, tmp_path: Path
) -> None:
    """Every rank follows a plan of optimizer steps, although Accelerate steps it per process."""
    plan.assert_ranks_on_plan(launch(accelerate_worker, tmp_path, accumulation, is_prepared))


def zero_worker(file: Path) -> list[dict[str, Any]]:
    runs = train_and_resume(
        file,
        lambda groups: ZeroRedundancyOptimizer(groups, torch.optim.AdamW),
        before_saving=lambda optimizer: optimizer.consolidate_state_dict(to=0),
        make_schedule=lambda optimizer: plan.make_schedule_with_clock(
            optimizer, tsa.OptimizerSteps(optimizer)
        ),
    )
    return [result for _, result in runs]


def test_a_plan_counts_the_steps_of_zero(tmp_path: Path) -> None:
    """A plan counts the steps of a ``ZeroRedundancyOptimizer``, also in a resumed run."""
    plan.assert_ranks_on_plan(launch(zero_worker, tmp_path / "run.pt"))
