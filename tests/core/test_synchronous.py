"""Many schedules step as one, and are asked by name."""

from __future__ import annotations

import copy
import functools
import warnings
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import Parameter
from torch.optim.lr_scheduler import (
    ChainedScheduler,
    ExponentialLR,
    LRScheduler,
    OneCycleLR,
    ReduceLROnPlateau,
    SequentialLR,
    StepLR,
)

import tsa_core


def adamw() -> torch.optim.AdamW:
    groups = [
        {"params": [Parameter(torch.ones(1))], "lr": lr, "weight_decay": wd}
        for lr, wd in ((0.5, 0.25), (0.125, 0.0625))
    ]
    optimizer = torch.optim.AdamW(groups)
    tsa_core.extend_optimizer(optimizer, "clip", 4.0)
    return optimizer


def halving(t: float) -> float:
    return 0.5**t


def curve(optimizer: Any, target: str = "lr") -> Any:
    return tsa_core.CurveSchedule(optimizer, halving, target)


def put(optimizer: Any, target: str, make: Any = lambda proxy: ExponentialLR(proxy, 0.5)) -> Any:
    return tsa_core.arbitrary_schedule_factory(optimizer, make, schedule_target=target)


def plateau(proxy: Any) -> Any:
    return ReduceLROnPlateau(proxy, factor=0.5, patience=0)


def held(optimizer: Any) -> list[tuple[Any, ...]]:
    return [(g["lr"], g["weight_decay"], g["clip"], g["betas"]) for g in optimizer.param_groups]


# -- members -----------------------------------------------------------------------------------


def test_members_are_named_by_target() -> None:
    """A plain torch scheduler is lr; the order is the one given."""
    optimizer = adamw()
    sync = tsa_core.SynchronousSchedule(
        [put(optimizer, "clip"), StepLR(optimizer, 1), curve(optimizer, "betas[0]")]
    )
    assert sync.schedule_names == ["clip", "lr", "betas[0]"]
    assert list(sync.schedules) == sync.schedule_names
    assert sync.optimizer is optimizer


def test_a_curve_on_a_proxy_is_named_by_the_proxys_target() -> None:
    """It drives the proxy's lr, which is the target."""
    optimizer = adamw()
    sync = tsa_core.SynchronousSchedule([put(optimizer, "clip", curve)])
    assert sync.schedule_names == ["clip"]


def test_a_synchronous_schedule_contributes_its_members() -> None:
    """Nested to any depth, they step once each."""
    optimizer = adamw()
    inner = tsa_core.SynchronousSchedule([curve(optimizer, "weight_decay")])
    middle = tsa_core.SynchronousSchedule([put(optimizer, "clip"), inner])
    sync = tsa_core.SynchronousSchedule([middle, curve(optimizer)])
    assert sync.schedule_names == ["clip", "weight_decay", "lr"]
    optimizer.step()
    sync.step()
    assert held(optimizer) == [
        (0.25, 0.125, 2.0, (0.9, 0.999)),
        (0.0625, 0.03125, 2.0, (0.9, 0.999)),
    ]


@pytest.mark.parametrize(
    ("schedules", "error", "says"),
    [
        (lambda o: [], ValueError, "at least one"),
        (lambda o: None, TypeError, "expected a list of schedules, got None"),
        (lambda o: "lr", TypeError, "expected a list of schedules, got 'lr'"),
        (lambda o: curve(o), TypeError, "expected a list of schedules, got <CurveSchedule"),
        (lambda o: [curve(o), 3], TypeError, r"got 3 \(int\) at position 1"),
        (
            lambda o: [curve(o), curve(adamw(), "clip")],
            ValueError,
            "'clip' is on another optimizer",
        ),
        (lambda o: [curve(o), StepLR(o, 1)], RuntimeError, "two of them schedule 'lr'"),
        (lambda o: [put(o, "clip"), curve(o, "clip")], RuntimeError, "two of them schedule 'clip'"),
    ],
)
def test_members_that_cannot_be(schedules: Any, error: Any, says: str) -> None:
    """At least one, all of one optimizer, each target once."""
    with pytest.raises(error, match=says):
        tsa_core.SynchronousSchedule(schedules(adamw()))


