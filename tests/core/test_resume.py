"""A run that is stopped and resumed gives the values of a run that is not stopped."""

from __future__ import annotations

import copy
import itertools
import math
import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest
import torch
from cases import crossed, some
from helpers import (
    Untouched,
    adamw,
    add_group,
    advance,
    halving,
    held,
    ignore_epoch_deprecation,
    plateau_takes_groups,
    put,
    rows_in_a_run,
    sgd,
    through_a_file,
    through_json,
    values_in_a_run,
)
from target_helpers import KINDS, adamw_with, entries
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

# torch < 2.1 warns of a deprecation of its own where it loads a tensor with weights_only.
pytestmark = [
    ignore_epoch_deprecation,
    pytest.mark.filterwarnings("ignore:TypedStorage is deprecated:UserWarning"),
]
STEPS = 60
TARGETS = ("lr", "weight_decay", "betas[0]")
Make = Callable[[Any], Any]


def new_optimizer(as_kind: Any = float) -> torch.optim.AdamW:
    """An AdamW of two groups with different values; those of weight decay are of a kind."""
    return adamw(
        {"weight_decay": as_kind(0.1), "lr": 0.5}, {"weight_decay": as_kind(0.03), "lr": 0.25}
    )


def scheduled_values(optimizer: Any) -> list[tuple[float, ...]]:
    return list(zip(*(map(float, held(optimizer, target)) for target in TARGETS)))


@dataclass
class Halving:
    """A curve that halves, and has a ``repr`` of its own."""

    name: str

    def __call__(self, t: float) -> float:
        return halving(t)

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


class CallCounter:
    """A λ that remembers how often it was called, which is progress."""

    calls = 0

    def __call__(self, t: float) -> float:
        self.calls += 1
        return 0.95**self.calls


def plateau_in_mode(mode: Any, patience: int) -> Make:
    return lambda o: ReduceLROnPlateau(o, mode=mode, factor=0.5, patience=patience)


def nested_curves(optimizer: Any) -> SequentialLR:
    # Each SequentialLR leaves its waiting parts one more step before 0.
    inner = SequentialLR(optimizer, [tsa_core.CurveSchedule(optimizer, factor) for _ in "ab"], [3])
    return SequentialLR(optimizer, [inner, StepLR(optimizer, 2)], [6])


RESUMED = {
    **SCHEDULERS,
    "curves in SequentialLR in SequentialLR": nested_curves,
    "a plateau of accuracies": plateau_in_mode("max", 1),
    "LambdaLR with progress of its own": lambda o: LambdaLR(o, CallCounter()),
}


def three_members(optimizer: Any, name: str) -> tsa_core.SynchronousSchedule:
    """A curve, a torch scheduler through the factory, and a plateau, the last two nested."""
    patient = partial(ReduceLROnPlateau, factor=0.5, patience=3, cooldown=2)
    inner = tsa_core.SynchronousSchedule(
        [put(optimizer, "weight_decay", RESUMED[name]), put(optimizer, "betas[0]", patient)]
    )
    return tsa_core.SynchronousSchedule([inner, tsa_core.CurveSchedule(optimizer, factor)])


ORDERS = [
    "build, optimizer, schedules",
    "build, schedules, optimizer",
    "optimizer, build, schedules",
    "build, schedules",
]


@each_scheduler(RESUMED, order=ORDERS)
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
        optimizer = new_optimizer()
        for what in order.split(", "):
            if what == "build":
                schedule = three_members(optimizer, name)
            elif what == "optimizer":
                optimizer.load_state_dict(copy.deepcopy(states[0]))
            else:
                schedule.load_state_dict(states[1])
                at_once = {target: held(optimizer, target) for target in TARGETS}
                assert schedule.get_last_schedules() == at_once
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


@each_scheduler(RESUMED)
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
        assert through_a_file(saved[-1]) == saved[-1]


