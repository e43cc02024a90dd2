"""Several schedules step as one ``SynchronousSchedule``, and their values are found by name."""

from __future__ import annotations

import functools
import math
import re
import threading
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from cases import crossed
from helpers import (
    Failing,
    Untouched,
    adamw,
    add_group,
    advance,
    floats,
    halving,
    held,
    ignore_epoch_deprecation,
    plateau,
    positions,
    put,
    put_curve,
    same,
    sgd,
)
from torch.optim.lr_scheduler import (
    ChainedScheduler,
    ExponentialLR,
    LambdaLR,
    LRScheduler,
    OneCycleLR,
    ReduceLROnPlateau,
    SequentialLR,
    StepLR,
)

from tsa_core import CurveSchedule, DerivedSchedule, SynchronousSchedule, extend_optimizer, preview


def two_groups() -> torch.optim.AdamW:
    optimizer = adamw({"lr": 0.5, "weight_decay": 0.25}, {"lr": 0.125, "weight_decay": 0.0625})
    return extend_optimizer(optimizer, "clip", 4.0)


def beside_a_curve(make: Any) -> SynchronousSchedule:
    """What ``make`` builds on ``clip``, beside a curve of the learning rate; ready for a step."""
    optimizer = two_groups()
    sync = SynchronousSchedule([put_curve(optimizer), put(optimizer, "clip", make)])
    optimizer.step()
    return sync


def exponential(optimizer: Any) -> Any:
    return ExponentialLR(optimizer, 0.5)


def one_cycle(optimizer: Any, cycle_momentum: bool = True) -> Any:
    return OneCycleLR(optimizer, 1.0, total_steps=9, cycle_momentum=cycle_momentum)


def sequential(optimizer: Any) -> Any:
    return SequentialLR(optimizer, [exponential(optimizer), exponential(optimizer)], [5])


def foreign(step: Any) -> Any:
    """Make schedulers of another library: they record what ``step`` returns, and do not count."""

    def make(optimizer: Any) -> Any:
        calls: list[Any] = []

        @functools.wraps(step)  # with its signature
        def recorded(*args: Any, **kwargs: Any) -> None:
            calls.append(step(*args, **kwargs))

        return SimpleNamespace(optimizer=optimizer, calls=calls, step=recorded)

    return make


like_timms = foreign(lambda epoch, metric=None: (epoch, metric))


# -- members -----------------------------------------------------------------------------------


def test_members_are_named_by_target_and_contributed_by_inner_schedules() -> None:
    """Names are targets in the order of the list; each member of an inner schedule steps once."""
    optimizer = two_groups()
    inner = SynchronousSchedule([put(optimizer, "weight_decay", put_curve)])
    middle = SynchronousSchedule([put(optimizer, "clip"), inner])
    sync = SynchronousSchedule([middle, StepLR(optimizer, 1, 0.5), put_curve(optimizer, "eps")])
    assert sync.schedule_names == ["clip", "weight_decay", "lr", "eps"]
    assert list(sync.schedules) == sync.schedule_names
    assert sync.optimizer is optimizer
    advance(sync)
    assert sync.get_last_schedules() == {
        "clip": [2.0, 2.0],
        "weight_decay": [0.125, 0.03125],
        "lr": [0.25, 0.0625],
        "eps": [0.5e-8, 0.5e-8],
    }


TWICE = "two of them schedule"
NO_LIST = "expected a list of schedules, got"
NO_SCHEDULE = "(?s)expected schedules, got .* at position 1"


@pytest.mark.parametrize(
    ("schedules", "error", "says"),
    [
        (lambda o: [], ValueError, "at least one"),
        (lambda o: None, TypeError, f"{NO_LIST} None"),
        (lambda o: "lr", TypeError, f"{NO_LIST} 'lr'"),
        (put_curve, TypeError, f"{NO_LIST} <CurveSchedule"),
        (lambda o: [put_curve(o), 3], TypeError, r"got 3 \(int\) at position 1"),
        (lambda o: [put_curve(o), o], TypeError, NO_SCHEDULE),
        (lambda o: [put_curve(o), SimpleNamespace(optimizer=o)], TypeError, NO_SCHEDULE),
        (lambda o: [put_curve(o), SimpleNamespace(optimizer=o, step=3)], TypeError, NO_SCHEDULE),
        (lambda o: [like_timms(None)], TypeError, "^optimizer: expected a torch optimizer"),
        (lambda o: [put_curve(o), StepLR(o, 1)], RuntimeError, f"{TWICE} 'lr'"),
        (lambda o: [put(o, "clip"), put_curve(o, "clip")], RuntimeError, f"{TWICE} 'clip'"),
    ],
)
def test_invalid_members_are_refused(schedules: Any, error: Any, says: str) -> None:
    with pytest.raises(error, match=says):
        SynchronousSchedule(schedules(two_groups()))


