"""The parts of a training run that the studies share."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

import torch
from corpus import VALIDATION_SEED, load_corpus, random_positions, samples_at
from network import Layer, Network
from torch import Tensor, nn
from torch.nn import functional

import torch_schedule_anything as tsa

WARMUP = 0.05  # of the run
# A plan in fractions of a run; tsa.curves.stretch makes it as long as any run.
COSINE_PLAN = tsa.curves.join(
    [tsa.curves.Linear(0.0, 1.0, WARMUP), tsa.curves.Cosine(1.0, 0.0, 1 - WARMUP)], [WARMUP]
)
NUM_VALIDATION_SAMPLES = 16_384


def build(seed: int, rate: float, weight_decay: float) -> tuple[Network, torch.optim.AdamW]:
    """A network and its AdamW, with two named groups: only ``"matrices"`` are decayed.

    These are the matrices that a norm follows. Their scale does not change what the network
    computes.
    """
    torch.manual_seed(seed)
    network = Network()
    matrices = [layer.matrix.weight for layer in network.modules() if isinstance(layer, Layer)]
    taken = set(matrices)
    others = [parameter for parameter in network.parameters() if parameter not in taken]
    groups = [
        {"name": "matrices", "params": matrices, "weight_decay": weight_decay},
        {"name": "others", "params": others, "weight_decay": 0.0},
    ]
    return network, torch.optim.AdamW(groups, lr=rate, betas=(0.9, 0.99), fused=True)


def training_positions(count: int, seed: int) -> Tensor:
    """The samples of a run in order. Every arm of a study sees the same for the same seed."""
    return random_positions(load_corpus().training, count, seed)


def batches(positions: Tensor, size: int) -> Iterator[Tensor]:
    """Parts of that size, in order."""
    return (positions[i : i + size] for i in range(0, len(positions), size))


def compute_gradients(network: nn.Module, positions: Tensor) -> Tensor:
    """Replace the gradients by those of the mean loss of these samples, and return the loss."""
    contexts, targets = samples_at(load_corpus().training, positions)
    loss = functional.cross_entropy(network(contexts), targets)
    network.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    return loss.detach()


def gradient_norm(network: nn.Module) -> float:
    squares = [p.grad.square().sum() for p in network.parameters() if p.grad is not None]
    return torch.stack(squares).sum().sqrt().item()


@torch.no_grad()
def validation_loss(network: nn.Module, count: int = NUM_VALIDATION_SAMPLES) -> float:
    """The mean loss per character, in nats, on the same samples of the held-out text each time."""
    held_out = load_corpus().held_out
    positions = random_positions(held_out, count, VALIDATION_SEED)
    total = 0.0
    for part in batches(positions, 4096):
        contexts, targets = samples_at(held_out, part)
        total += functional.cross_entropy(network(contexts), targets, reduction="sum").item()
    return total / count


def means(values: Sequence[float], parts: int) -> list[float]:
    """The means of ``values`` over that many parts of equal length."""
    bounds = [len(values) * i // parts for i in range(parts + 1)]
    return [sum(values[a:b]) / (b - a) for a, b in pairwise(bounds)]
