"""Accelerate in one process. Its tests in two processes are in tests/distributed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import training_plan as plan
from accelerate import Accelerator
from accelerate_settings import reset_accelerate
from torch.optim.lr_scheduler import ExponentialLR
from torch.utils.data import DataLoader

import torch_schedule_anything as tsa

SAVED_AT = 7


@pytest.fixture(params=[1, 2])
def make_run(request: pytest.FixtureRequest) -> Iterator[Callable[[], Any]]:
    """A call makes an accelerator and prepared parts; with 1 and with 2 batches per step."""

    def make() -> Any:
        reset_accelerate()
        accelerator = Accelerator(cpu=True, gradient_accumulation_steps=request.param)
        model, optimizer, schedule = plan.make_parts()
        loader = DataLoader(torch.randn(2 * request.param * plan.STEPS, 4), batch_size=2)
        return accelerator, *accelerator.prepare(model, optimizer, loader, schedule)

    yield make
    reset_accelerate()


def train(run: Any, folder: Path, start: int = 0) -> dict[int, dict[str, list[float]]]:
    """Train, and return the values before each optimizer step.

    A run from step 0 saves at ``SAVED_AT``. A run from any other step loads that checkpoint first.
    """
    accelerator, model, optimizer, loader, schedule = run
    if start:
        accelerator.load_state(str(folder))
        loader = accelerator.skip_first_batches(
            loader, start * accelerator.gradient_accumulation_steps
        )
    values_by_step, t = {}, start
    for batch in loader:
        if t == SAVED_AT and t not in values_by_step and not start:
            accelerator.save_state(str(folder))
        with accelerator.accumulate(model):
            values = plan.values_of(optimizer)
            # The values stay the same while gradients are accumulated for a step.
            assert values == values_by_step.setdefault(t, values)
            accelerator.backward(model(batch).square().mean())
            if accelerator.sync_gradients:
                plan.clip_gradients(optimizer)
                t += 1
            optimizer.step()
            schedule.step()
            optimizer.zero_grad()
    return values_by_step


def test_an_accelerate_run_stays_on_the_plan_and_resumes_to_the_same_weights(
    make_run: Callable[[], Any], tmp_path: Path
) -> None:
    """Under Accelerate a plan counts optimizer steps, also with accumulation, and resumes."""
    whole = make_run()
    values_by_step = train(whole, tmp_path)
    plan.assert_run_on_plan(values_by_step)

    resumed = make_run()
    assert train(resumed, tmp_path, start=SAVED_AT) == {
        t: values_by_step[t] for t in range(SAVED_AT, plan.STEPS)
    }
    plan.assert_same_weights(whole[1], resumed[1])


def test_schedules_on_a_prepared_optimizer_move_the_optimizer_inside() -> None:
    """Schedules on Accelerate's optimizer wrapper change the values of the wrapped optimizer."""
    reset_accelerate()
    model = torch.nn.Linear(4, 1)
    inner = torch.optim.AdamW(model.parameters(), lr=0.5, weight_decay=0.25)
    model, wrapper = Accelerator(cpu=True).prepare(model, inner)
    schedule = tsa.SynchronousSchedule(
        [
            tsa.constant_with_warmup(wrapper, 1.0, 4),
            tsa.arbitrary_schedule_factory(
                wrapper, lambda proxy: ExponentialLR(proxy, 0.5), schedule_target="weight_decay"
            ),
        ]
    )
    for t in range(1, 4):
        model(torch.ones(2, 4)).sum().backward()
        wrapper.step()
        schedule.step()
        assert schedule.get_last_schedules() == {
            "lr": [0.5 * t / 4],
            "weight_decay": [0.25 * 0.5**t],
        }
        assert inner.param_groups[0]["lr"] == 0.5 * t / 4
