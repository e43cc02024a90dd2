"""Checks of the numbers that curves and built-ins are made of."""

from __future__ import annotations

import math
import numbers


def finite(name: str, value: object) -> float:
    """``value`` as a Python number if it is real and finite; else an error with ``name``."""
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise TypeError(
            f"{name}: expected a finite real number, got {value!r} ({type(value).__name__})"
        )
    try:
        number = float(value)
    except OverflowError:  # an int or a fraction beyond every float
        number = math.inf
    if not math.isfinite(number):
        raise ValueError(f"{name}: expected a finite real number, got {value!r}")
    return int(value) if isinstance(value, numbers.Integral) else number


def at_least_zero(name: str, value: object) -> float:
    number = finite(name, value)
    if number < 0:
        raise ValueError(f"{name}: expected 0 or more, got {value!r}")
    return number


def positive(name: str, value: object) -> float:
    number = finite(name, value)
    if number <= 0:
        raise ValueError(f"{name}: expected more than 0, got {value!r}")
    return number


def within_reach(name: str, value: float, other_name: str, other: float) -> None:
    """Raise if the way from ``other`` to ``value`` is longer than any float."""
    if abs(float(value) - float(other)) == math.inf:
        raise ValueError(
            f"{name}: expected a number less than 1.8e308 away from {other_name} = {other!r}, "
            f"got {value!r}"
        )
