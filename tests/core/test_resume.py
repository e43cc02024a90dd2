"""A run that is stopped and resumed gives the values of a run that is not stopped."""

from __future__ import annotations

import copy
import json
import math
import warnings
from collections.abc import Callable
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest
import torch
from cases import crossed, some
from helpers import (
    adamw,
    add_group,
    advance,
    halving,
    held,
    ignore_epoch_deprecation,
    plateau_takes_groups,
    put,
    put_curve,
    sgd,
)
from target_helpers import KINDS, adamw_with, through_torch_save
from torch.optim.lr_scheduler import (
    CosineAnnealingWarmRestarts,
    CyclicLR,
    LambdaLR,
    MultiStepLR,
    OneCycleLR,
    ReduceLROnPlateau,
    SequentialLR,
    StepLR,
)
from torch_schedulers import (
    SCHEDULERS,
    TORCH,
    each_scheduler,
    factor,
    ignore_order_when_nested,
)

import tsa_core

pytestmark = ignore_epoch_deprecation
STEPS = 60


def new_optimizer(as_kind: Any = float) -> torch.optim.AdamW:
    """An AdamW of two groups with different values; those of weight decay are of a kind."""
    return adamw(
        {"weight_decay": as_kind(0.1), "lr": 0.5}, {"weight_decay": as_kind(0.03), "lr": 0.25}
    )


def scheduled_values(optimizer: Any) -> list[tuple[float, ...]]:
    targets = ("lr", "weight_decay", "betas[0]")
    return list(zip(*(map(float, held(optimizer, target)) for target in targets)))


Make = Callable[[Any], Any]


