"""A step that would write a value the target cannot hold is refused, and nothing has moved."""

from __future__ import annotations

import copy
import math
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from helpers import Untouched, adamw, add_group, advance, halving, held, put, put_curve
from torch.optim.lr_scheduler import LambdaLR

from tsa_core import (
    CurveSchedule,
    DerivedSchedule,
    SynchronousSchedule,
    extend_optimizer,
    preview,
)

# The kinds of a target, and the largest value that each holds.
LARGEST: dict[torch.dtype | None, float] = {
    None: sys.float_info.max,  # a Python float
    **{
        dtype: torch.finfo(dtype).max
        for dtype in (torch.float64, torch.float32, torch.float16, torch.bfloat16)
    },
}
each_kind = pytest.mark.parametrize("kind", LARGEST, ids=str)


def as_kind(kind: torch.dtype | None, value: float) -> Any:
    return value if kind is None else torch.tensor(value, dtype=kind)


def decaying(kind: torch.dtype | None, *values: float) -> torch.optim.AdamW:
    """An AdamW with one group per value of ``weight_decay``."""
    return adamw(*({"weight_decay": as_kind(kind, value)} for value in values), lr=0.1)


def quadruple(t: float) -> float:
    """A curve that is 1 at step 0, and 4 from step 1 on."""
    return 4.0 if t >= 1 else 1.0


def assert_refused(
    schedule: Any, call: Callable[[], Any], *says: str, untouched: Untouched
) -> None:
    """Assert that ``call`` is a ``ValueError`` that says all of ``says``, and moves nothing."""
    schedule.optimizer.step()
    stood = (schedule.last_epoch, schedule._step_count)
    with untouched(schedule.optimizer), pytest.raises(ValueError) as caught:  # noqa: PT011
        call()
    for text in says:
        assert text in str(caught.value)
    assert (schedule.last_epoch, schedule._step_count) == stood


# -- initial value × λ ----------------------------------------------------------------------------


def built(optimizer: Any, huge: float) -> CurveSchedule:
    optimizer.param_groups[1]["weight_decay"] = as_kind(
        getattr(optimizer.param_groups[1]["weight_decay"], "dtype", None), huge
    )
    return CurveSchedule(optimizer, quadruple, "weight_decay")


def overwritten(optimizer: Any, huge: float) -> CurveSchedule:
    schedule = CurveSchedule(optimizer, quadruple, "weight_decay")
    extend_optimizer(optimizer, "weight_decay", huge, overwrite_values=True)
    return schedule


def base_lrs_assigned(optimizer: Any, huge: float) -> CurveSchedule:
    schedule = CurveSchedule(optimizer, quadruple, "weight_decay")
    schedule.base_lrs = [0.125, huge]
    return schedule


def state_loaded(optimizer: Any, huge: float) -> CurveSchedule:
    schedule = CurveSchedule(optimizer, quadruple, "weight_decay")
    schedule.load_state_dict({**schedule.state_dict(), "base_lrs": [0.5, huge]})
    return schedule


def optimizer_state_loaded(optimizer: Any, huge: float) -> CurveSchedule:
    schedule = CurveSchedule(optimizer, quadruple, "weight_decay")
    state = copy.deepcopy(optimizer.state_dict())
    state["param_groups"][1]["initial_weight_decay"] = huge
    optimizer.load_state_dict(state)
    return schedule


@each_kind
@pytest.mark.parametrize("sign", [1, -1], ids=["positive", "negative"])
@pytest.mark.parametrize(
    "make", [built, overwritten, base_lrs_assigned, state_loaded, optimizer_state_loaded]
)
def test_a_value_beyond_the_targets_range_is_refused(
    make: Any, sign: int, kind: Any, untouched: Untouched
) -> None:
    """A product that does not fit is an error with target, step and value, however it came."""
    huge = sign * LARGEST[kind] / 2
    schedule = make(decaying(kind, 0.5, 0.25), huge)
    value = repr(huge * 4.0)
    assert_refused(
        schedule, schedule.step, "'weight_decay' at step 1", "4.0", value, untouched=untouched
    )
    schedule.step(0)
    assert held(schedule.optimizer, "weight_decay")[1] == huge


def test_an_initial_value_behind_an_unchanged_one_is_checked(untouched: Untouched) -> None:
    """Assigned initial values are checked, also if the first group's is the same object."""
    optimizer = decaying(None, 0.5, 0.25)
    schedule = CurveSchedule(optimizer, quadruple, "weight_decay")
    schedule.base_lrs = [optimizer.param_groups[0]["initial_weight_decay"], 1e308]
    assert_refused(schedule, schedule.step, "'weight_decay' at step 1", untouched=untouched)


