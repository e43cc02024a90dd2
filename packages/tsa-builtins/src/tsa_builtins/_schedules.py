"""The 13 built-ins: a warm-up joined to an annealing, put on a ``CurveSchedule``.

W, A, L, M, R and P are the names that the formulas give the parameters; each docstring binds them.
"""

from __future__ import annotations

from tsa_core import CurveSchedule, OptimizerLike

from ._checks import at_least_zero, finite, positive
from .curves import Constant, Linear, Polynomial, QuarterCosine, join


def cosine_annealing_with_warmup(
    optimizer: OptimizerLike,
    warmup_to_value: float,
    anneal_to_value: float,
    num_warmup_steps: float,
    num_training_steps: float,
    schedule_target: str = "lr",
) -> CurveSchedule:
    """Cosine annealing after a linear warm-up.

    After t steps each param group holds initial value × λ(t); the initial value is what it held
    before any schedule drove the target. With p = (t − L)/(M − L):

    - warm-up, t ≤ L: λ(t) = W·t/L
    - annealing, L < t ≤ M: λ(t) = A + (W − A)·cos(π/2·p), a quarter of a cosine wave: level at
      W, steepest at A
    - after, t > M: λ(t) = A

    Args:
        optimizer: a ``torch.optim.Optimizer``, or anything that keeps ``param_groups`` as one
            does.
        warmup_to_value: W, the multiplier at the end of the warm-up. Any finite real number.
        anneal_to_value: A, the multiplier at step M and for ever after. Any finite real number.
        num_warmup_steps: L, the length of the warm-up in steps, 0 ≤ L ≤ M; with 0 there is
            none. Need not be whole.
        num_training_steps: M, the step at which the annealing is done, > 0, counted from the
            start.
        schedule_target: the param-group entry to drive, such as ``"weight_decay"``, or
            ``"betas[0]"`` for an element of a tuple.

    Returns:
        A :class:`tsa_core.CurveSchedule` on ``optimizer`` itself.

    Raises:
        TypeError: an argument is no real number, ``optimizer`` has no param groups, or the target
            holds no real number.
        ValueError: an argument is NaN, infinite or out of the range given above; the target holds
            NaN, an infinity or a tensor that is learned (``requires_grad``), or its name is
            malformed.
        KeyError: a param group lacks the target. Whatever is raised, nothing has been touched.

    Warns:
        UserWarning: as :class:`tsa_core.CurveSchedule` does.

    Example:
        >>> import torch
        >>> optimizer = torch.optim.SGD([torch.nn.Parameter(torch.ones(2))], lr=0.1)
        >>> schedule = cosine_annealing_with_warmup(optimizer, 1.0, 0.1, 2, 10)
        >>> for _ in range(6):
        ...     optimizer.step()
        ...     schedule.step()
        >>> round(optimizer.param_groups[0]["lr"], 6)
        0.07364
    """
    W, A, L, M = _checked_plan(
        warmup_to_value, anneal_to_value, num_warmup_steps, num_training_steps
    )
    curve = join([Linear(0, W, L), QuarterCosine(W, A, M - L)], [L])
    return CurveSchedule(optimizer, curve, schedule_target)


