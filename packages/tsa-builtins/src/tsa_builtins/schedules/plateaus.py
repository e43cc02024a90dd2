"""The built-ins that hold a value: to the end, or until a decay."""

from __future__ import annotations

import tsa_core

from ..checks import at_least_zero, finite
from ..curves import Constant, Curve, join
from ..curves.rounding import hair
from ..curves.transitions import Shape, transition_named
from .parts import Where, checked, fall, rise
from .registry import built_in

__all__ = [
    "constant_schedule",
    "constant_with_inverse_warmup",
    "constant_with_warmup",
    "warmup_stable_decay",
]


@built_in
def warmup_stable_decay(
    optimizer: tsa_core.OptimizerLike,
    warmup_to_value: float,
    anneal_to_value: float,
    num_warmup_steps: float,
    num_decay_steps: float,
    num_training_steps: float,
    schedule_target: str = "lr",
    *,
    decay: Shape = "OneMinusSqrt",
    absolute: bool = False,
    where: Where | None = None,
    skip_zero: bool = False,
) -> Curve:
    """The target rises from 0 to W, stays there, and falls to A in the last D steps.

    value(t) = initial value × λ(t), with p = (t − (M − D))/D:

    - warmup, t ≤ L: λ(t) = W·t/L, or W·(t + 1)/(L + 1) if ``skip_zero``; W if L = 0
    - plateau, L < t ≤ M − D: λ(t) = W
    - decay, M − D < t ≤ M: λ(t) = A + (W − A)·(1 − √p), or along another shape
    - after, t > M: λ(t) = A

    1 − √p is the cooldown of Hägele et al. (https://arxiv.org/abs/2405.18392).

    Example:
        >>> schedule = warmup_stable_decay(optimizer, 1.0, 0.0, 2, 4, 10)
        >>> [round(schedule.curve(t), 4) for t in (1, 2, 6, 7, 10)]
        [0.5, 1.0, 1.0, 0.5, 0.0]
    """
    W, A, L, M = checked(warmup_to_value, anneal_to_value, num_warmup_steps, num_training_steps)
    D = at_least_zero("num_decay_steps", num_decay_steps)
    overlap = L + D - M
    if overlap > hair(overlap, M):
        raise ValueError(
            "num_decay_steps: expected at most num_training_steps - num_warmup_steps = "
            f"{M - L!r}, got {D!r}"
        )
    start = max(M - D, L)
    cooldown = transition_named("decay", decay, W, A, M - start)
    return join([rise(W, L, skip_zero), Constant(W), cooldown], [L, start])


@built_in
def constant_with_warmup(
    optimizer: tsa_core.OptimizerLike,
    warmup_to_value: float,
    num_warmup_steps: float,
    schedule_target: str = "lr",
    *,
    absolute: bool = False,
    where: Where | None = None,
    skip_zero: bool = False,
) -> Curve:
    """The target rises from 0 to W, and stays there.

    value(t) = initial value × λ(t):

    - warmup, t ≤ L: λ(t) = W·t/L, or W·(t + 1)/(L + 1) if ``skip_zero``; W if L = 0
    - after, t > L: λ(t) = W

    Example:
        >>> schedule = constant_with_warmup(optimizer, 1.0, 4)
        >>> [round(schedule.curve(t), 4) for t in (1, 2, 4, 1000)]
        [0.25, 0.5, 1.0, 1.0]
    """
    W = finite("warmup_to_value", warmup_to_value)
    L = at_least_zero("num_warmup_steps", num_warmup_steps)
    return join([rise(W, L, skip_zero), Constant(W)], [L])


@built_in
def constant_with_inverse_warmup(
    optimizer: tsa_core.OptimizerLike,
    warmup_to_value: float,
    num_warmup_steps: float,
    warmup_multiplier: float = 20.0,
    schedule_target: str = "lr",
    *,
    absolute: bool = False,
    where: Where | None = None,
) -> Curve:
    """The target comes down from R·W to W, and stays there.

    value(t) = initial value × λ(t):

    - inverse warmup, t ≤ L: λ(t) = W·(R − (R − 1)·t/L), or W if L = 0
    - after, t > L: λ(t) = W

    Example:
        >>> schedule = constant_with_inverse_warmup(optimizer, 1.0, 4, warmup_multiplier=3.0)
        >>> [round(schedule.curve(t), 4) for t in (1, 2, 4, 1000)]
        [2.5, 2.0, 1.0, 1.0]
    """
    W = finite("warmup_to_value", warmup_to_value)
    L = at_least_zero("num_warmup_steps", num_warmup_steps)
    return join([fall(W, warmup_multiplier, L), Constant(W)], [L])


@built_in
def constant_schedule(
    optimizer: tsa_core.OptimizerLike,
    value: float,
    schedule_target: str = "lr",
    *,
    absolute: bool = False,
    where: Where | None = None,
) -> Curve:
    """The target holds the same multiple of its initial value at every step.

    value(t) = initial value × λ(t), with λ(t) = V.

    Example:
        >>> schedule = constant_schedule(optimizer, 0.5)
        >>> [round(schedule.curve(t), 4) for t in (0, 1000)]
        [0.5, 0.5]
    """
    return Constant(finite("value", value))
