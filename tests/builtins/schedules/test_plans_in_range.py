"""A plan that leaves the range of its target is refused when it is built, not at a later step."""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from cases import crossed, examples
from curve_forms import Pair, pairs
from hypothesis import given, settings
from hypothesis import strategies as st
from small_runs import Untouched, adamw, advance, held, through_json

from tsa_builtins import from_plan, to_plan
from tsa_builtins.curves import (
    Constant,
    Cosine,
    InverseSqrt,
    Linear,
    PiecewiseConstant,
    join,
    repeat,
    to_dict,
)
from tsa_core import CurveSchedule, SynchronousSchedule, attributes

# Curves that leave the range of lr, with the step and the number that the error names.
DIPS = join([Linear(1, 0.5, 4), Constant(-1.0), Constant(0.5)], [4, 8])
LEAVING: list[tuple[Any, int, float]] = [
    (DIPS, 4, -1.0),
    (PiecewiseConstant({0: 1, 6: -0.5, 9: 1}), 6, -0.5),
    (Linear(1, -1.0, 20), 20, -1.0),
    (Cosine(1, -0.25, 10**6), 10**6, -0.25),
    (Linear(0, 1, 10) - Linear(0, 1, 5), 5, -0.5),  # where one of them comes to rest
    (join([Constant(1), 0.5 + DIPS, Constant(1)], [10, 100]), 14, -0.5),
    (repeat(PiecewiseConstant({0: 1, 5: -0.5}), 6), 5, -0.5),  # before a restart
]
LINE, HALF = Linear(0.75, 0.25, 8), Constant(0.5)


def two_groups(**entries: Any) -> torch.optim.AdamW:
    return adamw(*({"lr": 0.5, "weight_decay": 0.5, "name": name, **entries} for name in "ab"))


FORMS: list[Callable[[Any], Any]] = [
    lambda curve: curve,
    lambda curve: [LINE, curve],
    lambda curve: {"b": curve, "*": LINE},
]


@pytest.mark.parametrize(
    ("leaving", "form", "absolute", "target"),
    crossed(LEAVING, FORMS, [False, True], ["weight_decay", "lr"]),
)
def test_a_plan_that_leaves_its_range_is_refused_when_it_is_built(
    leaving: Any, form: Any, absolute: bool, target: str, untouched: Untouched
) -> None:
    """The error names target, place, curve and value; and nothing has moved."""
    curve, step, number = leaving
    optimizer = two_groups()
    value = number if absolute else 0.5 * number
    says = re.escape(f"{target!r} at step {step}: {number}, as {curve!r} gave it")
    says += f".* value {value}; it must be 0 or more"
    with untouched(optimizer), pytest.raises(ValueError, match=says):
        CurveSchedule(optimizer, form(curve), target, absolute=absolute)
    assert not optimizer._optimizer_step_pre_hooks
    CurveSchedule(two_groups(scale=1.0), form(curve), "scale", absolute=absolute)  # any value


@pytest.mark.parametrize(("leaving", "stretch"), crossed(LEAVING, [1, 2, 10]))
def test_replan_and_from_plan_refuse_it_too(
    leaving: Any, stretch: float, untouched: Untouched
) -> None:
    """The steps in the error count from the replan. In a plan, the error begins with the path."""
    curve, step, number = leaving
    optimizer = two_groups()
    schedule = CurveSchedule(optimizer, LINE)
    sync = SynchronousSchedule([schedule])
    advance(sync, 3)
    for replan, wrong in ((schedule.replan, curve), (sync.replan, {"lr": curve})):
        says = f"'lr' at step {3 + step}: {number}"
        with untouched(optimizer), pytest.raises(ValueError, match=says):
            replan(wrong)
    assert schedule.curve is LINE
    plan = {"weight_decay": {"curve": to_dict(HALF)}, "lr": {"curve": to_dict(curve)}}
    says = rf"^lr: .*'lr' at step {stretch * step}(\.0)?: {number}"
    with untouched(optimizer), pytest.raises(ValueError, match=says):
        from_plan(optimizer, plan, stretch=stretch)


