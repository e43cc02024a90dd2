"""Every process has its own schedules, and all of the optimizer (DDP) or its part of it (ZeRO)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as dist
import training_plan as plan
from processes import assert_ranks_on_plan, launch, train
from torch.distributed.optim import ZeroRedundancyOptimizer
from torch.nn.parallel import DistributedDataParallel


def train_and_resume(
    file: Path, make_schedule: Callable[[Any], Any], is_zero: bool
) -> list[plan.Run]:
    """An uninterrupted run, whose rank 0 saves at ``SAVED_AT``, and a second run resumes there."""
    runs = []
    for start in (0, plan.SAVED_AT):
        model, rank = plan.make_model(), dist.get_rank()
        groups, adamw = plan.groups_of(model), torch.optim.AdamW
        optimizer = ZeroRedundancyOptimizer(groups, adamw) if is_zero else adamw(groups)
        schedule = make_schedule(optimizer)
        loop = DistributedDataParallel(model), optimizer, schedule
        parts = {"model": model, "optimizer": optimizer, "schedule": schedule}
        values = {}
        if start == 0:
            values = train(*loop, range(plan.SAVED_AT), data=rank)
            if is_zero:
                optimizer.consolidate_state_dict(to=0)
            if rank == 0:
                torch.save({key: part.state_dict() for key, part in parts.items()}, file)
        else:
            dist.barrier()  # the file is complete: rank 0 comes here after it has saved
            for key, state in torch.load(file, weights_only=True).items():
                parts[key].load_state_dict(state)
        values |= train(*loop, range(plan.SAVED_AT, plan.STEPS), data=rank)
        if is_zero:
            # The inner optimizer updates the parameters. It gets the group values at each step, so
            # after the last step it holds the values of that step.
            assert plan.values_of(optimizer.optim) == values[plan.STEPS - 1]
        runs.append((values, model.state_dict()))
    return runs


@pytest.mark.parametrize(
    ("make_schedule", "is_zero"),
    [(plan.make_schedule, False), (plan.make_schedule, True), (plan.make_schedule_on_steps, True)],
    ids=["DDP", "ZeRO", "ZeRO, with a clock"],
)
def test_every_rank_stays_on_the_plan_and_resumes_to_the_same_weights(
    make_schedule: Callable[[Any], Any], is_zero: bool, tmp_path: Path
) -> None:
    """Both ranks follow the plan, and a resumed run ends in the same weights."""
    ranks = launch(train_and_resume, tmp_path / "run.pt", make_schedule, is_zero)
    assert_ranks_on_plan(ranks)
