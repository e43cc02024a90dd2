"""``follows`` in a plan: a target that is computed from another one, by a power or a rule."""

from __future__ import annotations

import copy
import itertools
import math
from typing import Any

import pytest
from plan_forms import HALF, make_optimizer, values_along
from small_runs import ignore_epoch_deprecation, through_json, through_pickle

from tsa_builtins import curves, from_plan, to_plan
from tsa_builtins.curves import Power, to_dict
from tsa_core import CurveSchedule, DerivedSchedule, SynchronousSchedule

pytestmark = ignore_epoch_deprecation

FALL = {"kind": "Linear", "start": 1, "end": 0.2, "steps": 8}
CLIPPED = curves.clip(Power(0.5), 0.5, 1)


def at(t: float, plan: Any, stretch: float = 1) -> Any:
    schedule = from_plan(make_optimizer(), plan, stretch=stretch)
    schedule.step(t)
    return schedule


def test_a_target_follows_to_a_power() -> None:
    """Multiple of the target = multiple of the source to the power, which is 1 by default."""
    for power in (None, 1, 2, 0.5, -0.5, -1, 0):
        follower = {"follows": "lr"} if power is None else {"follows": "lr", "power": power}
        plan = {"weight_decay": follower, "lr": {"curve": FALL}}
        exponent = 1 if power is None else power
        for t, multiple in ((0, 1), (4, 0.6), (8, 0.2), (100, 0.2)):
            schedule = at(t, plan)
            assert schedule.get_last_lr() == pytest.approx([0.1 * multiple, 0.2 * multiple])
            expected = [0.2 * multiple**exponent, 0.4 * multiple**exponent]
            values = schedule.get_last_schedule("weight_decay")
            assert values == pytest.approx(expected, rel=1e-12)
        written = {"follows": "lr"} if power == 1 else follower
        assert to_plan(schedule) == {**plan, "weight_decay": written}


def test_the_order_of_the_plan_does_not_matter() -> None:
    """A follower may stand before its source, also in a chain: all are right from step 0 on."""
    entries: dict[str, Any] = {
        "lr": {"curve": {"kind": "Linear", "start": 0.5, "end": 0, "steps": 10}},
        "weight_decay": {"follows": "lr"},
        "eps": {"follows": "weight_decay", "power": 2},
    }
    for order in itertools.permutations(entries):
        schedule = from_plan(make_optimizer(), {target: entries[target] for target in order})
        assert schedule.schedule_names == list(order)
        assert schedule.get_last_schedules() == {
            "lr": [0.05, 0.1], "weight_decay": [0.1, 0.2], "eps": [0.25e-8, 0.25e-8]
        }  # fmt: skip


SOURCES: dict[str, Any] = {
    "lr": {"scheduler": "ReduceLROnPlateau", "patience": 0, "factor": 0.5},
    "betas[0]": {"curve": FALL},
    "clip": {"curve": FALL, "default_value": 8.0},
    "eps": None,
}


def test_a_source_may_be_anything() -> None:
    """The source is a torch scheduler, an element, an entry that the plan adds, or nobody's."""
    for source, described in SOURCES.items():
        plan = {"weight_decay": {"follows": source}, **({source: described} if described else {})}
        schedule = from_plan(make_optimizer(), plan)
        initial = schedule.get_last_schedules()
        for values in values_along(schedule, 12):
            for i in (0, 1) if described else ():
                multiple = values[source][i] / initial[source][i]
                expected = initial["weight_decay"][i] * multiple
                assert values["weight_decay"][i] == pytest.approx(expected, rel=1e-12)
        assert to_plan(schedule)["weight_decay"] == {"follows": source}
        assert to_plan(from_plan(make_optimizer(), to_plan(schedule))) == to_plan(schedule)
    # The user may move a source that nobody schedules.
    optimizer = make_optimizer()
    schedule = from_plan(optimizer, {"weight_decay": {"follows": "lr"}})
    optimizer.param_groups[0]["lr"] /= 4
    schedule.step(1)
    assert schedule.get_last_schedule("weight_decay") == [0.05, 0.4]