def one_cycle(optimizer: Any, cycle_momentum: bool = True) -> Any:
    return OneCycleLR(optimizer, 1.0, total_steps=9, cycle_momentum=cycle_momentum)


@pytest.mark.parametrize(
    "make",
    [
        one_cycle,
        lambda o: put(o, "lr", one_cycle),
        lambda o: ChainedScheduler([ExponentialLR(o, 0.9), one_cycle(o)]),
    ],
)
def test_momentum_is_driven_once(make: Any) -> None:
    """OneCycleLR drives Adam's first beta, unless told not to; then it has room for a schedule."""
    optimizer = adamw()
    with pytest.raises(RuntimeError, match=r"'betas\[0\]' too.*cycle_momentum=False"):
        tsa_core.SynchronousSchedule([make(optimizer), curve(optimizer, "betas[0]")])
    optimizer = adamw()
    tsa_core.SynchronousSchedule([make(optimizer), curve(optimizer, "betas[1]")])
    optimizer = adamw()
    sync = tsa_core.SynchronousSchedule(
        [one_cycle(optimizer, cycle_momentum=False), curve(optimizer, "betas[0]")]
    )
    assert sync.schedules["betas[0]"].base_lrs == [0.9, 0.9]
    optimizer = adamw()
    chained = ChainedScheduler([ExponentialLR(optimizer, 0.9)])
    sync = tsa_core.SynchronousSchedule([chained, curve(optimizer, "betas[0]")])
    assert sync.schedule_names == ["lr", "betas[0]"]


def test_momentum_is_driven_once_in_sgd_too() -> None:
    """Where it is an entry of its own."""
    optimizer = torch.optim.SGD([Parameter(torch.ones(1))], lr=0.1, momentum=0.9)
    with pytest.raises(RuntimeError, match=r"'momentum' too.*cycle_momentum=False"):
        tsa_core.SynchronousSchedule([one_cycle(optimizer), curve(optimizer, "momentum")])


class Passing(ReduceLROnPlateau):
    """Somebody's subclass, which says nothing of what it takes."""

    def step(self, *args: Any, **kwargs: Any) -> None:
        super().step(*args, **kwargs)


class PassingNames(ReduceLROnPlateau):
    def step(self, **kwargs: Any) -> None:
        super().step(**kwargs)


@pytest.mark.parametrize("kind", [Passing, PassingNames])
def test_a_member_that_passes_its_arguments_on(kind: Any) -> None:
    """It takes what the class takes that it passes them to."""
    optimizer = adamw()
    sync = tsa_core.SynchronousSchedule(
        [put(optimizer, "clip", lambda proxy: kind(proxy, factor=0.5, patience=0))]
    )
    with pytest.raises(TypeError, match=r"'clip'.*takes metrics"):
        sync.step()
    sync.step(1.0)
    sync.step(metrics=2.0)
    assert sync.get_last_schedule("clip") == [2.0, 2.0]


# -- stepping ----------------------------------------------------------------------------------


def test_members_step_in_lock_step() -> None:
    """One call moves every target by one step of its own schedule."""
    optimizer = adamw()
    sync = tsa_core.SynchronousSchedule(
        [curve(optimizer), put(optimizer, "weight_decay"), put(optimizer, "clip", plateau)]
    )
    for t in range(1, 5):
        optimizer.step()
        sync.step(float(t))
        assert sync.last_epoch == t
    assert sync.get_last_schedules() == {
        "lr": [0.5**5, 0.5**7],
        "weight_decay": [0.5**6, 0.5**8],
        "clip": [0.5, 0.5],  # the first metric is the best; three more reduce it
    }


