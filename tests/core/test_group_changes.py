"""Schedules follow param groups that are replaced, join or lose keys, or raise a clear error.

``test_interleavings.py`` replaces, adds, removes and reorders groups in random runs.
"""

from __future__ import annotations

import copy
import itertools
from collections.abc import Callable
from typing import Any

import pytest
import torch
from cases import crossed
from helpers import (
    Untouched,
    adamw,
    add_group,
    advance,
    floats,
    halving,
    held,
    ignore_epoch_deprecation,
    plateau,
    plateau_takes_groups,
    put,
    put_curve,
    put_lambda,
)
from target_helpers import KINDS, adamw_with, entries
from torch.optim import lr_scheduler as torch_lr
from torch.optim.lr_scheduler import LambdaLR
from torch_schedulers import SCHEDULERS, TORCH, each_scheduler

from tsa_core import (
    CurveSchedule,
    ProxyOptimizer,
    SynchronousSchedule,
    extend_optimizer,
)


def decaying(weight_decay: Any = 0.08) -> torch.optim.AdamW:
    return adamw(lr=0.1, weight_decay=weight_decay)


def leave_and_join(optimizer: Any, **entries: Any) -> None:
    optimizer.param_groups.pop()
    add_group(optimizer, **entries)


def join_another_list(optimizer: Any, **entries: Any) -> None:
    optimizer.param_groups = optimizer.param_groups[:-1]
    add_group(optimizer, **entries)


def replace_the_last(optimizer: Any, **entries: Any) -> None:
    optimizer.param_groups[-1] = {**decaying().param_groups[0], **entries}


SWAPS = [leave_and_join, join_another_list, replace_the_last]


@pytest.mark.parametrize("put_schedule", [put_curve, put_lambda, put])
def test_a_schedule_goes_on_in_the_group_that_a_load_brings(put_schedule: Any) -> None:
    """A float that took the place of a tensor stays a float, and the old group stays behind."""
    optimizer = decaying(torch.tensor(0.5))
    schedule = put_schedule(optimizer, "weight_decay")
    advance(schedule, 2)
    (old,) = optimizer.param_groups
    state = copy.deepcopy(optimizer.state_dict())
    state["param_groups"][0]["weight_decay"] = 0.125
    optimizer.load_state_dict(state)
    advance(schedule)
    assert held(optimizer, "weight_decay") == [0.0625]
    assert type(optimizer.param_groups[0]["weight_decay"]) is float
    assert old["weight_decay"] == 0.125


# -- views, and groups that lose the target ------------------------------------------------------


def test_a_view_follows_the_group_at_its_position() -> None:
    """It reads and writes the dict that took a place, and names the target where it was lost."""
    optimizer = extend_optimizer(decaying(), "clip", 1.0)
    targets = ("betas[1]", "clip")
    views = [ProxyOptimizer(optimizer, target).param_groups[0] for target in targets]
    old = optimizer.param_groups[0]
    optimizer.param_groups[0] = {**old, "clip": 0.3, "betas": (0.9, 0.3)}
    for target, view in zip(targets, views):
        assert view["lr"] == 0.3
        view["lr"] = 0.7
        assert held(optimizer, target) == [0.7]
    assert (old["clip"], old["betas"]) == (1.0, (0.9, 0.999))
    optimizer.param_groups[0]["betas"] = (0.9,)
    del optimizer.param_groups[0]["clip"]
    too_short = r"'betas\[1\]' is not in param group 0: 'betas' is \(0.9,\)"
    deleted = r"'clip' is not in param group 0.*extend_optimizer"
    for view, says in zip(views, (too_short, deleted)):
        with pytest.raises(KeyError, match=says):
            view["lr"]
        with pytest.raises(KeyError, match=says):
            view["lr"] = 0.5
    optimizer.param_groups.clear()
    with pytest.raises(IndexError):
        views[0]["lr"]