@each_kind
@pytest.mark.parametrize("stepped", [False, True])
@pytest.mark.parametrize(
    "curve", [quadruple, {"*": quadruple}, [quadruple, quadruple]], ids=["one", "*", "list"]
)
def test_a_group_in_the_place_of_another_is_checked(
    curve: Any, stepped: bool, kind: Any, untouched: Untouched
) -> None:
    """A group that took the place of another and does not fit is refused until it leaves."""
    optimizer = decaying(kind, 0.5, 0.25)
    schedule = CurveSchedule(optimizer, curve, "weight_decay")
    if stepped:
        advance(schedule)
    left = optimizer.param_groups.pop()
    add_group(optimizer, weight_decay=as_kind(kind, LARGEST[kind] / 2))
    t = 2 if stepped else 1
    says = f"'weight_decay' at step {t}"
    assert_refused(schedule, schedule.step, says, repr(LARGEST[kind] * 2.0), untouched=untouched)
    optimizer.param_groups[1] = left
    advance(schedule)
    assert held(optimizer, "weight_decay") == [2.0, 1.0]


@pytest.mark.parametrize("make", ["curve", "absolute", "derived"])
@pytest.mark.parametrize(
    ("tensor", "value", "error", "says"),
    [
        (torch.tensor(0.5, dtype=torch.float16), 2e5, ValueError, r"from -65504\.0 to 65504\.0"),
        (torch.tensor(0.5, dtype=torch.float16), -2e5, ValueError, r"from -65504\.0 to 65504\.0"),
        (torch.tensor(1), 0.5, TypeError, "is a torch.int64 tensor"),
    ],
    ids=["float16", "negative", "int64"],
)
def test_a_tensor_that_was_put_into_a_dict_is_checked(
    tensor: torch.Tensor, value: float, error: type[Exception], says: str, make: str
) -> None:
    """A step names the target if a tensor in the place of a float cannot hold the value."""
    optimizer = decaying(None, 1.0, 1.0)
    if make == "derived":
        schedule: Any = DerivedSchedule(optimizer, lambda _: value, "weight_decay", absolute=True)
    else:
        schedule = CurveSchedule(
            optimizer, lambda t: value, "weight_decay", absolute=make == "absolute"
        )
    present = tensor.clone()
    optimizer.param_groups[1]["weight_decay"] = present
    optimizer.step()
    with pytest.raises(error, match=f"'weight_decay'.* {says}") as raised:
        schedule.step()
    if error is ValueError and make != "derived":
        assert "at step 1" in str(raised.value)  # a curve is asked again, for the whole message
    assert schedule.last_epoch == 0
    assert present == tensor


@each_kind
def test_the_largest_value_itself_is_written(kind: Any) -> None:
    """A product that is exactly the largest value of the target, or its negative, is written."""
    schedule = CurveSchedule(
        decaying(kind, LARGEST[kind] / 4, -LARGEST[kind] / 4), quadruple, "weight_decay"
    )
    advance(schedule)
    assert held(schedule.optimizer, "weight_decay") == [LARGEST[kind], -LARGEST[kind]]


@each_kind
@pytest.mark.parametrize(
    "as_number",
    [int, np.float32, np.float64, np.int64, torch.tensor, lambda number: -number],
    ids=["int", "float32", "float64", "int64", "tensor", "negative"],
)
def test_a_multiplier_of_any_type_is_refused_alike(
    as_number: Any, kind: Any, untouched: Untouched
) -> None:
    """A product that does not fit is refused whatever type λ has, and if λ is negative."""
    schedule = CurveSchedule(
        decaying(kind, 0.5, LARGEST[kind] / 2),
        lambda t: as_number(4) if t else 1.0,
        "weight_decay",
    )
    assert_refused(schedule, schedule.step, "'weight_decay' at step 1", untouched=untouched)


@each_kind
def test_one_group_that_does_not_fit_keeps_the_others_in_place(
    kind: Any, untouched: Untouched
) -> None:
    """A group of one curve that does not fit keeps the groups of all other curves in place."""
    optimizer = decaying(kind, 0.5, LARGEST[kind] / 2, 0.25)
    schedule = CurveSchedule(optimizer, [halving, quadruple, halving], "weight_decay")
    assert_refused(schedule, schedule.step, "'weight_decay' at step 1", untouched=untouched)


