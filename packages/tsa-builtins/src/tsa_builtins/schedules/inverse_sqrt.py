"""The built-in that falls forever."""

from __future__ import annotations

from tsa_core import OptimizerLike

from ..checks import at_least_zero, finite
from ..curves import Curve, InverseSqrt, join
from .parts import Where, rise
from .registry import built_in

__all__ = ["inverse_sqrt_with_warmup"]


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
