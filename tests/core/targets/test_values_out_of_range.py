"""A step that would write a value the target cannot hold is refused, and nothing has moved."""

from __future__ import annotations

import copy
import math
import re
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from cases import crossed
from helpers import Untouched, adamw, add_group, advance, halving, held, put, put_curve, sgd
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
NARROW = [torch.float32, torch.float16, torch.bfloat16]


def as_kind(kind: torch.dtype | None, value: float) -> Any:
    return value if kind is None else torch.tensor(value, dtype=kind)


def decaying(kind: torch.dtype | None, *values: float) -> torch.optim.AdamW:
    """An AdamW with one group per value of ``weight_decay``."""
    return adamw(*({"weight_decay": as_kind(kind, value)} for value in values), lr=0.1)


def scaled(kind: torch.dtype | None, *values: float) -> torch.optim.AdamW:
    """An AdamW with one group per value of ``"scale"``, an entry that may be negative."""
    return adamw(*({"scale": as_kind(kind, value)} for value in values), lr=0.1)


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


WAYS = ["built", "overwritten", "base_lrs", "state loaded", "optimizer's state loaded"]


def with_initial_value(way: str, optimizer: Any, huge: Any) -> CurveSchedule:
    """A schedule whose second group has a huge initial value, which came in the given way."""
    if way == "built":
        optimizer.param_groups[1]["scale"] = huge
    schedule = CurveSchedule(optimizer, quadruple, "scale")
    if way == "overwritten":
        extend_optimizer(optimizer, "scale", float(huge), overwrite_values=True)
    elif way == "base_lrs":  # the first one stays the same object
        schedule.base_lrs = [optimizer.param_groups[0]["initial_scale"], float(huge)]
    elif way == "state loaded":
        state = {**schedule.state_dict(), "base_lrs": [0.5, float(huge)]}
        schedule.load_state_dict(state, initial="saved")
    elif way == "optimizer's state loaded":
        state = copy.deepcopy(optimizer.state_dict())
        state["param_groups"][1]["initial_scale"] = float(huge)
        optimizer.load_state_dict(state)
    return schedule


@pytest.mark.parametrize(("way", "sign", "kind"), crossed(WAYS, [1, -1], LARGEST))
def test_a_value_beyond_the_targets_range_is_refused(
    way: str, sign: int, kind: Any, untouched: Untouched
) -> None:
    """A product that does not fit is an error with target, step and value, however it came."""
    huge = sign * LARGEST[kind] / 2
    schedule = with_initial_value(way, scaled(kind, 0.5, 0.25), as_kind(kind, huge))
    value = repr(huge * 4.0)
    assert_refused(schedule, schedule.step, "'scale' at step 1", "4.0", value, untouched=untouched)
    schedule.step(0)
    assert held(schedule.optimizer, "scale")[1] == huge


