"""A curve per param group, by name or in order, on one ``CurveSchedule``."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from small_runs import Untouched, adamw, advance, held

from tsa_builtins.curves import Constant, Linear
from tsa_core import CurveSchedule, ProxyOptimizer, SynchronousSchedule

UP, DOWN, HALF = Linear(0, 1, 10), Linear(1, 0, 20), Constant(0.5)
NAMED, UNNAMED = ("stem", "body", "head"), ("stem", None, 3)


def optimizer_of(*names: Any) -> torch.optim.AdamW:
    """One group per name, with initial values 0.1, 0.2, …; ``None`` is a group without a name."""
    named = [{} if name is None else {"name": name} for name in names]
    return adamw(*({"lr": 0.1 * (1 + i), **each} for i, each in enumerate(named)))


def after(schedule: Any, steps: int) -> list[float]:
    """The learning rates after so many steps."""
    advance(schedule, steps)
    return held(schedule.optimizer)


@pytest.mark.parametrize(
    ("curve", "multipliers"),
    [
        ({"head": DOWN, "body": UP, "stem": HALF}, [0.5, 0.4, 0.8]),
        ({"head": DOWN, "*": UP}, [0.4, 0.4, 0.8]),
        ({"*": UP, "head": None}, [0.4, 0.4, 1]),
        ({"*": None, "body": UP}, [1, 0.4, 1]),
        ({"*": UP}, [0.4, 0.4, 0.4]),
        ({"stem": UP, "body": lambda t: 3.0, "head": HALF, "*": DOWN}, [0.4, 3, 0.5]),
        ([HALF, UP, DOWN], [0.5, 0.4, 0.8]),
        ((None, UP, None), [1, 0.4, 1]),
    ],
)
def test_each_group_follows_its_own_curve(curve: Any, multipliers: list[float]) -> None:
    """A group has a curve by its name, by ``"*"`` or by order; ``None`` leaves it alone."""
    schedule = SynchronousSchedule([CurveSchedule(optimizer_of(*NAMED), curve)])
    expected = [initial * factor for initial, factor in zip((0.1, 0.2, 0.3), multipliers)]
    values = after(schedule, 4)
    assert values == pytest.approx(expected, rel=1e-12)
    assert schedule.get_last_schedule("lr") == schedule.get_last_lr() == values


def test_a_star_stands_for_groups_without_a_name() -> None:
    """``"*"`` takes groups without a ``"name"`` that is a string, and is asked once per step."""
    called: list[float] = []

    def twice(t: float) -> float:
        called.append(t)
        return 2.0

    optimizer = optimizer_of("head", None, 3, ["head"], "head")  # groups may share a name
    schedule = CurveSchedule(optimizer, {"head": HALF, "*": twice})
    assert after(schedule, 2) == pytest.approx([0.05, 0.4, 0.6, 0.8, 0.25], rel=1e-12)
    assert called == [0, 1, 2]


class Listing(dict[str, Any]):
    """A mapping that lists a key twice, as some configuration formats do."""

    def __iter__(self) -> Iterator[str]:
        return iter([*self.keys(), *self.keys()])


@pytest.mark.parametrize(
    ("names", "curve", "error", "named"),
    [
        (NAMED, Listing(stem=UP, body=UP), ValueError, "two curves.*'stem'"),
        (NAMED, {"haed": UP, "*": UP}, ValueError, "'haed'.*did you mean 'head'"),
        (UNNAMED, {"setm": UP, "*": UP}, ValueError, "'setm'.*did you mean 'stem'"),
        (NAMED, {**dict.fromkeys(NAMED, UP), "neck": None}, ValueError, "'neck'"),
        (NAMED, {"stem": UP, "body": UP}, ValueError, "param group 2.*'head'"),
        (UNNAMED, {"stem": UP}, ValueError, r"param group 1.*'\*'"),
        (NAMED, {}, ValueError, "param group 0.*'stem'"),
        (NAMED, {"*": 0.5}, TypeError, "0.5"),
        (NAMED, [UP, UP], ValueError, "2 curves for 3"),
        (NAMED, [], ValueError, "0 curves for 3"),
        (NAMED, {0: UP, "*": UP}, TypeError, "0 .int"),
        (NAMED, {None: UP, "*": UP}, TypeError, "None"),
        (NAMED, [UP, UP, "cosine"], TypeError, "cosine"),
        (NAMED, {*NAMED}, TypeError, "set"),
        (NAMED, {"*": lambda t: float("nan")}, ValueError, "nan"),
    ],
)
def test_curves_that_do_not_fit_are_refused(
    names: Any, curve: Any, error: type[Exception], named: str, untouched: Untouched
) -> None:
    """The error names the group, the name or the number that does not fit; nothing is touched."""
    optimizer = optimizer_of(*names)
    with untouched(optimizer), pytest.raises(error, match=named):
        CurveSchedule(optimizer, curve)


def test_a_group_added_later_finds_its_curve() -> None:
    """A group that is added later has its curve by the same rule, from its own initial value."""
    optimizer = optimizer_of("stem", "head")
    schedule = CurveSchedule(optimizer, {"head": DOWN, "*": UP})
    after(schedule, 3)
    for named in ({"name": "head"}, {"name": "another"}, {}):
        group = {"params": [torch.nn.Parameter(torch.ones(1))], "lr": 0.7}
        optimizer.add_param_group(group | named)
    expected = [0.1 * 0.4, 0.2 * 0.8, 0.7 * 0.8, 0.7 * 0.4, 0.7 * 0.4]
    assert after(schedule, 1) == pytest.approx(expected, rel=1e-12)
    # Groups that Optimizer.load_state_dict replaces keep their curves by name.
    optimizer.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    expected = [0.1 * 0.5, 0.2 * 0.75, 0.7 * 0.75, 0.7 * 0.5, 0.7 * 0.5]
    assert after(schedule, 1) == pytest.approx(expected, rel=1e-12)


def test_a_group_added_without_a_curve_is_refused(untouched: Untouched) -> None:
    """Without ``"*"``, the next step raises with the name of the group, and nothing moves."""
    optimizer = optimizer_of("stem", "head")
    schedule = CurveSchedule(optimizer, {"head": DOWN, "stem": UP})
    assert "{'head': 'Linear(start=1, end=0, steps=20)', 'stem': 'Linear(" in repr(schedule)
    optimizer.step()
    optimizer.add_param_group({"params": [torch.nn.Parameter(torch.ones(1))], "name": "neck"})
    with untouched(optimizer), pytest.raises(ValueError, match="'neck'"):
        schedule.step()
    assert schedule.last_epoch == 0


def test_a_proxy_shows_the_names_of_groups() -> None:
    """The groups of a proxy have the names of the real groups, so curves find them by name."""
    optimizer = optimizer_of("stem", "head")
    schedule = CurveSchedule(ProxyOptimizer(optimizer, "weight_decay"), {"head": HALF, "*": None})
    assert held(optimizer, "weight_decay") == [0.01, 0.005]
    assert held(optimizer) == [0.1, 0.2]
    assert "'*': None}" in repr(schedule)