def cosine_annealing_with_inverse_warmup(
    optimizer: OptimizerLike,
    warmup_to_value: float,
    anneal_to_value: float,
    num_warmup_steps: float,
    num_training_steps: float,
    warmup_multiplier: float = 20.0,
    schedule_target: str = "lr",
) -> CurveSchedule:
    """Cosine annealing after an inverse warm-up: high, down to W, then on to A.

    After t steps each param group holds initial value × λ(t); the initial value is what it held
    before any schedule drove the target. With p = (t − L)/(M − L):

    - inverse warm-up, t ≤ L: λ(t) = W·(R − (R − 1)·t/L), down from W·R to W
    - annealing, L < t ≤ M: λ(t) = A + (W − A)·cos(π/2·p), a quarter of a cosine wave: level at
      W, steepest at A
    - after, t > M: λ(t) = A

    Args:
        optimizer: a ``torch.optim.Optimizer``, or anything that keeps ``param_groups`` as one
            does.
        warmup_to_value: W, the multiplier at the end of the warm-up, which starts at W·R. Any
            finite real number.
        anneal_to_value: A, the multiplier at step M and for ever after. Any finite real number.
        num_warmup_steps: L, the length of the warm-up in steps, 0 ≤ L ≤ M; with 0 there is
            none. Need not be whole.
        num_training_steps: M, the step at which the annealing is done, > 0, counted from the
            start.
        warmup_multiplier: R, how many times W the warm-up starts at. Any finite real number.
        schedule_target: the param-group entry to drive, such as ``"weight_decay"``, or
            ``"betas[0]"`` for an element of a tuple.

    Returns:
        A :class:`tsa_core.CurveSchedule` on ``optimizer`` itself.

    Raises:
        TypeError: an argument is no real number, ``optimizer`` has no param groups, or the target
            holds no real number.
        ValueError: an argument is NaN, infinite or out of the range given above; the target holds
            NaN, an infinity or a tensor that is learned (``requires_grad``), or its name is
            malformed.
        KeyError: a param group lacks the target. Whatever is raised, nothing has been touched.

    Warns:
        UserWarning: as :class:`tsa_core.CurveSchedule` does.

    Example:
        >>> import torch
        >>> optimizer = torch.optim.SGD([torch.nn.Parameter(torch.ones(2))], lr=0.1)
        >>> schedule = cosine_annealing_with_inverse_warmup(
        ...     optimizer, 1.0, 0.1, 2, 10, warmup_multiplier=4.0
        ... )
        >>> round(optimizer.param_groups[0]["lr"], 6)  # R times what it comes down to
        0.4
        >>> for _ in range(6):
        ...     optimizer.step()
        ...     schedule.step()
        >>> round(optimizer.param_groups[0]["lr"], 6)
        0.07364
    """
    W, A, L, M = _checked_plan(
        warmup_to_value, anneal_to_value, num_warmup_steps, num_training_steps
    )
    start = _inverse_start(W, warmup_multiplier)
    curve = join([Linear(start, W, L), QuarterCosine(W, A, M - L)], [L])
    return CurveSchedule(optimizer, curve, schedule_target)


def polynomial_schedule_with_warmup(
    optimizer: OptimizerLike,
    warmup_to_value: float,
    anneal_to_value: float,
    num_warmup_steps: float,
    num_training_steps: float,
    polynomial_exponent: float = 2.0,
    schedule_target: str = "lr",
) -> CurveSchedule:
    """Polynomial annealing after a linear warm-up.

    After t steps each param group holds initial value × λ(t); the initial value is what it held
    before any schedule drove the target. With p = (t − L)/(M − L):

    - warm-up, t ≤ L: λ(t) = W·t/L
    - annealing, L < t ≤ M: λ(t) = A + (W − A)·(1 − p)^P
    - after, t > M: λ(t) = A

    Args:
        optimizer: a ``torch.optim.Optimizer``, or anything that keeps ``param_groups`` as one
            does.
        warmup_to_value: W, the multiplier at the end of the warm-up. Any finite real number.
        anneal_to_value: A, the multiplier at step M and for ever after. Any finite real number.
        num_warmup_steps: L, the length of the warm-up in steps, 0 ≤ L ≤ M; with 0 there is
            none. Need not be whole.
        num_training_steps: M, the step at which the annealing is done, > 0, counted from the
            start.
        polynomial_exponent: P, the power, > 0.
        schedule_target: the param-group entry to drive, such as ``"weight_decay"``, or
            ``"betas[0]"`` for an element of a tuple.

    Returns:
        A :class:`tsa_core.CurveSchedule` on ``optimizer`` itself.

    Raises:
        TypeError: an argument is no real number, ``optimizer`` has no param groups, or the target
            holds no real number.
        ValueError: an argument is NaN, infinite or out of the range given above; the target holds
            NaN, an infinity or a tensor that is learned (``requires_grad``), or its name is
            malformed.
        KeyError: a param group lacks the target. Whatever is raised, nothing has been touched.

    Warns:
        UserWarning: as :class:`tsa_core.CurveSchedule` does.

    Example:
        >>> import torch
        >>> optimizer = torch.optim.SGD([torch.nn.Parameter(torch.ones(2))], lr=0.1)
        >>> schedule = polynomial_schedule_with_warmup(
        ...     optimizer, 1.0, 0.1, 2, 10, polynomial_exponent=3.0
        ... )
        >>> for _ in range(6):
        ...     optimizer.step()
        ...     schedule.step()
        >>> round(optimizer.param_groups[0]["lr"], 6)
        0.02125
    """
    W, A, L, M = _checked_plan(
        warmup_to_value, anneal_to_value, num_warmup_steps, num_training_steps
    )
    P = positive("polynomial_exponent", polynomial_exponent)
    curve = join([Linear(0, W, L), Polynomial(W, A, M - L, P)], [L])
    return CurveSchedule(optimizer, curve, schedule_target)


