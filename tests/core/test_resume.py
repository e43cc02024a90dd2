"""A run that is stopped and resumed is the run that was not stopped."""

from __future__ import annotations

import copy
import io
import json
import warnings
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import Parameter
from torch.optim.lr_scheduler import (
    CosineAnnealingWarmRestarts,
    CyclicLR,
    ExponentialLR,
    LambdaLR,
    MultiStepLR,
    OneCycleLR,
    ReduceLROnPlateau,
    SequentialLR,
    StepLR,
)
from torch_schedulers import SCHEDULERS, TORCH, factor

import tsa_core

# torch < 2.9 warns of its own SequentialLR, which passes itself a deprecated epoch; and nested,
# torch's SequentialLR warns of the order of steps in its own constructor.
pytestmark = [
    pytest.mark.filterwarnings("ignore:The epoch parameter in `scheduler.step:UserWarning"),
]
NESTED = "SequentialLR in SequentialLR"
STEPS = 60


def loss(t: int) -> float:
    """Falls, stalls for longer than any patience, and falls again."""
    return 1.0 / (1 + t % 17)


def new_optimizer() -> torch.optim.Optimizer:
    groups = [
        {"params": [Parameter(torch.ones(1))], "weight_decay": w, "lr": lr}
        for w, lr in ((0.1, 0.5), (0.03, 0.25))
    ]
    return torch.optim.AdamW(groups)


def mixed(optimizer: Any, name: str) -> tsa_core.SynchronousSchedule:
    """A curve, a torch scheduler through the factory, and a plateau, the last two nested."""
    put = tsa_core.arbitrary_schedule_factory
    inner = tsa_core.SynchronousSchedule(
        [
            put(optimizer, SCHEDULERS[name], schedule_target="weight_decay"),
            put(
                optimizer,
                lambda proxy: ReduceLROnPlateau(proxy, factor=0.5, patience=3, cooldown=2),
                schedule_target="betas[0]",
            ),
        ]
    )
    return tsa_core.SynchronousSchedule([inner, tsa_core.CurveSchedule(optimizer, factor)])


def held(optimizer: Any) -> list[tuple[float, float, float]]:
    return [(g["lr"], g["weight_decay"], g["betas"][0]) for g in optimizer.param_groups]


def load_optimizer(optimizer: Any, state: Any) -> None:
    optimizer.load_state_dict(copy.deepcopy(state))


def resumed(order: str, name: str, optimizer_state: Any, schedule_state: Any) -> Any:
    """A fresh optimizer and fresh schedules, with what was saved put in, in that order."""
    optimizer = new_optimizer()
    if order == "optimizer loaded before building":
        load_optimizer(optimizer, optimizer_state)
    schedule = mixed(optimizer, name)
    if order == "optimizer, schedules":
        load_optimizer(optimizer, optimizer_state)
    schedule.load_state_dict(schedule_state)
    assert schedule.get_last_schedules() == {
        "weight_decay": [group["weight_decay"] for group in optimizer.param_groups],
        "betas[0]": [group["betas"][0] for group in optimizer.param_groups],
        "lr": [group["lr"] for group in optimizer.param_groups],
    }
    if order == "schedules, optimizer":
        load_optimizer(optimizer, optimizer_state)
    return optimizer, schedule


@pytest.mark.parametrize(
    "order",
    [
        "optimizer, schedules",
        "schedules, optimizer",
        "optimizer loaded before building",
        "schedules alone",
    ],
)
@pytest.mark.parametrize("name", SCHEDULERS)
def test_resumed_at_every_step(
    name: str, order: str, recwarn: pytest.WarningsRecorder, request: pytest.FixtureRequest
) -> None:
    """Bit for bit, the next values are the uninterrupted run's, and at once the reported ones."""
    if name == NESTED:
        request.node.add_marker(
            pytest.mark.filterwarnings("ignore:Detected call of `lr_scheduler:UserWarning")
        )
    optimizer = new_optimizer()
    schedule = mixed(optimizer, name)
    values, saved = [], []
    for t in range(STEPS):
        values.append(held(optimizer))
        saved.append(copy.deepcopy((optimizer.state_dict(), schedule.state_dict())))
        optimizer.step()
        schedule.step(loss(t))
    assert len({str(value) for value in values}) > STEPS / 2  # it moves
    for k, states in enumerate(saved):
        optimizer, schedule = resumed(order, name, *states)
        for t in range(k, min(k + 8, STEPS)):
            assert held(optimizer) == values[t]
            optimizer.step()
            schedule.step(loss(t))


def through_torch_save(state: Any) -> Any:
    file = io.BytesIO()
    torch.save(state, file)
    file.seek(0)
    return torch.load(file, weights_only=True)


# What torch before this version keeps in the state of these, its own weights_only refuses.
READABLE_SINCE = {
    "MultiStepLR": (2, 6),
    "CyclicLR": (2, 6),
    "OneCycleLR": (2, 6),
    "OneCycleLR in three phases": (2, 6),
    "SWALR": (2, 13),
}