@pytest.mark.parametrize(
    ("put_schedule", "by_load"),
    [(put_curve, True), (put_lambda, True), (put, True), (put_curve, False)],
)
def test_a_lost_target_is_named_and_can_be_added_again(
    put_schedule: Any, by_load: bool, untouched: Untouched
) -> None:
    """A step without the target raises and moves no group, and goes on when the target is back."""
    optimizer = adamw({}, {})
    saved = copy.deepcopy(optimizer.state_dict())
    extend_optimizer(optimizer, "clip", 1.0)
    schedule = put_schedule(optimizer, "clip")
    sync = SynchronousSchedule([schedule])
    if by_load:
        optimizer.load_state_dict(saved)
    else:
        del optimizer.param_groups[1]["clip"]
    optimizer.step()
    where = "groups 0, 1" if by_load else "group 1"
    says = "'clip' is not in param {}.*extend_optimizer"
    with untouched(optimizer), pytest.raises(KeyError, match=says.format(where)):
        sync.step()
    repr(schedule.optimizer)  # the repr does not raise, although the target is lost
    extend_optimizer(optimizer, "clip", 1.0)
    sync.step()
    assert sync.get_last_schedule("clip") == [0.5, 0.5]
    del optimizer.param_groups[1]["clip"]
    with pytest.raises(KeyError, match=says.format("group 1")):
        schedule.step()


# -- groups that join or leave -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("curve", "error", "says"),
    [
        (halving, KeyError, "'clip' is not in param group 2"),
        ([halving, halving], ValueError, "2 curves for 3 param"),
    ],
)
def test_a_group_that_joins_and_cannot_be_driven_is_named(
    curve: Any, error: type[Exception], says: str, untouched: Untouched
) -> None:
    """A group without the target, or without a curve, is an error at the next step: none moves."""
    optimizer = adamw({"clip": 1.0}, {"clip": 1.0})
    schedule = CurveSchedule(optimizer, curve, "clip")
    advance(schedule)
    add_group(optimizer, **({} if error is KeyError else {"clip": 1.0}))
    with untouched(optimizer), pytest.raises(error, match=says):
        schedule.step()
    assert schedule.last_epoch == 1


class OfAUser(torch_lr.StepLR):
    """A user's scheduler, of which only its author knows how it computes."""


MULTIPLY = ("StepLR", "MultiStepLR", "ExponentialLR", "PolynomialLR", "CosineAnnealingLR")
JOINABLE = {
    **{name: SCHEDULERS[name] for name in MULTIPLY},
    "a chain": lambda o: torch_lr.ChainedScheduler(
        [torch_lr.StepLR(o, 2, 0.5), torch_lr.ExponentialLR(o, 0.9)]
    ),
}
# Why the other ones, but a plateau, are refused: most of them keep one item per group.
SEQUENCE = "SequentialLR starts each part from the groups"
WHY = {
    "LinearLR": "LinearLR divides .* by the factor of the step before",
    "ConstantLR": "ConstantLR divides",
    "ChainedScheduler": "ConstantLR divides",
    "SequentialLR": SEQUENCE,
    "SequentialLR in SequentialLR": SEQUENCE,
}
NOT_JOINABLE: dict[str, tuple[Callable[[Any], Any], str]] = {
    **{
        name: (make, WHY.get(name, rf"{name.split()[0].rstrip(',')} keeps one item per group"))
        for name, make in SCHEDULERS.items()
        if name not in (*MULTIPLY, "ReduceLROnPlateau")
    },
    "a sequence with a curve, which would take the group in": (
        lambda o: torch_lr.SequentialLR(o, [put_curve(o), torch_lr.StepLR(o, 3)], [5]),
        SEQUENCE,
    ),
    "a user's": (lambda o: OfAUser(o, 2), "only the author of OfAUser knows"),
}
if TORCH < (2, 10):  # past T_max, CosineAnnealingLR leaves out the groups that joined
    NOT_JOINABLE["CosineAnnealingLR"] = (
        JOINABLE.pop("CosineAnnealingLR"),
        "CosineAnnealingLR of this torch leaves out a new group",
    )


@pytest.mark.parametrize(
    ("name", "target", "change"),
    crossed(JOINABLE, ["lr", "weight_decay", "betas[0]"], [add_group, *SWAPS[:2], add_group]),
)
def test_a_group_that_joins_gets_the_numbers_that_torch_gives_lr(
    name: str, target: str, change: Any
) -> None:
    """A group joins a scheduler that reads present values, also in the place of another one."""
    plain, optimizer = adamw_with("lr", 0.5, 0.25), adamw_with(target, 0.5, 0.25)
    reference, schedule = JOINABLE[name](plain), put(optimizer, target, JOINABLE[name])
    for t in range(5):
        if t == 2:
            change(optimizer, **entries(target, 0.125))
            (add_group if change is add_group else leave_and_join)(plain, lr=0.125)
        advance(reference), advance(schedule)
        assert held(optimizer, target) == held(plain)


