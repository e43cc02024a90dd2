"""Lightning's BackboneFinetuning, which adds a param group during the run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import lightning
import pytest
import torch
from lightning.pytorch.callbacks import BackboneFinetuning
from torch.optim.lr_scheduler import CosineAnnealingLR, ExponentialLR, MultiStepLR, StepLR
from torch.utils.data import DataLoader, TensorDataset

import torch_schedule_anything as tsa

LR, WEIGHT_DECAY = 0.5, 0.25
EPOCHS = 9
UNFREEZE_AT = 4

SCHEDULERS: dict[str, Callable[[Any], Any]] = {
    "StepLR": lambda optimizer: StepLR(optimizer, 3, 0.5),
    "MultiStepLR": lambda optimizer: MultiStepLR(optimizer, [2, 5, 7], 0.5),
    "ExponentialLR": lambda optimizer: ExponentialLR(optimizer, 0.75),
    "CosineAnnealingLR": lambda optimizer: CosineAnnealingLR(optimizer, EPOCHS, 0.01),
}


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

    def training_step(self, batch: list[torch.Tensor], i: int) -> torch.Tensor:
        for target, rows in self.values.items():
            rows.append([group[target] for group in self.optimizers().param_groups])
        return self.head(self.backbone(batch[0])).square().mean() / 100


def values_of_finetuning(make_schedule: Callable[[Any], Any]) -> dict[str, list[list[float]]]:
    """The values that the optimizer holds in each epoch, by target; the backbone joins on time."""
    model = FinetunedModel(make_schedule)
    joins = BackboneFinetuning(UNFREEZE_AT, lambda epoch: 1.5, backbone_initial_ratio_lr=0.125)
    trainer = lightning.Trainer(
        max_epochs=EPOCHS,
        accelerator="cpu",
        callbacks=[joins],
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(model, DataLoader(TensorDataset(torch.ones(2, 4)), batch_size=2))
    numbers_of_groups = [len(row) for row in model.values["lr"]]
    assert numbers_of_groups == [1] * UNFREEZE_AT + [2] * (EPOCHS - UNFREEZE_AT)
    return model.values


def values_of_plain_torch(make_scheduler: Callable[[Any], Any], initial: float) -> Any:
    """The lr in each epoch of a plain torch run, in which a group joins with the same lr."""
    first, second = (torch.nn.Parameter(torch.ones(1)) for _ in range(2))
    optimizer = torch.optim.SGD([first], lr=initial)
    scheduler = make_scheduler(optimizer)
    values = []
    for epoch in range(EPOCHS):
        if epoch == UNFREEZE_AT:
            optimizer.add_param_group({"params": [second]})
        values.append([group["lr"] for group in optimizer.param_groups])
        optimizer.step()
        scheduler.step()
    return values


@pytest.mark.parametrize("name", SCHEDULERS)
def test_a_backbone_that_joins_is_driven_as_by_the_plain_scheduler(name: str) -> None:
    """Through the factory lr has its values, and weight decay those of a plain lr."""

    def on_both(optimizer: Any) -> tsa.SynchronousSchedule:
        return tsa.SynchronousSchedule(
            tsa.arbitrary_schedule_factory(optimizer, SCHEDULERS[name], schedule_target=target)
            for target in ("lr", "weight_decay")
        )

    plain, values = values_of_finetuning(SCHEDULERS[name]), values_of_finetuning(on_both)
    assert values["lr"] == plain["lr"]
    assert len({lr for lr, *_ in values["lr"]}) >= 3  # the scheduler moved
    # A group that joins takes the optimizer's default: the weight decay before any schedule.
    expected = values_of_plain_torch(SCHEDULERS[name], WEIGHT_DECAY)
    assert expected[UNFREEZE_AT][1] == WEIGHT_DECAY
    assert values["weight_decay"] == expected
