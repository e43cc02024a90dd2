"""A schedule as an entry of a plan."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tsa_core import (
    CurveSchedule,
    DerivedSchedule,
    SchedulerForm,
    SynchronousSchedule,
    torch_schedulers,
)
from tsa_core.messages import describe

from ..checks import entry, errors_at, item
from ..curves import Curve, Power, delay
from ..curves.record import record_of
from ..schedules.doubts import initial_values


def plan_of(schedule: Any) -> dict[str, dict[str, Any]]:
    """Return the plan that describes ``schedule``."""
    if not isinstance(schedule, SynchronousSchedule):
        schedule = SynchronousSchedule([schedule])
    return {
        member.name: _with_default_value(entry_of(member.name, member.schedule), member)
        for member in schedule.members
    }


def entry_of(path: str, schedule: Any, *, is_part: bool = False) -> dict[str, Any]:
    """Return the entry that describes ``schedule``; raise if it is code.

    ``is_part``: it is in a compound, and ``path`` is not the name of a member.
    """
    if isinstance(schedule, (CurveSchedule, DerivedSchedule)) and schedule.where is not None:
        by_name = "one curve per name of a group, {'decay': curve, '*': None}, or add this member"
        remedy = by_name if isinstance(schedule, CurveSchedule) else "this member"
        raise TypeError(
            f"{path}: where={describe(schedule.where)} is a function, which is code and not data. "
            f"Write {remedy} in code: SynchronousSchedule([from_plan(...), schedule])"
        )
    if type(schedule) is CurveSchedule:
        return _entry_of_curve(path, schedule)
    if type(schedule) is DerivedSchedule and isinstance(schedule.rule, Curve) and not is_part:
        return _entry_of_follower(path, schedule)
    form = torch_schedulers().get(type(schedule).__name__)
    if form is not None and form.scheduler_class is type(schedule):
        return _entry_of_scheduler(path, schedule, form)
    if isinstance(schedule, DerivedSchedule) and not isinstance(schedule.rule, Curve):
        what = f"a DerivedSchedule, and its rule, {describe(schedule.rule)}, is a function"
    else:
        what = f"a {type(schedule).__name__}, which only its author can write as data"
    raise TypeError(
        f"{path}: {what}. Write the other members as a plan, and add this one in code: "
        "SynchronousSchedule([from_plan(...), schedule])"
    )


def _entry_of_curve(path: str, schedule: CurveSchedule) -> dict[str, Any]:

    def data(path: str, curve: Any) -> Any:
        if curve is None:
            return None
        with errors_at(path):
            return record_of(delay(curve, origin) if origin else curve, by_step=True)

    path, curves = entry(path, "curve"), schedule.curve
    with errors_at(path):
        origin = schedule.follows()["origin"]  # where replan was called
    written: Any
    if callable(curves):
        written = data(path, curves)
    elif isinstance(curves, Mapping):
        written = {name: data(entry(path, name), each) for name, each in curves.items()}
    else:
        written = [data(item(path, i), each) for i, each in enumerate(curves)]
    return {"curve": written, **({"absolute": True} if schedule.absolute else {})}


def _entry_of_follower(name: str, schedule: DerivedSchedule) -> dict[str, Any]:
    """The source gets the name of the optimizer too, if that is in ``name``."""
    rule = schedule.rule
    written: dict[str, Any] = {
        "follows": name.removesuffix(schedule.schedule_target) + schedule.source
    }
    if not isinstance(rule, Power):
        at_rule = entry(name, "rule")
        with errors_at(at_rule):
            written["rule"] = record_of(rule, by_step=True)
    elif rule.exponent != 1:
        written["power"] = rule.exponent
    return {**written, **({"absolute": True} if schedule.absolute else {})}


def _entry_of_scheduler(path: str, schedule: Any, form: SchedulerForm) -> dict[str, Any]:
    name = type(schedule).__name__
    written: dict[str, Any] = {"scheduler": name}
    for key, value in form.settings_of(schedule).items():
        kind = form.settings[key].kind
        if kind == "schedulers":
            at_key = entry(path, key)
            written[key] = [
                entry_of(item(at_key, i), each, is_part=True) for i, each in enumerate(value)
            ]
        elif kind != "function":
            written[key] = value
        elif value is not None:
            raise TypeError(
                f"{entry(path, key)}: a function, which is code and not data. Write a curve in "
                f"place of the {name}, or add it in code beside the plan"
            )
    return written


def _with_default_value(written: dict[str, Any], member: Any) -> dict[str, Any]:
    """Add the initial value of a target that the optimizer does not have by itself."""
    schedule, target = member.schedule, member.target.name
    defaults = getattr(member.optimizer, "defaults", None)
    if not defaults or target in defaults or "[" in target:
        return written
    values, first = initial_values(member.optimizer, target), written
    while "schedulers" in first:
        # The first part found what was there before. A later one may have set initial values.
        form = torch_schedulers()[first["scheduler"]]
        schedule = form.settings_of(schedule)["schedulers"][0]
        values = [*map(float, getattr(schedule, "base_lrs", values))]
        first = first["schedulers"][0]
    # One number cannot stand for several. A CyclicLR and a OneCycleLR begin with their own.
    if values and ({*values} == {values[0]} or "max_lr" in first):
        return {**written, "default_value": values[0]}
    return written
