"""One ``SynchronousSchedule`` steps the schedules of several optimizers together."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from helpers import (
    Failing,
    Untouched,
    Wrapper,
    adamw,
    add_group,
    advance,
    halving,
    ignore_epoch_deprecation,
    plateau,
    positions,
    put,
    put_curve,
    put_lambda,
    same,
    sgd,
    step_optimizers,
    through_a_file,
)
from torch.optim.lr_scheduler import LambdaLR, LRScheduler, SequentialLR

from tsa_core import CurveSchedule, DerivedSchedule, SynchronousSchedule, preview

pytestmark = ignore_epoch_deprecation


def optimizers() -> tuple[torch.optim.SGD, torch.optim.AdamW]:
    """An SGD of two groups and an AdamW of one."""
    muon = sgd({"lr": 0.5}, {"lr": 0.25}, momentum=0.5)
    return muon, adamw({"lr": 0.125, "weight_decay": 0.0625})


def both(muon: Any, other: Any) -> SynchronousSchedule:
    """Curves, a torch scheduler and a derived schedule on two optimizers; all values halve."""
    derived = DerivedSchedule(other, same, "weight_decay")
    return SynchronousSchedule(
        {"muon": [put_curve(muon), put_curve(muon, "momentum")], "adamw": [derived, put(other)]}
    )


AFTER_TWO_STEPS = {
    "muon/lr": [0.125, 0.0625],
    "muon/momentum": [0.125, 0.125],
    "adamw/weight_decay": [0.015625],
    "adamw/lr": [0.03125],
}


# -- names and values -----------------------------------------------------------------------------


def test_members_have_the_name_of_their_optimizer_and_step_together() -> None:
    """One ``step()`` moves all members, named by optimizer and target in the given order."""
    muon, other = optimizers()
    sync = both(muon, other)
    assert isinstance(sync, LRScheduler)
    assert dict(sync.optimizers) == {"muon": muon, "adamw": other}
    assert sync.schedules["muon/lr"].schedule_target == "lr"
    assert "SGD, AdamW" in repr(sync)
    advance(sync, 2)
    assert sync.get_last_schedules() == AFTER_TWO_STEPS
    assert sync.get_last_schedule("adamw/lr") == [0.03125]
    assert sync.get_last_lr() == sync.get_lr() == [0.125, 0.0625, 0.03125]
    assert sync.base_lrs == [0.5, 0.25, 0.125]
    assert positions(sync) == [2, 2, 2, 2]
    state = sync.state_dict()
    assert sync.schedule_names == list(sync.schedules) == list(state) == list(AFTER_TWO_STEPS)
    assert state["muon/lr"] == sync.schedules["muon/lr"].state_dict()
    assert through_a_file(state) == state
    nameless = {name.partition("/")[2]: each for name, each in state.items()}
    with pytest.raises(KeyError, match=r"missing \['muon/lr'.* unknown \['lr'"):
        sync.load_state_dict(nameless)


def test_the_rates_of_all_groups_come_in_order() -> None:
    """``get_last_lr`` gives the rates of the groups of all optimizers, scheduled or not."""
    muon, other = optimizers()
    sync = SynchronousSchedule({"a": [put_curve(other, "eps")], "b": [put_curve(muon, "momentum")]})
    muon.param_groups[1]["lr"] = 0.75
    assert sync.get_last_lr() == [0.125, 0.5, 0.75]


def test_metrics_reach_the_members_of_any_optimizer() -> None:
    muon, other = optimizers()
    sync = SynchronousSchedule({"a": [put_curve(muon)], "b": [plateau(other)]})
    seen = preview(sync, 4, metrics=1.0)
    assert list(seen.values) == list(seen.boundaries) == sync.schedule_names
    assert seen.values["b/lr"] == [[0.125], [0.125], [0.0625], [0.03125]]
    for call in (sync.step, lambda: preview(sync, 3)):
        with pytest.raises(TypeError, match=r"'b/lr' .*takes metrics"):
            call()
    advance(sync, 3, 1.0)
    assert sync.get_last_lr() == [0.0625, 0.03125, 0.03125]


def test_members_and_optimizers_can_be_read_by_one_name_or_several() -> None:
    """``optimizer`` is there for a list and ``optimizers`` for a mapping; all are read-only."""
    muon, other = optimizers()
    sync = both(muon, other)
    with pytest.raises(AttributeError, match=r"\['muon', 'adamw'\]; use .optimizers\['muon'\]"):
        sync.optimizer
    for mapping in (sync.schedules, sync.optimizers):
        with pytest.raises(TypeError, match="item assignment"):
            mapping["x"] = None  # type: ignore[index]
    with pytest.raises(AttributeError):
        sync.schedules = {}  # type: ignore[misc]
    sync = SynchronousSchedule({"only": [put_curve(muon)]})
    assert sync.schedule_names == ["only/lr"]
    assert dict(sync.optimizers) == {"only": muon}
    sync = SynchronousSchedule([put_curve(muon)])
    assert sync.optimizer is muon
    with pytest.raises(AttributeError, match=r"use .optimizer"):
        sync.optimizers


@pytest.mark.parametrize("make", [iter, tuple, lambda given: dict.fromkeys(given, 0)])
def test_any_iterable_is_a_list(make: Callable[[Any], Any]) -> None:
    """The members of an optimizer, schedules of several among them, stand in any iterable."""
    muon, other = optimizers()
    inner = SynchronousSchedule([put(other), put_curve(other, "weight_decay")])
    sync = SynchronousSchedule({"a": make([put_curve(muon)]), "b": make([inner])})
    assert sync.schedule_names == ["a/lr", "b/lr", "b/weight_decay"]
    advance(sync)
    assert sync.get_last_schedule("b/weight_decay") == [0.03125]


class Views(Wrapper):
    """A wrapper that shows each group in a view, which is made anew at each access."""

    @property
    def param_groups(self) -> Any:
        return [dict(group) for group in self.optimizer.param_groups]


def test_views_of_different_optimizers_are_told_apart() -> None:
    """An object can have the ``id`` that another one had, if that is gone."""
    muon, other = map(Views, optimizers())
    sync = SynchronousSchedule({"a": [put_curve(muon)], "b": [put_curve(other)]})
    assert sync.schedule_names == ["a/lr", "b/lr"]


class Both(Wrapper):
    """A wrapper of two optimizers, which shows the groups of both."""

    def __init__(self, *optimizers: Any) -> None:
        self.optimizers = optimizers

    @property
    def param_groups(self) -> Any:
        return [group for each in self.optimizers for group in each.param_groups]


# -- what is refused ------------------------------------------------------------------------------


def two_on(lr: torch.Tensor) -> Any:
    return {name: [put_curve(adamw(lr=lr))] for name in "ab"}


def named(*lists: list[Any]) -> dict[str, list[Any]]:
    return dict(zip("xy", lists))


SAME_GROUPS = "'x/lr' and 'y/.*same param groups"
TWO_OBJECTS = "'lr' and 'momentum' are on different objects, a SGD and a Wrapper"
OTHER = r"\['x'\]: the schedule of 'eps' at position 1 is on a different optimizer"
NAME_EACH = r"'lr' at position 1 is on a different .*SynchronousSchedule\(\{'muon': "
NAMELESS = "'lr' has no name of its optimizer, and 'muon/lr' has one"


@pytest.mark.parametrize(
    ("schedules", "error", "says"),
    [
        (lambda a, b: [put_curve(a), put_curve(b)], ValueError, NAME_EACH),
        (lambda a, b: named([put_curve(a), put_curve(b, "eps")]), ValueError, OTHER),
        (lambda a, b: named([both(a, b)]), ValueError, "different optimizer"),
        (lambda a, b: [both(a, b), put_curve(sgd())], ValueError, NAMELESS),
        (lambda a, b: {}, ValueError, "at least one schedule"),
        (lambda a, b: named([put_curve(a)], []), ValueError, r"\['y'\]: expected at least one"),
        (lambda a, b: {"x": put_curve(a)}, TypeError, r"schedules\['x'\]: expected a list"),
        (lambda a, b: named([put_curve(a)], [put(a)]), RuntimeError, "two of them schedule 'lr'"),
        (lambda a, b: named([put_curve(a)], [put_curve(Wrapper(a))]), ValueError, SAME_GROUPS),
        (
            lambda a, b: named([put_curve(b)], [put_curve(Both(a, b), "weight_decay")]),
            ValueError,
            SAME_GROUPS,
        ),
        (lambda a, b: named([put_curve(Both(b, a))], [put(a)]), ValueError, SAME_GROUPS),
        (lambda a, b: [put_curve(a), put_curve(Wrapper(a), "momentum")], ValueError, TWO_OBJECTS),
        (lambda a, b: two_on(torch.tensor(0.5)), ValueError, "'a/lr' and 'b/lr' are the same tens"),
    ],
)
def test_invalid_members_are_refused(schedules: Any, error: Any, says: str) -> None:
    with pytest.raises(error, match=f"(?s){says}"):
        SynchronousSchedule(schedules(*optimizers()))


def test_any_string_without_a_slash_is_a_name() -> None:
    """Spaces, dots, digits and names of targets can be names of optimizers."""
    names = ["a b", "muon.hidden", "0", "λ", "lr", "betas[0]"]
    sync = SynchronousSchedule({name: [put_curve(sgd())] for name in names})
    assert sync.schedule_names == [f"{name}/lr" for name in names]
    assert sync.get_last_scalars() == {f"{name}/lr/0": 0.5 for name in names}
    assert list(copy.deepcopy(sync).optimizers) == names
    for name in (1, None, "", "a/b", b"a"):
        with pytest.raises(TypeError, match=r"names of optimizers .* strings without '/'"):
            SynchronousSchedule({"x": [put_curve(sgd())], name: [put_curve(sgd())]})  # type: ignore[dict-item]


# -- all or nothing -------------------------------------------------------------------------------


def test_a_group_that_joins_where_it_cannot_be_followed_moves_neither(untouched: Untouched) -> None:
    muon, other = optimizers()
    sync = SynchronousSchedule(named([put_curve(muon), put(muon, "momentum")], [put_lambda(other)]))
    add_group(other)
    step_optimizers(sync)
    with untouched(muon), untouched(other), pytest.raises(RuntimeError, match="cannot follow"):
        sync.step()
    assert positions(sync) == [0, 0, 0]


@pytest.mark.parametrize(
    "make",
    [
        CurveSchedule,
        lambda o, curve: SequentialLR(o, [CurveSchedule(o, curve), put_curve(o)], [5]),
        lambda o, rule: DerivedSchedule(o, rule, "lr", of="eps"),
    ],
)
def test_a_curve_or_rule_is_named_as_its_member_is(make: Any) -> None:
    muon, other = optimizers()
    function = Failing(math.nan, halving)
    sync = SynchronousSchedule({"muon": [put_curve(muon)], "adamw": [make(other, function)]})
    preview(sync.schedules["adamw/lr"], 3)  # does not rename it
    function.fails = True
    step_optimizers(sync)
    with pytest.raises(ValueError, match="multiple of 'adamw/lr' at step 1: nan"):
        sync.step()


def test_the_order_of_steps_is_watched_on_each_optimizer() -> None:
    """An optimizer that has not stepped before its schedules is warned of, and no other one."""
    muon, other = optimizers()
    sync = SynchronousSchedule({"a": [put_curve(muon)], "b": [put_curve(other, "weight_decay")]})
    muon.step()
    with pytest.warns(UserWarning, match="this schedule of 'b/weight_decay'") as caught:
        sync.step()
    assert len(caught) == 1


# -- state ----------------------------------------------------------------------------------------


class Stubborn(LambdaLR):
    """A scheduler that notices only while it loads that it does not want to."""

    error: type[BaseException]

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        super().load_state_dict(state_dict)
        raise self.error("mine")


@pytest.mark.parametrize(
    ("error", "names"), [(OSError, ["muon", "adamw"]), (KeyboardInterrupt, ["adamw", "muon"])]
)
def test_a_load_that_fails_moves_neither_optimizer(
    error: Any, names: list[str], untouched: Untouched, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A scheduler that fails in its load leaves all as they are; all other faults come before."""
    monkeypatch.setattr(Stubborn, "error", error, raising=False)

    def start() -> SynchronousSchedule:
        muon, other = optimizers()
        lists = {
            "muon": [put_curve(muon), put(muon, "momentum")],
            "adamw": [put(other, "weight_decay", lambda p: Stubborn(p, halving)), put_curve(other)],
        }
        return SynchronousSchedule({name: lists[name] for name in names})

    saved, sync = start(), start()
    advance(saved, 3)
    advance(sync)
    muon, other = (sync.optimizers[name] for name in ("muon", "adamw"))
    initial_value = other.param_groups[0].pop("initial_lr")  # a load sets it
    before = copy.deepcopy(sync.state_dict())
    with untouched(muon), untouched(other), pytest.raises(error, match="mine"):
        sync.load_state_dict(saved.state_dict())
    assert sync.state_dict() == before
    other.param_groups[0]["initial_lr"] = initial_value
    advance(sync)
    assert sync.get_last_schedules() == AFTER_TWO_STEPS


