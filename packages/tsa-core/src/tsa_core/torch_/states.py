"""The states of schedulers: which entries they have, and which of them are settings.

A setting is an argument of the constructor; all other entries are progress. Sources are in
``torch/optim/lr_scheduler.py`` and ``torch/optim/swa_utils.py``; "torch" without a number means
every version from 2.0 to 2.15.
"""

from __future__ import annotations

import copy
import inspect
import math
import numbers
import warnings
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from torch import Tensor
from torch.optim import lr_scheduler as torch_lr

from ..targets.numbers_ import real_number
from .schedulers import is_torchs_own

# Settings that a state has under other names, some in certain versions only: anneal_func (torch <
# 2.4 for OneCycleLR, < 2.13 for SWALR). Those without a name are in the param groups.
_KEPT_AS: dict[str, tuple[str, ...]] = {
    "lr_lambda": (),  # code: a state has the attributes of a callable object, as progress
    "schedulers": (),  # compared one by one
    "milestones": ("milestones", "_milestones"),
    "base_lr": ("base_lrs",),
    "max_lr": ("max_lrs",),
    **dict.fromkeys(("step_size_up", "step_size_down"), ("total_size", "step_ratio")),
    "scale_fn": ("_scale_fn_custom",),
    "cycle_momentum": ("cycle_momentum", "use_beta1"),
    "base_momentum": ("base_momentums",),
    "max_momentum": ("max_momentums",),
    **dict.fromkeys(("pct_start", "three_phase"), ("_schedule_phases",)),
    "anneal_strategy": ("_anneal_func_type", "_anneal_strategy", "anneal_func"),
    **dict.fromkeys(("epochs", "steps_per_epoch"), ("total_steps",)),
    **dict.fromkeys(("div_factor", "final_div_factor", "swa_lr"), ()),
    "mode": ("mode", "mode_worse"),
    "min_lr": ("min_lrs", "default_min_lr"),
}
NOT_SETTINGS = frozenset({"self", "optimizer", "last_epoch", "verbose"})  # verbose: torch < 2.7

_NUMBERS = (numbers.Real, Tensor)

# Entries that hold one item per param group, and entries that are numbers of steps.
_PER_GROUP = ("base_lrs", "_last_lr", "lr_lambdas", "min_lrs", "max_lrs")
_COUNTERS = frozenset(
    {"last_epoch", "_step_count", "origin", "T_cur", "T_i", "num_bad_epochs", "cooldown_counter"}
)

# Public entries that exist in some versions only; default_min_lr: torch >= 2.4.
_VERSION_DEPENDENT = frozenset({"verbose", "anneal_func", "default_min_lr"})


def with_values(schedule: Any, values: list[float]) -> dict[str, Any]:
    """Return the state of ``schedule``, with the present ``values`` of the groups in it.

    torch has the values that it wrote last, and somebody may have set others since. In torch < 2.9
    they are the very tensors that the groups hold. A plateau has none in torch < 2.3.
    """
    state: dict[str, Any] = schedule.state_dict()
    has_values = "_last_lr" in state or isinstance(schedule, torch_lr.ReduceLROnPlateau)
    return {**state, "_last_lr": values} if has_values else state


def check_state(schedule: Any, state: Any, what: str, num_groups: int, may_wait: bool) -> None:
    """Raise unless ``state`` can be loaded into a scheduler of torch or of another author.

    ``may_wait``: it is part of a compound, and may stand before its first step.
    """
    own = schedule.state_dict()
    checked = {"last_epoch", "_step_count", "_last_lr"}
    if is_torchs_own(schedule):
        # Of other private entries, and of those of a newer torch, only torch knows.
        checked |= {key for key in own.keys() - _VERSION_DEPENDENT if not key.startswith("_")}
    check_entries(own, state, what, num_groups, checked, may_wait)
    if isinstance(schedule, torch_lr.SequentialLR):
        _check_milestones(own, state, what)


