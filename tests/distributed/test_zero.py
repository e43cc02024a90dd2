"""ZeroRedundancyOptimizer: each process keeps the state of its part of the parameters."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import shared_plan as plan
import torch
from data_parallel import train_and_resume
from processes import launch
from torch.distributed.optim import ZeroRedundancyOptimizer


def worker(file: Path) -> list[dict[str, Any]]:
    runs = train_and_resume(
        file,
        lambda groups: ZeroRedundancyOptimizer(groups, torch.optim.AdamW),
        before_saving=lambda optimizer: optimizer.consolidate_state_dict(to=0),
    )
    return [
        {**result, "values_of_inner_optimizer": plan.values_of(optimizer.optim)}
        for optimizer, result in runs
    ]


def test_every_zero_rank_stays_on_the_plan_and_resumes_to_the_same_weights(tmp_path: Path) -> None:
    """With ZeRO both ranks follow the plan, and a consolidated checkpoint resumes the run."""
    ranks = launch(worker, tmp_path / "run.pt")
    plan.assert_ranks_on_plan(ranks)
    for runs in ranks:
        for run in runs:
            # The inner optimizer updates the parameters. It gets the group values at each step, so
            # after the last step it holds the values of that step.
            assert run["values_of_inner_optimizer"] == run["values"][plan.STEPS - 1]
