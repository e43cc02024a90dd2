"""Keep the decay of the weights in force while the learning rate falls.

    python examples/weight_decay_and_lr.py [--epochs 30]

AdamW subtracts lr × weight decay from each weight at each step. A learning rate that is annealed to
a hundredth reduces the decay as much, so the end of a run is hardly regularized. Here two runs have
the same cosine of the learning rate. In the first run weight decay is constant. In the second run
its curve is 1 / λ, where λ is the curve of the learning rate, so their product stays the same.
"""

from __future__ import annotations

import argparse
import math
import sys
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import Tensor, nn
from tqdm import tqdm

import torch_schedule_anything as tsa

SEED = 0
BATCH_SIZE = 64
LR, WEIGHT_DECAY = 3e-3, 0.1
BAR = "{desc} {percentage:3.0f}% |{bar}| {elapsed}{postfix}"


@dataclass
class Run:
    """A model in training, and per step: lr, weight decay and the norm of the weights."""

    model: nn.Module
    optimizer: torch.optim.Optimizer
    schedule: tsa.SynchronousSchedule
    lr: list[float] = field(default_factory=list)
    weight_decay: list[float] = field(default_factory=list)
    norm: list[float] = field(default_factory=list)


def load_data() -> list[Tensor]:
    """Real digits of 8 × 8 pixels: images and labels for training, then for the test."""
    images, labels = load_digits(return_X_y=True)
    parts = train_test_split(
        images.astype(np.float32) / 16, labels, test_size=0.2, random_state=SEED, stratify=labels
    )
    return [torch.as_tensor(parts[i]) for i in (0, 2, 1, 3)]


def build_run(num_steps: int, scale_decay: bool) -> Run:
    """A run with the same model and learning rate each time, and a constant or scaled decay."""
    torch.manual_seed(SEED)
    model = nn.Sequential(
        nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 128), nn.ReLU(), nn.Linear(128, 10)
    )
    optimizer = torch.optim.AdamW(model.parameters(), lr=LR, weight_decay=WEIGHT_DECAY)
    lr_curve = tsa.curves.Cosine(1.0, 0.01, num_steps)
    schedules = [tsa.CurveSchedule(optimizer, lr_curve)]
    if scale_decay:
        schedules.append(tsa.CurveSchedule(optimizer, lambda t: 1 / lr_curve(t), "weight_decay"))
    return Run(model, optimizer, tsa.SynchronousSchedule(schedules))


def train(run: Run, data: list[Tensor], epochs: int, bar: tqdm[Any]) -> None:
    images, labels = data[:2]
    for _ in range(epochs):
        for batch in torch.randperm(len(labels)).split(BATCH_SIZE):
            loss = nn.functional.cross_entropy(run.model(images[batch]), labels[batch])
            run.optimizer.zero_grad()
            loss.backward()
            record_step(run)
            run.optimizer.step()
            run.schedule.step()
            bar.set_postfix_str(f"loss {loss.item():.3f} |w| {run.norm[-1]:.2f}", refresh=False)
            bar.update()


def record_step(run: Run) -> None:
    group = run.optimizer.param_groups[0]
    run.lr.append(group["lr"])
    run.weight_decay.append(group["weight_decay"])
    squares = (parameter.detach().square().sum() for parameter in run.model.parameters())
    run.norm.append(math.sqrt(sum(squares)))


@torch.no_grad()
def accuracy(model: nn.Module, images: Tensor, labels: Tensor) -> float:
    return (model(images).argmax(dim=1) == labels).double().mean().item()


def print_table(constant: Run, follows: Run) -> None:
    print(f"\n{'':>6}{'':>11}{'constant weight decay':>33}{'weight decay against lr':>33}")
    columns = f"{'wd':>9}{'lr × wd':>13}{'|weights|':>11}"
    print(f"{'step':>6}{'lr':>11}{columns}{columns}")
    num_steps = len(constant.lr)
    for t in (*(num_steps * i // 8 for i in range(8)), num_steps - 1):
        print(f"{t:>6}{constant.lr[t]:>11.2e}", end="")
        for run in (constant, follows):
            product = run.lr[t] * run.weight_decay[t]
            print(f"{run.weight_decay[t]:>9.3f}{product:>13.2e}{run.norm[t]:>11.3f}", end="")
        print()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--epochs", type=int, default=30)
    epochs = parser.parse_args().epochs
    torch.set_num_threads(1)  # because threads slow down a network this small
    data = load_data()
    num_steps = epochs * -(-len(data[1]) // BATCH_SIZE)

    runs = [build_run(num_steps, scale_decay) for scale_decay in (False, True)]
    for run, name in zip(runs, ("constant", "follows ")):
        torch.manual_seed(SEED)  # so that both runs see the same batches
        with tqdm(total=num_steps, desc=name, bar_format=BAR, disable=None) as bar:
            train(run, data, epochs, bar)
    constant, follows = runs

    print_table(constant, follows)
    product = LR * WEIGHT_DECAY
    steady = all(
        math.isclose(lr * weight_decay, product, rel_tol=1e-12)
        for lr, weight_decay in zip(follows.lr, follows.weight_decay)
    )
    smaller = follows.norm[-1] < constant.norm[-1]
    reached = [accuracy(run.model, *data[2:]) for run in runs]
    print(f"\nlr × weight decay stayed {product:.1e} to the end: {'yes' if steady else 'NO'}")
    print(
        f"weights ended at norm {follows.norm[-1]:.3f}, against {constant.norm[-1]:.3f}: "
        f"{'smaller' if smaller else 'NOT SMALLER'}"
    )
    print(f"test accuracy: {reached[1]:.2%}, against {reached[0]:.2%} (expected over 90 %)")
    return 0 if steady and smaller and min(reached) > 0.9 else 1


if __name__ == "__main__":
    sys.exit(main())
