"""Checkpoints that the real torch-schedule-anything 1.2.3 saved during a run."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from checkpoints_1_2_3.runs import RUNS, SAVED_AT, STEPS, make_model, make_optimizer
from page_scripts import files_of

import torch_schedule_anything as tsa

FOLDER = Path(__file__).with_name("checkpoints_1_2_3")

# The saved run multiplies an initial value of 2.0 by 2.0, which version 2 warns about.
pytestmark = pytest.mark.filterwarnings(
    r"ignore:polynomial_schedule_with_warmup. warmup_to_value=2\.0 is the initial value:UserWarning"
)

ORDERS = [
    "build, optimizer, schedule",
    "build, schedule, optimizer",
    "optimizer, build, schedule",
    "build, schedule",
]


def loaded(saved: Any, optimizer: Any, run: str, order: str) -> tsa.SynchronousSchedule:
    """The schedules of ``run``, built and loaded in this order."""
    for action in order.split(", "):
        if action == "build":
            schedule = tsa.SynchronousSchedule(RUNS[run](tsa, optimizer))
        elif action == "optimizer":
            optimizer.load_state_dict(saved["optimizer"])
        else:
            schedule.load_state_dict(saved["schedule"])
    return schedule


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("run", RUNS)
def test_a_checkpoint_of_1_2_3_goes_on_with_the_values_of_1_2_3(run: str, order: str) -> None:
    """A 1.2.3 checkpoint, loaded in any order, goes on with the values of the 1.2.3 run.

    So does a checkpoint of this version, which was saved at once and loaded into another run.
    """
    saved = torch.load(FOLDER / f"{run}.pt", weights_only=True)
    following = saved["following"]
    optimizers = [make_optimizer(make_model()) for _ in range(2)]
    schedule = loaded(saved, optimizers[0], run, order)
    states = {"optimizer": optimizers[0].state_dict(), "schedule": schedule.state_dict()}
    schedules = [schedule, loaded(states, optimizers[1], run, ORDERS[0])]

    assert schedule.schedule_names == list(following)
    for each in schedules:
        assert each.get_last_schedules() == {
            target: state["_last_lr"] for target, state in saved["schedule"].items()
        }
    for i in range(STEPS - SAVED_AT):
        for optimizer, each in zip(optimizers, schedules):
            optimizer.step()
            each.step()
            for target, rows in following.items():
                # Rounding differs: 1.2.3 computed the same formulas in another order.
                assert each.get_last_schedule(target) == pytest.approx(rows[i], rel=1e-12)
                values = [group[target] for group in optimizer.param_groups]
                assert values == pytest.approx(rows[i], rel=1e-12)


def test_the_documented_script_resumes_a_checkpoint_of_1_2_3(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The script in docs/checkpoints.md resumes the 1.2.3 run of built-ins."""
    script = files_of("checkpoints.md", tmp_path)["resume_1_2_3.py"]
    shutil.copy(FOLDER / "builtins.pt", tmp_path / "saved_with_1_2_3.pt")
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    exec(compile(script.read_text(), script.name, "exec"), names)
    assert names["schedule"].last_epoch == SAVED_AT
