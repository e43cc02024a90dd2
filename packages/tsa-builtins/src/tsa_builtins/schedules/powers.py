"""The built-ins that anneal by a power of the progress, or fall by a power of the step."""

from __future__ import annotations

import tsa_core

from ..checks import at_least_zero, finite, positive
from ..curves import Curve, InverseSqrt, Polynomial, join
from .parts import Where, checked, fall, rise
from .registry import built_in

__all__ = [
    "inverse_sqrt_with_warmup",
    "linear_schedule_with_inverse_warmup",
    "linear_schedule_with_warmup",
    "polynomial_schedule_with_inverse_warmup",
    "polynomial_schedule_with_warmup",
    "quadratic_schedule_with_inverse_warmup",
    "quadratic_schedule_with_warmup",
    "sqrt_schedule_with_inverse_warmup",
    "sqrt_schedule_with_warmup",
]


@built_in
def polynomial_schedule_with_warmup(
    optimizer: tsa_core.OptimizerLike,
    warmup_to_value: float,
    anneal_to_value: float,
    num_warmup_steps: float,
    num_training_steps: float,
    polynomial_exponent: float = 2.0,
    schedule_target: str = "lr",
    *,
    absolute: bool = False,
    where: Where | None = None,
    skip_zero: bool = False,
) -> Curve:
    """The target rises from 0 to W, then anneals to A by a power.

    value(t) = initial value × λ(t), with p = (t − L)/(M − L):

    - warmup, t ≤ L: λ(t) = W·t/L, or W·(t + 1)/(L + 1) if ``skip_zero``; W if L = 0
    - annealing, L < t ≤ M: λ(t) = A + (W − A)·(1 − p)^P
    - after, t > M: λ(t) = A

    Example:
        >>> schedule = polynomial_schedule_with_warmup(
        ...     optimizer, 1.0, 0.1, 2, 10, polynomial_exponent=3.0
        ... )
        >>> [round(schedule.curve(t), 4) for t in (1, 2, 6, 10)]
        [0.5, 1.0, 0.2125, 0.1]
    """
    W, A, L, M = checked(warmup_to_value, anneal_to_value, num_warmup_steps, num_training_steps)
    P = positive("polynomial_exponent", polynomial_exponent)
    return join([rise(W, L, skip_zero), Polynomial(W, A, M - L, P)], [L])


@built_in
def polynomial_schedule_with_inverse_warmup(
    optimizer: tsa_core.OptimizerLike,
    warmup_to_value: float,
    anneal_to_value: float,
    num_warmup_steps: float,
    num_training_steps: float,
    polynomial_exponent: float = 2.0,
    warmup_multiplier: float = 20.0,
    schedule_target: str = "lr",
    *,
    absolute: bool = False,
    where: Where | None = None,
) -> Curve:
    """The target comes down from R·W to W, then anneals to A by a power.

    value(t) = initial value × λ(t), with p = (t − L)/(M − L):

    - inverse warmup, t ≤ L: λ(t) = W·(R − (R − 1)·t/L), or W if L = 0
    - annealing, L < t ≤ M: λ(t) = A + (W − A)·(1 − p)^P
    - after, t > M: λ(t) = A

    Example:
        >>> schedule = polynomial_schedule_with_inverse_warmup(
        ...     optimizer, 1.0, 0.1, 2, 10, polynomial_exponent=3.0, warmup_multiplier=4.0
        ... )
        >>> [round(schedule.curve(t), 4) for t in (1, 2, 6, 10)]
        [2.5, 1.0, 0.2125, 0.1]
    """
    W, A, L, M = checked(warmup_to_value, anneal_to_value, num_warmup_steps, num_training_steps)
    P = positive("polynomial_exponent", polynomial_exponent)
    return join([fall(W, warmup_multiplier, L), Polynomial(W, A, M - L, P)], [L])


