"""Schedules of public training codes, in the words of this package, against their own formulas.

Each formula is what the code computes at step t. Each curve is data.
"""

from __future__ import annotations

import bisect
import json
import math
from collections.abc import Callable
from typing import Any

import pytest
from small_runs import adamw

from tsa_builtins import from_plan, to_plan
from tsa_builtins.curves import (
    Cosine,
    InversePower,
    InverseSqrt,
    Linear,
    Piecewise,
    PiecewiseConstant,
    Warmup,
    clip,
    from_dict,
    join,
    staircase,
    stretch,
    switch,
    to_dict,
)
from tsa_core import CurveSchedule

W, M = 100, 1000  # steps of the warmup, and of the run


# github.com/karpathy/nanoGPT, train.py: get_lr
def nanogpt(t: int, low: float = 0.1) -> float:
    if t < W:
        return (t + 1) / (W + 1)
    if t > M:
        return low
    return low + 0.5 * (1 + math.cos(math.pi * (t - W) / (M - W))) * (1 - low)


# github.com/karpathy/nanochat, scripts/base_train.py: a warmup, a plateau, a linear warmdown
def nanochat(t: int, warmdown: int = 400, final: float = 0.05) -> float:
    if t < W:
        return (t + 1) / W
    if t <= M - warmdown:
        return 1.0
    left = (M - t) / warmdown
    return left + (1 - left) * final


# github.com/KellerJordan/modded-nanogpt, train_gpt.py: Muon's momentum
def modded_momentum(t: int) -> float:
    share = min(t / 300, 1)
    return (1 - share) * 0.85 + share * 0.95


# github.com/NVIDIA/Megatron-LM, optimizer_param_scheduler.py: inverse-square-root with a floor
def megatron(t: int, low: float = 0.4) -> float:
    if t <= W:
        return t / W
    return max(low, W**0.5 / max(t, 1) ** 0.5)


# github.com/NVIDIA/Megatron-LM, optimizer_param_scheduler.py: WSD with an exponential decay
def megatron_wsd(t: int, low: float = 0.1, decay: int = 200) -> float:
    if t <= W:
        return t / W
    share = min(max(t - (M - decay), 0) / decay, 1)
    return low + (1 - low) * (2 * 0.5**share - 1)


# github.com/facebookresearch/detectron2, solver/lr_scheduler.py: the drops count from step 0
def detectron2(t: int, factor: float = 0.001) -> float:
    drops = 0.1 ** bisect.bisect_right([600, 900], t)
    return drops * (factor * (1 - t / W) + t / W if t < W else 1)


