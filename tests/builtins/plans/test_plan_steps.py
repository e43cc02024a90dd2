"""The settings that count steps: those with which torch goes wrong are refused, and no others."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from typing import Any

import pytest
from plan_forms import make_optimizer, values_along
from small_runs import Untouched, ignore_epoch_deprecation

from tsa_builtins import from_plan
from tsa_core import torch_schedulers

pytestmark = ignore_epoch_deprecation

PART = {"scheduler": "ConstantLR", "total_iters": 5}
# The settings that each scheduler needs beside the one that counts.
NEEDED: dict[str, dict[str, Any]] = {
    "StepLR": {"step_size": 3},
    "MultiStepLR": {"milestones": [3]},
    "CosineAnnealingLR": {"T_max": 3},
    "CosineAnnealingWarmRestarts": {"T_0": 3},
    "CyclicLR": {"base_lr": 0.1, "max_lr": 1, "cycle_momentum": False},
    "OneCycleLR": {"max_lr": 1, "epochs": 9, "steps_per_epoch": 9, "cycle_momentum": False},
    "SWALR": {"swa_lr": 0.1},
    "SequentialLR": {"schedulers": [PART, PART], "milestones": [3]},
}
COUNTS = [
    (name, key)
    for name, form in torch_schedulers().items()
    for key, setting in form.settings.items()
    if setting.counts_steps is not None
]


def plan_with(name: str, key: str, steps: Any) -> dict[str, Any]:
    needed = NEEDED.get(name, {})
    if key == "total_steps":  # in place of the two others
        needed = {key: each for key, each in needed.items() if "epoch" not in key}
    return {"eps": {"scheduler": name, **needed, key: [steps] if key == "milestones" else steps}}


def wrong_steps() -> Iterator[tuple[str, str, float]]:
    for (name, key), steps in itertools.product(COUNTS, (-3, -0.5, 0, 0.5, 10 / 3)):
        allowed = torch_schedulers()[name].settings[key].counts_steps
        assert allowed is not None
        if steps < 0 or (allowed.whole and steps % 1) or (steps == 0 and not allowed.may_be_zero):
            yield name, key, steps


def test_every_setting_that_counts_is_known() -> None:
    """The settings of torch that count steps, and no other ones."""
    assert {key for _, key in COUNTS} == {
        "step_size", "milestones", "total_iters", "T_max", "T_0", "total_steps", "epochs",
        "steps_per_epoch", "anneal_epochs", "patience", "cooldown", "step_size_up",
        "step_size_down",
    }  # fmt: skip


@pytest.mark.parametrize(("name", "key", "steps"), [*wrong_steps()])
def test_steps_that_go_wrong_are_refused(
    name: str, key: str, steps: float, untouched: Untouched
) -> None:
    """A number of steps that torch never meets, or divides by, is refused with its path."""
    optimizer = make_optimizer()
    message = re.escape(f"eps.{key}: expected ") + "(whole )?steps, .*, got "
    with untouched(optimizer), pytest.raises(ValueError, match=f"^{message}"):
        from_plan(optimizer, plan_with(name, key, steps))


@pytest.mark.parametrize(("name", "key"), COUNTS)
def test_steps_that_go_right_are_taken(name: str, key: str) -> None:
    """A whole number of steps is taken, and the least that torch computes right."""
    allowed = torch_schedulers()[name].settings[key].counts_steps
    assert allowed is not None
    length = 9 if name == "OneCycleLR" else 1
    steps: list[float] = [50, length]
    steps += [0] if allowed.may_be_zero else []
    steps += [2.5] if not allowed.whole else []
    for each in steps:
        values_along(from_plan(make_optimizer(), plan_with(name, key, each)), 8)


def test_a_setting_that_does_not_count_may_be_a_fraction() -> None:
    """The power of a PolynomialLR is not a number of steps."""
    from_plan(make_optimizer(), {"lr": {"scheduler": "PolynomialLR", "power": 0.5}})


def test_a_list_says_which_steps_it_holds() -> None:
    """The message has the whole list, since a user wrote it in one place."""
    with pytest.raises(ValueError, match=r"1 or more, got \[2, 2\.5\] \(list\)$"):
        from_plan(make_optimizer(), {"lr": {"scheduler": "MultiStepLR", "milestones": [2, 2.5]}})