def polynomial_schedule_with_inverse_warmup(
    optimizer: OptimizerLike,
    warmup_to_value: float,
    anneal_to_value: float,
    num_warmup_steps: float,
    num_training_steps: float,
    polynomial_exponent: float = 2.0,
    warmup_multiplier: float = 20.0,
    schedule_target: str = "lr",
) -> CurveSchedule:
    """Polynomial annealing after an inverse warm-up: high, down to W, then on to A.

    After t steps each param group holds initial value × λ(t); the initial value is what it held
    before any schedule drove the target. With p = (t − L)/(M − L):

    - inverse warm-up, t ≤ L: λ(t) = W·(R − (R − 1)·t/L), down from W·R to W
    - annealing, L < t ≤ M: λ(t) = A + (W − A)·(1 − p)^P
    - after, t > M: λ(t) = A

    Args:
        optimizer: a ``torch.optim.Optimizer``, or anything that keeps ``param_groups`` as one
            does.
        warmup_to_value: W, the multiplier at the end of the warm-up, which starts at W·R. Any
            finite real number.
        anneal_to_value: A, the multiplier at step M and for ever after. Any finite real number.
        num_warmup_steps: L, the length of the warm-up in steps, 0 ≤ L ≤ M; with 0 there is
            none. Need not be whole.
        num_training_steps: M, the step at which the annealing is done, > 0, counted from the
            start.
        polynomial_exponent: P, the power, > 0.
        warmup_multiplier: R, how many times W the warm-up starts at. Any finite real number.
        schedule_target: the param-group entry to drive, such as ``"weight_decay"``, or
            ``"betas[0]"`` for an element of a tuple.

    Returns:
        A :class:`tsa_core.CurveSchedule` on ``optimizer`` itself.

    Raises:
        TypeError: an argument is no real number, ``optimizer`` has no param groups, or the target
            holds no real number.
        ValueError: an argument is NaN, infinite or out of the range given above; the target holds
            NaN, an infinity or a tensor that is learned (``requires_grad``), or its name is
            malformed.
        KeyError: a param group lacks the target. Whatever is raised, nothing has been touched.

    Warns:
        UserWarning: as :class:`tsa_core.CurveSchedule` does.

    Example:
        >>> import torch
        >>> optimizer = torch.optim.SGD([torch.nn.Parameter(torch.ones(2))], lr=0.1)
        >>> schedule = polynomial_schedule_with_inverse_warmup(
        ...     optimizer, 1.0, 0.1, 2, 10, polynomial_exponent=3.0, warmup_multiplier=4.0
        ... )
        >>> round(optimizer.param_groups[0]["lr"], 6)  # R times what it comes down to
        0.4
        >>> for _ in range(6):
        ...     optimizer.step()
        ...     schedule.step()
        >>> round(optimizer.param_groups[0]["lr"], 6)
        0.02125
    """
    W, A, L, M = _checked_plan(
        warmup_to_value, anneal_to_value, num_warmup_steps, num_training_steps
    )
    start = _inverse_start(W, warmup_multiplier)
    P = positive("polynomial_exponent", polynomial_exponent)
    curve = join([Linear(start, W, L), Polynomial(W, A, M - L, P)], [L])
    return CurveSchedule(optimizer, curve, schedule_target)


def linear_schedule_with_warmup(
    optimizer: OptimizerLike,
    warmup_to_value: float,
    anneal_to_value: float,
    num_warmup_steps: float,
    num_training_steps: float,
    schedule_target: str = "lr",
) -> CurveSchedule:
    """Linear annealing after a linear warm-up.

    After t steps each param group holds initial value × λ(t); the initial value is what it held
    before any schedule drove the target. With p = (t − L)/(M − L):

    - warm-up, t ≤ L: λ(t) = W·t/L
    - annealing, L < t ≤ M: λ(t) = A + (W − A)·(1 − p)
    - after, t > M: λ(t) = A

    The same as :func:`polynomial_schedule_with_warmup` with P = 1.

    Args:
        optimizer: a ``torch.optim.Optimizer``, or anything that keeps ``param_groups`` as one
            does.
        warmup_to_value: W, the multiplier at the end of the warm-up. Any finite real number.
        anneal_to_value: A, the multiplier at step M and for ever after. Any finite real number.
        num_warmup_steps: L, the length of the warm-up in steps, 0 ≤ L ≤ M; with 0 there is
            none. Need not be whole.
        num_training_steps: M, the step at which the annealing is done, > 0, counted from the
            start.
        schedule_target: the param-group entry to drive, such as ``"weight_decay"``, or
            ``"betas[0]"`` for an element of a tuple.

    Returns:
        A :class:`tsa_core.CurveSchedule` on ``optimizer`` itself.

    Raises:
        TypeError: an argument is no real number, ``optimizer`` has no param groups, or the target
            holds no real number.
        ValueError: an argument is NaN, infinite or out of the range given above; the target holds
            NaN, an infinity or a tensor that is learned (``requires_grad``), or its name is
            malformed.
        KeyError: a param group lacks the target. Whatever is raised, nothing has been touched.

    Warns:
        UserWarning: as :class:`tsa_core.CurveSchedule` does.

    Example:
        >>> import torch
        >>> optimizer = torch.optim.SGD([torch.nn.Parameter(torch.ones(2))], lr=0.1)
        >>> schedule = linear_schedule_with_warmup(optimizer, 1.0, 0.1, 2, 10)
        >>> for _ in range(6):
        ...     optimizer.step()
        ...     schedule.step()
        >>> round(optimizer.param_groups[0]["lr"], 6)
        0.055
    """
    return polynomial_schedule_with_warmup(
        optimizer,
        warmup_to_value,
        anneal_to_value,
        num_warmup_steps,
        num_training_steps,
        polynomial_exponent=1.0,
        schedule_target=schedule_target,
    )