HALF_PRECISION = torch.tensor(1.0, dtype=torch.float16)


@pytest.mark.parametrize(
    ("target", "initial", "curve", "says"),
    [
        ("betas[0]", (0.5, 0.9), Linear(1, 2, 20), r"at step 20: 2.*value 1\.0;"),
        ("betas[1]", (0.5, 0.5), join([HALF, Constant(2.5)], [7]), r"at step 7: 2\.5"),
        ("scale", 1e300, Linear(1, 1e10, 9), "at step 9: .*value inf;"),
        ("scale", HALF_PRECISION, Linear(1, 1e5, 2), r"at step 2: 100000.*from -65504\.0 to 65504"),
        ("momentum", 0.5, Linear(1, -1, 4), "at step 4: -1"),
        ("momentum", 0.5, InverseSqrt(1, 9) - 0.5, r"at its end: -0\.49"),
        ("momentum", 0.5, repeat(Linear(1, -1, 9), 6), r"at step 5: -0\.11"),
    ],
)
def test_each_range_is_looked_at(
    target: str, initial: Any, curve: Any, says: str, untouched: Untouched
) -> None:
    """The range is that of the target, and of the kind of number that a group holds."""
    optimizer = two_groups(**{target.partition("[")[0]: initial})
    with untouched(optimizer), pytest.raises(ValueError, match=f"{re.escape(repr(target))} {says}"):
        CurveSchedule(optimizer, curve, target)


def test_what_is_loaded_and_leaves_the_range_is_refused(untouched: Untouched) -> None:
    """The error comes with the load and not at a later step, and nothing has moved."""
    saved, resumed = (SynchronousSchedule([CurveSchedule(two_groups(), LINE)]) for _ in "ab")
    advance(saved, 3)
    state = through_json(saved.state_dict())
    state["lr"]["curve"]["end"] = -1
    says = re.escape("'lr' at step 8: -1, as Linear(start=0.75, end=-1, steps=8) gave it")
    for schedule, its in ((resumed, state), (resumed.schedules["lr"], state["lr"])):
        with untouched(resumed.optimizer), pytest.raises(ValueError, match=says):
            schedule.load_state_dict(its, plan="saved")
    assert (resumed.last_epoch, resumed.schedules["lr"].curve) == (0, LINE)
    # A plan that fits the initial value in the code leads the saved one to 1.125.
    in_code, other = (
        CurveSchedule(adamw({"betas": (beta, 0.9)}), Linear(1, end, 8), "betas[0]")
        for beta, end in ((0.5, 1.5), (0.75, 1.25))
    )
    state = {**other.state_dict(), "curve": in_code.state_dict()["curve"]}
    says = r"at step 8: 1\.5, as .*1\.125"
    with untouched(in_code.optimizer), pytest.raises(ValueError, match=says):
        in_code.load_state_dict(state, initial="saved")
    in_code.load_state_dict(state, initial="code")
    assert in_code.get_last_lr() == [0.5]


def test_a_function_is_asked_at_its_beginning_alone() -> None:
    """A user's function knows no boundaries: it is asked at 0, and refused at the step itself."""
    asked = []

    def table(t: float) -> float:
        asked.append(t)
        return [1.0, 0.5, -1.0][int(t)]

    forms: list[Any] = [table, [LINE, table], {"a": table, "*": DIPS * DIPS}, LINE * table]
    for curve in forms:
        asked.clear()
        schedule = CurveSchedule(two_groups(), curve)
        assert {*asked} == {0}
        advance(schedule)
        schedule.optimizer.step()
        with pytest.raises(ValueError, match="'lr' at step 2: "):
            schedule.step()


# -- no valid plan is refused ----------------------------------------------------------------------

RANGES = {
    "lr": (0.0, sys.float_info.max),
    "betas[0]": (0.0, math.nextafter(1.0, 0.0)),
    "scale": (-sys.float_info.max, sys.float_info.max),
}


