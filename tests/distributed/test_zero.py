"""ZeroRedundancyOptimizer: each process keeps the state of its share of the parameters."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from shared_plan import (
    SAVED_AT,
    STEPS,
    assert_on_plan,
    assert_same_weights,
    make_model,
    param_groups,
    schedules,
    train,
    values_of,
)
from torch.distributed.optim import ZeroRedundancyOptimizer
from torch.nn.parallel import DistributedDataParallel
from two_processes import launch

import torch_schedule_anything as tsa


def worker(file: Path) -> list[dict[str, Any]]:
    """An uninterrupted run that saves at ``SAVED_AT``, and the one resumed from there."""
    results = []
    for start in (0, SAVED_AT):
        model = make_model()
        optimizer = ZeroRedundancyOptimizer(param_groups(model), torch.optim.AdamW)
        sync = tsa.SynchronousSchedule(schedules(optimizer))
        parallel = DistributedDataParallel(model)
        parts = {"model": model, "optimizer": optimizer, "schedule": sync}
        values = {}
        if start == 0:
            values = train(parallel, optimizer, sync, range(SAVED_AT), data=dist.get_rank())
            optimizer.consolidate_state_dict(to=0)
            if dist.get_rank() == 0:
                torch.save({key: part.state_dict() for key, part in parts.items()}, file)
        else:
            dist.barrier()  # rank 0 has saved
            for key, state in torch.load(file, weights_only=True).items():
                parts[key].load_state_dict(state)
        values |= train(parallel, optimizer, sync, range(SAVED_AT, STEPS), data=dist.get_rank())
        stepped_with = values_of(optimizer.optim)
        results.append(
            {"values": values, "weights": model.state_dict(), "stepped_with": stepped_with}
        )
    return results


def test_same_values_on_every_rank_and_after_resume(tmp_path: Path) -> None:
    """Both ranks are on the plan, and a consolidated state resumes to the same weights."""
    ranks = launch(worker, tmp_path / "run.pt")
    for whole, resumed in ranks:
        assert_on_plan(whole["values"], range(STEPS))
        assert_on_plan(resumed["values"], range(SAVED_AT, STEPS))
        for run in (whole, resumed):
            assert_same_weights(run["weights"], ranks[0][0]["weights"])
            # The optimizer inside, which updates the parameters, is given the values as it steps.
            assert run["stepped_with"] == run["values"][STEPS - 1]
