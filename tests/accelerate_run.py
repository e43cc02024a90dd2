"""A run of the plan under Accelerate, in one process or in several."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
import training_plan as plan
from accelerate import Accelerator
from accelerate.state import AcceleratorState, GradientState, PartialState
from torch.utils.data import DataLoader


def reset_accelerate() -> None:
    """Make Accelerate as new as in a new process: its settings are in singletons."""
    for state in (AcceleratorState, GradientState, PartialState):
        state._reset_state()


class TokenCounter:
    """A clock of a user's, which Accelerate saves."""

    tokens = 0

    def __call__(self) -> int:
        return self.tokens

    def state_dict(self) -> dict[str, int]:
        return {"tokens": self.tokens}

    def load_state_dict(self, state: dict[str, int]) -> None:
        self.tokens = state["tokens"]


def train(
    folder: Path,
    make_schedule: Callable[[Any, TokenCounter], Any],
    resume: bool = False,
    *,
    accumulation: int = 1,
    lengths: Sequence[int] = (),
    is_prepared: bool = True,
    on_wrapper: bool = False,
    calls: int = 1,
    **settings: Any,
) -> plan.Run:
    """Each process trains on one row per batch, and steps the schedule ``calls`` times after it.

    ``make_schedule`` gets the optimizer, or Accelerate's wrapper of it, and the counter of tokens.
    The run saves at ``SAVED_AT``, or resumes there.
    """
    reset_accelerate()
    accelerator = Accelerator(cpu=True, gradient_accumulation_steps=accumulation, **settings)
    processes = accelerator.num_processes
    model, inner = plan.make_model_and_optimizer()
    lengths = lengths or [2] * (accumulation * plan.STEPS * processes)
    rows = [torch.randn(length, 4) for length in lengths]
    batch_size = processes if accelerator.split_batches else 1
    loader = DataLoader(rows, batch_size, collate_fn=torch.cat)
    prepared_model, optimizer, loader = accelerator.prepare(model, inner, loader)
    tokens = TokenCounter()
    schedule = make_schedule(optimizer if on_wrapper else inner, tokens)
    accelerator.register_for_checkpointing(tokens, *([] if is_prepared else [schedule]))
    if is_prepared:
        schedule = accelerator.prepare(schedule)
    t = 0
    if resume:
        t = plan.SAVED_AT
        accelerator.load_state(str(folder))
        loader = accelerator.skip_first_batches(loader, t * accumulation)
    values_by_step: dict[int, plan.Values] = {}
    for batch in loader:
        if t == plan.SAVED_AT and t not in values_by_step and not resume:
            accelerator.save_state(str(folder))
        with accelerator.accumulate(prepared_model):
            values = plan.values_of(inner)
            # The values stay the same while gradients are accumulated for a step.
            assert values == values_by_step.setdefault(t, values)
            tokens.tokens += len(batch)
            accelerator.backward(prepared_model(batch).square().mean())
            if accelerator.sync_gradients:
                plan.clip_gradients(inner)
                t += 1
            optimizer.step()
            for _ in range(calls):
                schedule.step()
            optimizer.zero_grad()
    return values_by_step, model.state_dict()


def run_and_resume(folder: Path, make_schedule: Any, **settings: Any) -> list[plan.Run]:
    """A whole run, and a resumed one that repeats it exactly."""
    whole, resumed = (train(folder, make_schedule, each, **settings) for each in (False, True))
    plan.assert_resumed(resumed, whole)
    return [whole, resumed]
