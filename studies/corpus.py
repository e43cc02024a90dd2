"""The text that every study trains on: the source code of Python's own standard library."""

from __future__ import annotations

import hashlib
import sysconfig
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import torch
from torch import Tensor

NUM_BYTES = 6_000_000
CONTEXT = 16
HELD_OUT_EVERY = 10  # every tenth file is held out for validation
VALIDATION_SEED = 1_000_003
# A newline and the printable characters of ASCII; every other byte is the symbol 0.
CHARACTERS = b"\n" + bytes(range(32, 127))
NUM_SYMBOLS = 1 + len(CHARACTERS)


@dataclass(frozen=True)
class Corpus:
    """Symbols of the text to train on, of the held-out text, and the SHA-256 of all bytes."""

    training: Tensor
    held_out: Tensor
    sha256: str


def source_files() -> list[Path]:
    """The files of the standard library in the order of their paths, without installed packages."""
    root = Path(sysconfig.get_path("stdlib"))
    files = (path.relative_to(root) for path in root.rglob("*.py"))
    kept = (path for path in files if "site-packages" not in path.parts)
    return [root / path for path in sorted(kept, key=Path.as_posix)]


@cache
def load_corpus() -> Corpus:
    """The first 6 MB of the files. The bytes, and so the hash, depend on the version of Python."""
    parts: tuple[bytearray, bytearray] = bytearray(), bytearray()
    digest, left = hashlib.sha256(), NUM_BYTES
    for i, path in enumerate(source_files()):
        text = path.read_bytes()[:left]
        digest.update(text)
        parts[i % HELD_OUT_EVERY == HELD_OUT_EVERY - 1].extend(text)
        left -= len(text)
        if not left:
            break
    return Corpus(symbols(parts[0]), symbols(parts[1]), digest.hexdigest())


def symbols(text: bytearray) -> Tensor:
    table = torch.zeros(256, dtype=torch.long)
    table[list(CHARACTERS)] = torch.arange(1, NUM_SYMBOLS)
    return table[torch.frombuffer(text, dtype=torch.uint8).long()]


def random_positions(text: Tensor, count: int, seed: int) -> Tensor:
    """Positions in ``text``, each of the first character of a sample."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(len(text) - CONTEXT, (count,), generator=generator)


def samples_at(text: Tensor, positions: Tensor) -> tuple[Tensor, Tensor]:
    """Contexts of 16 characters, and the character that follows each of them."""
    windows = text[positions[:, None] + torch.arange(CONTEXT + 1)]
    return windows[:, :-1], windows[:, -1]
