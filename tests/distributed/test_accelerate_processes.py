"""Accelerate in two processes: by default it steps a prepared scheduler once per process."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import shared_plan as plan
import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from accelerate.utils import DataLoaderConfiguration
from processes import launch

PER_PROCESS = "once per process"
BY_THE_LOOP = "once, by the loop"
SPLIT_BATCHES = "once, with split batches"


def accelerator_arguments(stepping: str) -> dict[str, Any]:
    """Arguments with which Accelerate steps the schedule as often as ``stepping`` says."""
    if stepping == SPLIT_BATCHES:
        return {"dataloader_config": DataLoaderConfiguration(split_batches=True)}
    return {"step_scheduler_with_optimizer": stepping != BY_THE_LOOP}


def worker(folder: Path, stepping: str) -> list[dict[str, Any]]:
    """An uninterrupted run saves at ``SAVED_AT``, and a second run resumes there."""
    results = []
    for start in (0, plan.SAVED_AT):
        AcceleratorState._reset_state(reset_partial_state=True)
        accelerator = Accelerator(cpu=True, **accelerator_arguments(stepping))
        model = plan.make_model()
        optimizer = torch.optim.AdamW(plan.param_groups(model))
        schedule = plan.make_schedule(
            optimizer, accelerator.num_processes if stepping == PER_PROCESS else 1
        )
        prepared = accelerator.prepare(model, optimizer, schedule)
        values = {}
        if start == 0:
            values = plan.train(*prepared, range(plan.SAVED_AT), backward=accelerator.backward)
            accelerator.save_state(str(folder))
        else:
            accelerator.load_state(str(folder))
        values |= plan.train(
            *prepared, range(plan.SAVED_AT, plan.STEPS), backward=accelerator.backward
        )
        results.append({"values": values, "weights": model.state_dict()})
    return results


@pytest.mark.parametrize("stepping", [PER_PROCESS, BY_THE_LOOP, SPLIT_BATCHES])
def test_a_plan_counts_the_steps_that_accelerate_makes(tmp_path: Path, stepping: str) -> None:
    """Every rank follows a plan of processes × steps, or one of steps if Accelerate steps once."""
    plan.assert_ranks_on_plan(launch(worker, tmp_path, stepping))
