"""With a ``clock``, ``step()`` goes to the position that the clock says."""

from __future__ import annotations

import copy
import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch
from helpers import (
    Clock,
    Failing,
    Untouched,
    adamw,
    each_copy,
    halving,
    held,
    plateau,
    positions,
    put,
    put_curve,
    same,
    sgd,
)
from torch.nn import Parameter
from torch.optim.lr_scheduler import ChainedScheduler, StepLR

from tsa_core import (
    CurveSchedule,
    DerivedSchedule,
    OptimizerSteps,
    SynchronousSchedule,
    preview,
)


def clocked(clock: Any, optimizer: Any = None) -> SynchronousSchedule:
    """Three members under ``clock``: a curve, values of their own, and a derived schedule."""
    optimizer = optimizer or adamw({"lr": 0.5, "weight_decay": 0.25})
    return SynchronousSchedule(
        [
            DerivedSchedule(optimizer, same, "weight_decay"),
            put_curve(optimizer),
            CurveSchedule(optimizer, lambda t: 0.5 + t / 256, "betas[0]", absolute=True),
        ],
        clock=clock,
    )


def assert_stands_at(sync: SynchronousSchedule, t: float) -> None:
    """Assert that all members stand at ``t``, with the values in closed form."""
    assert sync.last_epoch == t
    assert positions(sync) == [t] * 3
    assert sync.get_last_schedules() == {
        "weight_decay": [0.25 * 0.5**t],
        "lr": [0.5 * 0.5**t],
        "betas[0]": [0.5 + t / 256],
    }


# -- what step() does -----------------------------------------------------------------------------


def test_a_step_goes_to_where_the_clock_stands() -> None:
    """``step()`` goes to the position of the clock: by one, by many, or by a fraction."""
    clock = Clock()
    sync = clocked(clock)
    assert_stands_at(sync, 0)
    for t in (1, 2, 7, 7.5, 7.75, 20):
        clock.now = t
        sync.step()
        assert_stands_at(sync, t)


def test_the_same_position_twice_is_no_move(untouched: Untouched) -> None:
    """A clock that stands still moves nothing, and calls no curve."""
    calls = []

    def curve(t: float) -> float:
        calls.append(t)
        return 0.5

    clock = Clock()
    optimizer = sgd()
    sync = SynchronousSchedule([CurveSchedule(optimizer, curve)], clock=clock)
    for now in (0, 0, 3, 3, 3.0, np.int64(3), 4):
        clock.now = now
        sync.step()
    assert calls == [0, 3, 4]
    optimizer.param_groups[0]["lr"] = 9.0
    state = sync.state_dict()
    with untouched(optimizer):
        sync.step()
    assert sync.state_dict() == state


def test_building_does_not_ask_the_clock() -> None:
    """Building the schedule does not ask the clock, and each ``step()`` asks it once."""
    clock = Clock(5)
    sync = clocked(clock)
    assert clock.asked == 0
    assert_stands_at(sync, 0)
    sync.step()
    assert clock.asked == 1
    assert_stands_at(sync, 5)
    sync.get_last_schedules()
    sync.state_dict()
    repr(sync)
    assert clock.asked == 1
    sync.step()
    assert clock.asked == 2


def test_a_clock_that_goes_back_is_an_error(untouched: Untouched) -> None:
    """A clock that goes back is a ``RuntimeError`` with both positions; nothing has moved."""
    clock = Clock(17)
    sync = clocked(clock)
    sync.step()
    for now in (16, 16.5, 0):
        clock.now = now
        with (
            untouched(sync.optimizer),
            pytest.raises(RuntimeError, match=rf"clock says {now}\b.* stand at 17\b"),
        ):
            sync.step()
        assert_stands_at(sync, 17)
    clock.now = 18
    sync.step()
    assert_stands_at(sync, 18)


@pytest.mark.parametrize(
    ("args", "kwargs", "says"),
    [
        ((3,), {}, r"the clock .*call step\(\)"),
        ((), {"epoch": 3}, r"the clock .*call step\(\)"),
        ((0,), {}, r"the clock .*call step\(\)"),
        ((3.5,), {}, r"the clock .*call step\(\)"),
        ((0.5, 3), {}, "step: "),
        ((), {"metrics": 0.5}, "step: "),
        ((), {"loss": 1}, "step: "),
    ],
)
def test_an_argument_beside_a_clock_is_refused(
    args: Any, kwargs: Any, says: str, untouched: Untouched
) -> None:
    """An argument is a ``TypeError``, also an epoch where the clock is; nothing has moved."""
    sync = clocked(Clock(3))
    with untouched(sync.optimizer), pytest.raises(TypeError, match=says):
        sync.step(*args, **kwargs)
    assert_stands_at(sync, 0)