def test_step_to_an_epoch() -> None:
    """An epoch reaches every member that takes one."""
    optimizer = adamw()
    sync = tsa_core.SynchronousSchedule([curve(optimizer), curve(optimizer, "clip")])
    optimizer.step()
    sync.step(3)
    assert sync.get_last_schedules() == {"lr": [0.5**4, 0.5**6], "clip": [0.5, 0.5]}
    sync.step(epoch=1)
    assert sync.get_last_schedule("clip") == [2.0, 2.0]
    sync.step()
    assert sync.get_last_schedule("clip") == [1.0, 1.0]


@pytest.mark.filterwarnings("ignore:The epoch parameter in `scheduler.step:UserWarning")  # asked
@pytest.mark.parametrize("epoch", [np.int64(3), torch.tensor(3)])
def test_an_epoch_is_a_number_of_pythons(epoch: Any) -> None:
    """Torch's members would keep what they are given, which no checkpoint could hold."""
    optimizer = adamw()
    sync = tsa_core.SynchronousSchedule(
        [put(optimizer, "clip", lambda proxy: StepLR(proxy, 2, 0.5)), curve(optimizer)]
    )
    optimizer.step()
    sync.step(epoch)
    assert [type(m.last_epoch) for m in sync.schedules.values()] == [int, int]
    assert sync.get_last_schedule("clip") == [2.0, 2.0]


@pytest.mark.filterwarnings("ignore:The epoch parameter in `scheduler.step:UserWarning")  # asked
def test_an_epoch_reaches_torchs_members_too() -> None:
    """As torch passes it on."""
    optimizer = adamw()
    sync = tsa_core.SynchronousSchedule([curve(optimizer), put(optimizer, "clip")])
    optimizer.step()
    sync.step(2)
    assert sync.get_last_schedule("clip") == [1.0, 1.0]


@pytest.mark.parametrize("call", [lambda s, m: s.step(m), lambda s, m: s.step(metrics=m)])
def test_metrics_go_to_the_members_that_take_them(call: Any) -> None:
    """By position or by keyword; a lone positional argument is the metric, never an epoch."""
    optimizer = adamw()
    sync = tsa_core.SynchronousSchedule([curve(optimizer), put(optimizer, "clip", plateau)])
    optimizer.step()
    call(sync, 7.0)
    call(sync, 8.0)
    assert sync.last_epoch == 2
    assert sync.get_last_schedules() == {"lr": [0.125, 0.03125], "clip": [2.0, 2.0]}


@pytest.mark.filterwarnings("ignore:The epoch parameter in `scheduler.step:UserWarning")  # asked
def test_metrics_and_an_epoch() -> None:
    """In ReduceLROnPlateau's own order."""
    optimizer = adamw()
    sync = tsa_core.SynchronousSchedule([curve(optimizer), put(optimizer, "clip", plateau)])
    optimizer.step()
    sync.step(7.0, 4)
    assert (sync.last_epoch, sync.get_last_lr()) == (4, [0.5**5, 0.5**7])


def sequential(proxy: Any) -> Any:
    return SequentialLR(proxy, [ExponentialLR(proxy, 0.5), ExponentialLR(proxy, 0.9)], [5])


@pytest.mark.parametrize(
    ("make", "args", "kwargs", "says"),
    [
        (plateau, (), {}, r"'clip' \(ReduceLROnPlateau\) takes metrics: call step\(metrics\)"),
        (plateau, (), {"epoch": 3}, r"'clip' \(ReduceLROnPlateau\) takes metrics"),
        (plateau, (1.0, 2, 3), {}, r"too many positional arguments; .*metrics of \['clip'\]"),
        (plateau, (1.0,), {"metrics": 1.0}, "multiple values for argument 'metrics'"),
        (curve, (), {"metrics": 1.0}, "keyword argument 'metrics'; .* none takes metrics"),
        (curve, (1, 2), {}, "too many positional arguments"),
        (curve, (), {"step": 2}, "unexpected keyword argument 'step'"),
        (curve, ("x",), {}, "epoch: 'x'"),
        (sequential, (2,), {}, r"'clip' \(SequentialLR\) cannot go to epoch 2: call step\(\)"),
    ],
)
def test_arguments_that_do_not_fit_move_nothing(
    make: Any, args: Any, kwargs: Any, says: str
) -> None:
    """Python's TypeError, before any member has moved."""
    optimizer = adamw()
    sync = tsa_core.SynchronousSchedule([curve(optimizer), put(optimizer, "clip", make)])
    optimizer.step()
    before = held(optimizer)
    with pytest.raises(TypeError, match=says):
        sync.step(*args, **kwargs)
    assert held(optimizer) == before
    assert [member.last_epoch for member in sync.schedules.values()] == [0, 0]