def check_entries(
    own: Mapping[str, Any],
    state: Any,
    what: str,
    num_groups: int,
    checked: Collection[str],
    may_wait: bool,
) -> None:
    """Raise unless ``state`` has the entries of ``own``, the schedule's present state.

    The ``checked`` entries have to hold the kind of value that ``own`` holds, and steps count from
    0. With ``may_wait``, the schedule may stand before its first step, as torch's SequentialLR has
    its parts do.
    """
    if not isinstance(state, Mapping):
        raise TypeError(f"{what}: expected a dict, got {type(state).__name__}")
    # Other private names come and go with torch's versions. A plateau's own state lacks _last_lr.
    stable = {"_schedulers", "_step_count", *([] if "num_bad_epochs" in own else ["_last_lr"])}
    strange = {
        key
        for key in (own.keys() ^ state.keys()) - _VERSION_DEPENDENT
        if key in stable & own.keys() or not str(key).startswith("_")
    }
    if strange:
        missing, unknown = strange & own.keys(), strange - own.keys()
        raise ValueError(f"{what}: missing {sorted(missing)}, unknown {sorted(unknown, key=str)}")
    count = state.get("_step_count", 1)
    waits = may_wait and isinstance(count, int) and count <= 1
    for key in (each for each in own if each in state):
        saved = state[key]
        try:
            if key in _PER_GROUP:
                _check_length(key, own, state, num_groups)
            if key in checked:
                _check_kind(own[key], saved)
            counts = key in checked and key in _COUNTERS and not (waits and key == "last_epoch")
            if counts and saved < (key == "T_i"):  # the length of a cycle is not 0
                raise ValueError("expected a number of steps, 0 or later")
        except (TypeError, ValueError) as error:
            raise type(error)(f"{what}: {key!r} is {saved!r}; {error}") from None


def _check_length(
    key: str, own: Mapping[str, Any], state: Mapping[str, Any], num_groups: int
) -> None:
    saved = state[key]
    if key == "min_lrs" and saved and own.get("default_min_lr") is not None:
        return  # torch repeats a single min_lr for groups that joined, but only when it reduces
    # torch's lists lack a group that joined later.
    if not isinstance(saved, list | tuple) or len(saved) not in (num_groups, len(own[key])):
        raise ValueError(
            f"expected one item for each of {num_groups} param groups. To go on with other groups "
            f"than the saved ones, leave out this state and call step({state.get('last_epoch')})"
        )


def _check_kind(own: Any, saved: Any) -> None:
    for kind in (bool, str, Mapping, list | tuple):
        if isinstance(own, kind) and not isinstance(saved, kind):
            raise TypeError(f"expected a {type(own).__name__}")
    is_infinite = isinstance(own, float) and isinstance(saved, float) and math.isinf(saved)
    if isinstance(own, _NUMBERS) and not isinstance(own, bool) and not is_infinite:  # a plateau's
        real_number(saved)
    if not isinstance(own, list | tuple):
        return
    are_numbers = any(isinstance(each, _NUMBERS) for each in own)
    are_functions = own and all(isinstance(each, Mapping | None) for each in own)
    for element in saved:
        if are_numbers and not (element is None and None in own):  # None: a group left alone
            real_number(element)
        elif are_functions and not isinstance(element, Mapping | None):
            raise TypeError("expected a list of None, or of the attributes of functions")


def _check_milestones(own: Mapping[str, Any], state: Mapping[str, Any], what: str) -> None:
    """Raise unless the milestones in the past agree: they say where each part stands."""
    t = state["last_epoch"]
    saved = state.get("_milestones", own["_milestones"])
    try:
        then, now = ([m for m in each if m <= t] for each in (saved, own["_milestones"]))
    except TypeError:
        raise TypeError(f"{what}: '_milestones' is {saved!r}; expected a list of steps") from None
    if then != now:
        raise ValueError(
            f"{what}: up to step {t}, where it was saved, the milestones were {then} and are {now} "
            "now: milestones in the past have to stay"
        )


