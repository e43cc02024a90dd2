"""Accelerate in one process; tests/distributed has it in two."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState, GradientState, PartialState
from torch.optim.lr_scheduler import ExponentialLR
from torch.utils.data import DataLoader
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


@pytest.fixture(params=[1, 2])
def make_run(request: pytest.FixtureRequest) -> Iterator[Callable[[], Any]]:
    """Makes an accelerator and what it prepared, as a new process would; 1 or 2 batches a step."""

    def forget() -> None:
        # Accelerate keeps its settings in singletons.
        for state in (AcceleratorState, GradientState, PartialState):
            state._reset_state()

    def make() -> Any:
        forget()
        accelerator = Accelerator(cpu=True, gradient_accumulation_steps=request.param)
        torch.manual_seed(0)
        model = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.Tanh(), torch.nn.Linear(8, 1))
        optimizer = make_optimizer(model[0].parameters(), model[2].parameters())
        sync = tsa.SynchronousSchedule([lr_schedule(optimizer), *other_schedules(optimizer)])
        loader = DataLoader(torch.randn(2 * request.param * STEPS, 4), batch_size=2)
        return accelerator, *accelerator.prepare(model, optimizer, loader, sync)

    yield make
    forget()


def train(run: Any, folder: Path, start: int = 0) -> dict[int, dict[str, list[float]]]:
    """The values before each optimizer step; saves before step 7, and resumes where it did."""
    accelerator, model, optimizer, loader, sync = run
    if start:
        accelerator.load_state(str(folder))
        loader = accelerator.skip_first_batches(
            loader, start * accelerator.gradient_accumulation_steps
        )
    values, t = {}, start
    for batch in loader:
        if t == 7 and t not in values and not start:
            accelerator.save_state(str(folder))
        with accelerator.accumulate(model):
            assert held(optimizer) == values.setdefault(t, held(optimizer))
            accelerator.backward(model(batch).square().mean())
            if accelerator.sync_gradients:
                clip_gradients(optimizer)
                t += 1
            optimizer.step()
            sync.step()
            optimizer.zero_grad()
    return values


def test_on_plan_and_resumes_to_the_same_weights(
    make_run: Callable[[], Any], tmp_path: Path
) -> None:
    """A plan counts optimizer steps, also under accumulation, and save_state resumes it."""
    whole = make_run()
    values = train(whole, tmp_path)
    assert list(values) == list(range(STEPS))
    for t, at_t in values.items():
        assert_on_plan(at_t, t)

    resumed = make_run()
    assert train(resumed, tmp_path, start=7) == {t: values[t] for t in range(7, STEPS)}
    for weight, again in zip(whole[1].parameters(), resumed[1].parameters(), strict=True):
        assert torch.equal(weight, again)


def test_schedules_on_the_prepared_optimizer() -> None:
    """Accelerate's wrapper is scheduled like the optimizer inside, which is the one that moves."""
    PartialState._reset_state()
    AcceleratorState._reset_state()
    model = torch.nn.Linear(4, 1)
    inside = torch.optim.AdamW(model.parameters(), lr=0.5, weight_decay=0.25)
    model, wrapper = Accelerator(cpu=True).prepare(model, inside)
    sync = tsa.SynchronousSchedule(
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
        sync.step()
        assert sync.get_last_schedules() == {"lr": [0.5 * t / 4], "weight_decay": [0.25 * 0.5**t]}
        assert inside.param_groups[0]["lr"] == 0.5 * t / 4
