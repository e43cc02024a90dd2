"""A built-in that is stopped at any step and resumed equals one that was not stopped."""

from __future__ import annotations

import copy
import json
from dataclasses import replace
from typing import Any

import pytest
import torch
from cases import crossed
from closed_forms import NAMES, Plan, build
from small_runs import adamw, advance, every_name, held, through_json

import tsa_builtins.curves
import tsa_core

STEPS = 60
PLAN = Plan(W=0.7, A=0.1, L=7.5, M=50)
TARGET = "coefficients[0]"
ORDERS = [
    "build, optimizer, schedule",
    "build, schedule, optimizer",
    "optimizer, build, schedule",
    "build, schedule",
]


def new_optimizer() -> torch.optim.Optimizer:
    return adamw(*({"coefficients": (c, 0.99)} for c in (0.9, 0.4)))


@pytest.mark.parametrize(("name", "order"), crossed(NAMES, ORDERS))
def test_a_built_in_resumes_at_every_step(name: str, order: str) -> None:
    """Loaded through JSON in any order, a built-in goes on with the same values, bit for bit."""
    optimizer = new_optimizer()
    schedule = build(name, optimizer, PLAN, TARGET)
    values, saved = [], []
    for _ in range(STEPS):
        values.append(held(optimizer, TARGET))
        saved.append((copy.deepcopy(optimizer.state_dict()), json.dumps(schedule.state_dict())))
        advance(schedule)
    for k, (optimizer_state, schedule_state) in enumerate(saved):
        optimizer = new_optimizer()
        for action in order.split(", "):
            if action == "build":
                schedule = build(name, optimizer, PLAN, TARGET)
            elif action == "optimizer":
                optimizer.load_state_dict(copy.deepcopy(optimizer_state))
            else:
                schedule.load_state_dict(json.loads(schedule_state))
        for t in range(k, min(k + 8, STEPS)):
            assert held(optimizer, TARGET) == schedule.get_last_lr() == values[t]
            advance(schedule)


@every_name
def test_a_built_in_resumes_under_another_plan(name: str) -> None:
    """The plan in the code goes on after one warning that names both, or the saved plan does."""
    first, adopting = (build(name, new_optimizer(), PLAN, TARGET) for _ in range(2))
    second, throughout = (
        build(name, new_optimizer(), replace(PLAN, W=0.6, L=20, M=90), TARGET) for _ in range(2)
    )
    for schedule in (first, second, throughout):
        advance(schedule, 20)
    states = first.state_dict(), second.state_dict()
    with pytest.raises(ValueError, match="expected the same plan"):
        second.load_state_dict(states[0], plan="same")
    with pytest.warns(UserWarning, match="was saved under .* goes on under ") as caught:
        second.load_state_dict(states[0])
    adopting.load_state_dict(through_json(states[1]), plan="saved")
    assert len(caught) == 1
    assert held(second.optimizer, TARGET) == held(first.optimizer, TARGET)
    for _ in range(75):
        assert held(adopting.optimizer, TARGET) == held(throughout.optimizer, TARGET)
        for schedule in (second, adopting, throughout):
            advance(schedule)
        assert held(second.optimizer, TARGET) == held(throughout.optimizer, TARGET)


@pytest.mark.parametrize("curves", ["one", "list", "dict"])
def test_an_equal_plan_loads_without_a_warning(curves: str) -> None:
    """A plan with 1 for 1.0, as another reader of the same settings gives, is the same plan."""

    def build_with(one: float, hundred: float) -> Any:
        curve = tsa_builtins.curves.Linear(one, 0.25, hundred)
        driven: Any = {"one": curve, "list": [curve, None], "dict": {"*": curve}}[curves]
        return tsa_core.CurveSchedule(new_optimizer(), driven, TARGET)

    build_with(1.0, 100.0).load_state_dict(build_with(1, 100).state_dict())
    with pytest.warns(UserWarning, match="was saved under"):
        build_with(1.0, 10.0).load_state_dict(build_with(1, 100).state_dict())
    with pytest.warns(UserWarning, match="was saved under"):
        build_with(1.05, 100).load_state_dict(build_with(1.5, 100).state_dict())


# -- where the initial value comes from ------------------------------------------------------------

OTHER = (0.3, 0.6)


@every_name
def test_a_load_without_a_record_keeps_the_initial_value(name: str) -> None:
    """Groups from a project that never scheduled the target count from the values in the code."""
    optimizer, undisturbed = new_optimizer(), new_optimizer()
    schedule, other = (build(name, each, PLAN, TARGET) for each in (optimizer, undisturbed))
    foreign = adamw(*({"coefficients": (c, 0.99)} for c in OTHER))
    optimizer.load_state_dict(foreign.state_dict())
    assert held(optimizer, TARGET) == [*OTHER]
    for _ in range(12):
        advance(schedule)
        advance(other)
        assert held(optimizer, TARGET) == held(undisturbed, TARGET)


@pytest.mark.parametrize(
    ("name", "initial", "made"),
    crossed(NAMES, [None, "saved", "code", "same"], ["schedule", "plan", "plan"]),
)
def test_a_built_in_asks_which_initial_values_go_on(name: str, initial: Any, made: str) -> None:
    """Saved values go on with a warning, or those that were asked for, in a plan too."""

    def start(values: tuple[float, ...]) -> tuple[Any, Any]:
        optimizer = adamw(*({"coefficients": (c, 0.99)} for c in values))
        schedule = build(name, optimizer, PLAN, TARGET)
        if made == "plan":
            optimizer = adamw(*({"coefficients": (c, 0.99)} for c in values))
            schedule = tsa_builtins.from_plan(optimizer, tsa_builtins.to_plan(schedule))
        return optimizer, schedule

    (_, saved), (optimizer, resumed) = start(OTHER), start((0.9, 0.4))
    advance(saved, 9)
    state = through_json(saved.state_dict())
    if initial == "same":
        with pytest.raises(
            ValueError, match=r"were \[0\.3, 0\.6\], and the code has \[0\.9, 0\.4\]"
        ):
            resumed.load_state_dict(state, initial=initial)
        return
    if initial is None:
        with pytest.warns(UserWarning, match="initial values of 'coefficients.0.'") as caught:
            resumed.load_state_dict(state)
        assert len(caught) == 1
    else:
        resumed.load_state_dict(state, initial=initial)
    goes_on, expected = start((0.9, 0.4) if initial == "code" else OTHER)
    advance(expected, 9)
    for _ in range(4):
        assert held(optimizer, TARGET) == held(goes_on, TARGET)
        advance(resumed)
        advance(expected)
