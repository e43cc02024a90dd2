"""Where the members of a SynchronousSchedule stand, and where a step takes them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import BuiltinMethodType, MethodType, MethodWrapperType
from typing import Any, TypeAlias

from ..targets.checks import did_you_mean
from ..targets.numbers_ import step_number
from .member import Member, OwnMember
from .membership import check_can_be_sent

Clock: TypeAlias = Callable[[], float]
"""A function without arguments that returns a position."""


# What a clock is called in messages, ``"clock"`` or ``"clock['lr']"``, and who goes by it.
Ticks: TypeAlias = tuple[str, Clock, list[Member]]


class Positions:
    """Where each member stands, and by which clock it goes."""

    clock: Clock | dict[str, Clock] | None
    """The clock of all members, or those of some of them by name."""
    without_clock: list[Member]
    """The members that go one step per call."""
    left_at: dict[str, Any]
    """By name: where the member stood after the last step."""

    def __init__(self, members: Mapping[str, Member], clock: object) -> None:
        self._members = members
        if clock is None:
            self.clock, self._ticks = None, []
        elif isinstance(clock, Mapping):
            self.clock, self._ticks = dict(clock) or None, _by_name(members, clock)
        else:
            self.clock = _checked("clock", clock)
            check_can_be_sent(members.values(), "clock", "leave out the clock and call step()")
            self._ticks = [("clock", self.clock, [*members.values()])]
        clocked = [member for *_, some in self._ticks for member in some]
        self.without_clock = [each for each in members.values() if each not in clocked]
        self._own = [each for each in self.without_clock if isinstance(each, OwnMember)]
        self.note()

    def note(self) -> None:
        """Note where each member stands: the next step starts there."""
        self.left_at = {
            # Of ours, the position is read here: the property takes longer.
            name: member.schedule.last_epoch if member.is_own else member.position
            for name, member in self._members.items()
        }

    def check(self) -> None:
        """Raise if a member is not where the last step left it."""
        left_at = self.left_at
        for name, member in self._members.items():
            position = member.schedule.last_epoch if member.is_own else member.position
            if position != left_at[name]:
                raise RuntimeError(
                    f"the schedule of {name!r} stands at step {position}, and was left at step "
                    f"{left_at[name]} here. It was stepped or loaded alone, or an earlier step "
                    "failed. Step and load only the SynchronousSchedule, or build it again from "
                    "where its members stand"
                )

    def sent_to(self, epoch: float | None) -> dict[Member, float | None]:
        """Return where the next step sends each member of this library; None is one step further.

        ``epoch`` is for the members without a clock. A member whose clock stands still is left out.
        Each clock is asked once.
        """
        goes_to: dict[Member, float | None] = dict.fromkeys(self._own, epoch)
        for label, clock, members in self._ticks:
            position = step_number(clock(), label)
            moves = False  # a loop, because lists of positions take longer
            for member in members:
                left_at = self.left_at[member.name]
                if position < left_at:
                    raise RuntimeError(self._went_back(position, label, members))
                moves = moves or position > left_at
            if moves:
                goes_to.update(dict.fromkeys(members, position))
        return goes_to

    def _went_back(self, position: float, label: str, members: list[Member]) -> str:
        names = f" of {[member.name for member in members]}" if label != "clock" else ""
        furthest = max(self.left_at[member.name] for member in members)
        return (
            f"step: the clock says {position}, and the schedules{names} stand at {furthest}. A "
            "clock cannot go back: restore what it counts together with the schedules, or build "
            "the schedules again"
        )


def _by_name(members: Mapping[str, Member], clocks: Mapping[Any, Any]) -> list[Ticks]:
    """Return each distinct clock of ``clocks``, with the members that it is for."""
    every: list[Ticks] = []
    for name, given in clocks.items():
        label = f"clock[{name!r}]"
        if name not in members:
            hint = did_you_mean(name, members)
            raise KeyError(f"{label}: there is no such member, only {[*members]}{hint}")
        clock, member = _checked(label, given), members[name]
        check_can_be_sent([member], label, "leave out its clock")
        if member.source_target is not None:
            where = f"give the clock to {member.source.name!r}" if member.source else "leave it out"
            raise TypeError(
                f"{label}: {name!r} is computed from {member.source_target.name!r}, and moves "
                f"with that target; {where}"
            )
        # What derives from a member goes with it.
        going = [each for each in members.values() if each is member or member in each.sources()]
        together = next((some for _, other, some in every if _are_one(other, clock)), None)
        if together is None:
            every.append((label, clock, going))
        else:
            together += going
    return every


def _checked(label: str, clock: Any) -> Clock:
    if not callable(clock) or isinstance(clock, type):
        hint = f"; write {clock.__name__}(…)" if isinstance(clock, type) else ""
        hint = "; leave out a member that goes one step per call" if clock is None else hint
        raise TypeError(f"{label}: expected a function without arguments, got {clock!r}{hint}")
    return clock  # type: ignore[no-any-return]  # only a call tells what it returns


def _are_one(clock: Clock, other: Clock) -> bool:
    """True if both are the same function, or the same method of the same object."""
    # Each time it is read, a bound method is a new object. Other objects may be equal for now.
    is_method = isinstance(clock, (MethodType, BuiltinMethodType, MethodWrapperType))
    return clock is other or (is_method and clock == other)
