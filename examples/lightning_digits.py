"""Train on real digits with Lightning, with a SynchronousSchedule as its scheduler.

    python examples/lightning_digits.py [--epochs 12]

``configure_optimizers`` returns the schedule as it returns a torch scheduler. Lightning steps it
after each batch, logs the learning rate, and saves it in its checkpoints. A second run starts from
the checkpoint of half the epochs. It must end in the same weights, bit for bit.
"""

from __future__ import annotations

import argparse
import logging
import sys
import tempfile
import warnings
from pathlib import Path
from typing import Any

import lightning
import numpy as np
import torch
from lightning.pytorch.callbacks import (
    Callback,
    LearningRateMonitor,
    ModelCheckpoint,
    TQDMProgressBar,
)
from lightning.pytorch.loggers import CSVLogger
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

import torch_schedule_anything as tsa

SEED = 0
BATCH_SIZE = 64
NOISE = "input_noise"


def load_data() -> list[Tensor]:
    """Real digits of 8 × 8 pixels: images and labels for training, then for the test."""
    images, labels = load_digits(return_X_y=True)
    parts = train_test_split(
        images.astype(np.float32) / 16, labels, test_size=0.2, random_state=SEED, stratify=labels
    )
    return [torch.as_tensor(parts[i]) for i in (0, 2, 1, 3)]


class Classifier(lightning.LightningModule):
    """A small network with schedules for lr, weight decay and the noise on its input."""

    def __init__(self, num_steps: int) -> None:
        super().__init__()
        self.num_steps = num_steps
        self.network = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))

    def configure_optimizers(self) -> dict[str, Any]:
        optimizer = torch.optim.AdamW(self.parameters(), lr=5e-3, weight_decay=0.1)
        # The noise rises and falls with lr, so both are large early in training.
        tsa.extend_optimizer(optimizer, NOISE, 0.2)
        num_warmup_steps, num_steps = self.num_steps // 10, self.num_steps
        schedule = tsa.SynchronousSchedule(
            [
                tsa.cosine_annealing_with_warmup(optimizer, 1.0, 0.01, num_warmup_steps, num_steps),
                tsa.linear_schedule_with_warmup(
                    optimizer, 1.0, 0.0, num_warmup_steps, num_steps, schedule_target=NOISE
                ),
                tsa.quadratic_schedule_with_warmup(
                    optimizer, 1.0, 3.0, 0, num_steps, schedule_target="weight_decay"
                ),
            ]
        )
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": schedule, "interval": "step", "name": "lr"},
        }

    def training_step(self, batch: list[Tensor], index: int) -> Tensor:
        images, labels = batch
        noise = self.optimizers().param_groups[0][NOISE]
        loss = nn.functional.cross_entropy(
            self.network(images + noise * torch.randn_like(images)), labels
        )
        self.log("loss", loss, prog_bar=True)
        return loss

    def test_step(self, batch: list[Tensor], index: int) -> None:
        images, labels = batch
        self.log("accuracy", (self.network(images).argmax(dim=1) == labels).float().mean())


class Recorder(Callback):
    """Records the scheduled values when a step begins, and seeds the step's noise."""

    def __init__(self) -> None:
        self.values: list[dict[str, float]] = []

    def on_train_batch_start(self, trainer: Any, *args: Any) -> None:
        torch.manual_seed(trainer.global_step)  # so that a resumed run draws the same noise
        schedule = trainer.lr_scheduler_configs[0].scheduler
        self.values.append(
            {name: value for name, (value,) in schedule.get_last_schedules().items()}
        )


def fit(
    data: list[Tensor], epochs: int, folder: Path, checkpoint: Path | None = None
) -> tuple[lightning.Trainer, Classifier, Recorder]:
    """Train for ``epochs`` epochs, from the beginning or from ``checkpoint``."""
    lightning.seed_everything(SEED, verbose=False)
    loader = DataLoader(TensorDataset(*data[:2]), BATCH_SIZE)  # load_data has shuffled them
    model = Classifier(epochs * len(loader))
    recorder = Recorder()
    saver = ModelCheckpoint(folder / "checkpoints", filename="{epoch}", save_top_k=-1)
    trainer = lightning.Trainer(
        accelerator="cpu",
        max_epochs=epochs,
        callbacks=[recorder, saver, LearningRateMonitor("step"), TQDMProgressBar(leave=True)],
        logger=CSVLogger(folder),
        log_every_n_steps=5,
        enable_model_summary=False,
    )
    trainer.fit(model, loader, ckpt_path=checkpoint, weights_only=True)
    return trainer, model, recorder


def print_table(values: list[dict[str, float]]) -> None:
    print(f"\n{'step':>6}{'learning rate':>16}{'input noise':>16}{'weight decay':>16}")
    num_steps = len(values)
    for t in (*(num_steps * i // 8 for i in range(8)), num_steps - 1):
        print(f"{t:>6}" + "".join(f"{value:>16.5f}" for value in values[t].values()))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--epochs", type=int, default=12)
    epochs = parser.parse_args().epochs
    torch.set_num_threads(1)  # because threads slow down a network this small
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    # Lightning recommends worker processes for loading, but all digits are in memory already. It
    # also warns that the folder holds checkpoints, but the second run needs those of the first.
    warnings.filterwarnings("ignore", ".*does not have many workers.*")
    warnings.filterwarnings("ignore", "Checkpoint directory .* exists")
    data = load_data()
    with tempfile.TemporaryDirectory() as folder:
        trainer, model, whole = fit(data, epochs, Path(folder))
        half = Path(folder) / "checkpoints" / f"epoch={epochs // 2 - 1}.ckpt"
        _, resumed_model, resumed = fit(data, epochs, Path(folder), half)
        test = DataLoader(TensorDataset(*data[2:]), len(data[3]))
        (result,) = trainer.test(model, test, verbose=False)

    print_table(whole.values)
    num_steps = len(whole.values)
    resumed_at = num_steps - len(resumed.values)
    same_values = 0 < resumed_at < num_steps and resumed.values == whole.values[resumed_at:]
    same_weights = all(
        torch.equal(one, other)
        for one, other in zip(model.state_dict().values(), resumed_model.state_dict().values())
    )
    print(
        f"\nresumed at step {resumed_at}, under the same values: {'yes' if same_values else 'NO'}"
    )
    print(f"the resumed run ended in the same weights: {'yes' if same_weights else 'NO'}")
    print(f"test accuracy: {result['accuracy']:.2%} of {len(data[3])} digits (expected over 90 %)")
    return 0 if same_values and same_weights and result["accuracy"] > 0.9 else 1


if __name__ == "__main__":
    sys.exit(main())
