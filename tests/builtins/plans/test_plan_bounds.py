"""How deep and how large a plan may be: beyond that it is refused, whatever YAML makes of it."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
import yaml
from plan_forms import make_optimizer

from tsa_builtins import curves, from_plan, to_plan
from tsa_builtins.curves import from_dict, to_dict
from tsa_core import CurveSchedule

HALF = {"kind": "Constant", "value": 0.5}
Nest = Callable[[Any], Any]
NESTS: dict[str, tuple[Nest, int]] = {
    "a delay": (lambda record: {"kind": "Delay", "curve": record, "steps": 1}, 1),
    "a join": (lambda record: {"kind": "Join", "curves": [record], "boundaries": []}, 2),
    "a switch": (lambda record: {"kind": "Switch", "curves": {"0": record}}, 2),
    "a switch of pairs": (lambda record: {"kind": "Switch", "curves": [[0, record]]}, 3),
}


def nested(nest: Nest, depth: int, innermost: Any = HALF) -> Any:
    for _ in range(depth):
        innermost = nest(innermost)
    return innermost


TOO_DEEP = "nested more than 200 deep; write curves side by side"


@pytest.mark.parametrize("name", NESTS)
def test_a_curve_in_many_comes_back_and_in_too_many_is_refused(name: str) -> None:
    """The bound is the same in a record, a plan, a group and a rule, and there is no crash."""
    nest, levels = NESTS[name]
    record = nested(nest, 199 // (3 if "switch" in name else levels))  # written as pairs
    curve = from_dict(record)
    assert from_dict(to_dict(curve)) == curve
    assert curve(1e9) == 0.5
    plan = {"lr": {"curve": {"backbone": record, "*": None}}}
    schedule = from_plan(make_optimizer(), plan, stretch=1)
    assert to_plan(from_plan(make_optimizer(), to_plan(schedule))) == to_plan(schedule)
    too_deep = nested(nest, 900)
    for record in (nested(nest, 200 // levels + 1), too_deep):
        with pytest.raises(ValueError, match=f"^record: {TOO_DEEP}"):
            from_dict(record)
    for curve in (too_deep, [too_deep, None]):
        with pytest.raises(ValueError, match=f"^plan: {TOO_DEEP}"):
            from_plan(make_optimizer(), {"lr": {"curve": curve}})
    with pytest.raises(ValueError, match=f"^plan: {TOO_DEEP}"):
        from_plan(make_optimizer(), {"lr": {"follows": "eps", "rule": too_deep}})


def chain(part: Any) -> Any:
    return {"scheduler": "ChainedScheduler", "schedulers": [part]}


def test_schedulers_in_too_many_and_a_plan_in_itself_are_refused() -> None:
    """A compound 900 levels down, and a YAML alias of what it stands in, are ValueErrors."""
    part = {"scheduler": "StepLR", "step_size": 3}
    too_deep = [{"lr": nested(chain, 900, part)}]
    for text in (
        "lr: {curve: &a {kind: Delay, steps: 1, curve: *a}}",
        "lr: {curve: {kind: Join, boundaries: [], curves: &a [*a]}}",
        "lr: &a {scheduler: ChainedScheduler, schedulers: [*a]}",
    ):
        too_deep.append(yaml.safe_load(text))
    for plan in too_deep:
        with pytest.raises(ValueError, match=f"^plan: {TOO_DEEP}"):
            from_plan(make_optimizer(), plan)
    from_plan(make_optimizer(), {"lr": nested(chain, 5, part)})


def test_a_deep_curve_in_code_is_not_written() -> None:
    """``to_dict`` and ``to_plan`` refuse what ``from_dict`` would not take."""
    curve: Any = nested(lambda inner: curves.delay(inner, 1), 240, curves.Constant(0.5))
    with pytest.raises(ValueError, match=f"^a Delay: {TOO_DEEP}"):
        to_dict(curve)
    with pytest.raises(ValueError, match=r"^lr\.curve: a Delay: nested more than 200 deep"):
        to_plan(CurveSchedule(make_optimizer(), curve))


# -- aliases ---------------------------------------------------------------------------------------


def doubled(times: int) -> Any:
    """A curve that doubles with each of its lines, as aliases in YAML do it."""
    lines = ["a0: &a0 {kind: Warmup, steps: 4}"]
    for i in range(times):
        factors = f"[*a{i}, *a{i}]"
        lines.append(f"a{i + 1}: &a{i + 1} {{kind: Join, boundaries: [9], curves: {factors}}}")
    return yaml.safe_load("\n".join(lines))[f"a{times}"]


def test_aliases_that_double_are_refused_at_once() -> None:
    """Millions of curves in a few lines are refused before any is made; few are made once."""
    start = time.perf_counter()
    with pytest.raises(ValueError, match=r"^plan: expected at most .* Each alias counts each time"):
        from_plan(make_optimizer(), {"lr": {"curve": doubled(60)}})
    with pytest.raises(ValueError, match=r"^record: expected at most 20,000 dicts, got "):
        from_dict(doubled(22))
    curve: Any = from_dict(doubled(13))
    assert time.perf_counter() - start < 3
    assert curve.curves[0] is curve.curves[1]
    assert curve(2) == 0.5


def test_an_alias_is_read_once() -> None:
    """One record is one curve; of two equal records, each has the path of its own fault."""
    line = {"kind": "Linear", "start": 1, "end": 0, "steps": 10}
    schedule = from_plan(make_optimizer(), {"lr": {"curve": line}, "eps": {"curve": line}})
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