@pytest.mark.skipif(TORCH < (2, 10), reason="this torch leaves out a new group past T_max")
def test_a_group_that_joins_a_cosine_fails_past_its_end_as_on_lr() -> None:
    """``CosineAnnealingLR`` takes a group in, and fails past T_max, as on ``lr`` itself."""
    make = SCHEDULERS["CosineAnnealingLR"]
    plain, optimizer = adamw_with("lr", 0.5), adamw_with("weight_decay", 0.5)
    reference, schedule = make(plain), put(optimizer, "weight_decay", make)
    add_group(plain, lr=0.25)
    add_group(optimizer, weight_decay=0.25)
    advance(reference, 5)
    advance(schedule, 5)
    with pytest.raises(ValueError, match="zip") as expected:
        reference.step()
    with pytest.raises(ValueError, match="zip") as error:
        schedule.step()
    assert str(error.value) == str(expected.value)
    assert held(optimizer, "weight_decay") == held(plain)


@ignore_epoch_deprecation
@each_scheduler(NOT_JOINABLE, steps=[0, 7, 1])
def test_a_group_that_torch_computes_wrong_is_refused(
    name: str, steps: int, untouched: Untouched
) -> None:
    """A scheduler that cannot compute a new group refuses it, and saves the state before."""
    make, reason = NOT_JOINABLE[name]
    optimizer = decaying()
    schedule = put(optimizer, "weight_decay", make)
    sync = SynchronousSchedule([put_curve(optimizer), schedule])
    advance(sync, steps)
    before = sync.state_dict()
    add_group(optimizer)
    optimizer.step()
    says = rf"'weight_decay'.*1 param groups.*{reason}.*CurveSchedule"
    for _ in range(2):
        with untouched(optimizer), pytest.raises(RuntimeError, match=says):
            sync.step()
    state = sync.state_dict()
    assert state["lr"]["last_epoch"] == steps
    assert [state[target]["_last_lr"] for target in state] == [
        held(optimizer, target) for target in state
    ]
    optimizer.param_groups.pop()
    assert sync.state_dict() == before
    sync.step()
    add_group(optimizer)
    with untouched(optimizer), pytest.raises(RuntimeError, match=says):
        schedule.step()


@ignore_epoch_deprecation
@pytest.mark.parametrize("change", [add_group, lambda o: o.param_groups.pop()])
@pytest.mark.parametrize(
    "make",
    [
        lambda o: put(o, "weight_decay", lambda proxy: torch_lr.StepLR(proxy, 1, 0.5)),
        lambda o: torch_lr.StepLR(o, 1, 0.5),
    ],
)
def test_an_epoch_after_a_group_joined_a_torch_scheduler_is_refused(
    make: Any, change: Any, untouched: Untouched
) -> None:
    """``step(epoch)`` is refused once groups joined or left a torch scheduler; nothing moves."""
    # torch computes a given epoch for the groups of the beginning alone.
    optimizer = adamw({}, {})
    members = [put_curve(optimizer, "eps"), make(optimizer)]
    sync = SynchronousSchedule(members)
    advance(sync)
    change(optimizer)
    optimizer.step()
    says = r"cannot go to epoch 3, because groups have joined or left.* step\(\)"
    with untouched(optimizer), pytest.raises(RuntimeError, match=says):
        sync.step(3)
    assert [member.last_epoch for member in members] == [1, 1]
    sync.step()
    assert [member.last_epoch for member in members] == [2, 2]


def test_a_proxy_takes_a_group_only_when_it_is_told_to() -> None:
    """A proxy refuses a new group until told to accept it, and keeps its auxiliary keys."""
    optimizer = decaying()
    proxy = ProxyOptimizer(optimizer, "weight_decay")
    proxy.param_groups[0]["max_lr"] = 0.5
    add_group(optimizer)
    says = r"built for 1 param groups, and groups have joined or left \(there are 2\)"
    with pytest.raises(RuntimeError, match=says):
        proxy.param_groups
    proxy.why_new_groups_are_refused = None
    assert [group.get("max_lr") for group in proxy.param_groups] == [0.5, None]
    optimizer.param_groups.pop()
    assert [group.get("max_lr") for group in proxy.param_groups] == [0.5]


