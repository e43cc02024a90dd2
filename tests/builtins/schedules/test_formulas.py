"""Each built-in equals its closed form, on any target, however a step is reached."""

from __future__ import annotations

import random
from typing import Any

import pytest
from cases import crossed, examples, some
from closed_forms import ANNEALING, FOREVER, NAMES, RISING, Plan, arguments, build, closed_form
from curve_forms import TRANSITIONS, at_progress
from hypothesis import given, settings
from hypothesis import strategies as st
from small_runs import adamw, advance, held

import tsa_builtins
from tsa_builtins import from_plan
from tsa_core import CurveSchedule

# The last is an element of a tuple. Of betas, values outside [0, 1) are refused.
INITIAL_VALUES = {
    "lr": [0.1, 0.003, 2.0],
    "weight_decay": [0.01, 0.5, 0.07],
    "scale": [0.3, 4.0, 0.05],
    "coefficients[0]": [0.9, 0.8, 0.95],
}
MAY_BE_NEGATIVE = ("scale", "coefficients[0]")


def entries(target: str, value: Any) -> dict[str, Any]:
    return {"coefficients": (value, 0.999)} if target == "coefficients[0]" else {target: value}


def optimizer() -> Any:
    groups: list[dict[str, Any]] = [{}, {}, {}]
    for target, values in INITIAL_VALUES.items():
        for group, value in zip(groups, values):
            group.update(entries(target, value))
    return adamw(*groups)


def expected(name: str, plan: Plan, target: str, t: float, absolute: bool = False) -> Any:
    λ = closed_form(name, plan, t)
    initials = [1.0] * 3 if absolute else INITIAL_VALUES[target]
    if t > plan.M and name != FOREVER:
        return [initial * λ for initial in initials]  # exactly A, or W in the constants
    # Relative to the largest multiplier of the plan. Where terms of that size cancel, the result is
    # only as exact as they are.
    largest = max(abs(plan.W), abs(plan.A), abs(plan.W * plan.R))
    return [
        pytest.approx(initial * λ, rel=1e-12, abs=1e-12 * initial * largest) for initial in initials
    ]


@pytest.mark.parametrize(
    ("name", "target", "given"),
    crossed(NAMES, INITIAL_VALUES, [{}, {"absolute": True}, {"absolute": False}]),
)
def test_a_run_of_steps_follows_the_closed_form(
    name: str, target: str, given: dict[str, bool]
) -> None:
    """Step by step, then in any order, each group holds its value. All other entries stay."""
    opt, plan = optimizer(), Plan(L=2.5, skip_zero=True)
    before = [dict(group) for group in opt.param_groups]
    schedule = build(name, opt, plan, target, **given)
    assert schedule.optimizer is opt
    assert "step" not in vars(opt)
    assert isinstance(schedule, CurveSchedule)
    assert schedule.absolute is given.get("absolute", False)
    assert schedule.base_lrs == INITIAL_VALUES[target]
    values = []
    for t in range(121):
        assert schedule.last_epoch == t
        assert held(opt, target) == expected(name, plan, target, t, schedule.absolute)
        assert [type(value) for value in held(opt, target)] == [float] * 3
        assert schedule.get_last_lr() == held(opt, target)
        values.append(held(opt, target))
        advance(schedule)
    for t in random.Random(0).sample(range(121), 121):
        schedule.step(t)
        assert held(opt, target) == values[t]
        for old, new, first, value in zip(
            before, opt.param_groups, INITIAL_VALUES[target], values[t]
        ):
            assert new == {**old, **entries(target, value), f"initial_{target}": first}


# Smaller numbers would underflow in the closed form.
real = st.just(0) | st.floats(1e-6, 100) | st.floats(-100, -1e-6)
plans = st.builds(
    lambda W, A, R, P, M, share, skip_zero: Plan(W, A, share * M, M, R, P, skip_zero),
    W=real,
    A=real,
    R=real,
    P=st.floats(0.01, 20),
    M=st.integers(1, 10_000) | st.floats(0.5, 10_000),
    share=st.sampled_from([0, 1]) | st.floats(1e-6, 1),
    skip_zero=st.booleans(),
)
# A step anywhere in the plan, far after it, or close to the end of the warmup or of the annealing.
steps_of_a_plan = st.one_of(
    (st.floats(0, 2) | st.sampled_from([0, 1, 10, 1e9])).map(lambda x: lambda plan: x * plan.M),
    st.integers(-2, 2).map(lambda by: lambda plan: max(0, plan.L + by)),
    st.integers(-2, 2).map(lambda by: lambda plan: max(0, plan.M + by)),
)


