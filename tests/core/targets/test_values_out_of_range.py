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
from helpers import Untouched, across, adamw, add_group, advance, floats, held, put, put_curve, sgd
from target_helpers import adamw_with, entries
from torch.optim.lr_scheduler import LambdaLR

from tsa_core import CurveSchedule, DerivedSchedule, SynchronousSchedule, extend_optimizer, preview

# The kinds of a target, and the largest value that each holds.
DTYPES = (torch.float64, torch.float32, torch.float16, torch.bfloat16)
LARGEST: dict[torch.dtype | None, float] = {
    None: sys.float_info.max,  # a Python float
    **{dtype: torch.finfo(dtype).max for dtype in DTYPES},
}
TINY = sys.float_info.min
ELEMENTS = ["betas[0]", "betas[1]"]
NEVER_NEGATIVE = ["lr", "weight_decay", "momentum"]

# Target, value, and kind of the entry.
REFUSED_BY_TORCH = [
    *crossed(ELEMENTS, [1.0, 1.5, -0.125, -TINY], [torch.float32, None]),
    *crossed(NEVER_NEGATIVE, [-0.125, -TINY, -1e300], [None, torch.float64]),
]
UNFIT = [
    *REFUSED_BY_TORCH,
    ("betas[0]", 1.0 - 2.0**-40, torch.float32),  # which rounds to 1
    ("scale", 2 * LARGEST[torch.float32], torch.float32),
    ("scale", -2 * LARGEST[torch.float16], torch.float16),
    ("weight_decay", 2 * LARGEST[torch.bfloat16], torch.bfloat16),
]
ENDS = [
    *(("scale", sign * LARGEST[kind], kind) for kind, sign in crossed(LARGEST, [1, -1])),
    ("betas[0]", 0.0, None),
    ("betas[1]", math.nextafter(1.0, 0.0), None),
    ("betas[0]", 1.0 - 2.0**-24, torch.float32),
    ("betas[1]", 0.0, torch.float32),
    *crossed(NEVER_NEGATIVE, [0.0, float(np.finfo(np.float32).tiny)], [None, torch.float32]),
]


def as_kind(kind: torch.dtype | None, value: float) -> Any:
    return value if kind is None else torch.tensor(value, dtype=kind)


def holding(target: str, kind: torch.dtype | None, *values: float) -> torch.optim.AdamW:
    return adamw_with(target, *(as_kind(kind, value) for value in values))


def quadruple(t: float) -> float:
    return 4.0 if t >= 1 else 1.0


def assert_refused(schedule: Any, call: Any, *says: str, untouched: Untouched) -> None:
    """Assert that ``call`` is a ``ValueError`` that says all of ``says``, and moves nothing."""
    schedule.optimizer.step()
    stood = (schedule.last_epoch, schedule._step_count)
    with untouched(schedule.optimizer), pytest.raises(ValueError) as caught:  # noqa: PT011
        call()
    for text in says:
        assert text in str(caught.value)
    assert (schedule.last_epoch, schedule._step_count) == stood


@across(unfit=UNFIT, absolute=[False, True, True], per_group=[False, True, True, False])
def test_a_value_that_does_not_fit_is_refused(
    unfit: tuple[str, float, Any], absolute: bool, per_group: bool, untouched: Untouched
) -> None:
    """The error names target, step and value, and the groups of all curves stay in place."""
    target, value, kind = unfit
    if unfit in REFUSED_BY_TORCH:  # at construction alone
        with pytest.raises(ValueError, match="Invalid"):
            (sgd if target == "momentum" else adamw)(**entries(target, value))
    first, other = (0.5, value) if absolute else (1.0, value / 0.5)
    optimizer = holding(target, kind, 0.5, 0.5)
    says_0 = re.escape(f"{target!r} at step 0: ")
    with untouched(optimizer), pytest.raises(ValueError, match=says_0):
        CurveSchedule(optimizer, lambda t: other, target, absolute=absolute)

    def curve(t: float) -> float:
        return other if t else first

    curves: Any = [lambda t: first, curve] if per_group else curve
    schedule = CurveSchedule(optimizer, curves, target, absolute=absolute)
    says = [f"{target!r} at step 1", repr(value)]
    if value < 0 and target in NEVER_NEGATIVE:
        says.append("must be 0 or more")
    for call in (schedule.step, lambda: schedule.values_at(1), lambda: preview(schedule, 2)):
        assert_refused(schedule, call, *says, untouched=untouched)


@across(end=ENDS, absolute=[False, True, True])
def test_the_ends_of_the_range_are_written(end: tuple[str, float, Any], absolute: bool) -> None:
    """The largest value, 0, and the largest beta below 1 are values of the target."""
    target, value, kind = end
    initial = 0.5 if target in ELEMENTS else 1.0
    other, first = (value, initial) if absolute else (value / initial, 1.0)
    optimizer = holding(target, kind, initial, initial)
    advance(CurveSchedule(optimizer, lambda t: other if t else first, target, absolute=absolute))
    assert floats(optimizer, target) == [value, value]


