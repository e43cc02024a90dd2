"""Numbers: real values, and steps."""

from __future__ import annotations

import math
import numbers
import sys

from ..messages import warn_user


def real_number(value: object, before: str = "", after: str = "") -> float:
    """Return ``value`` as a finite Python int or float, whatever scalar type it has.

    Every checkpoint format can hold a Python number. A NumPy scalar in a group makes
    ``torch.load(weights_only=True)`` refuse the file. An error says ``before`` and ``after`` too.
    """
    if type(value) is not float and type(value) is not int:
        if getattr(value, "ndim", None) == 0 and hasattr(value, "item"):
            value = value.item()
        if isinstance(value, bool) or not isinstance(value, numbers.Real):
            kind = type(value).__name__
            raise TypeError(f"{before}{value!r} ({kind}) is not a real number{after}")
    try:
        number = float(value)
    except OverflowError:  # the value is an int beyond the largest float
        number = math.inf
    if not math.isfinite(number):
        raise ValueError(f"{before}{value!r} is not finite{after}")
    return value if isinstance(value, int) else number


def step_number(value: object, name: str = "epoch") -> float:
    """Return ``value`` as a Python number ≥ 0; an error calls it ``name``."""
    if type(value) is int and 0 <= value <= sys.maxsize:  # a larger one may be no float
        return value
    step = real_number(value, f"{name}: ", "; expected a step, 0 or later")
    if step < 0:
        raise ValueError(f"{name}: expected a step, 0 or later, got {value!r}")
    return step


def step_of_user(value: object, position: float) -> float:
    """Return the ``epoch`` of a call of ``step`` as a Python number ≥ 0.

    Warn of a step from ``position`` back to a fraction: it is probably a metric.
    """
    metric = (
        "If it is a metric, call step(): only schedulers such as ReduceLROnPlateau take metrics"
    )
    is_floating_point = getattr(value, "is_floating_point", None)
    if callable(is_floating_point) and is_floating_point():  # a tensor, and probably a loss
        raise TypeError(f"epoch: expected a step, got {value!r}. {metric}")
    step = step_number(value)
    if step < position and step != step // 1:
        warn_user(
            f"step: {step!r} goes back from step {position!r} to a fraction of a step. {metric}. "
            "If it is a position, ignore this warning"
        )
    return step
