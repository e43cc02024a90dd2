"""Arguments that are valid, and were probably meant otherwise."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

from tsa_core import OptimizerLike
from tsa_core.targets.stand_ins import behind
from tsa_core.targets.target import Target

from ..checks import finite


def doubts_about(given: Mapping[str, Any]) -> Iterator[str]:
    """Yield a message for each of the checked arguments of a built-in that is in doubt."""
    most = given.get("num_training_steps", math.inf)
    for parameter in ("num_warmup_steps", "num_decay_steps"):
        steps = finite(parameter, given.get(parameter, 0))
        # A run that is at most 1 long is not counted in steps, but in runs or epochs.
        if 0 < steps < 1 < most:
            yield (
                f"{parameter}={steps!r} is less than one step: it counts steps, in the "
                "unit of step(), and is not a fraction of the run. If a fraction is meant, write "
                f"{parameter}={steps!r} * num_training_steps; if not, ignore this warning"
            )
    if given["absolute"] is False:
        parameter = "value" if "value" in given else "warmup_to_value"
        multiple = finite(parameter, given[parameter])
        if multiple not in (0, 1):  # as a value, either would give the same
            yield from _about_multiple(f"{parameter}={multiple!r}", multiple, given)


def _about_multiple(written: str, multiple: float, given: Mapping[str, Any]) -> Iterator[str]:
    """Yield a message if the multiple is a group's initial value."""
    try:
        optimizer, target = behind(given["optimizer"], Target.parse(given["schedule_target"]))
    except (TypeError, ValueError):
        return  # CurveSchedule says what is wrong
    for initial in initial_values(optimizer, target.name):
        # A float32 tensor of 0.001 holds 0.0010000000475.
        if math.isclose(initial, multiple, rel_tol=1e-6):
            yield (
                f"{written} is the initial value of {target.name!r}, and multiplies it, which "
                f"gives {initial * multiple:g}. If {multiple!r} is meant as the value, write "
                "absolute=True; if the multiple is meant, ignore this warning"
            )
            return


def initial_values(optimizer: OptimizerLike, schedule_target: str) -> list[float]:
    """Return what a schedule that is built now starts from, in each group that has a number."""
    target, values = Target.parse(schedule_target), []
    for group in getattr(optimizer, "param_groups", ()):
        with suppress(LookupError, TypeError, ValueError):
            values.append(float(target.initial_or_present(group)))
    return values
