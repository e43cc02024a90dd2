"""With a ``clock``, ``step()`` goes to the position that the clock says.

With a mapping as ``clock``, each member goes by a clock of its own, or one step per call.
"""

from __future__ import annotations

import copy
import math
import re
from collections.abc import Mapping
from fractions import Fraction
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from cases import crossed, examples
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
    step_optimizers,
    through_pickle,
)
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from torch.nn import Parameter
from torch.optim.lr_scheduler import ChainedScheduler, StepLR

from tsa_core import CurveSchedule, DerivedSchedule, OptimizerSteps, SynchronousSchedule, preview


def rise(t: float) -> float:
    return 1 - 0.5 / (1 + t)


# What is computed from positions, and of all members what they go with.
ROOTS = ("a/lr", "a/betas[0]", "b/lr")
ROOT_OF = {"a/eps": "a/lr", "a/weight_decay": "a/lr", **{root: root for root in ROOTS}}
INITIAL = {"a/lr": 0.5, "a/weight_decay": 0.25, "a/eps": 0.125, "b/lr": 2.0}
NO_ORIGIN = dict.fromkeys(ROOTS, 0.0)


class Trainer(Clock):
    """Something big with a clock as its method; each reading of ``ticks`` is a new object."""

    def ticks(self) -> Any:
        return self()


def build(clocks: Any) -> SynchronousSchedule:
    """Two optimizers: a chain of two that derive from a curve, values, and a curve on a proxy."""
    a, b = adamw({"lr": 0.5, "weight_decay": 0.25, "eps": 0.125}), sgd({"lr": 2.0})
    sync = SynchronousSchedule(
        {
            "a": [
                DerivedSchedule(a, same, "eps", of="weight_decay"),
                DerivedSchedule(a, same, "weight_decay"),
                put_curve(a),
                CurveSchedule(a, Failing(ZeroDivisionError("no"), rise), "betas[0]", absolute=True),
            ],
            "b": [put(b, make=put_curve)],
        },
        clock=clocks,
    )
    step_optimizers(sync)
    return sync


def expected_at(
    place: Mapping[str, float], origin: Mapping[str, float] = NO_ORIGIN
) -> dict[str, list[float]]:
    """The values in closed form, where each root stands at its place."""
    values = {}
    for name, root in ROOT_OF.items():
        t = max(place[root] - origin[root], 0)
        values[name] = [rise(t)] if name == "a/betas[0]" else [INITIAL[name] * 0.5**t]
    return values


def assert_stands_at(sync: SynchronousSchedule, t: float) -> None:
    """Assert that all members of :func:`build` stand at ``t``, with the values in closed form."""
    assert positions(sync) == [t] * 5
    assert sync.get_last_schedules() == expected_at(dict.fromkeys(ROOTS, t))


