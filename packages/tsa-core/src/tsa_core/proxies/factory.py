"""Any scheduler, on any target."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from torch import Tensor

from ..extension import extend_optimizer
from ..targets.checks import warn_if_all_zero, warn_if_some_zero
from ..targets.stand_ins import refuse_stand_in
from ..targets.target import OptimizerLike, Target, groups_of
from ..targets.tensors import warn_if_captured_step_ignores
from ..targets.undo import undone_on_error
from ..torch_.schedulers import is_schedule, takes_values, why_new_groups_are_refused, with_parts
from .proxy import ProxyOptimizer

Schedule = TypeVar("Schedule")


def arbitrary_schedule_factory(
    optimizer: OptimizerLike,
    schedule_factory: Callable[[ProxyOptimizer], Schedule],
    default_value: float | Tensor | None = None,
    schedule_target: str = "lr",
) -> Schedule:
    """Put any torch scheduler on any entry of the param groups.

    ``schedule_factory`` gets a :class:`tsa_core.ProxyOptimizer`, on which ``lr`` *is* the target,
    and returns a scheduler built on this proxy. The scheduler computes as it does for a learning
    rate, from the target's own initial value, and the target moves.

    Args:
        optimizer: a ``torch.optim.Optimizer``, or any object with such ``param_groups``.
        schedule_factory: takes the proxy and returns the scheduler. Compound schedulers
            (``SequentialLR``, ``ChainedScheduler``) are built inside one call, on the same proxy.
        default_value: the value to add to groups that lack the target. An existing value stays.
        schedule_target: the entry to drive, such as ``"weight_decay"``, or ``"betas[0]"`` for an
            element of a tuple.

    Returns:
        The scheduler that ``schedule_factory`` returned, as it is. Its ``optimizer`` is the proxy.

    Raises:
        TypeError: ``schedule_factory`` is not a callable, or does not return a scheduler.
        TypeError: ``default_value`` is not a real number.
        ValueError: the scheduler was built on a different optimizer.
        ValueError: the scheduler would write another entry of the groups (``cycle_momentum``).
        TypeError, ValueError, KeyError: the target cannot be driven: as :class:`CurveSchedule`.

    If the call or ``schedule_factory`` raises, the param groups have not changed.

    Warns:
        UserWarning: the target cannot move; the cases are those of :class:`CurveSchedule`.

    Example:
        >>> import torch
        >>> from torch.optim.lr_scheduler import ExponentialLR
        >>> optimizer = torch.optim.AdamW([torch.nn.Parameter(torch.ones(2))], weight_decay=0.1)
        >>> schedule = arbitrary_schedule_factory(
        ...     optimizer, lambda proxy: ExponentialLR(proxy, 0.5), schedule_target="weight_decay"
        ... )
        >>> optimizer.step()
        >>> schedule.step()
        >>> optimizer.param_groups[0]["weight_decay"]
        0.05
    """
    if not callable(schedule_factory):
        raise TypeError(
            "schedule_factory: expected a callable that takes an optimizer and returns a "
            f"scheduler, got {schedule_factory!r} ({type(schedule_factory).__name__})"
        )
    if isinstance(default_value, str):
        raise TypeError(
            f"default_value: expected a number, got {default_value!r}; to name the target, "
            f"write schedule_target={default_value!r}"
        )
    target, groups = Target.parse(schedule_target), groups_of(optimizer)
    refuse_stand_in(optimizer)
    with undone_on_error([optimizer]):
        if default_value is not None:
            extend_optimizer(optimizer, target, default_value)
        proxy = ProxyOptimizer(optimizer, target)
        initial_values = [target.initial_or_present(group) for group in groups]
        schedule = schedule_factory(proxy)
        if not is_schedule(schedule) or isinstance(schedule, ProxyOptimizer):
            raise TypeError(
                "schedule_factory: expected it to return a scheduler built on the optimizer that "
                f"it is given, got {schedule!r} ({type(schedule).__name__})"
            )
        built_on = getattr(schedule, "optimizer", None)
        if built_on is not proxy:
            raise ValueError(
                f"schedule_factory: it returned a scheduler on {type(built_on).__name__}; build it "
                f"on the optimizer that the factory is given, which stands for {target.name!r}"
            )
        proxy.why_new_groups_are_refused = why_new_groups_are_refused(schedule)
        for group, initial in zip(groups, initial_values):
            group.setdefault(target.initial_key, initial)
        ours = [each for each in with_parts(schedule) if getattr(each, "absolute", False)]
        if ours:  # the parts of a compound are one schedule of the target, and warn once
            warn_if_some_zero(target, ours[0].driven_groups(), groups)
        elif not takes_values(schedule):
            warn_if_all_zero(target, groups)
        warn_if_captured_step_ignores(target, optimizer, groups)
    return schedule
