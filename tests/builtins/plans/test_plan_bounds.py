"""How deep and how large a plan may be: beyond that it is refused, whatever YAML makes of it."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
import yaml
from plan_forms import HALF, LINE, make_optimizer

from tsa_builtins import curves, from_plan, to_plan
from tsa_builtins.curves import from_dict, to_dict
from tsa_core import CurveSchedule

# What nests a curve, the levels that it adds, and those of the same written by to_dict.
NESTS: dict[str, tuple[Callable[[Any], Any], int, int]] = {
    "a delay": (lambda record: {"kind": "Delay", "curve": record, "steps": 1}, 1, 1),
    "a join": (lambda record: {"kind": "Join", "curves": [record], "boundaries": []}, 2, 2),
    "a switch": (lambda record: {"kind": "Switch", "curves": {"0": record}}, 2, 3),
    "a switch of pairs": (lambda record: {"kind": "Switch", "curves": [[0, record]]}, 3, 3),
}
TOO_DEEP = "nested more than 200 deep; write curves side by side"


def nested(nest: Callable[[Any], Any], depth: int, innermost: Any = HALF) -> Any:
    for _ in range(depth):
        innermost = nest(innermost)
    return innermost


def refuse(plan: Any, message: str) -> None:
    with pytest.raises(ValueError, match=f"^plan: {message}"):
        from_plan(make_optimizer(), plan)


@pytest.mark.parametrize("name", NESTS)
def test_a_curve_in_many_comes_back_and_in_too_many_is_refused(name: str) -> None:
    """The bound is the same in a record, a plan, a group and a rule, and there is no crash."""
    nest, levels, levels_written = NESTS[name]
    record = nested(nest, 199 // levels_written)
    curve = from_dict(record)
    assert from_dict(to_dict(curve)) == curve
    assert curve(1e9) == 0.5
    plan = {"lr": {"curve": {"backbone": record, "*": None}}}
    schedule = from_plan(make_optimizer(), plan)
    assert to_plan(from_plan(make_optimizer(), to_plan(schedule))) == to_plan(schedule)
    too_deep = nested(nest, 900)
    for record in (nested(nest, 200 // levels + 1), too_deep):
        with pytest.raises(ValueError, match=f"^record: {TOO_DEEP}"):
            from_dict(record)
    refuse({"lr": {"curve": too_deep}}, TOO_DEEP)
    refuse({"lr": {"curve": [too_deep, None]}}, TOO_DEEP)
    refuse({"lr": {"follows": "eps", "rule": too_deep}}, TOO_DEEP)


def in_a_chain(part: Any) -> Any:
    return {"scheduler": "ChainedScheduler", "schedulers": [part]}


def test_schedulers_in_too_many_and_a_plan_in_itself_are_refused() -> None:
    """A compound 900 levels down, and a YAML alias of what it stands in, are ValueErrors."""
    part = {"scheduler": "StepLR", "step_size": 3}
    from_plan(make_optimizer(), {"lr": nested(in_a_chain, 5, part)})
    refuse({"lr": nested(in_a_chain, 900, part)}, TOO_DEEP)
    for text in (
        "lr: {curve: &a {kind: Delay, steps: 1, curve: *a}}",
        "lr: {curve: {kind: Join, boundaries: [], curves: &a [*a]}}",
        "lr: &a {scheduler: ChainedScheduler, schedulers: [*a]}",
    ):
        refuse(yaml.safe_load(text), TOO_DEEP)


def test_a_deep_curve_in_code_is_not_written() -> None:
    """``to_dict`` and ``to_plan`` refuse what ``from_dict`` would not take."""
    curve: Any = nested(lambda inner: curves.delay(inner, 1), 240, curves.Constant(0.5))
    with pytest.raises(ValueError, match=f"^a Delay: {TOO_DEEP}"):
        to_dict(curve)
    with pytest.raises(ValueError, match=r"^lr\.curve: a Delay: nested more than 200 deep"):
        to_plan(CurveSchedule(make_optimizer(), curve))


# -- aliases ---------------------------------------------------------------------------------------


def doubled(times: int) -> Any:
    """A curve that doubles with each of its levels, as aliases in YAML do it."""
    curve: Any = {"kind": "Warmup", "steps": 4}
    for _ in range(times):
        curve = {"kind": "Join", "boundaries": [9], "curves": [curve, curve]}
    return curve


def test_aliases_that_double_are_refused_at_once() -> None:
    """Millions of curves in a few lines are refused before any is made; few are made once."""
    start = time.perf_counter()
    refuse({"lr": {"curve": doubled(60)}}, "expected at most .* Each alias counts each time")
    with pytest.raises(ValueError, match=r"^record: expected at most 20,000 dicts, got "):
        from_dict(doubled(22))
    curve: Any = from_dict(doubled(13))
    assert time.perf_counter() - start < 3
    assert curve.curves[0] is curve.curves[1]
    assert curve(2) == 0.5


def test_an_alias_is_read_once() -> None:
    """One record is one curve; of two equal records, each has the path of its own fault."""
    schedule = from_plan(make_optimizer(), {"lr": {"curve": LINE}, "eps": {"curve": LINE}})
    lr, eps = (each.curve for each in schedule.schedules.values())
    assert lr is eps
    plan = {"lr": {"curve": dict(HALF)}, "eps": {"curve": {**HALF, "value": "x"}}}
    with pytest.raises(TypeError, match=r"^eps\.curve\.value: "):
        from_plan(make_optimizer(), plan)


def test_many_points_are_taken() -> None:
    """A recorded curve of 100,000 points is no more than a file has."""
    points = [[t, 1 / (1 + t)] for t in range(100_000)]
    curve = from_dict({"kind": "Piecewise", "points": points})
    assert curve(99_999) == 1e-5
    with pytest.raises(ValueError, match=r"^record: expected at most 1,000,000 values, got "):
        from_dict({"kind": "Piecewise", "points": points * 4})