def test_groups_of_different_types_have_their_own_ranges(untouched: Untouched) -> None:
    """A float and tensors of several types in one optimizer are each checked by their own range."""
    optimizer = adamw(
        {"weight_decay": 0.5},
        {"weight_decay": torch.tensor(0.5, dtype=torch.float32)},
        {"weight_decay": torch.tensor(0.5, dtype=torch.float16)},
    )
    factors = {1: 2.0**16, 2: 2.0**17, 3: 2.0**129}
    schedule = CurveSchedule(optimizer, lambda t: factors.get(t, 1.0), "weight_decay")
    advance(schedule)
    assert held(optimizer, "weight_decay") == [2.0**15] * 3
    for step in (2, 3):
        assert_refused(
            schedule, lambda step=step: schedule.step(step), f"at step {step}", untouched=untouched
        )


@each_kind
def test_an_initial_value_of_0_stays_0(kind: Any) -> None:
    """A group whose initial value is 0 takes any finite λ, beside a group that is moved by it."""
    optimizer = adamw({"weight_decay": as_kind(kind, 0.0)}, {"weight_decay": 2.0**-1000})
    schedule = CurveSchedule(optimizer, lambda t: 2.0**1000 if t else 1.0, "weight_decay")
    advance(schedule)
    assert held(optimizer, "weight_decay") == [0.0, 1.0]


@each_kind
def test_a_schedule_on_a_value_that_does_not_fit_is_not_built(
    kind: Any, untouched: Untouched
) -> None:
    """A schedule whose first value does not fit is refused, and the optimizer is as it was."""
    optimizer = decaying(kind, 0.5, LARGEST[kind] / 2)
    with untouched(optimizer), pytest.raises(ValueError, match=r"'weight_decay' at step 0: 4\.0"):
        CurveSchedule(optimizer, lambda t: 4.0, "weight_decay")


@pytest.mark.parametrize("kind", [torch.float32, torch.float16, torch.bfloat16], ids=str)
@pytest.mark.parametrize("sign", [1, -1], ids=["positive", "negative"])
def test_an_absolute_value_that_a_tensor_cannot_hold_is_refused(
    sign: int, kind: Any, untouched: Untouched
) -> None:
    """A curve of values that gives more than a tensor can hold is refused, with that value."""
    value = sign * LARGEST[kind] * 2
    schedule = CurveSchedule(
        decaying(kind, 0.5, 0.25), lambda t: value if t else 1.0, "weight_decay", absolute=True
    )
    assert_refused(
        schedule, schedule.step, "'weight_decay' at step 1", repr(value), untouched=untouched
    )


@each_kind
@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_member_that_does_not_fit_keeps_all_members_in_place(
    place: int, kind: Any, untouched: Untouched
) -> None:
    """A curve whose value does not fit moves no other member, wherever it stands in the list."""
    optimizer = decaying(kind, 0.5, LARGEST[kind] / 2)
    schedules: list[Any] = [put(optimizer), put_curve(optimizer, "eps")]
    schedules.insert(place, CurveSchedule(optimizer, quadruple, "weight_decay"))
    sync = SynchronousSchedule(schedules)
    assert_refused(sync, sync.step, "'weight_decay' at step 1", untouched=untouched)
    assert [each.last_epoch for each in schedules] == [0, 0, 0]
    extend_optimizer(optimizer, "weight_decay", 0.5, overwrite_values=True)
    advance(sync)
    assert sync.get_last_schedules() == {
        "lr": [0.05, 0.05],
        "eps": [0.5e-8, 0.5e-8],
        "weight_decay": [2.0, 2.0],
    }


@pytest.mark.parametrize("make", [put_curve, put])
@pytest.mark.parametrize("kind", [torch.float32, torch.float16, torch.bfloat16], ids=str)
def test_a_saved_value_that_a_tensor_cannot_hold_is_refused(
    kind: Any, make: Any, untouched: Untouched
) -> None:
    """A saved value that a tensor cannot hold is an error with target and value; nothing moves."""
    sync = SynchronousSchedule([make(decaying(kind, 0.5, 0.25), "weight_decay")])
    state = sync.state_dict()
    state["weight_decay"]["_last_lr"] = [0.125, 1e300]
    assert_refused(
        sync,
        lambda: sync.load_state_dict(state),
        "'weight_decay'",
        "1e+300",
        untouched=untouched,
    )


