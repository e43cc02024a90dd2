"""DistributedDataParallel: every process has the whole optimizer and its own schedules."""

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
)
from torch.nn.parallel import DistributedDataParallel
from two_processes import launch

import torch_schedule_anything as tsa


def worker(file: Path) -> list[dict[str, Any]]:
    """An uninterrupted run that saves at ``SAVED_AT``, and the one resumed from there."""
    results = []
    for start in (0, SAVED_AT):
        model = make_model()
        optimizer = torch.optim.AdamW(param_groups(model))
        sync = tsa.SynchronousSchedule(schedules(optimizer))
        parallel = DistributedDataParallel(model)
        parts = {"model": model, "optimizer": optimizer, "schedule": sync}
        values = {}
        if start == 0:
            values = train(parallel, optimizer, sync, range(SAVED_AT), data=dist.get_rank())
            if dist.get_rank() == 0:
                torch.save({key: part.state_dict() for key, part in parts.items()}, file)
        else:
            dist.barrier()  # rank 0 has saved
            for key, state in torch.load(file, weights_only=True).items():
                parts[key].load_state_dict(state)
        values |= train(parallel, optimizer, sync, range(SAVED_AT, STEPS), data=dist.get_rank())
        results.append({"values": values, "weights": model.state_dict()})
    return results


def test_same_values_on_every_rank_and_after_resume(tmp_path: Path) -> None:
    """Both ranks are on the plan at each step, and a resumed run comes to the same weights."""
    ranks = launch(worker, tmp_path / "run.pt")
    for whole, resumed in ranks:
        assert_on_plan(whole["values"], range(STEPS))
        assert_on_plan(resumed["values"], range(SAVED_AT, STEPS))
        for run in (whole, resumed):
            assert_same_weights(run["weights"], ranks[0][0]["weights"])
