"""Checkpoints that the real torch-schedule-anything 1.2.3 saved in mid-run."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from checkpoints_1_2_3.runs import RUNS, SAVED_AT, STEPS, make_model, make_optimizer

import torch_schedule_anything as tsa

FOLDER = Path(__file__).with_name("checkpoints_1_2_3")


def build_optimizer_schedules(saved: Any, optimizer: Any, build: Callable[[], Any]) -> Any:
    sync = build()
    optimizer.load_state_dict(saved["optimizer"])
    sync.load_state_dict(saved["schedule"])
    return sync


def build_schedules_optimizer(saved: Any, optimizer: Any, build: Callable[[], Any]) -> Any:
    sync = build()
    sync.load_state_dict(saved["schedule"])
    optimizer.load_state_dict(saved["optimizer"])
    return sync


def optimizer_build_schedules(saved: Any, optimizer: Any, build: Callable[[], Any]) -> Any:
    optimizer.load_state_dict(saved["optimizer"])
    sync = build()
    sync.load_state_dict(saved["schedule"])
    return sync


def only_schedules(saved: Any, optimizer: Any, build: Callable[[], Any]) -> Any:
    sync = build()
    sync.load_state_dict(saved["schedule"])
    return sync


ORDERS = [
    build_optimizer_schedules,
    build_schedules_optimizer,
    optimizer_build_schedules,
    only_schedules,
]


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("run", RUNS)
def test_goes_on_as_1_2_3_did(run: str, order: Callable[..., Any]) -> None:
    """Loaded in any order, the values of all following steps are those of the 1.2.3 run."""
    saved = torch.load(FOLDER / f"{run}.pt", weights_only=True)
    following = saved["following"]
    model = make_model()
    optimizer = make_optimizer(model)

    sync = order(saved, optimizer, lambda: tsa.SynchronousSchedule(RUNS[run](tsa, optimizer)))

    assert sync.get_last_schedules() == {
        target: state["_last_lr"] for target, state in saved["schedule"].items()
    }
    assert sync.schedule_names == list(following)
    for i in range(STEPS - SAVED_AT):
        model(torch.ones(4, 2)).sum().backward()
        optimizer.step()
        sync.step()
        for target, rows in following.items():
            # 1.2.3 wrote the same formulas in another order of operations.
            assert sync.get_last_schedule(target) == pytest.approx(rows[i], rel=1e-12)
            assert [group[target] for group in optimizer.param_groups] == pytest.approx(
                rows[i], rel=1e-12
            )


def test_the_next_checkpoint_is_of_this_version() -> None:
    """What was loaded from 1.2.3 is saved and loaded on as any other run."""
    saved = torch.load(FOLDER / "builtins.pt", weights_only=True)
    optimizer = make_optimizer(make_model())
    sync = optimizer_build_schedules(
        saved, optimizer, lambda: tsa.SynchronousSchedule(RUNS["builtins"](tsa, optimizer))
    )
    again = make_optimizer(make_model())
    again_sync = tsa.SynchronousSchedule(RUNS["builtins"](tsa, again))
    again.load_state_dict(optimizer.state_dict())
    again_sync.load_state_dict(sync.state_dict())
    for _ in range(5):
        optimizer.step(), again.step(), sync.step(), again_sync.step()
        assert again_sync.get_last_schedules() == sync.get_last_schedules()


def test_as_the_documentation_resumes_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The script that docs/checkpoints.md shows takes up the built-ins' file."""
    page = (Path(__file__).parents[2] / "docs" / "checkpoints.md").read_text()
    _, _, after = page.partition('```python title="resume_1_2_3.py"\n')
    script, _, _ = after.partition("```\n")
    shutil.copy(FOLDER / "builtins.pt", tmp_path / "saved_with_1_2_3.pt")
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    exec(compile(script, "resume_1_2_3.py", "exec"), names)
    assert names["schedule"].last_epoch == SAVED_AT
