"""The built-ins: a warmup joined to an annealing, put on a ``CurveSchedule``.

W, A, L, D, M, R and P are the names of the arguments in the formulas. Each docstring binds them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, MutableMapping
from typing import Any, TypeAlias

from tsa_core import CurveSchedule, OptimizerLike
from tsa_core.warnings_ import warn_user

from ..checks.data import flag
from ..checks.numbers_ import at_least_zero, finite, positive
from ..curves import (
    Constant,
    Cosine,
    Curve,
    InverseSqrt,
    Linear,
    Polynomial,
    QuarterCosine,
    join,
)
from ..curves.rounding import hair
from ..curves.transitions import Shape, transition_named
from .doubts import doubt_about_multiplier, doubt_about_steps
from .registry import built_in

Where: TypeAlias = Callable[[MutableMapping[str, Any]], bool]


@built_in
def cosine_annealing_with_warmup(
    optimizer: OptimizerLike,
    warmup_to_value: float,
    anneal_to_value: float,
    num_warmup_steps: float,
    num_training_steps: float,
    schedule_target: str = "lr",
    *,
    absolute: bool = False,
    where: Where | None = None,
    skip_zero: bool = False,
) -> CurveSchedule:
    """The annealing is a quarter of a cosine wave, from W to A; the cosine of torch is half a wave.

    Before it the target rises from 0 to W. The half wave, level at both ends, is
    :func:`half_cosine_annealing_with_warmup`.

    value(t) = initial value × λ(t), with p = (t − L)/(M − L):

    - warmup, t ≤ L: λ(t) = W·t/L, or W·(t + 1)/(L + 1) if ``skip_zero``; W if L = 0
    - annealing, L < t ≤ M: λ(t) = A + (W − A)·cos(π/2·p), level at W and steepest at A
    - after, t > M: λ(t) = A

    W and A are multiples of the initial value, or values if ``absolute``: then value(t) = λ(t).

    Example:
        >>> import torch
        >>> optimizer = torch.optim.SGD([torch.nn.Parameter(torch.ones(2))], lr=0.1)
        >>> schedule = cosine_annealing_with_warmup(optimizer, 1.0, 0.1, 2, 10)
        >>> [round(schedule.curve(t), 4) for t in (1, 2, 6, 10)]
        [0.5, 1.0, 0.7364, 0.1]
    """
    W, A, L, M = _checked_plan(
        warmup_to_value, anneal_to_value, num_warmup_steps, num_training_steps
    )
    curve = join([_rise(W, L, skip_zero), QuarterCosine(W, A, M - L)], [L])
    return _put(
        "cosine_annealing_with_warmup", optimizer, curve, schedule_target, absolute, where, W, L, M
    )


@built_in
def cosine_annealing_with_inverse_warmup(
    optimizer: OptimizerLike,
    warmup_to_value: float,
    anneal_to_value: float,
    num_warmup_steps: float,
    num_training_steps: float,
    warmup_multiplier: float = 20.0,
    schedule_target: str = "lr",
    *,
    absolute: bool = False,
    where: Where | None = None,
) -> CurveSchedule:
    """The annealing is a quarter of a cosine wave, from W to A; the cosine of torch is half a wave.

    Before it the target comes down from R·W to W. The half wave, level at both ends, is
    :func:`half_cosine_annealing_with_warmup`.

    value(t) = initial value × λ(t), with p = (t − L)/(M − L):

    - inverse warmup, t ≤ L: λ(t) = W·(R − (R − 1)·t/L), or W if L = 0
    - annealing, L < t ≤ M: λ(t) = A + (W − A)·cos(π/2·p), level at W and steepest at A
    - after, t > M: λ(t) = A

    W and A are multiples of the initial value, or values if ``absolute``: then value(t) = λ(t).

    Example:
        >>> import torch
        >>> optimizer = torch.optim.SGD([torch.nn.Parameter(torch.ones(2))], lr=0.1)
        >>> schedule = cosine_annealing_with_inverse_warmup(
        ...     optimizer, 1.0, 0.1, 2, 10, warmup_multiplier=4.0
        ... )
        >>> [round(schedule.curve(t), 4) for t in (1, 2, 6, 10)]
        [2.5, 1.0, 0.7364, 0.1]
    """
    W, A, L, M = _checked_plan(
        warmup_to_value, anneal_to_value, num_warmup_steps, num_training_steps
    )
    start = _inverse_start(W, warmup_multiplier)
    curve = join([Linear(start, W, L), QuarterCosine(W, A, M - L)], [L])
    return _put(
        "cosine_annealing_with_inverse_warmup",
        optimizer,
        curve,
        schedule_target,
        absolute,
        where,
        W,
        L,
        M,
    )


@built_in
def half_cosine_annealing_with_warmup(
    optimizer: OptimizerLike,
    warmup_to_value: float,
    anneal_to_value: float,
    num_warmup_steps: float,
    num_training_steps: float,
    schedule_target: str = "lr",
    *,
    absolute: bool = False,
    where: Where | None = None,
    skip_zero: bool = False,
) -> CurveSchedule:
    """The target rises from 0 to W, then anneals to A along half a cosine wave, as in torch.

    value(t) = initial value × λ(t), with p = (t − L)/(M − L):

    - warmup, t ≤ L: λ(t) = W·t/L, or W·(t + 1)/(L + 1) if ``skip_zero``; W if L = 0
    - annealing, L < t ≤ M: λ(t) = A + (W − A)·(1 + cos(π·p))/2, level at both ends
    - after, t > M: λ(t) = A

    W and A are multiples of the initial value, or values if ``absolute``: then value(t) = λ(t).

    Example:
        >>> import torch
        >>> optimizer = torch.optim.SGD([torch.nn.Parameter(torch.ones(2))], lr=0.1)
        >>> schedule = half_cosine_annealing_with_warmup(optimizer, 1.0, 0.1, 2, 10)
        >>> [round(schedule.curve(t), 4) for t in (1, 2, 6, 10)]
        [0.5, 1.0, 0.55, 0.1]
    """
    W, A, L, M = _checked_plan(
        warmup_to_value, anneal_to_value, num_warmup_steps, num_training_steps
    )
    curve = join([_rise(W, L, skip_zero), Cosine(W, A, M - L)], [L])
    return _put(
        "half_cosine_annealing_with_warmup",
        optimizer,
        curve,
        schedule_target,
        absolute,
        where,
        W,
        L,
        M,
    )


@built_in
def polynomial_schedule_with_warmup(
    optimizer: OptimizerLike,
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
) -> CurveSchedule:
    """The target rises from 0 to W, then anneals to A by a power.

    value(t) = initial value × λ(t), with p = (t − L)/(M − L):

    - warmup, t ≤ L: λ(t) = W·t/L, or W·(t + 1)/(L + 1) if ``skip_zero``; W if L = 0
    - annealing, L < t ≤ M: λ(t) = A + (W − A)·(1 − p)^P
    - after, t > M: λ(t) = A

    W and A are multiples of the initial value, or values if ``absolute``: then value(t) = λ(t).

    Example:
        >>> import torch
        >>> optimizer = torch.optim.SGD([torch.nn.Parameter(torch.ones(2))], lr=0.1)
        >>> schedule = polynomial_schedule_with_warmup(
        ...     optimizer, 1.0, 0.1, 2, 10, polynomial_exponent=3.0
        ... )
        >>> [round(schedule.curve(t), 4) for t in (1, 2, 6, 10)]
        [0.5, 1.0, 0.2125, 0.1]
    """
    W, A, L, M = _checked_plan(
        warmup_to_value, anneal_to_value, num_warmup_steps, num_training_steps
    )
    P = positive("polynomial_exponent", polynomial_exponent)
    curve = join([_rise(W, L, skip_zero), Polynomial(W, A, M - L, P)], [L])
    return _put(
        "polynomial_schedule_with_warmup",
        optimizer,
        curve,
        schedule_target,
        absolute,
        where,
        W,
        L,
        M,
    )


@built_in
def polynomial_schedule_with_inverse_warmup(
    optimizer: OptimizerLike,
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
) -> CurveSchedule:
    """The target comes down from R·W to W, then anneals to A by a power.

    value(t) = initial value × λ(t), with p = (t − L)/(M − L):

    - inverse warmup, t ≤ L: λ(t) = W·(R − (R − 1)·t/L), or W if L = 0
    - annealing, L < t ≤ M: λ(t) = A + (W − A)·(1 − p)^P
    - after, t > M: λ(t) = A

    W and A are multiples of the initial value, or values if ``absolute``: then value(t) = λ(t).

    Example:
        >>> import torch
        >>> optimizer = torch.optim.SGD([torch.nn.Parameter(torch.ones(2))], lr=0.1)
        >>> schedule = polynomial_schedule_with_inverse_warmup(
        ...     optimizer, 1.0, 0.1, 2, 10, polynomial_exponent=3.0, warmup_multiplier=4.0
        ... )
        >>> [round(schedule.curve(t), 4) for t in (1, 2, 6, 10)]
        [2.5, 1.0, 0.2125, 0.1]
    """
    W, A, L, M = _checked_plan(
        warmup_to_value, anneal_to_value, num_warmup_steps, num_training_steps
    )
    P = positive("polynomial_exponent", polynomial_exponent)
    start = _inverse_start(W, warmup_multiplier)
    curve = join([Linear(start, W, L), Polynomial(W, A, M - L, P)], [L])
    return _put(
        "polynomial_schedule_with_inverse_warmup",
        optimizer,
        curve,
        schedule_target,
        absolute,
        where,
        W,
        L,
        M,
    )


@built_in
def linear_schedule_with_warmup(
    optimizer: OptimizerLike,
    warmup_to_value: float,
    anneal_to_value: float,
    num_warmup_steps: float,
    num_training_steps: float,
    schedule_target: str = "lr",
    *,
    absolute: bool = False,
    where: Where | None = None,
    skip_zero: bool = False,
) -> CurveSchedule:
    """The target rises from 0 to W, then anneals to A in a straight line.

    value(t) = initial value × λ(t), with p = (t − L)/(M − L):

    - warmup, t ≤ L: λ(t) = W·t/L, or W·(t + 1)/(L + 1) if ``skip_zero``; W if L = 0
    - annealing, L < t ≤ M: λ(t) = A + (W − A)·(1 − p)
    - after, t > M: λ(t) = A

    It is :func:`polynomial_schedule_with_warmup` with P = 1.

    W and A are multiples of the initial value, or values if ``absolute``: then value(t) = λ(t).

    Example:
        >>> import torch
        >>> optimizer = torch.optim.SGD([torch.nn.Parameter(torch.ones(2))], lr=0.1)
        >>> schedule = linear_schedule_with_warmup(optimizer, 1.0, 0.1, 2, 10)
        >>> [round(schedule.curve(t), 4) for t in (1, 2, 6, 10)]
        [0.5, 1.0, 0.55, 0.1]
    """
    W, A, L, M = _checked_plan(
        warmup_to_value, anneal_to_value, num_warmup_steps, num_training_steps
    )
    curve = join([_rise(W, L, skip_zero), Polynomial(W, A, M - L, 1.0)], [L])
    return _put(
        "linear_schedule_with_warmup", optimizer, curve, schedule_target, absolute, where, W, L, M
    )


@built_in
def linear_schedule_with_inverse_warmup(
    optimizer: OptimizerLike,
    warmup_to_value: float,
    anneal_to_value: float,
    num_warmup_steps: float,
    num_training_steps: float,
    warmup_multiplier: float = 20.0,
    schedule_target: str = "lr",
    *,
    absolute: bool = False,
    where: Where | None = None,
) -> CurveSchedule:
    """The target comes down from R·W to W, then anneals to A in a straight line.

    value(t) = initial value × λ(t), with p = (t − L)/(M − L):

    - inverse warmup, t ≤ L: λ(t) = W·(R − (R − 1)·t/L), or W if L = 0
    - annealing, L < t ≤ M: λ(t) = A + (W − A)·(1 − p)
    - after, t > M: λ(t) = A

    It is :func:`polynomial_schedule_with_inverse_warmup` with P = 1.

    W and A are multiples of the initial value, or values if ``absolute``: then value(t) = λ(t).

    Example:
        >>> import torch
        >>> optimizer = torch.optim.SGD([torch.nn.Parameter(torch.ones(2))], lr=0.1)
        >>> schedule = linear_schedule_with_inverse_warmup(
        ...     optimizer, 1.0, 0.1, 2, 10, warmup_multiplier=4.0
        ... )
        >>> [round(schedule.curve(t), 4) for t in (1, 2, 6, 10)]
        [2.5, 1.0, 0.55, 0.1]
    """
    W, A, L, M = _checked_plan(
        warmup_to_value, anneal_to_value, num_warmup_steps, num_training_steps
    )
    start = _inverse_start(W, warmup_multiplier)
    curve = join([Linear(start, W, L), Polynomial(W, A, M - L, 1.0)], [L])
    return _put(
        "linear_schedule_with_inverse_warmup",
        optimizer,
        curve,
        schedule_target,
        absolute,
        where,
        W,
        L,
        M,
    )


@built_in
def quadratic_schedule_with_warmup(
    optimizer: OptimizerLike,
    warmup_to_value: float,
    anneal_to_value: float,
    num_warmup_steps: float,
    num_training_steps: float,
    schedule_target: str = "lr",
    *,
    absolute: bool = False,
    where: Where | None = None,
    skip_zero: bool = False,
) -> CurveSchedule:
    """The target rises from 0 to W, then anneals to A by a square.

    value(t) = initial value × λ(t), with p = (t − L)/(M − L):

    - warmup, t ≤ L: λ(t) = W·t/L, or W·(t + 1)/(L + 1) if ``skip_zero``; W if L = 0
    - annealing, L < t ≤ M: λ(t) = A + (W − A)·(1 − p)², steep at W and level at A
    - after, t > M: λ(t) = A

    It is :func:`polynomial_schedule_with_warmup` with P = 2.

    W and A are multiples of the initial value, or values if ``absolute``: then value(t) = λ(t).

    Example:
        >>> import torch
        >>> optimizer = torch.optim.SGD([torch.nn.Parameter(torch.ones(2))], lr=0.1)
        >>> schedule = quadratic_schedule_with_warmup(optimizer, 1.0, 0.1, 2, 10)
        >>> [round(schedule.curve(t), 4) for t in (1, 2, 6, 10)]
        [0.5, 1.0, 0.325, 0.1]
    """
    W, A, L, M = _checked_plan(
        warmup_to_value, anneal_to_value, num_warmup_steps, num_training_steps
    )
    curve = join([_rise(W, L, skip_zero), Polynomial(W, A, M - L, 2.0)], [L])
    return _put(
        "quadratic_schedule_with_warmup",
        optimizer,
        curve,
        schedule_target,
        absolute,
        where,
        W,
        L,
        M,
    )


@built_in
def quadratic_schedule_with_inverse_warmup(
    optimizer: OptimizerLike,
    warmup_to_value: float,
    anneal_to_value: float,
    num_warmup_steps: float,
    num_training_steps: float,
    warmup_multiplier: float = 20.0,
    schedule_target: str = "lr",
    *,
    absolute: bool = False,
    where: Where | None = None,
) -> CurveSchedule:
    """The target comes down from R·W to W, then anneals to A by a square.

    value(t) = initial value × λ(t), with p = (t − L)/(M − L):

    - inverse warmup, t ≤ L: λ(t) = W·(R − (R − 1)·t/L), or W if L = 0
    - annealing, L < t ≤ M: λ(t) = A + (W − A)·(1 − p)², steep at W and level at A
    - after, t > M: λ(t) = A

    It is :func:`polynomial_schedule_with_inverse_warmup` with P = 2.

    W and A are multiples of the initial value, or values if ``absolute``: then value(t) = λ(t).

    Example:
        >>> import torch
        >>> optimizer = torch.optim.SGD([torch.nn.Parameter(torch.ones(2))], lr=0.1)
        >>> schedule = quadratic_schedule_with_inverse_warmup(
        ...     optimizer, 1.0, 0.1, 2, 10, warmup_multiplier=4.0
        ... )
        >>> [round(schedule.curve(t), 4) for t in (1, 2, 6, 10)]
        [2.5, 1.0, 0.325, 0.1]
    """
    W, A, L, M = _checked_plan(
        warmup_to_value, anneal_to_value, num_warmup_steps, num_training_steps
    )
    start = _inverse_start(W, warmup_multiplier)
    curve = join([Linear(start, W, L), Polynomial(W, A, M - L, 2.0)], [L])
    return _put(
        "quadratic_schedule_with_inverse_warmup",
        optimizer,
        curve,
        schedule_target,
        absolute,
        where,
        W,
        L,
        M,
    )


@built_in
def sqrt_schedule_with_warmup(
    optimizer: OptimizerLike,
    warmup_to_value: float,
    anneal_to_value: float,
    num_warmup_steps: float,
    num_training_steps: float,
    schedule_target: str = "lr",
    *,
    absolute: bool = False,
    where: Where | None = None,
    skip_zero: bool = False,
) -> CurveSchedule:
    """The target rises from 0 to W, then anneals to A by a square root.

    value(t) = initial value × λ(t), with p = (t − L)/(M − L):

    - warmup, t ≤ L: λ(t) = W·t/L, or W·(t + 1)/(L + 1) if ``skip_zero``; W if L = 0
    - annealing, L < t ≤ M: λ(t) = A + (W − A)·√(1 − p), flat at W and steepest at A
    - after, t > M: λ(t) = A

    It is :func:`polynomial_schedule_with_warmup` with P = 0.5. It is √(1 − p),
    and not the 1 − √p of Hägele et al. (https://arxiv.org/abs/2405.18392), which is steepest at W
    and flat at A. That one is the decay of :func:`warmup_stable_decay`.

    W and A are multiples of the initial value, or values if ``absolute``: then value(t) = λ(t).

    Example:
        >>> import torch
        >>> optimizer = torch.optim.SGD([torch.nn.Parameter(torch.ones(2))], lr=0.1)
        >>> schedule = sqrt_schedule_with_warmup(optimizer, 1.0, 0.1, 2, 10)
        >>> [round(schedule.curve(t), 4) for t in (1, 2, 6, 10)]
        [0.5, 1.0, 0.7364, 0.1]
    """
    W, A, L, M = _checked_plan(
        warmup_to_value, anneal_to_value, num_warmup_steps, num_training_steps
    )
    curve = join([_rise(W, L, skip_zero), Polynomial(W, A, M - L, 0.5)], [L])
    return _put(
        "sqrt_schedule_with_warmup", optimizer, curve, schedule_target, absolute, where, W, L, M
    )


@built_in
def sqrt_schedule_with_inverse_warmup(
    optimizer: OptimizerLike,
    warmup_to_value: float,
    anneal_to_value: float,
    num_warmup_steps: float,
    num_training_steps: float,
    warmup_multiplier: float = 20.0,
    schedule_target: str = "lr",
    *,
    absolute: bool = False,
    where: Where | None = None,
) -> CurveSchedule:
    """The target comes down from R·W to W, then anneals to A by a square root.

    value(t) = initial value × λ(t), with p = (t − L)/(M − L):

    - inverse warmup, t ≤ L: λ(t) = W·(R − (R − 1)·t/L), or W if L = 0
    - annealing, L < t ≤ M: λ(t) = A + (W − A)·√(1 − p), flat at W and steepest at A
    - after, t > M: λ(t) = A

    It is :func:`polynomial_schedule_with_inverse_warmup` with P = 0.5. It is √(1 − p),
    and not the 1 − √p of Hägele et al. (https://arxiv.org/abs/2405.18392), which is steepest at W
    and flat at A. That one is the decay of :func:`warmup_stable_decay`.

    W and A are multiples of the initial value, or values if ``absolute``: then value(t) = λ(t).

    Example:
        >>> import torch
        >>> optimizer = torch.optim.SGD([torch.nn.Parameter(torch.ones(2))], lr=0.1)
        >>> schedule = sqrt_schedule_with_inverse_warmup(
        ...     optimizer, 1.0, 0.1, 2, 10, warmup_multiplier=4.0
        ... )
        >>> [round(schedule.curve(t), 4) for t in (1, 2, 6, 10)]
        [2.5, 1.0, 0.7364, 0.1]
    """
    W, A, L, M = _checked_plan(
        warmup_to_value, anneal_to_value, num_warmup_steps, num_training_steps
    )
    start = _inverse_start(W, warmup_multiplier)
    curve = join([Linear(start, W, L), Polynomial(W, A, M - L, 0.5)], [L])
    return _put(
        "sqrt_schedule_with_inverse_warmup",
        optimizer,
        curve,
        schedule_target,
        absolute,
        where,
        W,
        L,
        M,
    )


@built_in
def warmup_stable_decay(
    optimizer: OptimizerLike,
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
) -> CurveSchedule:
    """The target rises from 0 to W, stays there, and falls to A in the last D steps.

    value(t) = initial value × λ(t), with p = (t − (M − D))/D:

    - warmup, t ≤ L: λ(t) = W·t/L, or W·(t + 1)/(L + 1) if ``skip_zero``; W if L = 0
    - plateau, L < t ≤ M − D: λ(t) = W
    - decay, M − D < t ≤ M: λ(t) = A + (W − A)·(1 − √p), or along another shape
    - after, t > M: λ(t) = A

    1 − √p is the cooldown of Hägele et al. (https://arxiv.org/abs/2405.18392).

    W and A are multiples of the initial value, or values if ``absolute``: then value(t) = λ(t).

    Example:
        >>> import torch
        >>> optimizer = torch.optim.SGD([torch.nn.Parameter(torch.ones(2))], lr=0.1)
        >>> schedule = warmup_stable_decay(optimizer, 1.0, 0.0, 2, 4, 10)
        >>> [round(schedule.curve(t), 4) for t in (1, 2, 6, 7, 10)]
        [0.5, 1.0, 1.0, 0.5, 0.0]
    """
    W, A, L, M = _checked_plan(
        warmup_to_value, anneal_to_value, num_warmup_steps, num_training_steps
    )
    D = at_least_zero("num_decay_steps", num_decay_steps)
    overlap = L + D - M
    if overlap > hair(M, M):
        raise ValueError(
            "num_decay_steps: expected at most num_training_steps - num_warmup_steps = "
            f"{M - L!r}, got {D!r}"
        )
    start = max(M - D, L)
    cooldown = transition_named("decay", decay, W, A, M - start)
    curve = join([_rise(W, L, skip_zero), Constant(W), cooldown], [L, start])
    return _put(
        "warmup_stable_decay", optimizer, curve, schedule_target, absolute, where, W, L, M, D
    )


@built_in
def inverse_sqrt_with_warmup(
    optimizer: OptimizerLike,
    warmup_to_value: float,
    num_warmup_steps: float,
    schedule_target: str = "lr",
    *,
    absolute: bool = False,
    where: Where | None = None,
    skip_zero: bool = False,
) -> CurveSchedule:
    """The target rises from 0 to W, then falls forever as one over the square root of the step.

    value(t) = initial value × λ(t):

    - warmup, t ≤ L: λ(t) = W·t/L, or W·(t + 1)/(L + 1) if ``skip_zero``
    - after, t > L: λ(t) = W·√(L/t)

    It is the learning rate of *Attention Is All You Need* (https://arxiv.org/abs/1706.03762).

    W is a multiple of the initial value, or a value if ``absolute``: then value(t) = λ(t).

    Example:
        >>> import torch
        >>> optimizer = torch.optim.SGD([torch.nn.Parameter(torch.ones(2))], lr=0.1)
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
    curve = join([_rise(W, L, skip_zero), InverseSqrt(W, L)], [L])
    return _put(
        "inverse_sqrt_with_warmup", optimizer, curve, schedule_target, absolute, where, W, L
    )


@built_in
def constant_with_warmup(
    optimizer: OptimizerLike,
    warmup_to_value: float,
    num_warmup_steps: float,
    schedule_target: str = "lr",
    *,
    absolute: bool = False,
    where: Where | None = None,
    skip_zero: bool = False,
) -> CurveSchedule:
    """The target rises from 0 to W, and stays there.

    value(t) = initial value × λ(t):

    - warmup, t ≤ L: λ(t) = W·t/L, or W·(t + 1)/(L + 1) if ``skip_zero``; W if L = 0
    - after, t > L: λ(t) = W

    W is a multiple of the initial value, or a value if ``absolute``: then value(t) = λ(t).

    Example:
        >>> import torch
        >>> optimizer = torch.optim.SGD([torch.nn.Parameter(torch.ones(2))], lr=0.1)
        >>> schedule = constant_with_warmup(optimizer, 1.0, 4)
        >>> [round(schedule.curve(t), 4) for t in (1, 2, 4, 1000)]
        [0.25, 0.5, 1.0, 1.0]
    """
    W = finite("warmup_to_value", warmup_to_value)
    L = at_least_zero("num_warmup_steps", num_warmup_steps)
    curve = join([_rise(W, L, skip_zero), Constant(W)], [L])
    return _put("constant_with_warmup", optimizer, curve, schedule_target, absolute, where, W, L)


@built_in
def constant_with_inverse_warmup(
    optimizer: OptimizerLike,
    warmup_to_value: float,
    num_warmup_steps: float,
    warmup_multiplier: float = 20.0,
    schedule_target: str = "lr",
    *,
    absolute: bool = False,
    where: Where | None = None,
) -> CurveSchedule:
    """The target comes down from R·W to W, and stays there.

    value(t) = initial value × λ(t):

    - inverse warmup, t ≤ L: λ(t) = W·(R − (R − 1)·t/L), or W if L = 0
    - after, t > L: λ(t) = W

    W is a multiple of the initial value, or a value if ``absolute``: then value(t) = λ(t).

    Example:
        >>> import torch
        >>> optimizer = torch.optim.SGD([torch.nn.Parameter(torch.ones(2))], lr=0.1)
        >>> schedule = constant_with_inverse_warmup(optimizer, 1.0, 4, warmup_multiplier=3.0)
        >>> [round(schedule.curve(t), 4) for t in (1, 2, 4, 1000)]
        [2.5, 2.0, 1.0, 1.0]
    """
    W = finite("warmup_to_value", warmup_to_value)
    L = at_least_zero("num_warmup_steps", num_warmup_steps)
    start = _inverse_start(W, warmup_multiplier)
    curve = join([Linear(start, W, L), Constant(W)], [L])
    return _put(
        "constant_with_inverse_warmup", optimizer, curve, schedule_target, absolute, where, W, L
    )


@built_in
def constant_schedule(
    optimizer: OptimizerLike,
    value: float,
    schedule_target: str = "lr",
    *,
    absolute: bool = False,
    where: Where | None = None,
) -> CurveSchedule:
    """The target holds the same multiple of its initial value at every step.

    value(t) = initial value × λ(t), with λ(t) = V.

    V is a multiple of the initial value, or a value if ``absolute``: then value(t) = λ(t).

    Example:
        >>> import torch
        >>> optimizer = torch.optim.SGD([torch.nn.Parameter(torch.ones(2))], lr=0.1)
        >>> schedule = constant_schedule(optimizer, 0.5)
        >>> [round(schedule.curve(t), 4) for t in (0, 1000)]
        [0.5, 0.5]
    """
    V = finite("value", value)
    curve = Constant(V)
    return _put(
        "constant_schedule",
        optimizer,
        curve,
        schedule_target,
        absolute,
        where,
        V,
        parameter="value",
    )


def _checked_plan(
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


def _rise(W: float, L: float, skip_zero: bool) -> Linear:
    """The warmup from 0 to W: W·t/L, or W·(t + 1)/(L + 1)."""
    return Linear(W / (L + 1) if flag("skip_zero", skip_zero) else 0, W, L)


def _inverse_start(warmup_to_value: float, warmup_multiplier: float) -> float:
    """The start of an inverse warmup: W·R."""
    R = finite("warmup_multiplier", warmup_multiplier)
    start = warmup_to_value * R
    finite("warmup_to_value * warmup_multiplier", start)
    finite("warmup_to_value * (warmup_multiplier - 1)", start - warmup_to_value)
    return start


def _put(
    name: str,
    optimizer: OptimizerLike,
    curve: Curve,
    schedule_target: str,
    absolute: bool,
    where: Where | None,
    W: float,
    L: float = 0,
    M: float = math.inf,
    D: float = 0,
    *,
    parameter: str = "warmup_to_value",
) -> CurveSchedule:
    """Put ``curve`` on ``optimizer``, and warn first: if a warning raises, nothing has moved."""
    doubts = [
        doubt_about_steps("num_warmup_steps", L, M),
        doubt_about_steps("num_decay_steps", D, M),
    ]
    if absolute is False:
        doubts.append(doubt_about_multiplier(parameter, W, optimizer, schedule_target))
    for doubt in filter(None, doubts):
        warn_user(f"{name}: {doubt}")
    return CurveSchedule(optimizer, curve, schedule_target, absolute=absolute, where=where)
