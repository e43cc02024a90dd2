"""Train under DistributedDataParallel, and resume from a checkpoint that rank 0 saves."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import shared_plan as plan
import torch
import torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel


def train_and_resume(
    file: Path,
    make_optimizer: Callable[[list[dict[str, Any]]], Any],
    before_saving: Callable[[Any], None] = lambda optimizer: None,
    make_schedule: Callable[[Any], Any] = plan.make_schedule,
) -> list[tuple[Any, dict[str, Any]]]:
    """The optimizer and the result of two runs.

    The first run is uninterrupted and saves at ``SAVED_AT``. The second one resumes there.
    """
    runs = []
    for start in (0, plan.SAVED_AT):
        model = plan.make_model()
        optimizer = make_optimizer(plan.param_groups(model))
        schedule = make_schedule(optimizer)
        train = train_on_data_of_rank(DistributedDataParallel(model), optimizer, schedule)
        parts = {"model": model, "optimizer": optimizer, "schedule": schedule}
        values = {}
        if start == 0:
            values = train(range(plan.SAVED_AT))
            before_saving(optimizer)
            if dist.get_rank() == 0:
                torch.save({key: part.state_dict() for key, part in parts.items()}, file)
        else:
            dist.barrier()  # the file is complete: rank 0 comes here after it has saved
            for key, state in torch.load(file, weights_only=True).items():
                parts[key].load_state_dict(state)
        values |= train(range(plan.SAVED_AT, plan.STEPS))
        runs.append((optimizer, {"values": values, "weights": model.state_dict()}))
    return runs


def train_on_data_of_rank(
    model: Any, optimizer: Any, schedule: Any
) -> Callable[[range], dict[int, Any]]:
    return lambda steps: plan.train(model, optimizer, schedule, steps, data=dist.get_rank())