# -- scalars --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (("backbone", "head"), ("backbone", "head")),
        *((names, "01") for names in [("a", None), ("a", "a"), (None, None), (0, 1), ("a", 3)]),
    ],
    ids=str,
)
def test_scalars_are_flat_and_named_by_groups(names: Any, said: Any) -> None:
    """Groups are called by their names, or counted unless all have different strings as names."""
    first, second = ({} if name is None else {"name": name} for name in names)
    optimizer = adamw({"lr": 0.5, **first}, {"lr": torch.tensor(0.25), **second})
    members = [put_curve(optimizer), put_curve(optimizer, "betas[0]")]
    expected = {f"{target}/{each}": 0.9 for target in ("lr", "betas[0]") for each in said}
    expected.update({f"lr/{said[0]}": 0.5, f"lr/{said[1]}": 0.25})
    assert SynchronousSchedule(members).get_last_scalars() == expected
    scalars = SynchronousSchedule({"muon": members}).get_last_scalars()
    assert scalars == {f"muon/{name}": value for name, value in expected.items()}


def test_scalars_are_the_present_values_as_floats() -> None:
    """Scalars are floats, also of tensors and ints, and of groups that joined or left."""
    third = torch.tensor(0.3).bfloat16()
    optimizer = sgd({"lr": torch.tensor(0.5), "batch": 16}, {"lr": third.clone(), "batch": 8})
    batch = CurveSchedule(optimizer, lambda t: 16 * 2**t, "batch", absolute=True)
    sync = SynchronousSchedule([put_curve(optimizer), batch])
    advance(sync)
    optimizer.param_groups[0]["batch"] = 3
    add_group(optimizer, lr=7.0, batch=1)
    scalars = sync.get_last_scalars()
    assert {type(value) for value in scalars.values()} == {float}
    lrs = {"lr/0": 0.25, "lr/1": float(third * 0.5), "lr/2": 7.0}
    assert scalars == {**lrs, "batch/0": 3.0, "batch/1": 32.0, "batch/2": 1.0}
    del optimizer.param_groups[0]
    left = {"lr/0": lrs["lr/1"], "lr/1": 7.0, "batch/0": 32.0, "batch/1": 1.0}
    assert sync.get_last_scalars() == left


def test_no_scalar_is_lost_where_names_run_together() -> None:
    """A group "b/c" of the target "a" and a group "c" of "a/b" would have one key."""
    optimizer = sgd({"name": "b/c", "a": 0.25, "a/b": 0.5}, {"name": "c", "a": 1.0, "a/b": 2.0})
    sync = SynchronousSchedule([put_curve(optimizer, "a"), put_curve(optimizer, "a/b")])
    assert sorted(sync.get_last_scalars().values()) == [0.25, 0.5, 1.0, 2.0]
