"""Let the batch grow instead of letting the learning rate fall.

    python examples/batch_size_schedule.py [--epochs 24]

The noise in a step of SGD is proportional to lr / batch size. To halve lr reduces it as much as to
double the batch, but the larger batch takes half as many steps. Here "logical_batch_size" is an
entry of the optimizer's param group that SGD does not know. The training loop reads it, and adds up
the gradients of micro-batches until it has that many samples. Two runs see the same samples. The
first run halves lr three times. The second run doubles the batch at the same samples.
"""

from __future__ import annotations

import argparse
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
MICRO_BATCH_SIZE = 16
LR, MOMENTUM = 0.02, 0.9
KEY = "logical_batch_size"
BAR = "{desc} {percentage:3.0f}% |{bar}| {elapsed}{postfix}"


@dataclass
class Run:
    """A model in training, and per step: the scheduled samples, the actual samples, and lr."""

    model: nn.Module
    optimizer: torch.optim.Optimizer
    schedule: tsa.SynchronousSchedule
    scheduled_samples: list[int] = field(default_factory=list)
    samples: list[int] = field(default_factory=list)
    lr: list[float] = field(default_factory=list)


def load_data() -> list[Tensor]:
    """Real digits of 8 × 8 pixels: images and labels for training, then for the test."""
    images, labels = load_digits(return_X_y=True)
    parts = train_test_split(
        images.astype(np.float32) / 16, labels, test_size=0.2, random_state=SEED, stratify=labels
    )
    return [torch.as_tensor(parts[i]) for i in (0, 2, 1, 3)]


def build_run(num_micro_batches: int, batch_grows: bool) -> Run:
    """A run with the same initial model each time. The schedules count micro-batches as steps."""
    torch.manual_seed(SEED)
    model = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))
    optimizer = torch.optim.SGD(model.parameters(), lr=LR, momentum=MOMENTUM)
    tsa.extend_optimizer(optimizer, KEY, float(MICRO_BATCH_SIZE))
    factor = 2.0 if batch_grows else 0.5
    stairs = {num_micro_batches * stage // 4: factor**stage for stage in range(4)}
    curve = tsa.curves.PiecewiseConstant(stairs)
    lr, batch = (
        (tsa.curves.Constant(1.0), curve) if batch_grows else (curve, tsa.curves.Constant(1.0))
    )
    schedules = [tsa.CurveSchedule(optimizer, lr), tsa.CurveSchedule(optimizer, batch, KEY)]
    return Run(model, optimizer, tsa.SynchronousSchedule(schedules))


def train(run: Run, data: list[Tensor], epochs: int, bar: tqdm[Any]) -> None:
    images, labels = data[:2]
    samples = 0
    for _ in range(epochs):
        for micro_batch in micro_batches(len(labels)):
            loss = nn.functional.cross_entropy(
                run.model(images[micro_batch]), labels[micro_batch], reduction="sum"
            )
            loss.backward()
            samples += len(micro_batch)
            if samples >= logical_batch_size(run):
                step(run, samples)
                samples = 0
            run.schedule.step()
            bar.set_postfix_str(
                f"loss {loss.item() / len(micro_batch):.3f} lr {run.lr[-1]:.4f} "
                f"batch {run.samples[-1]} steps {len(run.samples)}",
                refresh=False,
            )
            bar.update()


def micro_batches(num_samples: int) -> list[Tensor]:
    """Equal micro-batches of one epoch; the samples left over are drawn in another epoch."""
    whole = num_samples - num_samples % MICRO_BATCH_SIZE
    return list(torch.randperm(num_samples)[:whole].split(MICRO_BATCH_SIZE))


def logical_batch_size(run: Run) -> int:
    return round(run.optimizer.param_groups[0][KEY])


def step(run: Run, samples: int) -> None:
    """The optimizer steps with the mean of the accumulated gradients."""
    run.scheduled_samples.append(logical_batch_size(run))
    run.samples.append(samples)
    run.lr.append(run.optimizer.param_groups[0]["lr"])
    for parameter in run.model.parameters():
        parameter.grad /= samples
    run.optimizer.step()
    run.optimizer.zero_grad()


@torch.no_grad()
def accuracy(model: nn.Module, images: Tensor, labels: Tensor) -> float:
    return (model(images).argmax(dim=1) == labels).double().mean().item()


def print_table(run: Run) -> None:
    print(f"{'lr':>10}{'samples a step':>16}{'steps':>8}{'samples':>10}")
    stages = sorted(set(zip(run.lr, run.samples)), key=lambda stage: (-stage[0], stage[1]))
    for stage in stages:
        steps = list(zip(run.lr, run.samples)).count(stage)
        print(f"{stage[0]:>10.4f}{stage[1]:>16}{steps:>8}{steps * stage[1]:>10}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--epochs", type=int, default=24)
    epochs = parser.parse_args().epochs
    torch.set_num_threads(1)  # because threads slow down a network this small
    data = load_data()
    num_micro_batches = epochs * len(micro_batches(len(data[1])))

    runs = {"lr falls": build_run(num_micro_batches, False)}
    runs["batch grows"] = build_run(num_micro_batches, True)
    for name, run in runs.items():
        torch.manual_seed(SEED)  # so that both runs see the same samples in the same order
        with tqdm(total=num_micro_batches, desc=f"{name:<11}", bar_format=BAR, disable=None) as bar:
            train(run, data, epochs, bar)
    falls, grows = runs.values()

    for name, run in runs.items():
        print(f"\n{name}")
        print_table(run)
    as_scheduled = grows.samples == grows.scheduled_samples
    fewer = len(grows.samples) < 0.6 * len(falls.samples)
    reached = [accuracy(run.model, *data[2:]) for run in (falls, grows)]
    close = abs(reached[0] - reached[1]) < 0.02
    print(f"\neach step took as many samples as were scheduled: {'yes' if as_scheduled else 'NO'}")
    print(
        f"steps for the same samples: {len(grows.samples)}, against {len(falls.samples)}: "
        f"{'fewer' if fewer else 'NOT FEWER'}"
    )
    print(
        f"test accuracy: {reached[1]:.2%}, against {reached[0]:.2%} "
        "(expected over 90 %, and within 2 % of one another)"
    )
    return 0 if as_scheduled and fewer and close and min(reached) > 0.9 else 1


if __name__ == "__main__":
    sys.exit(main())