def linear_schedule_with_inverse_warmup(
    optimizer: OptimizerLike,
    warmup_to_value: float,
    anneal_to_value: float,
    num_warmup_steps: float,
    num_training_steps: float,
    warmup_multiplier: float = 20.0,
    schedule_target: str = "lr",
) -> CurveSchedule:
    """Linear annealing after an inverse warm-up: high, down to W, then on to A.

    After t steps each param group holds initial value × λ(t); the initial value is what it held
    before any schedule drove the target. With p = (t − L)/(M − L):

    - inverse warm-up, t ≤ L: λ(t) = W·(R − (R − 1)·t/L), down from W·R to W
    - annealing, L < t ≤ M: λ(t) = A + (W − A)·(1 − p)
    - after, t > M: λ(t) = A

    The same as :func:`polynomial_schedule_with_inverse_warmup` with P = 1.

    Args:
        optimizer: a ``torch.optim.Optimizer``, or anything that keeps ``param_groups`` as one
            does.
        warmup_to_value: W, the multiplier at the end of the warm-up, which starts at W·R. Any
            finite real number.
        anneal_to_value: A, the multiplier at step M and for ever after. Any finite real number.
        num_warmup_steps: L, the length of the warm-up in steps, 0 ≤ L ≤ M; with 0 there is
            none. Need not be whole.
        num_training_steps: M, the step at which the annealing is done, > 0, counted from the
            start.
        warmup_multiplier: R, how many times W the warm-up starts at. Any finite real number.
        schedule_target: the param-group entry to drive, such as ``"weight_decay"``, or
            ``"betas[0]"`` for an element of a tuple.

    Returns:
        A :class:`tsa_core.CurveSchedule` on ``optimizer`` itself.

    Raises:
        TypeError: an argument is no real number, ``optimizer`` has no param groups, or the target
            holds no real number.
        ValueError: an argument is NaN, infinite or out of the range given above; the target holds
            NaN, an infinity or a tensor that is learned (``requires_grad``), or its name is
            malformed.
        KeyError: a param group lacks the target. Whatever is raised, nothing has been touched.

    Warns:
        UserWarning: as :class:`tsa_core.CurveSchedule` does.

    Example:
        >>> import torch
        >>> optimizer = torch.optim.SGD([torch.nn.Parameter(torch.ones(2))], lr=0.1)
        >>> schedule = linear_schedule_with_inverse_warmup(
        ...     optimizer, 1.0, 0.1, 2, 10, warmup_multiplier=4.0
        ... )
        >>> round(optimizer.param_groups[0]["lr"], 6)  # R times what it comes down to
        0.4
        >>> for _ in range(6):
        ...     optimizer.step()
        ...     schedule.step()
        >>> round(optimizer.param_groups[0]["lr"], 6)
        0.055
    """
    return polynomial_schedule_with_inverse_warmup(
        optimizer,
        warmup_to_value,
        anneal_to_value,
        num_warmup_steps,
        num_training_steps,
        polynomial_exponent=1.0,
        warmup_multiplier=warmup_multiplier,
        schedule_target=schedule_target,
    )