@pytest.mark.filterwarnings("ignore:Detected call of `lr_scheduler:UserWarning")  # as above
@pytest.mark.parametrize("name", [n for n in SCHEDULERS if READABLE_SINCE.get(n, (2, 0)) <= TORCH])
def test_state_goes_through_torch_save(name: str) -> None:
    """And torch.load(weights_only=True) gives it back unchanged."""
    state = mixed(new_optimizer(), name).state_dict()
    assert through_torch_save(state) == state


def test_state_of_a_curve_goes_through_json() -> None:
    """Numbers, strings and lists alone; a tensor target's too."""
    optimizer = torch.optim.AdamW([Parameter(torch.ones(1))], lr=torch.tensor(0.1))
    schedule = tsa_core.CurveSchedule(optimizer, factor)
    state = schedule.state_dict()
    assert json.loads(json.dumps(state)) == state
    schedule.load_state_dict(json.loads(json.dumps(state)))


def test_a_tensor_target_resumes_as_the_same_tensor() -> None:
    """Loading fills it in place, as a step does."""
    optimizer = torch.optim.SGD([Parameter(torch.ones(1))], lr=torch.tensor(0.5))
    tensor = optimizer.param_groups[0]["lr"]
    schedule = tsa_core.CurveSchedule(optimizer, lambda t: 0.5**t)
    optimizer.step()
    schedule.step()
    state = schedule.state_dict()
    optimizer.step()
    schedule.step()
    schedule.load_state_dict(state)
    assert optimizer.param_groups[0]["lr"] is tensor
    assert float(tensor) == 0.25


def test_the_callers_state_is_left_alone() -> None:
    """Torch takes entries out of the dict it is given; not out of the user's."""
    schedule = mixed(new_optimizer(), "CyclicLR")
    state = schedule.state_dict()
    before = copy.deepcopy(state)
    schedule.load_state_dict(state)
    assert state == before


# -- what is refused ---------------------------------------------------------------------------


def curve_and_step() -> tsa_core.SynchronousSchedule:
    optimizer = new_optimizer()
    put = tsa_core.arbitrary_schedule_factory
    return tsa_core.SynchronousSchedule(
        [
            put(optimizer, lambda p: StepLR(p, 2, 0.5), schedule_target="weight_decay"),
            put(
                optimizer,
                lambda p: SequentialLR(p, [StepLR(p, 2), MultiStepLR(p, [1])], [3]),
                schedule_target="eps",
            ),
            tsa_core.CurveSchedule(optimizer, factor),
        ]
    )


def without(key: str) -> Any:
    return lambda member: {k: v for k, v in member.items() if k != key}


def with_(**entries: Any) -> Any:
    return lambda member: {**member, **entries}


