"""Requests from public threads of frameworks that work here: see docs/contribute/threads.md."""

from __future__ import annotations

from typing import Any

import torch
from finetuned import LR, WEIGHT_DECAY, values_of_finetuning
from ignite.engine import Engine, Events
from lightning.pytorch.callbacks import BaseFinetuning
from torch.nn import Parameter
from torch.optim.lr_scheduler import ReduceLROnPlateau
from transformers import get_linear_schedule_with_warmup

import torch_schedule_anything as tsa
from torch_schedule_anything.curves import Linear, Piecewise, join


def test_transformers_20029() -> None:
    """A linear schedule with warmup has transformers' values, and drives a group that joins."""
    plain = torch.optim.AdamW([Parameter(torch.ones(1))], lr=0.1)
    of_transformers = get_linear_schedule_with_warmup(plain, 10, 50)
    optimizer = torch.optim.AdamW([Parameter(torch.ones(1))], lr=0.1)
    schedule = tsa.CurveSchedule(optimizer, join([Linear(0, 1, 10), Linear(1, 0, 40)], [10]))
    for step in range(1, 51):
        if step == 20:  # the model is thawed
            optimizer.add_param_group({"params": [Parameter(torch.ones(1))], "lr": 0.01})
        for each in (plain, of_transformers, optimizer, schedule):
            each.step()
        rates = torch.tensor([group["lr"] for group in optimizer.param_groups])
        expected = torch.tensor([1.0, 0.1][: len(rates)]) * plain.param_groups[0]["lr"]
        torch.testing.assert_close(rates, expected)


def test_lightning_12141() -> None:
    """A plateau, and weight decay that follows it, drive the group that is thawed in the run."""

    class Thaw(BaseFinetuning):
        def freeze_before_training(self, module: Any) -> None:
            self.freeze(module.backbone)

        def finetune_function(self, module: Any, epoch: int, optimizer: Any) -> None:
            if epoch == 2:
                self.unfreeze_and_add_param_group(module.backbone, optimizer, lr=0.4)

    def make_schedule(optimizer: Any) -> Any:
        plateau = ReduceLROnPlateau(optimizer, factor=0.5, patience=0)
        decay = tsa.DerivedSchedule(optimizer, lambda lr: lr, "weight_decay")
        schedule = tsa.SynchronousSchedule([plateau, decay])
        return {"scheduler": schedule, "monitor": "no_progress", "reduce_on_plateau": True}

    values = values_of_finetuning(make_schedule, Thaw(), epochs=5)
    # Reduced after each epoch but the first; the backbone joined before epoch 2.
    assert values["lr"][4] == [LR / 8, 0.4 / 4]
    assert values["weight_decay"][4] == [WEIGHT_DECAY / 8, WEIGHT_DECAY / 4]


def test_ignite_438() -> None:
    """The first of Adam's betas cycles against the learning rate; the second one stays."""
    optimizer = torch.optim.Adam([Parameter(torch.ones(1))], lr=0.1, betas=(0.95, 0.999))
    rate = tsa.CurveSchedule(optimizer, Piecewise({0: 0.1, 10: 1.0, 20: 0.1}))
    falling = Piecewise({0: 0.95, 10: 0.85, 20: 0.95})
    beta = tsa.CurveSchedule(optimizer, falling, "betas[0]", absolute=True)
    schedule = tsa.SynchronousSchedule([rate, beta])
    used = []

    def update(engine: Engine, batch: int) -> None:
        used.append((optimizer.param_groups[0]["lr"], optimizer.param_groups[0]["betas"]))
        optimizer.step()

    trainer = Engine(update)
    trainer.add_event_handler(Events.ITERATION_COMPLETED, lambda: schedule.step())
    trainer.run(range(21), max_epochs=1)
    assert used[0] == used[20] == (0.1 * 0.1, (0.95, 0.999))
    assert used[10] == (0.1, (0.85, 0.999))
