"""The settings that count steps: those with which torch goes wrong are refused, and no others."""

from __future__ import annotations

import re
from typing import Any

import pytest
from plan_forms import make_optimizer, values_along
from small_runs import Untouched, ignore_epoch_deprecation
from test_plans import PARTS, SETTINGS

from tsa_builtins import from_plan
from tsa_core import torch_schedulers

pytestmark = ignore_epoch_deprecation

NEEDED = {**SETTINGS, "SequentialLR": {"schedulers": PARTS[:2]}}
COUNTS = [
    (name, key)
    for name, form in torch_schedulers().items()
    for key, setting in form.settings.items()
    if setting.counts_steps is not None
]


def plan_with(name: str, key: str, steps: Any) -> dict[str, Any]:
    needed = NEEDED[name]
    if key == "total_steps":  # in place of the two others
        needed = {key: each for key, each in needed.items() if "epoch" not in key}
    return {"eps": {"scheduler": name, **needed, key: [steps] if key == "milestones" else steps}}


def test_every_setting_that_counts_is_known() -> None:
    """The settings of torch that count steps, and no other ones."""
    assert {key for _, key in COUNTS} == {
        "step_size", "milestones", "total_iters", "T_max", "T_0", "total_steps", "epochs",
        "steps_per_epoch", "anneal_epochs", "patience", "cooldown", "step_size_up",
        "step_size_down",
    }  # fmt: skip


@pytest.mark.parametrize(("name", "key"), COUNTS)
def test_a_number_of_steps_is_one_that_torch_computes_right(
    name: str, key: str, untouched: Untouched
) -> None:
    """Steps that torch never meets, or divides by, are refused with their path; others run."""
    allowed = torch_schedulers()[name].settings[key].counts_steps
    assert allowed is not None
    right: list[float] = [50, 9 if name == "OneCycleLR" else 1]
    wrong: list[float] = [-3, -0.5]
    (right if allowed.may_be_zero else wrong).append(0)
    (wrong if allowed.whole else right).extend([0.5, 10 / 3] if allowed.whole else [2.5])
    for steps in right:
        values_along(from_plan(make_optimizer(), plan_with(name, key, steps)), 8)
    optimizer = make_optimizer()
    message = re.escape(f"eps.{key}: expected ") + "(whole )?steps, .*, got "
    for steps in wrong:
        with untouched(optimizer), pytest.raises(ValueError, match=f"^{message}"):
            from_plan(optimizer, plan_with(name, key, steps))


def test_a_list_says_which_steps_it_holds() -> None:
    """The message has the whole list, since a user wrote it in one place."""
    with pytest.raises(ValueError, match=r"1 or more, got \[2, 2\.5\] \(list\)$"):
        from_plan(make_optimizer(), {"lr": {"scheduler": "MultiStepLR", "milestones": [2, 2.5]}})
    # A setting that does not count may be a fraction.
    from_plan(make_optimizer(), {"lr": {"scheduler": "PolynomialLR", "power": 0.5}})