@ignore_order_when_nested
@pytest.mark.parametrize("steps", [1, 4, 8])
def test_curves_in_a_torch_scheduler_alone_are_resumed(steps: int) -> None:
    """Without a ``SynchronousSchedule``, before, between and after the milestones."""
    saved, resumed = (nested_curves(new_optimizer()) for _ in range(2))
    advance(saved, steps)
    resumed.optimizer.load_state_dict(copy.deepcopy(saved.optimizer.state_dict()))
    resumed.load_state_dict(copy.deepcopy(saved.state_dict()))
    assert values_in_a_run(resumed, 8) == values_in_a_run(saved, 8)


def test_a_saved_tensor_becomes_a_float_where_the_code_has_one() -> None:
    """With a tensor in the place of the float, a foreach step would fail."""
    saved, loaded = (
        sync_of(lambda o: LambdaLR(o, halving), sgd(lr=lr)) for lr in (torch.tensor(0.5), 3.0)
    )
    advance(saved)
    loaded.load_state_dict(saved.state_dict(), initial="saved")
    assert type(loaded.optimizer.param_groups[0]["lr"]) is float
    assert held(loaded.optimizer) == [0.25]
    advance(loaded)
    assert (loaded.get_last_lr(), loaded.schedules["lr"].base_lrs) == ([0.125], [0.5])


# -- a state that is refused ----------------------------------------------------------------------


def every_kind() -> tsa_core.SynchronousSchedule:
    """A curve, and torch schedulers on proxies, whose states hold all kinds of entries."""
    optimizer = adamw(*({"lr": lr, "x": 0.5, "y": 0.5} for lr in (0.5, 0.25)), weight_decay=0.1)
    members: dict[str, Make] = {
        "weight_decay": lambda p: StepLR(p, 2, 0.5),
        "eps": lambda p: SequentialLR(p, [StepLR(p, 2), MultiStepLR(p, [1])], [3]),
        "betas[0]": lambda p: LambdaLR(p, CallCounter()),
        "betas[1]": lambda p: ReduceLROnPlateau(p, min_lr=[0.0, 0.1]),
        "x": lambda p: CosineAnnealingWarmRestarts(p, 3),
        "y": lambda p: CyclicLR(p, 0.1, 0.5, cycle_momentum=False),
    }
    curve = tsa_core.CurveSchedule(optimizer, factor)
    return tsa_core.SynchronousSchedule([curve, *(put(optimizer, *m) for m in members.items())])


def lacking(key: str) -> Any:
    return lambda state: {k: v for k, v in state.items() if k != key}


def having(**entries: Any) -> Any:
    return lambda state: {**state, **entries}


def changed_first(change: Any) -> Any:
    """Change the state of the first part."""
    return lambda state: {
        **state,
        "_schedulers": [change(state["_schedulers"][0]), *state["_schedulers"][1:]],
    }


