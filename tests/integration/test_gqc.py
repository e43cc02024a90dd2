"""The wrappers of torch-gqc accumulate gradients under schedules on entries of their own."""

from __future__ import annotations

import copy
import math
from typing import Any

import gradient_quality_control as gqc
import pytest
import torch
from gradient_quality_control.implementations import schedule_batch_controller

import torch_schedule_anything as tsa

WARMUP, STEPS = 5, 20


def adamw(**settings: Any) -> torch.optim.AdamW:
    torch.manual_seed(0)
    return torch.optim.AdamW(
        torch.nn.Linear(4, 1).parameters(), lr=0.1, weight_decay=0.5, **settings
    )


def train(wrapper: Any, schedule: tsa.SynchronousSchedule, t: int) -> None:
    """Give the wrapper micro-batch t of random data."""
    (group,) = wrapper.param_groups
    data = torch.randn(8, 4, generator=torch.Generator().manual_seed(t))
    torch.nn.functional.linear(data, *group["params"]).square().mean().backward()
    wrapper.step()
    schedule.step()


def test_flags_of_the_optimizer_are_read() -> None:
    """A wrapper reports every flag of the optimizer; it reads them by the name of the entry."""
    optimizer = adamw(maximize=True)
    (group,) = optimizer.param_groups
    flags = {name: value for name, value in group.items() if isinstance(value, bool)}
    assert flags["maximize"]
    assert len(flags) >= 4
    statistics = gqc.OptimizerWrapperGNTS(optimizer).statistics()
    assert flags == {name: statistics[name] for name in flags}


def test_a_threshold_follows_its_schedule_and_resumes() -> None:
    """The threshold, lr and weight decay of the factory of torch-gqc follow their formulas.

    So they do in another run, from the states of wrapper and schedule.
    """
    run, resumed = (
        gqc.make_gnts_with_cosine_annealing_schedule(adamw(), STEPS, WARMUP) for _ in range(2)
    )
    for t in range(STEPS):
        if t == STEPS // 2:
            for new, saved in zip(resumed, run):
                new.load_state_dict(copy.deepcopy(saved.state_dict()))
            run = resumed
        wrapper, schedule = run
        # A quarter cosine to 0 after the warmup.
        falling = math.cos(math.pi / 2 * max(t - WARMUP, 0) / (STEPS - WARMUP))
        warmup = min(t / WARMUP, 1)
        threshold = 0.95 * (10 - 9 * warmup) if t <= WARMUP else 0.25 + 0.7 * falling
        values = schedule.get_last_schedules()
        assert values["gradient_norm_threshold"] == pytest.approx([threshold], rel=1e-12)
        assert values["lr"] == pytest.approx([0.1 * warmup], rel=1e-12)
        decay = pytest.approx([0.5 * warmup * falling], rel=1e-12, abs=1e-15)
        assert values["weight_decay"] == decay
        train(wrapper, schedule, t)
    assert wrapper.num_batches == STEPS
    assert 0 < wrapper.num_steps <= STEPS


def test_a_logical_batch_size_decides_when_to_step() -> None:
    """Micro-batches of 8 are accumulated until the scheduled batch size is reached."""
    wrapper, schedule = schedule_batch_controller.make_sbc_with_polynomial_schedule(
        adamw(), 8, 16, 64, STEPS, WARMUP
    )
    drawn = steps = 0
    for t in range(STEPS):
        share = max(t - WARMUP, 0) / (STEPS - WARMUP)
        size = 16 * t / WARMUP if t <= WARMUP else 64 + (16 - 64) * (1 - share) ** 2
        assert schedule.get_last_schedule("logical_batch_size") == pytest.approx([size], rel=1e-12)
        drawn += 1
        if drawn * 8 >= size:
            drawn, steps = 0, steps + 1
        train(wrapper, schedule, t)
        assert wrapper.num_steps == steps
