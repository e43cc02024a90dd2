"""Arguments that are valid, and were probably meant otherwise."""

from __future__ import annotations

import inspect
import math
import numbers
import warnings
from collections.abc import Mapping
from typing import Any

from tsa_core import OptimizerLike, ProxyOptimizer, get_param_groups_regrouped_by_key


def doubt_about_multiplier(
    parameter: str, multiplier: float, optimizer: OptimizerLike, schedule_target: str
) -> str | None:
    """Return a message if the multiplier is a group's initial value."""
    if multiplier in (0, 1):  # as a value, either would give the same
        return None
    if isinstance(optimizer, ProxyOptimizer) and schedule_target == "lr":
        schedule_target, optimizer = optimizer.schedule_target, optimizer.optimizer
    for initial in initial_values(optimizer, schedule_target):
        # A float32 tensor of 0.001 holds 0.0010000000475.
        if math.isclose(initial, multiplier, rel_tol=1e-6):
            return (
                f"{parameter}={multiplier!r} is the initial value of {schedule_target!r}, and "
                f"multiplies it, which gives {initial * multiplier:g}. If {multiplier!r} is meant "
                "as the value, write absolute=True; if the multiplier is meant, ignore this warning"
            )
    return None


def doubt_about_steps(parameter: str, steps: float, num_training_steps: float) -> str | None:
    """Return a message if a part is shorter than one step of a longer run."""
    # A run that is at most 1 long is not counted in steps, but in runs or epochs.
    if not 0 < steps < 1 < num_training_steps:
        return None
    return (
        f"{parameter}={steps!r} is less than one step: it counts steps, in the "
        "unit of step(), and is not a fraction of the run. If a fraction is meant, write "
        f"{parameter}={steps!r} * num_training_steps; if not, ignore this warning"
    )


def initial_values(optimizer: OptimizerLike, schedule_target: str) -> list[float]:
    """Return what a schedule that is built now starts from, in each group that has a number."""
    try:
        held = get_param_groups_regrouped_by_key(optimizer, schedule_target)
    except (KeyError, TypeError, ValueError):
        return []  # CurveSchedule says what is wrong
    initials = [
        _as_number(_recorded(group, schedule_target, present)) for present, _, group in held
    ]
    return [float(number) for number in initials if isinstance(number, numbers.Real)]


def _recorded(group: Mapping[str, Any], schedule_target: str, present: object) -> object:
    of_1x = group.get("schedule_namespaces", {}).get(schedule_target, {})
    return group.get(f"initial_{schedule_target}", of_1x.get("initial_lr", present))


def _as_number(value: Any) -> object:
    """Return the number in a 0-dim tensor or array."""
    return value.item() if getattr(value, "ndim", None) == 0 else value


def warn_user(message: str) -> None:
    """Warn with a ``UserWarning`` at the line that called into the library."""
    stacklevel, frame = 1, inspect.currentframe()
    while frame and frame.f_globals.get("__name__", "").startswith(("tsa_builtins.", "tsa_core.")):
        stacklevel, frame = stacklevel + 1, frame.f_back
    warnings.warn(message, UserWarning, stacklevel=stacklevel)
