"""Requests from public threads of Accelerate that work here: see docs/contribute/threads.md."""

from __future__ import annotations

import torch
from accelerate import Accelerator
from processes import launch
from torch.optim.lr_scheduler import LambdaLR

import torch_schedule_anything as tsa


def warmup_and_decay(t: float) -> float:
    return min(t / 4, 1.0) * max(1 - t / 20, 0.0)


def learning_rates(with_clock: bool) -> list[float]:
    """The rate of each of 10 optimizer steps, where Accelerate steps the schedule."""
    accelerator = Accelerator(cpu=True)
    model = torch.nn.Linear(4, 1)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1.0)
    if with_clock:
        schedule = tsa.SynchronousSchedule(
            [tsa.CurveSchedule(optimizer, warmup_and_decay)], clock=tsa.OptimizerSteps(optimizer)
        )
    else:
        schedule = LambdaLR(optimizer, warmup_and_decay)
    model, optimizer, schedule = accelerator.prepare(model, optimizer, schedule)
    rates = []
    for _ in range(10):
        rates.append(optimizer.param_groups[0]["lr"])
        accelerator.backward(model(torch.randn(8, 4)).square().mean())
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
    return rates


def test_accelerate_2926() -> None:
    """With a clock, a plan in optimizer steps is followed in two processes as in one."""
    for rates in launch(learning_rates, True):
        assert rates == [warmup_and_decay(t) for t in range(10)]


def test_accelerate_2773() -> None:
    """The clock makes the difference: a plain scheduler goes two steps per optimizer step."""
    for rates in launch(learning_rates, False):
        assert rates == [warmup_and_decay(2 * t) for t in range(10)]