class ClocksOfMembers(RuleBasedStateMachine):
    """Any members have a clock, some of them the same one; the model keeps a position of each.

    ``test_interleavings.py`` does so with one clock for all.
    """

    @initialize(
        which=st.tuples(*(st.sampled_from([None, 0, 1]),) * len(ROOTS)), are_methods=st.booleans()
    )
    def start(self, which: Any, are_methods: bool) -> None:
        self.clocks, self.are_methods = [Trainer(), Trainer()], are_methods
        self.which = dict(zip(ROOTS, which))
        self.sync = build(self.given())
        self.place = dict.fromkeys(ROOTS, 0.0)
        self.origin = dict(NO_ORIGIN)
        self.saved: Any = None

    def given(self) -> Any:
        clocks = {name: self.clocks[i] for name, i in self.which.items() if i is not None}
        return {name: each.ticks if self.are_methods else each for name, each in clocks.items()}

    def used(self) -> list[Clock]:
        return [clock for i, clock in enumerate(self.clocks) if i in self.which.values()]

    def step_fails(self, error: Any, says: str) -> None:
        before = self.sync.state_dict()
        with pytest.raises(error, match=says):
            self.sync.step()
        assert self.sync.state_dict() == before

    @rule(ticks=st.tuples(*(st.sampled_from([0, 0, 1, 0.25, 7]),) * 2))
    def step(self, ticks: tuple[float, float]) -> None:
        for clock, each in zip(self.clocks, ticks):
            clock.now += each
            clock.asked = 0
        self.sync.step()
        assert all(clock.asked == 1 for clock in self.used())
        for name, i in self.which.items():
            self.place[name] = self.place[name] + 1 if i is None else self.clocks[i].now

    @rule()
    def a_clock_goes_back(self) -> None:
        for clock in self.used():
            if clock.now > 0:
                now, clock.now = clock.now, clock.now - 0.25
                says = rf"says {clock.now}, and the schedules of \['[ab]/.*\] stand at {now}\."
                self.step_fails(RuntimeError, says)
                clock.now = now

    @rule()
    def a_curve_fails(self) -> None:
        for clock in self.clocks:
            clock.now += 1
        curve = self.sync.schedules["a/betas[0]"].curve
        curve.fails = True
        self.step_fails(ZeroDivisionError, "no")
        curve.fails = False
        self.step((0, 0))

    @rule(names=st.sets(st.sampled_from(["a/lr", "b/lr"])))
    def replan(self, names: set[str]) -> None:
        self.sync.replan(dict.fromkeys(names, halving))
        self.origin.update({name: self.place[name] for name in names})

    @rule()
    def save(self) -> None:
        self.saved = copy.deepcopy((self.sync.state_dict(), self.place, self.origin))

    @rule()
    def resume(self) -> None:
        if self.saved is None or (any(self.saved[2].values()) and self.saved[2] != self.origin):
            return  # a plan that is code is not in the state
        state, self.place, self.origin = copy.deepcopy(self.saved)
        if not any(self.origin.values()):
            self.sync = build(self.given())
        self.sync.load_state_dict(state, plan="same")
        for i, clock in enumerate(self.clocks):  # restored together with the schedules
            clock.now = max([0, *(self.place[name] for name in ROOTS if self.which[name] == i)])

    @rule(duplicate=st.sampled_from([copy.deepcopy, through_pickle]))
    def duplicate(self, duplicate: Any) -> None:
        self.sync, self.clocks = duplicate((self.sync, self.clocks))
        step_optimizers(self.sync)  # a copy of an optimizer does not know that it stepped

    @rule(t=st.sampled_from([0, 1, 2.5, 10**11]))
    def look_ahead(self, t: float) -> None:
        expected = expected_at(dict.fromkeys(ROOTS, t), self.origin)
        asked = [clock.asked for clock in self.clocks]
        assert self.sync.values_at(t) == expected
        seen = preview(self.sync, positions=[t, t])
        assert seen.values == {name: [row, row] for name, row in expected.items()}
        assert [clock.asked for clock in self.clocks] == asked

    @invariant()
    def values_and_positions_are_those_of_the_clocks(self) -> None:
        if hasattr(self, "sync"):
            assert self.sync.get_last_schedules() == expected_at(self.place, self.origin)
            assert positions(self.sync) == [self.place[root] for root in ROOT_OF.values()]


ClocksOfMembers.TestCase.settings = settings(
    max_examples=examples(60), stateful_step_count=20, deadline=None
)
TestClocksOfMembers = ClocksOfMembers.TestCase


# One clock for all members, or one for each: here of the only one.
FORMS = [lambda clock: clock, lambda clock: {"lr": clock}]
each_form = pytest.mark.parametrize("form", FORMS, ids=["one", "of each"])


# -- what step() does -----------------------------------------------------------------------------


def test_a_step_goes_to_where_the_clock_stands() -> None:
    """``step()`` asks once, nothing else does, and goes to any real number ≥ 0 as a plain one."""
    clock = Clock()
    sync = build(clock)
    reals = [np.int64(8), np.float32(9), np.array(10), torch.tensor(11), torch.tensor(12.0)]
    for asked, t in enumerate([5, 6, 7.5, 7.75, *reals, Fraction(13), 40, 10**12 + 1], 1):
        clock.now = t
        sync.step()
        assert_stands_at(sync, float(t))
        assert type(sync.last_epoch) in (int, float)
        sync.state_dict(), repr(sync)
        assert clock.asked == asked
    assert type(sync.last_epoch) is int  # a count of tokens is never rounded
    sync.schedules["a/lr"].step(3)
    with pytest.raises(RuntimeError, match="'a/lr' stands at step 3"):
        sync.step()


@each_form
def test_the_same_position_twice_is_no_move(form: Any) -> None:
    """A clock that stands still moves nothing and calls no curve; others may go by steps."""
    calls = []

    def curve(t: float) -> float:
        calls.append(t)
        return 0.5

    clock, optimizer = Clock(), sgd({"weight_decay": 0.25})
    members = [CurveSchedule(optimizer, curve), put_curve(optimizer, "weight_decay")]
    sync = SynchronousSchedule(members, clock=form(clock))
    optimizer.step()
    for clock.now in (0, 0, 3, 3, 3.0, np.int64(3), 4):
        sync.step()
    assert calls == [0, 3, 4]
    optimizer.param_groups[0]["lr"] = 9.0
    sync.step()
    assert held(optimizer) == [9.0]
    assert positions(sync) == ([4, 4] if form is FORMS[0] else [4, 8])


