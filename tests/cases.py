"""Which cases of a parametrized test run: each name once, or all with ``nox -s exhaustive``.

The full product of names and values takes minutes and finds next to nothing more.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterable
from typing import Any

EXHAUSTIVE = os.environ.get("EXHAUSTIVE") == "1"


def crossed(*axes: Iterable[Any]) -> list[tuple[Any, ...]]:
    """All combinations of the axes, or the fewest in which each item of each axis stands once.

    The longest axis decides how many these are, and the others start again at their ends.
    """
    listed = [list(axis) for axis in axes]
    if EXHAUSTIVE:
        return list(itertools.product(*listed))
    return [tuple(axis[i % len(axis)] for axis in listed) for i in range(max(map(len, listed)))]


def some(values: Iterable[Any], most: int = 3) -> list[Any]:
    """All values, or ``most`` of them, spread evenly from the first to the last."""
    listed = list(values)
    if EXHAUSTIVE or len(listed) <= most:
        return listed
    return [listed[i * (len(listed) - 1) // (most - 1)] for i in range(most)]


def examples(usual: int) -> int:
    """How many examples hypothesis draws: ``usual``, or ten times as many with all cases."""
    return usual * 10 if EXHAUSTIVE else usual
