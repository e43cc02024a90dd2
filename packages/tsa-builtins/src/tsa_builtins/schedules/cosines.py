"""The built-ins whose annealing is a part of a cosine wave."""

from __future__ import annotations

import tsa_core

from ..curves import Cosine, Curve, QuarterCosine, join
from .parts import Where, checked, fall, rise
from .registry import built_in

__all__ = [
    "cosine_annealing_with_inverse_warmup",
    "cosine_annealing_with_warmup",
    "half_cosine_annealing_with_warmup",
]


@built_in
def cosine_annealing_with_warmup(
    optimizer: tsa_core.OptimizerLike,
    warmup_to_value: float,
    anneal_to_value: float,
    num_warmup_steps: float,
    num_training_steps: float,
    schedule_target: str = "lr",
    *,
    absolute: bool = False,
    where: Where | None = None,
    skip_zero: bool = False,
) -> Curve:
    """The annealing is a quarter of a cosine wave, from W to A; the cosine of torch is half a wave.

    Before the annealing, the target rises from 0 to W. The half wave, level at both ends, is
    :func:`half_cosine_annealing_with_warmup`.

    value(t) = initial value × λ(t), with p = (t − L)/(M − L):

    - warmup, t ≤ L: λ(t) = W·t/L, or W·(t + 1)/(L + 1) if ``skip_zero``; W if L = 0
    - annealing, L < t ≤ M: λ(t) = A + (W − A)·cos(π/2·p), level at W and steepest at A
    - after, t > M: λ(t) = A

    Example:
        >>> schedule = cosine_annealing_with_warmup(optimizer, 1.0, 0.1, 2, 10)
        >>> [round(schedule.curve(t), 4) for t in (1, 2, 6, 10)]
        [0.5, 1.0, 0.7364, 0.1]
    """
    W, A, L, M = checked(warmup_to_value, anneal_to_value, num_warmup_steps, num_training_steps)
    return join([rise(W, L, skip_zero), QuarterCosine(W, A, M - L)], [L])


@built_in
def cosine_annealing_with_inverse_warmup(
    optimizer: tsa_core.OptimizerLike,
    warmup_to_value: float,
    anneal_to_value: float,
    num_warmup_steps: float,
    num_training_steps: float,
    warmup_multiplier: float = 20.0,
    schedule_target: str = "lr",
    *,
    absolute: bool = False,
    where: Where | None = None,
) -> Curve:
    """The annealing is a quarter of a cosine wave, from W to A; the cosine of torch is half a wave.

    Before the annealing, the target comes down from R·W to W. The half wave, level at both ends, is
    :func:`half_cosine_annealing_with_warmup`.

    value(t) = initial value × λ(t), with p = (t − L)/(M − L):

    - inverse warmup, t ≤ L: λ(t) = W·(R − (R − 1)·t/L), or W if L = 0
    - annealing, L < t ≤ M: λ(t) = A + (W − A)·cos(π/2·p), level at W and steepest at A
    - after, t > M: λ(t) = A

    Example:
        >>> schedule = cosine_annealing_with_inverse_warmup(
        ...     optimizer, 1.0, 0.1, 2, 10, warmup_multiplier=4.0
        ... )
        >>> [round(schedule.curve(t), 4) for t in (1, 2, 6, 10)]
        [2.5, 1.0, 0.7364, 0.1]
    """
    W, A, L, M = checked(warmup_to_value, anneal_to_value, num_warmup_steps, num_training_steps)
    return join([fall(W, warmup_multiplier, L), QuarterCosine(W, A, M - L)], [L])


@built_in
def half_cosine_annealing_with_warmup(
    optimizer: tsa_core.OptimizerLike,
    warmup_to_value: float,
    anneal_to_value: float,
    num_warmup_steps: float,
    num_training_steps: float,
    schedule_target: str = "lr",
    *,
    absolute: bool = False,
    where: Where | None = None,
    skip_zero: bool = False,
) -> Curve:
    """The target rises from 0 to W, then anneals to A along half a cosine wave, as in torch.

    value(t) = initial value × λ(t), with p = (t − L)/(M − L):

    - warmup, t ≤ L: λ(t) = W·t/L, or W·(t + 1)/(L + 1) if ``skip_zero``; W if L = 0
    - annealing, L < t ≤ M: λ(t) = A + (W − A)·(1 + cos(π·p))/2, level at both ends
    - after, t > M: λ(t) = A

    Example:
        >>> schedule = half_cosine_annealing_with_warmup(optimizer, 1.0, 0.1, 2, 10)
        >>> [round(schedule.curve(t), 4) for t in (1, 2, 6, 10)]
        [0.5, 1.0, 0.55, 0.1]
    """
    W, A, L, M = checked(warmup_to_value, anneal_to_value, num_warmup_steps, num_training_steps)
    return join([rise(W, L, skip_zero), Cosine(W, A, M - L)], [L])
