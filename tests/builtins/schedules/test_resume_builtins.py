"""A built-in that is stopped at any step and resumed equals one that was not stopped."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from cases import crossed
from closed_forms import NAMES, Plan, build
from small_runs import adamw, advance, held, through_json

from tsa_builtins import from_plan, to_plan

STEPS = 60
PLAN = Plan(W=0.7, A=0.1, L=7.5, M=50)
TARGET = "coefficients[0]"
IN_CODE, OTHER = (0.9, 0.4), (0.3, 0.6)
ORDERS = [
    "build, optimizer, schedule",
    "build, schedule, optimizer",
    "optimizer, build, schedule",
    "build, schedule",
]


def new_optimizer(coefficients: tuple[float, float] = IN_CODE) -> Any:
    return adamw(*({"coefficients": (each, 0.99)} for each in coefficients))


def built(name: str, optimizer: Any) -> Any:
    return build(name, optimizer, PLAN, TARGET)


def planned(name: str, optimizer: Any) -> Any:
    return from_plan(optimizer, to_plan(built(name, new_optimizer())))


@pytest.mark.parametrize(("name", "order"), crossed(NAMES, ORDERS))
def test_a_built_in_resumes_at_every_step(name: str, order: str) -> None:
    """Loaded through JSON in any order, a built-in goes on with the same values, bit for bit."""
    optimizer = new_optimizer()
    schedule = built(name, optimizer)
    values, saved = [], []
    for _ in range(STEPS):
        values.append(held(optimizer, TARGET))
        saved.append((copy.deepcopy(optimizer.state_dict()), json.dumps(schedule.state_dict())))
        advance(schedule)
    for k, (optimizer_state, schedule_state) in enumerate(saved):
        optimizer = new_optimizer()
        for action in order.split(", "):
            if action == "build":
                schedule = built(name, optimizer)
            elif action == "optimizer":
                optimizer.load_state_dict(copy.deepcopy(optimizer_state))
            else:
                schedule.load_state_dict(json.loads(schedule_state))
        for t in range(k, min(k + 8, STEPS)):
            assert held(optimizer, TARGET) == schedule.get_last_lr() == values[t]
            advance(schedule)


@pytest.mark.parametrize(
    ("name", "initial", "make"),
    crossed(NAMES, [None, "saved", "code", "same"], [built, planned, planned]),
)
def test_a_built_in_asks_which_initial_values_go_on(name: str, initial: Any, make: Any) -> None:
    """Saved values go on with a warning, or those that were asked for, in a plan too."""
    optimizer = new_optimizer()
    saved, resumed = make(name, new_optimizer(OTHER)), make(name, optimizer)
    goes_on = new_optimizer(IN_CODE if initial == "code" else OTHER)
    expected = built(name, goes_on)
    advance(saved, 9)
    advance(expected, 9)
    state = through_json(saved.state_dict())
    if initial == "same":
        says = r"were \[0\.3, 0\.6\], and the code has \[0\.9, 0\.4\]"
        with pytest.raises(ValueError, match=says):
            resumed.load_state_dict(state, initial=initial)
        return
    if initial is None:
        with pytest.warns(UserWarning, match="initial values of 'coefficients.0.'") as caught:
            resumed.load_state_dict(state)
        assert len(caught) == 1
    else:
        resumed.load_state_dict(state, initial=initial)
    for _ in range(4):
        assert held(optimizer, TARGET) == held(goes_on, TARGET)
        advance(resumed)
        advance(expected)