@pytest.mark.parametrize(
    "make", [curve, lambda p: ExponentialLR(p, 0.5), lambda p: ChainedScheduler([StepLR(p, 1)])]
)
def test_a_member_stepped_from_outside_is_found_out(make: Any) -> None:
    """At the next step, by name, before anything moves."""
    optimizer = adamw()
    sync = tsa_core.SynchronousSchedule([curve(optimizer), put(optimizer, "clip", make)])
    optimizer.step()
    sync.step()
    sync.schedules["clip"].step()
    before = held(optimizer)
    with pytest.raises(RuntimeError, match="'clip' stands at step 2, and was left at step 1"):
        sync.step()
    assert held(optimizer) == before


def test_members_keep_the_distance_they_started_with() -> None:
    """A member that stood at step 3 when it came in stays three steps ahead."""
    optimizer = adamw()
    ahead = curve(optimizer, "clip")
    optimizer.step()
    for _ in range(3):
        ahead.step()
    sync = tsa_core.SynchronousSchedule([curve(optimizer), ahead])
    for _ in range(2):
        optimizer.step()
        sync.step()
    assert sync.get_last_schedules() == {"lr": [0.125, 0.03125], "clip": [0.125, 0.125]}


class Failing(ExponentialLR):
    """Raises in its third step."""

    def step(self, epoch: Any = None) -> None:
        if getattr(self, "last_epoch", -1) == 2:
            raise OSError("disk")
        super().step()


def test_a_members_exception_leaves_every_curve_where_it_was() -> None:
    """And every member that was to come; also those listed before the one that raised."""
    optimizer = adamw()
    sync = tsa_core.SynchronousSchedule(
        [
            curve(optimizer),
            put(optimizer, "weight_decay", lambda p: Failing(p, 0.5)),
            put(optimizer, "clip"),
            curve(optimizer, "betas[0]"),
        ]
    )
    for _ in range(2):
        optimizer.step()
        sync.step()
    before = held(optimizer)
    optimizer.step()
    with pytest.raises(OSError, match="disk"):
        sync.step()
    assert held(optimizer) == before
    assert [member.last_epoch for member in sync.schedules.values()] == [2, 2, 2, 2]


def test_a_curve_that_fails_moves_nothing() -> None:
    """Not even the torch schedulers listed before it: every λ is asked first."""
    optimizer = adamw()
    nan_at_2 = tsa_core.CurveSchedule(
        optimizer, lambda t: float("nan") if t == 2 else 1.0, "betas[0]"
    )
    sync = tsa_core.SynchronousSchedule([put(optimizer, "clip"), curve(optimizer), nan_at_2])
    optimizer.step()
    sync.step()
    before = held(optimizer)
    with pytest.raises(ValueError, match=r"'betas\[0\]' at step 2: nan"):
        sync.step()
    assert held(optimizer) == before
    assert [member.last_epoch for member in sync.schedules.values()] == [1, 1, 1]


# -- what is asked of it -----------------------------------------------------------------------


def test_values_by_name() -> None:
    """One a group; an unknown name is a KeyError that lists the known ones."""
    optimizer = adamw()
    sync = tsa_core.SynchronousSchedule([curve(optimizer, "weight_decay")])
    assert sync.get_last_schedule("weight_decay") == [0.25, 0.0625]
    with pytest.raises(KeyError, match=r"only of \['weight_decay'\]; did you mean 'weight_decay'"):
        sync.get_last_schedule("weight_deca")


