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

# From the trainer and an optimizer to what configure_optimizers returns.
Configure = Callable[[lightning.Trainer, Any], Any]


def step_every_batch(trainer: Any, optimizer: Any) -> Any:
    return {
        "optimizer": optimizer,
        "lr_scheduler": {"scheduler": plan.make_schedule(optimizer), "interval": "step"},
    }


def step_every_epoch(trainer: Any, optimizer: Any) -> Any:
    return {"optimizer": optimizer, "lr_scheduler": plan.make_schedule(optimizer)}


def step_a_builtin_every_epoch(trainer: Any, optimizer: Any) -> Any:
    return [optimizer], [plan.lr_schedule(optimizer)]


def step_a_plateau_every_epoch(trainer: Any, optimizer: Any) -> Any:
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


def with_clock(optimizer: Any, clock: Callable[[], float]) -> Any:
    schedule = plan.make_schedule_with_clock(optimizer, clock)
    return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


def global_step(trainer: lightning.Trainer, optimizer: Any) -> Any:
    return with_clock(optimizer, lambda: trainer.global_step)


def optimizer_steps(trainer: lightning.Trainer, optimizer: Any) -> Any:
    return with_clock(optimizer, tsa.OptimizerSteps(optimizer))


class Module(lightning.LightningModule):
    """Two layers on fixed data, which record the optimizer's values before each of its steps."""

    def __init__(self, configure: Configure) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.layers = torch.nn.ModuleList([torch.nn.Linear(4, 8), torch.nn.Linear(8, 1)])
        self.configure = configure
        self.values_by_step: plan.ValuesByStep = {}

    def configure_optimizers(self) -> Any:
        optimizer = plan.make_optimizer(*(layer.parameters() for layer in self.layers))
        return self.configure(self.trainer, optimizer)

    def training_step(self, batch: list[torch.Tensor], i: int) -> torch.Tensor:
        values = plan.values_of(self.optimizers())
        # The values stay the same while gradients are accumulated for a step.
        assert values == self.values_by_step.setdefault(self.global_step, values)
        inputs, targets = batch
        return (self.layers[1](self.layers[0](inputs).tanh()) - targets).square().mean()

    def validation_step(self, batch: list[torch.Tensor], i: int) -> None:
        self.log("stuck", 1.0)  # a metric that never improves

    def configure_gradient_clipping(self, optimizer: Any, *args: Any, **kwargs: Any) -> None:
        plan.clip_gradients(optimizer)


class ModuleThatStepsInEveryBatch(Module):
    """The same, and its own hook steps the schedule after every batch, besides Lightning."""

    def configure_optimizers(self) -> Any:
        configured = super().configure_optimizers()
        self.schedule = configured["lr_scheduler"]["scheduler"]
        return configured

    def on_train_batch_end(self, *args: Any, **kwargs: Any) -> None:
        self.schedule.step()


class ModuleThatStepsAlone(ModuleThatStepsInEveryBatch):
    """The same, and Lightning does not know the schedule: the module saves it."""

    def configure_optimizers(self) -> Any:
        return super().configure_optimizers()["optimizer"]

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint["schedule"] = self.schedule.state_dict()

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        self.saved = checkpoint["schedule"]

    def on_train_start(self) -> None:
        if hasattr(self, "saved"):
            self.schedule.load_state_dict(self.saved)


class ModuleThatReplans(Module):
    """The same, and its own hook replans the learning rate before one of the steps."""

    def __init__(self, replan_at: int) -> None:
        super().__init__(step_every_batch)
        self.replan_at = replan_at

    def configure_optimizers(self) -> Any:
        configured = super().configure_optimizers()
        schedule = plan.choosing(plan="saved")([configured["lr_scheduler"]["scheduler"]])
        configured["lr_scheduler"]["scheduler"] = schedule
        return configured

    def on_train_batch_start(self, *args: Any) -> None:
        if self.global_step == self.replan_at:
            plan.replan(self.lr_schedulers())


def fit(
    module: Module,
    folder: Path,
    epochs: int,
    checkpoint: Path | None = None,
    *,
    batches: int = BATCHES_PER_EPOCH,
    accumulated: int = 1,
) -> tuple[Module, LearningRateMonitor]:
    generator = torch.Generator().manual_seed(1)
    inputs = torch.randn(8 * batches, 4, generator=generator)
    data = TensorDataset(inputs, inputs.sum(1, keepdim=True))
    monitor = LearningRateMonitor(log_weight_decay=True)
    saver = ModelCheckpoint(folder, filename="{epoch}", save_top_k=-1, save_on_train_epoch_end=True)
    trainer = lightning.Trainer(
        max_epochs=epochs,
        accumulate_grad_batches=accumulated,
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
    make_module: Callable[[], Module], folder: Path, epochs: int, steps: int, **settings: Any
) -> plan.ValuesByStep:
    """The values of an uninterrupted run, after a check that a resumed one repeats it exactly.

    An epoch has so many optimizer ``steps``.
    """
    whole, _ = fit(make_module(), folder / "whole", epochs, **settings)
    checkpoint = folder / "whole" / f"epoch={EPOCHS_BEFORE_CHECKPOINT - 1}.ckpt"
    resumed, _ = fit(make_module(), folder / "resumed", epochs, checkpoint, **settings)
    assert list(whole.values_by_step) == list(range(epochs * steps))
    assert resumed.values_by_step == {
        t: whole.values_by_step[t] for t in range(EPOCHS_BEFORE_CHECKPOINT * steps, epochs * steps)
    }
    plan.assert_same_weights(whole, resumed)
    return whole.values_by_step


