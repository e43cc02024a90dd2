"""torch.amp.GradScaler, which steps no optimizer where a gradient overflowed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from training_plan import (
    STEPS,
    assert_on_plan,
    clip_gradients,
    held,
    lr_schedule,
    make_optimizer,
    other_schedules,
)

import torch_schedule_anything as tsa

DATA = torch.randn(STEPS + 2, 8, 4, generator=torch.Generator().manual_seed(1))
OVERFLOWS = (0, 5)  # batches whose loss is infinite


def make_run() -> tuple[Any, ...]:
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.Tanh(), torch.nn.Linear(8, 1))
    optimizer = make_optimizer(model[0].parameters(), model[2].parameters())
    sync = tsa.SynchronousSchedule([lr_schedule(optimizer), *other_schedules(optimizer)])
    return model, optimizer, sync, torch.amp.GradScaler("cpu", init_scale=16.0)


def train(run: tuple[Any, ...], batches: range) -> list[dict[str, list[float]]]:
    """The values before each batch; the schedule is stepped where the optimizer was."""
    model, optimizer, sync, scaler = run
    values = []
    for i in batches:
        values.append(held(optimizer))
        optimizer.zero_grad()
        loss = model(DATA[i]).square().mean() * (torch.inf if i in OVERFLOWS else 1.0)
        scaler.scale(loss).backward()
        scaler.unscale_(optimizer)
        clip_gradients(optimizer)
        scale = scaler.get_scale()
        scaler.step(optimizer)
        scaler.update()
        if scaler.get_scale() >= scale:  # it shrinks where a step was skipped
            sync.step()
    return values


def test_a_skipped_step_is_no_step_of_the_plan(tmp_path: Path) -> None:
    """The plan counts the steps that were made, and the run resumes to the same weights."""
    whole = make_run()
    values = train(whole, range(3))
    parts = dict(zip(("model", "optimizer", "schedule", "scaler"), whole))
    torch.save({name: part.state_dict() for name, part in parts.items()}, tmp_path / "run.pt")
    values += train(whole, range(3, STEPS + 2))

    made = 0
    for i, at_i in enumerate(values):
        assert_on_plan(at_i, made)
        made += i not in OVERFLOWS
    assert made == STEPS

    resumed = make_run()
    saved = torch.load(tmp_path / "run.pt", weights_only=True)
    for part, state in zip(resumed, saved.values(), strict=True):
        part.load_state_dict(state)
    assert train(resumed, range(3, STEPS + 2)) == values[3:]
    for weight, again in zip(whole[0].parameters(), resumed[0].parameters(), strict=True):
        assert torch.equal(weight, again)


def test_stepped_after_a_skipped_first_step_it_warns_as_torch_does() -> None:
    """Who steps the schedule regardless is told, where the optimizer has never stepped."""
    model, optimizer, sync, scaler = make_run()
    scaler.scale(model(DATA[0]).sum() * torch.inf).backward()
    scaler.step(optimizer)
    scaler.update()
    with pytest.warns(UserWarning, match=r"`lr_scheduler.step\(\)` before `optimizer.step\(\)`"):
        sync.step()
