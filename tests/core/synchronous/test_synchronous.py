"""Several schedules step as one ``SynchronousSchedule``, and their values are found by name."""

from __future__ import annotations

import copy
import functools
import math
import warnings
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from cases import crossed
from helpers import (
    Untouched,
    adamw,
    advance,
    floats,
    halving,
    ignore_epoch_deprecation,
    plateau,
    positions,
    put,
    put_curve,
    sgd,
)
from torch.optim.lr_scheduler import (
    ChainedScheduler,
    ExponentialLR,
    LRScheduler,
    OneCycleLR,
    ReduceLROnPlateau,
    SequentialLR,
    StepLR,
)

from tsa_core import CurveSchedule, SynchronousSchedule, extend_optimizer, preview


def two_groups() -> torch.optim.AdamW:
    optimizer = adamw(
        {"lr": 0.5, "weight_decay": 0.25},
        {"lr": 0.125, "weight_decay": 0.0625},
    )
    return extend_optimizer(optimizer, "clip", 4.0)


def beside_a_curve(make: Any) -> SynchronousSchedule:
    """What ``make`` builds on ``clip``, beside a curve of the learning rate; ready for a step."""
    optimizer = two_groups()
    sync = SynchronousSchedule([put_curve(optimizer), put(optimizer, "clip", make)])
    optimizer.step()
    return sync


def one_cycle(optimizer: Any, cycle_momentum: bool = True) -> Any:
    return OneCycleLR(optimizer, 1.0, total_steps=9, cycle_momentum=cycle_momentum)


def sequential(optimizer: Any) -> Any:
    parts = [ExponentialLR(optimizer, 0.5), ExponentialLR(optimizer, 0.9)]
    return SequentialLR(optimizer, parts, [5])


class LikeTimms:
    """A scheduler of another library, whose ``step`` takes an epoch and timm's ``metric``."""

    def __init__(self, optimizer: Any) -> None:
        self.optimizer = optimizer
        self.calls: list[tuple[Any, Any]] = []

    def step(self, epoch: Any, metric: Any = None) -> None:
        self.calls.append((epoch, metric))


# -- members -----------------------------------------------------------------------------------


def test_members_are_named_by_target() -> None:
    """Members are named by their targets in the order of the list, on a proxy by the proxy's."""
    optimizer = two_groups()
    sync = SynchronousSchedule(
        [
            put(optimizer, "clip"),
            StepLR(optimizer, 1),
            put_curve(optimizer, "betas[0]"),
            put(optimizer, "weight_decay", put_curve),
        ]
    )
    assert sync.schedule_names == ["clip", "lr", "betas[0]", "weight_decay"]
    assert list(sync.schedules) == sync.schedule_names
    assert sync.optimizer is optimizer


def test_a_synchronous_schedule_contributes_its_members() -> None:
    """A ``SynchronousSchedule`` in the list contributes its members, and each steps once."""
    optimizer = two_groups()
    inner = SynchronousSchedule([put_curve(optimizer, "weight_decay")])
    middle = SynchronousSchedule([put(optimizer, "clip"), inner])
    sync = SynchronousSchedule([middle, put_curve(optimizer)])
    advance(sync)
    assert sync.get_last_schedules() == {
        "clip": [2.0, 2.0],
        "weight_decay": [0.125, 0.03125],
        "lr": [0.25, 0.0625],
    }


@pytest.mark.parametrize(
    ("schedules", "error", "says"),
    [
        (lambda o: [], ValueError, "at least one"),
        (lambda o: None, TypeError, "expected a list of schedules, got None"),
        (lambda o: "lr", TypeError, "expected a list of schedules, got 'lr'"),
        (put_curve, TypeError, "expected a list of schedules, got <CurveSchedule"),
        (lambda o: [put_curve(o), 3], TypeError, r"got 3 \(int\) at position 1"),
        *(
            (
                lambda o, half=half: [put_curve(o), half(o)],
                TypeError,
                "(?s)expected schedules, got .* at position 1",
            )
            for half in (
                lambda o: o,
                lambda o: SimpleNamespace(optimizer=o),
                lambda o: SimpleNamespace(optimizer=o, step=3),
            )
        ),
        *(
            (
                lambda o, optimizer=optimizer: [LikeTimms(optimizer)],
                TypeError,
                "^optimizer: expected a torch optimizer",
            )
            for optimizer in (None, 3, SimpleNamespace(), SimpleNamespace(param_groups=None))
        ),
        (
            lambda o: [put_curve(o), put_curve(two_groups(), "clip")],
            ValueError,
            "'clip' at position 1 is on a different optimizer",
        ),
        (lambda o: [put_curve(o), StepLR(o, 1)], RuntimeError, "two of them schedule 'lr'"),
        (
            lambda o: [put(o, "clip"), put_curve(o, "clip")],
            RuntimeError,
            "two of them schedule 'clip'",
        ),
    ],
)
def test_invalid_members_are_refused(schedules: Any, error: Any, says: str) -> None:
    """The list must hold at least one schedule, all on one optimizer, and each target once."""
    with pytest.raises(error, match=says):
        SynchronousSchedule(schedules(two_groups()))


