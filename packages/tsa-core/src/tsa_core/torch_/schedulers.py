"""Everything that the library knows of the internals of schedulers in torch, with the sources.

Sources are in ``torch/optim/lr_scheduler.py`` and ``torch/optim/swa_utils.py``; "torch" without a
number means every version from 2.0 to 2.15.
"""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Iterator
from typing import Any

import torch
from torch.optim import lr_scheduler as torch_lr
from torch.optim.swa_utils import SWALR

TORCH = tuple(int(part) for part in torch.__version__.split("+")[0].split(".")[:2])

# Entries that torch's schedulers keep in a param group for themselves: OneCycleLR.__init__
# (max_lr, min_lr, max_momentum, base_momentum), CyclicLR.__init__ (max_momentum, base_momentum)
# and SWALR.__init__ (swa_lr).
AUXILIARY_KEYS = frozenset({"max_lr", "min_lr", "swa_lr", "max_momentum", "base_momentum"})


@functools.cache  # read in each group at each step of a OneCycleLR
def auxiliary_key(key: str, target_name: str) -> str:
    """Return the entry in which a scheduler of ``target_name`` keeps what it calls ``key``.

    >>> auxiliary_key("max_lr", "weight_decay")
    'max_weight_decay'
    """
    if target_name == "lr":
        return key
    named = re.sub(r"(^|_)lr$", lambda match: match[1] + target_name, key)
    return f"{key}_{target_name}" if named == key else named


def is_schedule(schedule: object) -> bool:
    return hasattr(schedule, "optimizer") and callable(getattr(schedule, "step", None))


def is_torchs_own(schedule: object) -> bool:
    """True for torch's own classes: of a subclass, only its author knows the state."""
    return type(schedule).__module__.startswith("torch.optim.")


def parts_of(schedule: Any) -> Any:
    """Return the schedulers that a compound scheduler steps; () for any other scheduler."""
    is_compound = isinstance(schedule, (torch_lr.SequentialLR, torch_lr.ChainedScheduler))
    return schedule._schedulers if is_compound else ()


def position_of(schedule: Any) -> Any:
    """Return the step at which the schedule stands, or None if it does not count."""
    try:
        return schedule.last_epoch
    except AttributeError:  # ChainedScheduler has no last_epoch; its parts have
        return next(map(position_of, parts_of(schedule)), None)


def with_parts(schedule: Any) -> Iterator[Any]:
    """Yield the schedule, its parts, and theirs."""
    yield schedule
    for part in parts_of(schedule):
        yield from with_parts(part)


def cycles_momentum(schedule: Any) -> bool:
    return any(getattr(each, "cycle_momentum", False) for each in with_parts(schedule))


class StepArguments:
    """The arguments that a schedule's ``step`` takes."""

    def __init__(self, schedule: Any) -> None:
        parameters = inspect.signature(schedule.step).parameters.values()
        self.any_position: bool = any(each.kind is each.VAR_POSITIONAL for each in parameters)
        self.any_keyword: bool = any(each.kind is each.VAR_KEYWORD for each in parameters)
        named = [p for p in parameters if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
        self.names: set[str] = {each.name for each in named}
        self.required: set[str] = {each.name for each in named if each.default is each.empty}

    def take(self, name: str) -> bool:
        return name in self.names or self.any_position or self.any_keyword


def metrics_must_be_numbers(schedule: Any) -> bool:
    """True if ``step`` is ReduceLROnPlateau's, which calls ``float(metrics)``."""
    return type(schedule).step is torch_lr.ReduceLROnPlateau.step


def takes_values(schedule: Any) -> bool:
    """True if the schedule, or a part of it, gives values of the target that are not multiples.

    torch's give max_lr, swa_lr, and an eta_min that is not 0: get_lr of the classes.
    """
    return any(
        isinstance(each, (torch_lr.CyclicLR, torch_lr.OneCycleLR, SWALR))
        or getattr(each, "eta_min", 0)
        or getattr(each, "absolute", False)
        for each in with_parts(schedule)
    )


# get_lr reads the present value of each group and multiplies it, so a group that joined goes on
# from its own value.
_MULTIPLY = (torch_lr.StepLR, torch_lr.MultiStepLR, torch_lr.ExponentialLR, torch_lr.PolynomialLR)


def why_new_groups_are_refused(schedule: Any) -> str | None:
    """Say why a group that joins later would get wrong values, or None if it gets right ones.

    A scheduler of any author can say that it takes them in: ``takes_new_groups = True``.
    """
    kind = type(schedule)
    if getattr(schedule, "takes_new_groups", False) or kind in _MULTIPLY:
        return None
    if hasattr(schedule, "default_min_lr"):
        return None  # torch >= 2.4: a plateau repeats its one min_lr for groups that joined
    if isinstance(schedule, torch_lr.SequentialLR):
        # At a milestone it calls the part's _get_closed_form_lr, which reads base_lrs.
        return "SequentialLR starts each part from the groups that it was built with"
    if isinstance(schedule, torch_lr.ChainedScheduler):
        return next(filter(None, map(why_new_groups_are_refused, parts_of(schedule))), None)
    if kind is torch_lr.CosineAnnealingLR:
        # Past T_max it reads base_lrs. torch >= 2.10 raises there; before, it left the group out.
        why = "CosineAnnealingLR of this torch leaves out a new group past T_max"
        return None if TORCH >= (2, 10) else why
    if kind in (torch_lr.ConstantLR, torch_lr.LinearLR):
        return (
            f"{kind.__name__} divides each group's present value by the factor of the step before, "
            "which a new group was never multiplied by"
        )
    if is_torchs_own(schedule):
        return f"{kind.__name__} keeps one item per group from the groups that it was built with"
    return f"only the author of {kind.__name__} knows if it computes a new group right"