# The member whose state is changed, or "" for the state of all members.
REFUSED: list[tuple[str, Any, type[Exception], str]] = [
    ("", lambda _: None, TypeError, "expected a dict, got NoneType"),
    ("", lambda _: [], TypeError, "expected a dict, got list"),
    ("", lacking("eps"), KeyError, r"missing \['eps'\]"),
    ("", having(momentum={}), KeyError, r"unknown \['momentum'\]"),
    ("lr", lambda _: [1, 2], TypeError, "'lr': expected a dict, got list"),
    ("lr", lacking("last_epoch"), ValueError, r"'lr': missing \['last_epoch'\]"),
    ("lr", lambda _: {"lr_lambdas": 0}, ValueError, "'_step_count', 'base_lrs', 'last_epoch'"),
    ("lr", having(gamma=1.0), ValueError, r"'lr': .*unknown \['gamma'\]"),
    ("lr", lambda s: {**s, 3: 1, None: 2}, ValueError, r"'lr': .*unknown \[3, None\]"),
    ("lr", having(schedule_target="eps"), ValueError, "'lr': it was saved for 'eps'"),
    ("weight_decay", lambda _: [1, 2], TypeError, "expected a dict, got list"),
    ("weight_decay", lacking("_step_count"), ValueError, r"missing \['_step_count'\]"),
    ("weight_decay", lacking("last_epoch"), ValueError, r"missing \['last_epoch'\]"),
    ("weight_decay", lacking("_last_lr"), ValueError, r"missing \['_last_lr'\]"),
    ("weight_decay", having(T_max=9), ValueError, r"missing \[\], unknown \['T_max'\]"),
    ("weight_decay", lambda s: {**s, 3: 1}, ValueError, r"unknown \[3\]"),
    ("weight_decay", having(_last_lr=[0.1, math.inf]), ValueError, "'weight_.* inf is not"),
    ("eps", having(_milestones=None), TypeError, "'_milestones' is None"),
    ("eps", lacking("_schedulers"), ValueError, r"missing \['_schedulers'\]"),
    ("eps", having(_schedulers=2), ValueError, "expected 2 schedulers' states"),
    ("eps", having(_schedulers=[]), ValueError, "expected 2 schedulers' states"),
    ("eps", lambda s: {**s, "_schedulers": s["_schedulers"][::-1]}, ValueError, "missing"),
    ("eps", changed_first(having(_step_count=torch.ones(2))), TypeError, "'_step_count' is "),
    *(
        ("betas[0]", having(lr_lambdas=[each] * 2), (TypeError, ValueError), "'lr_lambdas'")
        for each in (1, "x", torch.ones(2))
    ),
]

# The entries of the states that hold numbers, and those that hold one item per group.
OF_EACH = ("lr", "weight_decay")
COUNTERS = [
    *itertools.product(OF_EACH, ("last_epoch", "_step_count")),
    *itertools.product(["x"], ("T_i", "T_cur")),
    *itertools.product(["betas[1]"], ("num_bad_epochs", "cooldown_counter")),
]
NUMBERS = [*COUNTERS, ("betas[1]", "best"), ("betas[1]", "threshold"), ("weight_decay", "gamma")]
NUMBERS += [("x", "eta_min")]
LISTS = [*itertools.product(OF_EACH, ("base_lrs", "_last_lr"))]
LISTS_OF_TORCH = [("betas[0]", "lr_lambdas"), ("betas[1]", "min_lrs"), ("y", "max_lrs")]
NOT_NUMBERS = ["x", None, True, [1.0], (), {}, {"a": 1.0}, 1j, Ellipsis]
NOT_NUMBERS += [torch.ones(2), torch.ones(1), torch.ones(2, 1), np.ones(2)]
NOT_COUNTS = [-1, -7, -1.5, math.nan, math.inf, np.int64(-1), torch.tensor(-1)]
NOT_LISTS = [[0.1], {0: 0.1, 1: 0.2}, np.ones(2), torch.ones(2), [0.1] * 3]
TORN = [
    *crossed(NUMBERS, NOT_NUMBERS, [(TypeError, "is not a real number")]),
    *crossed(LISTS, [[0.1, each] for each in some(NOT_NUMBERS, 4)], [(TypeError, "is not a real")]),
    *crossed(COUNTERS, NOT_COUNTS, [(ValueError, "(0 or later|is not finite)")]),
    *crossed(LISTS + LISTS_OF_TORCH, NOT_LISTS, [(ValueError, "for each of 2 param groups")]),
]
REFUSED += [
    (name, having(**{key: value}), error, rf"(?s)'{re.escape(name)}'.*'{key}' is .*{says}")
    for (name, key), value, (error, says) in TORN
]


