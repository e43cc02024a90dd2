"""One entry of a plan, checked: a recipe for the schedule that it describes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from tsa_core import (
    CurveSchedule,
    DerivedSchedule,
    ProxyOptimizer,
    arbitrary_schedule_factory,
    torch_schedulers,
)
from tsa_core.targets.driven import OTHERS

from ..checks import (
    check_entries,
    check_name,
    closest,
    entry,
    errors_at,
    flag,
    instead,
    item,
    mapping,
    number,
    numbers,
    sequence,
    shown,
    with_path,
)
from ..curves import Curve, Power
from ..curves import stretch as stretched
from ..curves.record import CurveReader, shape
from ..schedules.registry import BUILT_INS, STEP_ARGUMENTS, plan_arguments

WAYS = ("schedule", "scheduler", "curve", "follows")
"""The entries that say what drives the target. Each entry of a plan has exactly one of them."""

HOW_TO_NAME = (
    "no group has a name. Name each of them, as in {'params': …, 'name': 'backbone'}, or write a "
    "list with one curve per group"
)


class Recipe(NamedTuple):
    """A checked entry. ``put(optimizer, target, source)`` makes the schedule, and may raise too."""

    path: str
    put: Callable[..., Any]
    default_value: float | None
    source: str | None
    """The target that it follows, of the same optimizer."""
    optimizer_name: str = ""
    target: str = ""


class Unit(NamedTuple):
    """The settings that all entries of a plan share: its unit of time, and its curves."""

    stretch: float
    """The steps per unit."""
    curves: CurveReader


def read_entry(path: str, value: object, unit: Unit, *, is_part: bool = False) -> Recipe:
    """Check an entry of a plan; ``is_part``: it is in a compound, and shares its target."""
    description = mapping(path, value, "a dict with 'schedule', 'scheduler', 'curve' or 'follows'")
    way = _way(path, description)
    if way == "follows" and is_part:
        raise ValueError(
            f"{entry(path, way)}: a part of a compound cannot follow another target; write a curve "
            "in its place, or let the target of the compound follow"
        )
    default_value = None
    if "default_value" in description and not is_part:
        default_value = number(entry(path, "default_value"), description["default_value"])
        description = {key: each for key, each in description.items() if key != "default_value"}
    put = READERS[way](path, description, unit)
    return Recipe(path, put, default_value, description.get("follows"))


def _way(path: str, description: Mapping[Any, Any]) -> str:
    ways = [way for way in WAYS if way in description]
    if len(ways) == 1:
        return ways[0]
    if ways:
        raise ValueError(f"{path}: got {' and '.join(map(repr, ways))}; write one of them only")
    for key in description:
        match = closest(key, WAYS)
        if match:
            raise ValueError(f"{entry(path, key)}: not an entry of a plan; did you mean {match!r}?")
    raise ValueError(f"{path}: expected one of {list(WAYS)}, got {[*description]}")


def _absolute(path: str, description: Mapping[Any, Any]) -> bool:
    return flag(entry(path, "absolute"), description.get("absolute", False))


# -- a built-in ------------------------------------------------------------------------------------


def _read_built_in(path: str, description: Mapping[Any, Any], unit: Unit) -> Any:
    at_name = entry(path, "schedule")
    _refuse_other_way(at_name, description["schedule"], torch_schedulers(), "scheduler")
    name = check_name(at_name, description["schedule"], BUILT_INS, "a built-in")
    built_in = BUILT_INS[name]
    takes = plan_arguments(built_in)
    given = [key for key in description if key != "schedule"]
    needed = [key for key, each in takes.items() if each.default is each.empty]
    check_entries(path, given, takes, needed, name)
    arguments = {
        key: ARGUMENT_READERS[takes[key].annotation](entry(path, key), description[key])
        for key in given
    }
    if unit.stretch != 1:
        for key in STEP_ARGUMENTS & arguments.keys():
            arguments[key] *= unit.stretch

    def put(optimizer: Any, target: str, _: object) -> Any:
        with errors_at(path, takes):
            return built_in(optimizer, **arguments, schedule_target=target)

    return put


ARGUMENT_READERS: Mapping[str, Callable[[str, object], Any]] = {
    "float": number,
    "bool": flag,
    "Shape": shape,
}
"""How an argument of a built-in is read, by the type that it declares."""


def _refuse_other_way(path: str, name: object, others: Mapping[str, Any], way: str) -> None:
    if isinstance(name, str) and name in others:
        raise ValueError(f"{path}: {name!r} goes under {way!r}; write {way}: {name}")


# -- a curve, or one for each param group ----------------------------------------------------------


def _read_curve(path: str, description: Mapping[Any, Any], unit: Unit) -> Any:
    at_curve = entry(path, "curve")
    check_entries(path, description, ["curve", "absolute"], (), "an entry with 'curve'")
    curve = _curve_or_curves(at_curve, description["curve"], unit)
    absolute = _absolute(path, description)

    def put(optimizer: Any, target: str, _: object) -> Any:
        if isinstance(curve, dict):
            _check_group_names(at_curve, curve, optimizer)
        with errors_at(path, ("curve",)):
            return CurveSchedule(optimizer, curve, target, absolute=absolute)

    return put


def _curve_or_curves(path: str, value: Any, unit: Unit) -> Any:
    def read(path: str, record: object) -> Curve:
        curve = unit.curves.curve_at(path, record)
        return curve if unit.stretch == 1 else stretched(curve, unit.stretch)

    def read_or_none(path: str, record: object) -> Curve | None:
        return None if record is None else read(path, record)

    if isinstance(value, Sequence) and not isinstance(value, (str, bytes)):
        return [read_or_none(item(path, i), each) for i, each in enumerate(value)]
    if not isinstance(value, Mapping) or not value or is_one_curve(value):
        return read(path, value)
    for name in value:
        if not isinstance(name, str):
            raise TypeError(
                f"{path}: expected the names of param groups as keys, got {shown(name)}; for one "
                "curve per group in the optimizer's order, write a list"
            )
    return {name: read_or_none(entry(path, name), each) for name, each in value.items()}


def is_one_curve(value: Mapping[Any, Any]) -> bool:
    """True for a curve; false for curves by the names of groups, even if a name is ``kind``."""
    return OTHERS not in value and not all(
        each is None or isinstance(each, Mapping) for each in value.values()
    )


def _check_group_names(path: str, curves: Mapping[str, Any], optimizer: Any) -> None:
    names = [group.get("name") for group in optimizer.param_groups]
    texts = [name for name in names if isinstance(name, str)]
    for name in curves:
        if name != OTHERS and name not in texts:
            hint = instead(name, [*texts, OTHERS]) if texts else HOW_TO_NAME
            message = f"{entry(path, name)}: {name!r} is not the 'name' of a param group; {hint}"
            raise with_path(ValueError(message))


# -- a torch scheduler -----------------------------------------------------------------------------


def _read_scheduler(path: str, description: Mapping[Any, Any], unit: Unit) -> Any:
    at_name = entry(path, "scheduler")
    _refuse_other_way(at_name, description["scheduler"], BUILT_INS, "schedule")
    name = check_name(at_name, description["scheduler"], torch_schedulers(), "a torch scheduler")
    form = torch_schedulers()[name]
    functions = [key for key, setting in form.settings.items() if setting.kind == "function"]
    if any(form.settings[key].required for key in functions):
        raise TypeError(
            f"{at_name}: {name} takes a function, which is code and not data. Write a curve, or "
            f"put {name} beside the plan: SynchronousSchedule([from_plan(...), scheduler])"
        )
    if unit.stretch != 1:
        raise ValueError(
            f"{at_name}: {name} counts steps in its settings, so stretch={unit.stretch!r} cannot "
            "stretch it; write a curve, or count this plan in steps"
        )
    given = [key for key in description if key != "scheduler"]
    needed = [key for key, setting in form.settings.items() if setting.required]
    check_entries(path, given, form.settings, needed, name)
    settings = {
        key: _setting(entry(path, key), description[key], form.settings[key], unit) for key in given
    }
    if "schedulers" in settings:
        milestones = settings.get("milestones", [])
        if milestones != sorted(milestones):
            at_milestones = entry(path, "milestones")
            raise ValueError(
                f"{at_milestones}: expected steps in rising order, got {shown(milestones)}"
            )

    def make(optimizer: Any) -> Any:
        made = {
            key: [part.put(optimizer, "lr", None) for part in value]
            if form.settings[key].kind == "schedulers"
            else value
            for key, value in settings.items()
        }
        with errors_at(f"{path}: {name}"):
            return form.make(optimizer, made)

    def put(optimizer: Any, target: str, _: object) -> Any:
        if isinstance(optimizer, ProxyOptimizer):  # a part is built on the proxy of its compound
            return make(optimizer)
        return arbitrary_schedule_factory(optimizer, make, schedule_target=target)

    return put


def _check_steps(path: str, value: float | list[float], steps: Any) -> None:
    """Raise where torch would pass over a step in silence, or divide by 0 at a later one."""
    for each in value if isinstance(value, list) else [value]:
        if each < 0 or (each == 0 and not steps.may_be_zero) or (steps.whole and each % 1):
            kind = "whole steps" if steps.whole else "steps"
            limit = "0 or more" if steps.may_be_zero else "1 or more"
            if not steps.whole and not steps.may_be_zero:
                limit = "more than 0"
            raise ValueError(f"{path}: expected {kind}, {limit}, got {shown(value)}")


def _setting(path: str, value: Any, setting: Any, unit: Unit) -> Any:
    if value is None and setting.may_be_none:
        return None
    taken = _checked_setting(path, value, setting, unit)
    if setting.counts_steps is not None:
        _check_steps(path, taken, setting.counts_steps)
    return taken


def _checked_setting(path: str, value: Any, setting: Any, unit: Unit) -> Any:
    is_list = isinstance(value, Sequence) and not isinstance(value, (str, bytes))
    if setting.kind == "schedulers":
        parts = sequence(path, value, "schedulers")
        return [read_entry(item(path, i), part, unit, is_part=True) for i, part in enumerate(parts)]
    if setting.kind == "list of numbers" or (setting.kind == "number per group" and is_list):
        return numbers(path, value)
    if setting.kind == "flag":
        return flag(path, value)
    if setting.kind == "word":
        return check_name(path, value, setting.words, "one of its words")
    if setting.kind == "function":
        raise TypeError(f"{path}: a function is code and not data; leave it out, or write a curve")
    return number(path, value)


# -- another target --------------------------------------------------------------------------------


def _read_follower(path: str, description: Mapping[Any, Any], unit: Unit) -> Any:
    takes = ["follows", "power", "rule", "absolute"]
    check_entries(path, description, takes, (), "an entry with 'follows'")
    source = description["follows"]
    if not isinstance(source, str):
        raise TypeError(
            f"{entry(path, 'follows')}: expected the name of another target, got {shown(source)}"
        )
    if "power" in description and "rule" in description:
        raise ValueError(f"{path}: got 'power' and 'rule'; write one of them only")
    # A rule is not a function of time, so it is not stretched.
    if "rule" in description:
        rule = unit.curves.curve_at(entry(path, "rule"), description["rule"])
    else:
        rule = Power(number(entry(path, "power"), description.get("power", 1)))
    absolute = _absolute(path, description)

    def put(optimizer: Any, target: str, source: str) -> Any:
        with errors_at(path, ("rule",)):
            return DerivedSchedule(optimizer, rule, target, of=source, absolute=absolute)

    return put


READERS = {
    "schedule": _read_built_in,
    "scheduler": _read_scheduler,
    "curve": _read_curve,
    "follows": _read_follower,
}
