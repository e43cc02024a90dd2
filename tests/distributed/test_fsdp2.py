"""FSDP2 and torch.distributed.checkpoint: saved on two processes, loaded on two and on one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as dist
import torch.distributed.checkpoint as dcp
from shared_plan import (
    SAVED_AT,
    STEPS,
    assert_on_plan,
    assert_same_weights,
    expected,
    make_model,
    param_groups,
    schedules,
    train,
)
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
from two_processes import launch

import torch_schedule_anything as tsa

FLATTENED = StateDictOptions(flatten_optimizer_state_dict=True)
NESTED = StateDictOptions(flatten_optimizer_state_dict=False)
BOTH = {"flattened": FLATTENED, "nested": NESTED}
FULL = StateDictOptions(full_state_dict=True, cpu_offload=True)


def make_parts() -> tuple[Any, Any]:
    model = make_model()
    fully_shard(model, mesh=init_device_mesh("cpu", (dist.get_world_size(),)))
    return model, torch.optim.AdamW(param_groups(model))


def state_of(model: Any, optimizer: Any, sync: Any, options: StateDictOptions) -> dict[str, Any]:
    model_state, optimizer_state = get_state_dict(model, optimizer, options=options)
    return {"model": model_state, "optimizer": optimizer_state, "schedule": sync.state_dict()}


def set_state(
    model: Any, optimizer: Any, sync: Any, state: dict[str, Any], options: StateDictOptions
) -> None:
    set_state_dict(
        model,
        optimizer,
        model_state_dict=state["model"],
        optim_state_dict=state["optimizer"],
        options=options,
    )
    sync.load_state_dict(state["schedule"])


def result(model: Any, values: dict[int, Any]) -> dict[str, Any]:
    # Every rank takes part, and rank 0 gets them.
    return {"values": values, "weights": get_model_state_dict(model, options=FULL)}


def train_and_save(folder: Path) -> dict[str, Any]:
    """The uninterrupted run, saved at ``SAVED_AT`` in all three ways."""
    model, optimizer = make_parts()
    sync = tsa.SynchronousSchedule(schedules(optimizer))
    values = train(model, optimizer, sync, range(SAVED_AT))
    for name, options in BOTH.items():
        dcp.save(state_of(model, optimizer, sync, options), checkpoint_id=folder / name)
    full = state_of(model, optimizer, sync, FULL)
    if dist.get_rank() == 0:
        torch.save(full, folder / "full.pt")
    return result(model, values | train(model, optimizer, sync, range(SAVED_AT, STEPS)))


def load_and_train(folder: Path) -> dict[str, dict[str, Any]]:
    """The run as it goes on from each of the two distributed checkpoints."""
    results = {}
    for name, options in BOTH.items():
        model, optimizer = make_parts()
        sync = tsa.SynchronousSchedule(schedules(optimizer))
        state = state_of(model, optimizer, sync, options)
        dcp.load(state, checkpoint_id=folder / name)
        set_state(model, optimizer, sync, state, options)
        results[name] = result(model, train(model, optimizer, sync, range(SAVED_AT, STEPS)))
    return results


def load_full_and_train(folder: Path) -> dict[str, Any]:
    """The run as it goes on from the one file, which rank 0 alone reads and hands on."""
    model, optimizer = make_parts()
    sync = tsa.SynchronousSchedule(schedules(optimizer))
    state = {"model": {}, "optimizer": {}}
    if dist.get_rank() == 0:
        state = torch.load(folder / "full.pt", weights_only=True)
    schedule_state = [state.get("schedule")]
    dist.broadcast_object_list(schedule_state)
    options = StateDictOptions(full_state_dict=True, broadcast_from_rank0=True)
    # Not set_state_dict: where a rank's model state is empty, it takes it for optimizers only.
    set_model_state_dict(model, state["model"], options=options)
    set_optimizer_state_dict(model, optimizer, state["optimizer"], options=options)
    sync.load_state_dict(schedule_state[0])
    return result(model, train(model, optimizer, sync, range(SAVED_AT, STEPS)))


def schedule_a_key_that_the_checkpoint_lacks(folder: Path) -> dict[str, Any]:
    """What ``dcp.load`` says, and the values after loading what there is and after three steps."""
    results: dict[str, Any] = {}
    for name, options in BOTH.items():
        older, optimizer = make_parts()
        sync = tsa.SynchronousSchedule(schedules(optimizer)[:2])
        for _ in range(SAVED_AT):
            older(torch.ones(1, 4)).sum().backward()
            optimizer.step()
            sync.step()
        dcp.save(state_of(older, optimizer, sync, options), checkpoint_id=folder / name)

        model, optimizer = make_parts()
        sync = tsa.SynchronousSchedule(schedules(optimizer))
        state = state_of(model, optimizer, sync, options)
        with pytest.raises(dcp.api.CheckpointException) as error:
            dcp.load(state, checkpoint_id=folder / name)
        planner = dcp.DefaultLoadPlanner(allow_partial_load=True)
        dcp.load(state, checkpoint_id=folder / name, planner=planner)
        set_state(model, optimizer, sync, state, options)
        results[name] = {
            "error": str(error.value),
            "values": train(model, optimizer, sync, range(SAVED_AT, SAVED_AT + 3)),
        }
    return results


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, torch.Tensor]]:
    """The folder with the uninterrupted run's checkpoints, and the weights it came to."""
    folder = tmp_path_factory.mktemp("saved")
    whole = launch(train_and_save, folder)
    for of_rank in whole:
        assert_on_plan(of_rank["values"], range(STEPS))
    return folder, whole[0]["weights"]


@pytest.mark.parametrize("world", [2, 1])
def test_saved_on_two_processes(saved: tuple[Path, Any], world: int) -> None:
    """Loaded on two and on one, flattened or not, every rank is on the plan, to equal weights."""
    folder, weights = saved
    resumed = launch(load_and_train, folder, world=world)
    for of_rank in resumed:
        for name in BOTH:
            assert_on_plan(of_rank[name]["values"], range(SAVED_AT, STEPS))
    for name in BOTH:
        assert_same_weights(resumed[0][name]["weights"], weights)


def test_one_file_that_rank_0_hands_on(saved: tuple[Path, Any]) -> None:
    """A full state dict broadcast from rank 0 resumes too, though betas comes as a list."""
    folder, weights = saved
    resumed = launch(load_full_and_train, folder)
    for of_rank in resumed:
        assert_on_plan(of_rank["values"], range(SAVED_AT, STEPS))
    assert_same_weights(resumed[0]["weights"], weights)


def test_a_checkpoint_older_than_a_custom_key(tmp_path: Path) -> None:
    """It is refused by name; loaded partially, the new target starts its plan and the old go on."""
    for of_rank in launch(schedule_a_key_that_the_checkpoint_lacks, tmp_path):
        for name in BOTH:
            assert "Missing key in checkpoint" in of_rank[name]["error"]
            assert "loss_weight" in of_rank[name]["error"]
            for t, values in of_rank[name]["values"].items():
                wanted = {**expected(t), "loss_weight": expected(t - SAVED_AT)["loss_weight"]}
                torch.testing.assert_close(values, wanted, rtol=1e-12, atol=0.0)