@pytest.mark.parametrize(
    ("name", "change", "error", "says"),
    [
        ("lr", without("last_epoch"), ValueError, r"'lr': missing \['last_epoch'\]"),
        ("lr", lambda _: {"lr_lambdas": 0}, ValueError, "'_step_count', 'base_lrs', 'last_epoch'"),
        ("lr", with_(_step_count="x"), TypeError, "'lr': _step_count: 'x'"),
        ("lr", with_(_step_count=-3), ValueError, "'lr': _step_count: .* 0 or later, got -3"),
        ("lr", with_(base_lrs={0.1: 1, 0.2: 2}), ValueError, "'lr': 'base_lrs' is"),
        ("weight_decay", with_(_step_count="x"), TypeError, "'x'"),
        ("weight_decay", without("_step_count"), ValueError, r"missing \['_step_count'\]"),
        ("eps", with_(_schedulers=2), ValueError, "expected 2 schedulers' states"),
        ("lr", with_(gamma=1.0), ValueError, r"'lr': .*unknown \['gamma'\]"),
        ("lr", with_(last_epoch="3"), TypeError, "'lr': last_epoch: '3'"),
        ("lr", with_(last_epoch=None), TypeError, "'lr': last_epoch: None"),
        ("lr", with_(last_epoch=float("nan")), ValueError, "'lr': last_epoch: nan"),
        ("lr", with_(last_epoch=-7), ValueError, "'lr': last_epoch: .* 0 or later, got -7"),
        ("lr", lambda s: {**s, 3: 1, None: 2}, ValueError, r"'lr': .*unknown \[3, None\]"),
        ("weight_decay", lambda s: {**s, 3: 1}, ValueError, r"unknown \[3\]"),
        ("lr", with_(base_lrs=[0.1]), ValueError, r"'lr': 'base_lrs' is \[0.1\]; there are 2"),
        ("lr", with_(_last_lr=[0.1] * 3), ValueError, "'lr': '_last_lr' is"),
        ("lr", with_(_last_lr=[0.1, "x"]), TypeError, "'lr': 'x'"),
        ("lr", with_(schedule_target="eps"), ValueError, "'lr': it was saved for 'eps'"),
        ("lr", lambda _: [1, 2], TypeError, "'lr': expected a dict, got list"),
        ("weight_decay", without("last_epoch"), ValueError, r"missing \['last_epoch'\]"),
        ("weight_decay", without("_last_lr"), ValueError, r"missing \['_last_lr'\]"),
        ("weight_decay", with_(T_max=9), ValueError, r"missing \[\], unknown \['T_max'\]"),
        ("weight_decay", with_(base_lrs=[0.1]), ValueError, "'base_lrs' is .*2 param groups"),
        ("weight_decay", with_(_last_lr=[0.1, float("inf")]), ValueError, "'weight_.* inf is not"),
        ("weight_decay", with_(last_epoch="x"), TypeError, "state of .* 'weight_decay' .*'x'"),
        ("weight_decay", lambda _: None, TypeError, "expected a dict, got NoneType"),
        ("weight_decay", lambda _: [1, 2], TypeError, "expected a dict, got list"),
        ("eps", with_(_schedulers=[]), ValueError, "expected 2 schedulers' states"),
        ("eps", with_(_milestones=None), TypeError, "'_milestones' is None"),
        ("eps", without("_schedulers"), ValueError, r"missing \['_schedulers'\]"),
        ("eps", lambda s: {**s, "_schedulers": s["_schedulers"][::-1]}, ValueError, "missing"),
    ],
)
def test_state_that_does_not_fit(name: str, change: Any, error: Any, says: str) -> None:
    """Torn, foreign or mis-sized: named, before any member has moved."""
    other = curve_and_step()
    for _ in range(3):
        other.optimizer.step()
        other.step()
    state = copy.deepcopy(other.state_dict())
    state[name] = change(state[name])
    schedule = curve_and_step()
    groups, before = copy.deepcopy(held(schedule.optimizer)), copy.deepcopy(schedule.state_dict())
    with pytest.raises(error, match=says):
        schedule.load_state_dict(state)
    assert held(schedule.optimizer) == groups
    assert schedule.state_dict() == before
    schedule.optimizer.step()
    schedule.step()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda s: s.pop("eps"), r"missing \['eps'\]"),
        (lambda s: s.update(momentum={}), r"unknown \['momentum'\]"),
    ],
)
def test_exactly_the_members_names(change: Any, says: str) -> None:
    """No member without state, and no state without a member."""
    schedule = curve_and_step()
    state = schedule.state_dict()
    change(state)
    with pytest.raises(KeyError, match=says):
        schedule.load_state_dict(state)


@pytest.mark.parametrize("state", [None, [], "lr"])
def test_no_dict_at_all(state: Any) -> None:
    """A TypeError that says what came."""
    with pytest.raises(TypeError, match=f"expected a dict, got {type(state).__name__}"):
        curve_and_step().load_state_dict(state)


class Quarter(StepLR):
    """A scheduler with a load of its own, which fails."""

    def load_state_dict(self, state_dict: Any) -> None:
        if state_dict["last_epoch"]:
            raise OSError("torn")
        super().load_state_dict(state_dict)


def test_a_load_that_fails_puts_the_others_back() -> None:
    """Members that had loaded already are where they were."""

    def build() -> tsa_core.SynchronousSchedule:
        optimizer = new_optimizer()
        quarter = tsa_core.arbitrary_schedule_factory(
            optimizer, lambda p: Quarter(p, 1), schedule_target="weight_decay"
        )
        return tsa_core.SynchronousSchedule([tsa_core.CurveSchedule(optimizer, factor), quarter])

    moved, schedule = build(), build()
    moved.optimizer.step()
    moved.step()
    before = held(schedule.optimizer), copy.deepcopy(schedule.state_dict())
    with pytest.raises(OSError, match="torn"):
        schedule.load_state_dict(moved.state_dict())
    assert (held(schedule.optimizer), schedule.state_dict()) == before


# -- another plan ------------------------------------------------------------------------------


