"""How two steps are timed against one another, and what they are timed on."""

from __future__ import annotations

import gc
import os
import platform
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import torch
from torch.nn import Parameter
from torch.optim.lr_scheduler import LambdaLR

GROUPS = (1, 10, 100, 1000, 10_000)
ROUNDS = 31
ROUND_SECONDS = 0.003  # of each of the two, a round


def compare(step: Callable[[], Any], other: Callable[[], Any]) -> dict[str, float]:
    """Microseconds of both, and the ratio: medians over rounds in which they take turns.

    A round times the one, then the other, over the same number of steps, and the next round
    begins with the other; the ratio is taken within each round. What is read is the CPU time of
    this thread: what the machine gives to other programs in between does not count.
    """
    steps = _steps_a_round(step, other)
    times: dict[Callable[[], Any], list[float]] = {step: [], other: []}
    gc.collect()
    gc.disable()
    try:
        for i in range(ROUNDS):
            for one in (step, other) if i % 2 else (other, step):
                start = time.thread_time()
                for _ in range(steps):
                    one()
                times[one].append((time.thread_time() - start) / steps * 1e6)
    finally:
        gc.enable()
    return {
        "us": round(median(times[step]), 3),
        "against_us": round(median(times[other]), 3),
        "ratio": round(median(a / b for a, b in zip(times[step], times[other])), 3),
    }


def _steps_a_round(*steps: Callable[[], Any]) -> int:
    for one in steps:
        for _ in range(20):  # past what only a first step does
            one()
    start = time.perf_counter()
    for one in steps:
        one()
    return max(1, round(ROUND_SECONDS * len(steps) / (time.perf_counter() - start)))


def adamw(groups: int, cls: type[torch.optim.Optimizer] = torch.optim.AdamW) -> Any:
    """AdamW, or another, with so many groups of one parameter each, with values of their own."""
    optimizer = cls([Parameter(torch.ones(1))], lr=0.1, weight_decay=0.1)
    first = optimizer.param_groups[0]
    for i in range(1, groups):  # adding 10 000 one by one takes torch quadratic time
        own = {"params": [Parameter(torch.ones(1))], "lr": 0.1 + i / 1e6}
        optimizer.param_groups.append({**first, **own, "weight_decay": 0.1 + i / 1e6})
    return optimizer


def on_adamw(groups: int, make: Callable[[Any], Any]) -> Any:
    """What ``make`` puts on such an optimizer, which then has stepped: nothing warns of order."""
    optimizer = adamw(groups)
    made = make(optimizer)
    optimizer.step()
    return made


def yardstick(groups: int) -> Callable[[], None]:
    """The step of torch's LambdaLR on lr, with a lambda that costs next to nothing."""
    return on_adamw(groups, lambda optimizer: LambdaLR(optimizer, lambda t: 0.95**t)).step


def machine() -> dict[str, Any]:
    """What the figures depend on."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return {
        "cpu": names[0] if names else platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "system": platform.system(),
        "python": platform.python_version(),
        "torch": torch.__version__,
    }