def quadratic_schedule_with_warmup(
    optimizer: OptimizerLike,
    warmup_to_value: float,
    anneal_to_value: float,
    num_warmup_steps: float,
    num_training_steps: float,
    schedule_target: str = "lr",
) -> CurveSchedule:
    """Quadratic annealing after a linear warm-up.

    After t steps each param group holds initial value × λ(t); the initial value is what it held
    before any schedule drove the target. With p = (t − L)/(M − L):

    - warm-up, t ≤ L: λ(t) = W·t/L
    - annealing, L < t ≤ M: λ(t) = A + (W − A)·(1 − p)², fast at first and level at A
    - after, t > M: λ(t) = A

    The same as :func:`polynomial_schedule_with_warmup` with P = 2.

    Args:
        optimizer: a ``torch.optim.Optimizer``, or anything that keeps ``param_groups`` as one
            does.
        warmup_to_value: W, the multiplier at the end of the warm-up. Any finite real number.
        anneal_to_value: A, the multiplier at step M and for ever after. Any finite real number.
        num_warmup_steps: L, the length of the warm-up in steps, 0 ≤ L ≤ M; with 0 there is
            none. Need not be whole.
        num_training_steps: M, the step at which the annealing is done, > 0, counted from the
            start.
        schedule_target: the param-group entry to drive, such as ``"weight_decay"``, or
            ``"betas[0]"`` for an element of a tuple.

    Returns:
        A :class:`tsa_core.CurveSchedule` on ``optimizer`` itself.

    Raises:
        TypeError: an argument is no real number, ``optimizer`` has no param groups, or the target
            holds no real number.
        ValueError: an argument is NaN, infinite or out of the range given above; the target holds
            NaN, an infinity or a tensor that is learned (``requires_grad``), or its name is
            malformed.
        KeyError: a param group lacks the target. Whatever is raised, nothing has been touched.

    Warns:
        UserWarning: as :class:`tsa_core.CurveSchedule` does.

    Example:
        >>> import torch
        >>> optimizer = torch.optim.SGD([torch.nn.Parameter(torch.ones(2))], lr=0.1)
        >>> schedule = quadratic_schedule_with_warmup(optimizer, 1.0, 0.1, 2, 10)
        >>> for _ in range(6):
        ...     optimizer.step()
        ...     schedule.step()
        >>> round(optimizer.param_groups[0]["lr"], 6)
        0.0325
    """
    return polynomial_schedule_with_warmup(
        optimizer,
        warmup_to_value,
        anneal_to_value,
        num_warmup_steps,
        num_training_steps,
        polynomial_exponent=2.0,
        schedule_target=schedule_target,
    )


def quadratic_schedule_with_inverse_warmup(
    optimizer: OptimizerLike,
    warmup_to_value: float,
    anneal_to_value: float,
    num_warmup_steps: float,
    num_training_steps: float,
    warmup_multiplier: float = 20.0,
    schedule_target: str = "lr",
) -> CurveSchedule:
    """Quadratic annealing after an inverse warm-up: high, down to W, then on to A.

    After t steps each param group holds initial value × λ(t); the initial value is what it held
    before any schedule drove the target. With p = (t − L)/(M − L):

    - inverse warm-up, t ≤ L: λ(t) = W·(R − (R − 1)·t/L), down from W·R to W
    - annealing, L < t ≤ M: λ(t) = A + (W − A)·(1 − p)², fast at first and level at A
    - after, t > M: λ(t) = A

    The same as :func:`polynomial_schedule_with_inverse_warmup` with P = 2.

    Args:
        optimizer: a ``torch.optim.Optimizer``, or anything that keeps ``param_groups`` as one
            does.
        warmup_to_value: W, the multiplier at the end of the warm-up, which starts at W·R. Any
            finite real number.
        anneal_to_value: A, the multiplier at step M and for ever after. Any finite real number.
        num_warmup_steps: L, the length of the warm-up in steps, 0 ≤ L ≤ M; with 0 there is
            none. Need not be whole.
        num_training_steps: M, the step at which the annealing is done, > 0, counted from the
            start.
        warmup_multiplier: R, how many times W the warm-up starts at. Any finite real number.
        schedule_target: the param-group entry to drive, such as ``"weight_decay"``, or
            ``"betas[0]"`` for an element of a tuple.

    Returns:
        A :class:`tsa_core.CurveSchedule` on ``optimizer`` itself.

    Raises:
        TypeError: an argument is no real number, ``optimizer`` has no param groups, or the target
            holds no real number.
        ValueError: an argument is NaN, infinite or out of the range given above; the target holds
            NaN, an infinity or a tensor that is learned (``requires_grad``), or its name is
            malformed.
        KeyError: a param group lacks the target. Whatever is raised, nothing has been touched.

    Warns:
        UserWarning: as :class:`tsa_core.CurveSchedule` does.

    Example:
        >>> import torch
        >>> optimizer = torch.optim.SGD([torch.nn.Parameter(torch.ones(2))], lr=0.1)
        >>> schedule = quadratic_schedule_with_inverse_warmup(
        ...     optimizer, 1.0, 0.1, 2, 10, warmup_multiplier=4.0
        ... )
        >>> round(optimizer.param_groups[0]["lr"], 6)  # R times what it comes down to
        0.4
        >>> for _ in range(6):
        ...     optimizer.step()
        ...     schedule.step()
        >>> round(optimizer.param_groups[0]["lr"], 6)
        0.0325
    """
    return polynomial_schedule_with_inverse_warmup(
        optimizer,
        warmup_to_value,
        anneal_to_value,
        num_warmup_steps,
        num_training_steps,
        polynomial_exponent=2.0,
        warmup_multiplier=warmup_multiplier,
        schedule_target=schedule_target,
    )


