"""What can be seen of a scheduler from outside, whoever made it."""

from __future__ import annotations

import inspect
from typing import Any


def is_schedule(schedule: object) -> bool:
    return hasattr(schedule, "optimizer") and callable(getattr(schedule, "step", None))


def parts_of(schedule: Any) -> Any:
    """The schedulers that a compound one steps; nothing of any other."""
    return getattr(schedule, "_schedulers", None) or ()


def position_of(schedule: Any) -> Any:
    """The step at which it stands; ``ChainedScheduler`` knows it by its parts alone."""
    try:
        return schedule.last_epoch
    except AttributeError:
        parts = parts_of(schedule)
        return position_of(parts[0]) if parts else None


def cycles_momentum(schedule: Any) -> bool:
    own = bool(getattr(schedule, "cycle_momentum", False))
    return own or any(map(cycles_momentum, parts_of(schedule)))


def arguments_of_step(schedule: Any) -> dict[str, bool]:
    """What its ``step`` takes, and whether it demands it.

    One that passes on ``*args`` takes besides what the class takes that it passes them to.
    """
    taken: dict[str, bool] = {}
    inherited = (vars(cls).get("step") for cls in type(schedule).__mro__)
    for step in (schedule.step, *filter(inspect.isfunction, inherited)):
        parameters = inspect.signature(step).parameters.values()
        passed_on = [p for p in parameters if p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
        for parameter in parameters:
            if parameter not in passed_on and parameter.name != "self":
                taken.setdefault(parameter.name, parameter.default is parameter.empty)
        if not passed_on:
            break
    return taken


def passes_on_by_position(schedule: Any) -> bool:
    """Whether its ``step`` takes by position what it passes on, as ``step(self, *args)`` does."""
    kinds = {parameter.kind for parameter in inspect.signature(schedule.step).parameters.values()}
    return inspect.Parameter.VAR_POSITIONAL in kinds and inspect.Parameter.VAR_KEYWORD not in kinds