def takes_initial_values(schedule: Any) -> bool:
    """True if torch computes each value from ``base_lrs``: others go on from the value before."""
    return type(schedule) in (torch_lr.LambdaLR, torch_lr.CosineAnnealingWarmRestarts)


def values_from(schedule: Any, base_lrs: list[float]) -> list[float]:
    """Have ``schedule``, which takes initial values, start from ``base_lrs``; its values now."""
    schedule.base_lrs = base_lrs
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # get_lr is called outside of step on purpose
        values: list[float] = schedule.get_lr()
    schedule._last_lr = values
    return values


def changed_settings(schedule: Any, state: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Return each setting that differs, with its value in the code and in ``state``."""
    return {
        key: (own, state[key])
        for key, own in _settings_of(schedule).items()
        if key in state and not _are_same(key, own, state[key])
    }


def state_to_load(
    schedule: Any, state: Mapping[str, Any], changed: Mapping[str, tuple[Any, Any]], saved: bool
) -> dict[str, Any]:
    """Return a copy of ``state`` with the settings of the code, or the ``saved`` ones.

    A copy, because torch keeps the lists that it is given and takes entries out of the dict.
    """
    loaded = copy.deepcopy(dict(state))
    # Equal settings too: a file format may have changed their types.
    loaded.update((key, own) for key, own in _settings_of(schedule).items() if key in loaded)
    if saved:
        loaded.update((key, _as_torch_reads(key, *pair)) for key, pair in changed.items())
    else:
        loaded.update(_progress_under_new_settings(schedule, changed, state))
    return loaded


def _settings_of(schedule: Any) -> dict[str, Any]:
    """Return the entries of the state that are settings: only the author of a class knows them."""
    if not is_torchs_own(schedule):
        return {}
    own = schedule.state_dict()
    settings = inspect.signature(type(schedule).__init__).parameters.keys() - NOT_SETTINGS
    unknown = settings - own.keys() - _KEPT_AS.keys()
    if unknown:
        raise ValueError(
            f"state: {type(schedule).__name__} has the settings {sorted(unknown)}, and its state "
            "has no entries of these names, so a saved plan cannot be told from the one in the "
            "code. Save and load this scheduler beside the SynchronousSchedule"
        )
    names = {name for setting in settings for name in _KEPT_AS.get(setting, (setting,))}
    return {name: own[name] for name in own if name in names}


def _are_same(key: str, one: Any, other: Any) -> bool:
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


def _as_torch_reads(key: str, own: Any, saved: Any) -> Any:
    """Return ``saved`` in the form of ``own``, the one in the code."""
    if not (isinstance(own, Counter) and isinstance(saved, Mapping)):
        return saved
    try:  # MultiStepLR's milestones: torch looks up last_epoch, and JSON makes strings of the keys
        counts = {float(step): count for step, count in saved.items()}
    except (TypeError, ValueError):
        raise ValueError(f"{key!r} is {saved!r}; expected steps as keys") from None
    return Counter({int(t) if t.is_integer() else t: count for t, count in counts.items()})


def _progress_under_new_settings(
    schedule: Any, changed: Iterable[str], state: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the progress that depends on settings which are different in the code."""
    if isinstance(schedule, torch_lr.CosineAnnealingWarmRestarts) and {"T_0", "T_mult"} & set(
        changed
    ):
        # torch advances T_cur and T_i step by step and reads T_0 at the beginning only.
        T_cur, T_i = max(state["last_epoch"], 0), schedule.T_0
        while T_cur >= T_i:
            T_cur -= T_i
            T_i *= schedule.T_mult
        return {"T_cur": T_cur, "T_i": T_i}
    if isinstance(schedule, torch_lr.ReduceLROnPlateau) and "mode" in changed:
        # The best of one mode is nearly the worst of the other.
        return {"best": schedule.mode_worse, "num_bad_epochs": 0}
    return {}
