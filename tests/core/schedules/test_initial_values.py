"""Where the initial value comes from: the code, a load of the optimizer, or a saved state."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable
from typing import Any

import pytest
import torch
from helpers import (
    Untouched,
    across,
    adamw,
    add_group,
    advance,
    floats,
    halving,
    held,
    ignore_epoch_deprecation,
    put,
    put_curve,
    same,
    sgd,
    through_pickle,
)
from target_helpers import KINDS, adamw_with
from torch.optim.lr_scheduler import LambdaLR, SequentialLR
from torch_schedulers import SCHEDULERS, each_scheduler

from tsa_core import CurveSchedule, DerivedSchedule, SynchronousSchedule, extend_optimizer

# Powers of 2, or sums of few, so that halving is exact in a float32 tensor too.
CODE, OTHER = [0.5, 0.25], [0.375, 0.0625]
TARGETS = ("lr", "weight_decay", "betas[0]", "scale")
STEPS = 3


def of_torch(values: list[float], loaded: list[float] | None = None) -> list[list[float]]:
    """The learning rates under torch's ``LambdaLR``, after each of some steps.

    With ``loaded``, its optimizer then loads the state of one that holds these.
    """
    optimizer = sgd(*({"lr": value} for value in values))
    schedule = LambdaLR(optimizer, halving)
    if loaded is not None:
        optimizer.load_state_dict(sgd(*({"lr": value} for value in loaded)).state_dict())
    rows = []
    for _ in range(2 * STEPS):
        optimizer.step()
        schedule.step()
        rows.append(held(optimizer))
    return rows


def load_other_values(optimizer: Any, target: str, as_kind: Any = float) -> None:
    """Load the state of a project that never scheduled ``target``, and holds other values."""
    other = adamw_with(target, *map(as_kind, OTHER))
    optimizer.load_state_dict(copy.deepcopy(other.state_dict()))


def advance_after_load(schedule: Any) -> None:
    """Advance one step after a load of other values, which warns that it was only the optimizer."""
    with pytest.warns(UserWarning, match="^the optimizer was loaded, .* went from "):
        advance(schedule)


# -- a load of the optimizer alone -----------------------------------------------------------------


@across(target=TARGETS, curve=[halving, {"*": halving}], is_member=[True, False], kind=KINDS)
def test_a_load_of_other_values_without_the_position_warns(
    target: str, curve: Any, is_member: bool, kind: str
) -> None:
    """Once, of what it changed in a driven group; the run goes on where the schedule stands."""
    _, saved = saved_run(target, CODE)
    optimizer = adamw_with(target, *map(KINDS[kind], CODE))
    schedule = CurveSchedule(optimizer, curve, target)
    whole: Any = SynchronousSchedule([schedule]) if is_member else schedule
    optimizer.load_state_dict(copy.deepcopy(saved.state_dict()))
    message = (
        f"the optimizer was loaded, {target!r} went from 0.5 to 0.0625, from 0.25 to 0.03125, and "
        f"the schedule of {target!r} goes on from step 0. To resume a run, load the state of the "
        "schedule too, or call step(epoch) with the step of the checkpoint. If the schedule is "
        "meant to go on from there, ignore this warning"
    )
    for _ in range(2):  # a warning that is made an error: nothing has moved
        with pytest.raises(UserWarning, match=f"^{re.escape(message)}$"):
            advance(whole)
        assert (schedule.last_epoch, floats(optimizer, target)) == (0, [0.0625, 0.03125])
    with pytest.warns(UserWarning, match=f"^{re.escape(message)}$"):
        advance(whole)
    optimizer.load_state_dict(copy.deepcopy(saved.state_dict()))  # a step back in a run is meant
    advance(whole)
    assert floats(optimizer, target) == [0.125, 0.0625]


LOADS: dict[str, Callable[[Any, Any, Any, Any], object]] = {
    "the optimizer first": lambda o, s, optimizer, state: (
        o.load_state_dict(optimizer),
        s.load_state_dict(state),
    ),
    "the schedule first": lambda o, s, optimizer, state: (
        s.load_state_dict(state),
        o.load_state_dict(optimizer),
    ),
    "a given step": lambda o, s, optimizer, state: (o.load_state_dict(optimizer), s.step(STEPS)),
    "a dict, and a value by hand": lambda o, s, optimizer, state: o.param_groups.__setitem__(
        1, dict(o.param_groups[1], lr=0.125)
    ),
    "its own count": lambda o, s, optimizer, state: (  # as the container of torchtitan does
        o.load_state_dict(optimizer),
        setattr(s, "last_epoch", STEPS),
    ),
    "the same values": lambda o, s, optimizer, state: o.load_state_dict(o.state_dict()),
}


@pytest.mark.parametrize("load", LOADS.values(), ids=LOADS)
def test_a_load_that_brings_the_position_or_no_other_value_does_not_warn(load: Any) -> None:
    """Warnings are errors here. A group that is left alone may change, and a rule has no position.

    A checkpoint may hold a float where the code has a tensor, which rounds it.
    """

    def run() -> tuple[Any, CurveSchedule]:
        optimizer = adamw({"lr": torch.tensor(0.1)}, {"lr": 0.5}, {"lr": 0.25})
        return optimizer, CurveSchedule(optimizer, [halving, halving, None])

    optimizer, schedule = run()
    advance(schedule, STEPS)
    optimizer.param_groups[2]["lr"] = 8.0
    saved = copy.deepcopy(optimizer.state_dict())
    saved["param_groups"][0]["lr"] = 0.1 / 8
    resumed, again = run()
    derived = DerivedSchedule(resumed, same, "weight_decay", where=lambda g: g["lr"] != 8.0)
    load(resumed, again, saved, schedule.state_dict())
    t = again.last_epoch + 1
    advance(again)
    derived.step()
    assert floats(resumed)[:2] == pytest.approx([0.1 / 2**t, 0.5 / 2**t], rel=1e-6)


# -- a load without records ------------------------------------------------------------------------


@across(
    target=TARGETS,
    curve=[halving, [halving, halving], {"*": halving}],
    is_member=[True, False],
    kind=KINDS,
)
def test_a_load_without_a_record_keeps_the_initial_value(
    target: str, curve: Any, is_member: bool, kind: str
) -> None:
    """A group that a load replaced keeps the initial value of its place, as torch's do.

    A load with a record brings its own, which stays in later loads without one.
    """
    optimizer = adamw_with(target, *map(KINDS[kind], CODE))
    schedule = CurveSchedule(optimizer, curve, target)
    whole: Any = SynchronousSchedule([schedule]) if is_member else schedule
    load_other_values(optimizer, target, KINDS[kind])
    assert floats(optimizer, target) == OTHER  # until the next step
    assert schedule.base_lrs == CODE
    expected = of_torch(CODE, OTHER)
    assert schedule.values_at(2) == expected[1]
    for row in expected:
        (advance if schedule.last_epoch else advance_after_load)(whole)
        assert floats(optimizer, target) == row
        load_other_values(optimizer, target, KINDS[kind])
    load_other_values(optimizer, target, KINDS[kind])
    whole.step(2)
    assert floats(optimizer, target) == expected[1]
    other = adamw_with(target, *OTHER)
    other.param_groups[1][f"initial_{target}"] = 0.75  # a record, which it starts from
    optimizer.load_state_dict(other.state_dict())
    for t in (3, 4):
        assert schedule.base_lrs == [0.5, 0.75]
        advance(whole)
        assert floats(optimizer, target) == [0.5 * 0.5**t, 0.75 * 0.5**t]
        load_other_values(optimizer, target, KINDS[kind])


def test_only_groups_that_were_driven_and_replaced_keep_it() -> None:
    """Also one that is left alone for some time. Others count from what they load or join with."""

    def groups(*entries: tuple[float, bool]) -> torch.optim.SGD:
        return sgd(*({"lr": x, "is_free": is_free} for x, is_free in entries))

    optimizer = groups((0.5, True), (0.25, True), (0.125, False))
    schedule = CurveSchedule(optimizer, halving, where=lambda group: group["is_free"])
    optimizer.load_state_dict(groups((0.375, True), (0.0625, False), (1.0, False)).state_dict())
    add_group(optimizer, lr=8.0, is_free=True)
    advance_after_load(schedule)
    assert held(optimizer) == [0.5 / 2, 0.0625, 1.0, 8.0 / 2]
    assert schedule.base_lrs == [0.5, 0.25, 1.0, 8.0]
    for group in optimizer.param_groups:
        group["is_free"] = True
    advance(schedule)
    assert held(optimizer) == [0.5 / 4, 0.25 / 4, 1.0 / 4, 8.0 / 4]


@across(kind=KINDS, derived_first=[True, False])
def test_a_derived_schedule_and_its_source_keep_theirs(kind: str, derived_first: bool) -> None:
    """Target and source count from the values in the code, also a source that nobody schedules."""

    def groups(values: list[float]) -> Any:
        as_kind = KINDS[kind]
        entries = (
            {"lr": as_kind(x), "weight_decay": as_kind(x / 4), "by_hand": x, "scale": 1.0}
            for x in values
        )
        return adamw(*entries)

    optimizer = groups(CODE)
    derived = DerivedSchedule(optimizer, same, "weight_decay")
    schedule = put_curve(optimizer)
    members = [derived, schedule]
    sync = SynchronousSchedule(
        [
            DerivedSchedule(optimizer, same, "scale", of="by_hand"),
            *(members if derived_first else members[::-1]),
        ]
    )
    optimizer.load_state_dict(groups(OTHER).state_dict())
    assert derived.base_lrs == [x / 4 for x in CODE]
    for row in of_torch(CODE, OTHER):
        (advance if schedule.last_epoch else advance_after_load)(sync)
        assert floats(optimizer) == row
        assert floats(optimizer, "weight_decay") == [x / 4 for x in row]
        assert held(optimizer, "scale") == [0.375 / 0.5, 0.0625 / 0.25]


def test_the_record_of_a_source_is_not_that_of_another_entry() -> None:
    """The initial value of a source is kept apart from that of an entry with a similar name."""
    optimizer = adamw({"lr": 0.5, "weight_decay": 0.25, "lr_of_weight_decay": 8.0})
    derived = DerivedSchedule(optimizer, same, "weight_decay")
    (group,) = optimizer.param_groups
    assert group["initial_lr[of weight_decay]"] == 0.5
    assert "initial_lr" not in group  # it would change the numbers of a CyclicLR
    similar = put_curve(optimizer, "lr_of_weight_decay")
    assert similar.base_lrs == [8.0]
    group["lr"] = 0.25
    advance(similar)
    derived.step()
    assert (group["lr_of_weight_decay"], group["weight_decay"]) == (4.0, 0.125)


# -- a saved state with other initial values -------------------------------------------------------


def saved_run(target: str, values: list[float], curve: Any = halving, **settings: Any) -> Any:
    """The state of a curve after some steps, as JSON has it, and its optimizer."""
    optimizer = adamw_with(target, *values)
    schedule = CurveSchedule(optimizer, curve, target, **settings)
    advance(schedule, STEPS)
    return json.loads(json.dumps(schedule.state_dict())), optimizer


class WithItsOwnStep(CurveSchedule):
    """A schedule that a ``SynchronousSchedule`` steps by its own method."""

    def step(self, epoch: float | None = None) -> None:
        super().step(epoch)


WHOLES: dict[str, Callable[[Any, str], Any]] = {
    "a schedule": put_curve,
    "a member": lambda o, target: SynchronousSchedule([put_curve(o, target)]),
    "its own step": lambda o, target: SynchronousSchedule([WithItsOwnStep(o, halving, target)]),
    "on a proxy": lambda o, target: put(o, target, put_curve),
}


@across(make=WHOLES, target=TARGETS, kind=["tensor", "float"])
@pytest.mark.parametrize(
    ("order", "in_code"),
    [("build", CODE), ("build, load", CODE), ("load, build", CODE), ("build", OTHER)],
)
@pytest.mark.parametrize("initial", [None, "saved", "code", "same"])
def test_other_initial_values_than_in_the_code(
    initial: Any, order: str, in_code: Any, make: str, target: str, kind: str, untouched: Untouched
) -> None:
    """The saved ones go on with one warning, or those that were asked for; or it is refused.

    A load of the optimizer after building does not hide the difference. After a load before it,
    the values in the code are unknown, and nothing is said, as of values that are equal.
    """
    state, saved = saved_run(target, OTHER)
    optimizer = adamw_with(target, *map(KINDS[kind], in_code))
    for action in order.split(", "):
        if action == "build":
            whole = WHOLES[make](optimizer, target)
        else:
            optimizer.load_state_dict(copy.deepcopy(saved.state_dict()))
    schedule = whole
    if isinstance(whole, SynchronousSchedule):
        schedule, state = whole.schedules[target], {target: state}
    differs = in_code == CODE and order != "load, build"
    if differs and initial == "same":
        both = f"{target!r} were {OTHER}, and the code has {CODE}"
        with untouched(optimizer), pytest.raises(ValueError, match=re.escape(both)):
            whole.load_state_dict(state, initial=initial)
        assert whole.last_epoch == 0
        return
    if differs and initial is None:
        with pytest.warns(UserWarning, match="initial values") as caught:
            whole.load_state_dict(state)
        (warning,) = caught
        assert warning.filename == __file__
        for text in (repr(target), str(OTHER), str(CODE), "initial='code'", "initial='saved'"):
            assert text in str(warning.message)
    else:
        whole.load_state_dict(state, initial=initial)
    values = CODE if differs and initial == "code" else OTHER
    assert schedule.base_lrs == values
    again = adamw_with(target, *values)  # a second resume finds the values that go on
    second = json.loads(json.dumps(whole.state_dict()))
    WHOLES[make](again, target).load_state_dict(second, initial="same")
    assert floats(again, target) == floats(optimizer, target)
    for row in of_torch(values)[STEPS - 1 :]:
        assert floats(optimizer, target) == row
        advance(whole)


def test_only_the_groups_that_differ_are_listed() -> None:
    """A group that joined before the load leaves the others known; "code" changes those alone."""

    def start(lr: float) -> Any:
        schedule = put_curve(sgd({"lr": 0.5}, {"lr": lr}))
        add_group(schedule.optimizer, lr=4.0)
        return schedule

    saved, resumed = start(0.0625), start(0.25)
    advance(saved, STEPS)
    state = saved.state_dict()
    start(0.0625).load_state_dict(state, initial="same")
    with pytest.warns(UserWarning, match=r"were \[0.0625\] .* code has \[0.25\]\. The run goes"):
        resumed.load_state_dict(state)
    assert held(resumed.optimizer) == [0.5 / 8, 0.0625 / 8, 4.0 / 8]
    resumed.load_state_dict(state, initial="code")
    assert held(resumed.optimizer) == [0.5 / 8, 0.25 / 8, 4.0 / 8]


@pytest.mark.parametrize("how", ["step", "values_at"])
def test_an_optimizer_that_is_loaded_later_does_not_undo_the_choice(how: str) -> None:
    """A record that it brings raises, and nothing moves; in the other order, the choice holds."""
    state, saved = saved_run("lr", OTHER)
    optimizer = adamw_with("lr", *CODE)
    schedule = put_curve(optimizer)
    schedule.load_state_dict(state, initial="code")
    load_other_values(optimizer, "lr")  # without a record
    assert schedule.values_at(1) == [0.25, 0.125]
    optimizer.load_state_dict(copy.deepcopy(saved.state_dict()))
    with pytest.raises(RuntimeError, match=r"0\.375 again, where .* chose 0\.5\. Load the optim"):
        getattr(schedule, how)(1)
    assert held(optimizer) == held(saved)
    schedule.load_state_dict(state, initial="code")
    assert schedule.values_at(1) == [0.25, 0.125]


def test_a_group_that_joins_after_the_choice_is_no_load() -> None:
    """A group joins without the entry, and a new initial value set by hand counts."""
    state, _ = saved_run("scale", OTHER, [halving, halving])
    optimizer = adamw_with("scale", *CODE)
    for group in optimizer.param_groups:
        group["name"] = "scaled"
    schedule = CurveSchedule(optimizer, {"scaled": halving, "*": None}, "scale")
    schedule.load_state_dict(state | schedule.follows(), initial="code")
    extend_optimizer(optimizer, "scale", 2.0, overwrite_values=True)
    add_group(optimizer)
    assert schedule.values_at(1) == [1.0, 1.0, None]
    advance(schedule)
    assert schedule.get_last_lr() == [2.0 * 0.5 ** (STEPS + 1)] * 2 + [None]


@pytest.mark.parametrize("initial", ["Saved", "", True, 0, ["code"], "keep"])
def test_any_other_choice_is_refused(initial: Any, untouched: Untouched) -> None:
    """An ``initial`` other than the three words is a ``ValueError``, and nothing is loaded."""
    optimizer = adamw_with("lr", *CODE)
    schedule = put_curve(optimizer)
    state, _ = saved_run("lr", OTHER)
    for whole, loaded in ((schedule, state), (SynchronousSchedule([schedule]), {"lr": state})):
        with untouched(optimizer), pytest.raises(ValueError, match="initial: expected one of"):
            whole.load_state_dict(loaded, initial=initial)


@pytest.mark.parametrize(
    ("curve", "absolute", "values"),
    [(halving, True, [0.125, 0.125]), ([halving, None], False, [CODE[0] / 8, CODE[1]])],
)
def test_values_that_nobody_multiplies_may_differ(curve: Any, absolute: bool, values: Any) -> None:
    """A curve of values has no use for initial values, and a group that is left alone has none."""
    state, _ = saved_run("lr", [CODE[0], 0.0625], curve, absolute=absolute)
    for initial in (None, "code", "same"):
        optimizer = adamw_with("lr", *CODE)
        schedule = CurveSchedule(optimizer, curve, absolute=absolute)
        schedule.load_state_dict(state, initial=initial)  # type: ignore[arg-type]
        assert held(optimizer) == values


@across(initial=["code", "saved", None], order=[1, -1])
def test_what_derives_follows_the_choice(initial: Any, order: int) -> None:
    """Source and derived target both go on from the values of one origin, at once.

    Each member that differs warns once, and one that is equal does not.
    """

    def start(lr: float, decay: float) -> Any:
        optimizer = adamw({"lr": lr, "weight_decay": decay, "scale": 1.0})
        derived = DerivedSchedule(optimizer, same, "weight_decay")
        members = [derived, put_curve(optimizer, "scale"), put_curve(optimizer)]
        return SynchronousSchedule(members[::order])

    saved, resumed = start(0.5, 0.25), start(0.125, 2.0)
    advance(saved, STEPS)
    state = json.loads(json.dumps(saved.state_dict()))
    if initial is None:
        with pytest.warns(UserWarning, match="initial values") as caught:
            resumed.load_state_dict(state)
        first, second = sorted(str(warning.message) for warning in caught)
        assert "'lr' were [0.5] when the state was saved, and the code has [0.125]" in first
        assert "'weight_decay' were [0.25] when" in second
    else:
        resumed.load_state_dict(state, initial=initial)
    lr, decay = (0.125, 2.0) if initial == "code" else (0.5, 0.25)
    for t in range(STEPS, STEPS + 3):
        factor = halving(t)
        expected = {"lr": [lr * factor], "weight_decay": [decay * factor], "scale": [factor]}
        assert resumed.get_last_schedules() == expected
        advance(resumed)


MAKERS: dict[str, Callable[[Any], Any]] = {
    **SCHEDULERS,
    "SequentialLR of curves": lambda o: SequentialLR(o, [put_curve(o), put_curve(o)], [9]),
    "SequentialLR of LambdaLRs": lambda o: SequentialLR(
        o, [LambdaLR(o, halving), LambdaLR(o, halving)], [9]
    ),
}
# The schedulers that compute each value from the initial one, and those that have none: a plateau,
# and those whose first value is a setting or computed from one.
FROM_THE_INITIAL = ("LambdaLR", "LambdaLR, one per group", "CosineAnnealingWarmRestarts")
WITHOUT_ONE = ("CyclicLR", "OneCycleLR", "OneCycleLR in three phases", "ReduceLROnPlateau")


@each_scheduler(MAKERS, initial=[None, "saved", "code", "same"])
@ignore_epoch_deprecation
def test_torch_schedulers_take_part_or_not(name: str, initial: Any, untouched: Untouched) -> None:
    """A member warns once, goes on from the asked values as if from the start, or is refused."""
    losses = (1.0,) * (name == "ReduceLROnPlateau")

    def start(values: list[float], steps: int = 0) -> tuple[Any, SynchronousSchedule]:
        optimizer = adamw_with("lr", *values)
        whole = SynchronousSchedule([MAKERS[name](optimizer)])
        advance(whole, steps, *losses)
        return optimizer, whole

    def load() -> None:
        whole.load_state_dict(copy.deepcopy(state), initial=initial)

    state = copy.deepcopy(start(OTHER, STEPS)[1].state_dict())
    optimizer, whole = start(CODE)
    takes_code = name in FROM_THE_INITIAL or name == "SequentialLR of curves"
    if name in WITHOUT_ONE:
        load()  # nothing to choose
    elif initial is None:
        both = re.escape(f"{OTHER} when the state") + ".*" + re.escape(str(CODE))
        with pytest.warns(UserWarning, match=f"'lr'.*{both}") as caught:
            load()
        (warning,) = caught
        assert ("'code'" in str(warning.message)) == takes_code
    elif initial == "same" or (initial == "code" and not takes_code):
        why = "initial values .*were" if initial == "same" else "each value from the one before"
        with untouched(optimizer), pytest.raises(ValueError, match=rf"'lr'.*{why}"):
            load()
        return
    else:
        load()
    values = CODE if initial == "code" and name not in WITHOUT_ONE else OTHER
    expected, from_the_start = start(values, STEPS)
    for _ in range(2 * STEPS):
        assert held(optimizer) == held(expected)
        advance(whole, 1, *losses)
        advance(from_the_start, 1, *losses)


@across(target=TARGETS, duplicate=[copy.deepcopy, through_pickle])
def test_a_copy_knows_the_values_in_the_code(target: str, duplicate: Any) -> None:
    """A load into the copy warns as one into the original does, until somebody sets new ones."""
    state, _ = saved_run(target, OTHER)
    schedule = put_curve(adamw_with(target, *CODE), target)
    schedule.load_state_dict(state, initial="saved")
    copied = duplicate(schedule)
    with pytest.warns(UserWarning, match=re.escape(f"{OTHER} when")) as caught:
        copied.load_state_dict(state)
    assert str(CODE) in str(caught[0].message)
    extend_optimizer(copied.optimizer, target, 0.75, overwrite_values=True)
    with pytest.warns(UserWarning, match=re.escape("the code has [0.75, 0.75]")):
        copied.load_state_dict(state)
    schedule.load_state_dict(state, initial="code")
    assert floats(schedule.optimizer, target) == of_torch(CODE)[STEPS - 1]


def test_the_saved_plan_and_the_values_in_the_code_go_together() -> None:
    """With ``initial="code"``, a plan that differs is chosen by ``plan`` as ever."""
    state, _ = saved_run("lr", OTHER)
    optimizer = adamw_with("lr", *CODE)
    schedule = CurveSchedule(optimizer, lambda t: 1.0 + t)
    with pytest.warns(UserWarning, match=r"goes on under .*build the schedule with it$") as caught:
        schedule.load_state_dict(state, initial="code")
    assert len(caught) == 1
    assert held(optimizer) == [0.5 * (1 + STEPS), 0.25 * (1 + STEPS)]


def test_values_in_the_code_have_to_fit_the_step(untouched: Untouched) -> None:
    """If the values of "code" leave the range at the saved step, the load is refused as a whole."""
    saved, resumed = (
        CurveSchedule(adamw_with("betas[0]", beta), lambda t: 1.0 + t, "betas[0]")
        for beta in (0.125, 0.5)
    )
    advance(saved, STEPS)
    before = resumed.state_dict()
    says = r"'betas\[0\]' at step 3: .* value 2\.0;"
    with untouched(resumed.optimizer), pytest.raises(ValueError, match=says):
        resumed.load_state_dict(saved.state_dict(), initial="code")
    assert resumed.state_dict() == before
