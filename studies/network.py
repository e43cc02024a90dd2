"""The network of every study: it predicts the next character from the 16 characters before."""

from __future__ import annotations

import torch
from corpus import CONTEXT, NUM_SYMBOLS
from torch import Tensor, nn
from torch.nn import functional

WIDTH, EMBEDDING, NUM_BLOCKS = 192, 26, 2


class RMSNorm(nn.Module):
    """x / RMS(x) × gain. torch < 2.4 has no ``nn.RMSNorm``."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.ones(width))

    def forward(self, x: Tensor) -> Tensor:
        return x * torch.rsqrt(x.square().mean(dim=-1, keepdim=True) + 1e-6) * self.gain


class Layer(nn.Module):
    """ReLU(norm(W·x)). The norm makes the output independent of the scale of W."""

    def __init__(self, num_inputs: int) -> None:
        super().__init__()
        self.matrix = nn.Linear(num_inputs, WIDTH, bias=False)
        self.norm = RMSNorm(WIDTH)

    def forward(self, x: Tensor) -> Tensor:
        return functional.relu(self.norm(self.matrix(x)))


class Network(nn.Module):
    """About 175 000 parameters: an embedding, an input layer, two residual layers and a head."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(NUM_SYMBOLS, EMBEDDING)
        self.input = Layer(CONTEXT * EMBEDDING)
        self.blocks = nn.ModuleList(Layer(WIDTH) for _ in range(NUM_BLOCKS))
        self.norm = RMSNorm(WIDTH)
        self.head = nn.Linear(WIDTH, NUM_SYMBOLS, bias=False)

    def forward(self, contexts: Tensor) -> Tensor:
        x = self.input(self.embedding(contexts).flatten(1))
        for block in self.blocks:
            x = x + block(x)
        logits: Tensor = self.head(self.norm(x))
        return logits