@pytest.mark.parametrize(
    ("make", "driven", "free"),
    [
        (one_cycle, "betas[0]", "betas[1]"),
        (lambda o: put(o, "lr", one_cycle), "betas[0]", "betas[1]"),
        (lambda o: ChainedScheduler([exponential(o), one_cycle(o)]), "betas[0]", "momentum"),
        (lambda o: one_cycle(o, cycle_momentum=False), None, "betas[0]"),
        (lambda o: ChainedScheduler([exponential(o)]), None, "betas[0]"),
    ],
)
def test_momentum_is_driven_once(make: Any, driven: str | None, free: str) -> None:
    """A schedule of the momentum is refused beside a scheduler that cycles it, and only there."""

    def optimizer() -> Any:  # an entry of the user's that is called momentum is not AdamW's
        return extend_optimizer(two_groups(), "momentum", 0.5)

    if driven is not None:
        with pytest.raises(RuntimeError, match=rf"'{re.escape(driven)}' too.*cycle_momentum=False"):
            SynchronousSchedule([make(some := optimizer()), put_curve(some, driven)])
    sync = SynchronousSchedule([make(some := optimizer()), put_curve(some, free)])
    before = sync.get_last_schedule(free)
    advance(sync)
    assert sync.get_last_schedule(free) == [value * 0.5 for value in before]


def test_the_momentum_of_another_optimizer_is_free() -> None:
    cycled, other = (sgd({"clip": 1.0}, lr=0.1, momentum=0.9) for _ in range(2))
    lists = {
        "a": [one_cycle(cycled), put_curve(cycled, "clip")],
        "b": [put_curve(other, "momentum")],
    }
    for names in ("ab", "ba"):
        SynchronousSchedule({name: lists[name] for name in names})
    with pytest.raises(RuntimeError, match=r"'momentum' too.*cycle_momentum=False"):
        SynchronousSchedule([*lists["a"], put_curve(cycled, "momentum")])


@pytest.mark.parametrize(
    "make",
    [
        lambda o: SequentialLR(o, [put_curve(o, "weight_decay") for _ in range(2)], [3]),
        lambda o: ChainedScheduler([exponential(o), put_curve(o, "weight_decay")]),
        lambda o: ChainedScheduler([SequentialLR(o, [put_curve(o), put_curve(o, "clip")], [3])]),
    ],
)
@ignore_epoch_deprecation  # SequentialLR of torch < 2.9 passes a deprecated epoch
def test_a_compound_of_curves_of_another_target_is_refused(make: Any) -> None:
    # It would be named lr, and loading it would write the values of that target to lr.
    optimizer = two_groups()
    put_curve(optimizer)  # torch's SequentialLR needs an initial learning rate in the groups
    compound = make(optimizer)
    says = r"schedule of '(weight_decay|clip)' in it.* schedule_target="
    with pytest.raises(ValueError, match=says):
        SynchronousSchedule([compound])
    sync = SynchronousSchedule([ChainedScheduler([put_curve(optimizer)])])
    advance(sync)
    assert sync.get_last_schedules() == {"lr": [0.25, 0.0625]}


def test_multiples_of_absolute_values_are_doubted_once() -> None:
    """Their unit is the value that the optimizer was made with, which a schedule then replaced.

    ``test_interleavings.py`` tells when there is no such warning.
    """
    optimizer = adamw(lr=0.001)
    derived = DerivedSchedule(optimizer, same, "weight_decay")
    says = r"'weight_decay' derives from multiples of 'lr'.*\[0.001\].*write absolute=True"
    with pytest.warns(UserWarning, match=says) as caught:
        SynchronousSchedule([derived, CurveSchedule(optimizer, halving, absolute=True)])
    assert len(caught) == 1


# -- stepping ----------------------------------------------------------------------------------


