"""A plan: the schedules of a run as data, to a ``SynchronousSchedule`` and back.

A program without plans does not wait for the modules that read and write them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

from tsa_core import OptimizerLike, SynchronousSchedule

__all__ = ["Plan", "from_plan", "to_plan"]

Plan: TypeAlias = Mapping[str, Mapping[str, Any]]


def from_plan(
    optimizer: OptimizerLike | Mapping[str, OptimizerLike],
    plan: Plan,
    *,
    stretch: float = 1.0,
) -> SynchronousSchedule:
    """Build the schedules that ``plan`` describes, in its order.

    A plan is what a parser of YAML, TOML or JSON makes of a file: a dict from targets to dicts.
    Each inner dict has exactly one of four entries.

    - ``"schedule"``: the name of a built-in, with its own numeric arguments beside it.
    - ``"curve"``: a dict as :func:`curves.to_dict` makes it. Or one per param group: a dict from
      the groups' names to curves, with ``"*"`` and None as in ``CurveSchedule``, or a list.
    - ``"scheduler"``: the name of a torch scheduler, with its own arguments beside it. In
      ``"schedulers"``, a compound has such dicts again.
    - ``"follows"``: the name of another target, in this plan or not. The multiple of the target is
      the multiple of the other target to the ``"power"`` beside it, by default 1. Or a ``"rule"``
      beside it, a curve, computes the multiple.

    ``"absolute"`` goes with all but a torch scheduler. ``"default_value"`` goes with all: this
    number is added where the optimizer has no such entry.

    Args:
        optimizer: a ``torch.optim.Optimizer``, or any object with such ``param_groups``. Or a
            mapping from names of yours to several optimizers, with keys of ``plan`` such as
            ``"muon/lr"``.
        plan: the targets, and what drives each of them. Any mappings and sequences will do, such
            as OmegaConf's.
        stretch: the number of steps per unit of the plan, > 0: the steps per epoch if the plan
            counts epochs, or the steps of the run if it counts fractions. Curves are stretched,
            and the step arguments of built-ins are multiplied.

    Returns:
        A :class:`tsa_core.SynchronousSchedule` at step 0. To resume, load the saved state.
        For a clock, write ``SynchronousSchedule([from_plan(...)], clock=clock)``.

    Raises:
        TypeError: an entry has the wrong type, such as a number that is text.
        ValueError: a name is unknown, an entry is missing or superfluous, or a number is out of
            its range.
        ValueError: ``stretch`` is not 1, and a torch scheduler, whose settings count steps, is in
            the plan.
        ValueError: the plan is nested more than 200 deep, or has more than 1,000,000 values or
            20,000 dicts. An alias of YAML counts each time that it appears.
        KeyError: a param group lacks the target, and there is no ``default_value``.
        KeyError: no group has the target that another target follows.

    The message begins with the path of the wrong entry, such as ``lr.curve.curves[1].steps``. If
    the call raises, nothing has changed.

    Warns:
        UserWarning: the warnings of the built-ins, and of :class:`tsa_core.CurveSchedule`.

    Example:
        >>> import torch
        >>> optimizer = torch.optim.AdamW([torch.nn.Parameter(torch.ones(2))], lr=0.1)
        >>> schedule = from_plan(
        ...     optimizer,
        ...     {
        ...         "lr": {"curve": {"kind": "Linear", "start": 1, "end": 0, "steps": 2}},
        ...         "clip": {"default_value": 8.0, "scheduler": "ExponentialLR", "gamma": 0.5},
        ...     },
        ... )
        >>> optimizer.step()
        >>> schedule.step()
        >>> schedule.get_last_schedules()
        {'lr': [0.05], 'clip': [4.0]}
    """
    from .build import built

    return built(optimizer, plan, stretch)


def to_plan(schedule: Any) -> dict[str, dict[str, Any]]:
    """Describe ``schedule`` as a plan: dicts, lists, numbers and strings, for any file format.

    ``from_plan(optimizer, to_plan(schedule))`` gives the same values at every step, on an optimizer
    with the same initial values. A plan has no initial values and no positions, which are in the
    state dicts of the optimizer and the schedule. A plan has no clock either.

    A built-in is written as its curve. A schedule that was replanned is written as its present
    curve, delayed to the step of the replan. A ``DerivedSchedule`` whose rule
    is a curve, such as ``curves.Power(2)``, is written with ``"follows"``.

    An entry that the optimizer does not have by itself gets its initial value as
    ``default_value``, if the groups agree on it.

    Args:
        schedule: a ``SynchronousSchedule``, or any other schedule alone.

    Raises:
        TypeError: a member is or uses a function: a lambda as a curve or as the rule of a
            ``DerivedSchedule``, a ``LambdaLR``, a ``where=``. The message begins with the name of
            the member.
        TypeError: a member is a scheduler of another author.
        ValueError: a curve is nested more than 200 deep.

    Example:
        >>> import torch
        >>> from tsa_builtins import constant_schedule
        >>> optimizer = torch.optim.SGD([torch.nn.Parameter(torch.ones(2))], lr=0.1)
        >>> to_plan(constant_schedule(optimizer, 0.5))
        {'lr': {'curve': {'kind': 'Constant', 'value': 0.5}}}
    """
    from .write import plan_of

    return plan_of(schedule)
