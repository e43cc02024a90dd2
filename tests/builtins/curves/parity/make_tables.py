"""Make the golden tables beside this file: what other libraries' schedules give, step by step.

    pip install torch transformers timm optax
    python tests/builtins/curves/parity/make_tables.py

Each case is a call of another library, with values for its symbols. The call is run on a plain
optimizer. A schedule of optax is a function, so it is called with the step. The value at each step
is kept in full precision. docs/curves.md has the expression that gives the same values here.

test_parity.py reads the expression there and compares.
"""

from __future__ import annotations

import json
import math
import platform
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jax
import optax
import timm.scheduler
import torch
import transformers

HERE = Path(__file__).parent

Symbols = dict[str, Any]

# The call, its symbols, and the number of steps to keep. The initial value is "lr", or the first
# symbol if "lr" is not among them.
TORCH: list[tuple[str, Symbols, int]] = [
    ("LinearLR(opt, a, b, T)", {"lr": 0.3, "a": 0.25, "b": 0.9, "T": 20}, 30),
    ("ConstantLR(opt, a, T)", {"lr": 0.3, "a": 0.25, "T": 20}, 30),
    ("PolynomialLR(opt, T, P)", {"lr": 0.3, "T": 40, "P": 2.5}, 50),
    ("ExponentialLR(opt, g)", {"lr": 0.3, "g": 0.93}, 80),
    ("StepLR(opt, T, g)", {"lr": 0.3, "T": 7, "g": 0.5}, 50),
    ("MultiStepLR(opt, [a, b], g)", {"lr": 0.3, "a": 10, "b": 25, "g": 0.1}, 40),
    ("CosineAnnealingLR(opt, T, m)", {"lr": 0.3, "T": 40, "m": 0.01}, 150),
    ("CosineAnnealingWarmRestarts(opt, T, k, m)", {"lr": 0.3, "T": 6, "k": 2, "m": 0.01}, 100),
    ("CyclicLR(opt, lr, b, T, S, cycle_momentum=False)",
     {"lr": 0.1, "b": 0.5, "T": 7, "S": 12}, 60),
    *((f'OneCycleLR(opt, lr, M, pct_start=q, anneal_strategy="{strategy}", cycle_momentum=False)',
       {"lr": 0.3, "M": 55, "q": 0.3}, 55) for strategy in ("linear", "cos")),
]  # fmt: skip

PLAN: Symbols = {"lr": 0.3, "W": 10, "M": 70}

TRANSFORMERS: list[tuple[str, Symbols, int]] = [
    ("get_constant_schedule_with_warmup(opt, W)", {"lr": 0.3, "W": 10}, 20),
    ("get_linear_schedule_with_warmup(opt, W, M)", PLAN, 80),
    ("get_cosine_schedule_with_warmup(opt, W, M)", PLAN, 80),
    ("get_cosine_with_hard_restarts_schedule_with_warmup(opt, W, M, n)", {**PLAN, "n": 7}, 80),
    ("get_polynomial_decay_schedule_with_warmup(opt, W, M, m, P)",
     {**PLAN, "m": 0.01, "P": 2.5}, 80),
    ("get_inverse_sqrt_schedule(opt, W)", {"lr": 0.3, "W": 10}, 100),
    ("get_inverse_sqrt_schedule(opt, W, T)", {"lr": 0.3, "W": 10, "T": 25}, 100),
    ("get_cosine_with_min_lr_schedule_with_warmup(opt, W, M, min_lr=m)", {**PLAN, "m": 0.01}, 80),
    ("get_cosine_with_min_lr_schedule_with_warmup_lr_rate(opt, W, M, min_lr=m)",
     {**PLAN, "m": 0.01}, 80),
    *((f'get_wsd_schedule(opt, W, D, num_stable_steps=S, warmup_type="{warmup}", '
       f'decay_type="{decay}", min_lr_ratio=r)',
       {"lr": 0.3, "W": 10, "S": 15, "D": 20, "r": 0.05}, 55)
      for warmup in ("linear", "cosine", "1-sqrt") for decay in ("linear", "cosine", "1-sqrt")),
]  # fmt: skip

WITH_WARMUP: Symbols = {"lr": 0.3, "M": 60, "W": 10, "m": 0.01, "a": 0.001}

TIMM: list[tuple[str, Symbols, int]] = [
    ("CosineLRScheduler(opt, M, m, warmup_t=W, warmup_lr_init=a)", WITH_WARMUP, 80),
    ("CosineLRScheduler(opt, M, m, warmup_t=W, warmup_lr_init=a, warmup_prefix=True)",
     WITH_WARMUP, 80),
    ("CosineLRScheduler(opt, T, cycle_mul=2, cycle_decay=g, cycle_limit=3)",
     {"lr": 0.3, "T": 8, "g": 0.7}, 70),
    ("PolyLRScheduler(opt, M, P, m, warmup_t=W, warmup_lr_init=a)", {**WITH_WARMUP, "P": 2.5}, 80),
    ("StepLRScheduler(opt, T, g, warmup_t=W, warmup_lr_init=a)",
     {"lr": 0.3, "T": 7, "g": 0.5, "W": 10, "a": 0.001}, 60),
]  # fmt: skip

