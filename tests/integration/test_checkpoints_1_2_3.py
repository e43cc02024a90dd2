"""Checkpoints that the real torch-schedule-anything 1.2.3 saved during a run."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from checkpoints_1_2_3.runs import RUNS, SAVED_AT, STEPS, make_model, make_optimizer

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
    """A 1.2.3 checkpoint, loaded in any order, goes on with the values of the 1.2.3 run."""
    saved = torch.load(FOLDER / f"{run}.pt", weights_only=True)
    following = saved["following"]
    model = make_model()
    optimizer = make_optimizer(model)

    schedule = loaded(saved, optimizer, run, order)

    assert schedule.get_last_schedules() == {
        target: state["_last_lr"] for target, state in saved["schedule"].items()
    }
    assert schedule.schedule_names == list(following)
    for i in range(STEPS - SAVED_AT):
        model(torch.ones(4, 2)).sum().backward()
        optimizer.step()
        schedule.step()
        for target, rows in following.items():
            # Rounding differs: 1.2.3 computed the same formulas in another order of operations.
            assert schedule.get_last_schedule(target) == pytest.approx(rows[i], rel=1e-12)
            assert [group[target] for group in optimizer.param_groups] == pytest.approx(
                rows[i], rel=1e-12
            )


def test_a_run_resumed_from_1_2_3_saves_checkpoints_of_this_version() -> None:
    """A run that went on from a 1.2.3 checkpoint is saved and resumed like any other."""
    saved = torch.load(FOLDER / "builtins.pt", weights_only=True)
    optimizer, resumed_optimizer = make_optimizer(make_model()), make_optimizer(make_model())
    schedule = loaded(saved, optimizer, "builtins", "optimizer, build, schedule")
    resumed = tsa.SynchronousSchedule(RUNS["builtins"](tsa, resumed_optimizer))
    resumed_optimizer.load_state_dict(optimizer.state_dict())
    resumed.load_state_dict(schedule.state_dict())
    for _ in range(5):
        for part in (optimizer, resumed_optimizer, schedule, resumed):
            part.step()
        assert resumed.get_last_schedules() == schedule.get_last_schedules()


def test_the_documented_script_resumes_a_checkpoint_of_1_2_3(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The script in docs/checkpoints.md resumes the 1.2.3 run of built-ins."""
    page = (Path(__file__).parents[2] / "docs" / "checkpoints.md").read_text()
    _, _, after_title = page.partition('```python title="resume_1_2_3.py"\n')
    script, _, _ = after_title.partition("```\n")
    shutil.copy(FOLDER / "builtins.pt", tmp_path / "saved_with_1_2_3.pt")
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    exec(compile(script, "resume_1_2_3.py", "exec"), names)
    assert names["schedule"].last_epoch == SAVED_AT
