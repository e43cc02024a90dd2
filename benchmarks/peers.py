"""Measure a step of another library, in an environment with it: python peers.py NAME RESULT.json.

It is compared with LambdaLR of the torch in that environment.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from importlib.metadata import version
from itertools import count
from pathlib import Path
from typing import Any

from measuring import GROUPS, adamw, compare, machine, yardstick

STEPS = 10**9

# A function per library puts its schedules on an optimizer, and returns their steps by name.
Step = Callable[[], Any]


def predecessor(optimizer: Any) -> dict[str, Step]:
    import torch_schedule_anything as tsa

    schedule = tsa.cosine_annealing_with_warmup(
        optimizer,
        warmup_to_value=1.0,
        anneal_to_value=0.1,
        num_warmup_steps=100,
        num_training_steps=STEPS,
        schedule_target="lr",
    )
    return {"cosine_annealing_with_warmup": schedule.step}


def ignite(optimizer: Any) -> dict[str, Step]:
    from ignite.handlers import CosineAnnealingScheduler, LinearCyclicalScheduler

    cosine = CosineAnnealingScheduler(optimizer, "lr", 0.1, 0.01, STEPS)
    linear = LinearCyclicalScheduler(optimizer, "lr", 0.1, 0.01, STEPS)
    return {
        "CosineAnnealingScheduler": lambda: cosine(None),
        "LinearCyclicalScheduler": lambda: linear(None),
    }


def timm(optimizer: Any) -> dict[str, Step]:
    from timm.scheduler import CosineLRScheduler

    schedule = CosineLRScheduler(optimizer, t_initial=STEPS, lr_min=0.01, t_in_epochs=False)
    steps = count(1)
    return {"CosineLRScheduler": lambda: schedule.step_update(next(steps))}


def mmengine(optimizer: Any) -> dict[str, Step]:
    from mmengine.optim import CosineAnnealingParamScheduler

    schedule = CosineAnnealingParamScheduler(
        optimizer, "lr", T_max=STEPS, eta_min=0.01, by_epoch=False
    )
    return {"CosineAnnealingParamScheduler": schedule.step}


PEERS = {
    "predecessor": ("torch-schedule-anything", predecessor),
    "ignite": ("pytorch-ignite", ignite),
    "timm": ("timm", timm),
    "mmengine": ("mmengine", mmengine),
}


def main(name: str, path: Path) -> None:
    distribution, make_steps = PEERS[name]
    rows = []
    for groups in GROUPS:
        optimizer = adamw(groups)
        steps = make_steps(optimizer)
        optimizer.step()
        for name_of_schedule, step in steps.items():
            figures = compare(step, yardstick(groups))
            print(f"{name_of_schedule}, {groups}: {figures['ratio']}", file=sys.stderr)
            # All groups start with different values. Some libraries give all groups one value.
            groups_apart = len({group["lr"] for group in optimizer.param_groups}) == groups
            row = {"what": name_of_schedule, "groups": groups, **figures}
            rows.append({**row, "groups_apart": groups_apart})
    peer = {"distribution": distribution, "version": version(distribution)}
    path.write_text(
        json.dumps({"machine": machine(), "peer": peer, "steps": rows}, indent=1) + "\n"
    )


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
