"""Lightning: the schedules that ``configure_optimizers`` may return."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lightning
import pytest
import torch
import training_plan as plan
from lightning.pytorch.callbacks import LearningRateMonitor, ModelCheckpoint
from lightning.pytorch.loggers import CSVLogger
from lightning.pytorch.utilities.exceptions import MisconfigurationException
from torch.optim.lr_scheduler import ReduceLROnPlateau
from torch.utils.data import DataLoader, TensorDataset

import torch_schedule_anything as tsa

BATCHES_PER_EPOCH = 4
EPOCHS_BEFORE_CHECKPOINT = 2

Configure = Callable[[Any], Any]  # from an optimizer to what configure_optimizers returns


def step_every_batch(optimizer: Any) -> Any:
    return {
        "optimizer": optimizer,
        "lr_scheduler": {"scheduler": plan.make_schedule(optimizer), "interval": "step"},
    }


def step_every_epoch(optimizer: Any) -> Any:
    return {"optimizer": optimizer, "lr_scheduler": plan.make_schedule(optimizer)}


def step_a_builtin_every_epoch(optimizer: Any) -> Any:
    return [optimizer], [plan.lr_schedule(optimizer)]


def step_a_plateau_every_epoch(optimizer: Any) -> Any:
    plateau = ReduceLROnPlateau(optimizer, factor=0.5, patience=1)
    return {
        "optimizer": optimizer,
        "lr_scheduler": {
            "scheduler": tsa.SynchronousSchedule([plateau, *plan.other_schedules(optimizer)]),
            "monitor": "stuck",
            "reduce_on_plateau": True,
            "interval": "step",
            "frequency": BATCHES_PER_EPOCH,
        },
    }


class Module(lightning.LightningModule):
    """Two layers on fixed data, which record the optimizer's values before each of its steps."""

    def __init__(self, configure: Configure) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.layers = torch.nn.ModuleList([torch.nn.Linear(4, 8), torch.nn.Linear(8, 1)])
        self.configure = configure
        self.values_by_step: dict[int, dict[str, list[float]]] = {}

    def configure_optimizers(self) -> Any:
        return self.configure(plan.make_optimizer(*(layer.parameters() for layer in self.layers)))

    def training_step(self, batch: list[torch.Tensor], i: int) -> torch.Tensor:
        self.values_by_step[self.global_step] = plan.values_of(self.optimizers())
        inputs, targets = batch
        return (self.layers[1](self.layers[0](inputs).tanh()) - targets).square().mean()

    def validation_step(self, batch: list[torch.Tensor], i: int) -> None:
        self.log("stuck", 1.0)  # a metric that never improves

    def configure_gradient_clipping(self, optimizer: Any, *args: Any, **kwargs: Any) -> None:
        plan.clip_gradients(optimizer)