class Halving:
    def __init__(self, every: int) -> None:
        self.every = every

    def __call__(self, t: float) -> float:
        return 0.5 ** (t // self.every)

    def __repr__(self) -> str:
        return f"Halving({self.every})"


def test_another_curve_goes_on_with_the_one_in_the_code() -> None:
    """One warning that names both; the saved value holds until the next step."""
    old, new = (
        tsa_core.SynchronousSchedule([tsa_core.CurveSchedule(new_optimizer(), Halving(every))])
        for every in (1, 2)
    )
    for _ in range(4):
        old.optimizer.step()
        old.step()
    with pytest.warns(UserWarning, match=r"Halving\(1\) and goes on under Halving\(2\)") as caught:
        new.load_state_dict(old.state_dict())
    assert len(caught) == 1
    assert caught[0].filename == __file__
    assert new.get_last_lr() == [0.5 * 0.5**4, 0.25 * 0.5**4]
    new.optimizer.step()
    new.step()
    assert new.get_last_lr() == [0.5 * 0.5**2, 0.25 * 0.5**2]


def test_another_plan_of_a_torch_scheduler() -> None:
    """The same rule: the step size in the code goes on, and the warning names both."""

    def build(step_size: int) -> tsa_core.SynchronousSchedule:
        optimizer = new_optimizer()
        schedule = tsa_core.arbitrary_schedule_factory(
            optimizer, lambda p: StepLR(p, step_size, 0.5), schedule_target="weight_decay"
        )
        return tsa_core.SynchronousSchedule([schedule])

    old, new = build(2), build(3)
    for _ in range(2):
        old.optimizer.step()
        old.step()
    with pytest.warns(UserWarning, match=r"'step_size': 2.*'step_size': 3") as caught:
        new.load_state_dict(old.state_dict())
    assert len(caught) == 1
    assert new.get_last_schedule("weight_decay") == [0.05, 0.015]
    new.optimizer.step()
    new.step()
    assert new.get_last_schedule("weight_decay") == [0.025, 0.0075]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (
            lambda o: CosineAnnealingWarmRestarts(o, 10),
            lambda o: CosineAnnealingWarmRestarts(o, 3, T_mult=2),
        ),
        (lambda o: CosineAnnealingWarmRestarts(o, 10), lambda o: CosineAnnealingWarmRestarts(o, 3)),
        (
            lambda o: CosineAnnealingWarmRestarts(o, 3, T_mult=3),
            lambda o: CosineAnnealingWarmRestarts(o, 3, T_mult=2),
        ),
        (
            lambda o: CyclicLR(o, 0.01, 0.5, 4, cycle_momentum=False),
            lambda o: CyclicLR(o, 0.05, 0.5, 4, cycle_momentum=False),
        ),
    ],
)
def test_another_plan_of_a_cycle(old: Any, new: Any) -> None:
    """It goes on as if it had been the plan all along, as torch's own run of it has it."""
    put = tsa_core.arbitrary_schedule_factory
    saved, resumed, plain = new_optimizer(), new_optimizer(), new_optimizer()
    schedule = tsa_core.SynchronousSchedule([put(saved, old, schedule_target="weight_decay")])
    for group, other in zip(plain.param_groups, saved.param_groups):
        group["lr"] = other["initial_weight_decay"]
    reference = new(plain)
    for _ in range(7):
        saved.step(), plain.step(), schedule.step(), reference.step()
    going_on = tsa_core.SynchronousSchedule([put(resumed, new, schedule_target="weight_decay")])
    with pytest.warns(UserWarning, match="'weight_decay' .* was saved under .* and goes on under"):
        going_on.load_state_dict(schedule.state_dict())
    assert going_on.get_last_schedule("weight_decay") == schedule.get_last_schedule("weight_decay")
    for _ in range(20):
        resumed.step(), plain.step(), going_on.step(), reference.step()
        assert going_on.get_last_schedule("weight_decay") == reference.get_last_lr()


@pytest.mark.parametrize("by_hand", [7.0, torch.tensor(7.0)], ids=["float", "tensor"])
def test_a_load_that_fails_leaves_the_optimizers_own_values(by_hand: Any) -> None:
    """Also those that the schedule did not put there: a learning rate set by hand."""
    optimizer = new_optimizer()
    schedule = tsa_core.SynchronousSchedule([StepLR(optimizer, 2)])
    state = copy.deepcopy(schedule.state_dict())
    state["lr"]["gamma"] = 0.5
    optimizer.param_groups[0]["lr"] = by_hand
    with pytest.raises(UserWarning, match="gamma"):  # as an error, which it is in these tests
        schedule.load_state_dict(state)
    assert [group["lr"] for group in optimizer.param_groups] == [7.0, 0.25]
    assert optimizer.param_groups[0]["lr"] is by_hand


def test_loading_a_curve_touches_its_target_alone() -> None:
    """On the optimizer itself, where ``lr`` is another entry."""
    saved, loaded = (
        tsa_core.SynchronousSchedule(
            [tsa_core.CurveSchedule(new_optimizer(), factor, "weight_decay")]
        )
        for _ in range(2)
    )
    saved.optimizer.step(), saved.step()
    loaded.load_state_dict(saved.state_dict())
    assert held(loaded.optimizer) == [(0.5, 0.1 * 0.95, 0.9), (0.25, 0.03 * 0.95, 0.9)]


def test_any_mapping_is_a_state() -> None:
    """One that cannot be copied, too."""
    saved, loaded = curve_and_step(), curve_and_step()
    saved.optimizer.step(), saved.step()
    state = {name: MappingProxyType(each) for name, each in saved.state_dict().items()}
    loaded.load_state_dict(MappingProxyType(state))
    assert loaded.state_dict() == saved.state_dict()


