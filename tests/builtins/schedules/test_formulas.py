"""Each built-in equals its closed form, on any target, however a step is reached."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from cases import crossed, examples, some
from closed_forms import ANNEALING, FOREVER, NAMES, Plan, build, closed_form
from hypothesis import given, settings
from hypothesis import strategies as st
from small_runs import adamw, advance, every_name, held

import tsa_builtins

# The last is an element of a tuple. Of betas, values outside [0, 1) are refused.
INITIAL_VALUES = {
    "lr": [0.1, 0.003, 2.0],
    "weight_decay": [0.01, 0.5, 0.07],
    "coefficients[0]": [0.9, 0.8, 0.95],
}
TARGETS = tuple(INITIAL_VALUES)
# lr and weight decay are never negative. An entry of the user's takes their place in such a plan.
INITIAL_VALUES["scale"] = [0.3, 4.0, 0.05]
PLANS = {
    "a warmup and an annealing": Plan(),
    "no warmup": Plan(L=0),
    "no annealing": Plan(L=12),
    "steps that are not whole": Plan(L=0.06 * 70, M=12.5),
    "upwards": Plan(W=0.2, A=3.0, R=0.0, P=0.7),
    "negative": Plan(W=-1.0, A=2.0, R=-3.0, P=3.5),
    "to zero": Plan(W=1.0, A=0.0, R=5.0, P=0.5),
    "one step": Plan(L=0, M=1),
}

# A drawn plan may look like a mistake: W is an initial value, or L is less than one step.
may_look_mistaken = pytest.mark.filterwarnings("ignore:.* ignore this warning$:UserWarning")


def optimizer() -> Any:
    groups = zip(*INITIAL_VALUES.values())
    return adamw(
        *(
            {"lr": lr, "weight_decay": decay, "coefficients": (coefficient, 0.999), "scale": scale}
            for lr, decay, coefficient, scale in groups
        )
    )


def target_of(plan: Plan, target: str = "lr") -> str:
    """``target``, or "scale" if a multiplier of the plan is negative and ``target`` may not be."""
    is_negative = min(plan.W, plan.A, plan.W * plan.R) < 0
    return "scale" if is_negative and target in ("lr", "weight_decay") else target


def scheduled(name: str, opt: Any, plan: Plan, target: str = "lr") -> Any:
    """A schedule that can be sent to any step: torch wants the optimizer to step first."""
    schedule = build(name, opt, plan, target)
    opt.step()
    return schedule


def expected(name: str, plan: Plan, target: str, t: float) -> Any:
    λ = closed_form(name, plan, t)
    # Relative to the largest multiplier of the plan. Where terms of that size cancel, the result is
    # only as exact as they are.
    largest = max(abs(plan.W), abs(plan.A), abs(plan.W * plan.R))
    return [
        pytest.approx(initial * λ, rel=1e-12, abs=1e-12 * initial * largest)
        for initial in INITIAL_VALUES[target]
    ]


def interesting_steps(plan: Plan) -> list[float]:
    L, M = plan.L, plan.M
    corners = [0, 1, L - 1, L, L + 1, M - 1, M, M + 1, 10 * M]
    interior = [L / 2, L / 3, (L + M) / 2, L + 0.9 * (M - L)]
    return [t for t in corners + interior if t >= 0]


# -- the formulas ---------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "target", "plan"), crossed(NAMES, TARGETS, PLANS))
def test_a_run_of_steps_follows_the_closed_form(name: str, target: str, plan: str) -> None:
    """Step by step from 0 to 10·M, every group holds initial value × λ(t)."""
    opt, target = optimizer(), target_of(PLANS[plan], target)
    schedule = build(name, opt, PLANS[plan], target)
    for t in range(int(10 * PLANS[plan].M) + 1):
        assert schedule.last_epoch == t
        assert held(opt, target) == expected(name, PLANS[plan], target, t)
        assert schedule.get_last_lr() == held(opt, target)
        advance(schedule)


@pytest.mark.parametrize(("name", "target"), crossed(NAMES, TARGETS))
def test_any_step_of_any_plan_follows_the_closed_form(name: str, target: str) -> None:
    """A schedule sent straight to a corner, or between corners, has the closed form's value."""
    for plan_name, plan in PLANS.items():
        opt, moved = optimizer(), target_of(plan, target)
        schedule = scheduled(name, opt, plan, moved)
        for t in interesting_steps(plan):
            schedule.step(t)
            assert held(opt, moved) == expected(name, plan, moved, t), f"{plan_name}, t = {t}"


# Smaller numbers would underflow in the closed form.
real = st.just(0) | st.floats(1e-6, 100) | st.floats(-100, -1e-6)
plans = st.builds(
    lambda W, A, R, P, M, share: Plan(W, A, share * M, M, R, P),
    W=real,
    A=real,
    R=real,
    P=st.floats(0.01, 20),
    M=st.integers(1, 10_000) | st.floats(0.5, 10_000),
    share=st.sampled_from([0, 1]) | st.floats(1e-6, 1),
)
# A step anywhere in the plan, or close to the end of the warmup or of the annealing.
steps_of_a_plan = st.one_of(
    (st.floats(0, 2) | st.sampled_from([0, 1, 10])).map(lambda where: lambda plan: where * plan.M),
    st.integers(-2, 2).map(lambda by: lambda plan: max(0, plan.L + by)),
    st.integers(-2, 2).map(lambda by: lambda plan: max(0, plan.M + by)),
)


