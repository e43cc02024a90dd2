"""Let a β-VAE learn to use its code before it has to pay for it.

    python examples/beta_vae.py [--epochs 60]

The loss of a β-VAE is reconstruction + β · KL, and the KL divergence is the price of the code. With
the full price from the first step, the model gives up dimensions before the decoder can read them.
Few of them come back: this is posterior collapse. Here β is "kl_weight", an entry of the
optimizer's param group that Adam does not read and the loss does. Two runs differ only in its
schedule: constant, or a warmup from 0 over the first two thirds. Both end at the same β and are
compared by the same loss.
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
    """An autoencoder with a Gaussian code per digit and a Bernoulli distribution per pixel."""

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
        """Mean reconstruction loss per digit, and mean KL divergence per dimension, in nats."""
        mean, log_variance = self.encoder(images).chunk(2, dim=1)
        code = mean + torch.randn_like(mean) * (log_variance / 2).exp()
        reconstruction = nn.functional.binary_cross_entropy_with_logits(
            self.decoder(code), images, reduction="sum"
        ) / len(images)
        kl = (mean.square() + log_variance.exp() - 1 - log_variance) / 2
        return reconstruction, kl.mean(dim=0)


@dataclass
class Run:
    """A model in training, and per step: β, the reconstruction loss and the KL divergence."""

    model: VAE
    optimizer: torch.optim.Optimizer
    schedule: tsa.SynchronousSchedule
    betas: list[float] = field(default_factory=list)
    reconstructions: list[float] = field(default_factory=list)
    kls: list[float] = field(default_factory=list)


def load_data() -> tuple[Tensor, Tensor]:
    """Real digits of 8 × 8 pixels: images for training, and a fifth of them for the test."""
    images = load_digits().data.astype(np.float32) / 16
    train_images, test_images = train_test_split(images, test_size=0.2, random_state=SEED)
    return torch.as_tensor(train_images), torch.as_tensor(test_images)


def build_run(num_steps: int, has_warmup: bool) -> Run:
    torch.manual_seed(SEED)
    model = VAE()
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    # The initial value is 1.0, so the multipliers of the curve are the values of β.
    tsa.extend_optimizer(optimizer, KEY, 1.0)
    beta = tsa.constant_with_warmup(
        optimizer,
        warmup_to_value=BETA,
        num_warmup_steps=2 * num_steps // 3 if has_warmup else 0,
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
    """Reconstruction loss, KL divergence, and the number of dimensions that carry information."""
    torch.manual_seed(SEED)
    draws = [run.model(images) for _ in range(10)]
    kl = draws[0][1]
    reconstruction = sum(loss.item() for loss, _ in draws) / len(draws)
    return reconstruction, kl.sum().item(), int((kl > 0.05).sum())


def print_table(runs: dict[str, Run]) -> None:
    print("\n" + " " * 6 + "".join(f"{name:>34}" for name in runs))
    print(f"{'step':>6}" + f"{'β':>10}{'reconstruction':>16}{'KL':>8}" * len(runs))
    num_steps = len(runs["constant β"].betas)
    for i in range(8):
        last = num_steps * (i + 1) // 8
        latest = slice(max(0, last - 20), last)  # the table shows means over these batches
        print(f"{last - 1:>6}", end="")
        for run in runs.values():
            reconstruction, kl = np.mean(run.reconstructions[latest]), np.mean(run.kls[latest])
            print(f"{run.betas[last - 1]:>10.3f}{reconstruction:>16.2f}{kl:>8.2f}", end="")
        print()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--epochs", type=int, default=60)
    epochs = parser.parse_args().epochs
    torch.set_num_threads(1)  # because threads slow down a network this small
    train_images, test_images = load_data()
    num_steps = epochs * -(-len(train_images) // BATCH_SIZE)

    runs = {"constant β": build_run(num_steps, False), "β warmed up": build_run(num_steps, True)}
    for name, run in runs.items():
        torch.manual_seed(SEED)  # so that both runs get the same batches and the same noise
        with tqdm(total=num_steps, desc=f"{name:<11}", bar_format=BAR, disable=None) as bar:
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