# github.com/ultralytics/ultralytics, engine/trainer.py: a line per epoch of 50 iterations, and a
# warmup towards it in iterations
def ultralytics(t: int, final: float = 0.01) -> float:
    of_epoch = max(1 - (t // 50) / 20, 0) * (1 - final) + final
    return of_epoch * t / W if t <= W else of_epoch


# github.com/microsoft/DeepSpeed, runtime/lr_schedules.py: OneCycle, then inverse time decay
def deepspeed(t: int, low: float = 0.1, rate: float = 0.02) -> float:
    if t <= 200:
        return low + (1 - low) * (1 - abs(t / 100 - 1))
    return low / (1 + rate * (t - 200))


# github.com/huggingface/pytorch-image-models, CosineLRScheduler: the cosine counts the warmup too
def timm(t: int, start: float = 0.01) -> float:
    if t < W:
        return start + t * (1 - start) / W
    return 0.5 * (1 + math.cos(math.pi * t / M)) if t < M else 0.0


# github.com/allenai/OLMo-core, optim/scheduler.py: SequentialScheduler of a plateau and a cosine
def olmo(t: int) -> float:
    if t < W:
        return t / W
    if t < 400:
        return 1.0
    return 0.1 + 0.9 * (1 + math.cos(math.pi * min(t - 400, 600) / 600)) / 2


# github.com/facebookresearch/dinov2, dinov2/utils/utils.py: CosineScheduler
def dinov2(t: int, start: float = 0.0, base: float = 1.0, final: float = 0.001) -> float:
    if t < W:
        return start + (base - start) * t / (W - 1)
    if t >= M:
        return final
    return final + 0.5 * (base - final) * (1 + math.cos(math.pi * (t - W) / (M - W)))


# A budget of wall-clock time, as in speed runs: the rate falls with the share that is left.
def wall_clock(t: int) -> float:
    return min(1.0, (M - t) / (0.4 * M)) if t < M else 0.0


CODES: dict[str, tuple[Callable[[int], float], Any]] = {
    "nanoGPT": (
        nanogpt,
        join([Warmup(W, skip_zero=True), Cosine(1, 0.1, M - W)], [W]),
    ),
    "nanochat": (nanochat, Piecewise({0: 1 / W, W - 1: 1, M - 400: 1, M: 0.05})),
    "modded-nanogpt, momentum": (modded_momentum, Piecewise({0: 0.85, 300: 0.95})),
    "Megatron, inverse square root": (
        megatron,
        join([Warmup(W), clip(InverseSqrt(1, W), 0.4, 1)], [W]),
    ),
    "Megatron, WSD": (
        megatron_wsd,
        Warmup(W) * (0.1 + 0.9 * (2 * Piecewise({M - 200: 1, M: (0.5, "Exponential")}) - 1)),
    ),
    "detectron2": (
        detectron2,
        Piecewise({0: 0.001, W: 1}) * PiecewiseConstant({0: 1, 600: 0.1, 900: 0.01}),
    ),
    "ultralytics": (
        ultralytics,
        Warmup(W) * (0.01 + 0.99 * stretch(staircase(Linear(1, 0, 20), 1), 50)),
    ),
    "DeepSpeed": (
        deepspeed,
        join(
            [Piecewise({0: 0.1, 100: 1, 200: 0.1}), InversePower(0.1, 50, 1)],
            [200],
        ),
    ),
    "timm": (timm, switch({0: Linear(0.01, 1, W), W: Cosine(1, 0, M)})),
    "OLMo-core": (olmo, Piecewise({0: 0, W: 1, 400: 1, M: (0.1, "Cosine")})),
    "DINOv2": (dinov2, join([Linear(0, 1, W - 1), Cosine(1, 0.001, M - W)], [W])),
    "a wall-clock budget": (wall_clock, Piecewise({0.6 * M: 1, M: 0})),
}


@pytest.mark.parametrize(("formula", "curve"), CODES.values(), ids=CODES)
def test_a_public_code_in_these_words(formula: Callable[[int], float], curve: Any) -> None:
    """The values are those of the code's own formula, and again after a trip through JSON."""
    expected = [formula(t) for t in range(M + 1)]
    assert [curve(t) for t in range(M + 1)] == pytest.approx(expected, rel=1e-9, abs=1e-15)
    back = from_dict(json.loads(json.dumps(to_dict(curve))))
    assert back == curve
    assert [back(t) for t in range(0, M + 1, 7)] == [curve(t) for t in range(0, M + 1, 7)]


@pytest.mark.parametrize(("formula", "curve"), CODES.values(), ids=CODES)
def test_a_public_code_is_a_plan(formula: Callable[[int], float], curve: Any) -> None:
    """``to_plan``, JSON and ``from_plan`` give a schedule with the values of the code."""
    plan = json.loads(json.dumps(to_plan(CurveSchedule(adamw(lr=0.5), curve))))
    schedule = from_plan(adamw(lr=0.5), plan).schedules["lr"]
    steps = range(0, M + 1, 7)
    values = [schedule.values_at(t)[0] for t in steps]
    assert values == pytest.approx([0.5 * formula(t) for t in steps], rel=1e-9, abs=1e-15)
