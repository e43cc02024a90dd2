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
from accelerate_settings import reset_accelerate
from cases import some
from torch.optim.lr_scheduler import ExponentialLR
from torch.utils.data import DataLoader

import torch_schedule_anything as tsa

SAVED_AT = 7


class Run:
    """A run whose schedule is prepared and stepped once in each batch, or else has a clock.

    With a clock it may be stepped several times in each batch, without being prepared, and be on
    Accelerate's wrapper of the optimizer.
    """

    def __init__(
        self,
        *,
        accumulation: int,
        clock: bool = False,
        is_prepared: bool = True,
        on_wrapper: bool = False,
        calls: int = 1,
    ) -> None:
        reset_accelerate()
        self.accelerator = Accelerator(cpu=True, gradient_accumulation_steps=accumulation)
        model, optimizer = plan.make_model_and_optimizer()
        loader = DataLoader(torch.randn(2 * accumulation * plan.STEPS, 4), batch_size=2)
        prepared = self.accelerator.prepare(model, optimizer, loader)
        self.model, self.optimizer, self.loader = prepared
        scheduled = self.optimizer if on_wrapper else optimizer
        schedule = (
            plan.make_schedule_on_steps(scheduled) if clock else plan.make_schedule(scheduled)
        )
        self.schedule = self.accelerator.prepare(schedule) if is_prepared else schedule
        if not is_prepared:
            self.accelerator.register_for_checkpointing(schedule)
        self.accumulation, self.calls = accumulation, calls

    def train(self, folder: Path, start: int = 0) -> plan.ValuesByStep:
        """Train, and return the values before each optimizer step.

        A run from step 0 saves at ``SAVED_AT``. A run from any other step loads that first.
        """
        accelerator, loader = self.accelerator, self.loader
        if start:
            accelerator.load_state(str(folder))
            loader = accelerator.skip_first_batches(loader, start * self.accumulation)
        values_by_step: plan.ValuesByStep = {}
        t = start
        for batch in loader:
            if t == SAVED_AT and t not in values_by_step and not start:
                accelerator.save_state(str(folder))
            with accelerator.accumulate(self.model):
                values = plan.values_of(self.optimizer)
                # The values stay the same while gradients are accumulated for a step.
                assert values == values_by_step.setdefault(t, values)
                accelerator.backward(self.model(batch).square().mean())
                if accelerator.sync_gradients:
                    plan.clip_gradients(self.optimizer)
                    t += 1
                self.optimizer.step()
                for _ in range(self.calls):
                    self.schedule.step()
                self.optimizer.zero_grad()
        return values_by_step


AXES = {
    "accumulation": [1, 3],
    "is_prepared": [False, True],
    "calls": [1, 3],
    "on_wrapper": [False, True],
}
WITH_CLOCK = [
    {"clock": True, **dict(zip(AXES, values))} for values in itertools.product(*AXES.values())
]


@pytest.mark.parametrize(
    "settings", [{"accumulation": 1}, {"accumulation": 2}, *some(WITH_CLOCK, 4)]
)
def test_a_run_stays_on_the_plan_and_resumes_to_the_same_weights(
    settings: dict[str, Any], tmp_path: Path
) -> None:
    """A plan counts optimizer steps, and resumes; with a clock, however often it is stepped."""
    whole = Run(**settings)
    values_by_step = whole.train(tmp_path)
    plan.assert_run_on_plan(values_by_step)

    resumed = Run(**settings)
    assert resumed.train(tmp_path, start=SAVED_AT) == {
        t: values_by_step[t] for t in range(SAVED_AT, plan.STEPS)
    }
    plan.assert_same_weights(whole.model, resumed.model)


def test_schedules_on_a_prepared_optimizer_move_the_optimizer_inside() -> None:
    """Schedules on Accelerate's optimizer wrapper change the values of the wrapped optimizer."""
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


def test_a_step_that_accelerates_scaler_skips_is_not_counted() -> None:
    """A step that the scaler of Accelerate's wrapper skips does not move a plan with a clock."""
    Accelerator(cpu=True)
    model, inner = plan.make_model_and_optimizer()
    scaler = torch.amp.GradScaler("cpu", init_scale=16.0)
    optimizer = AcceleratedOptimizer(inner, scaler=scaler)
    schedule = plan.make_schedule_on_steps(optimizer)
    steps_made = 0
    for i in range(8):
        overflows = i in (0, 3, 4)
        loss = model(torch.ones(2, 4)).square().mean() * (torch.inf if overflows else 1.0)
        scaler.scale(loss).backward()
        optimizer.step()
        optimizer.zero_grad()
        steps_made += not overflows
        schedule.step()
        plan.assert_on_plan(plan.values_of(inner), steps_made)
    assert steps_made == 5


