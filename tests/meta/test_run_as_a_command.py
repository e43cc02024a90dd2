"""``python -m torch_schedule_anything`` in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

PLAN = '{"lr": {"curve": {"kind": "Linear", "start": 1, "end": 0, "steps": 100}}}'
WRONG = PLAN.replace("100", "-1")


def run(*arguments: str, given: str = "") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "torch_schedule_anything", *arguments]
    return subprocess.run(command, input=given, capture_output=True, text=True, timeout=120)


@pytest.mark.parametrize(
    ("arguments", "given", "status"),
    [
        (["-"], PLAN, 0),
        (["-"], WRONG, 1),
        (["-", "--no-such-option"], PLAN, 2),
        (["--help"], "", 0),
    ],
)
def test_the_exit_status_says_if_the_plan_is_right(
    arguments: list[str], given: str, status: int
) -> None:
    """It is 0 for a right plan, 1 for a wrong one, 2 for a wrong command; never a traceback."""
    ran = run(*arguments, given=given)
    assert ran.returncode == status
    assert "Traceback" not in ran.stderr
    assert bool(ran.stdout) == (status == 0)
    assert bool(ran.stderr) == (status != 0)


def test_files_are_checked_one_by_one(tmp_path: Path) -> None:
    """A right plan is printed and a wrong one is named, in one call."""
    right, wrong = tmp_path / "right.json", tmp_path / "wrong.json"
    right.write_text(PLAN)
    wrong.write_text(WRONG)
    ran = run(str(right), str(wrong), "--optimizer", "SGD", "--set", "lr=0.25")
    assert ran.returncode == 1
    assert ran.stdout.startswith(
        f"{right}:\nlr: values; the shape multiplies the initial value 0.25\n"
    )
    assert ran.stdout.endswith("    step 0    0.25\n    step 100  0, and stays\n")
    assert ran.stderr == f"{wrong}: lr.curve.steps: expected 0 or more, got -1\n"