@pytest.mark.parametrize(
    "name",
    ["beta", "my_momentum", "my_betas[0]", "scale", "my_lr", "momentum_decay", "lr_scale", "eps"],
)
def test_entries_of_other_names_may_be_negative(name: str) -> None:
    optimizer = adamw({name.partition("[")[0]: (0.5, 0.5) if "[" in name else 0.5})
    advance(CurveSchedule(optimizer, lambda t: 1.0 - 4.0 * t, name))
    assert held(optimizer, name) == [-1.5]


# -- initial value × λ ----------------------------------------------------------------------------


def load_a_record(schedule: CurveSchedule, huge: float) -> None:
    state = copy.deepcopy(schedule.optimizer.state_dict())
    state["param_groups"][1]["initial_scale"] = huge
    schedule.optimizer.load_state_dict(state)


def load_base_lrs(schedule: CurveSchedule, huge: float) -> None:
    schedule.load_state_dict({**schedule.state_dict(), "base_lrs": [0.5, huge]}, initial="saved")


# How the second group gets a huge initial value.
WAYS: dict[str, Callable[[CurveSchedule, float], Any]] = {
    "overwritten": lambda schedule, huge: extend_optimizer(
        schedule.optimizer, "scale", huge, overwrite_values=True
    ),
    "base_lrs": lambda schedule, huge: setattr(schedule, "base_lrs", [0.5, huge]),
    "state loaded": load_base_lrs,
    "optimizer's state loaded": load_a_record,
}


@across(way=WAYS, sign=[1, -1], kind=LARGEST)
def test_a_product_that_does_not_fit(way: str, sign: int, kind: Any, untouched: Untouched) -> None:
    """The error names target, step and value, however the initial value came."""
    huge = sign * LARGEST[kind] / 2
    schedule = CurveSchedule(holding("scale", kind, 0.5, 0.25), quadruple, "scale")
    WAYS[way](schedule, huge)
    says = ("'scale' at step 1", "4.0", repr(huge * 4.0))
    for call in (schedule.step, lambda: schedule.values_at(1), lambda: preview(schedule, 2)):
        assert_refused(schedule, call, *says, untouched=untouched)
    schedule.step(0)
    assert held(schedule.optimizer, "scale")[1] == huge


@across(
    as_number=[int, np.float32, np.float64, np.int64, torch.tensor, float.__neg__], kind=LARGEST
)
def test_multipliers_of_any_type_are_alike(as_number: Any, kind: Any, untouched: Untouched) -> None:
    optimizer = holding("scale", kind, 0.5, LARGEST[kind] / 2)
    schedule = CurveSchedule(optimizer, lambda t: as_number(4.0) if t else 1.0, "scale")
    assert_refused(schedule, schedule.step, "'scale' at step 1", untouched=untouched)


@across(curve=[quadruple, {"*": quadruple}, [quadruple, quadruple]], kind=LARGEST)
def test_a_group_that_replaced_another_is_checked(curve: Any, kind: Any, untouched: Any) -> None:
    """A group that took the place of another and does not fit is refused until it leaves."""
    optimizer = holding("weight_decay", kind, 0.5, 0.25)
    schedule = CurveSchedule(optimizer, curve, "weight_decay")
    advance(schedule)
    left = optimizer.param_groups.pop()
    add_group(optimizer, weight_decay=as_kind(kind, LARGEST[kind] / 2))
    says = "'weight_decay' at step 2", repr(LARGEST[kind] * 2.0)
    assert_refused(schedule, schedule.step, *says, untouched=untouched)
    optimizer.param_groups[1] = left
    advance(schedule)
    assert held(optimizer, "weight_decay") == [2.0, 1.0]


HALF = torch.tensor(0.5, dtype=torch.float16)
RANGE_OF_HALF = r"'scale'.* at step 1.* from -65504\.0 to 65504\.0"
UNFIT_TENSORS = [
    (HALF, 2e5, ValueError, RANGE_OF_HALF),
    (HALF, -2e5, ValueError, RANGE_OF_HALF),
    (torch.tensor(1), 0.5, TypeError, "'scale'.* is a torch.int64 tensor"),
]


@across(
    make=[CurveSchedule, CurveSchedule, DerivedSchedule, DerivedSchedule],
    absolute=[False, True],
    unfit=UNFIT_TENSORS,
)
def test_a_tensor_put_into_a_dict_is_checked(make: Any, absolute: bool, unfit: Any) -> None:
    """A step names the target if a tensor in the place of a float cannot hold the value."""
    tensor, value, error, says = unfit
    optimizer = holding("scale", None, 1.0, 1.0)
    schedule = make(optimizer, lambda _: value, "scale", absolute=absolute)
    optimizer.param_groups[1]["scale"] = present = tensor.clone()
    optimizer.step()
    with pytest.raises(error, match=says):
        schedule.step()
    assert schedule.last_epoch == 0
    assert present == tensor