# -- a plan in tokens -----------------------------------------------------------------------------


class TokenCounter:
    """A clock of a user's, which Accelerate saves."""

    def __init__(self) -> None:
        self.tokens = 0

    def __call__(self) -> int:
        return self.tokens

    def state_dict(self) -> dict[str, int]:
        return {"tokens": self.tokens}

    def load_state_dict(self, state: dict[str, int]) -> None:
        self.tokens = state["tokens"]


def test_a_plan_in_tokens_counts_the_tokens_of_a_loop(tmp_path: Path) -> None:
    """A plan in tokens follows batches of any length under Accelerate, and resumes."""
    lengths = plan.LENGTHS * 2

    def train(start: int = 0) -> tuple[Any, dict[int, Any]]:
        """Train on batches of 3 to 8 tokens, three per step, and record the values per step."""
        reset_accelerate()
        accelerator = Accelerator(cpu=True, gradient_accumulation_steps=3)
        model, optimizer = plan.make_model_and_optimizer()
        clock = TokenCounter()
        accelerator.register_for_checkpointing(clock)
        model, optimizer, schedule = accelerator.prepare(
            model, optimizer, plan.make_schedule_in_tokens(optimizer, clock)
        )
        if start:
            accelerator.load_state(str(tmp_path))
        values_by_batch: dict[int, Any] = {}
        seen = sum(lengths[:start])  # at the optimizer's last step
        for i in range(start, len(lengths)):
            if i == 3 * SAVED_AT and not start:
                accelerator.save_state(str(tmp_path))
            with accelerator.accumulate(model):
                values_by_batch[i] = plan.values_of(optimizer)
                plan.assert_on_plan_in_tokens(values_by_batch[i], seen)
                batch = torch.ones(lengths[i], 4)
                clock.tokens += len(batch)
                accelerator.backward(model(batch).square().mean())
                optimizer.step()
                schedule.step()
                optimizer.zero_grad()
                if accelerator.sync_gradients:
                    seen = clock.tokens
        assert clock.tokens == plan.TOKENS
        plan.assert_on_plan_in_tokens(plan.values_of(optimizer), plan.TOKENS)
        return model, values_by_batch

    model, values_by_batch = train()
    resumed, later_values = train(start=3 * SAVED_AT)
    assert later_values == {i: values_by_batch[i] for i in later_values}
    assert min(later_values) == 3 * SAVED_AT
    plan.assert_same_weights(model, resumed)


@pytest.mark.parametrize("fused", [False, True])
def test_accelerate_steps_a_schedule_where_a_fused_optimizer_skipped(fused: bool) -> None:
    """Accelerate does not see that a fused optimizer skipped; ``OptimizerSteps`` does."""
    Accelerator(cpu=True)
    parameter = torch.nn.Parameter(torch.ones(2))
    optimizer = torch.optim.AdamW([parameter], lr=0.1, weight_decay=0.1, fused=fused)
    scaler = torch.amp.GradScaler("cpu", init_scale=16.0)
    wrapper = AcceleratedOptimizer(optimizer, scaler=scaler)
    plain = tsa.SynchronousSchedule([tsa.constant_schedule(optimizer, 1.0)])
    clocked = tsa.SynchronousSchedule(
        [tsa.constant_schedule(optimizer, 1.0, "weight_decay")], clock=tsa.OptimizerSteps(optimizer)
    )
    schedules = [AcceleratedScheduler(each, wrapper) for each in (plain, clocked)]
    for loss_weight in (1.0, torch.inf, 1.0):
        before = parameter.detach().clone()
        scaler.scale(loss_weight * parameter.sum()).backward()
        wrapper.step()
        for schedule in schedules:
            schedule.step()
        assert torch.equal(parameter, before) == (loss_weight == torch.inf)
        wrapper.zero_grad()
    assert (plain.last_epoch, clocked.last_epoch) == (3 if fused else 2, 2)
