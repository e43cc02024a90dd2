"""The state of a schedule of ours: saved, checked, and loaded."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, get_args

from ..messages import warn_user
from ..targets.checks import check_target, check_values_fit
from ..targets.numbers_ import real_number
from ..targets.target import groups_of
from ..torch_.states import check_entries
from .records import differ, has_code, sentence_of

if TYPE_CHECKING:
    from .base import TargetSchedule

# The one that goes on if a state and the code differ. "same": they must not.
Choice: TypeAlias = Literal["code", "saved", "same"]


def check_choices(plan: object, initial: object) -> None:
    """Raise unless both are choices; ``initial`` may be None."""
    choices = list(get_args(Choice))
    for argument, choice in {"plan": plan, "initial": initial}.items():
        if choice not in choices and not (argument == "initial" and choice is None):
            raise ValueError(f"{argument}: expected one of {choices}, got {choice!r}")


def check_state(
    schedule: TargetSchedule,
    own: Mapping[str, Any],
    state: Any,
    plan: Choice,
    initial: Choice | None,
) -> None:
    """Raise unless ``state`` fits ``schedule``, whose own one is ``own``; nothing is touched."""
    what = f"state of the schedule of {schedule.label!r}"
    check_choices(plan, initial)
    target = schedule.target
    saved = _as_saved_today(schedule, state)
    check_entries(own, saved, what, len(own["base_lrs"]), own.keys() - {"curve"}, may_wait=True)
    if saved["schedule_target"] != target.name:
        raise ValueError(f"{what}: it was saved for {saved['schedule_target']!r}")
    groups = groups_of(schedule.real_optimizer)
    check_target(target, groups, schedule.driven_groups())
    for values in (saved["_last_lr"], saved["base_lrs"]):
        check_values_fit(target, groups, values, what)
    changed = _changed_initials(schedule, saved)
    if changed and initial == "same":
        raise ValueError(
            f"{what}: the initial values of {target.name!r} were {[*changed.values()]}, and the "
            f"code has {[schedule.initials_in_code[i] for i in changed]}; expected the same"
        )
    following, plan_differs = schedule, differ(saved, schedule.follows())
    if plan_differs and plan == "same":
        both = f"{sentence_of(saved)}, and the code has {sentence_of(schedule.follows())}"
        raise ValueError(f"{what}: it was saved under {both}; expected the same plan")
    if plan_differs and plan == "saved":
        following = copy.copy(schedule)
        try:
            following.follow(saved)
        except (KeyError, TypeError, ValueError) as error:
            raise type(error)(f"{what}: {error.args[0]}") from None
    if plan != "code" and saved["driven"] != positions_driven(following):
        raise ValueError(
            f"{what}: {_groups_differ(following, saved)}. A state does not hold where=, which is "
            "code: build the schedule with that of the saved run, or write plan='code'"
        )


def load_state(
    schedule: TargetSchedule, state: Mapping[str, Any], plan: Choice, initial: Choice | None
) -> None:
    """Load a state that :func:`check_state` accepted. If it raises, the caller undoes it."""
    state = _as_saved_today(schedule, state)
    changed = _changed_initials(schedule, state)
    if changed and initial is None:
        warn_user(
            f"the initial values of {schedule.label!r} were {[*changed.values()]} when the state "
            f"was saved, and the code has {[schedule.initials_in_code[i] for i in changed]}. The "
            "run goes on from the saved ones. Write load_state_dict(state, initial='code') for "
            "those in the code, or initial='saved' if the saved ones are meant"
        )
    in_code, driven = schedule.initials_in_code, {*map(id, schedule.driven_groups())}
    if differ(state, schedule.follows()):
        if plan == "saved":
            schedule.follow(state)
        else:
            how = "To go on under the saved plan, write load_state_dict(state, plan='saved')"
            if has_code(state["curve"]):
                how = (
                    "A state holds only the text of code: to go on under the saved plan, build the "
                    "schedule with it"
                )
            warn_user(
                f"the schedule of {schedule.label!r} was saved under {sentence_of(state)} "
                f"and goes on under {sentence_of(schedule.follows())}, from the step after "
                f"{state['last_epoch']}. {how}"
            )
    elif state["driven"] != positions_driven(schedule):
        warn_user(
            f"the schedule of {schedule.label!r}: {_groups_differ(schedule, state)}. The run goes "
            "on with those in the code; plan='same' makes this an error"
        )
    target, groups = schedule.target, schedule.real_optimizer.param_groups
    # Building wrote into the groups that the code's curve drives, and loading sets them all.
    driven |= {*map(id, schedule.driven_groups())}
    schedule.take_in(groups, [group for group in groups if id(group) in driven])
    initials = [*state["base_lrs"]]
    for i in changed if initial == "code" else ():
        initials[i] = in_code[i]
    waits = state["last_epoch"] < 0  # a later part of a SequentialLR gives no value yet
    for group, its_initial, value in zip(groups, initials, state["_last_lr"]):
        if id(group) in driven:
            group[target.initial_key] = real_number(its_initial)
            if not waits:
                target.write(group, real_number(value))
    if changed or plan == "saved":  # with others, it was looked at when it was built
        schedule.check_ahead()
    schedule.initials_in_code = in_code
    schedule.counts_from_code = bool(changed) and initial == "code"
    schedule.stand_at(real_number(state["last_epoch"]), int(real_number(state["_step_count"])))
    if schedule.counts_from_code and schedule.last_epoch >= 0:
        schedule.rewrite()


def _changed_initials(schedule: TargetSchedule, state: Mapping[str, Any]) -> dict[int, float]:
    """Return the saved initial values that the code has otherwise, by the position of the group."""
    in_code, saved = schedule.initials_in_code, state["base_lrs"]
    if schedule.absolute:
        return {}
    return {
        i: real_number(value)
        for i, (own, value) in enumerate(zip(in_code, saved))
        if None not in (own, value) and own != real_number(value)
    }


def positions_driven(schedule: TargetSchedule) -> list[int]:
    """Return the positions of the param groups that ``schedule`` drives."""
    driven = {id(group) for group in schedule.driven_groups()}
    groups = schedule.real_optimizer.param_groups
    return [i for i, group in enumerate(groups) if id(group) in driven]


def _groups_differ(schedule: TargetSchedule, state: Mapping[str, Any]) -> str:
    now = positions_driven(schedule)
    return f"it drove the param groups {state['driven']} when saved, and the code drives {now}"


def _as_saved_today(schedule: TargetSchedule, state: Any) -> Any:
    """Return a state of 1.x as today's."""
    if not isinstance(state, Mapping) or "lr_lambdas" not in state:
        return state
    # 1.x built its schedules as LambdaLRs: what they follow is code that multiplies.
    follows = schedule.follows()
    if schedule.absolute:
        follows |= {"curve": "a curve of 1.x", "absolute": False}
    kept = ("last_epoch", "_step_count", "base_lrs", "_last_lr")
    saved = {key: state[key] for key in kept if key in state}
    saved["driven"] = positions_driven(schedule)
    return {"schedule_target": schedule.schedule_target, **follows, **saved}