def test_none_is_no_argument() -> None:
    """``step(None)`` is ``step()``, as for every scheduler of torch."""
    sync = clocked(Clock(3))
    sync.step(None)
    sync.step(epoch=None)
    assert_stands_at(sync, 3)


@pytest.mark.parametrize(
    ("now", "error"),
    [
        (math.nan, ValueError),
        (math.inf, ValueError),
        (10**400, ValueError),
        (-1, ValueError),
        (-1e-9, ValueError),
        (torch.tensor(-1), ValueError),
        (torch.tensor(math.nan), ValueError),
        ("3", TypeError),
        (None, TypeError),
        (True, TypeError),
        (3j, TypeError),
        ([3], TypeError),
        (torch.tensor([3]), TypeError),
        (torch.tensor([3, 4]), TypeError),
        (torch.tensor(True), TypeError),
        (ZeroDivisionError("clock: mine"), ZeroDivisionError),
    ],
    ids=repr,
)
def test_a_clock_that_gives_no_position_is_refused(
    now: Any, error: Any, untouched: Untouched
) -> None:
    """A clock that raises, or does not give a number ≥ 0, is an error; nothing has moved."""
    clock = Failing(now)
    sync = clocked(lambda: clock(2))
    sync.step()
    clock.fails = True
    with untouched(sync.optimizer), pytest.raises(error, match=r"^clock: "):
        sync.step()
    assert_stands_at(sync, 2)
    clock.fails = False
    sync.step()
    assert_stands_at(sync, 2)


@pytest.mark.parametrize(
    "now",
    [np.int64(3), np.float32(3), np.array(3), torch.tensor(3), torch.tensor(3.0), Fraction(3)],
    ids=repr,
)
def test_any_real_number_is_a_position(now: Any) -> None:
    """A NumPy number, a tensor of no dimension or a fraction becomes a plain Python number."""
    sync = clocked(Clock(now))
    sync.step()
    assert_stands_at(sync, 3)
    assert type(sync.last_epoch) in (int, float)


def test_a_member_that_was_moved_from_outside_is_noticed() -> None:
    """A member that something else stepped is noticed before the clock counts."""
    clock = Clock(3)
    sync = clocked(clock)
    sync.schedules["lr"].step(3)
    with pytest.raises(RuntimeError, match="'lr' stands at step 3"):
        sync.step()


# -- what a clock needs ---------------------------------------------------------------------------


class Own(CurveSchedule):
    """A curve with a ``step`` of its own, which takes no position."""

    def step(self) -> None:  # type: ignore[override]
        super().step()


class OwnDerived(DerivedSchedule):
    """A derived schedule with a ``step`` of its own, which takes no position."""

    def step(self) -> None:  # type: ignore[override]
        super().step()


@pytest.mark.parametrize(
    ("make", "kind"),
    [
        (lambda o: StepLR(o, 1), "StepLR"),
        (lambda o: put(o), "ExponentialLR"),
        (plateau, "ReduceLROnPlateau"),
        (lambda o: ChainedScheduler([StepLR(o, 1)]), "ChainedScheduler"),
        (lambda o: Own(o, halving), "Own"),
        (lambda o: OwnDerived(o, same, "lr", of="momentum", absolute=True), "OwnDerived"),
    ],
)
def test_a_member_that_cannot_be_sent_to_a_position_is_refused(make: Any, kind: str) -> None:
    """A torch scheduler, or one with its own step, is refused, with what to write instead."""
    optimizer = sgd(weight_decay=0.25, momentum=0.5)
    members = [put_curve(optimizer, "weight_decay"), make(optimizer)]
    with pytest.raises(TypeError, match=rf"clock: .*'lr' \({kind}\) .* CurveSchedule or a built"):
        SynchronousSchedule(members, clock=Clock())
    SynchronousSchedule(members)
    with pytest.raises(TypeError, match=rf"'b/lr' \({kind}\)"):
        SynchronousSchedule({"a": members[:1], "b": [make(sgd(momentum=0.5))]}, clock=Clock())


