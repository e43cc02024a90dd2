"""The parts of which the built-ins are joined, and the checks of their arguments.

W, A, L, D, M, R and P are the names of the arguments in the formulas. Each docstring binds them.
"""

from __future__ import annotations

from collections.abc import Callable, MutableMapping
from typing import Any, TypeAlias

from ..checks import at_least_zero, finite, flag, positive
from ..curves import Linear

Where: TypeAlias = Callable[[MutableMapping[str, Any]], bool]


def checked(
    warmup_to_value: float,
    anneal_to_value: float,
    num_warmup_steps: float,
    num_training_steps: float,
) -> tuple[float, float, float, float]:
    """W, A, L and M, checked under the names of the arguments."""
    W = finite("warmup_to_value", warmup_to_value)
    A = finite("anneal_to_value", anneal_to_value)
    L = at_least_zero("num_warmup_steps", num_warmup_steps)
    M = positive("num_training_steps", num_training_steps)
    if L > M:
        raise ValueError(
            f"num_warmup_steps: expected at most num_training_steps = {M!r}, got {L!r}"
        )
    finite("warmup_to_value - anneal_to_value", W - A)
    return W, A, L, M


def rise(W: float, L: float, skip_zero: bool) -> Linear:
    """The warmup from 0 to W: W·t/L, or W·(t + 1)/(L + 1)."""
    return Linear(W / (L + 1) if flag("skip_zero", skip_zero) else 0, W, L)


def fall(W: float, warmup_multiplier: float, L: float) -> Linear:
    """The inverse warmup from R·W to W."""
    start = W * finite("warmup_multiplier", warmup_multiplier)
    finite("warmup_to_value * warmup_multiplier", start)
    finite("warmup_to_value * (warmup_multiplier - 1)", start - W)
    return Linear(start, W, L)
