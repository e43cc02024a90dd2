"""Time two steps against each other, and describe the machine."""

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
ROUND_SECONDS = 0.003  # for each of the two steps


def compare(step: Callable[[], Any], other: Callable[[], Any]) -> dict[str, float]:
    """The time of both steps in microseconds, and their ratio, as medians over all rounds.

    A round times both over the same number of calls, and rounds alternate which of them is first.
    The ratio is taken within each round. The clock is the CPU time of this thread, so the time that
    the machine spends on other programs does not count.
    """
    calls = calls_per_round(step, other)
    times: dict[Callable[[], Any], list[float]] = {step: [], other: []}
    gc.collect()
    gc.disable()
    try:
        for i in range(ROUNDS):
            for one in (step, other) if i % 2 else (other, step):
                start = time.thread_time()
                for _ in range(calls):
                    one()
                times[one].append((time.thread_time() - start) / calls * 1e6)
    finally:
        gc.enable()
    return {
        "us": round(median(times[step]), 3),
        "against_us": round(median(times[other]), 3),
        "ratio": round(median(a / b for a, b in zip(times[step], times[other])), 3),
    }


def calls_per_round(*steps: Callable[[], Any]) -> int:
    for one in steps:
        for _ in range(20):  # because the first calls of a step are slower
            one()
    start = time.perf_counter()
    for one in steps:
        one()
    return max(1, round(ROUND_SECONDS * len(steps) / (time.perf_counter() - start)))


def adamw(groups: int, cls: type[torch.optim.Optimizer] = torch.optim.AdamW) -> Any:
    """An AdamW, or a ``cls``, with ``groups`` groups: one parameter each, and different values."""
    optimizer = cls([Parameter(torch.ones(1))], lr=0.1, weight_decay=0.1)
    first = optimizer.param_groups[0]
    for i in range(1, groups):  # add_param_group would take quadratic time for all groups
        value = 0.1 + i / 1e6
        entries = {"params": [Parameter(torch.ones(1))], "lr": value, "weight_decay": value}
        optimizer.param_groups.append({**first, **entries})
    return optimizer


def on_adamw(groups: int, make: Callable[[Any], Any]) -> Any:
    """The result of ``make(optimizer)``; the optimizer then steps, so torch does not warn."""
    optimizer = adamw(groups)
    result = make(optimizer)
    optimizer.step()
    return result


def yardstick(groups: int) -> Callable[[], None]:
    """The step of a torch LambdaLR on lr, with a lambda that takes almost no time."""
    return on_adamw(groups, lambda optimizer: LambdaLR(optimizer, lambda t: 0.95**t)).step


def machine() -> dict[str, Any]:
    """The machine and the versions that the figures depend on."""
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
