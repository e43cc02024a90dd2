"""ZeRO: every process has its own schedules, and its part of the optimizer. DDP is Accelerate's."""

from __future__ import annotations

from pathlib import Path

import torch
import torch.distributed as dist
import training_plan as plan
from processes import assert_ranks_on_plan, launch, train
from torch.distributed.optim import ZeroRedundancyOptimizer
from torch.nn.parallel import DistributedDataParallel


def train_and_resume(file: Path) -> list[plan.Run]:
    """An uninterrupted run, whose rank 0 saves at ``SAVED_AT``, and a second run resumes there."""
    runs = []
    for start in (0, plan.SAVED_AT):
        model, rank = plan.make_model(), dist.get_rank()
        optimizer = ZeroRedundancyOptimizer(plan.groups_of(model), torch.optim.AdamW)
        schedule = plan.make_schedule_on_steps(optimizer)
        loop = DistributedDataParallel(model), optimizer, schedule
        parts = {"model": model, "optimizer": optimizer, "schedule": schedule}
        values = {}
        if start == 0:
            values = train(*loop, range(plan.SAVED_AT), data=rank)
            optimizer.consolidate_state_dict(to=0)
            if rank == 0:
                torch.save({key: part.state_dict() for key, part in parts.items()}, file)
        else:
            dist.barrier()  # the file is complete: rank 0 comes here after it has saved
            for key, state in torch.load(file, weights_only=True).items():
                parts[key].load_state_dict(state)
        values |= train(*loop, range(plan.SAVED_AT, plan.STEPS), data=rank)
        # The inner optimizer updates the parameters. It gets the group values at each step, so
        # after the last step it holds the values of that step.
        assert plan.values_of(optimizer.optim) == values[plan.STEPS - 1]
        runs.append((values, model.state_dict()))
    return runs


def test_every_rank_stays_on_the_plan_and_resumes_to_the_same_weights(tmp_path: Path) -> None:
    assert_ranks_on_plan(launch(train_and_resume, tmp_path / "run.pt"))