@each_form
def test_an_argument_beside_a_clock_is_refused(form: Any, untouched: Untouched) -> None:
    """An argument is a ``TypeError``, also an epoch where the clock is; None is a plain step."""
    sync = SynchronousSchedule([put_curve(sgd())], clock=form(Clock(3)))
    says = r"the clock says .*call step\(\)"
    for args in ((3,), (0,), (3.5,), (0.5, 3)):
        with untouched(sync.optimizer), pytest.raises(TypeError, match=says):
            sync.step(*args)
    for kwargs in ({"epoch": 3}, {"metrics": 0.5}, {"loss": 1}):
        with untouched(sync.optimizer), pytest.raises(TypeError, match=says):
            sync.step(**kwargs)
    assert sync.last_epoch == 0
    sync.step(None)
    sync.step(epoch=None)
    assert held(sync.optimizer) == [0.0625]


NOT_POSITIONS: dict[type[Exception], list[Any]] = {
    ValueError: [math.nan, math.inf, 10**400, -1, -1e-9, torch.tensor(-1), torch.tensor(math.nan)],
    TypeError: ["3", None, True, 3j, [3], torch.tensor([3]), torch.ones(2), torch.tensor(True)],
    ZeroDivisionError: [ZeroDivisionError("mine")],
}


@pytest.mark.parametrize(
    ("error", "name"), crossed(NOT_POSITIONS, ["clock", "clock['a/lr']", "clock['a/lr']"])
)
def test_a_clock_that_gives_no_position_is_refused(
    error: Any, name: str, untouched: Untouched
) -> None:
    """A clock that raises, or does not give a number ≥ 0, is an error; nothing has moved."""
    clock = Clock(1)
    sync = build(clock if name == "clock" else {"a/lr": clock})
    sync.step()
    a, b = sync.optimizers.values()
    for clock.now in NOT_POSITIONS[error]:
        says = "mine" if error is ZeroDivisionError else f"^{re.escape(name)}: "
        with untouched(a), untouched(b), pytest.raises(error, match=says):
            sync.step()
        assert_stands_at(sync, 1)


# -- what a clock needs ---------------------------------------------------------------------------


def with_own_step(schedule: Any) -> Any:
    """Have the schedule stepped by a method that takes no position."""
    schedule.step = lambda: None
    return schedule


@pytest.mark.parametrize(
    ("make", "kind"),
    [
        (lambda o: StepLR(o, 1), "StepLR"),
        (put, "ExponentialLR"),
        (plateau, "ReduceLROnPlateau"),
        (lambda o: ChainedScheduler([StepLR(o, 1)]), "ChainedScheduler"),
        (lambda o: with_own_step(put_curve(o)), "CurveSchedule"),
        (
            lambda o: with_own_step(DerivedSchedule(o, same, "lr", of="momentum", absolute=True)),
            "DerivedSchedule",
        ),
    ],
)
def test_a_member_that_cannot_be_sent_to_a_position_is_refused(make: Any, kind: str) -> None:
    optimizer = sgd(weight_decay=0.25, momentum=0.5)
    members = [put_curve(optimizer, "weight_decay"), make(optimizer)]
    says = rf"'lr' \({kind}\) cannot .*, because .* CurveSchedule or a built"
    with pytest.raises(TypeError, match=f"^clock: .*{says}.*, or leave out the clock"):
        SynchronousSchedule(members, clock=Clock())
    with pytest.raises(TypeError, match=f"^values_at: .*{says}.*, or ask another one alone"):
        SynchronousSchedule(members).values_at(3)
    assert members[0].values_at(3) == [0.25 / 8]
    with pytest.raises(TypeError, match=rf"'b/lr' \({kind}\)"):
        SynchronousSchedule({"a": members[:1], "b": [make(sgd(momentum=0.5))]}, clock=Clock())


@each_form
def test_a_clock_has_to_be_a_function(form: Any) -> None:
    schedules = [put_curve(sgd())]
    for clock in (3, "steps", 0.0, Parameter(torch.ones(1))):
        with pytest.raises(TypeError, match=r"^clock(\['lr'\])?: expected a function"):
            SynchronousSchedule(schedules, clock=form(clock))
    with pytest.raises(TypeError, match=r"clock.*: .*; write OptimizerSteps\(…\)"):
        SynchronousSchedule(schedules, clock=form(OptimizerSteps))
    with pytest.raises(TypeError, match="positional"):
        SynchronousSchedule(schedules, form(Clock()))  # type: ignore[misc]