@pytest.mark.parametrize(
    ("clock", "says"),
    [
        (OptimizerSteps, r"clock: .*; write OptimizerSteps\(…\)"),
        *(
            (each, "clock: expected a function")
            for each in (3, "steps", 0.0, Parameter(torch.ones(1)))
        ),
    ],
    ids=repr,
)
def test_a_clock_has_to_be_a_function(clock: Any, says: str) -> None:
    """A clock that cannot be called is a ``TypeError``, and so is the class of a clock."""
    with pytest.raises(TypeError, match=says):
        clocked(clock)


def test_a_clock_is_not_positional() -> None:
    """``clock`` must be written by its name."""
    with pytest.raises(TypeError, match="positional"):
        SynchronousSchedule([put_curve(sgd())], Clock())  # type: ignore[misc]


def test_a_curve_on_a_proxy_goes_with_a_clock() -> None:
    """A curve that is built inside a factory can be sent to a position too."""
    optimizer = adamw({"weight_decay": 0.25})
    sync = SynchronousSchedule([put(optimizer, "weight_decay", put_curve)], clock=Clock(3))
    sync.step()
    assert held(optimizer, "weight_decay") == [0.03125]


# -- uses -----------------------------------------------------------------------------------------


def test_a_clock_that_counts_tokens() -> None:
    """A plan in tokens follows batches of any size, and step numbers are never rounded."""
    tokens = 0
    optimizer = sgd(lr=1.0)
    decay = CurveSchedule(optimizer, lambda t: 1 - t / 10**12)
    sync = SynchronousSchedule([decay], clock=lambda: tokens)
    for batch in (4_194_304, 1, 8_388_608, 0, 333):
        optimizer.step()
        tokens += batch
        sync.step()
        assert held(optimizer) == [1.0 * (1 - tokens / 10**12)]
        assert sync.last_epoch == tokens
        assert type(sync.last_epoch) is int


def test_a_clock_does_not_warn_of_the_order_of_steps() -> None:
    """A clock can begin anywhere, so nothing warns that the first value was not used."""
    clocked(Clock(100)).step()  # a warning fails the test


# -- resume, copies, previews ---------------------------------------------------------------------


@pytest.mark.parametrize("ahead", [6, 6.5, 40])
def test_a_run_resumes_with_its_clock(ahead: float) -> None:
    """A resumed run stands where it was saved, and goes on where its clock is."""
    saved, clock = clocked(Clock(6)), Clock(ahead)
    saved.step()
    sync = clocked(clock)
    sync.load_state_dict(saved.state_dict())
    assert clock.asked == 0
    assert_stands_at(sync, 6)
    sync.step()
    assert_stands_at(sync, ahead)


def test_the_clock_is_not_in_the_state() -> None:
    """A state does not depend on the clock, and loads with one, another or none."""
    with_clock, without = clocked(Clock(6)), clocked(None)
    with_clock.step()
    without.step(6)
    assert with_clock.state_dict() == without.state_dict()
    without = clocked(None)
    without.load_state_dict(with_clock.state_dict())
    without.optimizer.step()
    without.step()
    assert_stands_at(without, 7)


class Trainer:
    """A big object that must not be copied for a preview, with a method that is a clock."""

    def __init__(self) -> None:
        self.global_step = 0

    def clock(self) -> int:
        return self.global_step

    def __deepcopy__(self, memo: object) -> Trainer:
        raise AssertionError("a trainer was copied")


def test_a_preview_leaves_the_clock_alone(untouched: Untouched) -> None:
    """A preview computes the positions that it is given, and neither asks nor copies the clock."""
    trainer, counter = Trainer(), Clock(3)
    trainer.global_step = 3
    for clock in (counter, trainer.clock):
        sync = clocked(clock)
        sync.step()
        asked = counter.asked
        with untouched(sync.optimizer):
            seen = preview(sync, positions=[5, 100, 0.5], unit="tokens")
        assert counter.asked == asked
        assert seen.steps == [5, 100, 0.5]
        assert seen.values["lr"] == [[0.5 * 0.5**t] for t in (5, 100, 0.5)]
        assert seen.values["weight_decay"] == [[0.25 * 0.5**t] for t in (5, 100, 0.5)]
        assert sync.last_epoch == 3


