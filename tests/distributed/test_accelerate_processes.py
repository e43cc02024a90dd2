"""Accelerate in two processes, where it steps a prepared scheduler twice, unless told otherwise."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from accelerate.utils import DataLoaderConfiguration
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
from two_processes import launch

import torch_schedule_anything as tsa


def options(stepping: str) -> dict[str, Any]:
    """What makes Accelerate step so often."""
    if stepping == "once, batches being split":
        return {"dataloader_config": DataLoaderConfiguration(split_batches=True)}
    return {"step_scheduler_with_optimizer": stepping != "once, by the loop"}


def worker(folder: Path, stepping: str) -> list[dict[str, Any]]:
    """An uninterrupted run that saves at ``SAVED_AT``, and the one resumed from there."""
    results = []
    for start in (0, SAVED_AT):
        AcceleratorState._reset_state(reset_partial_state=True)
        accelerator = Accelerator(cpu=True, **options(stepping))
        model = make_model()
        optimizer = torch.optim.AdamW(param_groups(model))
        sync = tsa.SynchronousSchedule(
            schedules(
                optimizer, per_step=accelerator.num_processes if stepping == "once a process" else 1
            )
        )
        parallel, *others = accelerator.prepare(model, optimizer, sync)
        values = {}
        if start == 0:
            values = train(parallel, *others, range(SAVED_AT), backward=accelerator.backward)
            accelerator.save_state(str(folder))
        else:
            accelerator.load_state(str(folder))
        values |= train(parallel, *others, range(SAVED_AT, STEPS), backward=accelerator.backward)
        results.append({"values": values, "weights": model.state_dict()})
    return results


@pytest.mark.parametrize(
    "stepping", ["once a process", "once, by the loop", "once, batches being split"]
)
def test_a_plan_is_counted_in_scheduler_steps(tmp_path: Path, stepping: str) -> None:
    """With a plan of processes × steps, or Accelerate told to step once, every rank is on it."""
    ranks = launch(worker, tmp_path, stepping)
    for whole, resumed in ranks:
        assert_on_plan(whole["values"], range(STEPS))
        assert_on_plan(resumed["values"], range(SAVED_AT, STEPS))
        for run in (whole, resumed):
            assert_same_weights(run["weights"], ranks[0][0]["weights"])