@pytest.mark.parametrize(
    ("optimizer", "make", "momentum", "free"),
    [
        (two_groups, one_cycle, "betas[0]", "betas[1]"),
        (two_groups, lambda o: put(o, "lr", one_cycle), "betas[0]", "betas[1]"),
        (
            two_groups,
            lambda o: ChainedScheduler([ExponentialLR(o, 0.9), one_cycle(o)]),
            "betas[0]",
            "betas[1]",
        ),
        (lambda: sgd({"clip": 1.0}, lr=0.1, momentum=0.9), one_cycle, "momentum", "clip"),
    ],
)
def test_momentum_is_driven_once(optimizer: Any, make: Any, momentum: str, free: str) -> None:
    """A schedule of the momentum is refused beside a scheduler that cycles it."""
    with pytest.raises(RuntimeError, match=r"(betas\[0\]|momentum)' too.*cycle_momentum=False"):
        SynchronousSchedule([make(some := optimizer()), put_curve(some, momentum)])
    SynchronousSchedule([make(some := optimizer()), put_curve(some, free)])


@pytest.mark.parametrize(
    "make",
    [
        lambda o: one_cycle(o, cycle_momentum=False),
        lambda o: ChainedScheduler([ExponentialLR(o, 0.9)]),
    ],
)
def test_a_scheduler_that_does_not_cycle_momentum_leaves_it_free(make: Any) -> None:
    """A schedule of Adam's first beta goes with a scheduler that does not cycle momentum."""
    optimizer = two_groups()
    sync = SynchronousSchedule([make(optimizer), put_curve(optimizer, "betas[0]")])
    assert sync.schedule_names == ["lr", "betas[0]"]
    assert sync.schedules["betas[0]"].base_lrs == [0.9, 0.9]


@pytest.mark.parametrize("names", [["a", "b"], ["b", "a"]])
def test_the_momentum_of_another_optimizer_is_free(names: list[str]) -> None:
    """A schedule of the momentum goes with a scheduler that cycles that of another optimizer."""
    cycled, other = sgd(lr=0.1, momentum=0.9), sgd(momentum=0.5)
    lists = dict(zip("ab", ([one_cycle(cycled)], [put_curve(other, "momentum")])))
    sync = SynchronousSchedule({name: lists[name] for name in names})
    advance(sync)
    assert sync.get_last_schedule("b/momentum") == [0.25]


def test_an_entry_that_is_only_called_momentum_can_be_scheduled() -> None:
    """A user's entry called momentum goes with a ``OneCycleLR`` that cycles AdamW's first beta."""
    optimizer = extend_optimizer(two_groups(), "momentum", 0.5)
    sync = SynchronousSchedule([one_cycle(optimizer), put_curve(optimizer, "momentum")])
    advance(sync)
    assert sync.get_last_schedule("momentum") == [0.25, 0.25]


@pytest.mark.parametrize(
    "make",
    [
        lambda o: SequentialLR(o, [put_curve(o, "weight_decay") for _ in range(2)], [3]),
        lambda o: ChainedScheduler([ExponentialLR(o, 0.5), put_curve(o, "weight_decay")]),
        lambda o: ChainedScheduler([SequentialLR(o, [put_curve(o), put_curve(o, "clip")], [3])]),
    ],
)
@ignore_epoch_deprecation  # SequentialLR of torch < 2.9 passes a deprecated epoch
def test_a_compound_of_curves_of_another_target_is_refused(make: Any) -> None:
    """A compound scheduler on the optimizer is refused if a curve in it drives another target."""
    # It would be named lr, and loading it would write the values of that target to lr.
    optimizer = two_groups()
    put_curve(optimizer)  # torch's SequentialLR needs an initial learning rate in the groups
    compound = make(optimizer)
    with pytest.raises(
        ValueError, match=r"schedule of '(weight_decay|clip)' in it.* schedule_target="
    ):
        SynchronousSchedule([compound])


