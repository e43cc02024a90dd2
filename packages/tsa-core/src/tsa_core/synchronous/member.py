"""One schedule in a ``SynchronousSchedule``: of this library, or stepped by its own methods."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from ..messages import warn_user
from ..schedules.answers import Prepared
from ..schedules.base import TargetSchedule
from ..schedules.derived import DerivedSchedule
from ..schedules.records import curves_of, turns_of
from ..schedules.states import Choice, check_state, load_state
from ..targets.checks import check_values_fit, present_numbers, present_values
from ..targets.numbers_ import real_number
from ..targets.objects import ObjectGroups
from ..targets.stand_ins import StandIn, behind
from ..targets.target import Target, groups_of
from ..targets.tensors import as_held
from ..torch_ import states as torch_states
from ..torch_.schedulers import (
    StepArguments,
    is_torchs_own,
    metrics_must_be_numbers,
    parts_of,
    position_of,
    with_parts,
)

LR = Target.parse("lr")

# Where the state of another author's scheduler has the initial values of attributes.
INITIALS = "_initial_values"


class Chosen(NamedTuple):
    """The choices for a load: which plan and which initial values go on if they differ."""

    plan: Choice
    initial: Choice | None


def member_of(schedule: Any, optimizer_name: str = "") -> Member:
    """Return the member that stands for ``schedule``, whose optimizer may have a name.

    A subclass of ours that overrides how it steps or saves is used by its own methods.
    """

    def inherits(*methods: str) -> bool:
        return isinstance(schedule, TargetSchedule) and all(
            getattr(getattr(schedule, name), "__func__", None) is getattr(TargetSchedule, name)
            for name in methods
        )

    if not inherits("state_dict", "load_state_dict"):
        return Member(schedule, optimizer_name)
    return (OwnMember if inherits("step") else MemberOfOwnState)(schedule, optimizer_name)


class Member:
    """A schedule that computes and writes in one: torch's own, or that of another author."""

    is_own = False
    calls: int = 0
    """How often ``step`` of the schedule was called here."""
    source: Member | None = None
    """The member that drives ``source_target``, if one does."""

    def __init__(self, schedule: Any, optimizer_name: str) -> None:
        self.schedule: Any = schedule
        optimizer, target = behind(schedule.optimizer, LR)
        groups_of(optimizer)
        self.optimizer: Any = optimizer
        self.target: Target = schedule.target if isinstance(schedule, TargetSchedule) else target
        self.optimizer_name: str = optimizer_name
        self.name: str = f"{optimizer_name}/{self.target.name}".removeprefix("/")
        self.arguments: StepArguments = StepArguments(schedule)
        self.parts: list[Member] = [member_of(each, optimizer_name) for each in parts_of(schedule)]
        for part in self.parts:
            if part.target != self.target:
                raise ValueError(
                    f"schedules: a {type(schedule).__name__} of {self.target.name!r} has a "
                    f"schedule of {part.target.name!r} in it. Build all parts inside one call of "
                    f"arbitrary_schedule_factory with schedule_target={part.target.name!r}, on the "
                    "optimizer that your factory is given; or join the curves"
                )
        # The first one recorded the initial values of all.
        ours = [each.schedule for each in self.parts if isinstance(each, MemberOfOwnState)]
        for each in ours[1:]:
            each.from_code = each.from_code or ours[0].from_code
        # The target from which a derived schedule computes.
        is_derived = isinstance(schedule, DerivedSchedule)
        self.source_target: Target | None = schedule.source_target if is_derived else None

    @property
    def what(self) -> str:
        return f"the schedule of {self.name!r} ({type(self.schedule).__name__})"

    def sources(self) -> list[Member]:
        """Return the member that drives the source, the source of that, and so on."""
        return [self.source, *self.source.sources()] if self.source else []

    def tell_name(self) -> None:
        """Have the schedule and its parts use the member's name in their messages."""
        for each in with_parts(self.schedule):
            if isinstance(each, TargetSchedule):
                each.label = self.name

    def driven(self) -> Any:
        """Return the groups that the schedule drives, or None for all of them."""
        is_ours = isinstance(self.schedule, TargetSchedule)
        return self.schedule.driven_groups() if is_ours else None

    def present_values(self) -> list[Any]:
        """Return what each group holds; None in one that is left alone and has no such entry."""
        return present_values(self.target, groups_of(self.optimizer), self.driven())

    def present_numbers(self) -> list[Any]:
        """Return the same as Python numbers."""
        return present_numbers(self.target, groups_of(self.optimizer), self.driven())

    # -- stepping --------------------------------------------------------------------------------

    @property
    def position(self) -> Any:
        """Where the schedule stands; if it does not count, how often it was stepped here."""
        position = position_of(self.schedule)
        return self.calls if position is None else position

    def check_call(self, given: Mapping[str, Any]) -> None:
        """Raise unless ``step`` takes what is given, and can follow what the groups are now."""
        missing = self.arguments.required - given.keys()
        if "metrics" in missing:
            raise TypeError(f"step: {self.what} takes metrics: call step(metrics)")
        if missing:
            raise TypeError(f"step: {self.what} demands {sorted(missing)}: pass them by name")
        if "epoch" in given and not self.arguments.take("epoch"):
            raise TypeError(f"step: {self.what} cannot go to epoch {given['epoch']!r}: call step()")
        if "metrics" in given and metrics_must_be_numbers(self.schedule):
            try:
                float(given["metrics"])
            except (TypeError, ValueError, OverflowError, RuntimeError) as error:
                raise TypeError(
                    f"metrics: expected a number, got {given['metrics']!r}: {error}"
                ) from None
        if isinstance(self.schedule.optimizer, StandIn):
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
        self.calls += 1
        if not given:
            self.schedule.step()
        elif arguments.any_position and not arguments.any_keyword:
            self.schedule.step(*given.values())
        else:
            self.schedule.step(**{key: given[key] for key in given if arguments.take(key)})

    # -- values to come --------------------------------------------------------------------------

    @property
    def boundaries(self) -> tuple[float, ...]:
        """The steps at which the curve turns, if it knows them."""
        origin = self.schedule.follows().get("origin", 0) if self.is_own else 0  # since replan
        turns = {turn for curve in curves_of(self.schedule) for turn in turns_of(curve)}
        return tuple(sorted(turn + origin for turn in turns))

    # -- state -----------------------------------------------------------------------------------

    def save(self) -> dict[str, Any]:
        """Return the state, with the values that the groups hold now."""
        state = torch_states.with_values(self.schedule, self.present_numbers())
        if self.parts:
            state = {**state, "_schedulers": [part.save() for part in self.parts]}
        groups = self.optimizer.param_groups
        if isinstance(groups, ObjectGroups):  # an optimizer saves its groups itself
            initials = [real_number(self.target.initial_or_present(group)) for group in groups]
            state = {**state, INITIALS: initials}
        return state

    def check(self, state: Any, chosen: Chosen, may_wait: bool = False) -> None:
        """Raise unless ``state`` can be loaded; nothing is touched.

        ``may_wait``: the schedule is part of a compound and may stand before its first step.
        """
        what, groups = f"state of {self.what}", self.optimizer.param_groups
        torch_states.check_state(self.schedule, state, what, len(groups), may_wait)
        for values in (state.get("_last_lr", ()), state.get(INITIALS, ())):
            check_values_fit(self.target, groups, values, what)
        if self.parts:
            states = state["_schedulers"]
            if not isinstance(states, (list, tuple)) or len(states) != len(self.parts):
                raise ValueError(
                    f"{what}: expected {len(self.parts)} schedulers' states, got {states!r}"
                )
            for part, its_state in zip(self.parts, states):
                part.check(its_state, chosen, may_wait=True)
        changed = torch_states.changed_settings(self.schedule, state)
        if changed and chosen.plan == "same":
            both = _both(changed, ", and the code has")
            raise ValueError(f"{what}: it was saved under {both}; expected the same")
        initials = self.changed_initials(state)
        if initials and chosen.initial == "same":
            both = "the initial values were {1}, and the code has {0}".format(*initials)
            raise ValueError(f"{what}: {both}; expected the same")
        takes_initials = torch_states.takes_initial_values(self.schedule) and not may_wait
        if initials and chosen.initial == "code" and not takes_initials:
            raise ValueError(
                f"{what}: initial='code' goes with a LambdaLR or a CosineAnnealingWarmRestarts on "
                "its own. The other schedulers in torch compute each value from the one before. "
                "Write initial='saved', or a curve"
            )

    def changed_initials(self, state: Mapping[str, Any]) -> tuple[list[Any], list[Any]] | None:
        """Return the initial values in the code and in ``state``, if both are known and differ."""
        if self.parts:
            pairs = zip(self.parts, state["_schedulers"])
            return next(filter(None, (part.changed_initials(each) for part, each in pairs)), None)
        if not is_torchs_own(self.schedule):
            return None
        own, saved = getattr(self.schedule, "base_lrs", None), state.get("base_lrs")
        is_setting = "base_lrs" in torch_states.changed_settings(self.schedule, state)
        if own is None or saved is None or is_setting:
            return None
        pair = [real_number(each) for each in own], [real_number(each) for each in saved]
        return pair if len(pair[0]) == len(pair[1]) and pair[0] != pair[1] else None

    def load(self, state: Mapping[str, Any], chosen: Chosen) -> None:
        """Load a checked state, and write the values that it reports into the optimizer."""
        initials = self.changed_initials(state)
        if initials and chosen.initial is None:
            takes_code = torch_states.takes_initial_values(self.schedule)
            or_code = ", or initial='code' for those in the code" * takes_code
            warn_user(
                f"{self.what}: the initial values were {initials[1]} when the state was saved, and "
                f"the code has {initials[0]}. The run goes on from the saved ones; write "
                f"load_state_dict(state, initial='saved') if they are meant{or_code}"
            )
        # torch leaves the optimizer as it is, and its recurrences would go on from there.
        self.write(state.get("_last_lr", ()))
        if chosen.initial != "code":
            for group, value in zip(self.optimizer.param_groups, state.get(INITIALS, ())):
                group[self.target.initial_key] = real_number(value)
        self.load_schedule(state, chosen)
        if initials and chosen.initial == "code":
            self.write(torch_states.values_from(self.schedule, initials[0]))

    def write(self, values: Iterable[Any]) -> None:
        for group, value in zip(self.schedule.optimizer.param_groups, values):
            LR.write(group, real_number(value))

    def load_schedule(self, state: Mapping[str, Any], chosen: Chosen) -> None:
        """Load the schedule and its parts; warn if the code's settings replace others."""
        changed = torch_states.changed_settings(self.schedule, state)
        if changed and chosen.plan == "code":
            both = _both(changed, " and goes on under")
            warn_user(
                f"{self.what} was saved under {both}. To go on under the saved plan, write "
                "load_state_dict(state, plan='saved')"
            )
        loaded = torch_states.state_to_load(self.schedule, state, changed, chosen.plan == "saved")
        loaded.pop(INITIALS, None)
        if self.parts:
            loaded["_schedulers"] = []  # torch loads those that it finds here
        self.schedule.load_state_dict(loaded)
        for part, its_state in zip(self.parts, state["_schedulers"] if self.parts else ()):
            part.load_schedule(its_state, chosen)


