"""DistributedDataParallel: every process has the whole optimizer and its own schedules."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import shared_plan as plan
import torch
from data_parallel import train_and_resume
from processes import launch


def worker(file: Path) -> list[dict[str, Any]]:
    return [result for _, result in train_and_resume(file, torch.optim.AdamW)]


def test_every_ddp_rank_stays_on_the_plan_and_resumes_to_the_same_weights(tmp_path: Path) -> None:
    """Under DDP both ranks follow the plan, and a resumed run ends in the same weights."""
    plan.assert_ranks_on_plan(launch(worker, tmp_path / "run.pt"))