def test_learning_rates_where_none_is_scheduled() -> None:
    """The optimizer's present ones, moved by whatever moves them."""
    optimizer = adamw()
    sync = tsa_core.SynchronousSchedule([curve(optimizer, "clip")])
    optimizer.param_groups[1]["lr"] = 0.75
    assert sync.get_last_lr() == [0.5, 0.75]


def test_what_frameworks_read_on_a_scheduler() -> None:
    """It is an LRScheduler to isinstance and to the attributes they know."""
    optimizer = adamw()
    sync: Any = tsa_core.SynchronousSchedule([curve(optimizer, "clip"), curve(optimizer)])
    optimizer.step()
    sync.step()
    assert isinstance(sync, LRScheduler)
    assert (sync.last_epoch, sync._step_count) == (1, 2)
    assert sync.base_lrs == [0.5, 0.125]
    assert sync._last_lr == sync.get_last_lr() == sync.get_lr() == [0.25, 0.0625]
    sync._step_count += 1  # some count for it


def test_tensor_values_are_copies() -> None:
    """What is returned does not move with the next step."""
    optimizer = torch.optim.SGD([Parameter(torch.ones(1))], lr=torch.tensor(0.5))
    sync = tsa_core.SynchronousSchedule([curve(optimizer)])
    before = sync.get_last_lr()
    optimizer.step()
    sync.step()
    assert [float(value) for value in before] == [0.5]


def test_its_repr_says_what_it_schedules_on_what_and_where_it_stands() -> None:
    """Optimizer, step, and the values by name."""
    sync = tsa_core.SynchronousSchedule([curve(adamw(), "clip")])
    assert repr(sync) == "<SynchronousSchedule on AdamW, at step 0: {'clip': [4.0, 4.0]}>"


def test_state_is_a_dict_by_name() -> None:
    """The member's own state under its name."""
    optimizer = adamw()
    members = {"clip": put(optimizer, "clip"), "lr": curve(optimizer)}
    sync = tsa_core.SynchronousSchedule(members.values())
    assert sync.state_dict() == {name: m.state_dict() for name, m in members.items()}


def test_after_loading_it_counts_from_what_was_loaded() -> None:
    """Loading through it is not a step from outside."""
    optimizer = adamw()
    sync = tsa_core.SynchronousSchedule([curve(optimizer), put(optimizer, "clip")])
    for _ in range(3):
        optimizer.step()
        sync.step()
    state = copy.deepcopy(sync.state_dict())
    fresh = adamw()
    again = tsa_core.SynchronousSchedule([curve(fresh), put(fresh, "clip")])
    again.load_state_dict(state)
    fresh.step()
    again.step()
    assert again.get_last_schedules() == {"lr": [0.5**5, 0.5**7], "clip": [0.25, 0.25]}


# -- what a member may be -----------------------------------------------------------------------


@pytest.mark.parametrize(("args", "kwargs"), [((None,), {}), ((), {"epoch": None})])
def test_none_is_no_epoch(args: Any, kwargs: Any) -> None:
    """As in torch's own steps, also where a member takes no epoch."""
    optimizer = adamw()
    sync = tsa_core.SynchronousSchedule([curve(optimizer), put(optimizer, "clip", sequential)])
    optimizer.step()
    sync.step(*args, **kwargs)
    assert sync.get_last_schedule("clip") == [2.0, 2.0]


@pytest.mark.parametrize("name", [0, None])
def test_a_name_that_is_no_string_is_a_key_error(name: Any) -> None:
    """As is any name that no member has."""
    with pytest.raises(KeyError, match=f"no schedule of {name!r} here"):
        tsa_core.SynchronousSchedule([curve(adamw())]).get_last_schedule(name)


def test_it_stands_where_its_first_member_stands() -> None:
    """Members that started apart stay apart; ``last_epoch`` is the first one's."""
    optimizer = adamw()
    ahead, behind = curve(optimizer, "clip"), curve(optimizer)
    optimizer.step()
    ahead.step(3)
    assert tsa_core.SynchronousSchedule([ahead, behind]).last_epoch == 3
    assert tsa_core.SynchronousSchedule([behind, ahead]).last_epoch == 0


