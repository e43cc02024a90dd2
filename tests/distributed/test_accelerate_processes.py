"""Accelerate in two processes, where it steps a prepared scheduler twice a training step."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
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


def worker(folder: Path, once: bool) -> list[dict[str, Any]]:
    """An uninterrupted run that saves at ``SAVED_AT``, and the one resumed from there."""
    results = []
    for start in (0, SAVED_AT):
        AcceleratorState._reset_state(reset_partial_state=True)
        accelerator = Accelerator(cpu=True, step_scheduler_with_optimizer=not once)
        model = make_model()
        optimizer = torch.optim.AdamW(param_groups(model))
        sync = tsa.SynchronousSchedule(
            schedules(optimizer, per_step=1 if once else accelerator.num_processes)
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


@pytest.mark.parametrize("once", [False, True])
def test_a_plan_is_counted_in_scheduler_steps(tmp_path: Path, once: bool) -> None:
    """With a plan of processes × steps, or Accelerate told to step once, every rank is on it."""
    ranks = launch(worker, tmp_path, once)
    for whole, resumed in ranks:
        assert_on_plan(whole["values"], range(STEPS))
        assert_on_plan(resumed["values"], range(SAVED_AT, STEPS))
        for run in (whole, resumed):
            assert_same_weights(run["weights"], ranks[0][0]["weights"])