@plateau_takes_groups
@pytest.mark.parametrize("as_kind", [float, torch.tensor])
def test_a_group_that_joins_under_a_plateau_moves(as_kind: Any) -> None:
    """A plateau takes a group that joins, also with the default tensor, which is reduced once."""
    optimizer = decaying(as_kind(0.5))
    schedule = put(optimizer, "weight_decay", plateau)
    add_group(optimizer, **({"weight_decay": 0.75} if as_kind is float else {}))
    schedule.step(1.0)
    schedule.step(2.0)
    assert floats(optimizer, "weight_decay") == [0.25, 0.375 if as_kind is float else 0.25]
    optimizer.param_groups.pop()
    schedule.step(2.0)
    assert held(optimizer, "weight_decay") == [0.125]


# -- groups that leave and join between two steps ------------------------------------------------


FORMS: list[Any] = [halving, [halving, halving], {"*": halving}]


@pytest.mark.parametrize(
    ("plan", "swap", "kind"), crossed(itertools.product([False, True], FORMS), SWAPS, KINDS)
)
def test_a_group_in_the_place_of_another_starts_from_its_own_value(
    plan: tuple[bool, Any], swap: Any, kind: str
) -> None:
    """A group that takes a place that became free is driven, also in a list that was replaced."""
    absolute, curve = plan
    optimizer = adamw_with("weight_decay", *map(KINDS[kind], (0.5, 0.25)))
    schedule = CurveSchedule(optimizer, curve, "weight_decay", absolute=absolute)
    advance(schedule, 2)
    left = optimizer.param_groups[1]
    swap(optimizer, weight_decay=0.4)
    for t in (3, 4):
        advance(schedule)
        expected = [0.5**t] * 2 if absolute else [0.5 * 0.5**t, 0.4 * 0.5**t]
        assert floats(optimizer, "weight_decay") == pytest.approx(expected, rel=1e-6)
    assert held(optimizer, "initial_weight_decay") == schedule.base_lrs == [0.5, 0.4]
    assert float(left["weight_decay"]) == (0.25 if absolute else 0.25 * 0.25)
    multiples = put_curve(optimizer, "weight_decay")
    assert multiples.get_last_lr() == pytest.approx([0.5, 0.4], rel=1e-6)


def swap_two(optimizer: Any, **entries: Any) -> None:
    optimizer.param_groups.reverse()


def leave(optimizer: Any, **entries: Any) -> None:
    optimizer.param_groups.pop(0)


@pytest.mark.parametrize(
    ("name", "swap"), crossed(["LambdaLR", "OneCycleLR", "SWALR"], [*SWAPS[:2], swap_two, leave])
)
def test_a_scheduler_with_one_item_per_group_refuses_a_group_in_the_place_of_another(
    name: str, swap: Any, untouched: Untouched
) -> None:
    """A scheduler with one item per group refuses a list in which groups left or moved."""
    optimizer = adamw({"weight_decay": 0.08}, {"weight_decay": 0.2})
    schedule = put(optimizer, "weight_decay", NOT_JOINABLE[name][0])
    swap(optimizer, weight_decay=0.4)
    optimizer.step()
    says = f"'weight_decay' .* joined or left .* {name} keeps one item per group"
    with untouched(optimizer), pytest.raises(RuntimeError, match=says):
        schedule.step()


@pytest.mark.parametrize("put_schedule", [put_curve, put])
def test_another_list_with_the_same_groups_is_followed(put_schedule: Any) -> None:
    """What happens to the old list has no effect, and groups in another order move alike."""
    optimizer = adamw({"weight_decay": 0.08, "lr": 0.5}, {"weight_decay": 0.08, "lr": 0.5})
    schedule = put_schedule(optimizer, "weight_decay")
    old = optimizer.param_groups
    optimizer.param_groups = [*old]
    for expected in (0.04, 0.02):
        old.pop()
        advance(schedule)
        assert held(optimizer, "weight_decay") == [expected] * 2
    optimizer.param_groups.reverse()
    advance(schedule)
    optimizer.param_groups = optimizer.param_groups[::-1]
    advance(schedule)
    assert held(optimizer, "weight_decay") == [0.005, 0.005]