@each_kind
def test_a_value_that_does_not_fit_is_foreseen(kind: Any, untouched: Untouched) -> None:
    """``values_at`` and ``preview`` refuse a value that a step would refuse."""
    optimizer = decaying(kind, 0.5, LARGEST[kind] / 2)
    schedule = CurveSchedule(optimizer, quadruple, "weight_decay")
    for call in (lambda: schedule.values_at(1), lambda: preview(schedule, 2)):
        assert_refused(schedule, call, "'weight_decay' at step 1", untouched=untouched)


# -- elements of betas ----------------------------------------------------------------------------

BETAS = {
    "1": 1.0,
    "more than 1": 1.5,
    "negative": -0.125,
    "hardly negative": -sys.float_info.min,
}
beta_kinds = pytest.mark.parametrize("kind", [None, torch.float32], ids=str)
each_element = pytest.mark.parametrize("target", ["betas[0]", "betas[1]"])


def adamw_with_betas(kind: torch.dtype | None, *values: float) -> torch.optim.AdamW:
    """An AdamW with one group per value; both betas of a group have it."""
    entries = [{"betas": (as_kind(kind, value), as_kind(kind, value))} for value in values]
    return adamw(*entries, lr=0.1)


@beta_kinds
@each_element
@pytest.mark.parametrize("absolute", [False, True], ids=["multiplier", "absolute"])
@pytest.mark.parametrize("value", BETAS.values(), ids=BETAS.keys())
def test_a_beta_that_torch_would_refuse_is_refused(
    value: float, absolute: bool, target: str, kind: Any, untouched: Untouched
) -> None:
    """A beta outside [0, 1) is refused with target, step and value, as torch's constructor does."""
    with pytest.raises(ValueError, match="beta"):
        adamw(betas=(value, 0.5))
    first, other = (0.5, 0.5) if absolute else (1.0, value / 0.5)
    optimizer = adamw_with_betas(kind, 0.5, 0.25)
    schedule = CurveSchedule(
        optimizer,
        lambda t: (value if absolute else other) if t else first,
        target,
        absolute=absolute,
    )
    assert_refused(
        schedule, schedule.step, f"{target!r} at step 1", repr(value), untouched=untouched
    )


@each_element
def test_a_beta_that_a_tensor_rounds_to_1_is_refused(target: str, untouched: Untouched) -> None:
    """A beta below 1 that a float32 tensor would hold as 1 is refused, and a float takes it."""
    value = 1.0 - 2.0**-40
    assert torch.tensor(value, dtype=torch.float32) == 1
    for kind in (None, torch.float32):
        optimizer = adamw_with_betas(kind, 0.5)
        schedule = CurveSchedule(optimizer, lambda t: value if t else 0.5, target, absolute=True)
        if kind is None:
            advance(schedule)
            assert held(optimizer, target) == [value]
        else:
            assert_refused(schedule, schedule.step, "at step 1", repr(value), untouched=untouched)


@beta_kinds
@each_element
def test_the_ends_of_the_range_of_a_beta_are_written(target: str, kind: Any) -> None:
    """A beta of 0, and the largest one below 1, are written, as torch's constructor takes them."""
    below_1 = math.nextafter(1.0, 0.0) if kind is None else 1.0 - 2.0**-24
    adamw(betas=(0.0, below_1))
    values = {1: 0.0, 2: below_1}
    optimizer = adamw_with_betas(kind, 0.5)
    schedule = CurveSchedule(optimizer, lambda t: values.get(t, 0.5), target, absolute=True)
    for value in values.values():
        advance(schedule)
        assert held(optimizer, target) == [value]


@beta_kinds
def test_a_beta_out_of_range_is_refused_at_step_0(kind: Any, untouched: Untouched) -> None:
    """A schedule whose first beta is out of range is not built, and the optimizer is as it was."""
    optimizer = adamw_with_betas(kind, 0.25, 0.5)
    with untouched(optimizer), pytest.raises(ValueError, match=r"'betas\[0\]' at step 0.*1\.0"):
        CurveSchedule(optimizer, lambda t: 2.0, "betas[0]")