def test_a_rule_of_values_and_a_default_value() -> None:
    """``absolute`` gives values, not multiples; ``default_value`` adds a target that is lacking."""
    rule = {"kind": "Linear", "start": 0, "end": 10, "steps": 1}
    plan = {
        "weight_decay": {"follows": "lr", "rule": rule, "absolute": True},
        "temperature": {"follows": "lr", "power": -1, "default_value": 3.0},
        "lr": {"curve": FALL},
    }
    schedule = at(8, plan)
    assert schedule.get_last_schedule("weight_decay") == pytest.approx([0.2, 0.4])
    assert schedule.get_last_schedule("temperature") == pytest.approx([15, 15])
    assert to_plan(schedule) == plan
    same = {"weight_decay": {"follows": "lr", "absolute": True}}
    assert at(4, same).get_last_schedules() == {"weight_decay": [0.1, 0.2]}
    # A rule is not a function of time, so it is not stretched.
    plan = {"lr": {"curve": FALL}, "weight_decay": {"follows": "lr", "rule": to_dict(CLIPPED)}}
    schedule = at(400, plan, stretch=100)
    expected = [0.2 * 0.6**0.5, 0.4 * 0.6**0.5]
    assert schedule.get_last_schedule("weight_decay") == pytest.approx(expected)
    assert to_plan(schedule)["weight_decay"] == plan["weight_decay"]


def test_several_optimizers() -> None:
    """The source is a target of the same optimizer, with or without its name."""
    others = {"muon/lr": {"curve": FALL}, "adamw/lr": {"curve": HALF}}
    for source in ("lr", "muon/lr"):
        optimizers = {"muon": make_optimizer(), "adamw": make_optimizer()}
        schedule = from_plan(optimizers, {"muon/weight_decay": {"follows": source}, **others})
        assert schedule.optimizers == optimizers
        schedule.step(4)
        assert schedule.get_last_schedule("muon/weight_decay") == pytest.approx([0.12, 0.24])
        assert to_plan(schedule) == {"muon/weight_decay": {"follows": "muon/lr"}, **others}


# -- in Python -------------------------------------------------------------------------------------

# The rule, and what a plan writes beside ``follows``.
RULES: list[tuple[Any, dict[str, Any]]] = [
    (Power(1), {}),
    (Power(1), {"absolute": True}),
    (Power(-0.5), {"power": -0.5}),
    (CLIPPED, {"rule": to_dict(CLIPPED)}),
    (0.5 * Power(2), {"rule": to_dict(0.5 * Power(2))}),
]


def run_of(rule: Any, absolute: bool = False, of: str = "lr") -> Any:
    optimizer = make_optimizer()
    derived = DerivedSchedule(optimizer, rule, "weight_decay", of=of, absolute=absolute)
    return SynchronousSchedule([derived, CurveSchedule(optimizer, curves.Linear(1, 0.2, 8))])


@pytest.mark.parametrize(("rule", "written"), RULES)
def test_a_rule_that_is_a_curve_is_data(rule: Any, written: dict[str, Any]) -> None:
    """A plan holds the rule, and a state does: it goes on under the rule that was saved."""
    absolute = "absolute" in written
    saved, same, other = run_of(rule, absolute), run_of(rule, absolute), run_of(Power(3))
    plan = to_plan(saved)
    assert plan["weight_decay"] == {"follows": "lr", **written}
    assert through_json(plan) == plan
    assert through_pickle(saved).schedules["weight_decay"].rule == rule
    again = from_plan(make_optimizer(), plan)
    assert values_along(again, 12) == values_along(same, 12)
    saved.step(3)
    state = through_json(saved.state_dict())
    message = r"saved under \{'lr': .*\}.*, and the code has .*exponent=3"
    with pytest.raises(ValueError, match=message):
        copy.deepcopy(other).load_state_dict(state, plan="same")
    with pytest.warns(UserWarning, match="'weight_decay' was saved under .* goes on under .*=3"):
        copy.deepcopy(other).load_state_dict(state)
    other.load_state_dict(state, plan="saved")
    assert other.schedules["weight_decay"].rule == rule
    same.load_state_dict(state, plan="same")
    for t in range(3, 10):
        saved.step(t)
        other.step(t)
        assert other.get_last_schedules() == saved.get_last_schedules()


def test_a_state_of_code_or_of_another_source_is_not_followed() -> None:
    """A function is not in the state, and a different source is not the same schedule."""
    of_code, of_data = run_of(math.sqrt).state_dict(), run_of(Power(1)).state_dict()
    message = "its rule was <.*function sqrt> of 'lr', which is code"
    with pytest.raises(ValueError, match=message):
        run_of(Power(1)).load_state_dict(of_code, plan="saved")
    run_of(math.sqrt).load_state_dict(of_data, plan="saved")
    with pytest.raises(ValueError, match="which is not a rule of 'eps'; build the schedule that"):
        run_of(Power(1), of="eps").load_state_dict(of_data, plan="saved")
