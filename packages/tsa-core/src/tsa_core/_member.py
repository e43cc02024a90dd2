"""The interface through which a ``SynchronousSchedule`` steps, saves and loads a schedule."""

from __future__ import annotations

import copy
import numbers
from collections.abc import Mapping, Sequence
from typing import Any

from torch.optim.lr_scheduler import ReduceLROnPlateau, SequentialLR

from ._checks import check_values_fit, present_numbers
from ._numbers import real_number
from ._plans import Policy
from ._proxy import ProxyOptimizer, behind_proxy
from ._state import check_fits
from ._target import Target, groups_of
from ._target_schedule import TargetSchedule
from ._torch import (
    VERSION_DEPENDENT_KEYS,
    StepArguments,
    metrics_must_be_numbers,
    position_of,
    progress_under_new_settings,
    same_setting,
    setting_to_load,
)
from ._warn import warn_user

_LR = Target.parse("lr")


class Member:
    """One schedule, stepped, saved and loaded by its own methods.

    A step has three phases. ``prepare`` raises what can be known before anything moves. ``move``
    calls the schedule's own ``step``, which computes and writes in one. ``commit`` writes what
    ``prepare`` computed. A member uses ``move``, or ``commit``.
    """

    moves = True
    """True if the member uses ``move``."""
    steps_itself = True
    """True if the schedule's own ``step`` is called."""
    steps_last = False
    """True if a derived member, or one that it derives from, steps itself: so after its source."""
    is_pure = False
    """True if :meth:`values_at` can tell the value at any step."""
    source_target: Target | None = None
    """The target from which a derived member computes its values."""
    source: Member | None = None
    """The member that drives ``source_target``, if one does."""

    def __init__(self, schedule: Any, parts: Sequence[Member] = ()) -> None:
        self.schedule = schedule
        self.optimizer, target = behind_proxy(schedule.optimizer, _LR)
        if isinstance(schedule, TargetSchedule):
            target = Target.parse(schedule.schedule_target)
        groups_of(self.optimizer)
        self.target: Target = target
        self.name = target.name
        self.arguments = StepArguments(schedule)
        self.parts = parts  # the members that stand for the parts of a compound

    # -- stepping --------------------------------------------------------------------------------

    @property
    def position(self) -> Any:
        """The step at which the schedule stands, or None if it does not count."""
        return position_of(self.schedule)

    def check_arguments(self, given: Mapping[str, Any]) -> None:
        """Raise unless the schedule's ``step`` can be called with what is given."""
        arguments, what = self.arguments, f"the schedule of {self.name!r}"
        kind = type(self.schedule).__name__
        missing = sorted(arguments.required - given.keys())
        if "metrics" in missing:
            raise TypeError(f"step: {what} ({kind}) takes metrics: call step(metrics)")
        if missing:
            raise TypeError(f"step: {what} ({kind}) demands {missing}: pass them by name")
        if "epoch" in given and not arguments.take("epoch"):
            raise TypeError(
                f"step: {what} ({kind}) cannot go to epoch {given['epoch']!r}: call step()"
            )
        if metrics_must_be_numbers(self.schedule):
            try:
                float(given["metrics"])
            except (TypeError, ValueError, OverflowError, RuntimeError) as error:
                raise TypeError(
                    f"metrics: expected a number, got {given['metrics']!r}: {error}"
                ) from None

    def prepare(self, given: Mapping[str, Any]) -> None:
        """Raise what can be known before anything moves."""
        if isinstance(self.schedule.optimizer, ProxyOptimizer):
            self.schedule.optimizer.check_groups()

    def move(self, given: Mapping[str, Any]) -> None:
        """Step the schedule with those of the given arguments that it takes."""
        arguments = self.arguments
        if not given:
            self.schedule.step()
        elif arguments.any_position and not arguments.any_keyword:
            self.schedule.step(*given.values())
        else:
            self.schedule.step(**{key: given[key] for key in given if arguments.take(key)})

    def commit(self) -> None:
        """Write what :meth:`prepare` computed."""

    def upcoming_values(self) -> list[float]:
        """Return the values that the groups will hold after this step, once they are known."""
        return present_numbers(self.target, self.optimizer.param_groups)

    def upcoming_multiplier(self) -> float | None:
        """Return the multiplier of all groups, if :meth:`upcoming_values` are its products."""
        return None

    def introduce(self, members: Sequence[Member]) -> None:
        """Tell the schedule its name, and which of the ``members`` here derive from it."""
        derived = [each for each in members if self in each.sources() and not each.steps_last]
        self._introduce(
            [each.schedule for each in derived],
            {each.target.name for each in members if each.optimizer is self.optimizer},
        )

    def _introduce(self, followers: list[TargetSchedule], targets: set[str]) -> None:
        if isinstance(self.schedule, TargetSchedule):
            self.schedule.introduce(self.name, followers, targets)
        for part in self.parts:
            part.name = self.name
            part._introduce(followers, targets)  # noqa: SLF001  # of this class

    def derive_now(self) -> None:
        """Compute the values anew from those that the source has now; for a derived member."""

    def take_in_groups(self) -> None:
        """Take in groups that joined, before a source moves them; for a derived member."""

    def sources(self) -> list[Member]:
        """Return the member that drives the source, the source of that, and so on."""
        return [self.source, *self.source.sources()] if self.source else []

    # -- values to come --------------------------------------------------------------------------

    def values_at(self, t: float) -> list[float]:
        """Return the target's value in each group at step ``t``, if the member ``is_pure``."""
        raise NotImplementedError

    @property
    def boundaries(self) -> tuple[float, ...]:
        """The steps at which one curve hands over to the next, if the curve knows them."""
        curve = getattr(self.schedule, "curve", None)
        found = getattr(curve, "boundaries", ())  # somebody's callable may have others
        is_known = isinstance(found, tuple) and all(isinstance(b, numbers.Real) for b in found)
        return found if is_known else ()

    # -- state -----------------------------------------------------------------------------------

    def save(self) -> dict[str, Any]:
        """Return the state; torch's ``_last_lr`` is what the groups hold now."""
        # torch has the values that it wrote last, and somebody may have set others since. In torch
        # < 2.9 they are the very tensors that the groups hold. A plateau has none in torch < 2.3.
        state: dict[str, Any] = self.schedule.state_dict()
        if "_last_lr" in state or isinstance(self.schedule, ReduceLROnPlateau):
            state = {**state, "_last_lr": self.upcoming_values()}
        if self.parts:
            state = {**state, "_schedulers": [part.save() for part in self.parts]}
        return state

    def check(self, state: Any, plan: Policy, may_wait: bool = False) -> None:
        """Raise unless ``state`` can be loaded; nothing is touched.

        ``may_wait``: the schedule is part of a compound and may stand before its first step.
        """
        what = f"state of the schedule of {self.name!r} ({type(self.schedule).__name__})"
        own = self.schedule.state_dict()
        checked, settings = self.entries_to_check(own)
        optional = VERSION_DEPENDENT_KEYS
        if isinstance(self.schedule, ReduceLROnPlateau):  # saved by itself, it has no _last_lr
            optional |= {"_last_lr"}
        check_fits(
            own,
            state,
            what,
            len(self.schedule.optimizer.param_groups),
            checked=checked,
            settings=settings,
            optional=optional,
            may_wait=may_wait,
        )
        groups = self.optimizer.param_groups
        check_values_fit(self.target, groups, state.get("_last_lr", ()), what)
        if self.parts:
            states = state["_schedulers"]
            if not isinstance(states, (list, tuple)) or len(states) != len(self.parts):
                raise ValueError(
                    f"{what}: expected {len(self.parts)} schedulers' states, got {states!r}"
                )
            for part, its_state in zip(self.parts, states):
                part.check(its_state, plan, may_wait=True)
        if isinstance(self.schedule, SequentialLR):
            _check_milestones(own, state, what)
        changed = self.changed_settings(state)
        if changed and plan == "same":
            own, saved = ({k: pair[i] for k, pair in changed.items()} for i in (0, 1))
            raise ValueError(
                f"{what}: it was saved under {saved}, and the code has {own}; expected the same"
            )

    def entries_to_check(self, own: Mapping[str, Any]) -> tuple[set[str], set[str]]:
        """Return the entries of a state whose kind is known, and those that are settings."""
        return {"last_epoch", "_step_count", "_last_lr"}, {"_last_lr"}

    def load(self, state: Mapping[str, Any], plan: Policy = "code") -> None:
        """Load a checked state, and write the values that it reports into the optimizer."""
        # A copy, because torch keeps the lists that it is given and takes entries out of the dict.
        own_copy = copy.deepcopy(dict(state))
        self.apply_policy(own_copy, plan)
        self.schedule.load_state_dict(own_copy)
        # torch leaves the optimizer as it is, and its recurrences would go on from there.
        for group, value in zip(self.schedule.optimizer.param_groups, state.get("_last_lr", ())):
            _LR.write(group, real_number(value))
        self.load_own_parts(state, plan)

    def apply_policy(self, state: dict[str, Any], plan: Policy) -> None:
        """Put the settings to load into ``state``; warn if the code's replace different ones."""
        changed = self.changed_settings(state)
        if plan == "code" and changed:
            own, saved = ({k: pair[i] for k, pair in changed.items()} for i in (0, 1))
            warn_user(
                f"the schedule of {self.name!r} ({type(self.schedule).__name__}) was saved under "
                f"{saved} and goes on under {own}"
            )
            state.update(progress_under_new_settings(self.schedule, changed, state))
        state.update(
            (key, own if plan == "code" else setting_to_load(key, own, saved))
            for key, own, saved in self.settings(state)
        )
        for part, its_state in zip(self.parts, state.get("_schedulers", ())):
            part.apply_policy(its_state, plan)

    def load_own_parts(self, state: Mapping[str, Any], plan: Policy) -> None:
        """Load the parts that are schedules of this library; torch has loaded the others."""
        for part, its_state in zip(self.parts, state.get("_schedulers", ())):
            part.load_own_parts(its_state, plan)

    def settings(self, state: Mapping[str, Any]) -> list[tuple[str, Any, Any]]:
        """Return each setting with its value in the code and in ``state``.

        Empty for most schedules: only their author knows what is a setting.
        """
        return []

    def changed_settings(self, state: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
        return {
            key: (own, saved)
            for key, own, saved in self.settings(state)
            if not same_setting(key, own, saved)
        }

    def remember(self) -> Any:
        """Return everything that :meth:`put_back` needs if a later load or step fails."""
        if not hasattr(self.schedule, "state_dict"):  # somebody's, that cannot be put back
            return None
        return copy.deepcopy(self.save()), [part.remember() for part in self.parts]

    def put_back(self, memory: Any) -> None:
        if memory is None:
            return
        state, of_parts = memory
        for part, its_memory in zip(self.parts, of_parts):
            part.put_back(its_memory)
        self.load(state, "saved")


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