def sqrt_schedule_with_warmup(
    optimizer: OptimizerLike,
    warmup_to_value: float,
    anneal_to_value: float,
    num_warmup_steps: float,
    num_training_steps: float,
    schedule_target: str = "lr",
) -> CurveSchedule:
    """Square-root annealing after a linear warm-up.

    After t steps each param group holds initial value × λ(t); the initial value is what it held
    before any schedule drove the target. With p = (t − L)/(M − L):

    - warm-up, t ≤ L: λ(t) = W·t/L
    - annealing, L < t ≤ M: λ(t) = A + (W − A)·√(1 − p), slow at first and steepest at A
    - after, t > M: λ(t) = A

    The same as :func:`polynomial_schedule_with_warmup` with P = 0.5.

    Args:
        optimizer: a ``torch.optim.Optimizer``, or anything that keeps ``param_groups`` as one
            does.
        warmup_to_value: W, the multiplier at the end of the warm-up. Any finite real number.
        anneal_to_value: A, the multiplier at step M and for ever after. Any finite real number.
        num_warmup_steps: L, the length of the warm-up in steps, 0 ≤ L ≤ M; with 0 there is
            none. Need not be whole.
        num_training_steps: M, the step at which the annealing is done, > 0, counted from the
            start.
        schedule_target: the param-group entry to drive, such as ``"weight_decay"``, or
            ``"betas[0]"`` for an element of a tuple.

    Returns:
        A :class:`tsa_core.CurveSchedule` on ``optimizer`` itself.

    Raises:
        TypeError: an argument is no real number, ``optimizer`` has no param groups, or the target
            holds no real number.
        ValueError: an argument is NaN, infinite or out of the range given above; the target holds
            NaN, an infinity or a tensor that is learned (``requires_grad``), or its name is
            malformed.
        KeyError: a param group lacks the target. Whatever is raised, nothing has been touched.

    Warns:
        UserWarning: as :class:`tsa_core.CurveSchedule` does.

    Example:
        >>> import torch
        >>> optimizer = torch.optim.SGD([torch.nn.Parameter(torch.ones(2))], lr=0.1)
        >>> schedule = sqrt_schedule_with_warmup(optimizer, 1.0, 0.1, 2, 10)
        >>> for _ in range(6):
        ...     optimizer.step()
        ...     schedule.step()
        >>> round(optimizer.param_groups[0]["lr"], 6)
        0.07364
    """
    return polynomial_schedule_with_warmup(
        optimizer,
        warmup_to_value,
        anneal_to_value,
        num_warmup_steps,
        num_training_steps,
        polynomial_exponent=0.5,
        schedule_target=schedule_target,
    )