@pytest.mark.parametrize(
    "make",
    [
        lambda o: o,
        lambda o: SimpleNamespace(optimizer=o),
        lambda o: SimpleNamespace(optimizer=o, step=3),
    ],
)
def test_half_a_schedule_is_none(make: Any) -> None:
    """An optimizer has a step, other things an optimizer; a schedule has both."""
    optimizer = adamw()
    with pytest.raises(TypeError, match=r"(?s)expected schedules, got .* at position 1"):
        tsa_core.SynchronousSchedule([curve(optimizer), make(optimizer)])


class Doubling:
    """All that a scheduler must have: an optimizer and a step."""

    def __init__(self, optimizer: Any) -> None:
        self.optimizer = optimizer

    def step(self) -> None:
        for group in self.optimizer.param_groups:
            group["lr"] *= 2


def test_a_scheduler_that_counts_no_steps() -> None:
    """It is stepped along; nobody can tell where it stands."""
    optimizer = adamw()
    sync = tsa_core.SynchronousSchedule([curve(optimizer), put(optimizer, "clip", Doubling)])
    optimizer.step()
    sync.step()
    assert sync.get_last_schedules() == {"lr": [0.25, 0.0625], "clip": [8.0, 8.0]}


class Remembering(ExponentialLR):
    """Keeps a list of its own, in place."""

    def __init__(self, optimizer: Any) -> None:
        self.seen: list[int] = []
        super().__init__(optimizer, 0.5)

    def step(self, epoch: Any = None) -> None:
        super().step()
        self.seen.append(self.last_epoch)

    def load_state_dict(self, state_dict: Any) -> None:
        self.seen[:] = state_dict.pop("seen")
        super().load_state_dict(state_dict)


class Torn(StepLR):
    error: Any = OSError

    def load_state_dict(self, state_dict: Any) -> None:
        if state_dict["last_epoch"]:
            raise self.error("torn")
        super().load_state_dict(state_dict)


@pytest.mark.parametrize("error", [OSError, KeyboardInterrupt])
def test_whatever_stops_a_load_all_is_put_back(error: Any, monkeypatch: Any) -> None:
    """Also what a member holds in a list that it changes in place."""
    monkeypatch.setattr(Torn, "error", error)

    def build() -> tsa_core.SynchronousSchedule:
        o = adamw()
        torn = put(o, "weight_decay", lambda p: Torn(p, 1))
        return tsa_core.SynchronousSchedule([put(o, "clip", Remembering), curve(o), torn])

    moved, schedule = build(), build()
    moved.optimizer.step()
    moved.step()
    before = held(schedule.optimizer), copy.deepcopy(schedule.state_dict())
    with pytest.raises(error, match="torn"):
        schedule.load_state_dict(moved.state_dict())
    assert (held(schedule.optimizer), schedule.state_dict()) == before


class Naming(LRScheduler):
    """Somebody's own, which names its metrics and passes the rest on."""

    def __init__(self, optimizer: Any) -> None:
        self.seen: list[Any] = []
        super().__init__(optimizer)

    def get_lr(self) -> list[float]:
        return [group["lr"] for group in self.optimizer.param_groups]

    def step(self, metrics: Any = None, **kwargs: Any) -> None:
        self.seen.append(metrics)
        super().step(**kwargs)


class Partial(Naming):
    """Its step is no plain function."""

    def _step(self, flag: int, *args: Any, **kwargs: Any) -> None:
        super().step(*args, **kwargs)

    step = functools.partialmethod(_step, 1)  # type: ignore[assignment]


def test_what_the_nearest_step_names_it_takes() -> None:
    """The metric reaches it, and is no epoch to the others."""
    optimizer = adamw()
    sync = tsa_core.SynchronousSchedule([Naming(optimizer), curve(optimizer, "clip")])
    optimizer.step()
    sync.step(0.25)
    assert sync.schedules["lr"].seen[-1] == 0.25
    assert sync.get_last_schedule("clip") == [2.0, 2.0]


