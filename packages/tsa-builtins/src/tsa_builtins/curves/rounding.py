"""Steps that rounding has moved off a boundary.

A curve inside another gets steps that were computed, and 0.3 − 0.1 is 0.19999999999999998: a hair
before a boundary at 0.2. So a formula takes, beside t, its ``span``: the largest number that t was
computed from, or 0 if t is the caller's own. A step within a hair of a boundary is the boundary.
An int is exact, because only ints make one.
"""

from __future__ import annotations

# A few operations lose less than this, relative to the largest number in them.
NEAR = 1e-15
# Far out a hair would reach from one whole step to the next, and those are exact.
LONGEST_HAIR = 1e-3
NO_LONGER = LONGEST_HAIR / NEAR


def hair(t: float, span: float) -> float:
    """How far rounding may have moved a step t that was computed from numbers up to ``span``."""
    if type(t) is int:
        return 0
    return NEAR * span if span < NO_LONGER else LONGEST_HAIR


def cycle_at(t: float, steps: float, span: float) -> tuple[float, float]:
    """The number of the cycle of ``steps`` that plays at t, and the steps since it began."""
    cycle, since = t // steps, t % steps  # exact, however large t is
    if type(since) is int or LONGEST_HAIR <= since <= steps - LONGEST_HAIR:
        return cycle, since
    near = hair(since, span)
    if since <= near < steps / 2:
        return cycle, 0
    if steps - since <= near < steps / 2:
        return cycle + 1, 0
    return cycle, since
