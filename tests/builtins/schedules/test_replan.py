"""``replan``: a schedule follows a new curve, whose step 0 is now."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from typing import Any
from unittest.mock import Mock

import pytest
import torch
from cases import crossed
from curve_forms import EXAMPLES
from small_runs import Untouched, adamw, advance, held, ignore_epoch_deprecation, through_pickle
from torch.optim.lr_scheduler import SequentialLR

from tsa_builtins import from_plan, to_plan
from tsa_builtins.curves import Constant, InverseSqrt, Linear, delay, join
from tsa_core import CurveSchedule, DerivedSchedule, SynchronousSchedule, preview

INITIAL = [0.5, 0.25, 0.125]
TARGETS = ("lr", "weight_decay", "betas[0]", "clip")
BF16 = torch.bfloat16
OLD, LINE, HALF = Linear(0.875, 0.375, 16), Linear(0.75, 0.25, 8), Constant(0.5)


# Every number is a sum of few powers of 2, so that the values are exact, in bfloat16 too.
def old(t: float) -> float:
    return 0.875 - min(t, 16) / 32


def line(t: float) -> float:
    return 0.75 - min(t, 8) / 16


def halving(t: float) -> float:
    assert t >= 0  # no schedule asks a curve before its beginning
    return 0.5 ** (1 + t)


def inverse(multiple: float) -> float:
    return 1 / (multiple - 0.5)


def entries(x: float) -> dict[str, Any]:
    return {"lr": x, "weight_decay": x, "betas": (x, x), "clip": torch.tensor(x, dtype=BF16)}


def three_groups(**more: Any) -> torch.optim.AdamW:
    """Three groups, whose entries have the initial values above."""
    return adamw(*({**entries(x), "name": name, **more} for name, x in zip("abc", INITIAL)))


def times(factor: float, initial: list[float] = INITIAL) -> list[float]:
    return [factor * each for each in initial]


# Each form of a curve, and the multiplier of each group; a group with None is left alone.
FORMS: list[tuple[Any, list[Callable[[float], float] | None]]] = [
    (LINE, [line, line, line]),
    (halving, [halving, halving, halving]),
    ([LINE, None, halving], [line, None, halving]),
    ({"b": halving, "*": LINE}, [line, halving, line]),
    ({"*": None}, [None, None, None]),
]


@pytest.mark.parametrize(
    ("form", "position", "absolute", "target"),
    crossed(FORMS, [0, 3, 2.5, 40, 5], [False, True], TARGETS),
)
def test_step_0_of_the_new_curve_is_now(
    form: Any, position: float, absolute: bool, target: str
) -> None:
    """The new curve is written at once, and holds its beginning at the steps before its step 0."""
    optimizer, (new, lambdas) = three_groups(), form
    tensors = held(optimizer, "clip")
    schedule = CurveSchedule(optimizer, OLD, target, absolute=absolute)
    optimizer.step()
    schedule.step(position)
    factors = [1.0] * 3 if absolute else INITIAL
    kept = times(old(position), factors)
    assert held(optimizer, target) == kept

    def expected(s: float) -> list[float]:
        return [
            curve(s) * factor if curve else value
            for curve, factor, value in zip(lambdas, factors, kept)
        ]

    schedule.replan(new)
    assert held(optimizer, target) == expected(0)
    assert schedule.last_epoch == position
    assert preview(schedule, 3).values[target] == [expected(s) for s in range(3)]
    for t in (position + 1, position + 4, position, position / 2, 0):
        schedule.step(t)
        assert held(optimizer, target) == schedule.values_at(t) == expected(max(t - position, 0))
    assert all(held(optimizer, other) == INITIAL for other in {*TARGETS} - {target})
    assert all(now is tensor for now, tensor in zip(held(optimizer, "clip"), tensors))


DATA = {"kind": "Linear", "start": 0.75, "end": 0.25, "steps": 8}


@pytest.mark.parametrize(
    ("new", "saved", "driven"),
    [
        (LINE, DATA, [0, 1, 2]),
        ((LINE, None, LINE), [DATA, None, DATA], [0, 2]),
        ({"a": None, "*": LINE}, {"a": None, "*": DATA}, [1, 2]),
    ],
)
def test_curve_and_repr_and_state_and_boundaries_follow(
    new: Any, saved: Any, driven: list[int]
) -> None:
    """They tell the last curve and its step 0."""
    schedule = CurveSchedule(three_groups(), OLD)
    advance(schedule, 3)
    before = schedule.state_dict()
    schedule.replan(join([LINE, HALF], [4]))
    assert preview(schedule, 5).boundaries["lr"] == (7,)
    schedule.replan(new)
    assert schedule.curve == new
    text = repr(schedule)
    assert "Linear(start=0.75, end=0.25, steps=8)" in text
    assert " from step 3, at step 3: " in text
    follow = {"curve": saved, "origin": 3, "_last_lr": held(schedule.optimizer), "driven": driven}
    assert schedule.state_dict() == {**before, **follow}


def test_a_group_that_was_left_alone_starts_from_its_own_value() -> None:
    """A replan can take in a group that had no curve, and one that has joined."""
    optimizer = three_groups()
    schedule = CurveSchedule(optimizer, {"a": OLD, "*": None})
    advance(schedule, 3)
    optimizer.add_param_group({"params": [torch.nn.Parameter(torch.ones(1))], "lr": 8.0})
    schedule.replan([LINE, HALF, None, LINE])
    assert held(optimizer) == [0.5 * line(0), 0.25 * 0.5, 0.125, 8 * line(0)]
    advance(schedule)
    assert held(optimizer) == [0.5 * line(1), 0.25 * 0.5, 0.125, 8 * line(1)]


@pytest.mark.parametrize("absolute", [False, True])
def test_a_state_from_before_a_replan(absolute: bool) -> None:
    """It is loaded before step 0 of the new curve, which holds its beginning there, or goes."""
    optimizer = three_groups()
    schedule = CurveSchedule(optimizer, OLD, absolute=absolute)
    factors = [1.0] * 3 if absolute else INITIAL
    advance(schedule, 4)
    early = copy.deepcopy(schedule.state_dict())
    advance(schedule, 4)
    schedule.replan(halving)
    with pytest.warns(UserWarning, match="was saved under .* goes on under"):
        schedule.load_state_dict(early)
    assert held(optimizer) == times(old(4), factors)  # the saved values, until the next step
    for t in range(5, 11):
        advance(schedule)
        assert held(optimizer) == times(halving(max(t - 8, 0)), factors)


REPLANNED: list[Any] = [
    *EXAMPLES,
    delay(LINE, -3),
    [LINE, None, HALF],
    {"b": InverseSqrt(0.5, 4), "*": None},
]


@pytest.mark.parametrize(
    ("new", "origin", "absolute"), crossed(REPLANNED, [8, 2.5, 0, 5], [False, True])
)
def test_its_plan_agrees_with_it_at_every_position(new: Any, origin: float, absolute: bool) -> None:
    """A schedule from ``to_plan`` has the same values before, at and after the replan."""
    optimizer, again = three_groups(scale=1.5), three_groups(scale=1.5)
    schedule = CurveSchedule(optimizer, HALF, "scale", absolute=absolute)
    optimizer.step()
    schedule.step(origin)
    schedule.replan(new)
    for i in {0, 1, 2} - {*schedule.state_dict()["driven"]}:  # left alone, it keeps what it held
        again.param_groups[i]["scale"] = optimizer.param_groups[i]["scale"]
    other = from_plan(again, to_plan(schedule)).schedules["scale"]
    again.step()
    around = [origin + by for by in (-8, -2.5, -1, -0.5, 0, 0.5, 1, 2, 3, 7.25, 8, 9, 40)]
    for t in (0, *(each for each in around if each >= 0)):
        assert other.values_at(t) == pytest.approx(schedule.values_at(t), rel=1e-12)
        other.step(t)
        schedule.step(t)
        assert held(again, "scale") == pytest.approx(held(optimizer, "scale"), rel=1e-12)


# -- among other schedules -------------------------------------------------------------------------


def test_a_replan_of_the_schedule_itself_leaves_what_derives_from_it_to_the_next_step() -> None:
    """A copy or a preview of a member does not matter to it, also where a rule cannot be copied."""
    optimizer = three_groups(eps=1.0)
    lr, eps = CurveSchedule(optimizer, OLD), DerivedSchedule(optimizer, abs, "eps")
    rule = DerivedSchedule(optimizer, lambda multiple: multiple, "weight_decay")
    sync = SynchronousSchedule([eps, rule, lr])
    preview(lr, 3)
    assert through_pickle(eps).rule is abs
    through_pickle(lr).replan(HALF)
    lr.replan(LINE)
    assert held(optimizer) == times(line(0))
    assert held(optimizer, "weight_decay") == times(old(0))
    advance(sync)
    assert held(optimizer) == held(optimizer, "weight_decay") == times(line(1))


@ignore_epoch_deprecation
def test_a_part_of_a_sequence_is_replanned_at_its_turn(untouched: Untouched) -> None:
    """In a ``SequentialLR``, the part that runs follows a new curve, and one that waits raises.

    A resume under the saved plan follows the new curve too.
    """

    def start() -> tuple[Any, list[CurveSchedule], SynchronousSchedule]:
        optimizer = three_groups()
        parts = [CurveSchedule(optimizer, OLD), CurveSchedule(optimizer, HALF)]
        return optimizer, parts, SynchronousSchedule([SequentialLR(optimizer, parts, [4])])

    (optimizer, parts, sequence), (other, _, resumed) = start(), start()
    advance(sequence, 2)
    parts[0].replan(LINE)
    resumed.load_state_dict(sequence.state_dict(), plan="saved")
    with untouched(optimizer), pytest.raises(RuntimeError, match=r"replan: .*SequentialLR"):
        parts[1].replan(LINE)
    assert parts[1].curve is HALF
    for value in (line(0), line(1), 0.5):
        assert held(optimizer) == held(other) == times(value)
        advance(sequence)
        advance(resumed)
    parts[1].replan(halving)
    for s in range(3):
        assert held(optimizer) == times(halving(s))
        advance(sequence)


# -- refused ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("new", "error", "says"),
    [
        (lambda t: 1 / t, ZeroDivisionError, "division by zero"),
        ([HALF, LINE, Mock(side_effect=KeyboardInterrupt("no"))], KeyboardInterrupt, "no"),
        (lambda t: math.nan, ValueError, "at step 3.*nan"),
        (Constant(2), ValueError, "at step 3: 2.*makes the value 1.0"),
        (Linear(1, -1, 8), ValueError, "at step 11: -1"),
        ([LINE], ValueError, "1 curves for 3"),
        ({"d": LINE, "*": HALF}, ValueError, "'d'"),
        ("cosine", TypeError, "cosine"),
    ],
)
def test_a_refused_curve_moves_nothing(
    new: Any, error: type[BaseException], says: str, untouched: Untouched
) -> None:
    """The schedule follows its present curve further, alone and in a ``SynchronousSchedule``."""
    optimizer = three_groups()
    schedule = CurveSchedule(optimizer, OLD, "betas[0]")
    sync = SynchronousSchedule([schedule, CurveSchedule(optimizer, OLD)])
    advance(sync)
    schedule.replan(LINE)
    advance(sync, 2)
    before = schedule.curve, schedule.state_dict(), repr(schedule)
    with untouched(optimizer), pytest.raises(error, match=says):
        schedule.replan(new)
    assert (schedule.curve, schedule.state_dict(), repr(schedule)) == before
    advance(sync)
    assert held(optimizer, "betas[0]") == times(line(3))


def test_a_refused_replan_puts_back_all_entries(untouched: Untouched) -> None:
    """Whatever a curve wrote into the groups before it raised is put back, of any target."""
    optimizer = three_groups()
    schedule = CurveSchedule(optimizer, OLD)

    def meddling(t: float) -> float:
        for group in optimizer.param_groups:
            group["clip"].fill_(9.0)
            group.update(betas=(0.75, 0.75), note="new", weight_decay=9.0)
        raise OSError("no value")

    with untouched(optimizer), pytest.raises(OSError, match="no value"):
        schedule.replan(meddling)
    del optimizer.param_groups[1]["lr"]
    with untouched(optimizer), pytest.raises(KeyError, match="'lr'"):
        schedule.replan(LINE)
    assert schedule.curve is OLD


@pytest.mark.parametrize("order", [1, -1])
def test_a_replan_of_several_members_is_all_or_nothing(order: int, untouched: Untouched) -> None:
    """If one curve or a rule is refused, all members stay, and so does what derives from them."""
    first, second = three_groups(noise=1.0), three_groups()
    derived = [DerivedSchedule(first, abs, "clip"), DerivedSchedule(first, inverse, "noise")]
    members = {
        "a": [*derived, CurveSchedule(first, OLD)],
        "b": [CurveSchedule(second, OLD, "clip")],
    }
    sync = SynchronousSchedule(members)
    for each in (first, second, sync):
        each.step()
    before = copy.deepcopy(sync.state_dict())
    for lr, clip, error, says in (
        (LINE, lambda t: math.nan, ValueError, "at step 1.*nan"),
        (LINE, 3, TypeError, r"curves\['b/clip'\]: .*got 3"),
        (LINE, [LINE], ValueError, r"curves\['b/clip'\]: .*got 1 curves for 3"),
        (HALF, LINE, ZeroDivisionError, "division by zero"),
    ):
        curves = [("a/lr", lr), ("b/clip", clip)][::order]
        with untouched(first), untouched(second), pytest.raises(error, match=says):
            sync.replan(dict(curves))
        assert sync.state_dict() == before
    sync.replan({"a/lr": LINE, "b/clip": HALF})
    assert held(first) == held(first, "clip") == times(0.75)
    assert held(first, "noise") == [4.0] * 3
    assert held(second, "clip") == times(0.5)