def values_of_run(configure: Configure, folder: Path, epochs: int) -> plan.ValuesByStep:
    return values_of_resumable_run(lambda: Module(configure), folder, epochs, BATCHES_PER_EPOCH)


@pytest.mark.parametrize(
    ("kind", "clock"),
    crossed(
        [Module, ModuleThatStepsInEveryBatch, ModuleThatStepsAlone], [global_step, optimizer_steps]
    ),
)
def test_a_plan_with_a_clock_counts_the_steps_of_lightning(
    kind: Any, clock: Configure, tmp_path: Path
) -> None:
    """With accumulated batches a plan counts optimizer steps, however often it is stepped."""
    # Of 5 batches, Lightning makes steps after the second, the fourth and the last one.
    values_by_step = values_of_resumable_run(
        lambda: kind(clock), tmp_path, plan.STEPS // 3, steps=3, batches=5, accumulated=2
    )
    plan.assert_run_on_plan(values_by_step)


def test_the_step_interval_moves_the_plan_with_every_optimizer_step(tmp_path: Path) -> None:
    """With ``"interval": "step"`` each optimizer step is one step of the plan."""
    plan.assert_run_on_plan(
        values_of_run(step_every_batch, tmp_path, plan.STEPS // BATCHES_PER_EPOCH)
    )


def test_the_epoch_interval_moves_the_plan_with_every_epoch(tmp_path: Path) -> None:
    """With Lightning's default interval each epoch is one step of the plan."""
    values_by_step = values_of_run(step_every_epoch, tmp_path, 7)
    for t, values in values_by_step.items():
        plan.assert_on_plan(values, t // BATCHES_PER_EPOCH)


def test_a_builtin_returned_directly_is_stepped(tmp_path: Path) -> None:
    """Lightning steps a built-in that stands alone, without a SynchronousSchedule around it."""
    values_by_step = values_of_run(step_a_builtin_every_epoch, tmp_path, 7)
    for t, values in values_by_step.items():
        expected = plan.expected_lr(t // BATCHES_PER_EPOCH)
        assert values["lr"] == pytest.approx(expected, rel=1e-12)


def test_the_learning_rate_monitor_logs_scheduled_values(tmp_path: Path) -> None:
    """LearningRateMonitor logs each group's scheduled learning rate and weight decay."""
    module, monitor = fit(Module(step_every_batch), tmp_path, plan.STEPS // BATCHES_PER_EPOCH)
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
    values_by_step = values_of_run(step_a_plateau_every_epoch, tmp_path, 8)
    for t, values in values_by_step.items():
        epoch = t // BATCHES_PER_EPOCH
        # The first metric is the best one. With patience 1, every second later one halves lr.
        halvings = (epoch - 1) // 2 if epoch else 0
        plan.assert_on_plan(values, epoch, lr=[lr * 0.5**halvings for lr in plan.LR])


def test_a_factory_schedule_returned_directly_is_refused_by_lightning(tmp_path: Path) -> None:
    """Lightning refuses a scheduler on a proxy, unless it is in a SynchronousSchedule."""

    def configure(trainer: Any, optimizer: Any) -> Any:
        return [optimizer], [plan.other_schedules(optimizer)[1]]

    message = "wasn't returned from `configure_optimizers`"
    with pytest.raises(MisconfigurationException, match=message):
        fit(Module(configure), tmp_path, epochs=1)


@pytest.mark.parametrize("replan_at", [5, 8, 11])
def test_a_replanned_run_of_lightning_resumes_to_the_same_weights(
    tmp_path: Path, replan_at: int
) -> None:
    """A hook replans before, at or after the checkpoint, and the resumed run is the same."""
    values_by_step = values_of_resumable_run(
        lambda: ModuleThatReplans(replan_at),
        tmp_path,
        plan.STEPS // BATCHES_PER_EPOCH,
        BATCHES_PER_EPOCH,
    )
    for t, values in values_by_step.items():
        plan.assert_on_plan(values, t, lr=plan.expected_replanned_lr(t, replan_at))
