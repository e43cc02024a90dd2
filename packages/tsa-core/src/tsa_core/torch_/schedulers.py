"""Everything that the library knows of the internals of schedulers in torch, with the sources.

Sources are in ``torch/optim/lr_scheduler.py`` and ``torch/optim/swa_utils.py``; "torch" without a
number means every version from 2.0 to 2.15.
"""

from __future__ import annotations

import functools
import inspect
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch.optim.lr_scheduler import (
    ChainedScheduler,
    ConstantLR,
    CosineAnnealingLR,
    CosineAnnealingWarmRestarts,
    CyclicLR,
    ExponentialLR,
    LinearLR,
    MultiStepLR,
    OneCycleLR,
    PolynomialLR,
    ReduceLROnPlateau,
    SequentialLR,
    StepLR,
)
from torch.optim.swa_utils import SWALR

TORCH = tuple(int(part) for part in torch.__version__.split("+")[0].split(".")[:2])

# -- param groups --------------------------------------------------------------------------------

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


# -- what a scheduler is ---------------------------------------------------------------------------


def is_schedule(schedule: object) -> bool:
    return hasattr(schedule, "optimizer") and callable(getattr(schedule, "step", None))


def is_torchs_own(schedule: object) -> bool:
    """True for torch's own classes: of a subclass, only its author knows the state."""
    return type(schedule).__module__.startswith("torch.optim.")


def parts_of(schedule: Any) -> Any:
    """Return the schedulers that a compound scheduler steps; () for any other scheduler."""
    return schedule._schedulers if isinstance(schedule, (SequentialLR, ChainedScheduler)) else ()


def position_of(schedule: Any) -> Any:
    """Return the step at which the schedule stands, or None if it does not count."""
    try:
        return schedule.last_epoch
    except AttributeError:  # ChainedScheduler has no last_epoch; its parts have
        parts = parts_of(schedule)
        return position_of(parts[0]) if parts else None


def cycles_momentum(schedule: Any) -> bool:
    own = bool(getattr(schedule, "cycle_momentum", False))
    return own or any(map(cycles_momentum, parts_of(schedule)))


def functions_of(schedule: Any) -> list[Any]:
    """Return the functions of t that LambdaLR and MultiplicativeLR keep, of all parts too."""
    functions = list(getattr(schedule, "lr_lambdas", ()))
    return functions + [each for part in parts_of(schedule) for each in functions_of(part)]


class StepArguments:
    """The arguments that a schedule's ``step`` takes."""

    def __init__(self, schedule: Any) -> None:
        parameters = inspect.signature(schedule.step).parameters.values()
        kinds = {parameter.kind for parameter in parameters}
        self.any_position = inspect.Parameter.VAR_POSITIONAL in kinds
        self.any_keyword = inspect.Parameter.VAR_KEYWORD in kinds
        variable = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
        named = [parameter for parameter in parameters if parameter.kind not in variable]
        self.names = {parameter.name for parameter in named}
        self.required = {p.name for p in named if p.default is inspect.Parameter.empty}

    def take(self, name: str) -> bool:
        return name in self.names or self.any_position or self.any_keyword


def metrics_must_be_numbers(schedule: Any) -> bool:
    """True if ``step`` is ReduceLROnPlateau's, which calls ``float(metrics)``."""
    return type(schedule).step is ReduceLROnPlateau.step


def takes_values(schedule: Any) -> bool:
    """True if its settings are values of the target, so that it can move a target of 0.

    They are max_lr, swa_lr, and an eta_min that is not 0: get_lr of the classes.
    """
    return isinstance(schedule, (CyclicLR, OneCycleLR, SWALR)) or bool(
        getattr(schedule, "eta_min", 0)
    )


# -- a group that joins later ----------------------------------------------------------------------

# get_lr reads the present value of each group and multiplies it, so a group that joined goes on
# from its own value.
_TAKES_NEW_GROUPS = (StepLR, MultiStepLR, ExponentialLR, PolynomialLR)


def why_new_groups_are_refused(schedule: Any) -> str | None:
    """Say why a group that joins later would get wrong values, or None if it gets right ones.

    A scheduler of any author can say that it takes them in: ``takes_new_groups = True``.
    """
    if getattr(schedule, "takes_new_groups", False):
        return None
    if isinstance(schedule, SequentialLR):
        # At a milestone it calls the part's _get_closed_form_lr, which reads base_lrs.
        return "SequentialLR starts each part from the groups that it was built with"
    if isinstance(schedule, ChainedScheduler):
        return next(filter(None, map(why_new_groups_are_refused, parts_of(schedule))), None)
    kind = type(schedule)
    # Since torch 2.4 a plateau repeats its one min_lr for groups that joined; before, it raises.
    if kind in _TAKES_NEW_GROUPS or hasattr(schedule, "default_min_lr"):
        return None
    if kind is CosineAnnealingLR:
        # Past T_max it reads base_lrs. torch >= 2.10 raises there; before, it left the group out.
        if TORCH >= (2, 10):
            return None
        return "CosineAnnealingLR of this torch leaves out a new group past T_max"
    if kind in (ConstantLR, LinearLR):
        return (
            f"{kind.__name__} divides each group's present value by the factor of the step before, "
            "which a new group was never multiplied by"
        )
    if is_torchs_own(schedule):
        return f"{kind.__name__} keeps one item per group from the groups that it was built with"
    return f"only the author of {kind.__name__} knows if it computes a new group right"


