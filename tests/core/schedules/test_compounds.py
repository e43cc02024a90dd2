"""A curve schedule can be a part of a compound torch scheduler."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from helpers import (
    across,
    adamw,
    advance,
    halving,
    held,
    ignore_epoch_deprecation,
    put,
    put_curve,
    sgd,
    through_a_file,
    values_in_a_run,
)
from torch.optim.lr_scheduler import ChainedScheduler, ExponentialLR, LambdaLR, SequentialLR

from tsa_core import CurveSchedule, SynchronousSchedule

pytestmark = ignore_epoch_deprecation  # SequentialLR of torch < 2.9 passes a deprecated epoch


def warmup(t: float) -> float:
    return min(t, 4) / 4


def exponential(optimizer: Any) -> ExponentialLR:
    return ExponentialLR(optimizer, 0.9)


# Of an optimizer, and of what puts a curve on it.
COMPOUNDS: dict[str, Callable[[Any, Any], Any]] = {
    "first": lambda o, part: SequentialLR(o, [part(o, warmup), exponential(o)], [4]),
    "last": lambda o, part: SequentialLR(o, [exponential(o), part(o, halving)], [3]),
    "all": lambda o, part: SequentialLR(
        o, [part(o, warmup), part(o, halving), part(o, warmup)], [4, 7]
    ),
    "chained": lambda o, part: ChainedScheduler([part(o, warmup), exponential(o)]),
}
if hasattr(SequentialLR, "recursive_undo"):  # older torch cannot put a ChainedScheduler into it
    COMPOUNDS["chained in a sequence"] = lambda o, part: SequentialLR(
        o, [exponential(o), ChainedScheduler([part(o, halving)])], [20]
    )


def adamw_where_all_is(value: float) -> torch.optim.AdamW:
    return adamw({"betas": (value, 0.99), "clip": value}, lr=value, weight_decay=value)


def of_values(optimizer: Any, curve: Callable[[float], float]) -> CurveSchedule:
    return CurveSchedule(optimizer, lambda t: 0.7 * curve(t), absolute=True)


@across(compound=COMPOUNDS, target=["lr", "weight_decay", "clip", "betas[0]"])
@pytest.mark.parametrize("part", [CurveSchedule, of_values])
def test_curves_in_a_compound_equal_lambda_lr(compound: str, target: str, part: Any) -> None:
    """A compound of curves on the optimizer, or on any target, is one of ``LambdaLR``."""
    make = COMPOUNDS[compound]
    expected = values_in_a_run(make(sgd(lr=0.7), LambdaLR), 11)
    assert values_in_a_run(make(adamw_where_all_is(0.7), part), 11) == expected
    schedule = put(adamw_where_all_is(0.7), target, lambda proxy: make(proxy, part))
    for value in expected:
        assert schedule.get_last_lr() == value
        assert values_in_a_run(schedule, 1) == [value]


@across(target=["weight_decay", "lr", "betas[0]"], stop=[2, 5, 3])
def test_a_sequence_of_values_starts_from_0_and_resumes(target: str, stop: int) -> None:
    """No multiple moves an initial value of 0, and values do, also after a resume."""

    def start() -> tuple[Any, Any]:
        optimizer = adamw_where_all_is(0.0)
        schedule = put(optimizer, target, lambda proxy: COMPOUNDS["all"](proxy, of_values))
        return optimizer, SynchronousSchedule([schedule])

    optimizer, schedule = start()
    for t in range(9):
        if t == stop:
            states = through_a_file((optimizer.state_dict(), schedule.state_dict()))
            optimizer, schedule = start()
            schedule.load_state_dict(states[1])
            optimizer.load_state_dict(states[0])
        expected = warmup(t) if t < 4 else halving(t - 4) if t < 7 else warmup(t - 7)
        assert held(optimizer, target) == [0.7 * expected]
        advance(schedule)


def test_a_part_that_was_stepped_before_starts_anew_at_its_milestone() -> None:
    """``SequentialLR`` sends a curve schedule that had moved to step 0, as it does torch's."""

    def values_with(part: Any) -> list[list[float]]:
        optimizer = sgd()
        second = part(optimizer, halving)
        advance(second, 2)
        return values_in_a_run(SequentialLR(optimizer, [exponential(optimizer), second], [2]), 5)

    assert values_with(CurveSchedule) == values_with(LambdaLR)


def test_a_curve_on_a_proxy_is_named_by_the_proxys_target_in_messages() -> None:
    """They come once, and a warning points at the user's line through torch's frames."""
    optimizer = adamw({"clip": 1.0}, weight_decay=0.0)
    with pytest.warns(UserWarning, match="'weight_decay' starts at 0") as caught:
        put(optimizer, "weight_decay", put_curve)
    assert len(caught) == 1
    with pytest.raises(ValueError, match="multiple of 'clip' at step 0: nan"):
        put(optimizer, "clip", lambda proxy: CurveSchedule(proxy, lambda t: math.nan))
    schedule = ChainedScheduler([put(optimizer, "clip", put_curve)])
    with pytest.warns(UserWarning, match="first value of this schedule of 'clip'") as caught:
        schedule.step()
    assert [warning.filename for warning in caught] == [__file__]
