"""Each recipe of docs/recipes.md, as it stands there, against the formula of its project.

A formula here is what the project computes before the optimizer step t, with the project's numbers.
"""

from __future__ import annotations

import ast
import bisect
import json
import math
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import torch_schedule_anything as tsa

PAGE = (Path(__file__).parents[2] / "docs" / "recipes.md").read_text("utf-8")
BLOCK = re.compile(r"```python\n(.*?)```", re.DOTALL)
BEGINNING, *SECTIONS = re.split(r"(?m)^## ", PAGE)
RECIPES = {section.partition("\n")[0]: section for section in SECTIONS[:-1]}


@dataclass
class Codes:
    """The formulas of one project.

    ``members`` has each member's value at t, or one value per param group. ``curves`` has the
    numbers of the curves that a recipe shows beside its schedule.
    """

    boundaries: list[int]
    members: dict[str, Callable[[int], float | list[float]]]
    curves: dict[str, Callable[[int], float]] = field(default_factory=dict)

    @property
    def steps(self) -> list[int]:
        """Every step around each boundary, and others to the end, which is the last boundary."""
        last = max(self.boundaries)
        near = {b + d for b in (0, *self.boundaries) for d in range(-3, 4)}
        return sorted(t for t in near | set(range(0, last, 1 + last // 211)) if 0 <= t <= last)


def interpolated(t: float, start: float, end: float, first: float, last: float) -> float:
    """A line from ``first`` at ``start`` to ``last`` at ``end``, level outside: ``np.interp``."""
    share = min(max((t - start) / (end - start), 0), 1)
    return first + share * (last - first)


def half_wave(t: float, start: float, end: float, first: float, last: float) -> float:
    """The same with half of a cosine wave in place of the line."""
    share = interpolated(t, start, end, 0, 1)
    return last + 0.5 * (1 + math.cos(math.pi * share)) * (first - last)


def nanogpt(it: int) -> float:
    if it < 2000:
        return 6e-4 * (it + 1) / (2000 + 1)
    return half_wave(it, 2000, 600_000, 6e-4, 6e-5)


def nanochat(it: int) -> float:
    if it < 40:
        return (it + 1) / 40
    return interpolated(it, 5000 - round(0.65 * 5000), 5000, 1.0, 0.05)


def nanochat_momentum(it: int) -> float:
    if it < 400:
        return (1 - it / 400) * 0.85 + it / 400 * 0.97
    return interpolated(it, 5000 - round(0.65 * 5000), 5000, 0.97, 0.90)


# The stages of modded-nanogpt: their ends, learning rates, and batch sizes in units of the first.
ENDS = [round(1270 / 3), round(1270 * 2 / 3), 1270, 1285]


def modded_stage(step: int) -> int:
    return min(bisect.bisect_right(ENDS, step), 3)


def modded(step: int) -> float:
    value = [1.0, 1.52, 1.73, 1.0][modded_stage(step)]
    return 0.023 * interpolated(step, int(1270 * (1 - 0.60)), 1270, value, 0.15)


def modded_momentum(step: int) -> float:
    if step < 300:
        return 0.85 + step / 300 * (0.95 - 0.85)
    return interpolated(step, 1285 - 50, 1285, 0.95, 0.85)


def torchtitan(step: int, kind: str) -> float:
    total, warmup, decay, low = 10_000, 200, 800, 0.1
    stable = total + 1 - warmup - decay
    if step < warmup:
        return (step + 1) / warmup
    share = max(0, step + 1 - (warmup + stable)) / decay
    cosine = half_wave(share, 0, 1, 1, 0)
    shape = {"linear": 1 - share, "sqrt": 1 - math.sqrt(share), "cosine": cosine}
    return low + (1 - low) * shape[kind]


def olmo_wsd(n: int) -> float:
    return min(n / 2000, min(100_000 - n, 10_000) / 10_000, 1.0)


def olmo_cosine(n: int, stable_until: int = 2000) -> float:
    return min(n / 2000, half_wave(n, stable_until, 100_000, 1, 0.1))


def olmo_with_tail(n: int) -> float:
    return olmo_cosine(min(n, 90_000)) * min(100_000 - n, 10_000) / 10_000


def megatron(samples: int, style: str, max_lr: float, min_lr: float) -> float:
    warmup, decay, wsd = 1_000_000, 100_000_000, 20_000_000
    if samples <= warmup:
        return max_lr * samples / warmup
    if style == "inverse-square-root":
        return max(min_lr, max_lr * warmup**0.5 / samples**0.5)
    if style == "WSD":
        coeff = 2 * 0.5 ** (max(samples - (decay - wsd), 0) / wsd) - 1
        return min_lr + coeff * (max_lr - min_lr)
    return half_wave(samples, warmup, decay, max_lr, min_lr)


def megatron_rates(samples: int) -> list[float]:
    others = megatron(samples, "cosine", 3e-4, 3e-5)
    return [megatron(samples, "cosine", 1e-3, 1e-5), others, others]


def deepspeed_scale(iteration: int) -> float:
    """The share of the way up in a cycle of 1000 steps up and 2000 down."""
    x = iteration / 3000 - iteration // 3000
    return x * 3 if x <= 1 / 3 else (x - 1) / (1 / 3 - 1)


def deepspeed(n: int) -> float:
    in_cycle = 1e-4 + (1e-3 - 1e-4) * deepspeed_scale(n)
    return in_cycle if n <= 3000 else 1e-4 / (1 + 0.02 * (n - 3000) / 100)


def deepspeed_beta(n: int) -> float:
    if n == 0:
        return 0.8  # the constructor writes cycle_min_mom
    return 0.9 - (0.9 - 0.8) * deepspeed_scale(n) if n <= 3000 else 0.9


def dinov2_rates(it: int) -> list[float]:
    """The warmup is ``np.linspace``, which has both ends."""
    lr = half_wave(it, 12_500, 125_000, 0.004, 1e-6) if it >= 12_500 else 0.004 * it / 12_499
    return [lr * 0.2 * 0.9**13, lr, lr if it >= 1250 else 0.0]


def mae(t: int) -> float:
    epoch = t / 312
    return 2.4e-3 * epoch / 40 if epoch < 40 else half_wave(epoch, 40, 800, 2.4e-3, 0)


def timm(t: float) -> float:
    return 1e-5 + t * (1e-3 - 1e-5) / 5 if t < 5 else half_wave(t, 0, 300, 1e-3, 1e-6)


def ultralytics(ni: int) -> list[float]:
    epoch = ni // 500
    target = 0.01 * (max(1 - epoch / 100, 0) * (1.0 - 0.01) + 0.01)
    return [interpolated(ni, 0, 1500, start, target) for start in (0.0, 0.1)]


def detectron2(t: int) -> float:
    drops = 0.1 ** bisect.bisect_right([60_000, 80_000], t)
    return 0.02 * drops * (0.001 * (1 - t / 1000) + t / 1000 if t < 1000 else 1)


def ppo(update: int) -> float:
    return 1.0 - (update - 1.0) / 9765


CODES = {
    "nanoGPT": Codes([2000, 600_000, 600_010], {"lr": nanogpt}),
    "nanochat": Codes(
        [40, 400, 1750, 5000],
        {
            "muon/lr": lambda t: 0.02 * nanochat(t),
            "muon/momentum": nanochat_momentum,
            "muon/weight_decay": lambda t: half_wave(t, 0, 5000, 0.28, 0),
            "adamw/lr": lambda t: 3e-3 * nanochat(t),
        },
    ),
    "modded-nanogpt": Codes(
        [300, 508, 1235, *ENDS],
        {
            "lr": modded,
            "momentum": modded_momentum,
            "batch_size": lambda t: [8, 16, 24, 24][modded_stage(t)] * 2048 * 8,
            "third_token": lambda t: interpolated(t, 0, ENDS[0], 0.25, 0.0),
        },
    ),
    "torchtitan": Codes(
        [200, 9200, 10_000],
        {"lr": lambda t: 3e-4 * torchtitan(t, "sqrt")},
        {kind: partial(torchtitan, kind=kind) for kind in ("linear", "sqrt", "cosine")},
    ),
    "OLMo-core": Codes(
        [2000, 40_000, 90_000, 99_999],
        {"lr": lambda t: 4e-4 * olmo_with_tail(t + 1)},
        {
            "wsd": olmo_wsd,
            "cosine": olmo_cosine,
            "with_tail": olmo_with_tail,
            "sequential": partial(olmo_cosine, stable_until=40_000),
        },
    ),
    "Megatron-LM": Codes(
        [1_000_000, 80_000_000, 100_000_000],
        {
            "lr": megatron_rates,
            "weight_decay": lambda t: [
                share * half_wave(t, 0, 1e8, 0.01, 0.1) for share in (1, 1, 0)
            ],
        },
        {
            "wsd": lambda t: megatron(t, "WSD", 1, 0.1),
            "inverse_sqrt": lambda t: megatron(t, "inverse-square-root", 1, 0.1),
        },
    ),
    "DeepSpeed": Codes(
        [1000, 3000, 9000],
        {"lr": deepspeed, "betas[0]": deepspeed_beta},
        # WarmupLR after n calls of its step; before the first one it gives the minimum.
        {"warmup": lambda n: min(math.log(n) / math.log(1000), 1) if n > 0 else 0.0},
    ),
    "DINOv2": Codes(
        [1250, 12_500, 37_500, 125_000, 125_010],
        {
            "student/lr": dinov2_rates,
            "student/weight_decay": lambda t: [
                share * half_wave(t, 0, 125_000, 0.04, 0.4) for share in (1, 0, 1)
            ],
            "teacher/ema": lambda t: half_wave(t, 0, 125_000, 0.992, 1),
            "teacher/temperature": lambda t: interpolated(t, 0, 37_499, 0.04, 0.07),
        },
    ),
    "MAE": Codes([312 * 40, 312 * 41, 312 * 800], {"lr": mae}),
    "timm": Codes(
        [500, 30_000, 30_010],
        {"lr": lambda t: [scale * timm(t // 100) for scale in (0.75**2, 0.75, 1.0)]},
        {"updates": lambda t: timm(t / 100) / 1e-3, "epochs": lambda t: timm(t) / 1e-3},
    ),
    "ultralytics": Codes(
        [500, 1000, 1500, 2000, 49_999],
        {"lr": ultralytics, "momentum": lambda t: interpolated(t, 0, 1500, 0.8, 0.937)},
    ),
    "detectron2": Codes([1000, 60_000, 80_000, 90_000], {"lr": detectron2}),
    "PPO": Codes(
        [9765],
        {"lr": lambda t: 2.5e-4 * ppo(t + 1), "clip_range": lambda t: 0.1 * ppo(t + 1)},
        {"later": lambda t: max(ppo(t + 2), 0)},
    ),
    "Wall-clock budget": Codes(
        [150, 300, 310],
        {
            "lr": lambda t: 0.04 * interpolated(t, 150, 300, 1.0, 0.0),
            "weight_decay": lambda t: 0.2 * (1 - min(t / 300, 1)),
            "momentum": lambda t: interpolated(t, 0, 300, 0.85, 0.95),
        },
    ),
}


def run(name: str, *, schedules: bool = True) -> dict[str, Any]:
    """The names of a recipe after its blocks ran, or after all but each ``schedule = …``."""
    names: dict[str, Any] = {}
    for block in (*BLOCK.findall(BEGINNING), *BLOCK.findall(RECIPES[name])):
        program = ast.parse(block)
        if not schedules:
            program.body = [each for each in program.body if not makes_a_schedule(each)]
        exec(compile(program, name, "exec"), names)
    return names


def makes_a_schedule(statement: ast.stmt) -> bool:
    return (
        isinstance(statement, ast.Assign)
        and re.match(r"tsa\.(?!attributes)", ast.unparse(statement.value)) is not None
    )


def through_json(data: Any) -> Any:
    return json.loads(json.dumps(data))


def close(theirs: Any) -> Any:
    return pytest.approx(theirs, rel=1e-9, abs=1e-15)


def compare(schedule: Any, codes: Codes) -> None:
    """Compare the names, the present values, which are those at 0, and the values at every step."""
    members = getattr(schedule, "schedules", {"lr": schedule})  # one that stands alone is of lr
    assert [*members] == [*codes.members]
    for member, formula in codes.members.items():
        own = members[member]
        for t in codes.steps:
            theirs, ours = formula(t), own.values_at(t)
            expected = theirs if isinstance(theirs, list) else [theirs] * len(ours)
            assert ours == close(expected), (member, t)
            assert t > 0 or own.get_last_lr() == ours


def test_every_recipe_has_its_formulas_and_a_row_in_the_table() -> None:
    """The page, its table and the formulas here have the same projects, in the same order."""
    rows = re.findall(r"(?m)^\| \[([^\]]+)\]\(#([^)]+)\)", BEGINNING)
    assert [name for name, _ in rows] == [*RECIPES] == [*CODES]
    assert [anchor for _, anchor in rows] == [name.lower().replace(" ", "-") for name in RECIPES]


@pytest.mark.parametrize("name", CODES)
def test_a_recipe_has_the_values_of_its_project(name: str) -> None:
    """Its schedule has them, its plan on a fresh optimizer too, and so have its other curves."""
    names, codes = run(name), CODES[name]
    compare(names["schedule"], codes)

    fresh = run(name, schedules=False)
    assert "schedule" not in fresh
    plan = through_json(tsa.to_plan(names["schedule"]))
    compare(tsa.from_plan(fresh["optimizer"], plan), codes)

    for own, formula in codes.curves.items():
        made = names[own]
        curve = made.curve if isinstance(made, tsa.CurveSchedule) else made
        back = tsa.curves.from_dict(through_json(tsa.curves.to_dict(curve)))
        assert back == curve
        assert [back(t) for t in codes.steps] == close([formula(t) for t in codes.steps]), own
