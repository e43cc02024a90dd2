"""FSDP2 and torch.distributed.checkpoint: saved on two processes, loaded on two and on one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import shared_plan as plan
import torch
import torch.distributed as dist
import torch.distributed.checkpoint as dcp
from processes import launch
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


def make_model_and_optimizer() -> tuple[Any, torch.optim.Optimizer]:
    model = plan.make_model()
    fully_shard(model, mesh=init_device_mesh("cpu", (dist.get_world_size(),)))
    return model, torch.optim.AdamW(plan.param_groups(model))


def make_parts() -> Parts:
    model, optimizer = make_model_and_optimizer()
    return model, optimizer, plan.make_schedule(optimizer)


def state_of(parts: Parts, options: StateDictOptions) -> dict[str, Any]:
    model, optimizer, schedule = parts
    model_state, optimizer_state = get_state_dict(model, optimizer, options=options)
    return {"model": model_state, "optimizer": optimizer_state, "schedule": schedule.state_dict()}


def set_state(parts: Parts, state: dict[str, Any], options: StateDictOptions) -> None:
    model, optimizer, schedule = parts
    set_state_dict(
        model,
        optimizer,
        model_state_dict=state["model"],
        optim_state_dict=state["optimizer"],
        options=options,
    )
    schedule.load_state_dict(state["schedule"])


def result_of(model: Any, values: dict[int, Any]) -> dict[str, Any]:
    # Every rank must take part in collecting the weights, but only rank 0 receives them.
    return {"values": values, "weights": get_model_state_dict(model, options=FULL)}


def train_and_save(folder: Path) -> dict[str, Any]:
    """An uninterrupted run saves at ``SAVED_AT``: both layouts of dcp, and one full file."""
    parts = make_parts()
    values = plan.train(*parts, range(plan.SAVED_AT))
    for layout, options in LAYOUTS.items():
        dcp.save(state_of(parts, options), checkpoint_id=folder / layout)
    full = state_of(parts, FULL)
    if dist.get_rank() == 0:
        torch.save(full, folder / "full.pt")
    values |= plan.train(*parts, range(plan.SAVED_AT, plan.STEPS))
    return result_of(parts[0], values)


def load_and_train(folder: Path) -> dict[str, dict[str, Any]]:
    """The run goes on from each of the two distributed checkpoints."""
    results = {}
    for layout, options in LAYOUTS.items():
        parts = make_parts()
        state = state_of(parts, options)
        dcp.load(state, checkpoint_id=folder / layout)
        set_state(parts, state, options)
        values = plan.train(*parts, range(plan.SAVED_AT, plan.STEPS))
        results[layout] = result_of(parts[0], values)
    return results


def load_full_and_train(folder: Path) -> dict[str, Any]:
    """The run goes on from the full file, which only rank 0 reads and sends to the others."""
    model, optimizer, schedule = make_parts()
    state = {"model": {}, "optimizer": {}}
    if dist.get_rank() == 0:
        state = torch.load(folder / "full.pt", weights_only=True)
    schedule_state = [state.get("schedule")]
    dist.broadcast_object_list(schedule_state)
    options = StateDictOptions(full_state_dict=True, broadcast_from_rank0=True)
    # set_state_dict of torch 2.13 loads only the optimizer if a rank's model state is empty. So
    # the model and the optimizer are set separately.
    set_model_state_dict(model, state["model"], options=options)
    set_optimizer_state_dict(model, optimizer, state["optimizer"], options=options)
    schedule.load_state_dict(schedule_state[0])
    values = plan.train(model, optimizer, schedule, range(plan.SAVED_AT, plan.STEPS))
    return result_of(model, values)


def load_a_checkpoint_without_loss_weight(folder: Path) -> dict[str, Any]:
    """Per layout: the error of ``dcp.load``, and the values after a partial load."""
    results: dict[str, Any] = {}
    for layout, options in LAYOUTS.items():
        model, optimizer = make_model_and_optimizer()
        older = (model, optimizer, tsa.SynchronousSchedule(plan.builtins(optimizer)))
        for _ in range(plan.SAVED_AT):
            model(torch.ones(1, 4)).sum().backward()
            optimizer.step()
            older[2].step()
        dcp.save(state_of(older, options), checkpoint_id=folder / layout)

        newer = make_parts()
        state = state_of(newer, options)
        with pytest.raises(dcp.api.CheckpointException) as error:
            dcp.load(state, checkpoint_id=folder / layout)
        planner = dcp.DefaultLoadPlanner(allow_partial_load=True)
        dcp.load(state, checkpoint_id=folder / layout, planner=planner)
        set_state(newer, state, options)
        results[layout] = {
            "error": str(error.value),
            "values": plan.train(*newer, range(plan.SAVED_AT, plan.SAVED_AT + 3)),
        }
    return results


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, torch.Tensor]]:
    """The folder with the checkpoints of an uninterrupted run, and the weights at its end."""
    folder = tmp_path_factory.mktemp("saved")
    ranks = launch(train_and_save, folder)
    for result in ranks:
        plan.assert_on_plan(result["values"], range(plan.STEPS))
    return folder, ranks[0]["weights"]


@pytest.mark.parametrize("world_size", [2, 1])
def test_a_checkpoint_of_two_processes_resumes_on_two_and_on_one(
    saved: tuple[Path, Any], world_size: int
) -> None:
    """A distributed checkpoint, flattened or nested, resumes on the plan to the same weights."""
    folder, weights = saved
    ranks = launch(load_and_train, folder, world_size=world_size)
    for result in ranks:
        for layout in LAYOUTS:
            plan.assert_on_plan(result[layout]["values"], range(plan.SAVED_AT, plan.STEPS))
    for layout in LAYOUTS:
        plan.assert_same_weights(ranks[0][layout]["weights"], weights)


def test_a_full_state_dict_that_rank_0_broadcasts_resumes(saved: tuple[Path, Any]) -> None:
    """A full state dict broadcast from rank 0 resumes, though torch turns betas into a list."""
    folder, weights = saved
    ranks = launch(load_full_and_train, folder)
    for result in ranks:
        plan.assert_on_plan(result["values"], range(plan.SAVED_AT, plan.STEPS))
    plan.assert_same_weights(ranks[0]["weights"], weights)


def test_a_checkpoint_without_a_scheduled_entry_loads_only_partially(tmp_path: Path) -> None:
    """An entry that the checkpoint lacks is named; after a partial load its plan starts at 0."""
    for result in launch(load_a_checkpoint_without_loss_weight, tmp_path):
        for layout in LAYOUTS:
            assert "Missing key in checkpoint" in result[layout]["error"]
            assert "loss_weight" in result[layout]["error"]
            for t, values in result[layout]["values"].items():
                # The targets that the checkpoint has go on from there.
                from_start = plan.expected(t - plan.SAVED_AT)["loss_weight"]
                wanted = {**plan.expected(t), "loss_weight": from_start}
                torch.testing.assert_close(values, wanted, rtol=1e-12, atol=0.0)