def sqrt_schedule_with_inverse_warmup(
    optimizer: OptimizerLike,
    warmup_to_value: float,
    anneal_to_value: float,
    num_warmup_steps: float,
    num_training_steps: float,
    warmup_multiplier: float = 20.0,
    schedule_target: str = "lr",
) -> CurveSchedule:
    """Square-root annealing after an inverse warm-up: high, down to W, then on to A.

    After t steps each param group holds initial value × λ(t); the initial value is what it held
    before any schedule drove the target. With p = (t − L)/(M − L):

    - inverse warm-up, t ≤ L: λ(t) = W·(R − (R − 1)·t/L), down from W·R to W
    - annealing, L < t ≤ M: λ(t) = A + (W − A)·√(1 − p), slow at first and steepest at A
    - after, t > M: λ(t) = A

    The same as :func:`polynomial_schedule_with_inverse_warmup` with P = 0.5.

    Args:
        optimizer: a ``torch.optim.Optimizer``, or anything that keeps ``param_groups`` as one
            does.
        warmup_to_value: W, the multiplier at the end of the warm-up, which starts at W·R. Any
            finite real number.
        anneal_to_value: A, the multiplier at step M and for ever after. Any finite real number.
        num_warmup_steps: L, the length of the warm-up in steps, 0 ≤ L ≤ M; with 0 there is
            none. Need not be whole.
        num_training_steps: M, the step at which the annealing is done, > 0, counted from the
            start.
        warmup_multiplier: R, how many times W the warm-up starts at. Any finite real number.
        schedule_target: the param-group entry to drive, such as ``"weight_decay"``, or
            ``"betas[0]"`` for an element of a tuple.

    Returns:
        A :class:`tsa_core.CurveSchedule` on ``optimizer`` itself.

    Raises:
        TypeError: an argument is no real number, ``optimizer`` has no param groups, or the target
            holds no real number.
        ValueError: an argument is NaN, infinite or out of the range given above; the target holds
            NaN, an infinity or a tensor that is learned (``requires_grad``), or its name is
            malformed.
        KeyError: a param group lacks the target. Whatever is raised, nothing has been touched.

    Warns:
        UserWarning: as :class:`tsa_core.CurveSchedule` does.

    Example:
        >>> import torch
        >>> optimizer = torch.optim.SGD([torch.nn.Parameter(torch.ones(2))], lr=0.1)
        >>> schedule = sqrt_schedule_with_inverse_warmup(
        ...     optimizer, 1.0, 0.1, 2, 10, warmup_multiplier=4.0
        ... )
        >>> round(optimizer.param_groups[0]["lr"], 6)  # R times what it comes down to
        0.4
        >>> for _ in range(6):
        ...     optimizer.step()
        ...     schedule.step()
        >>> round(optimizer.param_groups[0]["lr"], 6)
        0.07364
    """
    return polynomial_schedule_with_inverse_warmup(
        optimizer,
        warmup_to_value,
        anneal_to_value,
        num_warmup_steps,
        num_training_steps,
        polynomial_exponent=0.5,
        warmup_multiplier=warmup_multiplier,
        schedule_target=schedule_target,
    )


def constant_with_warmup(
    optimizer: OptimizerLike,
    warmup_to_value: float,
    num_warmup_steps: float,
    schedule_target: str = "lr",
) -> CurveSchedule:
    """A linear warm-up, then constant.

    After t steps each param group holds initial value × λ(t); the initial value is what it held
    before any schedule drove the target.

    - warm-up, t ≤ L: λ(t) = W·t/L
    - after, t > L: λ(t) = W

    Args:
        optimizer: a ``torch.optim.Optimizer``, or anything that keeps ``param_groups`` as one
            does.
        warmup_to_value: W, the multiplier at the end of the warm-up, held from then on. Any
            finite real number.
        num_warmup_steps: L, the length of the warm-up in steps, ≥ 0; with 0 there is none. Need
            not be whole.
        schedule_target: the param-group entry to drive, such as ``"weight_decay"``, or
            ``"betas[0]"`` for an element of a tuple.

    Returns:
        A :class:`tsa_core.CurveSchedule` on ``optimizer`` itself.

    Raises:
        TypeError: an argument is no real number, ``optimizer`` has no param groups, or the target
            holds no real number.
        ValueError: an argument is NaN, infinite or out of the range given above; the target holds
            NaN, an infinity or a tensor that is learned (``requires_grad``), or its name is
            malformed.
        KeyError: a param group lacks the target. Whatever is raised, nothing has been touched.

    Warns:
        UserWarning: as :class:`tsa_core.CurveSchedule` does.

    Example:
        >>> import torch
        >>> optimizer = torch.optim.SGD([torch.nn.Parameter(torch.ones(2))], lr=0.1)
        >>> schedule = constant_with_warmup(optimizer, 1.0, 4)
        >>> for _ in range(2):
        ...     optimizer.step()
        ...     schedule.step()
        >>> round(optimizer.param_groups[0]["lr"], 6)
        0.05
    """
    W = finite("warmup_to_value", warmup_to_value)
    L = at_least_zero("num_warmup_steps", num_warmup_steps)
    return CurveSchedule(optimizer, join([Linear(0, W, L), Constant(W)], [L]), schedule_target)


