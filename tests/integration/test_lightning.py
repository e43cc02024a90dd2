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
from cases import crossed
from lightning.pytorch.callbacks import LearningRateMonitor, ModelCheckpoint
from lightning.pytorch.loggers import CSVLogger
from lightning.pytorch.utilities.exceptions import MisconfigurationException
from torch.optim.lr_scheduler import ReduceLROnPlateau
from torch.utils.data import DataLoader, TensorDataset

import torch_schedule_anything as tsa

BATCHES_PER_EPOCH = 4
EPOCHS_BEFORE_CHECKPOINT = 2

# From the trainer and an optimizer to the schedule, or to Lightning's configuration of it.
Configure = Callable[[lightning.Trainer, Any], Any]


def in_every_batch(schedule: Any) -> dict[str, Any]:
    return {"scheduler": schedule, "interval": "step"}


def plateau_in_every_epoch(trainer: lightning.Trainer, optimizer: Any) -> Any:
    plateau = ReduceLROnPlateau(optimizer, factor=0.5, patience=1)
    return {
        **in_every_batch(plan.make_schedule(optimizer, lr=[plateau])),
        "frequency": BATCHES_PER_EPOCH,
        "monitor": "stuck",
        "reduce_on_plateau": True,
    }


def replannable_in_every_batch(trainer: lightning.Trainer, optimizer: Any) -> Any:
    return in_every_batch(plan.choosing(plan="saved")([plan.make_schedule(optimizer)]))


class Module(lightning.LightningModule):
    """A model on fixed data, which records the optimizer's values before each of its steps.

    Its own hook can replan the learning rate before one of the steps.
    """

    def __init__(self, configure: Configure, replan_at: int | None = None) -> None:
        super().__init__()
        self.layers = plan.make_model()
        self.configure, self.replan_at = configure, replan_at
        self.values_by_step: dict[int, plan.Values] = {}

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.AdamW(plan.groups_of(self.layers))
        return {"optimizer": optimizer, "lr_scheduler": self.configure(self.trainer, optimizer)}

    def on_train_batch_start(self, *args: Any) -> None:
        if self.global_step == self.replan_at:
            self.lr_schedulers().replan({"lr": tsa.curves.Linear(0.5, 0.0, 10)})

    def training_step(self, batch: list[torch.Tensor], i: int) -> torch.Tensor:
        values = plan.values_of(self.optimizers())
        # The values stay the same while gradients are accumulated for a step.
        assert values == self.values_by_step.setdefault(self.global_step, values)
        inputs, targets = batch
        return (self.layers(inputs) - targets).square().mean()

    def validation_step(self, batch: list[torch.Tensor], i: int) -> None:
        self.log("stuck", 1.0)  # a metric that never improves

    def configure_gradient_clipping(self, optimizer: Any, *args: Any, **kwargs: Any) -> None:
        plan.clip_gradients(optimizer)


class ModuleThatStepsInEveryBatch(Module):
    """The same, and its own hook steps the schedule after every batch, besides Lightning."""

    def on_train_batch_end(self, *args: Any, **kwargs: Any) -> None:
        self.lr_schedulers().step()


class ModuleThatStepsAlone(Module):
    """Lightning does not know the schedule: the module steps, saves and loads it."""

    def configure_optimizers(self) -> Any:
        configured = super().configure_optimizers()
        self.schedule = configured["lr_scheduler"]["scheduler"]
        return configured["optimizer"]

    def on_train_batch_end(self, *args: Any, **kwargs: Any) -> None:
        self.schedule.step()

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint["schedule"] = self.schedule.state_dict()

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        self.saved = checkpoint["schedule"]

    def on_train_start(self) -> None:
        if hasattr(self, "saved"):
            self.schedule.load_state_dict(self.saved)


