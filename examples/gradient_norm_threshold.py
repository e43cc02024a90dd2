"""Step when the gradient is good enough, and schedule the threshold that decides.

    python examples/gradient_norm_threshold.py [--steps 400]

The mean of the gradients of n micro-batches is the true gradient plus noise that falls with √n. So
its norm shrinks as more micro-batches are drawn. This loop draws until the norm of the mean is
below a threshold, and then steps. The threshold is an entry of the param group, and its schedule
lowers it. The run starts with quick steps on noisy gradients and ends with careful steps on clean
ones. Nobody has to plan the number of micro-batches.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
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
MICRO_BATCH_SIZE = 8
MAX_DRAWS = 64  # a limit, because the true gradient can be longer than the threshold
KEY = "gradient_norm_threshold"
BAR = "{desc} {percentage:3.0f}% |{bar}| {elapsed}{postfix}"


@dataclass
class Run:
    """A model in training, and per step: the threshold, the norm and the number of draws."""

    model: nn.Module
    optimizer: torch.optim.Optimizer
    schedule: tsa.SynchronousSchedule
    thresholds: list[float] = field(default_factory=list)
    norms: list[float] = field(default_factory=list)
    draws: list[int] = field(default_factory=list)


def load_data() -> list[Tensor]:
    """Real digits of 8 × 8 pixels: images and labels for training, then for the test."""
    images, labels = load_digits(return_X_y=True)
    parts = train_test_split(
        images.astype(np.float32) / 16, labels, test_size=0.2, random_state=SEED, stratify=labels
    )
    return [torch.as_tensor(parts[i]) for i in (0, 2, 1, 3)]


def build_run(num_steps: int) -> Run:
    """A run whose threshold falls from 2 to 0.2. The reduced noise replaces a smaller lr."""
    torch.manual_seed(SEED)
    model = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    tsa.extend_optimizer(optimizer, KEY, 2.0)
    threshold = tsa.cosine_annealing_with_warmup(
        optimizer,
        warmup_to_value=1.0,
        anneal_to_value=0.1,
        num_warmup_steps=0,
        num_training_steps=num_steps,
        schedule_target=KEY,
    )
    return Run(model, optimizer, tsa.SynchronousSchedule([threshold]))


def micro_batches(num_samples: int) -> Iterator[Tensor]:
    """Yield micro-batches of the training digits forever."""
    while True:
        yield from torch.randperm(num_samples).split(MICRO_BATCH_SIZE)


def train(run: Run, data: list[Tensor], num_steps: int, bar: tqdm[Any]) -> None:
    batches = micro_batches(len(data[1]))
    for _ in range(num_steps):
        loss = draw_gradient(run, data, batches)
        run.optimizer.step()
        run.schedule.step()
        bar.set_postfix_str(
            f"loss {loss:.3f} threshold {run.thresholds[-1]:.2f} norm {run.norms[-1]:.2f} "
            f"draws {run.draws[-1]}",
            refresh=False,
        )
        bar.update()


def draw_gradient(run: Run, data: list[Tensor], batches: Iterator[Tensor]) -> float:
    """Draw until the mean gradient in ``.grad`` is short enough; returns the last loss."""
    (threshold, parameters, _), *_ = tsa.get_param_groups_regrouped_by_key(run.optimizer, KEY)
    total = [torch.zeros_like(parameter) for parameter in parameters]
    for draws in range(1, MAX_DRAWS + 1):
        batch = next(batches)
        loss = nn.functional.cross_entropy(run.model(data[0][batch]), data[1][batch])
        gradients = torch.autograd.grad(loss, parameters)
        for subtotal, gradient in zip(total, gradients):
            subtotal += gradient
        norm = sum(subtotal.square().sum() for subtotal in total).sqrt().item() / draws
        if norm <= threshold:
            break
    for parameter, subtotal in zip(parameters, total):
        parameter.grad = subtotal / draws
    run.thresholds.append(threshold)
    run.norms.append(norm)
    run.draws.append(draws)
    return loss.item()


@torch.no_grad()
def accuracy(model: nn.Module, images: Tensor, labels: Tensor) -> float:
    return (model(images).argmax(dim=1) == labels).double().mean().item()


def print_table(run: Run) -> None:
    print(f"\n{'steps':>12}{'threshold':>20}{'mean norm':>12}{'mean draws':>12}{'at most':>9}")
    num_steps = len(run.draws)
    for i in range(8):
        part = slice(num_steps * i // 8, num_steps * (i + 1) // 8)
        thresholds = run.thresholds[part]
        print(
            f"{part.start:>5} – {part.stop - 1:>4}{thresholds[0]:>11.3f} – {thresholds[-1]:>5.3f}"
            f"{np.mean(run.norms[part]):>12.3f}{np.mean(run.draws[part]):>12.1f}"
            f"{max(run.draws[part]):>9}"
        )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--steps", type=int, default=400)
    num_steps = parser.parse_args().steps
    torch.set_num_threads(1)  # because threads slow down a network this small
    data = load_data()
    run = build_run(num_steps)
    with tqdm(total=num_steps, desc="training", bar_format=BAR, disable=None) as bar:
        train(run, data, num_steps, bar)

    print_table(run)
    kept = all(
        norm <= threshold or draws == MAX_DRAWS
        for norm, threshold, draws in zip(run.norms, run.thresholds, run.draws)
    )
    cut_short = run.draws.count(MAX_DRAWS) / num_steps
    quarter = num_steps // 4
    first, last = np.mean(run.draws[:quarter]), np.mean(run.draws[-quarter:])
    reached = accuracy(run.model, *data[2:])
    print(f"\nno step went over its threshold before {MAX_DRAWS} draws: {'yes' if kept else 'NO'}")
    print(f"steps that did, after {MAX_DRAWS} draws: {cut_short:.1%} (expected under 10 %)")
    print(f"draws a step in the last quarter: {last:.1f}, against {first:.1f} in the first")
    print(f"test accuracy: {reached:.2%} of {len(data[3])} digits (expected over 90 %)")
    return 0 if kept and cut_short < 0.1 and last > first and reached > 0.9 else 1


if __name__ == "__main__":
    sys.exit(main())