POINTS: Symbols = {"lr": 0.3, "a": 12, "b": 40, "f": 0.5, "g": 0.2}

OPTAX: list[tuple[str, Symbols, int]] = [
    ("warmup_cosine_decay_schedule(a, lr, W, M, m)",
     {"lr": 0.3, "a": 0.001, "W": 10, "M": 70, "m": 0.01}, 80),
    ("join_schedules([linear_schedule(0, lr, W), exponential_decay(lr, T, g)], [W])",
     {"lr": 0.3, "W": 10, "T": 15, "g": 0.5}, 80),
    ("piecewise_constant_schedule(lr, {a: f, b: g})", POINTS, 60),
    ('piecewise_interpolate_schedule("linear", lr, {a: f, b: g})', POINTS, 60),
    ('piecewise_interpolate_schedule("cosine", lr, {a: f, b: g})', POINTS, 60),
]  # fmt: skip

DINOV2: list[tuple[str, Symbols, int]] = [
    ("CosineScheduler(lr, m, M, W)", {"lr": 0.3, "m": 0.01, "M": 70, "W": 10}, 80),
    ("CosineScheduler(wd, m, M)", {"wd": 0.04, "m": 0.4, "M": 70}, 80),
    ("CosineScheduler(momentum, 1, M)", {"momentum": 0.992, "M": 70}, 80),
]


def on_torch_optimizer(schedulers: dict[str, Any]) -> Callable[[str, Symbols, int], list[float]]:
    def values(call: str, symbols: Symbols, steps: int) -> list[float]:
        optimizer = torch.optim.SGD([torch.nn.Parameter(torch.ones(1))], lr=symbols["lr"])
        schedule = eval(call, {**schedulers, **symbols, "opt": optimizer})
        seen = []
        for t in range(steps):
            if schedulers is vars(timm.scheduler):
                schedule.step(t)
            elif t:
                optimizer.step()
                schedule.step()
            seen.append(optimizer.param_groups[0]["lr"])
        return seen

    return values


def of_optax(call: str, symbols: Symbols, steps: int) -> list[float]:
    schedule = eval(call, {**vars(optax), **symbols})
    return [float(schedule(t)) for t in range(steps)]


def of_dinov2(call: str, symbols: Symbols, steps: int) -> list[float]:
    return [eval(call, {"CosineScheduler": dinov2, **symbols})(t) for t in range(steps)]


def dinov2(
    base: float, final: float, steps: int, warmup: int = 0, start: float = 0.0
) -> Callable[[int], float]:
    """The formula of DINOv2's ``CosineScheduler``, which is not on a package index.

    The warmup reaches ``base`` at its last step, ``warmup`` − 1, as ``np.linspace`` does.
    """

    def value(t: int) -> float:
        if t < warmup:
            return start + (base - start) * t / (warmup - 1)
        if t >= steps:
            return final
        done = (t - warmup) / (steps - warmup)
        return final + 0.5 * (base - final) * (1 + math.cos(math.pi * done))

    return value


def write(
    library: str,
    cases: list[tuple[str, Symbols, int]],
    values: Callable[[str, Symbols, int], list[float]],
    made_with: list[str],
) -> None:
    # One line per case, so that a diff shows the cases that changed.
    lines = [
        json.dumps({"call": call, "symbols": symbols, "values": values(call, symbols, steps)})
        for call, symbols, steps in cases
    ]
    versions = {name: version(name) for name in made_with}
    head = json.dumps({"python": platform.python_version(), **versions})
    text = f'{{"made_with": {head},\n"cases": [\n' + ",\n".join(lines) + "\n]}\n"
    (HERE / f"{library}.json").write_text(text)
    print(library, len(lines), "cases")


def main() -> None:
    jax.config.update("jax_enable_x64", True)
    schedulers = vars(torch.optim.lr_scheduler)
    of_transformers, of_timm = vars(transformers.optimization), vars(timm.scheduler)
    for library, cases, values, made_with in (
        ("torch", TORCH, on_torch_optimizer(schedulers), ["torch"]),
        (
            "transformers",
            TRANSFORMERS,
            on_torch_optimizer(of_transformers),
            ["transformers", "torch"],
        ),
        ("timm", TIMM, on_torch_optimizer(of_timm), ["timm", "torch"]),
        ("optax", OPTAX, of_optax, ["optax", "jax"]),
        ("dinov2", DINOV2, of_dinov2, []),
    ):
        write(library, cases, values, made_with)


if __name__ == "__main__":
    main()