def test_clocks_belong_to_the_outermost_schedule() -> None:
    """An inner clock would be dropped in silence; the remedy in the message works."""
    clock = Clock(4)
    for inner in (build(clock), build({"b/lr": clock})):
        with pytest.raises(TypeError, match=r"position 0 has a clock.*clock=clock"):
            SynchronousSchedule([inner])
    inner = build(None)
    outer = SynchronousSchedule([inner], clock={"b/lr": clock})
    assert outer.schedule_names == inner.schedule_names
    outer.step()
    assert outer.get_last_schedules() == expected_at({"a/lr": 1, "a/betas[0]": 1, "b/lr": 4})


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


@pytest.mark.parametrize("now", [None, 6, 6.5, 40])
def test_a_run_resumes_with_its_clock_or_without(now: Any) -> None:
    """A state does not depend on the clock; a resumed run goes on where its clock is, if any."""
    saved, clock = build(Clock(6)), Clock(now)
    saved.step()
    sync = build(None if now is None else clock)
    sync.load_state_dict(saved.state_dict())
    assert sync.state_dict() == saved.state_dict()
    assert_stands_at(sync, 6)
    assert clock.asked == 0
    sync.step()
    assert_stands_at(sync, 7 if now is None else now)


class Uncopied(Trainer):
    def __deepcopy__(self, memo: object) -> Any:
        raise AssertionError("a trainer was copied")


def test_a_preview_leaves_the_clock_alone(untouched: Untouched) -> None:
    """A preview computes the positions that it is given, and does not copy what has the clock."""
    trainer = Uncopied(3)
    for clock in (trainer, trainer.ticks):
        sync = build(clock)
        sync.step()
        a, b = sync.optimizers.values()
        with untouched(a), untouched(b):
            seen = preview(sync, positions=[5, 100, 0.5], unit="tokens")
        assert seen.steps == [5, 100, 0.5]
        assert seen.values["a/lr"] == [[0.5 * 0.5**t] for t in (5, 100, 0.5)]
        assert seen.values["a/weight_decay"] == [[0.25 * 0.5**t] for t in (5, 100, 0.5)]
        assert_stands_at(sync, 3)


def test_a_preview_does_not_guess_how_far_a_clock_goes_in_a_step() -> None:
    """Positions are demanded, except where the clock counts the steps of an optimizer."""
    for clock in (Clock(1), {"lr": Clock(1)}):
        sync = SynchronousSchedule([put_curve(sgd())], clock=clock)
        sync.step()  # a clock can begin anywhere, so nothing warns that the optimizer has not
        assert preview(sync, 1).values == {"lr": [[0.25]]}  # what is there now
        with pytest.raises(TypeError, match=r"^num_steps: .* preview\(schedule, positions="):
            preview(sync, 2)
    optimizer = sgd()
    sync = SynchronousSchedule([put_curve(optimizer)], clock=OptimizerSteps(optimizer))
    optimizer.step()
    sync.step()
    seen = preview(sync, 3)
    assert seen.steps == range(1, 4)
    assert seen.values == {"lr": [[0.25], [0.125], [0.0625]]}


def test_a_function_is_the_clock_of_a_copy_too() -> None:
    now = 1
    sync = build(lambda: now)
    twin = copy.deepcopy(sync)
    now = 3
    for each in (twin, sync):
        each.step()
        assert_stands_at(each, 3)


# -- members with and without a clock -------------------------------------------------------------


def test_members_without_a_clock_go_by_steps_beside_one() -> None:
    """Torch schedulers, with metrics too, and what derives from no member step at each call."""
    entries = {"lr": 0.5, "momentum": 0.5, "weight_decay": 0.25, "a": 0.5, "free": 3.0}
    optimizer, tokens = sgd(entries), Clock()
    sync = SynchronousSchedule(
        [
            DerivedSchedule(optimizer, same, "dampening", of="lr", absolute=True),
            DerivedSchedule(optimizer, same, "a", of="free"),
            plateau(optimizer),
            put_curve(optimizer, "weight_decay"),
            put(optimizer, "momentum"),
        ],
        clock={"weight_decay": tokens},
    )
    with pytest.raises(TypeError, match=r"'lr' .* or preview another member alone"):
        preview(sync, positions=[3])
    for i, (now, loss) in enumerate([(3, 1.0), (3, 2.0), (3.5, 3.0)], 1):
        optimizer.step()
        optimizer.param_groups[0]["free"] *= 2
        tokens.now = now
        sync.step(loss)
        assert held(optimizer, "weight_decay") == [0.25 * 0.5**now]
        assert held(optimizer, "momentum") == [0.5 * 0.5**i]
        assert held(optimizer) == held(optimizer, "dampening") == [0.5 * 0.5 ** (i - 1)]
        assert held(optimizer, "a") == [0.5 * 2**i]