def test_a_float_stays_one_where_the_state_holds_a_tensor() -> None:
    """A foreach step refuses a tensor that came in the place of its float."""
    tensors = torch.optim.AdamW([Parameter(torch.ones(1))], lr=torch.tensor(0.5))
    saved = tsa_core.SynchronousSchedule([StepLR(tensors, 2)]).state_dict()
    optimizer = torch.optim.AdamW([Parameter(torch.ones(1))], lr=0.1)
    tsa_core.SynchronousSchedule([StepLR(optimizer, 2)]).load_state_dict(saved)
    assert type(optimizer.param_groups[0]["lr"]) is float
    assert optimizer.param_groups[0]["lr"] == 0.5


@pytest.mark.filterwarnings("ignore:Detected call of `lr_scheduler:UserWarning")  # as above
@pytest.mark.parametrize("name", SCHEDULERS)
def test_the_same_plan_does_not_warn(name: str) -> None:
    """Nor does it change, whatever torch keeps in a state; warnings are errors here."""
    saved, loaded = (
        tsa_core.SynchronousSchedule(
            [tsa_core.arbitrary_schedule_factory(o, SCHEDULERS[name], schedule_target="eps")]
        )
        for o in (new_optimizer(), new_optimizer())
    )
    loaded.load_state_dict(copy.deepcopy(saved.state_dict()))
    assert loaded.get_last_schedules() == saved.get_last_schedules()


def test_the_same_plan_does_not_warn_in_another_process() -> None:
    """Functions are compared by name, not by where they lie in memory."""

    def build() -> Any:
        def local(t: float) -> float:
            return 0.5**t

        return tsa_core.CurveSchedule(new_optimizer(), local)

    build().load_state_dict(build().state_dict())


# -- one member's state -------------------------------------------------------------------------


def loads(make: Any, change: Any) -> None:
    schedule = tsa_core.SynchronousSchedule([make(new_optimizer())])
    state = copy.deepcopy(schedule.state_dict())
    state["lr"] = change(state["lr"])
    schedule.load_state_dict(state)


PER_GROUP = {
    "base_lrs": lambda o: StepLR(o, 2),
    "_last_lr": lambda o: StepLR(o, 2),
    "lr_lambdas": lambda o: LambdaLR(o, factor),
    "min_lrs": lambda o: ReduceLROnPlateau(o, min_lr=[0.0, 0.1]),
    "max_lrs": lambda o: CyclicLR(o, 0.1, 0.5, cycle_momentum=False),
}


@pytest.mark.parametrize("change", [lambda v: v[:1], lambda v: dict(enumerate(v))])
@pytest.mark.parametrize("key", PER_GROUP)
def test_what_is_held_one_a_group(key: str, change: Any) -> None:
    """It comes as a list, as long as there are groups."""
    with pytest.raises(ValueError, match=f"'{key}' is .*2 param groups"):
        loads(PER_GROUP[key], lambda s: {**s, key: change(s[key])})


def test_a_plain_scheduler_is_not_loaded_with_what_is_not_finite() -> None:
    """Without a proxy nobody else looks at the values."""
    with pytest.raises(ValueError, match="inf is not finite"):
        loads(lambda o: StepLR(o, 2), with_(_last_lr=[0.1, float("inf")]))


@pytest.mark.parametrize("key", ["verbose", "anneal_func", "default_min_lr", "_private"])
def test_entries_of_other_torch_versions(key: str) -> None:
    """Files outlive them."""
    loads(lambda o: StepLR(o, 2), with_(**{key: None}))


@pytest.mark.parametrize(
    ("make", "key"),
    [
        (lambda o: OneCycleLR(o, 0.5, total_steps=9, cycle_momentum=False), "_anneal_func_type"),
        (ReduceLROnPlateau, "default_min_lr"),
    ],
)
def test_entries_that_an_older_torch_did_not_save(make: Any, key: str) -> None:
    """They stay as they are."""
    loads(make, without(key))


def test_a_torch_scheduler_loaded_alone_goes_on_from_the_saved_initial_value() -> None:
    """Another initial value is no other plan."""

    def build(lr: float) -> tsa_core.SynchronousSchedule:
        optimizer = torch.optim.SGD([Parameter(torch.ones(1))], lr=lr)
        return tsa_core.SynchronousSchedule([LambdaLR(optimizer, lambda t: 0.5**t)])

    saved, loaded = build(0.5), build(3.0)
    saved.optimizer.step(), saved.step()
    loaded.load_state_dict(saved.state_dict())
    loaded.optimizer.step(), loaded.step()
    assert loaded.get_last_lr() == [0.125]


class Counting:
    """A λ that remembers how often it was called."""

    calls = 0

    def __call__(self, t: float) -> float:
        self.calls += 1
        return 0.5**self.calls


def test_what_a_lambda_remembers_is_loaded() -> None:
    """It is progress, and no other plan."""

    def build() -> tsa_core.SynchronousSchedule:
        optimizer = torch.optim.SGD([Parameter(torch.ones(1))], lr=1.0)
        return tsa_core.SynchronousSchedule([LambdaLR(optimizer, Counting())])

    saved, loaded = build(), build()
    for sync in (saved, loaded):
        sync.optimizer.step()
    saved.step()
    loaded.load_state_dict(copy.deepcopy(saved.state_dict()))
    saved.step(), loaded.step()
    assert loaded.get_last_lr() == saved.get_last_lr() == [0.125]