def test_a_compound_of_curves_of_the_learning_rate_is_a_member() -> None:
    """A compound scheduler of curves of the learning rate is a member called ``lr``."""
    optimizer = two_groups()
    sync = SynchronousSchedule([ChainedScheduler([put_curve(optimizer)])])
    advance(sync)
    assert sync.get_last_schedules() == {"lr": [0.25, 0.0625]}


# -- stepping ----------------------------------------------------------------------------------


def test_members_step_in_lock_step() -> None:
    """One call moves every target by one step of its own schedule."""
    optimizer = two_groups()
    sync = SynchronousSchedule(
        [put_curve(optimizer), put(optimizer, "weight_decay"), put(optimizer, "clip", plateau)]
    )
    for t in range(1, 5):
        advance(sync, 1, float(t))
        assert sync.last_epoch == t
    assert sync.get_last_schedules() == {
        "lr": [0.5**5, 0.5**7],
        "weight_decay": [0.5**6, 0.5**8],
        "clip": [0.5, 0.5],  # the first metric is the best; three more reduce it
    }


@ignore_epoch_deprecation  # the test passes an epoch
@pytest.mark.parametrize("make", [put_curve, lambda proxy: ExponentialLR(proxy, 0.5)])
@pytest.mark.parametrize("epoch", [3, np.int64(3), torch.tensor(3)])
def test_an_epoch_reaches_every_member(make: Any, epoch: Any) -> None:
    """``step(epoch)`` sends every member to the epoch, as a Python number; ``step()`` goes on."""
    # torch's schedulers keep the object that they get, and a checkpoint could not hold it.
    sync = beside_a_curve(make)
    sync.step(epoch)
    assert [type(position) for position in positions(sync)] == [int, int]
    assert sync.get_last_schedules() == {"lr": [0.5**4, 0.5**6], "clip": [0.5, 0.5]}
    sync.step(epoch=1)
    assert sync.get_last_schedule("clip") == [2.0, 2.0]
    sync.step()
    assert sync.get_last_schedule("clip") == [1.0, 1.0]


@pytest.mark.parametrize(("args", "kwargs"), [((None,), {}), ((), {"epoch": None})])
def test_none_is_not_an_epoch(args: Any, kwargs: Any) -> None:
    """``step(None)`` is a plain step, even if a member takes no epoch."""
    sync = beside_a_curve(sequential)
    sync.step(*args, **kwargs)
    assert sync.get_last_schedule("clip") == [2.0, 2.0]


@pytest.mark.parametrize("call", [lambda s, m: s.step(m), lambda s, m: s.step(metrics=m)])
def test_metrics_go_to_the_members_that_take_them(call: Any) -> None:
    """A single argument of ``step`` is the metric, not an epoch, if a member takes metrics."""
    sync = beside_a_curve(plateau)
    call(sync, 7.0)
    call(sync, 8.0)
    assert sync.last_epoch == 2
    assert sync.get_last_schedules() == {"lr": [0.125, 0.03125], "clip": [2.0, 2.0]}


@ignore_epoch_deprecation  # the test passes an epoch
def test_metrics_come_before_the_epoch() -> None:
    """Metrics and an epoch by position are in the order of ``ReduceLROnPlateau.step``."""
    sync = beside_a_curve(plateau)
    sync.step(7.0, 4)
    assert (sync.last_epoch, sync.get_last_lr()) == (4, [0.5**5, 0.5**7])