# -- settings and progress -------------------------------------------------------------------------

# Entries of a state that the constructor derives from its arguments and keeps under other names.
_DERIVED_SETTINGS: dict[type, frozenset[str]] = {
    SequentialLR: frozenset({"_milestones"}),
    # base_lr, max_lr, step_size_up, step_size_down, scale_fn, base_momentum, max_momentum
    CyclicLR: frozenset(
        {"base_lrs", "max_lrs", "total_size", "step_ratio", "_scale_fn_custom"}
        | {"base_momentums", "max_momentums", "use_beta1"}
    ),
    # pct_start, three_phase, anneal_strategy (anneal_func: torch < 2.4)
    OneCycleLR: frozenset({"_schedule_phases", "_anneal_func_type", "anneal_func", "use_beta1"}),
    ReduceLROnPlateau: frozenset({"min_lrs", "default_min_lr", "mode_worse"}),  # min_lr, mode
    SWALR: frozenset({"_anneal_strategy", "anneal_func"}),  # anneal_func: torch < 2.13
}
_NOT_SETTINGS = frozenset({"self", "optimizer", "last_epoch", "verbose"})  # verbose: torch < 2.7

# Entries that hold one item per param group.
PER_GROUP_KEYS = ("base_lrs", "_last_lr", "lr_lambdas", "min_lrs", "max_lrs")

# Public entries that exist in some versions only: verbose (torch < 2.7), anneal_func (as above),
# default_min_lr (torch >= 2.4).
VERSION_DEPENDENT_KEYS = frozenset({"verbose", "anneal_func", "default_min_lr"})


def settings_of(schedule: Any) -> frozenset[str]:
    """Return the entries of a state that are arguments of the constructor; the rest is progress."""
    arguments = inspect.signature(type(schedule).__init__).parameters
    derived = _DERIVED_SETTINGS.get(type(schedule), frozenset())
    return (frozenset(arguments) - _NOT_SETTINGS) | derived


def same_setting(key: str, one: Any, other: Any) -> bool:
    if key == "_scale_fn_custom" and not (isinstance(one, dict) and isinstance(other, dict)):
        return True  # a function: torch < 2.4 saves it, later versions save None
    return bool(_comparable(key, one) == _comparable(key, other))


def _comparable(key: str, value: Any) -> Any:
    """Return ``value`` without what a file format or a torch version changes in it."""
    if isinstance(value, Mapping):  # JSON makes strings of the keys of MultiStepLR's milestones
        return {str(name): _comparable(key, each) for name, each in value.items()}
    if hasattr(value, "tolist"):  # NumPy's and torch's numbers and arrays
        value = value.tolist()
    if isinstance(value, (list, tuple, range)):  # JSON and older versions swap them
        # A plateau repeats one min_lr for the groups that were there when it was last used.
        if key == "min_lrs" and value and all(each == value[0] for each in value):
            return value[0]
        return [_comparable(key, each) for each in value]
    # torch < 2.4 saves a bound method of the scheduler that was saved.
    return getattr(value, "__func__", value)


def setting_to_load(key: str, own: Any, saved: Any) -> Any:
    """Return ``saved`` in the form in which torch reads it, as ``own``, the one in the code."""
    if same_setting(key, own, saved):
        return own
    if not (isinstance(own, Counter) and isinstance(saved, Mapping)):
        return saved
    try:  # MultiStepLR's milestones: torch looks up last_epoch, and JSON makes strings of the keys
        counts = {float(step): count for step, count in saved.items()}
    except (TypeError, ValueError):
        raise ValueError(f"{key!r} is {saved!r}; expected steps as keys") from None
    return Counter({int(t) if t.is_integer() else t: count for t, count in counts.items()})


def progress_under_new_settings(
    schedule: Any, changed: Iterable[str], state: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the progress that depends on settings which are different in the code."""
    if isinstance(schedule, CosineAnnealingWarmRestarts) and {"T_0", "T_mult"} & set(changed):
        # torch advances T_cur and T_i step by step and reads T_0 at the beginning only.
        T_cur, T_i = max(state["last_epoch"], 0), schedule.T_0
        while T_cur >= T_i:
            T_cur -= T_i
            T_i *= schedule.T_mult
        return {"T_cur": T_cur, "T_i": T_i}
    if isinstance(schedule, ReduceLROnPlateau) and "mode" in changed:
        # The best of one mode is nearly the worst of the other.
        return {"best": schedule.mode_worse, "num_bad_epochs": 0}
    return {}
