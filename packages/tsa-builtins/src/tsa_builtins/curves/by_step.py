"""Values by the steps at which they are: checked, and in order."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from itertools import pairwise
from typing import Any, TypeVar

from ..checks.numbers_ import at_least_zero

T = TypeVar("T")


def by_step(
    name: str,
    what: str,
    given: Mapping[Any, Any] | Iterable[Any],
    checked: Callable[[str, Any], T],
) -> tuple[tuple[float, T], ...]:
    """The pairs of a step and a value in ``given``, in order of their steps.

    ``checked`` takes the beginning of an error and a value. Errors call a value ``what``.
    """
    pairs = given.items() if isinstance(given, Mapping) else given
    try:
        listed = [(step, value) for step, value in pairs]
    except (TypeError, ValueError):
        raise TypeError(f"{name}: expected a mapping {{step: {what}}}, got {given!r}") from None
    if not listed:
        raise ValueError(f"{name}: expected at least one {{step: {what}}}, got none")
    in_order = sorted(
        (
            (
                at_least_zero(f"{name}: a step", step),
                checked(f"{name}: the {what} at {step}", value),
            )
            for step, value in listed
        ),
        key=lambda pair: pair[0],
    )
    for (step, _), (following, _) in pairwise(in_order):
        if step == following:
            raise ValueError(f"{name}: expected each step once, got {step!r} twice")
    return tuple(in_order)