def test_arguments_are_for_the_members_without_a_clock() -> None:
    """An epoch is where the members without a clock go; the others go where their clocks say."""
    optimizer, tokens, epochs = adamw({"weight_decay": 0.25}), Clock(10), []
    members = [
        put_curve(optimizer, "weight_decay"),
        SimpleNamespace(optimizer=optimizer, step=lambda epoch: epochs.append(epoch)),
        CurveSchedule(optimizer, rise, "betas[0]", absolute=True),
    ]
    sync = SynchronousSchedule(members, clock={"weight_decay": tokens})
    optimizer.step()
    sync.step(3.5)  # it goes ahead: only the one with a clock stands further
    assert epochs == [3.5]
    assert sync.get_last_schedule("weight_decay") == [0.25 * 0.5**10]
    assert sync.get_last_schedule("betas[0]") == [rise(3.5)]
    with pytest.raises(TypeError, match="'epoch'"):
        sync.step()


def test_clocks_that_are_equal_for_now_are_two() -> None:
    class Equal(Clock):
        def __eq__(self, other: object) -> bool:
            return True

    optimizer, slow, fast = sgd({"weight_decay": 0.25}), Equal(), Equal()
    members = [put_curve(optimizer), put_curve(optimizer, "weight_decay")]
    sync = SynchronousSchedule(members, clock={"lr": slow, "weight_decay": fast})
    slow.now, fast.now = 1, 2
    sync.step()
    assert sync.get_last_schedules() == {"lr": [0.25], "weight_decay": [0.0625]}


def test_optimizer_steps_is_one_of_several_clocks() -> None:
    optimizer, tokens = sgd({"weight_decay": 0.25, "momentum": 0.5}), Clock()
    sync = SynchronousSchedule(
        [put_curve(optimizer, name) for name in ("lr", "weight_decay", "momentum")],
        clock={"lr": OptimizerSteps(optimizer), "weight_decay": tokens},
    )
    for micro_batch in range(4):
        tokens.now += 5
        if micro_batch % 2 == 0:
            optimizer.step()
        sync.step()
    assert positions(sync) == [2, 20, 4]
    assert "at steps {'lr': 2, 'weight_decay': 20, 'momentum': 4}: " in repr(sync)
    assert sync.last_epoch == 2


def test_the_clocks_can_be_read_and_not_set() -> None:
    """``clock`` is a read-only mapping, a change of the mapping passed in does nothing."""
    clock = Clock()
    clocks: Any = {"lr": clock}
    sync = SynchronousSchedule([put_curve(sgd())], clock=clocks)
    clocks.clear()
    assert sync.clock == {"lr": clock}
    with pytest.raises(TypeError):
        sync.clock["lr"] = None  # type: ignore[index]
    for clocks, shown in ((clock, clock), ({}, None)):
        assert SynchronousSchedule([put_curve(sgd())], clock=clocks).clock is shown


@pytest.mark.parametrize(
    ("clocks", "error", "says"),
    [
        ({"weight_decy": Clock()}, KeyError, r"clock\['weight_decy'\]: .*mean 'weight_decay'"),
        ({3: Clock()}, KeyError, r"clock\[3\]: .*only \['lr', 'weight_decay', 'eps', 'momentum'\]"),
        ({"weight_decay": Clock()}, TypeError, r"clock\['weight_decay'\]: .*give .* to 'lr'"),
        ({"eps": Clock()}, TypeError, r"clock\['eps'\]: .*from 'fused_lr'.*leave it out"),
        ({"momentum": Clock()}, TypeError, r"clock\['momentum'\]: .*'momentum' \(StepLR\) cannot"),
        ({"lr": None}, TypeError, r"clock\['lr'\]: .* got None; leave out"),
    ],
)
def test_a_mapping_of_clocks_that_does_not_fit_is_refused(
    clocks: Any, error: Any, says: str, untouched: Untouched
) -> None:
    optimizer = sgd({"weight_decay": 0.25, "momentum": 0.5, "eps": 1.0, "fused_lr": 1.0})
    members = [
        put_curve(optimizer),
        DerivedSchedule(optimizer, same, "weight_decay"),
        DerivedSchedule(optimizer, same, "eps", of="fused_lr"),
        put(optimizer, "momentum", lambda proxy: StepLR(proxy, 1)),
    ]
    with untouched(optimizer), pytest.raises(error, match=says):
        SynchronousSchedule(members, clock=clocks)
