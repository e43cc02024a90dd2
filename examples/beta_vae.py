"""Let a β-VAE learn to use its code before it has to pay for it.

    python examples/beta_vae.py [--epochs 60]

The loss of a β-VAE is reconstruction + β · KL, where the KL divergence is what the code costs.
Charged from the first step, dimensions of the code are given up before the decoder has learned to
read them, and few come back (posterior collapse). Here β is "kl_weight", an entry of the
optimizer's param group that Adam never reads and the loss does. Two runs differ in its schedule
alone: constant, and warmed up from 0 over the first two thirds. Both end at the same β, and are
judged by the same loss.
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
BATCH_SIZE = 64
CODE_SIZE = 16
BETA = 2.0
KEY = "kl_weight"
BAR = "{desc} {percentage:3.0f}% |{bar}| {elapsed}{postfix}"


class VAE(nn.Module):
    """A Gaussian code of a digit, and a Bernoulli for each of its pixels."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 128), nn.ReLU(),
            nn.Linear(128, 2 * CODE_SIZE),
        )  # fmt: skip
        self.decoder = nn.Sequential(
            nn.Linear(CODE_SIZE, 128), nn.ReLU(), nn.Linear(128, 128), nn.ReLU(),
            nn.Linear(128, 64),
        )  # fmt: skip

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Reconstruction loss and KL divergence by dimension of the code: nats, a digit's mean."""
        mean, log_variance = self.encoder(images).chunk(2, dim=1)
        code = mean + torch.randn_like(mean) * (log_variance / 2).exp()
        reconstruction = nn.functional.binary_cross_entropy_with_logits(
            self.decoder(code), images, reduction="sum"
        ) / len(images)
        kl = (mean.square() + log_variance.exp() - 1 - log_variance) / 2
        return reconstruction, kl.mean(dim=0)


@dataclass
class Run:
    """A model in training; of each step β, the reconstruction loss and the KL divergence."""

    model: VAE
    optimizer: torch.optim.Optimizer
    schedule: tsa.SynchronousSchedule
    betas: list[float] = field(default_factory=list)
    reconstructions: list[float] = field(default_factory=list)
    kls: list[float] = field(default_factory=list)


def load_data() -> tuple[Tensor, Tensor]:
    """1797 real digits, 8 × 8 pixels each, a fifth of them for the test."""
    images = load_digits().data.astype(np.float32) / 16
    train_images, test_images = train_test_split(images, test_size=0.2, random_state=SEED)
    return torch.as_tensor(train_images), torch.as_tensor(test_images)


def build_run(num_steps: int, warm_up: bool) -> Run:
    torch.manual_seed(SEED)
    model = VAE()
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    # From 1.0, so that the values of the curve are the values of β.
    tsa.extend_optimizer(optimizer, KEY, 1.0)
    beta = tsa.constant_with_warmup(
        optimizer,
        warmup_to_value=BETA,
        num_warmup_steps=2 * num_steps // 3 if warm_up else 0,
        schedule_target=KEY,
    )
    return Run(model, optimizer, tsa.SynchronousSchedule([beta]))


def train(run: Run, images: Tensor, epochs: int, bar: tqdm[Any]) -> None:
    for _ in range(epochs):
        for batch in torch.randperm(len(images)).split(BATCH_SIZE):
            beta = run.optimizer.param_groups[0][KEY]
            reconstruction, kl = run.model(images[batch])
            run.optimizer.zero_grad()
            (reconstruction + beta * kl.sum()).backward()
            run.optimizer.step()
            run.schedule.step()
            run.betas.append(beta)
            run.reconstructions.append(reconstruction.item())
            run.kls.append(kl.sum().item())
            bar.set_postfix_str(
                f"reconstruction {run.reconstructions[-1]:.2f} KL {run.kls[-1]:.2f} β {beta:.2f}",
                refresh=False,
            )
            bar.update()


@torch.no_grad()
def test(run: Run, images: Tensor) -> tuple[float, float, int]:
    """Reconstruction loss, KL divergence, and how many dimensions of the code carry anything."""
    torch.manual_seed(SEED)
    draws = [run.model(images) for _ in range(10)]
    kl = draws[0][1]
    reconstruction = sum(one.item() for one, _ in draws) / len(draws)
    return reconstruction, kl.sum().item(), int((kl > 0.05).sum())


def print_table(runs: dict[str, Run]) -> None:
    print("\n" + " " * 6 + "".join(f"{name:>34}" for name in runs))
    print(f"{'step':>6}" + f"{'β':>10}{'reconstruction':>16}{'KL':>8}" * len(runs))
    num_steps = len(runs["constant β"].betas)
    for i in range(8):
        last = num_steps * (i + 1) // 8
        near = slice(max(0, last - 20), last)  # the mean of twenty batches
        print(f"{last - 1:>6}", end="")
        for run in runs.values():
            reconstruction, kl = np.mean(run.reconstructions[near]), np.mean(run.kls[near])
            print(f"{run.betas[last - 1]:>10.3f}{reconstruction:>16.2f}{kl:>8.2f}", end="")
        print()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--epochs", type=int, default=60)
    epochs = parser.parse_args().epochs
    torch.set_num_threads(1)  # on a network this small, threads wait longer than they work
    train_images, test_images = load_data()
    num_steps = epochs * -(-len(train_images) // BATCH_SIZE)

    runs = {"constant β": build_run(num_steps, False), "β warmed up": build_run(num_steps, True)}
    for name, run in runs.items():
        torch.manual_seed(SEED)  # the same batches, and the same noise in the codes
        with tqdm(total=num_steps, desc=f"{name:<11}", bar_format=BAR) as bar:
            train(run, train_images, epochs, bar)

    print_table(runs)
    print(f"\non {len(test_images)} digits of the test, at β = {BETA}:")
    losses, in_use = [], []
    for name, run in runs.items():
        reconstruction, kl, dimensions = test(run, test_images)
        losses.append(reconstruction + BETA * kl)
        in_use.append(dimensions)
        print(
            f"{name:<11}  reconstruction {reconstruction:.2f} + β · KL {BETA * kl:.2f} = "
            f"{losses[-1]:.2f}; {dimensions} of {CODE_SIZE} dimensions in use"
        )
    better = losses[1] < losses[0] and in_use[1] >= in_use[0]
    print(
        f"warmed up, the loss is lower, and no less of the code in use: {'yes' if better else 'NO'}"
    )
    return 0 if better else 1


if __name__ == "__main__":
    sys.exit(main())
