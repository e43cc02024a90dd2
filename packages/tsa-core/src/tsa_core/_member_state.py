"""Saved state of one schedule: whether it fits, and putting it to work at once."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from torch.optim.lr_scheduler import ChainedScheduler, CyclicLR, ReduceLROnPlateau, SequentialLR

from ._curve_schedule import CurveSchedule, inherits
from ._target import Target, real_number
from ._warn import warn_user

_LR = Target.parse("lr")

_COMPOUND = (ChainedScheduler, SequentialLR)

# What torch's schedulers hold one of a param group.
_PER_GROUP = ("base_lrs", "_last_lr", "lr_lambdas", "min_lrs", "max_lrs")

# What changes in torch's schedulers as they run. All else in their state is the plan.
_RUNNING = frozenset(
    {"last_epoch", "_step_count", "_last_lr", "base_lrs", "_schedulers", "lr_lambdas", "verbose"}
    | {"best", "num_bad_epochs", "cooldown_counter", "T_cur", "T_i"}
)


def check_state(member: Any, state: Any, name: str) -> None:
    """Raise unless ``state`` can be loaded into ``member``; nothing is touched."""
    if inherits(member, "state_dict", "load_state_dict"):
        member._checked_state(state)
        return
    what = f"state of the schedule of {name!r} ({type(member).__name__})"
    if not isinstance(state, Mapping):
        raise TypeError(f"{what}: expected a dict, got {type(state).__name__}")
    own = member.state_dict()
    # Private names and these two come and go between torch's versions; files outlive them.
    strange = {
        key
        for key in set(own) ^ set(state)
        if not str(key).startswith("_") and key not in ("verbose", "anneal_func", "default_min_lr")
    }
    demanded = {"_schedulers", "_step_count", "_last_lr"}
    if isinstance(member, ReduceLROnPlateau):  # see saved_state; by itself it is saved without
        demanded.remove("_last_lr")
    missing = sorted(strange & set(own)) + sorted(demanded & set(own) - set(state))
    if strange or missing:
        raise ValueError(
            f"{what}: missing {missing}, unknown {sorted(strange - set(own), key=str)}"
        )
    num_groups = len(member.optimizer.param_groups)
    for key in _PER_GROUP:
        if key in state:
            values = state[key]
            # One min_lr of all groups torch repeats for those that joined, but only when it is due.
            may_lag = key == "min_lrs" and own.get("default_min_lr") is not None
            if not isinstance(values, (list, tuple)) or (
                len(values) != num_groups and not (may_lag and values)
            ):
                raise ValueError(
                    f"{what}: {key!r} is {values!r}, the optimizer has {num_groups} param groups"
                )
    try:
        numbers = [state[key] for key in ("last_epoch", "_step_count") if key in own]
        for number in (*numbers, *state.get("_last_lr", ())):
            real_number(number)
    except (TypeError, ValueError) as error:
        raise type(error)(f"{what}: {error}") from None
    if isinstance(member, _COMPOUND):
        inner, states = member._schedulers, state["_schedulers"]
        if not isinstance(states, (list, tuple)) or len(states) != len(inner):
            raise ValueError(f"{what}: expected {len(inner)} schedulers' states, got {states!r}")
        for one, its_state in zip(inner, states):
            check_state(one, its_state, name)
    if isinstance(member, SequentialLR) and "_milestones" in state:
        _check_milestones(own["_milestones"], state["_milestones"], state["last_epoch"], what)


def _check_milestones(own: Any, saved: Any, t: float, what: str) -> None:
    """Raise unless those up to the step ``t`` agree: where each part stands depends on them."""
    try:
        then, now = ([m for m in milestones if m <= t] for milestones in (saved, own))
    except TypeError:
        raise TypeError(f"{what}: '_milestones' is {saved!r}; expected a list of steps") from None
    if then != now:
        raise ValueError(
            f"{what}: up to step {t}, where it was saved, the milestones were {then} and are {now} "
            "now: those that lie behind have to stay"
        )


def saved_state(member: Any) -> dict[str, Any]:
    """``member.state_dict()``, with the values that the groups hold now.

    Torch's own are those that it wrote last, before somebody set others; in torch < 2.9 the very
    tensors that are filled; and a plateau's none, in torch < 2.3, before its first step.
    """
    state: dict[str, Any] = member.state_dict()
    if not isinstance(member, CurveSchedule) and (
        "_last_lr" in state or isinstance(member, ReduceLROnPlateau)
    ):
        state = {**state, "_last_lr": _LR.read_all(member.optimizer.param_groups)}
    if isinstance(member, _COMPOUND):
        state = {**state, "_schedulers": [saved_state(part) for part in member._schedulers]}
    return state


def load_state(member: Any, state: Mapping[str, Any], name: str) -> None:
    """Load a state that was checked, and write the values that it reports into the optimizer."""
    if inherits(member, "state_dict", "load_state_dict"):
        member._take(state)
        return
    # A copy: torch keeps the lists it is given, and takes entries out of the dict.
    own_copy = copy.deepcopy(dict(state))
    _keep_plan(member, own_copy, name)
    member.load_state_dict(own_copy)
    if isinstance(member, CurveSchedule):
        return
    # torch leaves the optimizer as it is, and its recurrences would go on from there.
    for group, value in zip(member.optimizer.param_groups, state.get("_last_lr", ())):
        _LR.write(group, real_number(value))


def _keep_plan(member: Any, state: dict[str, Any], name: str) -> None:
    """Have the plan in the code go on where the saved one differs.

    Only for torch's own classes: of the others nobody knows what is plan and what is progress.
    """
    if not type(member).__module__.startswith("torch.optim."):
        return
    own = member.state_dict()
    # CyclicLR keeps its argument base_lr there, all others the initial values.
    running = _RUNNING - {"base_lrs"} if isinstance(member, CyclicLR) else _RUNNING
    plan = [key for key in own if key in state and key not in running]
    changed = [key for key in plan if _plan(key, own[key]) != _plan(key, state[key])]
    if changed:
        warn_user(
            f"the schedule of {name!r} ({type(member).__name__}) was saved under "
            f"{ {key: state[key] for key in changed} } and goes on under "
            f"{ {key: own[key] for key in changed} }"
        )
        if not {"T_0", "T_mult"}.isdisjoint(changed):
            state["T_cur"], state["T_i"] = _cycle(max(state["last_epoch"], 0), member)
        if "mode" in changed:  # what was best is now the worst, or nearly
            state["best"], state["num_bad_epochs"] = member.mode_worse, 0
    state.update((key, own[key]) for key in plan)
    for inner, its_state in zip(getattr(member, "_schedulers", ()), state.get("_schedulers", ())):
        _keep_plan(inner, its_state, name)


def _plan(key: str, value: Any) -> Any:
    """``value`` without what makes no other plan."""
    if isinstance(value, tuple):  # JSON and torch's own older versions make the other of either
        value = list(value)
    # As long as there were groups when it was last used.
    if key == "min_lrs" and value and value.count(value[0]) == len(value):
        return value[0]
    # Torch < 2.4 saves methods of the scheduler, each bound to the one that saved it.
    return getattr(value, "__func__", value)


def _cycle(t: float, restarts: Any) -> tuple[float, float]:
    """How far the cycle of a ``CosineAnnealingWarmRestarts`` is at step ``t``, and how long.

    Torch keeps both as it goes, and looks at ``T_0`` in the beginning only.
    """
    length = restarts.T_0
    while t >= length:
        t -= length
        length *= restarts.T_mult
    return t, length
