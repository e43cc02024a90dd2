"""With ``absolute=True`` the closed form of each built-in is the value itself."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from cases import crossed, some
from closed_forms import NAMES, Plan, arguments, build, closed_form
from small_runs import Untouched, adamw, advance, every_name, held

import tsa_builtins
from tsa_builtins import from_plan

some_names = pytest.mark.parametrize("name", some(NAMES))

# All values of the plan fit into a beta, that of an inverse warmup too.
PLAN = Plan(W=0.4, A=0.1, L=4, M=12, R=2.0, P=1.7)

# By target, the initial values of two groups.
INITIAL_VALUES = {
    "lr": [0.1, 2.0],
    "tensor": [0.7, 0.02],
    "weight_decay": [0.0, 0.0],
    "momentum": [0.5, 0.9],
    "betas[0]": [0.9, 0.5],
}


def group(i: int) -> dict[str, Any]:
    given: dict[str, Any] = {key: values[i] for key, values in INITIAL_VALUES.items()}
    tensor = torch.tensor(given["tensor"], dtype=torch.float64)
    return {**given, "tensor": tensor, "betas": (given.pop("betas[0]"), 0.999)}


def optimizer() -> torch.optim.Optimizer:
    return adamw(group(0), group(1))


def value(name: str, t: float, plan: Plan = PLAN) -> Any:
    return pytest.approx(closed_form(name, plan, t), rel=1e-12)


@pytest.mark.parametrize(("name", "target"), crossed(NAMES, INITIAL_VALUES))
def test_the_value_is_the_closed_form(name: str, target: str) -> None:
    """Every group holds λ(t), whatever its initial value is, and nothing warns of a 0."""
    opt = optimizer()
    schedule = build(name, opt, PLAN, target, absolute=True)
    assert schedule.absolute is True
    assert schedule.base_lrs == INITIAL_VALUES[target]
    for t in range(16):
        assert held(opt, target) == [value(name, t)] * 2
        advance(schedule)
    for t in (PLAN.L / 3, 6.5, 1e12):
        schedule.step(t)
        assert held(opt, target) == schedule.values_at(t) == [value(name, t)] * 2


@pytest.mark.parametrize(("name", "given"), crossed(NAMES, [{}, {"absolute": False}]))
def test_multipliers_are_the_default(name: str, given: dict[str, bool]) -> None:
    """Without ``absolute``, and with ``absolute=False``, λ(t) multiplies the initial value."""
    opt = optimizer()
    schedule = build(name, opt, PLAN, **given)
    assert schedule.absolute is False
    advance(schedule, 6)
    λ = closed_form(name, PLAN, 6)
    assert held(opt) == pytest.approx([0.1 * λ, 2.0 * λ], rel=1e-12)


@pytest.mark.parametrize(("name", "absolute"), crossed(NAMES, [1, 0, None, "yes"]))
def test_what_is_not_a_bool_is_refused(name: str, absolute: Any, untouched: Untouched) -> None:
    """The error names ``absolute`` and what was given."""
    opt = optimizer()
    with untouched(opt), pytest.raises(TypeError, match=f"absolute: .*{absolute!r}"):
        build(name, opt, PLAN, absolute=absolute)


@every_name
def test_values_for_groups_that_held_0_beside_others_warn(name: str) -> None:
    """One warning at the user's line names the target and the groups, and says what to write."""
    opt = adamw({"weight_decay": 0.1}, {"weight_decay": 0.0, "name": "biases"})
    with pytest.warns(UserWarning, match="'weight_decay' was 0 in biases and not in") as caught:
        getattr(tsa_builtins, name)(
            opt, **arguments(name, PLAN), schedule_target="weight_decay", absolute=True
        )
    (warning,) = caught
    assert warning.filename == __file__
    assert "{'decay': curve, '*': None}" in str(warning.message)
    build(name, adamw({"weight_decay": 0.1}, {"weight_decay": 0.0}), PLAN, "weight_decay")


def test_a_plan_of_values_for_groups_that_held_0_beside_others_warns() -> None:
    """A plan warns alike, once, and the remedy in a plan is silent."""
    groups = {"weight_decay": 0.1, "name": "decay"}, {"weight_decay": 0.0, "name": "biases"}
    line = {"kind": "Linear", "start": 0.1, "end": 0.4, "steps": 9}
    with pytest.warns(UserWarning, match="'weight_decay' was 0 in biases and not in") as caught:
        from_plan(adamw(*groups), {"weight_decay": {"curve": line, "absolute": True}})
    assert len(caught) == 1
    opt = adamw(*groups)
    curves = {"decay": line, "*": None}
    from_plan(opt, {"weight_decay": {"curve": curves, "absolute": True}})
    assert held(opt, "weight_decay") == [0.1, 0.0]


@some_names
def test_a_value_out_of_range_is_refused(name: str, untouched: Untouched) -> None:
    """A beta of 1 and more is refused, and the error names the value."""
    opt = optimizer()
    plan = Plan(W=1.25, A=1.25, L=0, M=12)
    with untouched(opt), pytest.raises(ValueError, match=r"'betas\[0\]' at step 0: 1.25"):
        build(name, opt, plan, "betas[0]", absolute=True)
