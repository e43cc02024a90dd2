"""FSDP2 and torch.distributed.checkpoint: saved on two processes, loaded on two and on one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as dist
import torch.distributed.checkpoint as dcp
import training_plan as plan
from processes import launch, train
from torch.distributed.checkpoint.state_dict import (
    StateDictOptions,
    get_model_state_dict,
    get_state_dict,
    set_model_state_dict,
    set_optimizer_state_dict,
    set_state_dict,
)
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard

import torch_schedule_anything as tsa

LAYOUTS = {
    "flattened": StateDictOptions(flatten_optimizer_state_dict=True),
    "nested": StateDictOptions(flatten_optimizer_state_dict=False),
}
FULL = StateDictOptions(full_state_dict=True, cpu_offload=True)

Parts = tuple[Any, torch.optim.Optimizer, tsa.SynchronousSchedule]


def make_parts(has_clip: bool = True) -> Parts:
    model = plan.make_model()
    fully_shard(model, mesh=init_device_mesh("cpu", (dist.get_world_size(),)))
    optimizer = torch.optim.AdamW(plan.groups_of(model))
    if has_clip:
        return model, optimizer, plan.make_schedule(optimizer)
    for group in optimizer.param_groups:
        del group["clip"]
    members = [plan.lr_schedule(optimizer), plan.exponential(optimizer)]
    return model, optimizer, tsa.SynchronousSchedule(members)


def state_of(parts: Parts, options: StateDictOptions) -> dict[str, Any]:
    model, optimizer, schedule = parts
    model_state, optimizer_state = get_state_dict(model, optimizer, options=options)
    return {"model": model_state, "optimizer": optimizer_state, "schedule": schedule.state_dict()}


def load(parts: Parts, checkpoint: Path, options: StateDictOptions, **settings: Any) -> None:
    model, optimizer, schedule = parts
    state = state_of(parts, options)
    dcp.load(state, checkpoint_id=checkpoint, **settings)
    states = {"model_state_dict": state["model"], "optim_state_dict": state["optimizer"]}
    set_state_dict(model, optimizer, **states, options=options)
    schedule.load_state_dict(state["schedule"])


def train_to_the_end(parts: Parts) -> plan.Run:
    values = train(*parts, range(plan.SAVED_AT, plan.STEPS))
    # Every rank must take part in collecting the weights, but only rank 0 receives them.
    return values, get_model_state_dict(parts[0], options=FULL)


def train_and_save(folder: Path) -> plan.Run:
    """An uninterrupted run saves at ``SAVED_AT``: both layouts of dcp, and one full file."""
    parts = make_parts()
    values = train(*parts, range(plan.SAVED_AT))
    for layout, options in LAYOUTS.items():
        dcp.save(state_of(parts, options), checkpoint_id=folder / layout)
    full = state_of(parts, FULL)
    if dist.get_rank() == 0:
        torch.save(full, folder / "full.pt")
    later, weights = train_to_the_end(parts)
    return values | later, weights


def load_and_train(folder: Path) -> list[plan.Run]:
    """The run goes on from each of the two distributed checkpoints."""
    runs = []
    for layout, options in LAYOUTS.items():
        parts = make_parts()
        load(parts, folder / layout, options)
        runs.append(train_to_the_end(parts))
    return runs


def load_full_and_train(folder: Path) -> list[plan.Run]:
    """The run goes on from the full file, which only rank 0 reads and sends to the others."""
    model, optimizer, schedule = parts = make_parts()
    state = {"model": {}, "optimizer": {}, "schedule": None}
    if dist.get_rank() == 0:
        state = torch.load(folder / "full.pt", weights_only=True)
    schedule_state = [state["schedule"]]
    dist.broadcast_object_list(schedule_state)
    options = StateDictOptions(full_state_dict=True, broadcast_from_rank0=True)
    # set_state_dict of torch 2.13 loads only the optimizer if a rank's model state is empty. So
    # the model and the optimizer are set separately.
    set_model_state_dict(model, state["model"], options=options)
    set_optimizer_state_dict(model, optimizer, state["optimizer"], options=options)
    schedule.load_state_dict(schedule_state[0])
    return [train_to_the_end(parts)]


def load_a_checkpoint_without_clip(folder: Path) -> list[tuple[str, dict[int, plan.Values]]]:
    """Per layout: the error of ``dcp.load``, and the values after a partial load."""
    results = []
    for layout, options in LAYOUTS.items():
        model, optimizer, schedule = older = make_parts(has_clip=False)
        for _ in range(plan.SAVED_AT):
            model(torch.ones(1, 4)).sum().backward()
            optimizer.step()
            schedule.step()
        dcp.save(state_of(older, options), checkpoint_id=folder / layout)

        newer = make_parts()
        with pytest.raises(dcp.api.CheckpointException) as error:
            load(newer, folder / layout, options)
        planner = dcp.DefaultLoadPlanner(allow_partial_load=True)
        load(newer, folder / layout, options, planner=planner)
        values = train(*newer, range(plan.SAVED_AT, plan.SAVED_AT + 3))
        results.append((str(error.value), values))
    return results


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, plan.Run]:
    """The folder with the checkpoints of an uninterrupted run, and this run."""
    folder = tmp_path_factory.mktemp("saved")
    ranks = launch(train_and_save, folder)
    for values, _ in ranks:
        plan.assert_run_on_plan(values)
    return folder, ranks[0]


@pytest.mark.parametrize(
    ("resume", "world_size"), [(load_and_train, 2), (load_and_train, 1), (load_full_and_train, 2)]
)
def test_a_checkpoint_of_two_processes_resumes_on_two_and_on_one(
    saved: tuple[Path, plan.Run], resume: Any, world_size: int
) -> None:
    """A distributed checkpoint, flattened or nested, resumes on the plan to the same weights.

    So does a full state dict that rank 0 broadcasts, though torch turns betas into a list.
    """
    folder, whole = saved
    ranks = launch(resume, folder, world_size=world_size)
    for runs in ranks:
        for values, _ in runs:
            plan.assert_run_on_plan(values, start=plan.SAVED_AT)
    for run in ranks[0]:
        plan.assert_resumed(run, whole)


def test_a_checkpoint_without_a_scheduled_entry_loads_only_partially(tmp_path: Path) -> None:
    """An entry that the checkpoint lacks is named; after a partial load its plan starts at 0."""
    for results in launch(load_a_checkpoint_without_clip, tmp_path):
        for error, values_by_step in results:
            assert "Missing key in checkpoint" in error
            assert "clip" in error
            for t, values in values_by_step.items():
                new = t - plan.SAVED_AT  # the targets that the checkpoint has go on from t
                decay = 1 - 0.75 * new / plan.STEPS
                plan.assert_on_plan(values, t, clip=4 - 3 * new / 8, weight_decay=decay)
