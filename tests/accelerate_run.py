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

    def __init__(self) -> None:
        self.tokens = 0

    def __call__(self) -> int:
        return self.tokens

    def state_dict(self) -> dict[str, int]:
        return {"tokens": self.tokens}

    def load_state_dict(self, state: dict[str, int]) -> None:
        self.tokens = state["tokens"]


class Run:
    """Each process trains on one row per batch, and steps the schedule ``calls`` times after it.

    ``make_schedule`` gets the optimizer, or Accelerate's wrapper of it, and the counter of tokens.
    """

    def __init__(
        self,
        make_schedule: Callable[[Any, TokenCounter], Any],
        *,
        accumulation: int = 1,
        lengths: Sequence[int] = (),
        is_prepared: bool = True,
        on_wrapper: bool = False,
        calls: int = 1,
        **settings: Any,
    ) -> None:
        reset_accelerate()
        self.accelerator = accelerator = Accelerator(
            cpu=True, gradient_accumulation_steps=accumulation, **settings
        )
        self.accumulation, self.calls, self.tokens = accumulation, calls, TokenCounter()
        self.model, self.inner = plan.make_model_and_optimizer()
        processes = accelerator.num_processes
        lengths = lengths or [2] * (accumulation * plan.STEPS * processes)
        rows = [torch.randn(length, 4) for length in lengths]
        batch_size = processes if accelerator.split_batches else 1
        loader = DataLoader(rows, batch_size, collate_fn=torch.cat)
        prepared = accelerator.prepare(self.model, self.inner, loader)
        self.prepared_model, self.optimizer, self.loader = prepared
        schedule = make_schedule(self.optimizer if on_wrapper else self.inner, self.tokens)
        self.schedule = accelerator.prepare(schedule) if is_prepared else schedule
        accelerator.register_for_checkpointing(self.tokens, *([] if is_prepared else [schedule]))

    def train(self, folder: Path, start: int = 0) -> plan.Run:
        """A run from step 0 saves at ``SAVED_AT``. A run from any other step loads that first."""
        accelerator, loader = self.accelerator, self.loader
        if start:
            accelerator.load_state(str(folder))
            loader = accelerator.skip_first_batches(loader, start * self.accumulation)
        values_by_step: dict[int, plan.Values] = {}
        self.tokens_by_step: dict[int, int] = {}
        t = start
        for batch in loader:
            if t == plan.SAVED_AT and t not in values_by_step and not start:
                accelerator.save_state(str(folder))
            with accelerator.accumulate(self.prepared_model):
                values = plan.values_of(self.inner)
                # The values stay the same while gradients are accumulated for a step.
                assert values == values_by_step.setdefault(t, values)
                self.tokens_by_step.setdefault(t, self.tokens())
                self.tokens.tokens += len(batch)
                accelerator.backward(self.prepared_model(batch).square().mean())
                if accelerator.sync_gradients:
                    plan.clip_gradients(self.inner)
                    t += 1
                self.optimizer.step()
                for _ in range(self.calls):
                    self.schedule.step()
                self.optimizer.zero_grad()
        return values_by_step, self.model.state_dict()


def run_and_resume(folder: Path, make_schedule: Any, **settings: Any) -> tuple[Run, plan.Run]:
    """A whole run, which a resumed one repeats exactly."""
    whole = Run(make_schedule, **settings)
    recorded = whole.train(folder)
    resumed = Run(make_schedule, **settings).train(folder, plan.SAVED_AT)
    plan.assert_resumed(resumed, recorded)
    return whole, recorded