def test_a_step_that_is_no_plain_function() -> None:
    """It takes what its signature says."""
    optimizer = adamw()
    sync = tsa_core.SynchronousSchedule([Partial(optimizer), curve(optimizer, "clip")])
    optimizer.step()
    sync.step()
    assert sync.last_epoch == 1
    assert sync.get_last_schedule("clip") == [2.0, 2.0]


def test_a_step_that_the_object_has_for_itself() -> None:
    """It takes what that one says, whatever its class has."""
    optimizer = adamw()
    seen: list[float] = []
    member = Doubling(optimizer)
    member.step = lambda metrics: seen.append(metrics)  # type: ignore[assignment, misc]
    sync = tsa_core.SynchronousSchedule([member, curve(optimizer, "clip")])
    optimizer.step()
    sync.step(0.25)
    assert (seen, sync.get_last_schedule("clip")) == ([0.25], [2.0, 2.0])


def test_an_entry_that_is_only_called_momentum() -> None:
    """AdamW's is its first beta; the user's own may go with a OneCycleLR that cycles that."""
    optimizer = tsa_core.extend_optimizer(adamw(), "momentum", 0.5)
    sync = tsa_core.SynchronousSchedule([one_cycle(optimizer), curve(optimizer, "momentum")])
    optimizer.step()
    sync.step()
    assert sync.get_last_schedule("momentum") == [0.25, 0.25]


# -- members with methods of their own -----------------------------------------------------------


class Watching(tsa_core.CurveSchedule):
    """Demands a metric, and stays where it is while that is large."""

    def step(self, metrics: float) -> None:  # type: ignore[override]
        if metrics < 1:
            super().step()


class Noting(tsa_core.CurveSchedule):
    """Saves an entry of its own."""

    note = ""

    def state_dict(self) -> dict[str, Any]:
        return {**super().state_dict(), "note": self.note}

    def load_state_dict(self, state_dict: Any) -> None:
        entries = dict(state_dict)
        note = entries.pop("note")
        super().load_state_dict(entries)
        self.note = note


def test_a_member_steps_as_it_defines_it() -> None:
    """A subclass that overrides ``step`` is stepped by that, and gets what it asks for."""
    optimizer = adamw()
    sync = tsa_core.SynchronousSchedule([Watching(optimizer, halving), curve(optimizer, "clip")])
    optimizer.step()
    with pytest.raises(TypeError, match=r"'lr' \(Watching\) takes metrics"):
        sync.step()
    for metrics in (2.0, 0.5):
        sync.step(metrics)
    assert sync.get_last_schedules() == {"lr": [0.25, 0.0625], "clip": [1.0, 1.0]}
    seen = tsa_core.preview(sync, 3, metrics=[2.0, 0.5])
    assert seen.values["lr"] == [[0.25, 0.0625], [0.25, 0.0625], [0.125, 0.03125]]


def test_a_member_loads_as_it_defines_it() -> None:
    """A subclass that saves more gets it back, and no other target has moved."""
    old, new = adamw(), adamw()
    saved = Noting(old, halving, "weight_decay")
    advanced = tsa_core.SynchronousSchedule([saved, curve(old)])
    old.step()
    advanced.step()
    saved.note = "kept"
    resumed = Noting(new, halving, "weight_decay")
    sync = tsa_core.SynchronousSchedule([resumed, curve(new)])
    sync.load_state_dict(advanced.state_dict())
    assert resumed.note == "kept"
    assert held(new) == held(old)
    with pytest.raises(ValueError, match=r"'weight_decay' .*missing \['note'\]"):
        sync.load_state_dict(
            {**sync.state_dict(), "weight_decay": curve(adamw(), "weight_decay").state_dict()}
        )


# -- what would go wrong later -------------------------------------------------------------------