# A drawn plan may look like a mistake: W is an initial value, or L is less than one step.
@pytest.mark.filterwarnings("ignore:.* ignore this warning$:UserWarning")
@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=examples(50))
@given(
    plan=plans,
    steps=st.lists(steps_of_a_plan, min_size=1, max_size=3),
    target=st.sampled_from(MAY_BE_NEGATIVE),
    absolute=st.booleans(),
)
def test_drawn_plans_follow_the_closed_form(
    name: str, plan: Plan, steps: list[Any], target: str, absolute: bool
) -> None:
    """Any finite W, A and R, any 0 ≤ L ≤ M and P > 0 give the closed form, at corners too."""
    opt = optimizer()
    schedule = build(name, opt, plan, target, absolute=absolute)
    opt.step()  # torch wants the optimizer to step first
    for step in steps:
        t = step(plan)
        schedule.step(t)
        assert held(opt, target) == expected(name, plan, target, t, absolute)
        assert schedule.values_at(t) == held(opt, target)


@pytest.mark.parametrize("name", some(ANNEALING, 5))
def test_an_annealing_downwards_never_rises_nor_turns_negative(name: str) -> None:
    """From L on, with W > A ≥ 0, each value is at most the last one and at least A."""
    curve = build(name, optimizer(), Plan(W=1.0, A=0.0, R=5.0, P=0.5)).curve
    values = [curve(t) for t in range(4, 125)]
    assert values == sorted(values, reverse=True)
    assert values[-1] == 0


# -- warmup, stable, decay -------------------------------------------------------------------------


def stable(W: float, A: float, L: float, D: float, M: float, **given: Any) -> Any:
    return tsa_builtins.warmup_stable_decay(optimizer(), W, A, L, D, M, "scale", **given).curve


OWN: dict[str, dict[str, float]] = {"Polynomial": {"exponent": 1.7}}


@pytest.mark.parametrize("shape", TRANSITIONS)
def test_the_decay_follows_any_shape(shape: str) -> None:
    """W until M − D, then the shape from W to A, then A."""
    own = OWN.get(shape, {})
    curve = stable(1.5, 0.25, 4, 6, 30, decay=(shape, *own.values()) if own else shape)
    for t in (0, 2, 4, 10, 24, 24.5, 27, 29.9, 30, 1e12):
        decayed = at_progress(TRANSITIONS[shape], t - 24, 1.5, 0.25, 6, **own)
        assert curve(t) == pytest.approx(1.5 * t / 4 if t < 4 else decayed, rel=1e-12)


def test_a_decay_may_fill_the_run_or_be_none() -> None:
    """0.1 + 0.2 is more than 0.3 for a float, and exactly the run for its author."""
    for L, D, M in ((10, 20, 30), (0.1, 0.9, 1), (0.1, 0.2, 0.3), (0.7, 0.1, 0.8)):
        curve = stable(1.0, 0.0, L, D, M)
        assert [curve(L), curve(L + D / 4)] == pytest.approx([1, 0.5], abs=1e-7)
        assert curve(M) == 0
    curve = stable(1.0, 0.2, 10, 0, 30)  # which drops after the run
    assert [curve(t) for t in (10, 29, 30, 31)] == [1.0, 1.0, 1.0, 0.2]


# -- plans -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", RISING)
def test_a_plan_names_flags_and_shapes(name: str) -> None:
    """A plan gives the arguments that code gives, and makes the same curve."""
    form = Plan(W=0.5)
    given: dict[str, Any] = {"skip_zero": True}
    if name == "warmup_stable_decay":
        given["decay"] = ["Polynomial", 2.0]
    plan = {"lr": {"schedule": name, **arguments(name, form), **given}}
    assert from_plan(optimizer(), plan).schedules["lr"].curve == (
        build(name, optimizer(), form, **given).curve
    )
