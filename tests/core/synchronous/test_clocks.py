"""With a ``clock``, ``step()`` goes to the position that the clock says."""

from __future__ import annotations

import copy
import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch
from cases import crossed
from helpers import (
    Clock,
    Failing,
    Untouched,
    adamw,
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

from tsa_core import CurveSchedule, DerivedSchedule, OptimizerSteps, SynchronousSchedule, preview


def clocked(clock: Any) -> SynchronousSchedule:
    """Three members under ``clock``: a derived schedule, a curve, and values on a proxy."""
    optimizer = adamw({"lr": 0.5, "weight_decay": 0.25})

    def values(proxy: Any) -> CurveSchedule:
        return CurveSchedule(proxy, lambda t: 0.5 + t / 256, absolute=True)

    return SynchronousSchedule(
        [
            DerivedSchedule(optimizer, same, "weight_decay"),
            put_curve(optimizer),
            put(optimizer, "betas[0]", values),
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


# One clock for all members, or one for each: here of the only one.
FORMS = [lambda clock: clock, lambda clock: {"lr": clock}]
each_form = pytest.mark.parametrize("form", FORMS, ids=["one", "of each"])


# -- what step() does -----------------------------------------------------------------------------


def test_a_step_goes_to_where_the_clock_stands() -> None:
    """``step()`` asks once and goes there, by any real number ≥ 0, which becomes a plain one.

    Nothing else asks the clock. It can begin anywhere, so nothing warns of the order of steps.
    """
    clock = Clock(5)
    sync = clocked(clock)
    reals = [np.int64(8), np.float32(9), np.array(10), torch.tensor(11), torch.tensor(12.0)]
    for asked, t in enumerate([5, 6, 7.5, 7.75, *reals, Fraction(13), 40], 1):
        clock.now = t
        sync.step()
        assert_stands_at(sync, float(t))
        assert type(sync.last_epoch) in (int, float)
        sync.state_dict(), repr(sync)
        assert clock.asked == asked


def test_the_same_position_twice_is_no_move(untouched: Untouched) -> None:
    """A clock that stands still moves nothing, and calls no curve."""
    calls = []

    def curve(t: float) -> float:
        calls.append(t)
        return 0.5

    clock, optimizer = Clock(), sgd()
    sync = SynchronousSchedule([CurveSchedule(optimizer, curve)], clock=clock)
    for clock.now in (0, 0, 3, 3, 3.0, np.int64(3), 4):
        sync.step()
    assert calls == [0, 3, 4]
    optimizer.param_groups[0]["lr"] = 9.0
    state = sync.state_dict()
    with untouched(optimizer):
        sync.step()
    assert sync.state_dict() == state


CLOCK_SAYS = r"the clock says .*call step\(\)"


@pytest.mark.parametrize(
    ("given", "form"),
    crossed(
        [
            ((3,), {}, CLOCK_SAYS),
            ((0,), {}, CLOCK_SAYS),
            ((3.5,), {}, CLOCK_SAYS),
            ((), {"epoch": 3}, CLOCK_SAYS),
            ((0.5, 3), {}, "step: "),
            ((), {"metrics": 0.5}, "step: "),
            ((), {"loss": 1}, "step: "),
        ],
        FORMS,
    ),
)
def test_an_argument_beside_a_clock_is_refused(
    given: tuple[Any, Any, str], form: Any, untouched: Untouched
) -> None:
    """An argument is a ``TypeError``, also an epoch where the clock is; None is no argument."""
    args, kwargs, says = given
    sync = SynchronousSchedule([put_curve(sgd())], clock=form(Clock(3)))
    with untouched(sync.optimizer), pytest.raises(TypeError, match=says):
        sync.step(*args, **kwargs)
    assert sync.last_epoch == 0
    sync.step(None)
    sync.step(epoch=None)
    assert held(sync.optimizer) == [0.0625]


NOT_POSITIONS: dict[type[Exception], list[Any]] = {
    ValueError: [
        *(math.nan, math.inf, 10**400, -1, -1e-9),
        *(torch.tensor(-1), torch.tensor(math.nan)),
    ],
    TypeError: [
        *("3", None, True, 3j, [3]),
        *(torch.tensor([3]), torch.tensor([3, 4]), torch.tensor(True)),
    ],
    ZeroDivisionError: [ZeroDivisionError("clock: mine")],
}


@pytest.mark.parametrize(
    ("now", "error"), [(now, error) for error in NOT_POSITIONS for now in NOT_POSITIONS[error]]
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


def test_a_member_that_was_moved_from_outside_is_noticed() -> None:
    """A member that something else stepped is noticed before the clock counts."""
    sync = clocked(Clock(3))
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


@each_form
def test_a_clock_has_to_be_a_function(form: Any) -> None:
    """A clock that cannot be called is a ``TypeError``, and so is the class of a clock."""
    schedules = [put_curve(sgd())]
    for clock in (3, "steps", 0.0, Parameter(torch.ones(1))):
        with pytest.raises(TypeError, match=r"^clock(\['lr'\])?: expected a function"):
            SynchronousSchedule(schedules, clock=form(clock))
    with pytest.raises(TypeError, match=r"clock.*: .*; write OptimizerSteps\(…\)"):
        SynchronousSchedule(schedules, clock=form(OptimizerSteps))
    with pytest.raises(TypeError, match="positional"):
        SynchronousSchedule(schedules, form(Clock()))  # type: ignore[misc]


@each_form
def test_a_clock_of_an_inner_schedule_is_refused(form: Any) -> None:
    """An inner clock would be dropped in silence; the remedy in the message works."""
    optimizer, clock = adamw({"lr": 0.5, "weight_decay": 0.25}), Clock(3)
    inner = SynchronousSchedule([put_curve(optimizer)], clock=form(clock))
    assert inner.clock == form(clock)
    with pytest.raises(TypeError, match=r"position 0 has a clock.*clock=clock"):
        SynchronousSchedule([inner, put_curve(optimizer, "weight_decay")])
    inner = SynchronousSchedule([*inner.schedules.values()])
    outer = SynchronousSchedule([inner, put_curve(optimizer, "weight_decay")], clock=clock)
    optimizer.step()
    outer.step()
    assert outer.get_last_schedules() == {"lr": [0.0625], "weight_decay": [0.03125]}


def test_a_clock_that_counts_tokens() -> None:
    """A plan in tokens follows batches of any size, and step numbers are never rounded."""
    tokens, optimizer = Clock(), sgd(lr=1.0)
    sync = SynchronousSchedule([CurveSchedule(optimizer, lambda t: 1 - t / 10**12)], clock=tokens)
    for batch in (4_194_304, 1, 8_388_608, 0, 333):
        tokens.now += batch
        sync.step()
        assert held(optimizer) == [1.0 * (1 - tokens.now / 10**12)]
        assert (sync.last_epoch, type(sync.last_epoch)) == (tokens.now, int)


@pytest.mark.parametrize("ahead", ["lr", "weight_decay"])
def test_a_clock_brings_members_together_and_takes_none_back(
    ahead: str, untouched: Untouched
) -> None:
    """A clock behind any one member has gone back; one that is there sends the others there."""
    optimizer, clock = adamw({"lr": 0.5, "weight_decay": 0.25}), Clock(2)
    members = {name: put_curve(optimizer, name) for name in ("lr", "weight_decay")}
    members[ahead].step(3)
    sync = SynchronousSchedule(members.values(), clock=clock)
    with untouched(optimizer), pytest.raises(RuntimeError, match=r"says 2, .* stand at 3\b"):
        sync.step()
    assert members[ahead].last_epoch == 3
    clock.now = 3
    sync.step()
    assert positions(sync) == [3, 3]
    assert sync.get_last_schedules() == {"lr": [0.0625], "weight_decay": [0.03125]}


# -- resume, copies, previews ---------------------------------------------------------------------


@pytest.mark.parametrize("ahead", [6, 6.5, 40])
def test_a_run_resumes_with_its_clock_or_without(ahead: float) -> None:
    """A state does not depend on the clock; a resumed run goes on where its clock is, if any."""
    saved, clock = clocked(Clock(6)), Clock(ahead)
    saved.step()
    sync, without = clocked(clock), clocked(None)
    for each in (sync, without):
        each.load_state_dict(saved.state_dict())
        assert each.state_dict() == saved.state_dict()
        assert_stands_at(each, 6)
    assert clock.asked == 0
    sync.step()
    assert_stands_at(sync, ahead)
    without.optimizer.step()
    without.step()
    assert_stands_at(without, 7)


class Trainer(Clock):
    """A big object that must not be copied for a preview, with a method that is a clock."""

    def global_step(self) -> Any:
        return self()

    def __deepcopy__(self, memo: object) -> Trainer:
        raise AssertionError("a trainer was copied")


def test_a_preview_leaves_the_clock_alone(untouched: Untouched) -> None:
    """A preview computes the positions that it is given, and neither asks nor copies the clock."""
    trainer = Trainer(3)
    for asked, clock in enumerate((trainer, trainer.global_step), 1):
        sync = clocked(clock)
        sync.step()
        with untouched(sync.optimizer):
            seen = preview(sync, positions=[5, 100, 0.5], unit="tokens")
        assert trainer.asked == asked
        assert seen.steps == [5, 100, 0.5]
        assert seen.values["lr"] == [[0.5 * 0.5**t] for t in (5, 100, 0.5)]
        assert seen.values["weight_decay"] == [[0.25 * 0.5**t] for t in (5, 100, 0.5)]
        assert sync.last_epoch == 3


@each_form
def test_a_preview_does_not_guess_how_far_a_clock_goes_in_a_step(form: Any) -> None:
    """How far a clock goes in a call of ``step``, only the user knows: positions are demanded."""
    sync = SynchronousSchedule([put_curve(sgd())], clock=form(Clock(3)))
    sync.step()
    with pytest.raises(TypeError, match=r"^num_steps: .* preview\(schedule, positions="):
        preview(sync, 2)
    assert preview(sync, 1).values == {"lr": [[0.0625]]}  # what is there now


def test_a_preview_counts_the_steps_of_an_optimizer() -> None:
    """With ``OptimizerSteps`` as the clock, a preview goes one step of the optimizer at a time."""
    optimizer = sgd()
    sync = SynchronousSchedule([put_curve(optimizer)], clock=OptimizerSteps(optimizer))
    optimizer.step()
    sync.step()
    seen = preview(sync, 3)
    assert seen.steps == range(1, 4)
    assert seen.values == {"lr": [[0.25], [0.125], [0.0625]]}


def test_a_function_is_the_clock_of_a_copy_too() -> None:
    """A function is not copied, so schedule and copy go by the same clock."""
    now = 1
    sync = clocked(lambda: now)
    twin = copy.deepcopy(sync)
    now = 3
    for each in (twin, sync):
        each.step()
        assert_stands_at(each, 3)
