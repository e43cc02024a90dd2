"""With ``absolute=True`` the closed form of each built-in is the value itself."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import pytest
import torch
from closed_forms import FOREVER, NAMES, Plan, build, closed_form

Untouched = Callable[[Any], AbstractContextManager[None]]

# All values of the plan fit into a beta, that of an inverse warmup too.
PLAN = Plan(W=0.4, A=0.1, L=4, M=12, R=2.0, P=1.7)

# By target, the initial values of two groups.
INITIAL_VALUES = {
    "lr": [0.1, 2.0],
    "tensor": [0.7, 0.02],
    "weight_decay": [0.0, 0.0],
    "momentum": [0.0, 0.9],
    "betas[0]": [0.9, 0.5],
}

every_name = pytest.mark.parametrize("name", NAMES)


def group(i: int) -> dict[str, Any]:
    given = {key: values[i] for key, values in INITIAL_VALUES.items()}
    tensor = torch.tensor(given["tensor"], dtype=torch.float64)
    betas = (given.pop("betas[0]"), 0.999)
    return {
        "params": [torch.nn.Parameter(torch.ones(2))],
        **given,
        "tensor": tensor,
        "betas": betas,
    }


def optimizer() -> torch.optim.Optimizer:
    return torch.optim.AdamW([group(0), group(1)])


def held(opt: torch.optim.Optimizer, target: str) -> list[Any]:
    key, _, element = target.partition("[")
    return [group[key][0] if element else group[key] for group in opt.param_groups]


def value(name: str, t: float, plan: Plan = PLAN) -> Any:
    return pytest.approx(closed_form(name, plan, t), rel=1e-12)


@every_name
@pytest.mark.parametrize("target", INITIAL_VALUES)
def test_the_value_is_the_closed_form(name: str, target: str) -> None:
    """Every group holds λ(t), whatever its initial value is, and nothing warns of a 0."""
    opt = optimizer()
    schedule = build(name, opt, PLAN, target, absolute=True)
    assert schedule.absolute is True
    assert schedule.base_lrs == INITIAL_VALUES[target]
    for t in range(16):
        assert held(opt, target) == [value(name, t)] * 2
        opt.step()
        schedule.step()
    for t in (PLAN.L / 3, 6.5, 1e12):
        schedule.step(t)
        assert held(opt, target) == schedule.values_at(t) == [value(name, t)] * 2


@every_name
def test_a_tensor_stays_the_same_object(name: str) -> None:
    """A tensor is filled with the value in place."""
    opt = optimizer()
    before = held(opt, "tensor")
    schedule = build(name, opt, PLAN, "tensor", absolute=True)
    opt.step()
    schedule.step(6)
    assert [id(tensor) for tensor in held(opt, "tensor")] == [id(tensor) for tensor in before]
    assert [tensor.item() for tensor in before] == [value(name, 6)] * 2


@every_name
def test_a_group_that_joins_later_holds_the_value(name: str) -> None:
    """A group that joins holds λ(t) from the next step on, as all other groups do."""
    opt = optimizer()
    schedule = build(name, opt, PLAN, absolute=True)
    opt.step()
    schedule.step()
    opt.add_param_group({**group(0), "lr": 5.0})
    schedule.step()
    assert held(opt, "lr") == [value(name, 2)] * 3
    assert schedule.base_lrs == [*INITIAL_VALUES["lr"], 5.0]


@every_name
def test_multipliers_are_the_default(name: str) -> None:
    """Without ``absolute``, and with ``absolute=False``, λ(t) multiplies the initial value."""
    for given in ({}, {"absolute": False}):
        opt = optimizer()
        schedule = build(name, opt, PLAN, **given)
        assert schedule.absolute is False
        opt.step()
        schedule.step(6)
        λ = closed_form(name, PLAN, 6)
        assert held(opt, "lr") == pytest.approx([0.1 * λ, 2.0 * λ], rel=1e-12)


@every_name
@pytest.mark.parametrize("absolute", [1, 0, None, "yes"])
def test_what_is_not_a_bool_is_refused(name: str, absolute: Any, untouched: Untouched) -> None:
    """The error names ``absolute`` and what was given."""
    opt = optimizer()
    with untouched(opt), pytest.raises(TypeError, match=f"absolute: .*{absolute!r}"):
        build(name, opt, PLAN, absolute=absolute)


@pytest.mark.parametrize("name", [name for name in NAMES if name != FOREVER])
def test_a_value_out_of_range_is_refused(name: str, untouched: Untouched) -> None:
    """A beta of 1 and more is refused, and the error names the value."""
    opt = optimizer()
    plan = Plan(W=1.25, A=1.25, L=0, M=12)
    with untouched(opt), pytest.raises(ValueError, match=r"'betas\[0\]' at step 0: 1.25"):
        build(name, opt, plan, "betas[0]", absolute=True)


@every_name
@pytest.mark.parametrize("saved_as", [True, False], ids=["absolute", "multipliers"])
def test_a_state_of_the_other_kind_goes_on_as_the_code_says(name: str, saved_as: bool) -> None:
    """One warning says so. The values are the saved ones until the next step."""
    old, new = optimizer(), optimizer()
    first = build(name, old, PLAN, absolute=saved_as)
    for _ in range(5):
        old.step()
        first.step()
    second = build(name, new, PLAN, absolute=not saved_as)
    saved, code = (".* as absolute values", ".*") if saved_as else (".*", ".* as absolute values")
    with pytest.warns(UserWarning, match=f"saved under {saved} .*goes on under {code}") as caught:
        second.load_state_dict(json.loads(json.dumps(first.state_dict())))
    assert len(caught) == 1
    assert held(new, "lr") == held(old, "lr")
    new.step()
    second.step()
    scale = [1, 1] if not saved_as else INITIAL_VALUES["lr"]
    λ = closed_form(name, PLAN, 6)
    assert held(new, "lr") == pytest.approx([λ * factor for factor in scale], rel=1e-12)


@every_name
def test_a_state_of_the_same_kind_loads_without_a_warning(name: str) -> None:
    """A schedule of absolute values resumes with the same values."""
    old, new = optimizer(), optimizer()
    first, second = (build(name, opt, PLAN, "weight_decay", absolute=True) for opt in (old, new))
    for _ in range(5):
        old.step()
        first.step()
    second.load_state_dict(json.loads(json.dumps(first.state_dict())))
    for t in range(5, 16):
        assert held(new, "weight_decay") == [value(name, t)] * 2
        new.step()
        second.step()
