"""A curve schedule can be a part of a compound torch scheduler."""

from __future__ import annotations

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
    sgd,
    through_a_file,
    values_in_a_run,
)
from torch.optim.lr_scheduler import ChainedScheduler, ExponentialLR, LambdaLR, SequentialLR

import tsa_core

pytestmark = ignore_epoch_deprecation  # SequentialLR of torch < 2.9 passes a deprecated epoch

Part = Callable[[Any, Callable[[float], float]], Any]


def warmup(t: float) -> float:
    return min(t, 4) / 4


def first_of_a_sequence(optimizer: Any, part: Part) -> Any:
    return SequentialLR(optimizer, [part(optimizer, warmup), ExponentialLR(optimizer, 0.9)], [4])


def last_of_a_sequence(optimizer: Any, part: Part) -> Any:
    return SequentialLR(optimizer, [ExponentialLR(optimizer, 0.9), part(optimizer, halving)], [3])


def all_of_a_sequence(optimizer: Any, part: Part) -> Any:
    parts = [part(optimizer, warmup), part(optimizer, halving), part(optimizer, warmup)]
    return SequentialLR(optimizer, parts, [4, 7])


def chained(optimizer: Any, part: Part) -> Any:
    return ChainedScheduler([part(optimizer, warmup), ExponentialLR(optimizer, 0.9)])


def chained_in_a_sequence(optimizer: Any, part: Part) -> Any:
    inner = ChainedScheduler([part(optimizer, halving)])
    return SequentialLR(optimizer, [ExponentialLR(optimizer, 0.9), inner], [20])


COMPOUNDS = [first_of_a_sequence, last_of_a_sequence, all_of_a_sequence, chained]
if hasattr(SequentialLR, "recursive_undo"):  # older torch cannot put a ChainedScheduler into it
    COMPOUNDS.append(chained_in_a_sequence)


def adamw_where_all_is(value: float) -> torch.optim.AdamW:
    return adamw({"betas": (value, 0.99), "clip": value}, lr=value, weight_decay=value)


def of_values(optimizer: Any, curve: Callable[[float], float]) -> tsa_core.CurveSchedule:
    return tsa_core.CurveSchedule(optimizer, lambda t: 0.7 * curve(t), absolute=True)


@across(compound=COMPOUNDS, target=["lr", "weight_decay", "clip", "betas[0]"])
@pytest.mark.parametrize("part", [tsa_core.CurveSchedule, of_values])
def test_curves_in_a_compound_equal_lambda_lr(compound: Any, target: str, part: Any) -> None:
    """A compound of curves on the optimizer, or on any target, is one of ``LambdaLR``."""
    expected = values_in_a_run(compound(sgd(lr=0.7), LambdaLR), 11)
    assert values_in_a_run(compound(adamw_where_all_is(0.7), part), 11) == expected
    schedule = put(adamw_where_all_is(0.7), target, lambda proxy: compound(proxy, part))
    for value in expected:
        assert schedule.get_last_lr() == value
        assert values_in_a_run(schedule, 1) == [value]


@across(target=["weight_decay", "lr", "betas[0]"], stop=[2, 5, 3])
def test_a_sequence_of_values_starts_from_0_and_resumes(target: str, stop: int) -> None:
    """No multiple moves an initial value of 0, and values do, also after a resume."""

    def start() -> tuple[Any, Any]:
        optimizer = adamw_where_all_is(0.0)
        make = lambda proxy: all_of_a_sequence(proxy, of_values)  # noqa: E731
        return optimizer, tsa_core.SynchronousSchedule([put(optimizer, target, make)])

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
        schedule = SequentialLR(optimizer, [ExponentialLR(optimizer, 0.9), second], [2])
        return values_in_a_run(schedule, 5)

    assert values_with(tsa_core.CurveSchedule) == values_with(LambdaLR)


def test_a_curve_on_a_proxy_is_named_by_the_proxys_target_in_messages() -> None:
    """Warnings and errors of a curve on a proxy name the proxy's target, and come once."""
    optimizer = adamw(lr=0.1, weight_decay=0.0)

    def put_on_a_proxy(curve: Callable[[float], float], **options: Any) -> Any:
        return tsa_core.arbitrary_schedule_factory(
            optimizer, lambda proxy: tsa_core.CurveSchedule(proxy, curve), **options
        )

    with pytest.warns(UserWarning, match="'weight_decay' starts at 0") as caught:
        put_on_a_proxy(halving, schedule_target="weight_decay")
    assert len(caught) == 1
    with pytest.raises(ValueError, match="multiple of 'clip' at step 0: nan"):
        put_on_a_proxy(lambda t: float("nan"), schedule_target="clip", default_value=1.0)
    schedule = put_on_a_proxy(halving, schedule_target="clip", default_value=1.0)
    with pytest.warns(UserWarning, match="this schedule of 'clip'"):
        schedule.step()