@built_in
def linear_schedule_with_warmup(
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
    """The target rises from 0 to W, then anneals to A in a straight line.

    value(t) = initial value × λ(t), with p = (t − L)/(M − L):

    - warmup, t ≤ L: λ(t) = W·t/L, or W·(t + 1)/(L + 1) if ``skip_zero``; W if L = 0
    - annealing, L < t ≤ M: λ(t) = A + (W − A)·(1 − p)
    - after, t > M: λ(t) = A

    This is :func:`polynomial_schedule_with_warmup` with P = 1.

    Example:
        >>> schedule = linear_schedule_with_warmup(optimizer, 1.0, 0.1, 2, 10)
        >>> [round(schedule.curve(t), 4) for t in (1, 2, 6, 10)]
        [0.5, 1.0, 0.55, 0.1]
    """
    W, A, L, M = checked(warmup_to_value, anneal_to_value, num_warmup_steps, num_training_steps)
    return join([rise(W, L, skip_zero), Polynomial(W, A, M - L, 1.0)], [L])


@built_in
def linear_schedule_with_inverse_warmup(
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
    """The target comes down from R·W to W, then anneals to A in a straight line.

    value(t) = initial value × λ(t), with p = (t − L)/(M − L):

    - inverse warmup, t ≤ L: λ(t) = W·(R − (R − 1)·t/L), or W if L = 0
    - annealing, L < t ≤ M: λ(t) = A + (W − A)·(1 − p)
    - after, t > M: λ(t) = A

    This is :func:`polynomial_schedule_with_inverse_warmup` with P = 1.

    Example:
        >>> schedule = linear_schedule_with_inverse_warmup(
        ...     optimizer, 1.0, 0.1, 2, 10, warmup_multiplier=4.0
        ... )
        >>> [round(schedule.curve(t), 4) for t in (1, 2, 6, 10)]
        [2.5, 1.0, 0.55, 0.1]
    """
    W, A, L, M = checked(warmup_to_value, anneal_to_value, num_warmup_steps, num_training_steps)
    return join([fall(W, warmup_multiplier, L), Polynomial(W, A, M - L, 1.0)], [L])


@built_in
def quadratic_schedule_with_warmup(
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
    """The target rises from 0 to W, then anneals to A by a square.

    value(t) = initial value × λ(t), with p = (t − L)/(M − L):

    - warmup, t ≤ L: λ(t) = W·t/L, or W·(t + 1)/(L + 1) if ``skip_zero``; W if L = 0
    - annealing, L < t ≤ M: λ(t) = A + (W − A)·(1 − p)², steep at W and level at A
    - after, t > M: λ(t) = A

    This is :func:`polynomial_schedule_with_warmup` with P = 2.

    Example:
        >>> schedule = quadratic_schedule_with_warmup(optimizer, 1.0, 0.1, 2, 10)
        >>> [round(schedule.curve(t), 4) for t in (1, 2, 6, 10)]
        [0.5, 1.0, 0.325, 0.1]
    """
    W, A, L, M = checked(warmup_to_value, anneal_to_value, num_warmup_steps, num_training_steps)
    return join([rise(W, L, skip_zero), Polynomial(W, A, M - L, 2.0)], [L])


@built_in
def quadratic_schedule_with_inverse_warmup(
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
    """The target comes down from R·W to W, then anneals to A by a square.

    value(t) = initial value × λ(t), with p = (t − L)/(M − L):

    - inverse warmup, t ≤ L: λ(t) = W·(R − (R − 1)·t/L), or W if L = 0
    - annealing, L < t ≤ M: λ(t) = A + (W − A)·(1 − p)², steep at W and level at A
    - after, t > M: λ(t) = A

    This is :func:`polynomial_schedule_with_inverse_warmup` with P = 2.

    Example:
        >>> schedule = quadratic_schedule_with_inverse_warmup(
        ...     optimizer, 1.0, 0.1, 2, 10, warmup_multiplier=4.0
        ... )
        >>> [round(schedule.curve(t), 4) for t in (1, 2, 6, 10)]
        [2.5, 1.0, 0.325, 0.1]
    """
    W, A, L, M = checked(warmup_to_value, anneal_to_value, num_warmup_steps, num_training_steps)
    return join([fall(W, warmup_multiplier, L), Polynomial(W, A, M - L, 2.0)], [L])


@built_in
def sqrt_schedule_with_warmup(
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
    """The target rises from 0 to W, then anneals to A by a square root.

    value(t) = initial value × λ(t), with p = (t − L)/(M − L):

    - warmup, t ≤ L: λ(t) = W·t/L, or W·(t + 1)/(L + 1) if ``skip_zero``; W if L = 0
    - annealing, L < t ≤ M: λ(t) = A + (W − A)·√(1 − p), flat at W and steepest at A
    - after, t > M: λ(t) = A

    This is :func:`polynomial_schedule_with_warmup` with P = 0.5. It is √(1 − p),
    and not the 1 − √p of Hägele et al. (https://arxiv.org/abs/2405.18392), which is steepest at W
    and flat at A. That one is the decay of :func:`warmup_stable_decay`.

    Example:
        >>> schedule = sqrt_schedule_with_warmup(optimizer, 1.0, 0.1, 2, 10)
        >>> [round(schedule.curve(t), 4) for t in (1, 2, 6, 10)]
        [0.5, 1.0, 0.7364, 0.1]
    """
    W, A, L, M = checked(warmup_to_value, anneal_to_value, num_warmup_steps, num_training_steps)
    return join([rise(W, L, skip_zero), Polynomial(W, A, M - L, 0.5)], [L])


@built_in
def sqrt_schedule_with_inverse_warmup(
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
    """The target comes down from R·W to W, then anneals to A by a square root.

    value(t) = initial value × λ(t), with p = (t − L)/(M − L):

    - inverse warmup, t ≤ L: λ(t) = W·(R − (R − 1)·t/L), or W if L = 0
    - annealing, L < t ≤ M: λ(t) = A + (W − A)·√(1 − p), flat at W and steepest at A
    - after, t > M: λ(t) = A

    This is :func:`polynomial_schedule_with_inverse_warmup` with P = 0.5. It is √(1 − p),
    and not the 1 − √p of Hägele et al. (https://arxiv.org/abs/2405.18392), which is steepest at W
    and flat at A. That one is the decay of :func:`warmup_stable_decay`.

    Example:
        >>> schedule = sqrt_schedule_with_inverse_warmup(
        ...     optimizer, 1.0, 0.1, 2, 10, warmup_multiplier=4.0
        ... )
        >>> [round(schedule.curve(t), 4) for t in (1, 2, 6, 10)]
        [2.5, 1.0, 0.7364, 0.1]
    """
    W, A, L, M = checked(warmup_to_value, anneal_to_value, num_warmup_steps, num_training_steps)
    return join([fall(W, warmup_multiplier, L), Polynomial(W, A, M - L, 0.5)], [L])


@built_in
def inverse_sqrt_with_warmup(
    optimizer: tsa_core.OptimizerLike,
    warmup_to_value: float,
    num_warmup_steps: float,
    schedule_target: str = "lr",
    *,
    absolute: bool = False,
    where: Where | None = None,
    skip_zero: bool = False,
) -> Curve:
    """The target rises from 0 to W, then falls forever as one over the square root of the step.

    value(t) = initial value × λ(t):

    - warmup, t ≤ L: λ(t) = W·t/L, or W·(t + 1)/(L + 1) if ``skip_zero``
    - after, t > L: λ(t) = W·√(L/t)

    This is the learning rate of *Attention Is All You Need* (https://arxiv.org/abs/1706.03762).

    Example:
        >>> schedule = inverse_sqrt_with_warmup(optimizer, 1.0, 4)
        >>> [round(schedule.curve(t), 4) for t in (1, 4, 16, 400)]
        [0.25, 1.0, 0.5, 0.1]
    """
    W = finite("warmup_to_value", warmup_to_value)
    L = at_least_zero("num_warmup_steps", num_warmup_steps)
    if L == 0:
        raise ValueError(
            "num_warmup_steps: expected more than 0, because W·√(L/t) is 0 with L = 0; without a "
            f"warmup, write CurveSchedule(optimizer, {W!r} * curves.InverseSqrt(1, timescale))"
        )
    return join([rise(W, L, skip_zero), InverseSqrt(W, L)], [L])
