"""A saved state: whether it fits a schedule, and how one of an earlier version reads today."""

from __future__ import annotations

import math
import numbers
from collections.abc import Collection, Mapping
from typing import Any

from torch import Tensor

from ..targets.numbers_ import real_number
from ..torch_.schedulers import PER_GROUP_KEYS


def check_fits(
    own: Mapping[str, Any],
    state: Any,
    what: str,
    num_groups: int,
    *,
    checked: Collection[str],
    settings: Collection[str] = (),
    optional: Collection[str] = (),
    may_wait: bool = False,
) -> None:
    """Raise unless ``state`` has the entries of ``own``, the schedule's present state.

    The ``checked`` entries have to hold the kind of value that ``own`` holds. Those that are not
    ``settings`` count from 0. ``optional`` entries may be missing or unknown. With ``may_wait``,
    the schedule may stand before its first step, as torch's SequentialLR has its parts do.
    """
    if not isinstance(state, Mapping):
        raise TypeError(f"{what}: expected a dict, got {type(state).__name__}")
    # Other private names come and go with torch's versions.
    stable = {"_schedulers", "_step_count", "_last_lr"} - set(optional)
    strange = {
        key
        for key in own.keys() ^ state.keys()
        if key in stable & own.keys() or not (str(key).startswith("_") or key in optional)
    }
    if strange:
        missing, unknown = strange & own.keys(), strange - own.keys()
        raise ValueError(f"{what}: missing {sorted(missing)}, unknown {sorted(unknown, key=str)}")
    for key, value in own.items():
        if key not in state:
            continue
        saved = state[key]
        try:
            if key in PER_GROUP_KEYS:
                _check_length(key, own, saved, num_groups)
            if key in checked:
                _check_kind(value, saved)
                waits = may_wait and key == "last_epoch" and not _has_counted(state)
                waits = waits and isinstance(saved, int)
                if key not in settings and not waits:
                    _check_counter(key, value, saved)
        except (TypeError, ValueError) as error:
            raise type(error)(f"{what}: {key!r} is {saved!r}; {error}") from None


def _has_counted(state: Mapping[str, Any]) -> bool:
    count = state.get("_step_count", 1)
    return not isinstance(count, int) or count > 1


def _check_length(key: str, own: Mapping[str, Any], saved: Any, num_groups: int) -> None:
    # torch's lists lack a group that joined later. torch repeats a single min_lr for it, but only
    # when it reduces.
    may_lag = key == "min_lrs" and own.get("default_min_lr") is not None
    if not isinstance(saved, (list, tuple)) or (
        len(saved) not in (num_groups, len(own[key])) and not (may_lag and saved)
    ):
        raise ValueError(f"expected one item for each of {num_groups} param groups")


def _check_kind(own: Any, saved: Any) -> None:
    for kind, text in _KINDS:
        if isinstance(own, kind):
            if not isinstance(saved, kind):
                raise TypeError(f"expected {text}")
            for element in saved if text == "a list" and own else ():
                if isinstance(own[0], _NUMBERS):
                    real_number(element)
                elif own[0] is None or isinstance(own[0], Mapping):  # lr_lambdas
                    if isinstance(element, Mapping | None):
                        continue
                    raise TypeError("expected a list of None, or of the attributes of functions")
            return
    is_infinite = isinstance(saved, float) and math.isinf(saved)
    if isinstance(own, _NUMBERS) and not (isinstance(own, float) and is_infinite):  # a plateau's
        real_number(saved)


_NUMBERS = (numbers.Real, Tensor)
_KINDS: tuple[tuple[Any, str], ...] = (
    (bool, "True or False"),
    (str, "a string"),
    (Mapping, "a dict"),
    ((list, tuple), "a list"),
)


def _check_counter(key: str, own: Any, saved: Any) -> None:
    is_counter = key == "last_epoch" or (isinstance(own, int) and not isinstance(own, bool))
    if is_counter and (saved < 0 or (key == "T_i" and saved == 0)):  # T_i: length of a cycle
        raise ValueError("expected a number of steps, 0 or later")


def as_saved_today(
    state: Mapping[str, Any], schedule_target: str, plan: Mapping[str, Any]
) -> Mapping[str, Any]:
    """Return a state of any version as today's, for a schedule of ``plan``."""
    if "lr_lambdas" not in state:  # an entry of the plan that is newer than the state
        return {"absolute": False, **({"origin": 0} if "origin" in plan else {}), **state}
    # 1.x built its schedules as LambdaLRs: their plan is code that multiplies.
    if plan["absolute"]:
        plan = {**plan, "curve": "a curve of 1.x", "absolute": False}
    kept = ("last_epoch", "_step_count", "base_lrs", "_last_lr")
    saved = {key: state[key] for key in kept if key in state}
    return {"schedule_target": schedule_target, **plan, **saved}