@settings(max_examples=examples(200))
@given(
    pair=pairs,
    target=st.sampled_from(sorted(RANGES)),
    initial=st.sampled_from([0.125, 0.5, 0.9375]),
    absolute=st.booleans(),
)
def test_a_plan_is_refused_only_for_a_value_that_it_gives(
    pair: Pair, target: str, initial: float, absolute: bool
) -> None:
    """A curve is refused exactly if a value at 0, around a turn or far away is outside."""
    low, high = RANGES[target]
    factor = 1.0 if absolute else initial
    entries = {"betas": (initial, 0.999)} if target == "betas[0]" else {target: initial}
    turns = pair.curve.turns
    steps = (0, *turns, *(turn - 1 for turn in turns if turn >= 1), 10**18)
    looked_at = [factor * pair.curve(t) for t in steps]
    fits = all(low <= value <= high for value in looked_at)
    # By the range of the closed form, whose 0 is exact.
    is_inside = low <= factor * pair.low - (1e-9 if pair.low else 0)
    is_inside &= factor * pair.high + 1e-9 <= high
    optimizer = adamw(entries)
    if fits:
        schedule = CurveSchedule(optimizer, pair.curve, target, absolute=absolute)
        assert held(optimizer, target) == pytest.approx([factor * pair.curve(0)], rel=1e-12)
        assert schedule.curve is pair.curve
        optimizer.step()
        for t in (*range(1, 12), *pair.curve.boundaries, 10**6) if is_inside else ():
            schedule.step(t)
            assert held(optimizer, target) == pytest.approx([factor * pair.curve(t)], rel=1e-12)
    else:
        assert not is_inside
        with pytest.raises(ValueError, match=re.escape(repr(target))) as caught:
            CurveSchedule(optimizer, pair.curve, target, absolute=absolute)
        named = float(re.findall(r"makes the value (\S+);", str(caught.value))[0])
        assert not low <= named <= high
        assert named in looked_at


# -- a momentum of 1 and more ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("curve", "absolute", "value"),
    [
        (Constant(2), False, "1.0"),
        (Linear(1, 3, 9), False, "1.5"),
        (join([HALF, Constant(1.25), HALF], [4, 6]), True, "1.25"),
        ([HALF, Linear(0.5, 1.25, 9)], True, "1.25"),
        ([Linear(1, 2, 3), Constant(1.5)], True, "2"),
    ],
)
def test_a_momentum_of_1_or_more_warns_once(curve: Any, absolute: bool, value: str) -> None:
    """One warning, wherever a plan begins, names the target and the largest value."""
    says = rf"^'momentum' will be {re.escape(value)}(\.0)?\. .*ignore this warning"
    with pytest.warns(UserWarning, match=says) as caught:
        schedule = CurveSchedule(two_groups(momentum=0.5), curve, "momentum", absolute=absolute)
    assert [warning.filename for warning in caught] == [__file__]
    advance(schedule, 12)  # and no step warns again
    with pytest.warns(UserWarning, match=says):
        from_plan(two_groups(momentum=0.5), to_plan(schedule))
    with pytest.warns(UserWarning, match=says):
        schedule.replan(curve)


def test_other_values_neither_warn_nor_raise() -> None:
    """A momentum below 1, another target, a curve of no group, and 0 times anything, are taken."""
    for target, curve in (
        ("momentum", Linear(0.5, 1.9990234375, 9)),  # up to just below 1
        ("momentum", repeat(Linear(1, 0, 4), 4)),
        ("my_momentum", Constant(4)),
        ("lr", Constant(400)),
        ("weight_decay", Constant(400)),
    ):
        CurveSchedule(two_groups(momentum=0.5, my_momentum=0.5), curve, target)
    teacher = SimpleNamespace(momentum=0.5)  # a moving average may end at 1
    schedule = CurveSchedule(attributes(teacher, "momentum"), Linear(1, 2, 9), "momentum")
    schedule.step(9)
    assert teacher.momentum == 1.0
    optimizer = adamw({"lr": 0.0, "name": "a"}, {"lr": 0.5, "name": "b"})
    CurveSchedule(optimizer, {"a": Cosine(1, 1e300, 5), "b": LINE, "*": DIPS})