def fit(
    module: Module,
    folder: Path,
    epochs: int,
    checkpoint: Path | None = None,
    *,
    batches: int = BATCHES_PER_EPOCH,
    accumulated: int = 1,
) -> plan.Run:
    inputs = torch.randn(8 * batches, 4, generator=torch.Generator().manual_seed(1))
    data = TensorDataset(inputs, inputs.sum(1, keepdim=True))
    saver = ModelCheckpoint(folder, filename="{epoch}", save_top_k=-1, save_on_train_epoch_end=True)
    trainer = lightning.Trainer(
        max_epochs=epochs,
        accumulate_grad_batches=accumulated,
        accelerator="cpu",
        logger=CSVLogger(folder / "logs", name="", version=""),
        callbacks=[LearningRateMonitor(log_weight_decay=True), saver],
        log_every_n_steps=1,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    loaders = (DataLoader(data, batch_size=8) for _ in range(2))
    trainer.fit(module, *loaders, ckpt_path=checkpoint)
    return module.values_by_step, module.state_dict()


def values_of_resumable_run(
    make_module: Callable[[], Module],
    folder: Path,
    epochs: int = plan.STEPS // BATCHES_PER_EPOCH,
    steps: int = BATCHES_PER_EPOCH,
    **settings: Any,
) -> dict[int, plan.Values]:
    """The values of a whole run with so many ``steps`` per epoch, which a resumed one repeats."""
    whole = fit(make_module(), folder / "whole", epochs, **settings)
    checkpoint = folder / "whole" / f"epoch={EPOCHS_BEFORE_CHECKPOINT - 1}.ckpt"
    resumed = fit(make_module(), folder / "resumed", epochs, checkpoint, **settings)
    assert list(whole[0]) == list(range(epochs * steps))
    plan.assert_resumed(resumed, whole, start=EPOCHS_BEFORE_CHECKPOINT * steps)
    return whole[0]


@pytest.mark.parametrize(
    ("kind", "clock"),
    crossed(
        [Module, ModuleThatStepsInEveryBatch, ModuleThatStepsAlone],
        [lambda trainer, _: lambda: trainer.global_step, lambda _, o: tsa.OptimizerSteps(o)],
    ),
)
def test_a_plan_with_a_clock_counts_the_steps_of_lightning(
    kind: Any, clock: Any, tmp_path: Path
) -> None:
    """With accumulated batches a plan counts optimizer steps, however often it is stepped."""

    def configure(trainer: Any, optimizer: Any) -> Any:
        return in_every_batch(plan.make_schedule(optimizer, clock=clock(trainer, optimizer)))

    # Of 5 batches, Lightning makes steps after the second, the fourth and the last one.
    values_by_step = values_of_resumable_run(
        lambda: kind(configure), tmp_path, plan.STEPS // 3, steps=3, batches=5, accumulated=2
    )
    plan.assert_run_on_plan(values_by_step)


@pytest.mark.parametrize("replan_at", [None, 5, 8, 11])
def test_the_step_interval_moves_the_plan_with_every_optimizer_step(
    tmp_path: Path, replan_at: int | None
) -> None:
    """LearningRateMonitor logs it. A hook may replan before, at or after the checkpoint."""
    values_by_step = values_of_resumable_run(
        lambda: Module(replannable_in_every_batch, replan_at), tmp_path
    )

    def lr_multiple(t: int) -> float:
        if replan_at is None or t < replan_at:
            return plan.lr_multiple(t)
        return 0.5 * max(0.0, 1 - (t - replan_at) / 10)

    plan.assert_run_on_plan(values_by_step, lr_multiple)
    with (tmp_path / "whole" / "logs" / "metrics.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["lr-AdamW/pg1"]]
    for t, (row, values) in enumerate(zip(rows, values_by_step.values(), strict=True)):
        for i in (0, 1):
            assert float(row[f"lr-AdamW/pg{i + 1}-weight_decay"]) == values["weight_decay"][i]
            if t != replan_at:  # the monitor logs before the hook replans
                assert float(row[f"lr-AdamW/pg{i + 1}"]) == values["lr"][i]


STAYS = dict.fromkeys(["weight_decay", "betas[0]", "clip"], 1.0)


@pytest.mark.parametrize(
    ("configure", "others"),
    [
        (lambda _, optimizer: plan.make_schedule(optimizer), lambda epoch: {}),
        (lambda _, optimizer: plan.lr_schedule(optimizer), lambda epoch: STAYS),
        # The first metric is the best one. With patience 1, every second later one halves lr.
        (plateau_in_every_epoch, lambda epoch: {"lr": 0.5 ** max(0, (epoch - 1) // 2)}),
    ],
)
def test_a_plan_moves_with_every_epoch(tmp_path: Path, configure: Configure, others: Any) -> None:
    """By Lightning's default interval, also a built-in alone; or with a monitored metric."""
    for t, values in values_of_resumable_run(lambda: Module(configure), tmp_path, 8).items():
        epoch = t // BATCHES_PER_EPOCH
        plan.assert_on_plan(values, epoch, **others(epoch))


def test_a_factory_schedule_returned_directly_is_refused_by_lightning(tmp_path: Path) -> None:
    """Lightning refuses a scheduler on a proxy, unless it is in a SynchronousSchedule."""
    message = "wasn't returned from `configure_optimizers`"
    with pytest.raises(MisconfigurationException, match=message):
        fit(Module(lambda _, optimizer: plan.exponential(optimizer)), tmp_path, epochs=1)