def constant_with_inverse_warmup(
    optimizer: OptimizerLike,
    warmup_to_value: float,
    num_warmup_steps: float,
    warmup_multiplier: float = 20.0,
    schedule_target: str = "lr",
) -> CurveSchedule:
    """An inverse warm-up, then constant: high, down to W, and held.

    After t steps each param group holds initial value × λ(t); the initial value is what it held
    before any schedule drove the target.

    - inverse warm-up, t ≤ L: λ(t) = W·(R − (R − 1)·t/L), down from W·R to W
    - after, t > L: λ(t) = W

    Args:
        optimizer: a ``torch.optim.Optimizer``, or anything that keeps ``param_groups`` as one
            does.
        warmup_to_value: W, the multiplier at the end of the warm-up, held from then on. Any
            finite real number.
        num_warmup_steps: L, the length of the warm-up in steps, ≥ 0; with 0 there is none. Need
            not be whole.
        warmup_multiplier: R, how many times W the warm-up starts at. Any finite real number.
        schedule_target: the param-group entry to drive, such as ``"weight_decay"``, or
            ``"betas[0]"`` for an element of a tuple.

    Returns:
        A :class:`tsa_core.CurveSchedule` on ``optimizer`` itself.

    Raises:
        TypeError: an argument is no real number, ``optimizer`` has no param groups, or the target
            holds no real number.
        ValueError: an argument is NaN, infinite or out of the range given above; the target holds
            NaN, an infinity or a tensor that is learned (``requires_grad``), or its name is
            malformed.
        KeyError: a param group lacks the target. Whatever is raised, nothing has been touched.

    Warns:
        UserWarning: as :class:`tsa_core.CurveSchedule` does.

    Example:
        >>> import torch
        >>> optimizer = torch.optim.SGD([torch.nn.Parameter(torch.ones(2))], lr=0.1)
        >>> schedule = constant_with_inverse_warmup(optimizer, 1.0, 4, warmup_multiplier=3.0)
        >>> round(optimizer.param_groups[0]["lr"], 6)  # R times what it comes down to
        0.3
        >>> for _ in range(2):
        ...     optimizer.step()
        ...     schedule.step()
        >>> round(optimizer.param_groups[0]["lr"], 6)
        0.2
    """
    W = finite("warmup_to_value", warmup_to_value)
    L = at_least_zero("num_warmup_steps", num_warmup_steps)
    start = _inverse_start(W, warmup_multiplier)
    curve = join([Linear(start, W, L), Constant(W)], [L])
    return CurveSchedule(optimizer, curve, schedule_target)


def constant_schedule(
    optimizer: OptimizerLike,
    value: float,
    schedule_target: str = "lr",
) -> CurveSchedule:
    """The same multiplier at every step: λ(t) = value.

    After t steps each param group holds initial value × λ(t); the initial value is what it held
    before any schedule drove the target.

    Args:
        optimizer: a ``torch.optim.Optimizer``, or anything that keeps ``param_groups`` as one
            does.
        value: the multiplier, at every step. Any finite real number.
        schedule_target: the param-group entry to drive, such as ``"weight_decay"``, or
            ``"betas[0]"`` for an element of a tuple.

    Returns:
        A :class:`tsa_core.CurveSchedule` on ``optimizer`` itself.

    Raises:
        TypeError: an argument is no real number, ``optimizer`` has no param groups, or the target
            holds no real number.
        ValueError: an argument is NaN, infinite or out of the range given above; the target holds
            NaN, an infinity or a tensor that is learned (``requires_grad``), or its name is
            malformed.
        KeyError: a param group lacks the target. Whatever is raised, nothing has been touched.

    Warns:
        UserWarning: as :class:`tsa_core.CurveSchedule` does.

    Example:
        >>> import torch
        >>> optimizer = torch.optim.SGD([torch.nn.Parameter(torch.ones(2))], lr=0.1)
        >>> schedule = constant_schedule(optimizer, 0.5)
        >>> for _ in range(2):
        ...     optimizer.step()
        ...     schedule.step()
        >>> round(optimizer.param_groups[0]["lr"], 6)
        0.05
    """
    return CurveSchedule(optimizer, Constant(value), schedule_target)


def _checked_plan(
    warmup_to_value: float,
    anneal_to_value: float,
    num_warmup_steps: float,
    num_training_steps: float,
) -> tuple[float, float, float, float]:
    """W, A, L and M, checked under the names that the user knows them by."""
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


def _inverse_start(warmup_to_value: float, warmup_multiplier: float) -> float:
    """Where an inverse warm-up begins: W·R."""
    R = finite("warmup_multiplier", warmup_multiplier)
    start = warmup_to_value * R
    finite("warmup_to_value * warmup_multiplier", start)
    finite("warmup_to_value * (warmup_multiplier - 1)", start - warmup_to_value)
    return start