class Halving:
    """A curve that halves from time to time, and has a ``repr`` of its own."""

    def __init__(self, name: str, every: int = 1) -> None:
        self.name = name
        self.every = every

    def __call__(self, t: float) -> float:
        return 0.5 ** (t // self.every)

    def __repr__(self) -> str:
        return self.name


def sync_of(make: Make, optimizer: Any = None) -> tsa_core.SynchronousSchedule:
    """One schedule, which ``make`` puts on the optimizer itself."""
    return tsa_core.SynchronousSchedule([make(optimizer or new_optimizer())])


def sync_through_factory(
    make: Make, target: str, optimizer: Any = None
) -> tsa_core.SynchronousSchedule:
    """One schedule, which ``make`` puts on a proxy."""
    return sync_of(lambda optimizer: put(optimizer, target, make), optimizer)


# -- what is restored -----------------------------------------------------------------------------


def loss(t: int) -> float:
    """A loss that falls, stalls for longer than any patience, and falls again."""
    return 1.0 / (1 + t % 17)


def patient_plateau(optimizer: Any) -> ReduceLROnPlateau:
    return ReduceLROnPlateau(optimizer, factor=0.5, patience=3, cooldown=2)


def three_members(optimizer: Any, name: str) -> tsa_core.SynchronousSchedule:
    """A curve, a torch scheduler through the factory, and a plateau, the last two nested."""
    inner = tsa_core.SynchronousSchedule(
        [
            put(optimizer, "weight_decay", SCHEDULERS[name]),
            put(optimizer, "betas[0]", patient_plateau),
        ]
    )
    return tsa_core.SynchronousSchedule([inner, tsa_core.CurveSchedule(optimizer, factor)])


ORDERS = [
    "optimizer, schedules",
    "schedules, optimizer",
    "optimizer loaded before building",
    "schedules alone",
]


def resumed_run(order: str, name: str, optimizer_state: Any, schedule_state: Any) -> Any:
    """A new optimizer and new schedules that load the states in the given order."""
    optimizer = new_optimizer()
    if order == "optimizer loaded before building":
        optimizer.load_state_dict(copy.deepcopy(optimizer_state))
    schedule = three_members(optimizer, name)
    if order == "optimizer, schedules":
        optimizer.load_state_dict(copy.deepcopy(optimizer_state))
    schedule.load_state_dict(schedule_state)
    assert schedule.get_last_schedules() == {
        target: held(optimizer, target) for target in ("weight_decay", "betas[0]", "lr")
    }
    if order == "schedules, optimizer":
        optimizer.load_state_dict(copy.deepcopy(optimizer_state))
    return optimizer, schedule


@each_scheduler(order=ORDERS)
def test_a_run_resumed_at_any_step_is_the_uninterrupted_run(name: str, order: str) -> None:
    """A resumed run has the uninterrupted run's values to the bit, at once and at later steps."""
    optimizer = new_optimizer()
    schedule = three_members(optimizer, name)
    values, saved = [], []
    for t in range(STEPS):
        values.append(scheduled_values(optimizer))
        saved.append(copy.deepcopy((optimizer.state_dict(), schedule.state_dict())))
        advance(schedule, 1, loss(t))
    assert len({str(value) for value in values}) > STEPS / 2  # the values move
    for k, states in enumerate(saved):
        optimizer, schedule = resumed_run(order, name, *states)
        for t in range(k, min(k + 8, STEPS)):
            assert scheduled_values(optimizer) == values[t]
            advance(schedule, 1, loss(t))


# Before these versions, torch kept entries in these states that its own weights_only refuses.
READABLE_SINCE = {
    "MultiStepLR": (2, 6),
    "CyclicLR": (2, 6),
    "OneCycleLR": (2, 6),
    "OneCycleLR in three phases": (2, 6),
    "SWALR": (2, 13),
}


def test_the_state_of_a_curve_goes_through_json() -> None:
    """The state of a curve on a tensor holds only what JSON can hold, and loads again."""
    schedule = put_curve(adamw(lr=torch.tensor(0.1)))
    state = schedule.state_dict()
    assert json.loads(json.dumps(state)) == state
    schedule.load_state_dict(json.loads(json.dumps(state)))


def test_a_float_stays_a_float_where_the_state_holds_a_tensor() -> None:
    """A float loads the value of a saved tensor, since a foreach step refuses the tensor itself."""
    saved = sync_of(lambda o: StepLR(o, 2), adamw(lr=torch.tensor(0.5))).state_dict()
    optimizer = adamw(lr=0.1)
    sync_of(lambda o: StepLR(o, 2), optimizer).load_state_dict(saved, initial="saved")
    assert type(optimizer.param_groups[0]["lr"]) is float
    assert held(optimizer) == [0.5]


@pytest.mark.parametrize("make", [lambda o: LambdaLR(o, halving), put_curve])
def test_a_schedule_loaded_alone_goes_on_from_the_saved_initial_value(make: Make) -> None:
    """A schedule loaded without its optimizer takes over the saved initial value if asked to."""
    saved, loaded = (sync_of(make, sgd(lr=lr)) for lr in (0.5, 3.0))
    advance(saved)
    loaded.load_state_dict(saved.state_dict(), initial="saved")
    advance(loaded)
    assert (loaded.get_last_lr(), loaded.schedules["lr"].base_lrs) == ([0.125], [0.5])


class CallCounter:
    """A λ that remembers how often it was called."""

    calls = 0

    def __call__(self, t: float) -> float:
        self.calls += 1
        return 0.5**self.calls


def test_the_attributes_of_a_lambda_are_resumed() -> None:
    """The attributes of a callable λ are progress: they are loaded without a warning."""
    saved, loaded = (sync_of(lambda o: LambdaLR(o, CallCounter()), sgd(lr=1.0)) for _ in range(2))
    advance(saved)
    loaded.load_state_dict(copy.deepcopy(saved.state_dict()))
    advance(saved)
    advance(loaded)
    assert loaded.get_last_lr() == saved.get_last_lr() == [0.125]


# -- a state that is refused ----------------------------------------------------------------------


def step_sequence_and_curve() -> tsa_core.SynchronousSchedule:
    """A StepLR on ``weight_decay``, a SequentialLR on ``eps`` and a curve on ``lr``."""
    optimizer = new_optimizer()
    return tsa_core.SynchronousSchedule(
        [
            put(optimizer, "weight_decay", lambda p: StepLR(p, 2, 0.5)),
            put(
                optimizer,
                "eps",
                lambda p: SequentialLR(p, [StepLR(p, 2), MultiStepLR(p, [1])], [3]),
            ),
            tsa_core.CurveSchedule(optimizer, factor),
        ]
    )


def lacking(key: str) -> Any:
    return lambda state: {k: v for k, v in state.items() if k != key}


def having(**entries: Any) -> Any:
    return lambda state: {**state, **entries}


def with_a_torn_part(step_count: Any) -> Any:
    def change(state: Any) -> Any:
        first, *others = state["_schedulers"]
        return {**state, "_schedulers": [{**first, "_step_count": step_count}, *others]}

    return change


@pytest.mark.parametrize(
    ("name", "change", "error", "said"),
    [
        ("lr", lacking("last_epoch"), ValueError, r"'lr': missing \['last_epoch'\]"),
        ("lr", lambda _: {"lr_lambdas": 0}, ValueError, "'_step_count', 'base_lrs', 'last_epoch'"),
        ("lr", having(_step_count="x"), TypeError, "'lr': '_step_count' is 'x'"),
        ("lr", having(_step_count=-3), ValueError, "'lr': '_step_count' is -3; .* 0 or later"),
        ("lr", having(base_lrs={0.1: 1, 0.2: 2}), ValueError, "'lr': 'base_lrs' is"),
        ("weight_decay", lacking("_step_count"), ValueError, r"missing \['_step_count'\]"),
        ("eps", having(_schedulers=2), ValueError, "expected 2 schedulers' states"),
        ("eps", having(_schedulers=[]), ValueError, "expected 2 schedulers' states"),
        ("weight_decay", having(base_lrs=torch.ones(2)), ValueError, "'base_lrs' is "),
        ("weight_decay", having(_last_lr=np.ones(2)), ValueError, "'_last_lr' is "),
        ("lr", having(gamma=1.0), ValueError, r"'lr': .*unknown \['gamma'\]"),
        ("lr", having(last_epoch="3"), TypeError, "'lr': 'last_epoch' is '3'"),
        ("lr", having(last_epoch=None), TypeError, "'lr': 'last_epoch' is None"),
        ("lr", having(last_epoch=math.nan), ValueError, "'lr': 'last_epoch' is nan"),
        ("lr", having(last_epoch=-7), ValueError, "'lr': 'last_epoch' is -7; .* 0 or later"),
        ("lr", lambda s: {**s, 3: 1, None: 2}, ValueError, r"'lr': .*unknown \[3, None\]"),
        ("weight_decay", lambda s: {**s, 3: 1}, ValueError, r"unknown \[3\]"),
        (
            "lr",
            having(base_lrs=[0.1]),
            ValueError,
            r"'lr': 'base_lrs' is \[0.1\]; .* 2 param groups",
        ),
        ("lr", having(_last_lr=[0.1] * 3), ValueError, "'lr': '_last_lr' is"),
        ("lr", having(_last_lr=[0.1, "x"]), TypeError, "'lr': .*'x' .* is not a real"),
        ("lr", having(schedule_target="eps"), ValueError, "'lr': it was saved for 'eps'"),
        ("lr", lambda _: [1, 2], TypeError, "'lr': expected a dict, got list"),
        ("weight_decay", lacking("last_epoch"), ValueError, r"missing \['last_epoch'\]"),
        ("weight_decay", lacking("_last_lr"), ValueError, r"missing \['_last_lr'\]"),
        ("weight_decay", having(T_max=9), ValueError, r"missing \[\], unknown \['T_max'\]"),
        ("weight_decay", having(_last_lr=[0.1, math.inf]), ValueError, "'weight_.* inf is not"),
        ("weight_decay", lambda _: [1, 2], TypeError, "expected a dict, got list"),
        ("eps", having(_milestones=None), TypeError, "'_milestones' is None"),
        ("eps", lacking("_schedulers"), ValueError, r"missing \['_schedulers'\]"),
        ("eps", lambda s: {**s, "_schedulers": s["_schedulers"][::-1]}, ValueError, "missing"),
        ("lr", having(_step_count=torch.ones(2)), TypeError, "'_step_count' is "),
        ("eps", with_a_torn_part(torch.ones(2)), TypeError, "'_step_count' is "),
        ("eps", with_a_torn_part(np.ones(2)), TypeError, "'_step_count' is "),
        ("lr", having(_last_lr=torch.ones(2)), ValueError, "'_last_lr' is "),
        ("lr", having(base_lrs=np.ones(2)), ValueError, "'base_lrs' is "),
    ],
)
def test_a_state_that_does_not_fit_is_refused(
    name: str, change: Any, error: Any, said: str
) -> None:
    """An error names the member and the entry that does not fit, and no member has moved."""
    other = step_sequence_and_curve()
    advance(other, 3)
    state = copy.deepcopy(other.state_dict())
    state[name] = change(state[name])
    schedule = step_sequence_and_curve()
    before = scheduled_values(schedule.optimizer), copy.deepcopy(schedule.state_dict())
    with pytest.raises(error, match=said):
        schedule.load_state_dict(state)
    assert (scheduled_values(schedule.optimizer), schedule.state_dict()) == before
    advance(schedule)


@pytest.mark.parametrize(
    ("change", "error", "said"),
    [
        (lacking("eps"), KeyError, r"missing \['eps'\]"),
        (having(momentum={}), KeyError, r"unknown \['momentum'\]"),
        (lambda _: None, TypeError, "expected a dict, got NoneType"),
        (lambda _: [], TypeError, "expected a dict, got list"),
    ],
)
def test_a_state_with_other_names_than_the_members_is_refused(
    change: Any, error: type[Exception], said: str
) -> None:
    """An error names each member without a state and each state without a member, or its type."""
    schedule = step_sequence_and_curve()
    state = schedule.state_dict()
    with pytest.raises(error, match=said):
        schedule.load_state_dict(change(state))


def load_changed_state(make: Make, change: Any) -> None:
    """Load the schedule's own state, in which one member's state is changed."""
    schedule = sync_of(make)
    state = copy.deepcopy(schedule.state_dict())
    state["lr"] = change(state["lr"])
    schedule.load_state_dict(state)


ONE_VALUE_PER_GROUP = {
    "base_lrs": lambda o: StepLR(o, 2),
    "_last_lr": lambda o: StepLR(o, 2),
    "lr_lambdas": lambda o: LambdaLR(o, factor),
    "min_lrs": lambda o: ReduceLROnPlateau(o, min_lr=[0.0, 0.1]),
    "max_lrs": lambda o: CyclicLR(o, 0.1, 0.5, cycle_momentum=False),
}


@pytest.mark.parametrize(
    ("key", "change"),
    crossed(
        ONE_VALUE_PER_GROUP,
        [lambda v: v[:1], lambda v: dict(enumerate(v)), lambda _: torch.ones(2)],
    ),
)
def test_an_entry_with_one_value_per_group_must_be_a_list_of_that_length(
    key: str, change: Any
) -> None:
    """A list of a wrong length or type is an error that names it and the number of param groups."""
    with pytest.raises(ValueError, match=f"'{key}' is .*2 param groups"):
        load_changed_state(ONE_VALUE_PER_GROUP[key], lambda s: {**s, key: change(s[key])})


COUNTERS: dict[str, Make] = {
    "last_epoch": lambda o: StepLR(o, 2),
    "_step_count": lambda o: StepLR(o, 2),
    "T_i": lambda o: CosineAnnealingWarmRestarts(o, 3),
    "T_cur": lambda o: CosineAnnealingWarmRestarts(o, 3),
    "num_bad_epochs": patient_plateau,
    "cooldown_counter": patient_plateau,
}
NUMBERS: dict[str, Make] = {
    **COUNTERS,
    "best": patient_plateau,
    "threshold": patient_plateau,
    "gamma": lambda o: StepLR(o, 2),
    "eta_min": lambda o: CosineAnnealingWarmRestarts(o, 3),
    "base_lrs": lambda o: StepLR(o, 2),
    "_last_lr": lambda o: StepLR(o, 2),
}
NOT_NUMBERS = ["x", None, True, [1.0], (), {}, {"a": 1.0}, 1j, Ellipsis]
NOT_COUNTS = [-1, -7, -1.5, math.nan, math.inf, np.int64(-1), torch.tensor(-1)]
SEVERAL = [torch.ones(2), torch.ones(1), torch.ones(2, 1), np.ones(2)]
STEPS_BEFORE = [0, 4]
TORN = [
    *crossed([*NUMBERS][:-2], NOT_NUMBERS + SEVERAL, STEPS_BEFORE, [TypeError]),
    *crossed(
        ["base_lrs", "_last_lr"],
        [[0.1, each] for each in some(NOT_NUMBERS, 4)],
        [4, 0],
        [TypeError],
    ),
    *crossed(COUNTERS, NOT_COUNTS, [4, 0], [ValueError]),
]


@pytest.mark.parametrize(("key", "value", "steps", "error"), TORN)
def test_a_torn_number_of_a_torch_scheduler_is_refused(
    key: str, value: Any, steps: int, error: type[Exception]
) -> None:
    """A number of a torch scheduler's state that is torn is an error that names it; none moves."""
    sync = sync_through_factory(NUMBERS[key], "weight_decay")
    metrics = [1.0] * (NUMBERS[key] is patient_plateau)
    advance(sync, steps, *metrics)
    before = copy.deepcopy((sync.state_dict(), scheduled_values(sync.optimizer)))
    state = {**copy.deepcopy(sync.state_dict()["weight_decay"]), key: value}
    with pytest.raises(error, match=f"'weight_decay' .*'{key}' is "):
        sync.load_state_dict({"weight_decay": state})
    assert (sync.state_dict(), scheduled_values(sync.optimizer)) == before
    advance(sync, 1, *metrics)


@pytest.mark.parametrize("element", [1, "x", torch.ones(2)], ids=str)
def test_a_torn_lambda_is_named(element: Any) -> None:
    """An element of ``lr_lambdas`` that torch never saves is an error that names the entry."""
    with pytest.raises((TypeError, ValueError), match="'lr_lambdas'"):
        load_changed_state(lambda o: LambdaLR(o, CallCounter()), having(lr_lambdas=[element] * 2))


@pytest.mark.parametrize("key", [*COUNTERS, "best"])
def test_numbers_of_other_types_are_taken_for_numbers(key: str) -> None:
    """A state whose numbers some file format turned into tensors or NumPy numbers is loaded."""
    sync = sync_through_factory(NUMBERS[key], "weight_decay")
    for kind in (np.float64, np.int64, torch.tensor, float):
        state = copy.deepcopy(sync.state_dict())
        number = kind(2)
        sync.load_state_dict({"weight_decay": {**state["weight_decay"], key: number}})
        assert sync.state_dict()["weight_decay"][key] == 2


# torch < 2.1 warns of a deprecation of its own where it loads a tensor with weights_only.
@pytest.mark.filterwarnings("ignore:TypedStorage is deprecated:UserWarning")
@each_scheduler()
def test_every_state_of_a_run_loads_into_a_scheduler_that_has_moved(name: str) -> None:
    """A scheduler goes back to each state that was kept in memory, and fills the same tensors."""
    schedule = three_members(new_optimizer(torch.tensor), name)
    tensors = held(schedule.optimizer, "weight_decay")
    values, saved = [], []
    for t in range(24):
        values.append(scheduled_values(schedule.optimizer))
        saved.append(schedule.state_dict())
        advance(schedule, 1, loss(t))
    for k in reversed(range(20)):
        schedule.load_state_dict(saved[k])
        for t in range(k, k + 4):
            assert scheduled_values(schedule.optimizer) == values[t]
            advance(schedule, 1, loss(t))
    assert all(a is b for a, b in zip(held(schedule.optimizer, "weight_decay"), tensors))
    if READABLE_SINCE.get(name, (2, 0)) <= TORCH:
        assert through_torch_save(saved[-1]) == saved[-1]


@pytest.mark.parametrize("mode", ["min", "max"])
def test_a_plateau_that_has_a_best_goes_back_to_none(mode: str) -> None:
    """A plateau that has seen metrics loads the infinite ``best`` from before its first one."""
    sync, reference = (
        sync_of(lambda o: ReduceLROnPlateau(o, mode=mode, factor=0.5, patience=0)) for _ in range(2)
    )
    first = copy.deepcopy(sync.state_dict())
    assert math.isinf(first["lr"]["best"])
    advance(sync, 3, 1.0)
    sync.load_state_dict(first)
    assert sync.state_dict() == first
    assert sync.get_last_lr() == [0.5, 0.25]  # which torch < 2.3 does not record
    for metric in (2.0, 2.0, 3.0, 1.0):
        advance(sync, 1, metric)
        advance(reference, 1, metric)
        assert sync.get_last_lr() == reference.get_last_lr()


def test_a_plain_scheduler_refuses_a_state_that_is_not_finite() -> None:
    """A plain scheduler refuses a saved value that is not finite, as one on a proxy does."""
    with pytest.raises(ValueError, match="inf is not finite"):
        load_changed_state(lambda o: StepLR(o, 2), having(_last_lr=[0.1, math.inf]))


def sequence_of_lambdas(milestones: Any) -> tsa_core.SynchronousSchedule:
    """A SequentialLR of parts that are alike."""
    return sync_through_factory(
        lambda proxy: SequentialLR(
            proxy, [LambdaLR(proxy, factor) for _ in (*milestones, 0)], milestones
        ),
        "lr",
    )


@pytest.mark.parametrize(("old", "new"), [([6], [3]), ([3], [8]), ([2, 9], [3, 9])])
def test_a_milestone_that_was_passed_cannot_change(old: list[int], new: list[int]) -> None:
    """A passed milestone decides where each part stands, so a different one is an error."""
    saved, resumed = sequence_of_lambdas(old), sequence_of_lambdas(new)
    advance(saved, 5)
    before = scheduled_values(resumed.optimizer)
    with pytest.raises(ValueError, match=r"up to step 5, .* milestones were .* and are .* now"):
        resumed.load_state_dict(saved.state_dict())
    assert scheduled_values(resumed.optimizer) == before


# -- a load that fails ----------------------------------------------------------------------------


@pytest.mark.parametrize("by_hand", [7.0, torch.tensor(7.0)], ids=["float", "tensor"])
def test_a_load_that_fails_keeps_a_value_set_by_hand(by_hand: Any) -> None:
    """A failed load leaves also a value that the schedule did not write, as the same object."""
    optimizer = new_optimizer()
    schedule = sync_of(lambda o: StepLR(o, 2), optimizer)
    state = copy.deepcopy(schedule.state_dict())
    state["lr"]["gamma"] = 0.5
    optimizer.param_groups[0]["lr"] = by_hand
    with pytest.raises(UserWarning, match="gamma"):  # an error, because the tests make it one
        schedule.load_state_dict(state)
    assert held(optimizer) == [7.0, 0.25]
    assert optimizer.param_groups[0]["lr"] is by_hand


def test_each_group_has_its_own_tensor_after_a_load_that_fails() -> None:
    """Groups move apart after a failed load, also if the optimizer's state gave both one tensor."""
    optimizer = adamw({}, {}, lr=torch.tensor(0.5))
    sync = sync_of(lambda o: tsa_core.CurveSchedule(o, [lambda t: 1.0, halving]), optimizer)
    state = {"lr": {**sync.state_dict()["lr"], "curve": "another"}}
    shared = copy.deepcopy(optimizer.state_dict())
    shared["param_groups"][1]["lr"] = shared["param_groups"][0]["lr"]
    optimizer.load_state_dict(shared)
    with pytest.raises(UserWarning, match="another"):  # an error, because the tests make it one
        sync.load_state_dict(state)
    advance(sync)
    assert [value.item() for value in sync.get_last_lr()] == [0.5, 0.25]


# -- the caller's state ---------------------------------------------------------------------------


@pytest.mark.parametrize("steps", [1, 2], ids=["another plan", "the same plan"])
@pytest.mark.filterwarnings("ignore:.*goes on under:UserWarning")
def test_loading_leaves_the_callers_state_alone(steps: int) -> None:
    """Loading changes no entry of the caller's dict, although torch removes entries from it."""

    def build(step_size: int) -> tsa_core.SynchronousSchedule:
        optimizer = new_optimizer()
        parts = [StepLR(optimizer, step_size), StepLR(optimizer, 2)]
        cycle = put(optimizer, "eps", SCHEDULERS["CyclicLR"])
        return tsa_core.SynchronousSchedule([SequentialLR(optimizer, parts, [3]), cycle])

    state = build(steps).state_dict()
    before = copy.deepcopy(state)
    build(2).load_state_dict(state)
    assert state == before


def test_a_state_can_be_any_mapping() -> None:
    """A read-only mapping, which cannot be copied, is loaded like a dict."""
    saved, loaded = step_sequence_and_curve(), step_sequence_and_curve()
    advance(saved)
    state = {name: MappingProxyType(each) for name, each in saved.state_dict().items()}
    loaded.load_state_dict(MappingProxyType(state))
    assert loaded.state_dict() == saved.state_dict()


# -- a different plan -----------------------------------------------------------------------------


def test_a_run_goes_on_under_the_curve_in_the_code() -> None:
    """One warning names the saved curve and the new one, and the saved value holds until a step."""
    old, new = (
        sync_of(lambda o, n=n: tsa_core.CurveSchedule(o, Halving(f"C{n}", n))) for n in (1, 2)
    )
    advance(old, 4)
    with pytest.warns(UserWarning, match="C1 and goes on under C2") as caught:
        new.load_state_dict(old.state_dict())
    assert len(caught) == 1
    assert caught[0].filename == __file__
    assert new.get_last_lr() == [0.5 * 0.5**4, 0.25 * 0.5**4]
    advance(new)
    assert new.get_last_lr() == [0.5 * 0.5**2, 0.25 * 0.5**2]


def test_a_run_goes_on_under_the_settings_in_the_code() -> None:
    """One warning names the saved settings of a torch scheduler, and those in the code hold."""
    old, new = (
        sync_through_factory(lambda p, n=n: StepLR(p, n, 0.5), "weight_decay") for n in (2, 3)
    )
    advance(old, 2)
    with pytest.warns(UserWarning, match=r"'step_size': 2.*'step_size': 3") as caught:
        new.load_state_dict(old.state_dict())
    assert len(caught) == 1
    assert new.get_last_schedule("weight_decay") == [0.05, 0.015]
    advance(new)
    assert new.get_last_schedule("weight_decay") == [0.025, 0.0075]


class Attenuation:
    """A ``scale_fn`` that is an object, with a setting."""

    def __init__(self, base: float) -> None:
        self.base = base

    def __call__(self, x: float) -> float:
        return float(self.base**x)


def cyclic(**settings: Any) -> Make:
    return lambda o: CyclicLR(o, 0.01, 0.5, 4, cycle_momentum=False, **settings)


CYCLES = {
    "triangular": cyclic(mode="triangular"),
    "triangular2": cyclic(mode="triangular2"),
    "exp_range": cyclic(mode="exp_range", gamma=0.9),
    "a function": cyclic(scale_fn=halving),
    "an object": cyclic(scale_fn=Attenuation(0.75)),
    "an object, by iterations": cyclic(scale_fn=Attenuation(0.75), scale_mode="iterations"),
    "a higher base": lambda o: CyclicLR(o, 0.05, 0.5, 4, cycle_momentum=False),
    "restarts": lambda o: CosineAnnealingWarmRestarts(o, 10),
    "short restarts": lambda o: CosineAnnealingWarmRestarts(o, 3),
    "doubled restarts": lambda o: CosineAnnealingWarmRestarts(o, 3, T_mult=2),
    "tripled restarts": lambda o: CosineAnnealingWarmRestarts(o, 3, T_mult=3),
}


MODES = {"triangular", "triangular2", "exp_range"}


def changes_of(names: list[str]) -> list[tuple[str, str]]:
    """Each of the names, and the name that comes after it, or with all names each other one."""
    return [(old, new) for old, new in crossed(names, names[1:] + names[:1]) if old != new]


@pytest.mark.parametrize(("old", "new"), changes_of([*CYCLES][:7]) + changes_of([*CYCLES][7:]))
def test_a_cycle_with_different_settings_goes_on_as_if_it_always_had_them(
    old: str, new: str
) -> None:
    """A resumed cycle warns, and gives the numbers of a run that always had the new settings."""
    if TORCH < (2, 4) and "an object" in new:
        pytest.skip("torch < 2.4 saves the object itself")
    plain = new_optimizer()
    saved, resumed = (sync_through_factory(CYCLES[name], "weight_decay") for name in (old, new))
    for group, initial in zip(plain.param_groups, held(saved.optimizer, "initial_weight_decay")):
        group["lr"] = initial
    reference = CYCLES[new](plain)
    advance(saved, 7)
    advance(reference, 7)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        resumed.load_state_dict(copy.deepcopy(saved.state_dict()))
    said = [str(warning.message) for warning in caught]
    if {old, new} <= MODES:
        assert f"'mode': '{old}'" in said[0].partition("goes on under")[0]
        assert f"'mode': '{new}'" in said[0].partition("goes on under")[2]
    # torch does not save every scale_fn, so another one may be loaded in silence.
    assert len(said) == 1 or (not said and ("a function" in (old, new) or "an object" in old + new))
    assert all("'weight_decay' " in each and " was saved under " in each for each in said)
    assert resumed.get_last_schedules() == saved.get_last_schedules()
    for _ in range(20):
        advance(resumed)
        advance(reference)
        assert resumed.get_last_schedule("weight_decay") == reference.get_last_lr()


def test_a_cycle_with_different_settings_begins_at_its_milestone() -> None:
    """A cycle that waits in a sequence begins at its beginning, under the settings in the code."""

    def build(*cycle: int) -> tsa_core.SynchronousSchedule:
        return sync_of(
            lambda o: SequentialLR(o, [StepLR(o, 2), CosineAnnealingWarmRestarts(o, *cycle)], [3])
        )

    saved, resumed, plain = build(3, 2), build(2, 3), build(2, 3)
    advance(saved)
    advance(plain)
    with pytest.warns(UserWarning, match="goes on under"):
        resumed.load_state_dict(copy.deepcopy(saved.state_dict()))
    for _ in range(9):
        advance(resumed)
        advance(plain)
        assert resumed.get_last_lr() == plain.get_last_lr()


def test_a_plateau_in_the_other_mode_forgets_the_best_metric() -> None:
    """The best loss is not the best accuracy, so a plateau in the other mode starts anew."""
    losses, accuracies = (
        sync_of(lambda o, mode=mode: ReduceLROnPlateau(o, mode=mode, factor=0.5, patience=2))
        for mode in ("min", "max")
    )
    for loss in (2.5, 2.4, 2.4):
        advance(losses, 1, loss)
    with pytest.warns(UserWarning, match="'mode': 'max'"):
        accuracies.load_state_dict(losses.state_dict())
    for accuracy in (0.1, 0.2, 0.3, 0.4, 0.5):
        advance(accuracies, 1, accuracy)
    assert accuracies.get_last_lr() == [0.5, 0.25]


def test_a_milestone_ahead_can_change() -> None:
    """A milestone that was not passed is plan: the one in the code holds, with a warning."""
    saved, resumed = sequence_of_lambdas([2, 9]), sequence_of_lambdas([2, 7])
    advance(saved, 5)
    with pytest.warns(UserWarning, match="goes on under"):
        resumed.load_state_dict(saved.state_dict())
    advance(resumed, 3)
    assert resumed.get_last_lr() == pytest.approx([0.5 * factor(1), 0.25 * factor(1)], rel=1e-12)


# -- the same plan --------------------------------------------------------------------------------


def test_a_function_that_is_defined_again_is_the_same_plan() -> None:
    """A function is compared by name, since its address differs in another process."""

    def build() -> Any:
        def local(t: float) -> float:
            return 0.5**t

        return tsa_core.CurveSchedule(new_optimizer(), local)

    build().load_state_dict(build().state_dict())


def test_a_tuple_and_a_list_are_the_same_plan() -> None:
    """JSON turns a tuple into a list, which loads without a warning."""
    state = sequence_of_lambdas((4,)).state_dict()
    sequence_of_lambdas((4,)).load_state_dict(json.loads(json.dumps(state)))


@pytest.mark.parametrize("milestones", [[np.int64(3)], range(3, 4), np.array([3])])
def test_milestones_of_any_type_are_the_same_plan(milestones: Any) -> None:
    """Every type of milestones that torch accepts is loaded without a warning."""
    schedule = sync_of(lambda o: SequentialLR(o, [StepLR(o, 2), StepLR(o, 3)], milestones))
    schedule.load_state_dict(schedule.state_dict())


@pytest.mark.parametrize("in_sequence", [False, True])
def test_milestones_that_went_through_json_are_the_same_plan(in_sequence: bool) -> None:
    """JSON makes strings of the milestones of a MultiStepLR, which loads without a warning."""

    def make(proxy: Any) -> Any:
        steps = MultiStepLR(proxy, [2, 5, 5], 0.5)
        return SequentialLR(proxy, [steps, StepLR(proxy, 2)], [9]) if in_sequence else steps

    saved, resumed = (sync_through_factory(make, "weight_decay") for _ in range(2))
    advance(saved, 1)
    state = json.loads(json.dumps(saved.state_dict()))
    entries = state["weight_decay"]
    entries = entries["_schedulers"][0] if in_sequence else entries
    assert entries["milestones"] == {"2": 1, "5": 2}
    resumed.load_state_dict(state)
    for t in range(2, 8):
        advance(resumed)
        factor = 0.5 ** ((t >= 2) + 2 * (t >= 5))
        assert resumed.get_last_schedule("weight_decay") == [0.1 * factor, 0.03 * factor]


@pytest.mark.parametrize("milestones", [[2, 6], [2, 5], [5, 5, 2, 2]], ids=str)
def test_different_milestones_that_went_through_json_still_warn(milestones: list[int]) -> None:
    """Milestones that differ in a step or in how often it stands there are a different plan."""
    saved, resumed = (
        sync_of(lambda o, steps=steps: MultiStepLR(o, steps, 0.5))
        for steps in ([2, 5, 5], milestones)
    )
    state = json.loads(json.dumps(saved.state_dict()))
    with pytest.warns(UserWarning, match=r"'milestones': .* goes on under .*'milestones'"):
        resumed.load_state_dict(state)


@pytest.mark.parametrize(
    ("name", "saved"),
    [
        ("a function", None),  # as torch >= 2.4 saves it
        ("a function", halving),  # as torch < 2.4 does
        ("an object", None),
        ("an object", halving),
        ("an object", Attenuation(0.75)),  # as torch < 2.4 saves it
        ("an object", {"base": 0.75}),  # as torch >= 2.4 does
    ],
)
def test_a_scale_function_is_the_same_plan_in_the_state_of_any_torch(name: str, saved: Any) -> None:
    """A CyclicLR with a ``scale_fn`` loads the state of any torch without a warning."""
    if TORCH < (2, 4) and name == "an object":
        pytest.skip("torch < 2.4 saves the object itself")
    load_changed_state(CYCLES[name], having(_scale_fn_custom=saved))


@pytest.mark.skipif(TORCH < (2, 4), reason="torch < 2.4 saves the object itself")
def test_a_scale_function_that_is_an_object_is_compared_by_its_attributes() -> None:
    """A ``scale_fn`` whose attributes differ from the saved ones warns."""
    with pytest.warns(UserWarning, match=r"'_scale_fn_custom': \{'base': 0.5\}"):
        load_changed_state(CYCLES["an object"], having(_scale_fn_custom={"base": 0.5}))


def test_settings_that_are_equal_as_data_are_the_same_plan() -> None:
    """A setting that is saved as 1 loads as 1.0 without a warning."""
    saved, loaded = (sync_of(lambda o, one=one: StepLR(o, 2 * one, one)) for one in (1, 1.0))
    loaded.load_state_dict(saved.state_dict())


@pytest.mark.parametrize(
    ("one", "other"), [("C(1)", "C(-1)"), ("C(1)", "D(1)"), ("C(1)", "C(1.0)")]
)
def test_curves_of_different_texts_are_different_plans(one: str, other: str) -> None:
    """Two curves are the same plan only if their ``repr`` are equal as text."""
    state = tsa_core.CurveSchedule(sgd(), Halving(one)).state_dict()
    tsa_core.CurveSchedule(sgd(), Halving(one)).load_state_dict(state)
    with pytest.warns(UserWarning, match="was saved under"):
        tsa_core.CurveSchedule(sgd(), Halving(other)).load_state_dict(state)


# -- other torch versions and other people's schedulers -------------------------------------------


@pytest.mark.parametrize(
    ("value", "in_sequence"), crossed([7, -1, None, 2.5, "x"], [True, False]), ids=str
)
def test_progress_that_a_newer_torch_adds_is_loaded(
    value: Any, in_sequence: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A private entry that this library does not know is loaded with the rest, of any kind."""
    original = StepLR.get_lr

    def get_lr(self: Any) -> Any:
        self._news = 3 if self.last_epoch < 2 else value
        return original(self)

    monkeypatch.setattr(StepLR, "get_lr", get_lr)

    def make(proxy: Any) -> Any:
        step = StepLR(proxy, 2)
        return SequentialLR(proxy, [step, StepLR(proxy, 3)], [9]) if in_sequence else step

    saved, resumed = (sync_through_factory(make, "weight_decay") for _ in range(2))
    advance(saved, 3)
    resumed.load_state_dict(copy.deepcopy(saved.state_dict()))
    schedule = resumed.schedules["weight_decay"]
    assert (schedule._schedulers[0] if in_sequence else schedule)._news == value


@pytest.mark.parametrize("key", ["verbose", "anneal_func", "default_min_lr", "_private"])
def test_an_entry_of_another_torch_version_is_accepted(key: str) -> None:
    """A state may hold an entry that only another torch version saves."""
    load_changed_state(lambda o: StepLR(o, 2), having(**{key: None}))


@pytest.mark.parametrize(
    ("make", "key"),
    [
        (lambda o: OneCycleLR(o, 0.5, total_steps=9, cycle_momentum=False), "_anneal_func_type"),
        (ReduceLROnPlateau, "default_min_lr"),
    ],
)
def test_an_entry_that_an_older_torch_did_not_save_is_not_required(make: Any, key: str) -> None:
    """A state may lack an entry that torch began to save later."""
    load_changed_state(make, lacking(key))


class UsersStepLR(StepLR):
    """A user's scheduler: only the user knows which attributes are plan and which progress."""


def test_a_users_scheduler_is_loaded_as_it_defines() -> None:
    """A scheduler that is not torch's loads all of its state, without a warning."""
    saved, loaded = (sync_of(lambda o, n=n: UsersStepLR(o, n)) for n in (2, 3))
    loaded.load_state_dict(saved.state_dict())
    assert loaded.schedules["lr"].step_size == 2


class NamesLikeTorchs(StepLR):
    """A user's scheduler with attributes that have torch's names and hold other things."""

    _milestones: Any = None
    _schedulers: Any = None

    def __init__(self, optimizer: Any) -> None:
        super().__init__(optimizer, 2)
        self._milestones = {3: 0.1}
        self._schedulers = {"a": StepLR(optimizer, 3)}

    def state_dict(self) -> dict[str, Any]:
        state = {**super().state_dict(), "_schedulers": {}}
        return {**state, "_schedulers": {"a": self._schedulers["a"].state_dict()}}

    def load_state_dict(self, state_dict: Any) -> None:
        entries = dict(state_dict)
        self._schedulers["a"].load_state_dict(entries.pop("_schedulers")["a"])
        super().load_state_dict(entries)


def test_a_users_attributes_with_torchs_names_are_left_to_the_user() -> None:
    """Attributes of a user's scheduler may have torch's names and hold anything."""
    saved, resumed = (sync_of(NamesLikeTorchs) for _ in range(2))
    advance(saved, 3)
    resumed.load_state_dict(saved.state_dict())
    assert resumed.get_last_lr() == saved.get_last_lr()
    resumed.schedules["lr"]._schedulers = None
    tsa_core.SynchronousSchedule([resumed.schedules["lr"]])


# -- plateaus -------------------------------------------------------------------------------------


@plateau_takes_groups
def test_a_plateau_that_a_group_has_joined_is_resumed() -> None:
    """A state that was taken after a group joined loads, although it holds one ``min_lr`` less."""

    # torch repeats min_lr for the new group only when the plateau reduces next.
    def build(num_groups: int) -> Any:
        return sync_through_factory(
            lambda proxy: ReduceLROnPlateau(proxy, factor=0.5, patience=1),
            "lr",
            sgd(*[{}] * num_groups),
        )

    sync = build(1)
    advance(sync, 1, 1.0)
    add_group(sync.optimizer, lr=0.25)
    advance(sync, 1, 1.0)
    resumed = build(2)
    resumed.load_state_dict(sync.state_dict())
    for each in (sync, resumed):
        advance(each, 1, 1.0)
        assert each.get_last_lr() == [0.25, 0.125]


def test_a_plateau_that_has_not_stepped_is_resumed_without_its_values() -> None:
    """A state without ``_last_lr`` loads, because torch < 2.3 saves none before the first step."""
    schedule = sync_of(ReduceLROnPlateau)
    schedule.load_state_dict({"lr": lacking("_last_lr")(schedule.state_dict()["lr"])})
    assert schedule.get_last_lr() == [0.5, 0.25]


# -- parts that wait for their milestone ----------------------------------------------------------


@ignore_order_when_nested
@pytest.mark.parametrize(("steps", "in_synchronous"), crossed([1, 4, 8], [True, False]))
def test_a_curve_that_waits_in_a_nested_sequence_is_resumed(
    steps: int, in_synchronous: bool
) -> None:
    """A nested sequence of curves is resumed before, between and after its milestones."""

    # Each SequentialLR leaves its waiting parts one more step before 0.
    def build() -> Any:
        optimizer = new_optimizer()
        curves = [tsa_core.CurveSchedule(optimizer, factor) for _ in range(2)]
        inner = SequentialLR(optimizer, curves, [3])
        outer = SequentialLR(optimizer, [inner, StepLR(optimizer, 2)], [6])
        return tsa_core.SynchronousSchedule([outer]) if in_synchronous else outer

    saved, resumed = build(), build()
    advance(saved, steps)
    resumed.optimizer.load_state_dict(copy.deepcopy(saved.optimizer.state_dict()))
    resumed.load_state_dict(copy.deepcopy(saved.state_dict()))
    for _ in range(8):
        assert scheduled_values(resumed.optimizer) == scheduled_values(saved.optimizer)
        advance(saved)
        advance(resumed)


# -- torch's way to resume without the scheduler's state ------------------------------------------


def one_cycle(maximum: float, **settings: Any) -> Make:
    return lambda optimizer: OneCycleLR(
        optimizer, [maximum, maximum / 2], total_steps=20, cycle_momentum=False, **settings
    )


def optimizer_of(target: str, as_kind: Any = float) -> torch.optim.AdamW:
    """An AdamW of two groups with values of ``target`` that are 0.5 and 0.25."""
    return adamw_with(target, as_kind(0.5), as_kind(0.25), foreach=False)


def one_cycle_values(
    put_it: Callable[[Any, Make], Any], target: str, as_kind: Any, steps: int, *, resumed: bool
) -> list[list[float]]:
    """The values of a OneCycleLR after ``steps``, from where torch can resume it on new groups."""
    stopped = optimizer = optimizer_of(target, as_kind)
    schedule = put_it(stopped, one_cycle(0.75))
    advance(schedule, steps)
    if resumed:
        optimizer = optimizer_of(target, as_kind)
        optimizer.load_state_dict(copy.deepcopy(stopped.state_dict()))
        schedule = put_it(optimizer, one_cycle(0.75, last_epoch=steps - 1))
    values = []
    for _ in range(6):
        values.append([float(value) for value in held(optimizer, target)])
        advance(schedule)
    return values


@pytest.mark.parametrize(
    ("target", "steps", "kind"),
    crossed(["lr", "weight_decay", "eps", "betas[0]"], [1, 4, 12], KINDS),
)
def test_a_one_cycle_resumed_with_last_epoch_has_torchs_numbers(
    target: str, steps: int, kind: str
) -> None:
    """``OneCycleLR(proxy, last_epoch=k)`` on a loaded optimizer gives what it gives on ``lr``."""
    as_kind = KINDS[kind]
    values = one_cycle_values(
        lambda o, make: put(o, target, make), target, as_kind, steps, resumed=True
    )
    # torch < 2.4 puts floats in the place of tensors, and the library fills the tensors.
    rel = 1e-6 if kind == "tensor" and TORCH < (2, 4) else 0
    for resumed in (True, False):
        expected = one_cycle_values(lambda o, make: make(o), "lr", as_kind, steps, resumed=resumed)
        for mine, torchs in zip(values, expected):
            assert mine == pytest.approx(torchs, rel=rel, abs=0)


def test_two_one_cycles_resumed_with_last_epoch_keep_their_own_maxima() -> None:
    """Two targets of one optimizer each find the maximum of their own in the loaded groups."""
    maxima = {"lr": 0.75, "weight_decay": 0.625, "betas[0]": 0.875}

    def build(**settings: Any) -> tsa_core.SynchronousSchedule:
        optimizer = adamw({}, {})
        if settings:
            optimizer.load_state_dict(saved)
        return tsa_core.SynchronousSchedule(
            [put(optimizer, target, one_cycle(m, **settings)) for target, m in maxima.items()]
        )

    whole = build()
    advance(whole, 4)
    saved = copy.deepcopy(whole.optimizer.state_dict())
    resumed = build(last_epoch=3)
    for _ in range(9):
        assert resumed.get_last_schedules() == whole.get_last_schedules()
        advance(whole)
        advance(resumed)
    expected = {target: optimizer_of("lr") for target in maxima}
    for target, optimizer in expected.items():
        advance(one_cycle(maxima[target])(optimizer), 13)
        assert whole.get_last_schedule(target) == held(optimizer)


@pytest.mark.parametrize("target", ["weight_decay", "betas[0]"])
def test_an_optimizer_state_without_a_schedulers_entries_loads_under_it(target: str) -> None:
    """An optimizer's state that lacks the maxima loads under a live OneCycleLR, which goes on."""
    # Earlier versions of the library kept them in the proxy, and saved initial values alone.
    optimizer, plain = optimizer_of(target), optimizer_of("lr")
    schedule, reference = put(optimizer, target, one_cycle(0.75)), one_cycle(0.75)(plain)
    advance(schedule, 3)
    advance(reference, 3)
    saved = copy.deepcopy(optimizer.state_dict())
    for group in saved["param_groups"]:
        for key in ("max", "min"):
            del group[f"{key}_{target}"]
    optimizer.load_state_dict(saved)
    for _ in range(9):
        advance(schedule)
        advance(reference)
        assert held(optimizer, target) == held(plain)


@pytest.mark.parametrize(
    ("target", "as_kind"), crossed(["lr", "weight_decay", "betas[0]"], KINDS.values())
)
def test_an_optimizer_state_with_a_schedulers_entries_goes_through_torch_save(
    target: str, as_kind: Any
) -> None:
    """``torch.load(weights_only=True)`` reads an optimizer's state that a OneCycleLR has marked."""
    if as_kind is torch.tensor and TORCH < (2, 1):
        pytest.skip("torch 2.0 warns of its own storages when it loads a tensor")
    optimizer = optimizer_of(target, as_kind)
    advance(put(optimizer, target, one_cycle(0.75)), 4)
    state = optimizer.state_dict()
    loaded = through_torch_save(state)
    assert loaded == state
    other = optimizer_of(target, as_kind)
    other.load_state_dict(loaded)
    put(other, target, one_cycle(0.75, last_epoch=3))
    assert held(other, target) == held(optimizer, target)