@pytest.mark.parametrize(
    ("curve", "stepped", "kind"),
    crossed([quadruple, {"*": quadruple}, [quadruple, quadruple]], [False, True], LARGEST),
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


UNFIT_TENSORS = [
    (torch.tensor(0.5, dtype=torch.float16), 2e5, ValueError, r"from -65504\.0 to 65504\.0"),
    (torch.tensor(0.5, dtype=torch.float16), -2e5, ValueError, r"from -65504\.0 to 65504\.0"),
    (torch.tensor(1), 0.5, TypeError, "is a torch.int64 tensor"),
]


@pytest.mark.parametrize(
    ("make", "unfit"),
    crossed(["curve", "absolute", "derived", "absolute"], UNFIT_TENSORS),
)
def test_a_tensor_that_was_put_into_a_dict_is_checked(
    make: str, unfit: tuple[torch.Tensor, float, type[Exception], str]
) -> None:
    """A step names the target if a tensor in the place of a float cannot hold the value."""
    tensor, value, error, says = unfit
    optimizer = scaled(None, 1.0, 1.0)
    if make == "derived":
        schedule: Any = DerivedSchedule(optimizer, lambda _: value, "scale", absolute=True)
    else:
        schedule = CurveSchedule(optimizer, lambda t: value, "scale", absolute=make == "absolute")
    present = tensor.clone()
    optimizer.param_groups[1]["scale"] = present
    optimizer.step()
    with pytest.raises(error, match=f"'scale'.* {says}") as raised:
        schedule.step()
    if error is ValueError and make != "derived":
        assert "at step 1" in str(raised.value)  # a curve is asked again, for the whole message
    assert schedule.last_epoch == 0
    assert present == tensor


@each_kind
def test_the_largest_value_itself_is_written(kind: Any) -> None:
    """A product that is exactly the largest value of the target, or its negative, is written."""
    schedule = CurveSchedule(
        scaled(kind, LARGEST[kind] / 4, -LARGEST[kind] / 4), quadruple, "scale"
    )
    advance(schedule)
    assert held(schedule.optimizer, "scale") == [LARGEST[kind], -LARGEST[kind]]


@pytest.mark.parametrize(
    ("as_number", "kind"),
    crossed([int, np.float32, np.float64, np.int64, torch.tensor, float.__neg__], LARGEST),
)
def test_a_multiplier_of_any_type_is_refused_alike(
    as_number: Any, kind: Any, untouched: Untouched
) -> None:
    """A product that does not fit is refused whatever type λ has, and if λ is negative."""
    schedule = CurveSchedule(
        scaled(kind, 0.5, LARGEST[kind] / 2),
        lambda t: as_number(4.0) if t else 1.0,
        "scale",
    )
    assert_refused(schedule, schedule.step, "'scale' at step 1", untouched=untouched)


@each_kind
def test_one_group_that_does_not_fit_keeps_the_others_in_place(
    kind: Any, untouched: Untouched
) -> None:
    """A group that does not fit is foreseen, and keeps the groups of all curves in place."""
    optimizer = decaying(kind, 0.5, LARGEST[kind] / 2, 0.25)
    for curves in (quadruple, [halving, quadruple, halving]):
        schedule = CurveSchedule(optimizer, curves, "weight_decay")
        for call in (
            schedule.step,
            lambda schedule=schedule: schedule.values_at(1),
            lambda schedule=schedule: preview(schedule, 2),
        ):
            assert_refused(schedule, call, "'weight_decay' at step 1", untouched=untouched)
    with untouched(optimizer), pytest.raises(ValueError, match=r"'weight_decay' at step 0: 4\.0"):
        CurveSchedule(optimizer, lambda t: 4.0, "weight_decay")


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


@pytest.mark.parametrize(("sign", "kind"), crossed([1, -1], NARROW))
def test_an_absolute_value_that_a_tensor_cannot_hold_is_refused(
    sign: int, kind: Any, untouched: Untouched
) -> None:
    """A curve of values that gives more than a tensor can hold is refused, with that value."""
    value = sign * LARGEST[kind] * 2
    schedule = CurveSchedule(
        scaled(kind, 0.5, 0.25), lambda t: value if t else 1.0, "scale", absolute=True
    )
    assert_refused(schedule, schedule.step, "'scale' at step 1", repr(value), untouched=untouched)


@pytest.mark.parametrize(("place", "kind"), crossed([0, 1, 2], LARGEST))
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


# -- elements of betas ----------------------------------------------------------------------------

BETAS = {
    "1": 1.0,
    "more than 1": 1.5,
    "negative": -0.125,
    "hardly negative": -sys.float_info.min,
}
BETA_KINDS = [None, torch.float32]
ELEMENTS = ["betas[0]", "betas[1]"]
beta_kinds = pytest.mark.parametrize("kind", BETA_KINDS, ids=str)


def adamw_with_betas(kind: torch.dtype | None, *values: float) -> torch.optim.AdamW:
    """An AdamW with one group per value; both betas of a group have it."""
    entries = [{"betas": (as_kind(kind, value), as_kind(kind, value))} for value in values]
    return adamw(*entries, lr=0.1)


@pytest.mark.parametrize(
    ("name", "absolute", "target", "kind"),
    crossed(BETAS, [False, True], ELEMENTS, [torch.float32, None]),
)
def test_a_beta_that_torch_would_refuse_is_refused(
    name: str, absolute: bool, target: str, kind: Any, untouched: Untouched
) -> None:
    """A beta outside [0, 1) is refused with target, step and value, as torch's constructor does."""
    value = BETAS[name]
    with pytest.raises(ValueError, match="beta"):
        adamw(betas=(value, 0.5))
    first, other = (0.5, value) if absolute else (1.0, value / 0.5)
    optimizer = adamw_with_betas(kind, 0.5, 0.25)
    with untouched(optimizer), pytest.raises(ValueError, match=f"{re.escape(target)}' at step 0"):
        CurveSchedule(optimizer, lambda t: other, target, absolute=absolute)
    schedule = CurveSchedule(optimizer, lambda t: other if t else first, target, absolute=absolute)
    assert_refused(
        schedule, schedule.step, f"{target!r} at step 1", repr(value), untouched=untouched
    )


@pytest.mark.parametrize("target", ELEMENTS)
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


@pytest.mark.parametrize(("target", "kind"), crossed(ELEMENTS, BETA_KINDS))
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


@pytest.mark.parametrize(("absolute", "kind"), crossed([False, True], BETA_KINDS))
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


UNFIT = [
    *crossed(["weight_decay"], [1e300], NARROW),
    *crossed(["betas[0]"], [1.0, 1.5, -0.125], BETA_KINDS),
]


@pytest.mark.parametrize(("unfit", "make"), crossed(UNFIT, [put_curve, put]))
def test_a_saved_value_that_does_not_fit_is_refused(
    unfit: tuple[str, float, Any], make: Any, untouched: Untouched
) -> None:
    """A saved value that the target cannot hold is an error with target and value; none moves."""
    target, value, kind = unfit
    both = adamw_with_betas(kind, 0.5, 0.25) if target == "betas[0]" else decaying(kind, 0.5, 0.25)
    sync = SynchronousSchedule([make(both, target)])
    state = sync.state_dict()
    state[target]["_last_lr"] = [0.125, value]
    assert_refused(
        sync, lambda: sync.load_state_dict(state), repr(target), repr(value), untouched=untouched
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


@pytest.mark.parametrize("name", ["beta", "my_momentum", "my_betas[0]"])
def test_entries_that_are_not_betas_are_not_limited(name: str) -> None:
    """An entry of any other name takes values outside [0, 1), also if it sounds like a beta."""
    optimizer = adamw({name.partition("[")[0]: (0.5, 0.5) if "[" in name else 0.5})
    schedule = CurveSchedule(optimizer, lambda t: 1.0 - 4.0 * t, name)
    advance(schedule)
    assert held(optimizer, name) == [-1.5]


# -- values that torch's constructors refuse below 0 -----------------------------------------------

NEVER_NEGATIVE = ["lr", "weight_decay", "momentum"]
NEGATIVE = [-0.125, -sys.float_info.min, -1e300]


def holding(target: str, kind: torch.dtype | None, *values: float) -> torch.optim.SGD:
    """An SGD with one group per value of the target."""
    return sgd(*({target: as_kind(kind, value)} for value in values))


def negative_curve(target: str, value: float) -> Any:
    return lambda t: value if t else 0.5


def negative_in_one_group(target: str, value: float) -> Any:
    return [lambda t: 0.5, negative_curve(target, value)]


@pytest.mark.parametrize(
    ("target", "value", "curve", "absolute", "kind"),
    crossed(
        NEVER_NEGATIVE,
        NEGATIVE,
        [negative_curve, negative_in_one_group],
        [True, True, False],
        [None, torch.float64],
    ),
)
def test_a_negative_value_that_torch_would_refuse_is_refused(
    target: str, value: float, curve: Any, absolute: bool, kind: Any, untouched: Untouched
) -> None:
    """A negative value is an error with target, step and value, as in torch's constructor."""
    with pytest.raises(ValueError, match="Invalid"):
        sgd(**{target: value})
    optimizer = holding(target, kind, 1.0, 1.0)
    with untouched(optimizer), pytest.raises(ValueError, match=f"'{target}' at step 0: "):
        CurveSchedule(optimizer, lambda t: value, target, absolute=absolute)
    schedule = CurveSchedule(optimizer, curve(target, value), target, absolute=absolute)
    for call in (schedule.step, lambda: schedule.values_at(1), lambda: preview(schedule, 2)):
        says = f"{target!r} at step 1", repr(value), "must be 0 or more"
        assert_refused(schedule, call, *says, untouched=untouched)


@pytest.mark.parametrize(("target", "kind"), crossed(NEVER_NEGATIVE, [None, torch.float32]))
def test_zero_is_written(target: str, kind: Any) -> None:
    """0 is a value of each of them, and so is the smallest number above it."""
    tiny = float(np.finfo(np.float32).tiny)
    optimizer = holding(target, kind, 1.0, 1.0)
    schedule = CurveSchedule(optimizer, lambda t: [1.0, 0.0, tiny][int(t)], target)
    for value in (0.0, tiny):
        advance(schedule)
        assert held(optimizer, target) == [value, value]


@pytest.mark.parametrize("target", ["scale", "my_lr", "momentum_decay", "lr_scale", "eps"])
def test_entries_of_other_names_may_be_negative(target: str) -> None:
    """Only the names that torch's constructors check are limited."""
    optimizer = adamw({target: 0.5})
    advance(CurveSchedule(optimizer, lambda t: 1.0 - 4.0 * t, target))
    assert held(optimizer, target) == [-1.5]


@pytest.mark.parametrize("target", NEVER_NEGATIVE)
def test_each_way_to_a_negative_value_is_refused(target: str, untouched: Untouched) -> None:
    """A rule, a saved value, an initial value and a default cannot bring one."""
    optimizer = sgd({target: 0.5, "scale": 1.0}, {target: 0.25, "scale": 1.0})
    with untouched(optimizer), pytest.raises(ValueError, match=f"'{target}'.*-0.5"):
        DerivedSchedule(optimizer, lambda _: -0.5, target, of="scale", absolute=True)
    with untouched(optimizer), pytest.raises(ValueError, match=f"-0.5 does not fit '{target}'"):
        extend_optimizer(optimizer, target, -0.5, overwrite_values=True)
    schedule = put_curve(optimizer, target)
    state = {**schedule.state_dict(), "_last_lr": [0.125, -0.125]}
    says = repr(target), "-0.125"
    assert_refused(schedule, lambda: schedule.load_state_dict(state), *says, untouched=untouched)
    with untouched(optimizer), pytest.raises(ValueError, match=f"base_lrs: .*-0.25 of '{target}'"):
        schedule.base_lrs = [0.5, -0.25]


@pytest.mark.parametrize("at", [0, 1])
@pytest.mark.parametrize("target", ["weight_decay", "momentum"])
def test_a_torch_scheduler_that_leads_below_0_is_refused(
    target: str, at: int, untouched: Untouched
) -> None:
    """A torch scheduler that gives a negative value is refused, at its first step too."""
    optimizer = sgd({target: 0.5})

    def build() -> Any:
        return put(optimizer, target, lambda p: LambdaLR(p, lambda t: -1.0 if t == at else 1.0))

    schedule = build() if at else None
    optimizer.step()
    says = rf"'{target}' in param group 0: -0\.5; it must be 0 or more"
    with untouched(optimizer), pytest.raises(ValueError, match=says):
        build() if schedule is None else schedule.step()