def test_state_within_the_callers_state_is_left_alone() -> None:
    """That of a compound's parts too, where another plan goes on."""

    def build(every: int) -> tsa_core.SynchronousSchedule:
        o = new_optimizer()
        return tsa_core.SynchronousSchedule(
            [SequentialLR(o, [StepLR(o, every), StepLR(o, 2)], [3])]
        )

    state = build(1).state_dict()
    before = copy.deepcopy(state)
    with pytest.warns(UserWarning, match="goes on under"):
        build(2).load_state_dict(state)
    assert state == before


class OwnStepLR(StepLR):
    """The user's: nobody else knows what of it is plan and what progress."""


def test_a_scheduler_of_ones_own_is_loaded_as_it_says() -> None:
    """Nothing is kept back, and nothing warned of."""
    saved, loaded = (tsa_core.SynchronousSchedule([OwnStepLR(new_optimizer(), n)]) for n in (2, 3))
    loaded.load_state_dict(saved.state_dict())
    assert loaded.schedules["lr"].step_size == 2


@pytest.mark.parametrize("steps", range(7))
def test_a_part_whose_turn_has_not_come(steps: int) -> None:
    """SequentialLR leaves it at step −1, a curve as its own; it resumes at every step."""

    def build() -> tsa_core.SynchronousSchedule:
        def parts(proxy: Any) -> Any:
            curves = [tsa_core.CurveSchedule(proxy, each) for each in (factor, lambda t: 0.5**t)]
            return SequentialLR(proxy, curves, [3])

        put = tsa_core.arbitrary_schedule_factory
        return tsa_core.SynchronousSchedule(
            [put(new_optimizer(), parts, schedule_target="weight_decay")]
        )

    whole, resumed = build(), build()
    whole.optimizer.step(), resumed.optimizer.step()
    for _ in range(steps):
        whole.step()
    resumed.load_state_dict(copy.deepcopy(whole.state_dict()))
    for _ in range(6):
        whole.step(), resumed.step()
        assert resumed.get_last_schedules() == whole.get_last_schedules()


def test_another_plan_of_a_cycle_whose_turn_has_not_come() -> None:
    """It begins at its beginning."""

    def build(*cycle: int) -> tsa_core.SynchronousSchedule:
        o = new_optimizer()
        parts = [StepLR(o, 2), CosineAnnealingWarmRestarts(o, *cycle)]
        return tsa_core.SynchronousSchedule([SequentialLR(o, parts, [3])])

    saved, resumed, plain = build(3, 2), build(2, 3), build(2, 3)
    for sync in (saved, resumed, plain):
        sync.optimizer.step()
    saved.step(), plain.step()
    with pytest.warns(UserWarning, match="goes on under"):
        resumed.load_state_dict(copy.deepcopy(saved.state_dict()))
    for _ in range(9):
        resumed.step(), plain.step()
        assert resumed.get_last_lr() == plain.get_last_lr()


def test_after_a_load_that_fails_each_group_has_its_own_tensor() -> None:
    """The optimizer's state that was loaded before may have brought one for two."""
    optimizer = torch.optim.Adam(
        [{"params": [Parameter(torch.ones(1))]} for _ in range(2)], lr=torch.tensor(0.5)
    )
    curves = [lambda t: 1.0, lambda t: 0.5**t]
    sync = tsa_core.SynchronousSchedule([tsa_core.CurveSchedule(optimizer, curves)])
    state = {"lr": {**sync.state_dict()["lr"], "curve": "another"}}
    shared = copy.deepcopy(optimizer.state_dict())
    shared["param_groups"][1]["lr"] = shared["param_groups"][0]["lr"]
    optimizer.load_state_dict(shared)
    with pytest.raises(UserWarning, match="another"):  # as an error, which it is in these tests
        sync.load_state_dict(state)
    optimizer.step()
    sync.step()
    assert [value.item() for value in sync.get_last_lr()] == [0.5, 0.25]


TAKES_GROUPS = pytest.mark.skipif(
    not hasattr(ReduceLROnPlateau(new_optimizer()), "default_min_lr"),
    reason="this torch's ReduceLROnPlateau, on lr too, fails where a group joins",
)


