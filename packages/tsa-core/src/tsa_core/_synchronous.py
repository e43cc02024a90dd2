"""Many schedules, stepped in lock-step and looked up by name."""

from __future__ import annotations

import copy
import difflib
from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Any

from torch.optim.lr_scheduler import LRScheduler

from ._checks import check_present, present_values
from ._member import Member, member_of
from ._numbers import step_number
from ._target import Target, Value, defaults_of, groups_of
from ._torch import cycles_momentum, is_schedule
from ._undo import undone_on_error

_LR = Target.parse("lr")


class SynchronousSchedule(LRScheduler):
    """A schedule of many schedules of one optimizer: it steps them together, and answers by name.

    A member's name is its target (``"weight_decay"``), and ``"lr"`` for a plain torch scheduler on
    the optimizer itself. A ``SynchronousSchedule`` among the members contributes its members.

    Args:
        schedules: the members: at least one, all of one optimizer, each target once.

    Raises:
        TypeError: ``schedules`` is not iterable, or one of them is not a scheduler.
        ValueError: there are no members, or they are not all of one optimizer.
        ValueError: a compound scheduler has a schedule of a different target in it.
        RuntimeError: two members have the same target.
        RuntimeError: a member drives the momentum that another member, of the learning rate,
            cycles (``OneCycleLR``, ``CyclicLR``).

    Example:
        >>> import torch
        >>> from tsa_core import CurveSchedule
        >>> optimizer = torch.optim.AdamW([torch.nn.Parameter(torch.ones(2))], lr=0.1)
        >>> sync = SynchronousSchedule([
        ...     CurveSchedule(optimizer, lambda t: 0.5**t),
        ...     CurveSchedule(optimizer, lambda t: 1.0 + t, "weight_decay"),
        ... ])
        >>> optimizer.step()
        >>> sync.step()
        >>> sync.get_last_schedules()
        {'lr': [0.05], 'weight_decay': [0.02]}
    """

    optimizer: Any
    """The optimizer of all members."""

    # The base constructor never runs: it would patch the optimizer and step.
    def __init__(self, schedules: Iterable[Any]) -> None:
        members = [member_of(schedule) for schedule in _flattened(schedules)]
        if not members:
            raise ValueError("schedules: expected at least one schedule, got an empty list")
        self._members = {member.name: member for member in members}
        _check_go_together(members, self._members)
        self.optimizer = members[0].optimizer
        self._moving = [member for member in members if member.moves]
        self._committing = [member for member in members if not member.moves]
        self._takes_metrics = any(member.arguments.take("metrics") for member in members)
        self._step_count = 1
        self._note_positions()

    @property
    def schedules(self) -> Mapping[str, Any]:
        """The members by name, in the order in which they were given; read-only."""
        return MappingProxyType({name: member.schedule for name, member in self._members.items()})

    @property
    def members(self) -> list[Member]:
        """What stands for each schedule here: how it is stepped, saved and loaded."""
        return list(self._members.values())

    @property
    def schedule_names(self) -> list[str]:
        """The members' names, in order."""
        return list(self._members)

    # -- stepping --------------------------------------------------------------------------------

    def step(self, *args: Any, **kwargs: Any) -> None:
        """Step every member once.

        Call ``step()``, or ``step(epoch)`` to go to that step. If a member takes metrics
        (``ReduceLROnPlateau``), call ``step(metrics)`` or ``step(metrics, epoch)``. Any argument
        can be passed by its name, and reaches the members whose ``step`` takes that name. A
        member that takes ``*args`` or ``**kwargs`` gets all of them.

        Raises:
            TypeError: a member demands metrics and there are none, or metrics are given and no
                member takes them.
            TypeError: an epoch is given and a member does not take one; the argument is unknown.
            TypeError: the epoch, or the metrics of a ``ReduceLROnPlateau``, is not a real number.
            ValueError: the epoch is negative, NaN or infinite.
            RuntimeError: a member was stepped from outside since the last step.
            Exception: whatever a member's own step raises. Then no :class:`CurveSchedule` has
                moved (one with a ``step`` of its own counts as a torch scheduler here), and no
                torch scheduler after the one that raised. Those before it have moved, and the one
                that raised may have. The next step raises ``RuntimeError``.
        """
        # Most steps have no arguments, and to look at none takes longer than to step a member.
        given = self._named(args, kwargs) if args or kwargs else {}
        if given or self._takes_metrics:
            for member in self._members.values():
                member.check_arguments(given)
        if "epoch" in given:
            given["epoch"] = step_number(given["epoch"])
        self._check_positions()
        # Everything that can fail first: λ is computed, then torch's schedulers step, which may
        # raise, and only then curves are written, which cannot raise any more.
        for member in self._moving:
            member.prepare(given)
        for member in self._committing:
            member.prepare(given)
        for member in self._moving:
            member.move(given)
        for member in self._committing:
            member.commit()
        self._step_count += 1
        self._note_positions()

    def _named(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
        """Return the arguments by name, without those that are None."""
        names = ("metrics", "epoch") if self._takes_metrics else ("epoch",)
        takers = [name for name, each in self._members.items() if each.arguments.take("metrics")]
        usage = "call step() or step(epoch)" + (
            f", with the metrics of {takers} before it" if takers else ": none takes metrics"
        )
        if len(args) > len(names):
            raise TypeError(f"step: too many positional arguments; {usage}")
        given = dict(zip(names, args))
        for name, value in kwargs.items():
            if name in given:
                raise TypeError(f"step: got multiple values for argument {name!r}; {usage}")
            members = self._members.values()
            if name not in names and not any(each.arguments.take(name) for each in members):
                raise TypeError(f"step: got an unexpected keyword argument {name!r}; {usage}")
            given[name] = value
        return {name: value for name, value in given.items() if value is not None}

    def _check_positions(self) -> None:
        for name, member in self._members.items():
            if member.position != self._positions[name]:
                raise RuntimeError(
                    f"the schedule of {name!r} stands at step {member.position}, and was left at "
                    f"step {self._positions[name]} here: something else stepped or loaded it, or "
                    "an earlier step failed after it. Step and load only the SynchronousSchedule, "
                    "or build it again from where its members stand"
                )

    def _note_positions(self) -> None:
        self._positions = {name: member.position for name, member in self._members.items()}

    # -- values by name --------------------------------------------------------------------------

    def get_last_schedule(self, name: str) -> list[Value]:
        """Return the present values of a member's target, one per param group.

        Args:
            name: a member's name, such as ``"weight_decay"``.

        Raises:
            KeyError: no member has that name.
        """
        if name not in self._members:
            close = difflib.get_close_matches(str(name), self._members, n=1)
            hint = f"; did you mean {close[0]!r}?" if close else ""
            raise KeyError(f"no schedule of {name!r} here, only of {self.schedule_names}{hint}")
        member = self._members[name]
        return present_values(member.target, groups_of(member.optimizer))

    def get_last_schedules(self) -> dict[str, list[Value]]:
        """Return the present values of every member's target: by name, one per param group."""
        return {name: self.get_last_schedule(name) for name in self._members}

    def get_last_lr(self) -> list[Value]:
        """Return the optimizer's present learning rates, one per param group, scheduled or not.

        Raises:
            KeyError: the optimizer has no ``lr``.
        """
        return present_values(_LR, groups_of(self.optimizer))

    def get_lr(self) -> list[Value]:
        """Return the same as :meth:`get_last_lr`."""
        return self.get_last_lr()

    # -- what else frameworks read on a scheduler ------------------------------------------------

    @property
    def last_epoch(self) -> int:  # type: ignore[override]
        """The step at which the first member stands."""
        position: int = next(iter(self._positions.values()))
        return position

    @property
    def base_lrs(self) -> list[Value]:  # type: ignore[override]
        """The initial learning rates, one per param group.

        Raises:
            KeyError: the optimizer has no ``lr``.
        """
        groups = groups_of(self.optimizer)
        check_present(_LR, groups)
        return [_LR.initial_or_present(group) for group in groups]

    @property
    def _last_lr(self) -> list[Value]:  # type: ignore[override]
        return self.get_last_lr()

    # -- state -----------------------------------------------------------------------------------

    def state_dict(self) -> dict[str, Any]:
        """Return ``{name: state of that member}``."""
        return {name: member.save() for name, member in self._members.items()}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Load every member's state, and write the values into the optimizer at once.

        Also takes the state of a ``SynchronousSchedule`` of torch-schedule-anything 1.x.

        Args:
            state_dict: the dict that :meth:`state_dict` returned, of members with the same names.

        Raises:
            KeyError: a member's state is missing, or there is one that no member has.
            TypeError, ValueError: a member's state does not fit. Nothing has moved.

        Warns:
            UserWarning: a member was saved under another plan. The plan in the code goes on. A
                scheduler that is neither torch's nor ours takes over the saved plan without a
                warning: only its author knows which part of its state that is.
        """
        if not isinstance(state_dict, Mapping):
            raise TypeError(f"state_dict: expected a dict, got {type(state_dict).__name__}")
        missing = [name for name in self._members if name not in state_dict]
        unknown = [name for name in state_dict if name not in self._members]
        if missing or unknown:
            raise KeyError(
                f"state_dict: expected the states of {self.schedule_names}; missing {missing}, "
                f"unknown {unknown}"
            )
        members = self._members.values()
        for name, member in self._members.items():
            member.check(state_dict[name])
        before = copy.deepcopy(self.state_dict())
        with undone_on_error(self.optimizer, [member.target for member in members]):
            try:
                self._load(state_dict)
            except BaseException:  # a foreign load that fails, or a warning made an error
                self._load(before)
                for member in members:
                    member.look_anew()  # at the groups that are put back
                raise
        self._note_positions()

    def _load(self, states: Mapping[str, Any]) -> None:
        for name, member in self._members.items():
            member.load(states[name])

    def __repr__(self) -> str:
        groups = self.optimizer.param_groups
        present = {name: m.target.read_or_none(groups) for name, m in self._members.items()}
        return (
            f"<{type(self).__name__} on {type(self.optimizer).__name__}, at step "
            f"{self.last_epoch}: {present}>"
        )


def _flattened(schedules: object) -> Iterator[Any]:
    if not isinstance(schedules, Iterable) or isinstance(schedules, (str, bytes)):
        raise TypeError(
            f"schedules: expected a list of schedules, got {schedules!r} "
            f"({type(schedules).__name__})"
        )
    for i, schedule in enumerate(schedules):
        if isinstance(schedule, SynchronousSchedule):
            yield from schedule.schedules.values()
        elif is_schedule(schedule):
            yield schedule
        else:
            raise TypeError(
                f"schedules: expected schedules, got {repr(schedule)[:120]} "
                f"({type(schedule).__name__}) at position {i}"
            )


def _check_go_together(members: list[Member], by_name: Mapping[str, Member]) -> None:
    """Raise unless the members are of one optimizer and drive different targets."""
    first = members[0]
    for i, member in enumerate(members):
        _check_parts(member)
        if member.optimizer is not first.optimizer:
            raise ValueError(
                f"schedules: the schedule of {member.name!r} is on a different optimizer than the "
                f"schedule of {first.name!r}; make one SynchronousSchedule for each optimizer"
            )
        if any(member.name == other.name for other in members[:i]):
            raise RuntimeError(
                f"schedules: two of them schedule {member.name!r}; a target takes one. To play "
                "several one after the other, join their curves, or build a SequentialLR inside "
                "one arbitrary_schedule_factory call; to give param groups different ones, make "
                "one CurveSchedule with a curve for each"
            )
    momentum = "betas[0]" if "betas" in defaults_of(first.optimizer) else "momentum"
    if momentum in by_name and "lr" in by_name and cycles_momentum(by_name["lr"].schedule):
        raise RuntimeError(
            f"schedules: the schedule of 'lr', a {type(by_name['lr'].schedule).__name__}, moves "
            f"{momentum!r} too, and may have set the value that the schedule of {momentum!r} took "
            "as its initial value: make the optimizer and both again, with cycle_momentum=False"
        )


def _check_parts(member: Member) -> None:
    """Raise if a compound scheduler has a schedule of a different target in it."""
    for part in member.parts:
        if part.name != member.name:
            raise ValueError(
                f"schedules: a {type(member.schedule).__name__} of {member.name!r} has a schedule "
                f"of {part.name!r} in it. Build all of it on the optimizer that the factory of "
                "one arbitrary_schedule_factory call is given, with "
                f"schedule_target={part.name!r}; or join the curves"
            )
        _check_parts(part)