@pytest.mark.parametrize(("name", "change", "error", "said"), REFUSED)
def test_a_state_that_does_not_fit_is_refused(
    name: str, change: Any, error: Any, said: str, untouched: Untouched
) -> None:
    """An error names the member and the entry that does not fit, and no member has moved."""
    saved, schedule = every_kind(), every_kind()
    advance(saved, 3, 1.0)
    state = copy.deepcopy(saved.state_dict())
    state = {**state, name: change(state[name])} if name else change(state)
    before = copy.deepcopy(schedule.state_dict())
    with untouched(schedule.optimizer), pytest.raises(error, match=said):
        schedule.load_state_dict(state)
    assert schedule.state_dict() == before
    advance(schedule, 1, 1.0)


@pytest.mark.parametrize(("name", "key"), [*COUNTERS, ("betas[1]", "best")])
def test_numbers_of_other_types_are_taken_for_numbers(name: str, key: str) -> None:
    """A state whose numbers some file format turned into tensors or NumPy numbers is loaded."""
    schedule = every_kind()
    for kind in (np.float64, np.int64, torch.tensor, float):
        state = copy.deepcopy(schedule.state_dict())
        state[name][key] = kind(2)
        schedule.load_state_dict(state)
        assert schedule.state_dict()[name][key] == 2


def load_changed_state(make: Make, change: Any) -> None:
    """Load the schedule's own state, in which one member's state is changed."""
    schedule = sync_of(make)
    state = copy.deepcopy(schedule.state_dict())
    schedule.load_state_dict({"lr": change(state["lr"])})


def test_a_plain_scheduler_refuses_a_state_that_is_not_finite() -> None:
    """A plain scheduler refuses a saved value that is not finite, as one on a proxy does."""
    with pytest.raises(ValueError, match="inf is not finite"):
        load_changed_state(step_lr, having(_last_lr=[0.1, math.inf]))


# -- a load that fails, and the caller's state ----------------------------------------------------


@pytest.mark.parametrize("by_hand", [7.0, torch.tensor(7.0)], ids=repr)
def test_a_load_that_fails_keeps_a_value_set_by_hand(by_hand: Any, untouched: Untouched) -> None:
    """A failed load leaves also a value that the schedule did not write, as the same object."""
    optimizer = new_optimizer()
    schedule = sync_of(step_lr, optimizer)
    state = copy.deepcopy(schedule.state_dict())
    state["lr"]["gamma"] = 0.5
    optimizer.param_groups[0]["lr"] = by_hand
    # The warning is an error, because the tests make it one.
    with untouched(optimizer), pytest.raises(UserWarning, match="gamma"):
        schedule.load_state_dict(state)
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


@pytest.mark.parametrize("gamma", [0.1, 0.25])  # the same plan, and another one
@pytest.mark.filterwarnings("ignore:.*goes on under:UserWarning")
def test_any_mapping_is_a_state_and_is_left_alone(gamma: float) -> None:
    """A read-only mapping is loaded like a dict, although torch removes entries from it."""
    saved, loaded = every_kind(), every_kind()
    advance(saved, 1, 1.0)
    state = saved.state_dict()
    state["eps"] = changed_first(having(gamma=gamma))(state["eps"])
    before = copy.deepcopy(state)
    read_only = {name: MappingProxyType(each) for name, each in state.items()}
    loaded.load_state_dict(MappingProxyType(read_only))
    assert state == before
    assert (loaded.state_dict() == before) is (gamma == 0.1)


# -- a different plan -----------------------------------------------------------------------------


@dataclass
class Attenuation:
    """A ``scale_fn`` that is an object, with a setting."""

    base: float

    def __call__(self, x: float) -> float:
        return float(self.base**x)


def cyclic(**settings: Any) -> Make:
    return lambda o: CyclicLR(o, 0.01, 0.5, 4, cycle_momentum=False, **settings)