@pytest.mark.parametrize(
    ("make", "args", "kwargs", "says"),
    [
        (plateau, (), {}, r"'clip' \(ReduceLROnPlateau\) takes metrics: call step\(metrics\)"),
        (plateau, (), {"epoch": 3}, r"'clip' \(ReduceLROnPlateau\) takes metrics"),
        (plateau, (1.0, 2, 3), {}, r"too many positional arguments; .*metrics of \['clip'\]"),
        (plateau, (1.0,), {"metrics": 1.0}, "multiple values for argument 'metrics'"),
        (put_curve, (), {"metrics": 1.0}, "keyword argument 'metrics'; .* none takes metrics"),
        (put_curve, (1, 2), {}, "too many positional arguments"),
        (put_curve, (), {"step": 2}, "unexpected keyword argument 'step'"),
        (put_curve, ("x",), {}, "epoch: 'x'"),
        (sequential, (2,), {}, r"'clip' \(SequentialLR\) cannot go to epoch 2: call step\(\)"),
        (LikeTimms, (), {}, r"LikeTimms\) demands \['epoch'\]"),
        (LikeTimms, (), {"metric": 1.0}, r"LikeTimms\) demands \['epoch'\]"),
        *(
            (plateau, (metrics,), {}, "metrics: expected a number")
            for metrics in (torch.ones(2), "x", [1.0], object())
        ),
    ],
)
def test_arguments_that_do_not_fit_move_nothing(
    make: Any, args: Any, kwargs: Any, says: str, untouched: Untouched
) -> None:
    """Arguments that do not fit are a ``TypeError``, before any member has moved."""
    sync = beside_a_curve(make)
    with untouched(sync.optimizer), pytest.raises(TypeError, match=says):
        sync.step(*args, **kwargs)
    assert sync.schedules["lr"].last_epoch == 0
    assert getattr(sync.schedules["clip"], "calls", []) == []


def test_a_metric_may_be_a_tensor_of_one_element() -> None:
    """A tensor of one element is a number for a plateau, as in torch."""
    sync = beside_a_curve(plateau)
    sync.step(torch.ones(1))
    assert sync.get_last_lr() == [0.25, 0.0625]


@pytest.mark.parametrize(
    "make",
    [put_curve, lambda p: ExponentialLR(p, 0.5), lambda p: ChainedScheduler([StepLR(p, 1)])],
)
def test_a_member_that_was_stepped_alone_is_named(make: Any, untouched: Untouched) -> None:
    """A member that was stepped alone is named at the next step, before anything moves."""
    sync = beside_a_curve(make)
    advance(sync)
    sync.schedules["clip"].step()
    says = "'clip' stands at step 2, and was left at step 1"
    with untouched(sync.optimizer), pytest.raises(RuntimeError, match=says):
        sync.step()


def test_members_keep_the_distance_they_started_with() -> None:
    """A member that stood at step 3 stays three steps ahead; the first says ``last_epoch``."""
    optimizer = two_groups()
    ahead, behind = put_curve(optimizer, "clip"), put_curve(optimizer)
    advance(ahead, 3)
    assert SynchronousSchedule([ahead, behind]).last_epoch == 3
    sync = SynchronousSchedule([behind, ahead])
    assert sync.last_epoch == 0
    advance(sync, 2)
    assert sync.get_last_schedules() == {"lr": [0.125, 0.03125], "clip": [0.125, 0.125]}


class FailsInItsThirdStep(ExponentialLR):
    def step(self, epoch: Any = None) -> None:
        if getattr(self, "last_epoch", -1) == 2:
            raise OSError("disk")
        super().step()


@pytest.mark.parametrize("torch_first", [False, True])
def test_an_exception_of_a_torch_scheduler_moves_no_schedule_of_ours(torch_first: bool) -> None:
    """Only torch schedulers that stepped before the exception have moved; the next step says so."""
    optimizer = two_groups()
    members = [
        put_curve(optimizer),
        put(optimizer, "weight_decay", lambda p: FailsInItsThirdStep(p, 0.5)),
        put_curve(optimizer, "betas[0]"),
    ]
    members.insert(0 if torch_first else 3, put(optimizer, "clip"))
    sync = SynchronousSchedule(members)
    advance(sync, 2)
    before = sync.get_last_schedules()
    optimizer.step()
    with pytest.raises(OSError, match="disk"):
        sync.step()
    moved = {"clip": [0.5, 0.5]} if torch_first else {}
    assert sync.get_last_schedules() == {**before, **moved}
    assert {name: each.last_epoch for name, each in sync.schedules.items()} == {
        name: 3 if name in moved else 2 for name in before
    }
    error, says = (RuntimeError, "'clip' stands at step 3") if torch_first else (OSError, "disk")
    with pytest.raises(error, match=says):
        sync.step()


