"""Accelerate in one process. Its tests in two processes are in tests/distributed."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pytest
import torch
import training_plan as plan
from accelerate import Accelerator
from accelerate.optimizer import AcceleratedOptimizer
from accelerate.scheduler import AcceleratedScheduler
from accelerate_run import run_and_resume
from cases import some

import torch_schedule_anything as tsa

AXES = {
    "accumulation": [1, 3],
    "is_prepared": [False, True],
    "calls": [1, 3],
    "on_wrapper": [False, True],
}
WITH_CLOCK = [dict(zip(AXES, values)) for values in itertools.product(*AXES.values())]
# Without a clock, the schedule is prepared and stepped once in each batch.
PREPARED: list[dict[str, Any]] = [{}, {"accumulation": 2}, {"on_wrapper": True}]


@pytest.mark.parametrize(
    ("make_schedule", "settings"),
    [
        *((plan.make_schedule, settings) for settings in PREPARED),
        *((plan.make_schedule_on_steps, settings) for settings in some(WITH_CLOCK, 4)),
    ],
)
def test_a_run_stays_on_the_plan_and_resumes_to_the_same_weights(
    make_schedule: Any, settings: dict[str, Any], tmp_path: Path
) -> None:
    """A plan counts optimizer steps, and resumes; with a clock, however often it is stepped."""
    (values, _), _ = run_and_resume(tmp_path, lambda o, tokens: make_schedule(o), **settings)
    plan.assert_run_on_plan(values)


def test_a_plan_in_tokens_counts_the_tokens_of_a_loop(tmp_path: Path) -> None:
    """A plan in tokens follows batches of any length under Accelerate, and resumes."""
    optimizers = []

    def make_schedule(optimizer: Any, tokens: Any) -> Any:
        optimizers.append(optimizer)
        return plan.make_schedule_in_tokens(optimizer, tokens)

    settings = {"accumulation": 3, "lengths": plan.LENGTHS * 2}
    (values_by_step, _), _ = run_and_resume(tmp_path, make_schedule, **settings)
    for t, values in values_by_step.items():
        plan.assert_on_plan_in_tokens(values, sum(settings["lengths"][: 3 * t]))
    for optimizer in optimizers:
        plan.assert_on_plan_in_tokens(plan.values_of(optimizer), plan.TOKENS)


@pytest.mark.parametrize("fused", [False, True])
def test_a_step_that_accelerates_scaler_skips_is_not_counted(fused: bool) -> None:
    """A clock does not count it. Accelerate counts it if the optimizer is fused."""
    Accelerator(cpu=True)
    parameter = torch.nn.Parameter(torch.ones(2))
    inner = torch.optim.AdamW([parameter], lr=0.1, weight_decay=0.1, fused=fused)
    scaler = torch.amp.GradScaler("cpu", init_scale=16.0)
    optimizer = AcceleratedOptimizer(inner, scaler=scaler)
    falling = tsa.linear_schedule_with_warmup(optimizer, 1.0, 0.0, 0, 10, "weight_decay")
    clocked = tsa.SynchronousSchedule([falling], clock=tsa.OptimizerSteps(optimizer))
    plain = tsa.SynchronousSchedule([tsa.constant_schedule(inner, 1.0)])
    schedules = [AcceleratedScheduler(each, optimizer) for each in (plain, clocked)]
    steps_made = 0
    for i in range(8):
        before = parameter.detach().clone()
        overflows = i in (0, 3, 4)
        scaler.scale(parameter.sum() * (torch.inf if overflows else 1.0)).backward()
        optimizer.step()
        for schedule in (*schedules, clocked):
            schedule.step()
        optimizer.zero_grad()
        steps_made += not overflows
        assert torch.equal(parameter, before) == overflows
        assert inner.param_groups[0]["weight_decay"] == pytest.approx(0.1 * (1 - steps_made / 10))
    assert (plain.last_epoch, clocked.last_epoch) == (8 if fused else 5, 5)