MODES = ["triangular", "triangular2", "exp_range"]
CYCLES = {
    **{mode: cyclic(mode=mode, gamma=0.9) for mode in MODES},
    "a function": cyclic(scale_fn=halving),
    "an object": cyclic(scale_fn=Attenuation(0.75)),
    "an object, by iterations": cyclic(scale_fn=Attenuation(0.75), scale_mode="iterations"),
    "a higher base": lambda o: CyclicLR(o, 0.05, 0.5, 4, cycle_momentum=False),
}
RESTARTS = {
    str(each): partial(CosineAnnealingWarmRestarts, **each)
    for each in ({"T_0": 10}, {"T_0": 3}, {"T_0": 3, "T_mult": 2}, {"T_0": 3, "T_mult": 3})
}


def changes_of(names: list[str]) -> list[tuple[str, str]]:
    """Each of the names, and the name that comes after it, or with all names each other one."""
    return [(old, new) for old, new in crossed(names, names[1:] + names[:1]) if old != new]


@pytest.mark.parametrize(("old", "new"), changes_of([*CYCLES]) + changes_of([*RESTARTS]))
def test_a_cycle_with_different_settings_goes_on_as_if_it_always_had_them(
    old: str, new: str
) -> None:
    """A resumed cycle warns, and gives the numbers of a run that always had the new settings."""
    if TORCH < (2, 4) and "an object" in new:
        pytest.skip("torch < 2.4 saves the object itself")
    plain, makers = new_optimizer(), {**CYCLES, **RESTARTS}
    saved, resumed = (sync_through_factory(makers[name], "weight_decay") for name in (old, new))
    for group, initial in zip(plain.param_groups, held(saved.optimizer, "initial_weight_decay")):
        group["lr"] = initial
    reference = makers[new](plain)
    advance(saved, 7)
    advance(reference, 7)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        resumed.load_state_dict(copy.deepcopy(saved.state_dict()))
    said = [str(warning.message) for warning in caught]
    modes = f"'mode': '{old}'.* goes on under .*'mode': '{new}'"
    shown = modes if {old, new} <= {*MODES} else " goes on under "
    # torch does not save every scale_fn, so another one may be loaded in silence.
    assert len(said) == 1 or (not said and ("a function" in (old, new) or "an object" in old + new))
    assert all(re.search(f"'weight_decay' .*was saved under .*{shown}", each) for each in said)
    assert resumed.get_last_schedules() == saved.get_last_schedules()
    advance(resumed), advance(reference)
    assert rows_in_a_run(resumed, 20) == {"weight_decay": values_in_a_run(reference, 20)}


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
    assert values_in_a_run(resumed, 10) == values_in_a_run(plain, 10)


def test_a_plateau_in_the_other_mode_forgets_the_best_metric() -> None:
    """The best loss is not the best accuracy, so a plateau in the other mode starts anew."""
    losses, accuracies = (sync_of(plateau_in_mode(mode, 2)) for mode in ("min", "max"))
    for loss in (2.5, 2.4, 2.4):
        advance(losses, 1, loss)
    with pytest.warns(UserWarning, match="'mode': 'max'"):
        accuracies.load_state_dict(losses.state_dict())
    for accuracy in (0.1, 0.2, 0.3, 0.4, 0.5):
        advance(accuracies, 1, accuracy)
    assert accuracies.get_last_lr() == [0.5, 0.25]


def sequence_of_lambdas(*milestones: int) -> tsa_core.SynchronousSchedule:
    """A SequentialLR of parts that are alike."""
    return sync_of(
        lambda o: SequentialLR(o, [LambdaLR(o, factor) for _ in (*milestones, 0)], [*milestones])
    )


@pytest.mark.parametrize(("old", "new"), [([6], [3]), ([3], [8]), ([2, 9], [3, 9])])
def test_a_milestone_that_was_passed_cannot_change(
    old: list[int], new: list[int], untouched: Untouched
) -> None:
    """A passed milestone decides where each part stands, so a different one is an error."""
    saved, resumed = sequence_of_lambdas(*old), sequence_of_lambdas(*new)
    advance(saved, 5)
    says = r"up to step 5, .* milestones were .* and are .* now"
    with untouched(resumed.optimizer), pytest.raises(ValueError, match=says):
        resumed.load_state_dict(saved.state_dict())