# -- values, names and state -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("weight_deca", r"only of \['weight_decay'\]; did you mean 'weight_decay'"),
        (0, "no schedule of 0 here"),
        (None, "no schedule of None here"),
    ],
)
def test_values_are_found_by_name(name: Any, says: str) -> None:
    """Values are found by name, one per group; an unknown name is a ``KeyError`` with a hint."""
    sync = SynchronousSchedule([put_curve(two_groups(), "weight_decay")])
    assert sync.get_last_schedule("weight_decay") == [0.25, 0.0625]
    with pytest.raises(KeyError, match=says):
        sync.get_last_schedule(name)


def test_frameworks_can_read_a_synchronous_schedule_as_a_scheduler() -> None:
    """A ``SynchronousSchedule`` is an ``LRScheduler`` with the attributes frameworks read."""
    optimizer = two_groups()
    sync: Any = SynchronousSchedule([put_curve(optimizer, "clip"), put_curve(optimizer)])
    advance(sync)
    assert isinstance(sync, LRScheduler)
    assert (sync.last_epoch, sync._step_count) == (1, 2)
    assert sync.base_lrs == [0.5, 0.125]
    assert sync._last_lr == sync.get_last_lr() == sync.get_lr() == [0.25, 0.0625]
    sync._step_count += 1  # some frameworks count the steps themselves
    sync._last_lr = [1.0]  # torchtitan assigns it, which changes nothing
    assert sync._last_lr == sync.get_last_lr() == [0.25, 0.0625]


def test_tensor_values_are_copies() -> None:
    """Values that were returned as tensors do not move with the next step."""
    sync = SynchronousSchedule([put_curve(sgd(lr=torch.tensor(0.5)))])
    before = sync.get_last_lr()
    advance(sync)
    assert [float(value) for value in before] == [0.5]
    assert floats(sync.optimizer) == [0.25]


def test_the_repr_shows_optimizer_step_and_values() -> None:
    """The repr shows the optimizer, the step, and the values by name."""
    sync = SynchronousSchedule([put_curve(two_groups(), "clip")])
    assert repr(sync) == "<SynchronousSchedule on AdamW, at step 0: {'clip': [4.0, 4.0]}>"


@pytest.mark.parametrize(
    ("value", "make"),
    crossed([math.inf, -math.inf, math.nan], [put_curve, lambda p: ExponentialLR(p, 0.5)]),
)
def test_a_value_that_is_not_finite_cannot_be_saved(value: float, make: Any) -> None:
    """A state with a value that is not finite is a ``ValueError`` that names target and group."""
    sync = beside_a_curve(make)
    sync.optimizer.param_groups[1]["clip"] = value
    with pytest.raises(ValueError, match="'clip' in param group 1"):
        sync.state_dict()


class FailsToLoad(StepLR):
    error: Any = OSError

    def load_state_dict(self, state_dict: Any) -> None:
        if state_dict["last_epoch"]:
            raise self.error("torn")
        super().load_state_dict(state_dict)


@pytest.mark.parametrize("error", [OSError, KeyboardInterrupt])
def test_a_load_that_is_interrupted_changes_nothing(
    error: Any, monkeypatch: pytest.MonkeyPatch, untouched: Untouched
) -> None:
    """An interrupted load restores the groups' entries, and the attributes of every member."""
    monkeypatch.setattr(FailsToLoad, "error", error)

    def build() -> SynchronousSchedule:
        o = two_groups()
        failing = put(o, "weight_decay", lambda p: FailsToLoad(p, 1))
        return SynchronousSchedule([put(o, "clip"), put_curve(o), failing])

    moved, schedule = build(), build()
    advance(moved)
    del schedule.optimizer.param_groups[0]["initial_lr"]  # a load sets it
    state = copy.deepcopy(schedule.state_dict())
    with untouched(schedule.optimizer), pytest.raises(error, match="torn"):
        schedule.load_state_dict(moved.state_dict())
    assert schedule.state_dict() == state


# -- members with a step or a state of their own -------------------------------------------------


class PassesAnything(ReduceLROnPlateau):
    def step(self, *args: Any, **kwargs: Any) -> None:
        super().step(*args, **kwargs)


class PassesKeywords(ReduceLROnPlateau):
    def step(self, **kwargs: Any) -> None:
        super().step(**kwargs)


class PassesPositions(ReduceLROnPlateau):
    def step(self, *args: Any) -> None:
        super().step(*args)


class PassesMetricsAndPositions(ReduceLROnPlateau):
    def step(self, metrics: Any, *args: Any) -> None:  # type: ignore[override]
        super().step(metrics, *args)