@pytest.mark.parametrize("make", [lambda c: c, lambda c: {"lr": c}], ids=["one", "of a member"])
def test_a_preview_does_not_guess_how_far_a_clock_goes_in_a_step(make: Any) -> None:
    """How far a clock goes in a call of ``step``, only the user knows: positions are demanded."""
    sync = SynchronousSchedule([put_curve(sgd())], clock=make(Clock(3)))
    sync.step()
    with pytest.raises(TypeError, match=r"^num_steps: .* preview\(schedule, positions="):
        preview(sync, 2)
    assert preview(sync, 1).values == {"lr": [[0.0625]]}  # what is there now


def test_a_preview_counts_the_steps_of_an_optimizer() -> None:
    """With ``OptimizerSteps`` as the clock, a preview goes one step of the optimizer at a time."""
    optimizer = sgd()
    clock = OptimizerSteps(optimizer)
    sync = SynchronousSchedule([put_curve(optimizer)], clock=clock)
    optimizer.step()
    sync.step()
    seen = preview(sync, 3)
    assert seen.steps == range(1, 4)
    assert seen.values == {"lr": [[0.25], [0.125], [0.0625]]}


@each_copy
def test_a_copy_has_a_clock_of_its_own(duplicate: Any) -> None:
    """A copy of schedule and clock together goes by the copied clock, and leaves the original."""
    clock = Clock(2)
    sync = SynchronousSchedule([put_curve(sgd())], clock=clock)
    sync.step()
    twin_clock, twin = duplicate((clock, sync))
    twin_clock.now = 4
    sync.step()
    twin.step()
    assert held(twin.optimizer) == [0.5 / 16]
    assert held(sync.optimizer) == [0.5 / 4]
    assert (clock.asked, twin_clock.asked) == (2, 2)
    clock.now = 1
    with pytest.raises(RuntimeError, match="clock says 1"):
        sync.step()


def test_a_function_is_the_clock_of_a_copy_too() -> None:
    """A function is not copied, so schedule and copy go by the same clock."""
    now = 1
    sync = clocked(lambda: now)
    twin = copy.deepcopy(sync)
    now = 3
    twin.step()
    sync.step()
    assert_stands_at(twin, 3)
    assert_stands_at(sync, 3)


# -- members that do not stand together -----------------------------------------------------------


def test_a_clock_of_an_inner_schedule_is_refused() -> None:
    """An inner clock would be dropped in silence; the remedy in the message works."""
    optimizer, clock = adamw({"lr": 0.5, "weight_decay": 0.25}), Clock(3)
    inner = SynchronousSchedule([put_curve(optimizer)], clock=clock)
    assert inner.clock is clock
    with pytest.raises(TypeError, match=r"position 0 has a clock.*clock=clock"):
        SynchronousSchedule([inner, put_curve(optimizer, "weight_decay")])
    inner = SynchronousSchedule([*inner.schedules.values()])
    outer = SynchronousSchedule([inner, put_curve(optimizer, "weight_decay")], clock=clock)
    optimizer.step()
    outer.step()
    assert outer.get_last_schedules() == {"lr": [0.0625], "weight_decay": [0.03125]}


@pytest.mark.parametrize("first", [0, 1])
def test_a_clock_brings_members_together_that_stand_apart(first: int) -> None:
    """The clock stands where one member stands; the other is sent there too."""
    optimizer = adamw({"lr": 0.5, "weight_decay": 0.25})
    ahead, behind = put_curve(optimizer), put_curve(optimizer, "weight_decay")
    ahead.step(2)
    members = [ahead, behind] if first == 0 else [behind, ahead]
    sync = SynchronousSchedule(members, clock=Clock(2))
    sync.step()
    assert (ahead.last_epoch, behind.last_epoch) == (2, 2)
    assert sync.get_last_schedules() == {"lr": [0.125], "weight_decay": [0.0625]}


@pytest.mark.parametrize("ahead", ["lr", "weight_decay"])
def test_a_clock_does_not_take_back_the_member_that_is_furthest(
    ahead: str, untouched: Untouched
) -> None:
    """A clock that stands behind any one member has gone back, and nothing moves."""
    optimizer = adamw({"lr": 0.5, "weight_decay": 0.25})
    members = {name: put_curve(optimizer, name) for name in ("lr", "weight_decay")}
    members[ahead].step(3)
    sync = SynchronousSchedule(members.values(), clock=Clock(2))
    with untouched(optimizer), pytest.raises(RuntimeError, match=r"says 2, .* stand at 3"):
        sync.step()
    assert members[ahead].last_epoch == 3
