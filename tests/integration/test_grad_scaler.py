"""torch.amp.GradScaler, which skips the optimizer's step if a gradient overflowed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import training_plan as plan

BATCHES_THAT_OVERFLOW = (0, 5, plan.SAVED_AT)  # their loss is infinite
NUM_BATCHES = plan.STEPS + len(BATCHES_THAT_OVERFLOW)
DATA = torch.randn(NUM_BATCHES, 8, 4, generator=torch.Generator().manual_seed(1))


def make_run() -> dict[str, Any]:
    model, optimizer = plan.make_model_and_optimizer()
    scaler = torch.amp.GradScaler("cpu", init_scale=16.0)
    schedule = plan.make_schedule(optimizer)
    return {"model": model, "optimizer": optimizer, "schedule": schedule, "scaler": scaler}


def train(run: dict[str, Any], batches: range) -> dict[int, plan.Values]:
    """Train, step the schedule after each optimizer step, and return the values per batch."""
    model, optimizer, schedule, scaler = run.values()
    values_by_batch = {}
    for i in batches:
        values_by_batch[i] = plan.values_of(optimizer)
        optimizer.zero_grad()
        loss = model(DATA[i]).square().mean() * (torch.inf if i in BATCHES_THAT_OVERFLOW else 1.0)
        scaler.scale(loss).backward()
        scaler.unscale_(optimizer)
        plan.clip_gradients(optimizer)
        scale = scaler.get_scale()
        scaler.step(optimizer)
        scaler.update()
        if scaler.get_scale() >= scale:  # the scale shrinks if the optimizer's step was skipped
            schedule.step()
    return values_by_batch


def test_a_plan_counts_the_steps_that_grad_scaler_made(tmp_path: Path) -> None:
    """A step that GradScaler skips does not move the plan, and the run resumes exactly."""
    whole, resumed = make_run(), make_run()
    values_by_batch = train(whole, range(plan.SAVED_AT))
    torch.save({name: part.state_dict() for name, part in whole.items()}, tmp_path / "run.pt")
    values_by_batch |= train(whole, range(plan.SAVED_AT, NUM_BATCHES))

    steps_made = 0
    for i, values in values_by_batch.items():
        plan.assert_on_plan(values, steps_made)
        steps_made += i not in BATCHES_THAT_OVERFLOW
    assert steps_made == plan.STEPS

    for name, state in torch.load(tmp_path / "run.pt", weights_only=True).items():
        resumed[name].load_state_dict(state)
    later = train(resumed, range(plan.SAVED_AT, NUM_BATCHES))
    plan.assert_resumed(
        (later, resumed["model"].state_dict()), (values_by_batch, whole["model"].state_dict())
    )


def test_a_schedule_step_after_a_skipped_first_optimizer_step_warns() -> None:
    """A schedule that steps although the optimizer never stepped gives torch's order warning."""
    model, optimizer, schedule, scaler = make_run().values()
    scaler.scale(model(DATA[0]).sum() * torch.inf).backward()
    scaler.step(optimizer)
    scaler.update()
    with pytest.warns(UserWarning, match=r"`lr_scheduler.step\(\)` before `optimizer.step\(\)`"):
        schedule.step()