def test_groups_of_different_types_have_their_own_ranges(untouched: Untouched) -> None:
    """A float and tensors of several types in one optimizer are each checked by their own range."""
    values = (as_kind(kind, 0.5) for kind in (None, torch.float32, torch.float16))
    optimizer = adamw_with("weight_decay", *values)
    factors = {1: 2.0**16, 2: 2.0**17, 3: 2.0**129}
    schedule = CurveSchedule(optimizer, lambda t: factors.get(t, 1.0), "weight_decay")
    advance(schedule)
    assert held(optimizer, "weight_decay") == [2.0**15] * 3
    for step in (2, 3):
        says = f"at step {step}"
        assert_refused(schedule, lambda t=step: schedule.step(t), says, untouched=untouched)


@pytest.mark.parametrize("kind", [None, torch.float32])
def test_an_initial_value_of_0_stays_0(kind: Any) -> None:
    """A group whose initial value is 0 takes any finite λ, beside a group that is moved by it."""
    optimizer = adamw_with("weight_decay", as_kind(kind, 0.0), 2.0**-1000)
    schedule = CurveSchedule(optimizer, lambda t: 2.0**1000 if t else 1.0, "weight_decay")
    advance(schedule)
    assert held(optimizer, "weight_decay") == [0.0, 1.0]


@across(place=[0, 1, 2], kind=[None, torch.float32])
def test_a_member_that_does_not_fit_moves_none(place: int, kind: Any, untouched: Untouched) -> None:
    """A curve whose value does not fit moves no other member, wherever it stands in the list."""
    optimizer = holding("weight_decay", kind, 0.5, LARGEST[kind] / 2)
    schedules: list[Any] = [put(optimizer), put_curve(optimizer, "eps")]
    schedules.insert(place, CurveSchedule(optimizer, quadruple, "weight_decay"))
    sync = SynchronousSchedule(schedules)
    assert_refused(sync, sync.step, "'weight_decay' at step 1", untouched=untouched)
    assert [each.last_epoch for each in schedules] == [0, 0, 0]
    extend_optimizer(optimizer, "weight_decay", 0.5, overwrite_values=True)
    advance(sync)
    values = {"lr": [0.0005] * 2, "eps": [0.5e-8] * 2, "weight_decay": [2.0] * 2}
    assert sync.get_last_schedules() == values


# -- other ways to a value ------------------------------------------------------------------------


@across(unfit=UNFIT, make=[put_curve, put])
def test_a_saved_value_that_does_not_fit(unfit: Any, make: Any, untouched: Untouched) -> None:
    """A saved value that the target cannot hold is an error with target and value; none moves."""
    target, value, kind = unfit
    sync = SynchronousSchedule([make(holding(target, kind, 0.5, 0.25), target)])
    state = sync.state_dict()
    state[target]["_last_lr"] = [0.125, value]
    says = repr(target), repr(value)
    assert_refused(sync, lambda: sync.load_state_dict(state), *says, untouched=untouched)


@pytest.mark.parametrize(
    ("target", "value", "error", "says"),
    [
        *(("betas[0]", x, ValueError, rf"{x}; it must be from 0\.0") for x in (1.0, 1.5, -0.125)),
        *(
            (x, -0.5, ValueError, "-0.5; it must be 0 or more")
            for x in ("weight_decay", "momentum")
        ),
        *(
            ("weight_decay", x, ValueError, "finite real number")
            for x in (math.nan, math.inf, np.nan)
        ),
        ("weight_decay", 1j, TypeError, "finite real number"),
    ],
)
def test_a_torch_scheduler_is_checked(
    target: str, value: Any, error: Any, says: str, untouched: Untouched
) -> None:
    """A torch scheduler that gives such a value is refused, at its first step too."""
    # torch >= 2.4 fills tensors itself, so only floats are checked.
    optimizer = holding(target, None, 0.5, 0.5)

    def build(*factors: Any) -> Any:
        return put(optimizer, target, lambda proxy: LambdaLR(proxy, factors.__getitem__))

    schedule = build(1.0, value / 0.5)
    optimizer.step()
    message = f"{re.escape(repr(target))} in param group 0: .*{says}"
    for call in (schedule.step, lambda: build(value / 0.5)):
        with untouched(optimizer), pytest.raises(error, match=message):
            call()


@pytest.mark.parametrize("target", NEVER_NEGATIVE)
def test_each_way_to_a_negative_value_is_refused(target: str, untouched: Untouched) -> None:
    """A rule, an initial value and a default cannot bring one."""
    optimizer = sgd({target: 0.5, "scale": 1.0}, {target: 0.25, "scale": 1.0})
    with untouched(optimizer), pytest.raises(ValueError, match=f"'{target}'.*-0.5"):
        DerivedSchedule(optimizer, lambda _: -0.5, target, of="scale", absolute=True)
    with untouched(optimizer), pytest.raises(ValueError, match=f"-0.5 does not fit '{target}'"):
        extend_optimizer(optimizer, target, -0.5, overwrite_values=True)
    schedule = put_curve(optimizer, target)
    with untouched(optimizer), pytest.raises(ValueError, match=f"base_lrs: .*-0.25 of '{target}'"):
        schedule.base_lrs = [0.5, -0.25]
