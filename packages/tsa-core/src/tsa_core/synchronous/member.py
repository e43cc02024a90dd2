"""One schedule in a ``SynchronousSchedule``: of this library, or stepped by its own methods."""

from __future__ import annotations

import copy
import numbers
from collections.abc import Mapping, Sequence
from typing import Any

from torch.optim.lr_scheduler import ReduceLROnPlateau, SequentialLR

from ..targets.checks import check_values_fit, present_numbers
from ..schedules.derived import DerivedSchedule
from ..targets.numbers_ import real_number
from ..schedules.records import Policy
from ..proxies.proxy import ProxyOptimizer, behind_proxy
from ..schedules.states import check_fits
from ..targets.target import Target, groups_of
from ..schedules.base import Prepared, TargetSchedule
from ..targets.tensors import as_held
from ..torch_.schedulers import (
    VERSION_DEPENDENT_KEYS,
    StepArguments,
    is_torchs_own,
    metrics_must_be_numbers,
    parts_of,
    position_of,
    progress_under_new_settings,
    same_setting,
    setting_to_load,
    settings_of,
)
from ..targets.undo import Undo, undo_of
from ..warnings_ import warn_user

_LR = Target.parse("lr")


def member_of(schedule: Any) -> Member:
    """Return the member that stands for ``schedule``.

    A subclass of ours that overrides how it steps or saves is used by its own methods.
    """
    own_methods = ("step", "state_dict", "load_state_dict")
    is_ours = isinstance(schedule, TargetSchedule) and all(
        getattr(getattr(schedule, name), "__func__", None) is getattr(TargetSchedule, name)
        for name in own_methods
    )
    return OwnMember(schedule) if is_ours else Member(schedule)


