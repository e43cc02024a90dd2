"""With a mapping as ``clock``, each member goes by a clock of its own, or one step per call."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pytest
from cases import examples
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
    step_optimizers,
    through_pickle,
)
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from torch.optim.lr_scheduler import StepLR

from tsa_core import CurveSchedule, DerivedSchedule, OptimizerSteps, SynchronousSchedule, preview


def rise(t: float) -> float:
    return 1 - 0.5 / (1 + t)


# The source of each derived member; the roots are computed from their positions.
SOURCE = {"a/weight_decay": "a/lr", "a/eps": "a/weight_decay"}
ROOTS = ("a/lr", "a/betas[0]", "b/lr")
INITIAL = {"a/lr": 0.5, "a/weight_decay": 0.25, "a/eps": 0.125, "b/lr": 2.0}


def build(clocks: Any) -> SynchronousSchedule:
    """Two optimizers: a chain of two that derive from a curve, a rise by values, and a curve."""
    a, b = adamw({"lr": 0.5, "weight_decay": 0.25, "eps": 0.125}), sgd({"lr": 2.0})
    sync = SynchronousSchedule(
        {
            "a": [
                DerivedSchedule(a, same, "eps", of="weight_decay"),
                DerivedSchedule(a, same, "weight_decay"),
                put_curve(a),
                CurveSchedule(a, Failing(ZeroDivisionError("no"), rise), "betas[0]", absolute=True),
            ],
            "b": [put_curve(b)],
        },
        clock=clocks,
    )
    step_optimizers(sync)
    return sync


def expected_at(place: Mapping[str, float], origin: Mapping[str, float]) -> dict[str, list[float]]:
    """The values in closed form, where each root stands at its place."""
    values = {}
    for name in ("a/eps", "a/weight_decay", "a/lr", "a/betas[0]", "b/lr"):
        root = SOURCE.get(SOURCE.get(name, name), SOURCE.get(name, name))
        t = max(place[root] - origin[root], 0)
        values[name] = [rise(t)] if name == "a/betas[0]" else [INITIAL[name] * 0.5**t]
    return values


class ClocksOfMembers(RuleBasedStateMachine):
    """Any members have a clock, some of them the same one; the model keeps a position of each.

    With ``for_all``, the first clock is that of all members, and is not in a mapping.
    """

    @initialize(
        which=st.tuples(*(st.sampled_from([None, 0, 1]),) * len(ROOTS)), for_all=st.booleans()
    )
    def start(self, which: Any, for_all: bool) -> None:
        self.clocks, self.for_all = [Clock(), Clock()], for_all
        self.which = dict.fromkeys(ROOTS, 0) if for_all else dict(zip(ROOTS, which))
        self.sync = build(self.given())
        self.place = dict.fromkeys(ROOTS, 0.0)
        self.origin = dict.fromkeys(ROOTS, 0.0)
        self.saved: Any = None

    def given(self) -> Any:
        if self.for_all:
            return self.clocks[0]
        return {name: self.clocks[i] for name, i in self.which.items() if i is not None}

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

    @rule(bad=st.sampled_from([math.nan, -1, "3", None, True, ZeroDivisionError("mine")]))
    def a_clock_says_nothing(self, bad: Any) -> None:
        for clock in self.used():
            now, clock.now = clock.now, bad
            error = ZeroDivisionError if isinstance(bad, Exception) else (TypeError, ValueError)
            self.step_fails(error, r"mine|clock\['|^clock: ")
            clock.now = now

    @rule()
    def a_clock_goes_back(self) -> None:
        for clock in self.used():
            if clock.now > 0:
                now, clock.now = clock.now, clock.now - 0.25
                self.step_fails(RuntimeError, rf"says {clock.now}, .* stand at {now}\.")
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
        assert self.sync.values_at(t) == expected
        seen = preview(self.sync, positions=[t, t])
        assert seen.values == {name: [row, row] for name, row in expected.items()}

    @invariant()
    def values_and_positions_are_those_of_the_clocks(self) -> None:
        if hasattr(self, "sync"):
            assert self.sync.get_last_schedules() == expected_at(self.place, self.origin)
            for name in (*ROOTS, *SOURCE):  # what derives goes where its source goes
                root = SOURCE.get(SOURCE.get(name, name), SOURCE.get(name, name))
                assert self.sync.schedules[name].last_epoch == self.place[root]


ClocksOfMembers.TestCase.settings = settings(
    max_examples=examples(60), stateful_step_count=20, deadline=None
)
TestClocksOfMembers = ClocksOfMembers.TestCase


# -- members with and without a clock -------------------------------------------------------------


def test_torch_schedulers_go_by_steps_beside_a_clock() -> None:
    """Torch schedulers, also one that takes metrics, step per call beside a member with a clock."""
    optimizer, tokens = sgd({"lr": 0.5, "momentum": 0.5, "weight_decay": 0.25}), Clock()
    sync = SynchronousSchedule(
        [
            DerivedSchedule(optimizer, same, "dampening", of="lr", absolute=True),
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
        tokens.now = now
        sync.step(loss)
        assert held(optimizer, "weight_decay") == [0.25 * 0.5**now]
        assert held(optimizer, "momentum") == [0.5 * 0.5**i]
        assert held(optimizer) == held(optimizer, "dampening") == [0.5 * 0.5 ** (i - 1)]


class NeedsAnEpoch:
    """A scheduler of another library, whose ``step`` demands the epoch."""

    def __init__(self, optimizer: Any) -> None:
        self.optimizer = optimizer

    def step(self, epoch: int) -> None:
        for group in self.optimizer.param_groups:
            group["lr"] = 0.5**epoch


def test_arguments_are_for_the_members_without_a_clock() -> None:
    """An epoch is where the members without a clock go; the others go where their clocks say."""
    optimizer, tokens = adamw({"weight_decay": 0.25}), Clock(10)
    sync = SynchronousSchedule(
        [
            put_curve(optimizer, "weight_decay"),
            NeedsAnEpoch(optimizer),
            CurveSchedule(optimizer, rise, "betas[0]", absolute=True),
        ],
        clock={"weight_decay": tokens},
    )
    optimizer.step()
    sync.step(3.5)  # it goes ahead: only the one with a clock stands further
    assert sync.get_last_schedules() == {
        "weight_decay": [0.25 * 0.5**10],
        "lr": [0.5**3.5],
        "betas[0]": [rise(3.5)],
    }
    with pytest.raises(TypeError, match="'epoch'"):
        sync.step()


def test_a_clock_that_stands_calls_no_curve(untouched: Untouched) -> None:
    """A member whose clock stands is not computed; if all of them stand, nothing moves."""
    optimizer, calls = sgd({"weight_decay": 0.25}), []

    def curve(t: float) -> float:
        calls.append(t)
        return 1.0

    members = [CurveSchedule(optimizer, curve), put_curve(optimizer, "weight_decay")]
    sync = SynchronousSchedule(members, clock={"lr": Clock(5)})
    for _ in range(3):
        optimizer.step()
        sync.step()
    assert calls == [0, 5]
    assert held(optimizer, "weight_decay") == [0.25 / 8]
    stands = SynchronousSchedule(members, clock={"lr": Clock(5), "weight_decay": Clock(3)})
    optimizer.param_groups[0]["lr"] = 9.0
    with untouched(optimizer):
        stands.step()


def test_what_derives_from_no_member_goes_by_steps() -> None:
    """A derived member whose source the user sets is computed at each call, beside a clock."""
    optimizer, clock = adamw({"lr": 0.5, "weight_decay": 0.25}), Clock()
    derived = DerivedSchedule(optimizer, same, "weight_decay", of="eps")
    sync = SynchronousSchedule([put_curve(optimizer), derived], clock={"lr": clock})
    optimizer.step()
    optimizer.param_groups[0]["eps"] *= 2
    sync.step()
    assert held(optimizer, "weight_decay") == [0.5]
    assert (held(optimizer), derived.last_epoch) == ([0.5], 1)


def two_curves(lr: Any, weight_decay: Any) -> SynchronousSchedule:
    optimizer = sgd({"weight_decay": 0.25})
    members = [put_curve(optimizer), put_curve(optimizer, "weight_decay")]
    return SynchronousSchedule(members, clock={"lr": lr, "weight_decay": weight_decay})


# -- clocks ---------------------------------------------------------------------------------------


class Trainer:
    """Its methods are clocks; each reading of ``trainer.ticks`` is a new object."""

    def __init__(self) -> None:
        self.now = 0

    def ticks(self) -> int:
        """Advances when it is asked."""
        self.now += 1
        return self.now


@each_copy
def test_a_clock_of_several_members_is_asked_once(duplicate: Any) -> None:
    """A function or a method that several members share is asked once per step, in a copy too."""
    trainer = Trainer()
    sync = two_curves(trainer.ticks, trainer.ticks)
    for each in (sync, duplicate(sync)):
        each.optimizer.step()
        each.step()
        assert positions(each) == [each.clock["lr"].__self__.now] * 2
    assert trainer.now == 1


def test_clocks_that_are_equal_for_now_are_two() -> None:
    """Two clocks that compare equal when the schedule is built can differ later."""

    @dataclass
    class Seconds:
        now: float

        def __call__(self) -> float:
            return self.now

    slow, fast = Seconds(0), Seconds(0)
    assert slow == fast
    sync = two_curves(slow, fast)
    slow.now, fast.now = 1, 2
    sync.step()
    assert sync.get_last_schedules() == {"lr": [0.25], "weight_decay": [0.0625]}


def test_optimizer_steps_is_one_of_several_clocks() -> None:
    """Optimizer steps, micro-batches and tokens can each be what one member counts."""
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
    clocks = {"lr": clock}
    sync = SynchronousSchedule([put_curve(sgd())], clock=clocks)
    clocks.clear()
    assert sync.clock == {"lr": clock}
    with pytest.raises(TypeError):
        sync.clock["lr"] = None  # type: ignore[index]
    assert SynchronousSchedule([put_curve(sgd())], clock={}).clock is None


@pytest.mark.parametrize(
    ("clocks", "error", "says"),
    [
        (
            {"weight_decy": Clock()},
            KeyError,
            r"clock\['weight_decy'\]: .*only \['lr', 'weight_decay', 'eps', 'momentum'\]; "
            "did you mean 'weight_decay'",
        ),
        ({3: Clock()}, KeyError, r"clock\[3\]: .*'momentum'\]"),
        ({"weight_decay": Clock()}, TypeError, r"clock\['weight_decay'\]: .*give .* to 'lr'"),
        ({"eps": Clock()}, TypeError, r"clock\['eps'\]: .*from 'fused_lr'.*leave it out"),
        ({"momentum": Clock()}, TypeError, r"clock\['momentum'\]: .*'momentum' \(StepLR\) cannot"),
        ({"lr": None}, TypeError, r"clock\['lr'\]: .* got None; leave out"),
    ],
)
def test_a_mapping_of_clocks_that_does_not_fit_is_refused(
    clocks: Any, error: Any, says: str, untouched: Untouched
) -> None:
    """An unknown name, a member that cannot take a clock, and a clock that is not a function."""
    optimizer = sgd({"weight_decay": 0.25, "momentum": 0.5, "eps": 1.0, "fused_lr": 1.0})
    members = [
        put_curve(optimizer),
        DerivedSchedule(optimizer, same, "weight_decay"),
        DerivedSchedule(optimizer, same, "eps", of="fused_lr"),
        put(optimizer, "momentum", lambda proxy: StepLR(proxy, 1)),
    ]
    with untouched(optimizer), pytest.raises(error, match=says):
        SynchronousSchedule(members, clock=clocks)


# -- resume, nesting ------------------------------------------------------------------------------


def test_a_schedule_of_several_optimizers_gets_clocks_around_it() -> None:
    """A ``SynchronousSchedule`` of several optimizers keeps its names inside another one."""
    inner, clock = build(None), Clock(4)
    outer = SynchronousSchedule([inner], clock={"b/lr": clock})
    assert outer.schedule_names == inner.schedule_names
    outer.step()
    assert outer.get_last_schedules() == expected_at(
        {"a/lr": 1, "a/betas[0]": 1, "b/lr": 4}, dict.fromkeys(ROOTS, 0)
    )
    with pytest.raises(ValueError, match="'lr' has no name of its optimizer, and 'a/eps' has one"):
        SynchronousSchedule([build(None), put_curve(sgd())])