def test_a_milestone_ahead_can_change() -> None:
    """A milestone that was not passed is plan: the one in the code holds, with a warning."""
    saved, resumed = sequence_of_lambdas(2, 9), sequence_of_lambdas(2, 7)
    advance(saved, 5)
    with pytest.warns(UserWarning, match="goes on under"):
        resumed.load_state_dict(saved.state_dict())
    advance(resumed, 3)
    assert resumed.get_last_lr() == pytest.approx([0.5 * factor(1), 0.25 * factor(1)], rel=1e-12)


# -- the same plan --------------------------------------------------------------------------------


def a_local_function(optimizer: Any) -> Any:
    """A function is compared by name, since its address differs in another process."""

    def local(t: float) -> float:
        return 0.5**t

    return tsa_core.CurveSchedule(optimizer, local)


def step_lr(optimizer: Any) -> StepLR:
    return StepLR(optimizer, 2)


def in_sequence(make: Any, milestones: Any) -> Make:
    return lambda o: SequentialLR(o, [make(o), StepLR(o, 3)], milestones)


def curve_of_text(text: str) -> Make:
    return lambda o: tsa_core.CurveSchedule(o, Halving(text))


def at_milestones(*milestones: int) -> Make:
    return lambda o: MultiStepLR(o, milestones, 0.5)


ALIKE = [a_local_function, curve_of_text("C(1)"), at_milestones(2, 5, 5)]
ALIKE += [in_sequence(at_milestones(2, 5, 5), [9])]
SPELLINGS = [(3,), [np.int64(3)], range(3, 4), np.array([3])]


@pytest.mark.parametrize(
    ("saved", "loaded"),
    [
        *((make, make) for make in ALIKE),
        *((in_sequence(step_lr, [3]), in_sequence(step_lr, each)) for each in SPELLINGS),
        (lambda o: StepLR(o, 2, 1), lambda o: StepLR(o, 2.0, 1.0)),  # type: ignore[arg-type]
    ],
)
def test_plans_that_are_equal_as_data_load_silently(saved: Make, loaded: Make) -> None:
    """A plan is the same if its text and numbers are, also after JSON, and the run goes on."""
    # JSON makes lists of tuples, and strings of the milestones of a MultiStepLR.
    for make, format in ((saved, copy.deepcopy), (loaded, copy.deepcopy), (saved, through_json)):
        run, resumed = sync_of(make), sync_of(loaded)
        advance(run)
        resumed.load_state_dict(format(run.state_dict()))
        assert values_in_a_run(resumed, 8) == values_in_a_run(run, 8)


TEXTS, OTHERS = ("C(-1)", "D(1)", "C(1.0)"), ([2, 6], [2, 5], [5, 5, 2, 2])


@pytest.mark.parametrize(
    ("saved", "loaded", "said"),
    [
        *((curve_of_text("C(1)"), curve_of_text(each), ("C(1)", each)) for each in TEXTS),
        *((at_milestones(2, 5, 5), at_milestones(*each), ("milestones",) * 2) for each in OTHERS),
    ],
)
def test_plans_that_differ_warn(saved: Make, loaded: Make, said: tuple[str, str]) -> None:
    """One warning names both plans, if a text, a step, or how often it stands there differs."""
    run, resumed = sync_of(saved), sync_of(loaded)
    advance(run)
    both = ".* goes on under .*".join(map(re.escape, said))
    with pytest.warns(UserWarning, match=both) as caught:
        resumed.load_state_dict(through_json(run.state_dict()))
    assert [each.filename for each in caught] == [__file__]
    assert resumed.get_last_lr() == run.get_last_lr()  # until the next step