@TAKES_GROUPS
def test_a_plateau_that_a_group_has_joined() -> None:
    """Torch repeats ``min_lr`` for the new group only when it next reduces."""

    def build(groups: int) -> Any:
        optimizer = torch.optim.SGD(
            [{"params": [Parameter(torch.ones(1))], "lr": 0.5} for _ in range(groups)]
        )
        schedule = tsa_core.arbitrary_schedule_factory(
            optimizer, lambda proxy: ReduceLROnPlateau(proxy, factor=0.5, patience=1)
        )
        return tsa_core.SynchronousSchedule([schedule])

    sync = build(1)
    optimizer = sync.optimizer
    optimizer.step()
    sync.step(1.0)
    optimizer.add_param_group({"params": [Parameter(torch.ones(1))], "lr": 0.25})
    optimizer.step()
    sync.step(1.0)
    resumed = build(2)
    resumed.load_state_dict(sync.state_dict())
    for each in (sync, resumed):
        each.optimizer.step()
        each.step(1.0)
        assert each.get_last_lr() == [0.25, 0.125]


def test_a_plateau_that_has_not_stepped() -> None:
    """Torch < 2.3 saves no ``_last_lr`` then."""
    schedule = tsa_core.SynchronousSchedule([ReduceLROnPlateau(new_optimizer())])
    schedule.load_state_dict({"lr": without("_last_lr")(schedule.state_dict()["lr"])})
    assert schedule.get_last_lr() == [0.5, 0.25]


def test_numbers_that_come_as_tensors() -> None:
    """Some checkpoint formats hold nothing else; what is saved next is plain again."""
    optimizer = new_optimizer()
    schedule = tsa_core.CurveSchedule(optimizer, factor)
    state = schedule.state_dict()
    schedule.load_state_dict({**state, "last_epoch": torch.tensor(3), "_step_count": np.int64(4)})
    saved = schedule.state_dict()
    assert (saved["last_epoch"], saved["_step_count"]) == (3, 4)
    json.dumps(saved)


@pytest.mark.parametrize("name", SCHEDULERS)
@pytest.mark.filterwarnings("ignore:Detected call of `lr_scheduler.step:UserWarning")  # NESTED
def test_a_saved_state_does_not_move_on(name: str) -> None:
    """Kept in memory, it is where the run was when it was taken, with tensors too."""
    optimizer = torch.optim.AdamW([Parameter(torch.ones(1))], lr=torch.tensor(0.5), foreach=False)
    schedule = tsa_core.SynchronousSchedule(
        [tsa_core.arbitrary_schedule_factory(optimizer, SCHEDULERS[name])]
    )
    value = float(optimizer.param_groups[0]["lr"])
    state = schedule.state_dict()
    for _ in range(3):
        optimizer.step()
        schedule.step(*[1.0] * (name == "ReduceLROnPlateau"))
    schedule.load_state_dict(state)
    assert float(optimizer.param_groups[0]["lr"]) == value


def test_a_plateau_taken_back_to_its_beginning() -> None:
    """Torch < 2.3 does not know by itself which value it began with."""
    schedule = tsa_core.SynchronousSchedule([ReduceLROnPlateau(new_optimizer(), patience=0)])
    state = schedule.state_dict()
    schedule.optimizer.step()
    for _ in range(3):
        schedule.step(1.0)
    schedule.load_state_dict(state)
    assert schedule.get_last_lr() == [0.5, 0.25]


def test_a_plateau_of_the_other_mode() -> None:
    """What was best in the one says nothing in the other."""

    def build(mode: Any) -> Any:
        return tsa_core.SynchronousSchedule(
            [ReduceLROnPlateau(new_optimizer(), mode=mode, factor=0.5, patience=2)]
        )

    losses, accuracies = build("min"), build("max")
    losses.optimizer.step()
    for loss in (2.5, 2.4, 2.4):
        losses.step(loss)
    with pytest.warns(UserWarning, match="'mode': 'max'"):
        accuracies.load_state_dict(losses.state_dict())
    accuracies.optimizer.step()
    for accuracy in (0.1, 0.2, 0.3, 0.4, 0.5):
        accuracies.step(accuracy)
    assert accuracies.get_last_lr() == [0.5, 0.25]


def test_a_tuple_where_there_was_a_list_is_no_other_plan() -> None:
    """JSON makes the one of the other."""

    def build() -> Any:
        return tsa_core.SynchronousSchedule(
            [
                tsa_core.arbitrary_schedule_factory(
                    new_optimizer(),
                    lambda proxy: SequentialLR(
                        proxy,
                        [LambdaLR(proxy, factor), LambdaLR(proxy, factor)],
                        milestones=(4,),  # type: ignore[arg-type]
                    ),
                )
            ]
        )

    build().load_state_dict(json.loads(json.dumps(build().state_dict())))