@may_look_mistaken
@every_name
@settings(max_examples=examples(50))
@given(plan=plans, step=steps_of_a_plan, target=st.sampled_from(TARGETS))
def test_drawn_plans_follow_the_closed_form(name: str, plan: Plan, step: Any, target: str) -> None:
    """Any finite W, A and R, any 0 ≤ L ≤ M and P > 0 give the closed form, at corners too."""
    opt, target = optimizer(), target_of(plan, target)
    t = step(plan)
    scheduled(name, opt, plan, target).step(t)
    assert held(opt, target) == expected(name, plan, target, t)


# -- properties beyond the values -------------------------------------------------------------


@pytest.mark.parametrize("name", some(NAMES))
@settings(max_examples=examples(20))
@given(order=st.permutations(range(30)))
def test_the_order_of_evaluation_does_not_matter(name: str, order: list[int]) -> None:
    """A step has the same value, bit for bit, in any order of jumps and when reached by steps."""
    plan, opt = PLANS["steps that are not whole"], optimizer()
    schedule = scheduled(name, opt, plan)
    by_steps = [held(opt)]
    for _ in range(29):
        schedule.step()
        by_steps.append(held(opt))
    by_jumps = {}
    for t in order:
        schedule.step(t)
        by_jumps[t] = held(opt)
    assert [by_jumps[t] for t in range(30)] == by_steps


@pytest.mark.parametrize(
    ("name", "plan"), crossed([name for name in NAMES if name != FOREVER], PLANS)
)
def test_nothing_moves_past_the_end(name: str, plan: str) -> None:
    """After M the multiplier is exactly A, or W in the constants, and a real float, forever."""
    opt, M, target = optimizer(), PLANS[plan].M, target_of(PLANS[plan])
    schedule = scheduled(name, opt, PLANS[plan], target)
    final = PLANS[plan].A if name in ANNEALING else PLANS[plan].W
    for t in [M + 0.25, M + 1, 2 * M, 2 * M + 1, 10 * M, 1e12]:
        schedule.step(t)
        assert held(opt, target) == [initial * final for initial in INITIAL_VALUES[target]]
        assert [type(value) for value in held(opt, target)] == [float] * 3


@pytest.mark.parametrize("name", some(ANNEALING, 5))
def test_an_annealing_downwards_never_rises_nor_turns_negative(name: str) -> None:
    """From L on, with W > A ≥ 0, each value is at most the last one and at least A."""
    opt = optimizer()
    schedule = scheduled(name, opt, PLANS["to zero"])
    schedule.step(4)
    last = held(opt)
    for _ in range(120):
        schedule.step()
        assert all(0 <= value <= before for value, before in zip(held(opt), last))
        last = held(opt)


@may_look_mistaken
@pytest.mark.parametrize(
    ("power", "warmup"),
    crossed([("linear", 1.0), ("quadratic", 2.0), ("sqrt", 0.5)], ["warmup", "inverse_warmup"]),
)
@settings(max_examples=examples(50))
@given(plan=plans, t=st.floats(0, 20_000))
def test_a_named_power_is_the_polynomial_built_in(
    power: tuple[str, float], warmup: str, plan: Plan, t: float
) -> None:
    """Linear, quadratic and sqrt are the polynomial built-in with P = 1, 2, 0.5, bit for bit."""
    one, other, target = optimizer(), optimizer(), target_of(plan)
    name, exponent = power
    scheduled(f"{name}_schedule_with_{warmup}", one, plan, target).step(t)
    named = f"polynomial_schedule_with_{warmup}"
    scheduled(named, other, replace(plan, P=exponent), target).step(t)
    assert held(one, target) == held(other, target)


@pytest.mark.parametrize("name", some(NAMES))
def test_a_built_in_works_on_the_users_own_optimizer(name: str) -> None:
    """A built-in keeps the optimizer that it was given, and leaves its ``step`` alone."""
    opt = optimizer()
    schedule = build(name, opt, Plan())
    assert schedule.optimizer is opt
    assert "step" not in vars(opt)
    assert isinstance(schedule, torch.optim.lr_scheduler.LRScheduler)


@pytest.mark.parametrize("target", TARGETS)
def test_other_entries_stay(target: str) -> None:
    """A built-in moves its target and adds the target's initial value. All else stays."""
    opt = optimizer()
    before = [dict(group) for group in opt.param_groups]
    schedule = scheduled("cosine_annealing_with_warmup", opt, Plan(), target)
    schedule.step()
    moved = target.partition("[")[0]
    for i, (group, group_before) in enumerate(zip(opt.param_groups, before)):
        assert group.pop(f"initial_{target}") == INITIAL_VALUES[target][i]
        del group[moved], group_before[moved]
        assert group == group_before


def test_the_other_beta_stays() -> None:
    """A schedule of ``betas[0]`` leaves ``betas[1]`` as it was, in a tuple."""
    first_betas = (0.9, 0.8, 0.95)
    opt = adamw(*({"betas": (first, 0.999)} for first in first_betas))
    scheduled("constant_schedule", opt, Plan(W=0.5), "betas[0]").step()
    assert held(opt, "betas") == [(first * 0.5, 0.999) for first in first_betas]


def test_every_built_in_has_a_closed_form() -> None:
    """The tests over all built-ins include every schedule that the package offers."""
    others = {"curves", "Plan", "from_plan", "to_plan", "__version__"}
    assert set(NAMES) == set(tsa_builtins.__all__) - others
