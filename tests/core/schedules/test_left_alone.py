"""Groups that a schedule leaves alone: by None for a curve, or by ``where=``."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
import torch
from helpers import Untouched, adamw, add_group, advance, halving, held, same

from tsa_core import CurveSchedule, DerivedSchedule, SynchronousSchedule, preview

Make = Callable[[Any], Any]


def muon_and_adamw(momentum: Any = 0.75) -> Any:
    """An optimizer of which only the first group has momentum."""
    return adamw({"name": "muon", "momentum": momentum}, {"name": "adamw"})


def has_momentum(group: Any) -> bool:
    return "momentum" in group


def is_decayed(group: Any) -> bool:
    return group["name"] == "decay"


LEAVING: dict[str, Make] = {
    "a list": lambda o: CurveSchedule(o, [halving, None], "momentum"),
    "a mapping": lambda o: CurveSchedule(o, {"muon": halving, "*": None}, "momentum"),
    "where": lambda o: CurveSchedule(o, halving, "momentum", where=has_momentum),
}


@pytest.mark.parametrize("make", LEAVING.values(), ids=LEAVING)
@pytest.mark.parametrize("as_kind", [float, torch.tensor])
def test_a_group_that_is_left_alone_need_not_have_the_entry(make: Make, as_kind: Any) -> None:
    """It is never given one, also in a resume. Readers answer None, or leave it out of a log.

    A derived schedule follows its source in the groups that both drive.
    """

    def start() -> tuple[Any, SynchronousSchedule]:
        optimizer = muon_and_adamw(as_kind(0.75))
        derived = DerivedSchedule(optimizer, same, "eps", of="momentum", where=has_momentum)
        return optimizer, SynchronousSchedule([derived, make(optimizer)])

    (optimizer, sync), (again, resumed) = start(), start()
    advance(sync, 2)
    resumed.load_state_dict(json.loads(json.dumps(sync.state_dict())))
    for groups in (optimizer.param_groups, again.param_groups):
        assert groups[0]["momentum"] == 0.1875
        assert "momentum" not in groups[1]
        assert [group["eps"] for group in groups] == [0.25e-8, 1e-8]
    schedule = sync.schedules["momentum"]
    assert sync.get_last_schedule("momentum") == schedule.get_last_lr() == [0.1875, None]
    assert schedule.base_lrs == [0.75, None]
    assert schedule.values_at(3) == [0.09375, None]
    scalars = {"momentum/muon": 0.1875, "eps/muon": 0.25e-8, "eps/adamw": 1e-8}
    assert sync.get_last_scalars() == scalars
    rows = [[0.1875, None], [0.09375, None], [0.046875, None]]
    assert preview(sync, 3).values["momentum"] == rows


@pytest.mark.parametrize(
    "make",
    [
        lambda o: CurveSchedule(o, [None, halving], "momentum"),
        lambda o: CurveSchedule(o, halving, "momentum", where=lambda group: True),
        lambda o: DerivedSchedule(o, same, "momentum"),
        lambda o: DerivedSchedule(o, same, "lr", of="momentum"),
    ],
)
def test_a_driven_group_has_to_have_it(make: Make, untouched: Untouched) -> None:
    """The error names the group by its position among all groups."""
    optimizer = muon_and_adamw()
    with untouched(optimizer), pytest.raises(KeyError, match="'momentum' is not in param group 1"):
        make(optimizer)


def decay_and_norms() -> Any:
    return adamw({"name": "decay", "weight_decay": 0.5}, {"name": "norms", "weight_decay": 0.25})


def test_where_says_which_groups_are_driven() -> None:
    """The others keep what they hold, and a group that joins later is asked too."""
    optimizer = decay_and_norms()
    curve = CurveSchedule(optimizer, halving, "weight_decay", where=is_decayed)
    derived = DerivedSchedule(optimizer, same, "eps", of="weight_decay", where=is_decayed)
    sync = SynchronousSchedule([derived, curve])
    eps = optimizer.param_groups[1]["eps"]
    advance(sync)
    add_group(optimizer, name="decay", weight_decay=0.125, eps=1.0)
    add_group(optimizer, name="norms", weight_decay=0.125, eps=1.0)
    advance(sync)
    assert held(optimizer, "weight_decay") == [0.125, 0.25, 0.03125, 0.125]
    assert held(optimizer, "eps") == [eps / 4, eps, 0.25, 1.0]
    assert "initial_weight_decay" not in optimizer.param_groups[1]


NAMED = "where: .*lambda.* of 'weight_decay'.*"


@pytest.mark.parametrize(
    ("where", "curve", "error", "message"),
    [
        ("decay", halving, TypeError, "where: expected a function of a param group, got 'decay'"),
        (is_decayed, [halving, None], TypeError, "where: expected one curve, got several"),
        (lambda group: 1 / 0, halving, ZeroDivisionError, f"{NAMED}division"),
        (lambda group: group["gamma"], halving, KeyError, f"{NAMED}gamma"),
        (lambda group: group.gamma, halving, RuntimeError, f"{NAMED}gamma"),
        (None, {"decay": halving}, ValueError, r"none has a name.*'name': 'decay'"),
    ],
)
def test_groups_that_cannot_be_chosen_are_refused(
    where: Any, curve: Any, error: type[Exception], message: str, untouched: Untouched
) -> None:
    """``where`` is a function, beside one curve, and its error is named; names must be there."""
    optimizer = decay_and_norms() if where else adamw({}, {})
    with untouched(optimizer), pytest.raises(error, match=message):
        CurveSchedule(optimizer, curve, "weight_decay", where=where)


@pytest.mark.parametrize("odd", [float("nan"), float("inf"), None, True, "x", (0.5, 0.25)])
def test_a_group_that_is_left_alone_may_hold_anything(odd: Any) -> None:
    """A state, a preview and a log have no number of it, and a resume leaves it as it is."""

    def start() -> tuple[Any, SynchronousSchedule]:
        optimizer = decay_and_norms()
        optimizer.param_groups[1]["weight_decay"] = odd
        schedule = CurveSchedule(optimizer, [halving, None], "weight_decay")
        return optimizer, SynchronousSchedule([schedule])

    (optimizer, sync), (again, resumed) = start(), start()
    advance(sync)
    assert sync.schedules["weight_decay"].base_lrs == [0.5, None]
    assert preview(sync, 2).values == {"weight_decay": [[0.25, None], [0.125, None]]}
    assert sync.get_last_scalars() == {"weight_decay/decay": 0.25}
    resumed.load_state_dict(json.loads(json.dumps(sync.state_dict())))
    advance(resumed)
    assert again.param_groups[0]["weight_decay"] == 0.125
    assert again.param_groups[1]["weight_decay"] is odd is optimizer.param_groups[1]["weight_decay"]
