"""Every process has its own schedules, and all of the optimizer (DDP) or its part of it (ZeRO)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import shared_plan as plan
import torch
import torch.distributed as dist
from processes import launch
from torch.distributed.optim import ZeroRedundancyOptimizer
from torch.nn.parallel import DistributedDataParallel

import torch_schedule_anything as tsa


def make_adamw(groups: list[dict[str, Any]], is_zero: bool) -> Any:
    if is_zero:
        return ZeroRedundancyOptimizer(groups, torch.optim.AdamW)
    return torch.optim.AdamW(groups)


def train_and_resume(
    file: Path, make_schedule: Callable[[Any], Any], is_zero: bool
) -> list[dict[str, Any]]:
    """An uninterrupted run, whose rank 0 saves at ``SAVED_AT``, and a second run resumes there."""
    results = []
    for start in (0, plan.SAVED_AT):
        model = plan.make_model()
        optimizer = make_adamw(plan.param_groups(model), is_zero)
        schedule = make_schedule(optimizer)
        loop = DistributedDataParallel(model), optimizer, schedule
        parts = {"model": model, "optimizer": optimizer, "schedule": schedule}
        values = {}
        if start == 0:
            values = plan.train(*loop, range(plan.SAVED_AT), data=dist.get_rank())
            if is_zero:
                optimizer.consolidate_state_dict(to=0)
            if dist.get_rank() == 0:
                torch.save({key: part.state_dict() for key, part in parts.items()}, file)
        else:
            dist.barrier()  # the file is complete: rank 0 comes here after it has saved
            for key, state in torch.load(file, weights_only=True).items():
                parts[key].load_state_dict(state)
        values |= plan.train(*loop, range(plan.SAVED_AT, plan.STEPS), data=dist.get_rank())
        if is_zero:
            # The inner optimizer updates the parameters. It gets the group values at each step, so
            # after the last step it holds the values of that step.
            assert plan.values_of(optimizer.optim) == values[plan.STEPS - 1]
        results.append({"values": values, "weights": model.state_dict()})
    return results


def make_schedule_on_steps(optimizer: Any) -> Any:
    return plan.make_schedule_with_clock(optimizer, tsa.OptimizerSteps(optimizer))


@pytest.mark.parametrize(
    ("make_schedule", "is_zero"),
    [(plan.make_schedule, False), (plan.make_schedule, True), (make_schedule_on_steps, True)],
    ids=["DDP", "ZeRO", "ZeRO, with a clock"],
)
def test_every_rank_stays_on_the_plan_and_resumes_to_the_same_weights(
    make_schedule: Callable[[Any], Any], is_zero: bool, tmp_path: Path
) -> None:
    """Both ranks follow the plan, and a resumed run ends in the same weights."""
    ranks = launch(train_and_resume, tmp_path / "run.pt", make_schedule, is_zero)
    plan.assert_ranks_on_plan(ranks)