@pytest.mark.parametrize(
    "make",
    [
        lambda o: SequentialLR(o, [curve(o, "weight_decay"), curve(o, "weight_decay")], [3]),
        lambda o: ChainedScheduler([ExponentialLR(o, 0.5), curve(o, "weight_decay")]),
        lambda o: ChainedScheduler([SequentialLR(o, [curve(o), curve(o, "clip")], [3])]),
    ],
)
@pytest.mark.filterwarnings("ignore:The epoch parameter in `scheduler.step:UserWarning")  # < 2.9
def test_a_compound_of_another_target_on_the_optimizer_itself(make: Any) -> None:
    """It would go by the name of the learning rate, which loading it would overwrite."""
    optimizer = adamw()
    curve(optimizer)  # torch's SequentialLR asks for an initial learning rate
    compound = make(optimizer)
    with pytest.raises(
        ValueError, match=r"schedule of '(weight_decay|clip)' in it.* schedule_target="
    ):
        tsa_core.SynchronousSchedule([compound])


def test_a_compound_of_curves_of_the_learning_rate() -> None:
    """Is one of the learning rate."""
    optimizer = adamw()
    sync = tsa_core.SynchronousSchedule([ChainedScheduler([curve(optimizer)])])
    optimizer.step()
    sync.step()
    assert sync.get_last_schedules() == {"lr": [0.25, 0.0625]}


@pytest.mark.parametrize("name", ["lr", "weight_decay"])
def test_members_that_are_replaced(name: str) -> None:
    """The dict of the members is there to look at; what is put into it is found out."""
    optimizer = adamw()
    sync = tsa_core.SynchronousSchedule([curve(optimizer), curve(optimizer, "clip")])
    sync.schedules[name] = ExponentialLR(optimizer, 0.5)
    optimizer.step()
    before = held(optimizer)
    with pytest.raises(RuntimeError, match=f"schedules: .*{name}.* build a new Synchronous"):
        sync.step()
    assert held(optimizer) == before


@pytest.mark.parametrize("metrics", [torch.ones(2), "x", [1.0], object()])
def test_metrics_that_are_no_number(metrics: Any) -> None:
    """Found out before the members that come first have moved, so that the call can be mended."""
    optimizer = adamw()
    sync = tsa_core.SynchronousSchedule(
        [ExponentialLR(optimizer, 0.5), put(optimizer, "weight_decay", plateau)]
    )
    optimizer.step()
    before = held(optimizer)
    with pytest.raises(TypeError, match="metrics: expected a number"):
        sync.step(metrics)
    assert held(optimizer) == before
    sync.step(torch.ones(1))
    assert sync.get_last_lr() == [0.25, 0.0625]


@pytest.mark.parametrize("epoch", [(), (7,)])
def test_a_member_that_passes_on_by_position(epoch: tuple[int, ...]) -> None:
    """What has no names for them gets them in torch's order."""

    class PassingOn(ReduceLROnPlateau):
        def step(self, *args: Any) -> None:
            super().step(*args)

    optimizer = adamw()
    member = PassingOn(optimizer, factor=0.5, patience=0)
    sync = tsa_core.SynchronousSchedule([member, curve(optimizer, "clip")])
    optimizer.step()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's, about the epoch
        sync.step(1.0, *epoch)
    assert (member.best, member.last_epoch) == (1.0, *(epoch or (1,)))


def test_metrics_of_a_plateau_that_takes_others() -> None:
    """A subclass knows what it makes of them."""

    class Picking(ReduceLROnPlateau):
        def step(self, metrics: Any, epoch: Any = None) -> None:  # type: ignore[override]
            super().step(metrics["loss"])

    optimizer = adamw()
    member = Picking(optimizer)
    optimizer.step()
    tsa_core.SynchronousSchedule([member]).step({"loss": 0.5})
    assert member.best == 0.5


def test_a_member_that_names_only_some() -> None:
    """The rest comes by position too."""

    class Half(ReduceLROnPlateau):
        def step(self, metrics: Any, *args: Any) -> None:  # type: ignore[override]
            super().step(metrics, *args)

    optimizer = adamw()
    member = Half(optimizer)
    optimizer.step()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's, about the epoch
        tsa_core.SynchronousSchedule([member]).step(0.5, 7)
    assert (member.best, member.last_epoch) == (0.5, 7)
