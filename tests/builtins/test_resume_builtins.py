"""A built-in that is stopped at any step and resumed is the one that was not stopped."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch.nn import Parameter

import tsa_builtins
import tsa_builtins.curves
import tsa_core

STEPS = 60
PLAN: dict[str, Any] = {
    "warmup_to_value": 1.0,
    "anneal_to_value": 0.1,
    "num_warmup_steps": 7.5,
    "num_training_steps": 50,
}
FLAT: dict[str, Any] = {"warmup_to_value": 0.7, "num_warmup_steps": 9}
ANNEALED = (
    "cosine_annealing",
    *(f"{n}_schedule" for n in ("polynomial", "linear", "quadratic", "sqrt")),
)
BUILT_INS: dict[str, dict[str, Any]] = {
    **{f"{name}_with_{kind}": PLAN for name in ANNEALED for kind in ("warmup", "inverse_warmup")},
    "constant_with_warmup": FLAT,
    "constant_with_inverse_warmup": FLAT,
    "constant_schedule": {"value": 0.6},
}


def new_optimizer() -> torch.optim.Optimizer:
    return torch.optim.AdamW(
        [{"params": [Parameter(torch.ones(1))], "betas": (b, 0.99)} for b in (0.9, 0.4)]
    )


def put(name: str, optimizer: Any, **changed: Any) -> Any:
    make: Callable[..., Any] = getattr(tsa_builtins, name)
    return make(optimizer, **{**BUILT_INS[name], **changed}, schedule_target="betas[0]")


def held(optimizer: Any) -> list[float]:
    return [group["betas"][0] for group in optimizer.param_groups]


def test_every_built_in_is_here() -> None:
    """All 13 of them."""
    assert set(BUILT_INS) == set(tsa_builtins.__all__) - {"curves", "__version__"}


@pytest.mark.parametrize(
    "order",
    ["optimizer, schedule", "schedule, optimizer", "optimizer before building", "schedule alone"],
)
@pytest.mark.parametrize("name", BUILT_INS)
def test_resumed_at_every_step(name: str, order: str) -> None:
    """Through JSON, in every order of loading; bit for bit, and at once what is reported."""
    optimizer = new_optimizer()
    schedule = put(name, optimizer)
    values, saved = [], []
    for _ in range(STEPS):
        values.append(held(optimizer))
        saved.append((copy.deepcopy(optimizer.state_dict()), json.dumps(schedule.state_dict())))
        optimizer.step()
        schedule.step()
    for k, (optimizer_state, schedule_state) in enumerate(saved):
        optimizer = new_optimizer()
        if order == "optimizer before building":
            optimizer.load_state_dict(copy.deepcopy(optimizer_state))
        schedule = put(name, optimizer)
        if order == "optimizer, schedule":
            optimizer.load_state_dict(copy.deepcopy(optimizer_state))
        schedule.load_state_dict(json.loads(schedule_state))
        if order == "schedule, optimizer":
            optimizer.load_state_dict(copy.deepcopy(optimizer_state))
        for t in range(k, STEPS):
            assert held(optimizer) == schedule.get_last_lr() == values[t]
            optimizer.step()
            schedule.step()


@pytest.mark.parametrize("name", [name for name in BUILT_INS if BUILT_INS[name] is PLAN])
def test_resumed_under_another_plan(name: str) -> None:
    """The number of steps in the code goes on, and one warning names both."""
    old, new, throughout = (new_optimizer() for _ in range(3))
    first = put(name, old)
    second = put(name, new, num_training_steps=90)
    expected = put(name, throughout, num_training_steps=90)
    for _ in range(20):
        old.step()
        first.step()
        throughout.step()
        expected.step()
    with pytest.warns(UserWarning, match=r"steps=42.5.* goes on under .*steps=82.5") as caught:
        second.load_state_dict(first.state_dict())
    assert len(caught) == 1
    assert held(new) == held(old)
    for _ in range(75):
        new.step()
        second.step()
        throughout.step()
        expected.step()
        assert held(new) == held(throughout)


@pytest.mark.parametrize("curves", ["one", "list", "dict"])
def test_an_equal_plan_is_no_other(curves: str) -> None:
    """A 1 where there was a 1.0, as another reader of the same settings gives."""

    def build(one: float, hundred: float) -> Any:
        curve = tsa_builtins.curves.Linear(one, 0.25, hundred)
        put: Any = {"one": curve, "list": [curve, None], "dict": {"*": curve}}[curves]
        return tsa_core.CurveSchedule(new_optimizer(), put, "betas[0]")

    build(1.0, 100.0).load_state_dict(build(1, 100).state_dict())
    with pytest.warns(UserWarning, match="was saved under"):
        build(1.0, 10.0).load_state_dict(build(1, 100).state_dict())
    with pytest.warns(UserWarning, match="was saved under"):
        build(1.05, 100).load_state_dict(build(1.5, 100).state_dict())