@ignore_epoch_deprecation  # the test passes an epoch
@pytest.mark.parametrize(
    ("make", "epoch"), crossed([put_curve, exponential], [3, np.int64(3), torch.tensor(3)])
)
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


@ignore_epoch_deprecation  # the test passes an epoch
def test_metrics_go_to_the_members_that_take_them() -> None:
    """The first argument of ``step`` is the metric if a member takes metrics, then the epoch."""
    sync = beside_a_curve(plateau)
    sync.step(torch.ones(1))  # one element is a number for a plateau, as in torch
    assert (sync.last_epoch, sync.get_last_schedule("clip")) == (1, [4.0, 4.0])
    sync.step(metrics=8.0)
    assert sync.last_epoch == 2
    assert sync.get_last_schedules() == {"lr": [0.125, 0.03125], "clip": [2.0, 2.0]}
    sync.step(7.0, 4)
    assert sync.last_epoch == 4
    assert sync.get_last_schedules() == {"lr": [0.5**5, 0.5**7], "clip": [1.0, 1.0]}


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
        (like_timms, (), {}, r"SimpleNamespace\) demands \['epoch'\]"),
        (like_timms, (), {"metric": 1.0}, r"SimpleNamespace\) demands \['epoch'\]"),
        *(
            (plateau, (metrics,), {}, "metrics: expected a number")
            for metrics in (torch.ones(2), "x", [1.0], object())
        ),
        *(
            (like_timms, (3,), {"metric": 1.0, name: 2.0}, f"keyword argument '{name}'")
            for name in ("metrik", "num_updates", "args")
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


@pytest.mark.parametrize(
    "make", [put_curve, exponential, lambda p: ChainedScheduler([StepLR(p, 1)])]
)
def test_a_member_that_was_stepped_alone_is_named(make: Any, untouched: Untouched) -> None:
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


def test_an_exception_of_a_torch_scheduler_moves_no_schedule_of_ours() -> None:
    """Only torch schedulers that stepped before the exception have moved; the next step says so."""
    optimizer, disk = two_groups(), Failing(OSError("disk"), halving)
    members = [
        put_curve(optimizer),
        put(optimizer, "clip"),
        put(optimizer, "weight_decay", lambda p: LambdaLR(p, disk)),
        put(optimizer, "eps"),
        put_curve(optimizer, "betas[0]"),
    ]
    sync = SynchronousSchedule(members)
    advance(sync, 2)
    before = sync.get_last_schedules()
    disk.fails = True
    optimizer.step()
    with pytest.raises(OSError, match="disk"):
        sync.step()
    assert sync.get_last_schedules() == {**before, "clip": [0.5, 0.5]}
    assert [positions(sync)[i] for i in (0, 1, 3, 4)] == [2, 3, 2, 2]
    with pytest.raises(RuntimeError, match="'clip' stands at step 3"):
        sync.step()


class Unready(ExponentialLR):
    """A scheduler that raises before it moves, until its file is there."""

    file: Any = ""

    def step(self, epoch: Any = None) -> None:
        if self.file is None:
            raise OSError("no file yet")
        super().step()


def test_a_step_that_raised_before_anything_moved_can_be_made_again() -> None:
    optimizer = two_groups()
    unready = put(optimizer, "clip", lambda p: Unready(p, 0.5))
    sync = SynchronousSchedule([put_curve(optimizer), unready])
    advance(sync)
    unready.file = None
    with pytest.raises(OSError, match="no file yet"):
        sync.step()
    unready.file = "here"
    advance(sync)
    assert sync.get_last_schedules() == {"lr": [0.125, 0.03125], "clip": [1.0, 1.0]}


# -- values, names and state -------------------------------------------------------------------


def test_values_are_found_by_name() -> None:
    """Values are found by name, one per group; an unknown name is a ``KeyError`` with a hint."""
    sync = SynchronousSchedule([put_curve(two_groups(), "weight_decay")])
    assert sync.get_last_schedule("weight_decay") == [0.25, 0.0625]
    for ask in (sync.get_last_schedule, sync.schedules.__getitem__):
        with pytest.raises(KeyError, match=r"only of \['weight_decay'\]; did you mean 'weight_dec"):
            ask("weight_decai")
        for name in (0, None):
            with pytest.raises(KeyError, match=f"no schedule of {name} here"):
                ask(name)  # type: ignore[arg-type]
    assert list(sync.schedules) == ["weight_decay"]
    assert len(sync.schedules) == 1
    assert "lr" not in sync.schedules
    shown = "<SynchronousSchedule on AdamW, at step 0: {'weight_decay': [0.25, 0.0625]}>"
    assert repr(sync) == shown


def test_frameworks_can_read_a_synchronous_schedule_as_a_scheduler() -> None:
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
    sync = SynchronousSchedule([put_curve(sgd(lr=torch.tensor(0.5)))])
    before = sync.get_last_lr()
    advance(sync)
    assert [float(value) for value in before] == [0.5]
    assert floats(sync.optimizer) == [0.25]


def test_a_value_that_is_not_finite_cannot_be_saved() -> None:
    """A torch scheduler's state with such a value is a ``ValueError``, as that of a curve is."""
    sync = beside_a_curve(exponential)
    sync.optimizer.param_groups[1]["clip"] = math.inf
    with pytest.raises(ValueError, match="'clip' in param group 1"):
        sync.state_dict()


# -- members with a step or a state of their own -------------------------------------------------


class StepsThroughPartialmethod:
    """A scheduler whose ``step`` has the signature that ``functools.partialmethod`` leaves."""

    def __init__(self, optimizer: Any) -> None:
        self.optimizer = optimizer
        self.calls: list[Any] = []

    def _step(self, flag: int, metrics: Any = None, **others: Any) -> None:
        self.calls.append((metrics, others))

    step = functools.partialmethod(_step, 1)


WITH_METRICS: list[Any] = [((1.0,), {}), ((1.0, 7), {}), ((), {"metrics": 2.0})]
BY_NAME: list[Any] = [{"metrics": 1.0}, {"metrics": 1.0, "epoch": 7}, {"metrics": 2.0}]
AND_KEYWORDS: list[Any] = [(1.0, {}), (1.0, {"epoch": 7}), (2.0, {})]
timms_metric = foreign(lambda *, metric=None: metric)
# A member, the calls of the step of its SynchronousSchedule, and the member's records.
SIGNATURES: dict[str, tuple[Any, list[Any], list[Any]]] = {
    "nothing": (foreign(lambda: 0), [((), {}), ((None,), {}), ((), {"epoch": None})], [0, 0, 0]),
    "an epoch": (foreign(lambda epoch=None: epoch), [((), {}), ((3,), {})], [None, 3]),
    "anything": (
        foreign(lambda *args, **kwargs: (args, kwargs)),
        WITH_METRICS,
        [((), each) for each in BY_NAME],
    ),
    "keywords": (foreign(lambda **kwargs: kwargs), WITH_METRICS, BY_NAME),
    "positions": (foreign(lambda *args: args), WITH_METRICS, [(1.0,), (1.0, 7), (2.0,)]),
    "metrics and positions": (
        foreign(lambda metrics, *args: (metrics, args)),
        WITH_METRICS,
        [(1.0, ()), (1.0, (7,)), (2.0, ())],
    ),
    "metrics and keywords": (
        foreign(lambda metrics=None, **others: (metrics, others)),
        [*WITH_METRICS, ((), {})],
        [*AND_KEYWORDS, (None, {})],
    ),
    "through partialmethod": (StepsThroughPartialmethod, WITH_METRICS, AND_KEYWORDS),
    "an epoch and timm's metric": (
        like_timms,
        [((3,), {"metric": 0.75}), ((), {"metric": 0.5, "epoch": 4}), ((5,), {"metric": None})],
        [(3, 0.75), (4, 0.5), (5, None)],
    ),
    "timm's metric alone": (
        timms_metric,
        [((), {"metric": 0.75}), ((), {"metric": None}), ((), {"metric": 0.0}), ((), {})],
        [0.75, None, 0.0, None],
    ),
}


@ignore_epoch_deprecation  # some calls pass an epoch
@pytest.mark.parametrize("name", SIGNATURES)
def test_the_step_of_a_member_gets_what_it_takes(name: str) -> None:
    """A member gets the arguments that its ``step`` takes, and the curve beside it the epoch."""
    make, calls, gets = SIGNATURES[name]
    sync = beside_a_curve(make)
    for i, (args, kwargs) in enumerate(calls):
        before = sync.last_epoch
        sync.step(*args, **kwargs)
        assert sync.schedules["clip"].calls == gets[: i + 1]
        epoch = kwargs.get("epoch", next((each for each in args if type(each) is int), None))
        assert sync.last_epoch == (before + 1 if epoch is None else epoch)
        assert sync.get_last_lr() == [0.5 * 0.5**sync.last_epoch, 0.125 * 0.5**sync.last_epoch]


def test_a_keyword_reaches_no_other_member() -> None:
    """Metrics reach the plateau and timm's ``metric`` the member that takes it, by its name."""
    optimizer = two_groups()
    member = timms_metric(optimizer)
    sync = SynchronousSchedule([put(optimizer, "clip", plateau), member])
    optimizer.step()
    for metric in (0.75, None):
        sync.step(1.0, metric=metric)
    sync.step(metrics=1.0)
    assert member.calls == [0.75, None, None]
    assert sync.get_last_schedule("clip") == [1.0, 1.0]  # halved at each metric but the first


def test_a_plateau_that_takes_other_metrics_gets_them_unchecked() -> None:
    """A subclass of a plateau scheduler can take metrics that are not a number."""

    class PicksTheLoss(ReduceLROnPlateau):
        def step(self, metrics: Any, epoch: Any = None) -> None:  # type: ignore[override]
            super().step(metrics["loss"])

    member = PicksTheLoss(two_groups())
    SynchronousSchedule([member]).step({"loss": 0.5})
    assert member.best == 0.5


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
        self.note = entries.pop("note")
        super().load_state_dict(entries)


def test_a_curve_schedule_that_saves_more_loads_it() -> None:
    """A subclass that saves an entry of its own gets it back, and a state without it is refused."""
    saved, resumed = (SynchronousSchedule([SavesANote(sgd(), halving)]) for _ in range(2))
    advance(saved)
    saved.schedules["lr"].note = "kept"
    resumed.load_state_dict(saved.state_dict())
    assert resumed.schedules["lr"].note == "kept"
    assert resumed.get_last_lr() == [0.25]
    with pytest.raises(ValueError, match=r"'lr' .*missing \['note'\]"):
        resumed.load_state_dict({"lr": put_curve(sgd()).state_dict()})


# -- values_at, which test_clocks.py asks at any time in any run ---------------------------------


def test_the_values_ahead_are_those_of_the_run() -> None:
    """Tensors round the sources, groups join and are left alone: a step gives the same values."""
    lr = torch.tensor(0.3, dtype=torch.float16)
    optimizer = adamw({"name": "a"}, {"name": "b", "lr": 0.1, "eps": None}, lr=lr)
    derived = DerivedSchedule(
        optimizer, lambda lr: lr / 3, "eps", absolute=True, where=lambda g: g.get("name") != "b"
    )
    sync = SynchronousSchedule([derived, CurveSchedule(optimizer, lambda t: 1 / (1 + t))])
    advance(sync)
    add_group(optimizer, lr=0.7)
    for t in (2, 5, 5.5):
        ahead = sync.values_at(t)
        assert ahead["eps"][1] is None
        sync.step(t)
        assert sync.get_last_schedule("eps") == ahead["eps"]
        assert [float(each) for each in held(optimizer)] == [
            torch.tensor(ahead["lr"][0], dtype=torch.float16).item(),
            *ahead["lr"][1:],
        ]
    for t, error in ((-1, ValueError), (math.nan, ValueError), ("3", TypeError), (True, TypeError)):
        with pytest.raises(error, match=r"^t: .*a step, 0 or later"):
            sync.values_at(t)


def test_another_thread_can_read_while_the_run_steps() -> None:
    """A reader changes nothing that a step needs, also where groups join."""
    optimizer = adamw({"lr": 0.5}, {"lr": 2.0})
    members = [DerivedSchedule(optimizer, same, "weight_decay"), put_curve(optimizer)]
    sync = SynchronousSchedule(members)
    done = threading.Event()

    def read() -> None:
        while not done.is_set():
            assert sync.values_at(1)["lr"][:2] == [0.25, 1.0]

    with ThreadPoolExecutor() as pool:
        reading = pool.submit(read)
        try:
            for i in range(300):
                if i % 100 == 50:
                    add_group(optimizer, lr=0.5)
                advance(sync)
        finally:
            done.set()
    reading.result()  # raises what the reader raised
    assert sync.get_last_lr()[:2] == [0.5 * 0.5**300, 2.0 * 0.5**300]