def fit(
    configure: Configure, folder: Path, epochs: int, checkpoint: Path | None = None
) -> tuple[Module, LearningRateMonitor]:
    generator = torch.Generator().manual_seed(1)
    inputs = torch.randn(8 * BATCHES_PER_EPOCH, 4, generator=generator)
    data = TensorDataset(inputs, inputs.sum(1, keepdim=True))
    module, monitor = Module(configure), LearningRateMonitor(log_weight_decay=True)
    saver = ModelCheckpoint(folder, filename="{epoch}", save_top_k=-1, save_on_train_epoch_end=True)
    trainer = lightning.Trainer(
        max_epochs=epochs,
        accelerator="cpu",
        logger=CSVLogger(folder / "logs", name="", version=""),
        callbacks=[monitor, saver],
        log_every_n_steps=1,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(
        module,
        DataLoader(data, batch_size=8),
        DataLoader(data, batch_size=8),
        ckpt_path=checkpoint,
    )
    return module, monitor


def values_of_resumable_run(
    configure: Configure, folder: Path, epochs: int
) -> dict[int, dict[str, list[float]]]:
    """The values of an uninterrupted run, after a check that a resumed one repeats it exactly."""
    whole, _ = fit(configure, folder / "whole", epochs)
    checkpoint = folder / "whole" / f"epoch={EPOCHS_BEFORE_CHECKPOINT - 1}.ckpt"
    resumed, _ = fit(configure, folder / "resumed", epochs, checkpoint)
    num_steps = epochs * BATCHES_PER_EPOCH
    assert list(whole.values_by_step) == list(range(num_steps))
    assert resumed.values_by_step == {
        t: whole.values_by_step[t]
        for t in range(EPOCHS_BEFORE_CHECKPOINT * BATCHES_PER_EPOCH, num_steps)
    }
    plan.assert_same_weights(whole, resumed)
    return whole.values_by_step


def test_the_step_interval_moves_the_plan_with_every_optimizer_step(tmp_path: Path) -> None:
    """With ``"interval": "step"`` each optimizer step is one step of the plan."""
    values_by_step = values_of_resumable_run(
        step_every_batch, tmp_path, plan.STEPS // BATCHES_PER_EPOCH
    )
    plan.assert_run_on_plan(values_by_step)


def test_the_epoch_interval_moves_the_plan_with_every_epoch(tmp_path: Path) -> None:
    """With Lightning's default interval each epoch is one step of the plan."""
    values_by_step = values_of_resumable_run(step_every_epoch, tmp_path, 7)
    for t, values in values_by_step.items():
        plan.assert_on_plan(values, t // BATCHES_PER_EPOCH)


def test_a_builtin_returned_directly_is_stepped(tmp_path: Path) -> None:
    """Lightning steps a built-in that stands alone, without a SynchronousSchedule around it."""
    values_by_step = values_of_resumable_run(step_a_builtin_every_epoch, tmp_path, 7)
    for t, values in values_by_step.items():
        expected = plan.expected_lr(t // BATCHES_PER_EPOCH)
        assert values["lr"] == pytest.approx(expected, rel=1e-12)


def test_the_learning_rate_monitor_logs_scheduled_values(tmp_path: Path) -> None:
    """LearningRateMonitor logs each group's scheduled learning rate and weight decay."""
    module, monitor = fit(step_every_batch, tmp_path, plan.STEPS // BATCHES_PER_EPOCH)
    for i in (0, 1):
        logged = monitor.lrs[f"lr-AdamW/pg{i + 1}"]
        assert logged == [module.values_by_step[t]["lr"][i] for t in range(plan.STEPS)]
    with (tmp_path / "logs" / "metrics.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["lr-AdamW/pg1-weight_decay"]]
    assert [float(row["lr-AdamW/pg1-weight_decay"]) for row in rows] == [
        module.values_by_step[t]["weight_decay"][0] for t in range(plan.STEPS)
    ]


def test_a_monitored_metric_reaches_a_plateau_member(tmp_path: Path) -> None:
    """Lightning's monitored metric reaches the ReduceLROnPlateau, and other members step too."""
    values_by_step = values_of_resumable_run(step_a_plateau_every_epoch, tmp_path, 8)
    for t, values in values_by_step.items():
        epoch = t // BATCHES_PER_EPOCH
        # The first metric is the best one. With patience 1, every second later one halves lr.
        halvings = (epoch - 1) // 2 if epoch else 0
        plan.assert_on_plan(values, epoch, lr=[lr * 0.5**halvings for lr in plan.LR])


def test_a_factory_schedule_returned_directly_is_refused_by_lightning(tmp_path: Path) -> None:
    """Lightning refuses a scheduler on a proxy, unless it is in a SynchronousSchedule."""
    with pytest.raises(
        MisconfigurationException, match="wasn't returned from `configure_optimizers`"
    ):
        fit(
            lambda optimizer: ([optimizer], [plan.other_schedules(optimizer)[1]]),
            tmp_path,
            epochs=1,
        )
