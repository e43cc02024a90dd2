"""``python -m torch_schedule_anything`` in a process of its own."""

from __future__ import annotations

import subprocess
import sys

import pytest

PLAN = '{"lr": {"curve": {"kind": "Linear", "start": 1, "end": 0, "steps": 100}}}'


@pytest.mark.parametrize(
    ("arguments", "given", "status"),
    [
        (["-"], PLAN, 0),
        (["-"], PLAN.replace("100", "-1"), 1),
        (["-", "--no-such-option"], PLAN, 2),
        (["--help"], "", 0),
    ],
)
def test_the_exit_status_says_if_the_plan_is_right(
    arguments: list[str], given: str, status: int
) -> None:
    """It is 0 for a right plan, 1 for a wrong one, 2 for a wrong command; never a traceback."""
    command = [sys.executable, "-m", "torch_schedule_anything", *arguments]
    ran = subprocess.run(command, input=given, capture_output=True, text=True, timeout=120)
    assert ran.returncode == status
    assert "Traceback" not in ran.stderr
    assert bool(ran.stdout) == (status == 0)
    assert bool(ran.stderr) == (status != 0)