class Member:
    """A schedule that computes and writes in one: torch's own, or that of another author."""

    is_own = False
    source: Member | None = None
    """The member that drives ``source_target``, if one does."""

    def __init__(self, schedule: Any) -> None:
        self.schedule = schedule
        self.optimizer, target = behind_proxy(schedule.optimizer, _LR)
        if isinstance(schedule, TargetSchedule):
            target = Target.parse(schedule.schedule_target)
        groups_of(self.optimizer)
        self.target: Target = target
        self.name = target.name
        self.arguments = StepArguments(schedule)
        self.parts = [member_of(part) for part in parts_of(schedule)]
        # The target from which a derived schedule computes.
        is_derived = isinstance(schedule, DerivedSchedule)
        self.source_target: Target | None = schedule.source_target if is_derived else None

    @property
    def what(self) -> str:
        return f"the schedule of {self.name!r} ({type(self.schedule).__name__})"

    def sources(self) -> list[Member]:
        """Return the member that drives the source, the source of that, and so on."""
        return [self.source, *self.source.sources()] if self.source else []

    def introduce(self, name: str) -> None:
        """Tell the schedule its name here."""
        self.name = name
        for part in self.parts:
            part.introduce(name)
        if isinstance(self.schedule, TargetSchedule):
            self.schedule.label = name

    # -- stepping --------------------------------------------------------------------------------

    @property
    def position(self) -> Any:
        """The step at which the schedule stands, or None if it does not count."""
        return position_of(self.schedule)

    def check_arguments(self, given: Mapping[str, Any]) -> None:
        """Raise unless the schedule's ``step`` can be called with what is given."""
        arguments = self.arguments
        missing = sorted(arguments.required - given.keys())
        if "metrics" in missing:
            raise TypeError(f"step: {self.what} takes metrics: call step(metrics)")
        if missing:
            raise TypeError(f"step: {self.what} demands {missing}: pass them by name")
        if "epoch" in given and not arguments.take("epoch"):
            raise TypeError(f"step: {self.what} cannot go to epoch {given['epoch']!r}: call step()")
        if metrics_must_be_numbers(self.schedule):
            try:
                float(given["metrics"])
            except (TypeError, ValueError, OverflowError, RuntimeError) as error:
                raise TypeError(
                    f"metrics: expected a number, got {given['metrics']!r}: {error}"
                ) from None

    def check_groups(self, given: Mapping[str, Any]) -> None:
        """Raise if the groups changed in a way that the next step cannot follow."""
        if isinstance(self.schedule.optimizer, ProxyOptimizer):
            self.schedule.optimizer.check_groups()
        bases = is_torchs_own(self.schedule) and getattr(self.schedule, "base_lrs", None)
        if "epoch" in given and bases and len(bases) != len(self.optimizer.param_groups):
            raise RuntimeError(
                f"step: {self.what} cannot go to epoch {given['epoch']!r}, because groups have "
                f"joined or left. torch computes a given epoch for the {len(bases)} groups of the "
                "beginning; call step()"
            )

    def step(self, given: Mapping[str, Any]) -> None:
        """Step the schedule with those of the given arguments that it takes."""
        arguments = self.arguments
        if not given:
            self.schedule.step()
        elif arguments.any_position and not arguments.any_keyword:
            self.schedule.step(*given.values())
        else:
            self.schedule.step(**{key: given[key] for key in given if arguments.take(key)})

    # -- values to come --------------------------------------------------------------------------

    @property
    def boundaries(self) -> tuple[float, ...]:
        """The steps at which one curve hands over to the next, if the curve knows them."""
        curve = getattr(self.schedule, "curve", None)
        found = getattr(curve, "boundaries", ())  # somebody's callable may have others
        if not isinstance(found, tuple) or not all(isinstance(b, numbers.Real) for b in found):
            return ()
        origin = self.schedule.plan().get("origin", 0) if self.is_own else 0  # since replan
        return tuple(boundary + origin for boundary in found)

    # -- state -----------------------------------------------------------------------------------

    def save(self) -> dict[str, Any]:
        """Return the state; torch's ``_last_lr`` is what the groups hold now."""
        # torch has the values that it wrote last, and somebody may have set others since. In torch
        # < 2.9 they are the very tensors that the groups hold. A plateau has none in torch < 2.3.
        state: dict[str, Any] = self.schedule.state_dict()
        if "_last_lr" in state or isinstance(self.schedule, ReduceLROnPlateau):
            held = present_numbers(self.target, self.optimizer.param_groups)
            state = {**state, "_last_lr": held}
        if self.parts:
            state = {**state, "_schedulers": [part.save() for part in self.parts]}
        return state

    def check(self, state: Any, plan: Policy, may_wait: bool = False) -> None:
        """Raise unless ``state`` can be loaded; nothing is touched.

        ``may_wait``: the schedule is part of a compound and may stand before its first step.
        """
        what = f"state of {self.what}"
        own = self.schedule.state_dict()
        checked, settings = {"last_epoch", "_step_count", "_last_lr"}, {"_last_lr"}
        optional = VERSION_DEPENDENT_KEYS
        if is_torchs_own(self.schedule):
            # Of other private entries, and of those of a newer torch, only torch knows.
            known = {key for key in own.keys() - optional if not key.startswith("_")}
            checked = known | {"_step_count", "_last_lr"}
            settings = {*settings_of(self.schedule), "base_lrs", "_last_lr"}
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
            warn_user(f"{self.what} was saved under {saved} and goes on under {own}")
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
        """Return each setting of a torch scheduler with its value in the code and in ``state``."""
        if not is_torchs_own(self.schedule):  # only its author knows what is a setting
            return []
        own, settings = self.schedule.state_dict(), settings_of(self.schedule)
        return [(key, own[key], state[key]) for key in own if key in settings and key in state]

    def changed_settings(self, state: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
        return {
            key: (own, saved)
            for key, own, saved in self.settings(state)
            if not same_setting(key, own, saved)
        }

    def undo(self) -> Undo:
        """Return what puts the schedule back; the groups are put back elsewhere."""
        undos = [undo_of(self.schedule), *(part.undo() for part in self.parts)]

        def undo() -> None:
            for each in undos:
                each()

        return undo


class OwnMember(Member):
    """A schedule of this library: it computes first and writes later."""

    is_own = True

    def prepare(self, given: Mapping[str, Any], upcoming: Mapping[Member, Prepared]) -> Prepared:
        source = self.source
        values = None
        if isinstance(source, OwnMember):
            values = source.schedule.values_of(upcoming[source])
            values = as_held(source.target, source.optimizer.param_groups, values)
        prepared: Prepared = self.schedule.prepare(given.get("epoch"), values)
        return prepared

    def save(self) -> dict[str, Any]:
        state: dict[str, Any] = self.schedule.state_dict()
        return state

    def check(self, state: Any, plan: Policy, may_wait: bool = False) -> None:
        self.schedule.check_state(state, plan)

    def load(self, state: Mapping[str, Any], plan: Policy = "code") -> None:
        self.schedule.restore(state, plan)

    def apply_policy(self, state: dict[str, Any], plan: Policy) -> None:
        state.clear()  # torch's compound loads the present state, load_own_parts the saved one
        state.update(self.save())

    def load_own_parts(self, state: Mapping[str, Any], plan: Policy) -> None:
        self.load(state, plan)


def named_arguments(
    members: Sequence[Member], args: Sequence[Any], kwargs: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the arguments by name, without those that are None; raise if no member takes one.

    By position, metrics come first if a member takes them, then the epoch.
    """
    takers = [member.name for member in members if member.arguments.take("metrics")]
    names = ("metrics", "epoch") if takers else ("epoch",)
    usage = "call step() or step(epoch)" + (
        f", with the metrics of {takers} before it" if takers else ": none takes metrics"
    )
    if len(args) > len(names):
        raise TypeError(f"step: too many positional arguments; {usage}")
    given = dict(zip(names, args))
    for name, value in kwargs.items():
        if name in given:
            raise TypeError(f"step: got multiple values for argument {name!r}; {usage}")
        if name not in names and not any(member.arguments.take(name) for member in members):
            raise TypeError(f"step: got an unexpected keyword argument {name!r}; {usage}")
        given[name] = value
    return {name: value for name, value in given.items() if value is not None}


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
