"""What ``to_plan`` writes: short, readable, and enough to build the same schedules."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from plan_forms import make_optimizer, values_along
from small_runs import ignore_epoch_deprecation, through_json

from tsa_builtins import curves, from_plan, to_plan
from tsa_core import CurveSchedule

pytestmark = ignore_epoch_deprecation


def test_points_are_a_mapping() -> None:
    """Each point is a line of YAML, and the curve comes back from it and from JSON."""
    curve = curves.Piecewise({0: 0, 0.5: 0.25, 500: 1, 1e16: (0, "OneMinusSqrt")})
    text = yaml.safe_dump(to_plan(CurveSchedule(make_optimizer(), curve)), sort_keys=False)
    assert [line.strip() for line in text.splitlines()] == [
        "lr:", "curve:", "kind: Piecewise", "points:", "'0': 0", "'0.5': 0.25", "'500': 1",
        "1e+16:", "- 0", "- OneMinusSqrt",
    ]  # fmt: skip
    for plan in (yaml.safe_load(text), through_json(yaml.safe_load(text))):
        assert from_plan(make_optimizer(), plan).schedules["lr"].curve == curve
    # So are stairs and a switch, at any depth.
    inner = curves.PiecewiseConstant({0: 1, 30: 0.1})
    plan = to_plan(CurveSchedule(make_optimizer(), curves.switch({0: inner, 50: 0.5 * inner})))
    stairs = {"kind": "PiecewiseConstant", "points": {"0": 1, "30": 0.1}}
    product = {"kind": "Product", "factors": [0.5, stairs]}
    assert plan == {"lr": {"curve": {"kind": "Switch", "curves": {"0": stairs, "50": product}}}}
    assert curves.to_dict(inner)["points"] == [[0, 1], [30, 0.1]]  # in states, as before


# -- the default value of a compound ---------------------------------------------------------------

HALVED = {"scheduler": "ConstantLR", "factor": 0.5, "total_iters": 4}
CYCLE = {
    "scheduler": "OneCycleLR", "max_lr": [1.0, 3.0], "total_steps": 60, "cycle_momentum": False
}  # fmt: skip
WAVES = {
    "scheduler": "CyclicLR", "base_lr": [0.1, 0.2], "max_lr": [1.0, 3.0], "step_size_up": 3,
    "cycle_momentum": False,
}  # fmt: skip
CHAIN = {"scheduler": "ChainedScheduler"}
SEQUENCE = {"scheduler": "SequentialLR"}
COMPOUNDS = [
    {**CHAIN, "schedulers": [CYCLE]},
    {**CHAIN, "schedulers": [HALVED, WAVES, {"scheduler": "StepLR", "step_size": 2}]},
    {**CHAIN, "schedulers": [{**CHAIN, "schedulers": [CYCLE]}, HALVED]},
    {**SEQUENCE, "schedulers": [WAVES], "milestones": []},
    {**SEQUENCE, "schedulers": [CYCLE, HALVED], "milestones": [5]},
    {**SEQUENCE, "schedulers": [HALVED, HALVED, CYCLE], "milestones": [5, 10]},
]


@pytest.mark.parametrize("described", COMPOUNDS)
def test_a_compound_keeps_its_default_value(described: dict[str, Any]) -> None:
    """A compound whose groups differ is built again on an optimizer that lacks the entry."""
    schedule = from_plan(make_optimizer(), {"clip": {**described, "default_value": 2.0}})
    written = to_plan(schedule)
    if described["schedulers"][0] is HALVED:
        assert written["clip"]["default_value"] == 2.0
    again = from_plan(make_optimizer(), written)
    assert to_plan(again) == written
    assert values_along(again, 25) == values_along(schedule, 25)