@pytest.mark.parametrize(
    ("kind", "epoch"),
    crossed(
        [PassesAnything, PassesKeywords, PassesPositions, PassesMetricsAndPositions], [(), (7,)]
    ),
)
def test_a_member_that_passes_its_arguments_on_gets_all(kind: Any, epoch: Any) -> None:
    """A member that passes its arguments on gets all of them, by name or in torch's order."""
    optimizer = two_groups()
    member = kind(optimizer, factor=0.5, patience=0)
    sync = SynchronousSchedule([member, put_curve(optimizer, "clip")])
    optimizer.step()
    with pytest.raises(TypeError, match="metrics"):
        sync.step()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch deprecates the epoch argument
        sync.step(1.0, *epoch)
    assert (member.best, member.last_epoch) == (1.0, *(epoch or (1,)))
    sync.step(metrics=2.0)
    assert sync.get_last_lr() == [0.25, 0.0625]


def test_a_plateau_that_takes_other_metrics_gets_them_unchecked() -> None:
    """A subclass of a plateau scheduler can take metrics that are not a number."""

    class PicksTheLoss(ReduceLROnPlateau):
        def step(self, metrics: Any, epoch: Any = None) -> None:  # type: ignore[override]
            super().step(metrics["loss"])

    member = PicksTheLoss(two_groups())
    SynchronousSchedule([member]).step({"loss": 0.5})
    assert member.best == 0.5


class Doubling:
    """The smallest scheduler has an optimizer and a step, and counts no steps."""

    def __init__(self, optimizer: Any) -> None:
        self.optimizer = optimizer

    def step(self) -> None:
        for group in self.optimizer.param_groups:
            group["lr"] *= 2


def test_a_scheduler_that_counts_no_steps_can_be_a_member() -> None:
    """A scheduler without ``last_epoch`` steps with the others."""
    sync = beside_a_curve(Doubling)
    advance(sync)
    assert sync.get_last_schedules() == {"lr": [0.25, 0.0625], "clip": [8.0, 8.0]}


class RecordsMetrics(LRScheduler):
    """A scheduler whose ``step`` names its metrics and passes the rest on."""

    def __init__(self, optimizer: Any) -> None:
        self.seen: list[Any] = []
        super().__init__(optimizer)

    def get_lr(self) -> list[float]:
        return [group["lr"] for group in self.optimizer.param_groups]

    def step(self, metrics: Any = None, **kwargs: Any) -> None:
        self.seen.append(metrics)
        super().step(**kwargs)


class StepsThroughPartialmethod(RecordsMetrics):
    """A scheduler whose ``step`` has the signature that ``functools.partialmethod`` leaves."""

    def _step(self, flag: int, *args: Any, **kwargs: Any) -> None:
        super().step(*args, **kwargs)

    step = functools.partialmethod(_step, 1)  # type: ignore[assignment]


class StepsThroughAnAttribute(Doubling):
    """A scheduler with a ``step`` on the instance, which takes a metric."""

    def __init__(self, optimizer: Any) -> None:
        super().__init__(optimizer)
        self.seen: list[float] = []
        self.step = lambda metrics: self.seen.append(metrics)  # type: ignore[assignment, misc]


@pytest.mark.parametrize(
    "kind", [RecordsMetrics, StepsThroughPartialmethod, StepsThroughAnAttribute]
)
def test_metrics_reach_a_step_that_takes_them(kind: Any) -> None:
    """A metric reaches the member whose ``step`` takes it, and is not an epoch elsewhere."""
    sync = beside_a_curve(kind)
    sync.step(0.25)
    assert sync.schedules["clip"].seen[-1] == 0.25
    assert sync.last_epoch == 1
    assert sync.get_last_lr() == [0.25, 0.0625]


class TakesAMetricAlone(LikeTimms):
    """A scheduler whose ``step`` takes nothing but timm's ``metric``, by keyword."""

    def step(self, *, metric: Any = None) -> None:  # type: ignore[override]
        self.calls.append((None, metric))