@beta_kinds
def test_a_beta_that_was_overwritten_is_checked_again(kind: Any, untouched: Untouched) -> None:
    """A new initial beta that λ takes out of range is refused, and one that fits is followed."""
    optimizer = adamw_with_betas(kind, 0.25, 0.125)
    schedule = CurveSchedule(optimizer, lambda t: 2.0 if t else 1.0, "betas[0]")
    extend_optimizer(optimizer, "betas[0]", 0.75, overwrite_values=True)
    assert_refused(schedule, schedule.step, "'betas[0]' at step 1", "1.5", untouched=untouched)
    extend_optimizer(optimizer, "betas[0]", 0.375, overwrite_values=True)
    advance(schedule)
    assert held(optimizer, "betas[0]") == [0.75, 0.75]


@beta_kinds
def test_a_beta_out_of_range_keeps_all_members_in_place(kind: Any, untouched: Untouched) -> None:
    """A curve that takes a beta out of range moves no other member."""
    optimizer = adamw_with_betas(kind, 0.25, 0.5)
    schedules = [put(optimizer), CurveSchedule(optimizer, lambda t: 1.0 + t, "betas[1]")]
    sync = SynchronousSchedule([*schedules, put_curve(optimizer, "weight_decay")])
    assert_refused(sync, sync.step, "'betas[1]' at step 1", "1.0", untouched=untouched)
    assert [each.last_epoch for each in schedules] == [0, 0]


@beta_kinds
@pytest.mark.parametrize("absolute", [False, True], ids=["multiplier", "absolute"])
def test_a_beta_in_the_place_of_another_is_checked(
    absolute: bool, kind: Any, untouched: Untouched
) -> None:
    """A group that took the place of another is refused if λ takes its beta out of range.

    A curve of values gives every group the same value, so there it is driven.
    """
    optimizer = adamw_with_betas(kind, 0.25, 0.25)
    schedule = CurveSchedule(
        optimizer,
        lambda t: (0.5 if absolute else 2.0) if t else 1.0 - absolute / 2,
        "betas[0]",
        absolute=absolute,
    )
    advance(schedule)
    optimizer.param_groups.pop()
    add_group(optimizer, betas=(as_kind(kind, 0.75), 0.999))
    if absolute:
        advance(schedule)
        assert held(optimizer, "betas[0]") == [0.5, 0.5]
    else:
        assert_refused(schedule, schedule.step, "'betas[0]' at step 2", "1.5", untouched=untouched)


@pytest.mark.parametrize("make", [put_curve, put])
@beta_kinds
@pytest.mark.parametrize("value", [1.0, 1.5, -0.125])
def test_a_saved_beta_out_of_range_is_refused(
    value: float, kind: Any, make: Any, untouched: Untouched
) -> None:
    """A state with a beta outside [0, 1) is refused, and nothing has moved."""
    sync = SynchronousSchedule([make(adamw_with_betas(kind, 0.5, 0.25), "betas[0]")])
    state = sync.state_dict()
    state["betas[0]"]["_last_lr"] = [0.125, value]
    assert_refused(
        sync,
        lambda: sync.load_state_dict(state),
        "'betas[0]'",
        repr(value),
        untouched=untouched,
    )


@pytest.mark.parametrize("value", [1.0, 1.5, -0.125])
def test_a_torch_scheduler_that_takes_a_beta_out_of_range_is_refused(
    value: float, untouched: Untouched
) -> None:
    """A torch scheduler that gives a beta outside [0, 1) is refused, at its first step too."""
    # torch >= 2.4 fills tensors itself, so only floats are checked.
    for at in (0, 1):
        optimizer = adamw_with_betas(None, 0.5)

        def build(optimizer: Any = optimizer, at: int = at) -> Any:
            return put(
                optimizer,
                "betas[0]",
                lambda proxy: LambdaLR(proxy, lambda t: value / 0.5 if t == at else 1.0),
            )

        schedule = build() if at else None
        optimizer.step()
        says = rf"'betas\[0\]' in param group 0: {value}; it must be from 0\.0"
        with untouched(optimizer), pytest.raises(ValueError, match=says):
            build() if schedule is None else schedule.step()


@pytest.mark.parametrize("name", ["beta", "momentum", "my_betas[0]"])
def test_entries_that_are_not_betas_are_not_limited(name: str) -> None:
    """An entry of any other name takes values outside [0, 1), also if it sounds like a beta."""
    optimizer = adamw({name.partition("[")[0]: (0.5, 0.5) if "[" in name else 0.5})
    schedule = CurveSchedule(optimizer, lambda t: 1.0 - 4.0 * t, name)
    advance(schedule)
    assert held(optimizer, name) == [-1.5]