@pytest.mark.parametrize(("old", "new"), [([6], [3]), ([3], [8]), ([2, 9], [3, 9])])
def test_milestones_that_lie_behind_have_to_stay(old: list[int], new: list[int]) -> None:
    """Where each part stands depends on them; those ahead are plan, which the code decides."""

    def build(milestones: list[int]) -> Any:
        return tsa_core.SynchronousSchedule(
            [
                tsa_core.arbitrary_schedule_factory(
                    new_optimizer(),
                    lambda proxy: SequentialLR(
                        proxy, [LambdaLR(proxy, factor) for _ in (*milestones, 0)], milestones
                    ),
                )
            ]
        )

    saved, resumed = build(old), build(new)
    saved.optimizer.step()
    for _ in range(5):
        saved.step()
    before = held(resumed.optimizer)
    with pytest.raises(ValueError, match=r"up to step 5, .* milestones were .* and are .* now"):
        resumed.load_state_dict(saved.state_dict())
    assert held(resumed.optimizer) == before

    saved, resumed = build([2, 9]), build([2, 7])
    saved.optimizer.step(), resumed.optimizer.step()
    for _ in range(5):
        saved.step()
    with pytest.warns(UserWarning, match="goes on under"):
        resumed.load_state_dict(saved.state_dict())
    for _ in range(3):
        resumed.step()
    assert resumed.get_last_lr() == pytest.approx([0.5 * factor(1), 0.25 * factor(1)], rel=1e-12)


@pytest.mark.parametrize("milestones", [[np.int64(3)], range(3, 4), np.array([3])])
def test_milestones_of_other_kinds(milestones: Any) -> None:
    """What torch takes for them is taken back."""
    optimizer = new_optimizer()
    parts = [StepLR(optimizer, 2), StepLR(optimizer, 3)]
    schedule = tsa_core.SynchronousSchedule([SequentialLR(optimizer, parts, milestones)])
    schedule.load_state_dict(schedule.state_dict())


class Foreign(StepLR):
    """Somebody's, with entries that are called as torch's are and hold other things."""

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


def test_entries_that_are_only_called_as_torchs() -> None:
    """They are left to whose they are."""
    saved, resumed = (tsa_core.SynchronousSchedule([Foreign(new_optimizer())]) for _ in range(2))
    saved.optimizer.step()
    for _ in range(3):
        saved.step()
    resumed.load_state_dict(saved.state_dict())
    assert resumed.get_last_lr() == saved.get_last_lr()
    resumed.schedules["lr"]._schedulers = None
    tsa_core.SynchronousSchedule([resumed.schedules["lr"]])


@pytest.mark.parametrize("order", ["optimizer first", "schedule first"])
@pytest.mark.parametrize("by_hand", [False, True])
def test_a_value_that_was_set_in_the_run(order: str, by_hand: bool) -> None:
    """It is what the optimizer holds, and so what is saved, whoever wrote last."""

    def build() -> Any:
        optimizer = torch.optim.SGD([Parameter(torch.ones(1))], lr=0.1, momentum=0.9)
        exponential = tsa_core.arbitrary_schedule_factory(
            optimizer, lambda proxy: ExponentialLR(proxy, 0.5), schedule_target="momentum"
        )
        plateau = ReduceLROnPlateau(optimizer, factor=0.5, patience=0)
        return tsa_core.SynchronousSchedule([exponential, plateau])

    saved, resumed = build(), build()
    saved.optimizer.step()
    saved.step(1.0)
    if by_hand:
        saved.optimizer.param_groups[0].update(momentum=0.8, lr=0.01)
    else:
        tsa_core.extend_optimizer(saved.optimizer, "momentum", 0.8, overwrite_values=True)
        tsa_core.extend_optimizer(saved.optimizer, "lr", 0.01, overwrite_values=True)
    states = copy.deepcopy((saved.optimizer.state_dict(), saved.state_dict()))
    loads = [
        lambda: resumed.optimizer.load_state_dict(states[0]),
        lambda: resumed.load_state_dict(states[1]),
    ]
    for load in loads if order == "optimizer first" else loads[::-1]:
        load()
    resumed.optimizer.step()
    for expected in ([0.01, 0.8], [0.005, 0.4]):
        group = resumed.optimizer.param_groups[0]
        assert [group["lr"], group["momentum"]] == expected
        resumed.step(1.0)


@pytest.mark.parametrize("steps", [1, 4, 8])
@pytest.mark.parametrize("together", [False, True])
def test_a_curve_that_waits_in_a_sequence_in_a_sequence(steps: int, together: bool) -> None:
    """Torch has it wait a step before 0 for each of them."""

    def build() -> Any:
        optimizer = new_optimizer()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch's own, about the order in its constructor
            curves = [tsa_core.CurveSchedule(optimizer, factor) for _ in range(2)]
            inner = SequentialLR(optimizer, curves, [3])
            outer = SequentialLR(optimizer, [inner, StepLR(optimizer, 2)], [6])
        return tsa_core.SynchronousSchedule([outer]) if together else outer

    saved = build()
    saved.optimizer.step()
    for _ in range(steps):
        saved.step()
    resumed = build()
    resumed.optimizer.load_state_dict(copy.deepcopy(saved.optimizer.state_dict()))
    resumed.load_state_dict(copy.deepcopy(saved.state_dict()))
    resumed.optimizer.step()
    for _ in range(8):
        assert held(resumed.optimizer) == held(saved.optimizer)
        saved.step()
        resumed.step()
