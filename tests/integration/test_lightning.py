"""Lightning: what ``configure_optimizers`` may return."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lightning
import pytest
import torch
from lightning.pytorch.callbacks import LearningRateMonitor, ModelCheckpoint
from lightning.pytorch.loggers import CSVLogger
from torch.optim.lr_scheduler import ReduceLROnPlateau
from torch.utils.data import DataLoader, TensorDataset
from training_plan import (
    LR,
    STEPS,
    assert_on_plan,
    clip_gradients,
    expected_lr,
    held,
    lr_schedule,
    make_optimizer,
    other_schedules,
)

import torch_schedule_anything as tsa

BATCHES = 4  # an epoch


def both(optimizer: Any) -> tsa.SynchronousSchedule:
    return tsa.SynchronousSchedule([lr_schedule(optimizer), *other_schedules(optimizer)])


def by_step(optimizer: Any) -> Any:
    return {
        "optimizer": optimizer,
        "lr_scheduler": {"scheduler": both(optimizer), "interval": "step"},
    }


def by_epoch(optimizer: Any) -> Any:
    return {"optimizer": optimizer, "lr_scheduler": both(optimizer)}


def builtin_alone(optimizer: Any) -> Any:
    return [optimizer], [lr_schedule(optimizer)]


def plateau(optimizer: Any) -> Any:
    sync = tsa.SynchronousSchedule(
        [
            ReduceLROnPlateau(optimizer, factor=0.5, patience=1),
            *other_schedules(optimizer),
        ]
    )
    return {
        "optimizer": optimizer,
        "lr_scheduler": {
            "scheduler": sync,
            "monitor": "stuck",
            "reduce_on_plateau": True,
            "interval": "step",
            "frequency": BATCHES,
        },
    }


class Module(lightning.LightningModule):
    """Two layers on fixed data; notes what the optimizer holds before each of its steps."""

    def __init__(self, configuration: Callable[[Any], Any]) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.layers = torch.nn.ModuleList([torch.nn.Linear(4, 8), torch.nn.Linear(8, 1)])
        self.configuration = configuration
        self.values: dict[int, dict[str, list[float]]] = {}

    def configure_optimizers(self) -> Any:
        return self.configuration(make_optimizer(*(x.parameters() for x in self.layers)))

    def loss(self, batch: list[torch.Tensor]) -> torch.Tensor:
        inputs, targets = batch
        return (self.layers[1](self.layers[0](inputs).tanh()) - targets).square().mean()

    def training_step(self, batch: list[torch.Tensor], i: int) -> torch.Tensor:
        self.values[self.global_step] = held(self.optimizers())
        return self.loss(batch)

    def validation_step(self, batch: list[torch.Tensor], i: int) -> None:
        self.log("stuck", 1.0)  # never better: a plateau

    def configure_gradient_clipping(self, optimizer: Any, *args: Any, **kwargs: Any) -> None:
        clip_gradients(optimizer)


def fit(
    configuration: Callable[[Any], Any], folder: Path, epochs: int, resume: Path | None = None
) -> tuple[Module, LearningRateMonitor]:
    generator = torch.Generator().manual_seed(1)
    inputs = torch.randn(8 * BATCHES, 4, generator=generator)
    data = TensorDataset(inputs, inputs.sum(1, keepdim=True))
    module, monitor = Module(configuration), LearningRateMonitor(log_weight_decay=True)
    trainer = lightning.Trainer(
        max_epochs=epochs,
        accelerator="cpu",
        logger=CSVLogger(folder / "logs", name="", version=""),
        callbacks=[
            monitor,
            ModelCheckpoint(
                folder, filename="{epoch}", save_top_k=-1, save_on_train_epoch_end=True
            ),
        ],
        log_every_n_steps=1,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(
        module,
        DataLoader(data, batch_size=8),
        DataLoader(data, batch_size=8),
        ckpt_path=resume,
    )
    return module, monitor


def run_whole_and_resumed(
    configuration: Callable[[Any], Any], folder: Path, epochs: int
) -> tuple[Module, LearningRateMonitor]:
    """An uninterrupted run; one resumed after its second epoch has come to the same weights."""
    whole, monitor = fit(configuration, folder / "whole", epochs)
    resumed, _ = fit(configuration, folder / "resumed", epochs, folder / "whole" / "epoch=1.ckpt")
    assert list(whole.values) == list(range(epochs * BATCHES))
    assert resumed.values == {t: whole.values[t] for t in range(2 * BATCHES, epochs * BATCHES)}
    for weight, again in zip(whole.parameters(), resumed.parameters(), strict=True):
        assert torch.equal(weight, again)
    return whole, monitor


def test_step_interval(tmp_path: Path) -> None:
    """With ``"interval": "step"`` each optimizer step is one step of the plan."""
    module, _ = run_whole_and_resumed(by_step, tmp_path, STEPS // BATCHES)
    for t, values in module.values.items():
        assert_on_plan(values, t)


def test_epoch_interval(tmp_path: Path) -> None:
    """Lightning's default is one step of the plan an epoch."""
    module, _ = run_whole_and_resumed(by_epoch, tmp_path, 7)
    for t, values in module.values.items():
        assert_on_plan(values, t // BATCHES)


def test_builtin_returned_directly(tmp_path: Path) -> None:
    """A built-in is a scheduler like any other, without a SynchronousSchedule around it."""
    module, _ = run_whole_and_resumed(builtin_alone, tmp_path, 7)
    for t, values in module.values.items():
        assert values["lr"] == pytest.approx(expected_lr(t // BATCHES), rel=1e-12)


def test_learning_rate_monitor(tmp_path: Path) -> None:
    """LearningRateMonitor logs each group's scheduled learning rate and weight decay."""
    module, monitor = fit(by_step, tmp_path, STEPS // BATCHES)
    for i in (0, 1):
        logged = monitor.lrs[f"lr-AdamW/pg{i + 1}"]
        assert logged == [module.values[t]["lr"][i] for t in range(STEPS)]
    with (tmp_path / "logs" / "metrics.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["lr-AdamW/pg1-weight_decay"]]
    assert [float(row["lr-AdamW/pg1-weight_decay"]) for row in rows] == [
        module.values[t]["weight_decay"][0] for t in range(STEPS)
    ]


def test_monitored_plateau_in_a_synchronous_schedule(tmp_path: Path) -> None:
    """The monitored value reaches the ReduceLROnPlateau, and the others step beside it."""
    module, _ = run_whole_and_resumed(plateau, tmp_path, 8)
    for t, values in module.values.items():
        epoch = t // BATCHES
        # The first value is the best there is; each second one after it halves.
        halved = (epoch - 1) // 2 if epoch else 0
        assert_on_plan(values, epoch, lr=[lr * 0.5**halved for lr in LR])


def test_factory_schedule_needs_a_synchronous_schedule(tmp_path: Path) -> None:
    """Lightning refuses a scheduler on a proxy: it must stand in a SynchronousSchedule."""
    with pytest.raises(
        lightning.pytorch.utilities.exceptions.MisconfigurationException,
        match="wasn't returned from `configure_optimizers`",
    ):
        fit(lambda o: ([o], [other_schedules(o)[1]]), tmp_path, 1)