def test_a_keyword_reaches_the_member_that_takes_it() -> None:
    """An argument that a member's ``step`` takes by keyword reaches that member alone."""
    optimizer = two_groups()
    member = TakesAMetricAlone(optimizer)
    sync = SynchronousSchedule(
        [put(optimizer, "clip", plateau), member, put_curve(optimizer, "weight_decay")]
    )
    optimizer.step()
    for metric in (0.75, None, 0.0):
        sync.step(1.0, metric=metric)
    sync.step(metrics=1.0)
    assert member.calls == [(None, 0.75), (None, None), (None, 0.0), (None, None)]
    assert sync.get_last_schedule("clip") == [0.5, 0.5]  # halved at each metric but the first
    assert sync.get_last_schedule("weight_decay") == [0.25 / 16, 0.0625 / 16]


@pytest.mark.parametrize(
    "call",
    [
        lambda sync: sync.step(3, metric=0.75),
        lambda sync: sync.step(epoch=3, metric=0.75),
        lambda sync: sync.step(metric=0.75, epoch=3),
    ],
)
def test_an_epoch_and_a_keyword_reach_their_members(call: Any) -> None:
    """A step with an epoch and timm's ``metric`` gives the latter to the member that takes it."""
    sync = beside_a_curve(LikeTimms)
    call(sync)
    assert sync.schedules["clip"].calls == [(3, 0.75)]
    assert sync.get_last_lr() == [0.5 / 8, 0.125 / 8]


@pytest.mark.parametrize(("name", "place"), crossed(["metrik", "num_updates", "args"], [0, 1, 2]))
def test_a_keyword_that_no_member_takes_moves_nothing(
    name: str, place: int, untouched: Untouched
) -> None:
    """A keyword that no member's ``step`` takes is a ``TypeError`` before anything moves."""
    optimizer = two_groups()
    member = TakesAMetricAlone(optimizer)
    schedules = [put(optimizer, "clip"), put_curve(optimizer, "weight_decay")]
    schedules.insert(place, member)
    sync = SynchronousSchedule(schedules)
    optimizer.step()
    says = f"unexpected keyword argument '{name}'"
    with untouched(optimizer), pytest.raises(TypeError, match=says):
        sync.step(metric=1.0, **{name: 2.0})
    assert member.calls == []
    sync.step(metric=1.0)
    assert sync.get_last_schedule("clip") == [2.0, 2.0]


class WaitsForAMetricBelow1(CurveSchedule):
    def step(self, metrics: float) -> None:  # type: ignore[override]
        if metrics < 1:
            super().step()


def test_a_curve_schedule_that_overrides_step_is_stepped_by_that() -> None:
    """A subclass that overrides ``step`` is stepped by its own ``step``, in a preview too."""
    optimizer = two_groups()
    sync = SynchronousSchedule(
        [WaitsForAMetricBelow1(optimizer, halving), put_curve(optimizer, "clip")]
    )
    optimizer.step()
    with pytest.raises(TypeError, match=r"'lr' \(WaitsForAMetricBelow1\) takes metrics"):
        sync.step()
    for metrics in (2.0, 0.5):
        sync.step(metrics)
    assert sync.get_last_schedules() == {"lr": [0.25, 0.0625], "clip": [1.0, 1.0]}
    seen = preview(sync, 3, metrics=[2.0, 0.5])
    assert seen.values["lr"] == [[0.25, 0.0625], [0.25, 0.0625], [0.125, 0.03125]]


class SavesANote(CurveSchedule):
    note = ""

    def state_dict(self) -> dict[str, Any]:
        return {**super().state_dict(), "note": self.note}

    def load_state_dict(self, state_dict: Any) -> None:
        entries = dict(state_dict)
        note = entries.pop("note")
        super().load_state_dict(entries)
        self.note = note


def test_a_curve_schedule_that_saves_more_loads_it() -> None:
    """A subclass that saves an entry of its own gets it back, and a state without it is refused."""

    def build() -> SynchronousSchedule:
        optimizer = two_groups()
        return SynchronousSchedule(
            [SavesANote(optimizer, halving, "weight_decay"), put_curve(optimizer)]
        )

    advanced, resumed = build(), build()
    advance(advanced)
    advanced.schedules["weight_decay"].note = "kept"
    resumed.load_state_dict(advanced.state_dict())
    assert resumed.schedules["weight_decay"].note == "kept"
    assert resumed.get_last_schedules() == advanced.get_last_schedules()
    without_note = put_curve(two_groups(), "weight_decay").state_dict()
    with pytest.raises(ValueError, match=r"'weight_decay' .*missing \['note'\]"):
        resumed.load_state_dict({**advanced.state_dict(), "weight_decay": without_note})
