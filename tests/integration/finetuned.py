"""A Lightning run in which a frozen backbone joins the param groups."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import lightning
import torch
from torch.utils.data import DataLoader

LR, WEIGHT_DECAY = 0.5, 0.25


class FinetunedModel(lightning.LightningModule):
    """A head and a frozen backbone; it records the optimizer's values in each epoch."""

    def __init__(self, make_schedule: Callable[[Any], Any]) -> None:
        super().__init__()
        self.backbone, self.head = torch.nn.Linear(4, 4), torch.nn.Linear(4, 1)
        self.make_schedule = make_schedule
        self.values: dict[str, list[list[float]]] = {"lr": [], "weight_decay": []}

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.SGD(self.head.parameters(), lr=LR, weight_decay=WEIGHT_DECAY)
        return [optimizer], [self.make_schedule(optimizer)]

    def training_step(self, batch: Any, i: int) -> Any:
        self.log("no_progress", 1.0)
        for target, rows in self.values.items():
            rows.append([group[target] for group in self.optimizers().param_groups])
        return self.head(self.backbone(batch)).square().mean() / 100


def values_of_finetuning(
    make_schedule: Callable[[Any], Any], joins: Any, epochs: int
) -> dict[str, list[list[float]]]:
    """The values that the optimizer holds in each epoch, by target."""
    model = FinetunedModel(make_schedule)
    trainer = lightning.Trainer(
        max_epochs=epochs,
        accelerator="cpu",
        callbacks=[joins],
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(model, DataLoader(torch.ones(2, 4), batch_size=2))
    return model.values