def _both(changed: Mapping[str, tuple[Any, Any]], between: str) -> str:
    own, saved = ({key: pair[i] for key, pair in changed.items()} for i in (0, 1))
    return f"{saved}{between} {own}"


class MemberOfOwnState(Member):
    """A schedule of this library that overrides ``step``: its state is as those of all ours."""

    schedule: TargetSchedule

    def save(self) -> dict[str, Any]:
        return self.schedule.state_dict()

    def check(self, state: Any, chosen: Chosen, may_wait: bool = False) -> None:
        check_state(self.schedule, self.save(), state, chosen.plan, chosen.initial)

    def load(self, state: Mapping[str, Any], chosen: Chosen) -> None:
        load_state(self.schedule, state, chosen.plan, chosen.initial)

    load_schedule = load


class OwnMember(MemberOfOwnState):
    """A schedule of this library: it computes first and writes later."""

    is_own = True

    def prepare(self, epoch: float | None, upcoming: Mapping[Member, Prepared]) -> Prepared:
        """Compute the next values, from those that the source has or is about to have."""
        source, values = self.source, None
        if source in upcoming and isinstance(source, OwnMember):
            values = source.upcoming_values(upcoming[source])
        return self.schedule.prepare(epoch, values)

    def upcoming_values(self, prepared: Prepared) -> list[float]:
        """Return the values that the groups will hold; a tensor rounds them."""
        values = self.schedule.values_of(prepared)
        _, groups, (_, _, over_floats, _) = prepared
        if over_floats:
            return values
        held = self.target.read_or_none(groups)
        return [as_held([value], each)[0] for value, each in zip(values, held)]