@pytest.mark.parametrize(
    ("name", "saved"),
    [
        *(("a function", each) for each in (None, halving)),  # by torch >= 2.4, and before
        *(("an object", each) for each in ({"base": 0.75}, Attenuation(0.75), None, halving)),
    ],
)
def test_a_scale_function_is_the_same_plan_in_the_state_of_any_torch(name: str, saved: Any) -> None:
    """A CyclicLR with a ``scale_fn`` loads the state of any torch; other attributes warn."""
    if TORCH < (2, 4) and name == "an object":
        pytest.skip("torch < 2.4 saves the object itself")
    load_changed_state(CYCLES[name], having(_scale_fn_custom=saved))
    if isinstance(saved, dict):
        with pytest.warns(UserWarning, match=r"'_scale_fn_custom': \{'base': 0.5\}"):
            load_changed_state(CYCLES[name], having(_scale_fn_custom={"base": 0.5}))


# -- other torch versions and other people's schedulers -------------------------------------------


@pytest.mark.parametrize("value", [7, -1, None, 2.5, "x"])
def test_progress_that_a_newer_torch_adds_is_loaded(
    value: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A private entry that this library does not know is loaded with the rest, of any kind."""
    original = StepLR.get_lr

    def get_lr(self: Any) -> Any:
        self._news = 3 if self.last_epoch < 2 else value
        return original(self)

    def build() -> tsa_core.SynchronousSchedule:
        optimizer = new_optimizer()
        alone, in_one = put(optimizer, "eps", step_lr), in_sequence(step_lr, [9])
        return tsa_core.SynchronousSchedule([alone, put(optimizer, "weight_decay", in_one)])

    monkeypatch.setattr(StepLR, "get_lr", get_lr)
    saved, resumed = build(), build()
    advance(saved, 3)
    resumed.load_state_dict(copy.deepcopy(saved.state_dict()))
    alone, sequence = resumed.schedules.values()
    assert alone._news == sequence._schedulers[0]._news == value


def test_entries_of_other_torch_versions_may_be_there_or_not() -> None:
    """A state may hold what only another torch saves, and lack what torch began to save later."""
    for key in ("verbose", "anneal_func", "default_min_lr", "_private"):
        load_changed_state(step_lr, having(**{key: None}))
    load_changed_state(one_cycle(0.5), lacking("_anneal_func_type"))
    load_changed_state(ReduceLROnPlateau, lacking("default_min_lr"))
    # torch < 2.3 saves no values before the first step.
    load_changed_state(ReduceLROnPlateau, lacking("_last_lr"))


class UsersStepLR(StepLR):
    """A user's scheduler: only the user knows which attributes are plan and which progress."""


class NamesLikeTorchs(StepLR):
    """A user's scheduler with attributes that have torch's names and hold other things."""

    def __init__(self, optimizer: Any) -> None:
        super().__init__(optimizer, 2)
        self._milestones: Any = {3: 0.1}
        self._schedulers: Any = {"a": 1}


def test_a_users_scheduler_is_loaded_as_it_defines() -> None:
    """It loads all of its state without a warning, and its attributes may have torch's names."""
    saved, loaded = (sync_of(lambda o, n=n: UsersStepLR(o, n)) for n in (2, 3))
    loaded.load_state_dict(saved.state_dict())
    assert loaded.schedules["lr"].step_size == 2
    saved, resumed = (sync_of(NamesLikeTorchs) for _ in range(2))
    advance(saved, 3)
    resumed.load_state_dict(saved.state_dict())
    assert resumed.get_last_lr() == saved.get_last_lr()
    resumed.schedules["lr"]._schedulers = None
    without = tsa_core.SynchronousSchedule([resumed.schedules["lr"]])
    without.load_state_dict(without.state_dict())


@plateau_takes_groups
def test_a_plateau_that_a_group_has_joined_is_resumed() -> None:
    """A state that was taken after a group joined loads, although it holds one ``min_lr`` less."""

    # torch repeats min_lr for the new group only when the plateau reduces next.
    def build(num_groups: int) -> Any:
        return sync_through_factory(plateau_in_mode("min", 1), "lr", sgd(*[{}] * num_groups))

    sync = build(1)
    advance(sync, 1, 1.0)
    add_group(sync.optimizer, lr=0.25)
    advance(sync, 1, 1.0)
    resumed = build(2)
    resumed.load_state_dict(sync.state_dict())
    for each in (sync, resumed):
        advance(each, 1, 1.0)
        assert each.get_last_lr() == [0.25, 0.125]


# -- torch's way to resume without the scheduler's state ------------------------------------------


def one_cycle(maximum: float, **settings: Any) -> Make:
    return lambda optimizer: OneCycleLR(
        optimizer, [maximum, maximum / 2], total_steps=20, cycle_momentum=False, **settings
    )


MAXIMA = {"lr": 0.75, "weight_decay": 0.625, "eps": 0.5, "betas[0]": 0.875}


def one_cycles(as_kind: Any, state: Any = None, **settings: Any) -> tsa_core.SynchronousSchedule:
    """A OneCycleLR on each target, of an optimizer that has loaded the state if there is one."""
    groups: list[dict[str, Any]] = [
        {key: each for target in MAXIMA for key, each in entries(target, as_kind(value)).items()}
        for value in (0.5, 0.25)
    ]
    optimizer = adamw(*groups, foreach=False)
    if state is not None:
        optimizer.load_state_dict(state)
    return tsa_core.SynchronousSchedule(
        [put(optimizer, target, one_cycle(m, **settings)) for target, m in MAXIMA.items()]
    )


@pytest.mark.parametrize(("steps", "kind"), crossed([1, 4, 12], KINDS))
def test_one_cycles_resumed_with_last_epoch_have_torchs_numbers(steps: int, kind: str) -> None:
    """``OneCycleLR(proxy, last_epoch=k)`` on an optimizer from a file goes on as on ``lr``."""
    as_kind = KINDS[kind]
    whole = one_cycles(as_kind)
    advance(whole, steps)
    state = whole.optimizer.state_dict()
    resumed = one_cycles(as_kind, through_a_file(state), last_epoch=steps - 1)
    # torch < 2.4 puts floats in the place of tensors, and the library fills the tensors.
    rel = 1e-6 if kind == "tensor" and TORCH < (2, 4) else 0
    expected = {}
    for target, maximum in MAXIMA.items():
        reference = one_cycle(maximum)(adamw_with("lr", as_kind(0.5), as_kind(0.25), foreach=False))
        advance(reference, steps)
        values = values_in_a_run(reference, 6)
        expected[target] = [pytest.approx(row, rel=rel, abs=0) for row in values]
    assert rows_in_a_run(resumed, 6) == expected
    assert rows_in_a_run(whole, 6) == expected


@pytest.mark.parametrize("target", ["weight_decay", "betas[0]"])
def test_an_optimizer_state_without_a_schedulers_entries_loads_under_it(target: str) -> None:
    """An optimizer's state that lacks the maxima loads under a live OneCycleLR, which goes on."""
    # Earlier versions of the library kept them in the proxy, and saved initial values alone.
    optimizer = adamw_with(target, 0.5, 0.25)
    schedule = put(optimizer, target, one_cycle(0.75))
    reference = one_cycle(0.75)(adamw_with("lr", 0.5, 0.25))
    advance(schedule, 3)
    advance(reference, 3)
    saved = copy.deepcopy(optimizer.state_dict())
    for group in saved["param_groups"]:
        for key in ("max", "min"):
            del group[f"{key}_{target}"]
    optimizer.load_state_dict(saved)
    assert values_in_a_run(schedule, 9) == values_in_a_run(reference, 9)
