"""The wrappers of torch-gqc accumulate gradients under schedules on entries of their own."""

from __future__ import annotations

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


def train(wrapper: Any, schedule: tsa.SynchronousSchedule) -> None:
    """Give the wrapper one micro-batch of random data."""
    (group,) = wrapper.param_groups
    weight, bias = group["params"]
    (torch.nn.functional.linear(torch.randn(8, 4), weight, bias).square().mean()).backward()
    wrapper.step()
    schedule.step()


def falling(t: int) -> float:
    """A quarter cosine from 1 at ``WARMUP`` to 0 at ``STEPS``, after a linear warmup."""
    if t <= WARMUP:
        return t / WARMUP
    return math.cos(math.pi / 2 * (t - WARMUP) / (STEPS - WARMUP))


def test_flags_of_the_optimizer_are_read() -> None:
    """A wrapper reports every flag of the optimizer; it reads them by the name of the entry."""
    optimizer = adamw(maximize=True)
    (group,) = optimizer.param_groups
    flags = {name: value for name, value in group.items() if isinstance(value, bool)}
    assert flags["maximize"]
    assert len(flags) >= 4
    statistics = gqc.OptimizerWrapperGNTS(optimizer).statistics()
    assert flags == {name: statistics[name] for name in flags}


def test_a_threshold_follows_its_schedule() -> None:
    """The threshold, lr and weight decay of the factory of torch-gqc follow their formulas."""
    wrapper, schedule = gqc.make_gnts_with_cosine_annealing_schedule(adamw(), STEPS, WARMUP)
    for t in range(STEPS):
        values = schedule.get_last_schedules()
        threshold = 0.95 * (10 - 9 * t / WARMUP) if t <= WARMUP else 0.25 + 0.7 * falling(t)
        assert values["gradient_norm_threshold"] == pytest.approx([threshold], rel=1e-12)
        assert values["lr"] == pytest.approx([0.1 * min(t / WARMUP, 1)], rel=1e-12)
        assert values["weight_decay"] == pytest.approx([0.5 * falling(t)], rel=1e-12, abs=1e-15)
        train(wrapper, schedule)
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
        train(wrapper, schedule)
        assert wrapper.num_steps == steps


def test_a_run_of_a_wrapper_resumes() -> None:
    """The states of wrapper and schedule bring a run to the same parameters."""

    def start() -> tuple[Any, Any]:
        return gqc.make_gnts_with_cosine_annealing_schedule(adamw(), STEPS, WARMUP)

    def run(wrapper: Any, schedule: Any, steps: range) -> None:
        for t in steps:
            torch.manual_seed(t)
            train(wrapper, schedule)

    straight, half, resumed = start(), start(), start()
    run(*straight, range(STEPS))
    run(*half, range(STEPS // 2))
    for saved, loaded in zip(half, resumed):
        loaded.load_state_dict(saved.state_dict())
    with torch.no_grad():
        for old, new in zip(half[0].param_groups, resumed[0].param_groups):
            for source, parameter in zip(old["params"], new["params"]):
                parameter.copy_(source)
                parameter.grad = None if source.grad is None else source.grad.clone()
    run(*resumed, range(STEPS // 2, STEPS))
    assert resumed[1].get_last_schedules() == straight[1].get_last_schedules()
    for old, new in zip(straight[0].param_groups, resumed[0].param_groups):
        assert all(map(torch.equal, old["params"], new["params"]))