# -- tensors of several groups, and the default tensor -------------------------------------------


@pytest.mark.parametrize(
    ("curve", "target", "kind"), crossed(FORMS, ["weight_decay", "betas[0]"], KINDS)
)
def test_a_tensor_that_is_put_into_two_groups_is_filled_once_per_group(
    curve: Any, target: str, kind: str
) -> None:
    """Two groups that are given one tensor after the build each get their own, and move apart."""
    optimizer = adamw_with(target, *map(KINDS[kind], (0.5, 0.25)), foreach=False)
    schedule = CurveSchedule(optimizer, curve, target)
    advance(schedule)
    shared = torch.tensor(0.75)
    for group in optimizer.param_groups:
        group.update(entries(target, shared))
    for t in (2, 3):
        advance(schedule)
        assert held(optimizer, target)[0] is shared
        assert floats(optimizer, target) == [0.5 * 0.5**t, 0.25 * 0.5**t]


def test_a_dict_that_brings_the_tensor_of_another_group_gets_its_own() -> None:
    """A torch scheduler moves the groups apart, as a curve does."""
    optimizer = adamw({}, {}, weight_decay=torch.tensor(0.5))
    lambdas = [lambda t: 1.0, halving]
    schedule = put(optimizer, "weight_decay", lambda proxy: LambdaLR(proxy, lambdas))
    advance(schedule)
    first, second = optimizer.param_groups
    optimizer.param_groups[1] = {**first, "params": second["params"]}
    advance(schedule, 2)
    assert floats(optimizer, "weight_decay") == [0.5, 0.0625]


@pytest.mark.parametrize("target", ["lr", "weight_decay"])
def test_a_group_that_joins_with_a_tensor_of_another_gets_its_own(target: str) -> None:
    """The default tensor means the initial value, and a record of the group's own comes first."""
    # torch gives it the very tensor that the first group holds, and that the schedule fills.
    optimizer = adamw(**{target: torch.tensor(0.5)})
    schedule = put_curve(optimizer, target)
    advance(schedule)
    add_group(optimizer)
    add_group(optimizer, **{target: held(optimizer, target)[0], f"initial_{target}": 0.125})
    advance(schedule)
    assert len({*map(id, held(optimizer, target))}) == 3
    assert floats(optimizer, target) == [0.5 / 4, 0.5 / 4, 0.125 / 4]


@pytest.mark.parametrize("put_schedule", [put_curve, put_lambda, put])
def test_the_default_tensor_keeps_the_initial_value_after_a_resume(put_schedule: Any) -> None:
    """A group that joins after a resume gets the initial value, not the first group's value."""
    optimizer = decaying(torch.tensor(0.08))
    (tensor,) = held(optimizer, "weight_decay")
    schedule = put_schedule(optimizer, "weight_decay")
    assert held(optimizer, "weight_decay")[0] is tensor
    advance(schedule, 2)
    optimizer.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    add_group(optimizer)
    assert float(optimizer.param_groups[1]["weight_decay"]) == pytest.approx(0.08, rel=1e-6)


def test_the_default_tensor_is_the_initial_value_although_it_has_moved() -> None:
    """A group that joins gets the initial value, although torch moved the default tensor."""
    optimizer = adamw(lr=torch.tensor(0.5))
    advance(LambdaLR(optimizer, halving))
    CurveSchedule(optimizer, lambda t: 0.5)
    add_group(optimizer)
    assert float(optimizer.param_groups[1]["lr"]) == 0.5


def test_the_other_elements_of_a_default_tuple_stay() -> None:
    """A schedule of one element leaves the other element of the default tuple the same object."""
    betas = (torch.tensor(0.5), torch.tensor(0.75))
    optimizer = adamw(lr=torch.tensor(0.1))
    optimizer.defaults["betas"] = optimizer.param_groups[0]["betas"] = betas
    advance(put_curve(optimizer, "betas[0]"))
    assert list(map(float, optimizer.defaults["betas"])) == [0.5, 0.75]
    assert optimizer.defaults["betas"][1] is betas[1]
