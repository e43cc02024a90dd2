"""Many schedules, stepped in lock-step and looked up by name."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from types import MappingProxyType
from typing import Any

from torch.optim.lr_scheduler import LRScheduler

from ._arguments import named_arguments
from ._checks import check_present, present_numbers, present_values
from ._member import Member
from ._membership import check_clock, is_late, members_of, order_of_commits
from ._numbers import step_number, step_of_user
from ._plans import Policy, checked_policy
from ._target import Target, Value, groups_of
from ._torch import uncompiled
from ._undo import undone_on_error

_LR = Target.parse("lr")


class SynchronousSchedule(LRScheduler):
    """A schedule of many schedules: it steps them together, and answers by name.

    A member's name is its target (``"weight_decay"``), and ``"lr"`` for a plain torch scheduler on
    the optimizer itself. With several optimizers, the name of the optimizer stands before it
    (``"muon/lr"``). A ``SynchronousSchedule`` among the members contributes its members.

    Args:
        schedules: the members: a list of at least one schedule, all of one optimizer, each target
            once. For several optimizers, a mapping from a name of yours to such a list.
        clock: a function without arguments that returns the position, a real number ≥ 0: tokens
            seen, ``lambda: trainer.global_step``, an :class:`OptimizerSteps`. ``step()`` then goes
            to that position, and stays if it is the same as before. Only schedules of this
            library can be members.

    Raises:
        TypeError: ``schedules`` is not iterable, or one of them is not a scheduler.
        TypeError: ``clock`` is not a callable, or a member cannot be sent to a position.
        ValueError: there are no members, or a list has schedules of several optimizers.
        ValueError: a compound scheduler has a schedule of a different target in it.
        ValueError: derived schedules derive from one another in a circle.
        RuntimeError: two members have the same target of the same optimizer.
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

    # The base constructor never runs: it would patch the optimizer and step.
    def __init__(
        self,
        schedules: Iterable[Any] | Mapping[str, Iterable[Any]],
        *,
        clock: Callable[[], float] | None = None,
    ) -> None:
        members = members_of(schedules)
        if clock is not None:
            check_clock(clock, members)
        self._set_up(members, isinstance(schedules, Mapping), clock)
        for member in self._committing:
            member.derive_now()  # its source may have been built later

    def _set_up(
        self,
        members: list[Member],
        has_several_optimizers: bool,
        clock: Callable[[], float] | None,
    ) -> None:
        self._clock = clock
        self._has_several_optimizers = has_several_optimizers
        self._members = {member.name: member for member in members}
        self._moving = [member for member in members if member.moves]
        self._committing = order_of_commits(members)
        self._late = [member for member in self._committing if is_late(member, members)]
        self._early = [member for member in self._committing if member not in self._late]
        self._demands = any(member.arguments.required for member in members)
        self._step_count = 1
        self._note_positions()

    @property
    def clock(self) -> Callable[[], float] | None:
        """The clock, or None."""
        return self._clock

    @property
    def optimizer(self) -> Any:  # type: ignore[override]  # from the members, so read-only
        """The optimizer of all members."""
        if self._has_several_optimizers:
            raise AttributeError(
                "optimizer: this SynchronousSchedule has several, "
                f"{list(self.optimizers)}; use .optimizers['{next(iter(self.optimizers))}']"
            )
        return next(iter(self._members.values())).optimizer

    @property
    def optimizers(self) -> Mapping[str, Any]:
        """The optimizers by the names that you gave them; read-only."""
        if not self._has_several_optimizers:
            raise AttributeError("optimizers: there is one, without a name; use .optimizer")
        return MappingProxyType({m.name.partition("/")[0]: m.optimizer for m in self.members})

    @property
    def schedules(self) -> Mapping[str, Any]:
        """The members by name, in the order in which they were given; read-only."""
        return MappingProxyType({name: member.schedule for name, member in self._members.items()})

    @property
    def members(self) -> list[Member]:
        """The objects that step, save and load the schedules here, in their order."""
        return list(self._members.values())

    @property
    def schedule_names(self) -> list[str]:
        """The members' names, in order."""
        return list(self._members)

    def with_schedules(self, schedules: Mapping[str, Any]) -> SynchronousSchedule:
        """Return a ``SynchronousSchedule`` of copies, under the same names and without clock."""
        by_optimizer: dict[str, list[Any]] = {}
        for name, schedule in schedules.items():
            by_optimizer.setdefault(name.partition("/")[0], []).append(schedule)
        several = self._has_several_optimizers
        members = members_of(by_optimizer if several else schedules.values())
        copy = SynchronousSchedule.__new__(SynchronousSchedule)
        copy._set_up(members, several, None)  # noqa: SLF001  # of this class
        return copy

    @uncompiled
    def step(self, *args: Any, **kwargs: Any) -> None:
        """Step every member once.

        Call ``step()``, or ``step(epoch)`` to go to that step. If a member takes metrics
        (``ReduceLROnPlateau``), call ``step(metrics)`` or ``step(metrics, epoch)``. An argument
        passed by name reaches the members whose ``step`` takes that name. A member that takes
        ``*args`` or ``**kwargs`` gets all. With a ``clock``, call ``step()``.

        Raises:
            TypeError: a member demands metrics and gets none, or no member takes the metrics.
            TypeError: an epoch is given and a member does not take one; the argument is unknown.
            TypeError: the epoch, or the metrics of a ``ReduceLROnPlateau``, is not a real number.
            ValueError: the epoch is negative, NaN or infinite.
            RuntimeError: a member was stepped from outside since the last step.
            RuntimeError: the clock went back.
            Exception: whatever a member's own step raises. Then no schedule of this library has
                moved (one with a ``step`` of its own counts as a torch scheduler here). Torch
                schedulers before the one that raised have moved, and that one may have. The next
                step raises ``RuntimeError``.
        """
        # Most steps have no arguments, and to look at none takes longer than to step a member.
        given = named_arguments(self.members, args, kwargs) if args or kwargs else {}
        if given or self._demands:
            for member in self._members.values():
                member.check_arguments(given)
        if "epoch" in given:
            given["epoch"] = step_of_user(given["epoch"])
        self._check_positions()
        if self._clock is not None:
            given = {"epoch": self._position_of_clock(given)}
            if {*self._positions.values()} == {given["epoch"]}:
                return
        # Everything that can fail comes first. Our values are computed, then torch's schedulers
        # step and may raise. Only then our values are written, which cannot raise.
        for member in self._moving:
            member.prepare(given)
        for member in self._early:
            member.prepare(given)
        if self._late:
            self._move_and_derive(given)
        else:
            for member in self._moving:
                member.move(given)
        for member in self._committing:
            member.commit()
        self._step_count += 1
        self._note_positions()

    def _move_and_derive(self, given: Mapping[str, Any]) -> None:
        """Step torch's schedulers, then compute what is derived from them; both or neither."""
        with self._put_back_on_error(self._moving):
            for member in self._late:
                member.take_in_groups()
            for member in self._moving:
                member.move(given)
            for member in self._late:
                member.prepare(given)

    @contextmanager
    def _put_back_on_error(self, members: Iterable[Member]) -> Iterator[None]:
        """If the body raises, put back these members, and the param groups."""
        before = [(member, member.remember()) for member in members]
        with ExitStack() as stack:
            for optimizer, targets in self._targets_by_optimizer():
                stack.enter_context(undone_on_error(optimizer, targets))
            try:
                yield
            except BaseException:
                for member, memory in before:
                    member.put_back(memory)
                raise

    def _targets_by_optimizer(self) -> list[tuple[Any, list[Target]]]:
        by_id: dict[int, tuple[Any, list[Target]]] = {}
        for member in self._members.values():
            by_id.setdefault(id(member.optimizer), (member.optimizer, []))[1].append(member.target)
        return [*by_id.values()]

    def _position_of_clock(self, given: Mapping[str, Any]) -> float:
        if given:
            raise TypeError(f"step: the clock says the position; call step() without {list(given)}")
        position = step_number(self._clock() if self._clock else 0, "clock")
        furthest = max(self._positions.values())
        if position < furthest:
            raise RuntimeError(
                f"step: the clock says {position}, and the schedules stand at {furthest}. "
                "A clock cannot go back: restore what it counts together with the schedules, or "
                "build the schedules again"
            )
        return position

    def _check_positions(self) -> None:
        for name, member in self._members.items():
            if member.position != self._positions[name]:
                raise RuntimeError(
                    f"the schedule of {name!r} stands at step {member.position}, and was left at "
                    f"step {self._positions[name]} here. It was stepped or loaded alone, or an "
                    "earlier step failed. Step and load only the SynchronousSchedule, or build it "
                    "again from where its members stand"
                )

    def _note_positions(self) -> None:
        self._positions = {name: member.position for name, member in self._members.items()}

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
        """Return the present learning rates, one per param group, scheduled or not.

        With several optimizers, the groups of all of them follow in order.

        Raises:
            KeyError: the optimizer has no ``lr``.
        """
        groups = [groups_of(optimizer) for optimizer, _ in self._targets_by_optimizer()]
        if not all(_LR.is_in(group) for some in groups for group in some):
            raise KeyError(
                "a param group has no 'lr'. For the values of a schedule, call "
                f"get_last_schedule(name) with one of {self.schedule_names}"
            )
        return [lr for some in groups for lr in present_values(_LR, some)]

    def get_last_scalars(self) -> dict[str, float]:
        """Return all present values in one flat dict of floats, for a logger.

        The keys are ``"lr/0"``, ``"lr/1"``, … by the group's position, or ``"lr/backbone"`` if
        every group has a ``"name"`` of its own. With several optimizers: ``"muon/lr/0"``.
        """
        scalars: dict[str, float] = {}
        for name, member in self._members.items():
            groups = groups_of(member.optimizer)
            names = [group.get("name") for group in groups]
            named = all(isinstance(each, str) for each in names) and len({*names}) == len(names)
            for i, value in enumerate(present_numbers(member.target, groups)):
                scalars[f"{name}/{names[i] if named else i}"] = float(value)
        return scalars

    def get_lr(self) -> list[Value]:
        """Return the same as :meth:`get_last_lr`."""
        return self.get_last_lr()

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
        rates: list[Value] = []
        for optimizer, _ in self._targets_by_optimizer():
            check_present(_LR, groups_of(optimizer))
            rates += [_LR.initial_or_present(group) for group in groups_of(optimizer)]
        return rates

    @property
    def _last_lr(self) -> list[Value]:
        return self.get_last_lr()

    @_last_lr.setter
    def _last_lr(self, values: object) -> None:
        """Ignore the assignment, as :class:`CurveSchedule` does."""

    def state_dict(self) -> dict[str, Any]:
        """Return ``{name: state of that member}``."""
        return {name: member.save() for name, member in self._members.items()}

    def load_state_dict(self, state_dict: Mapping[str, Any], *, plan: Policy = "code") -> None:
        """Load every member's state, and write the values into the optimizer at once.

        Also takes the state of a ``SynchronousSchedule`` of torch-schedule-anything 1.x.

        Args:
            state_dict: the dict that :meth:`state_dict` returned, of members with the same names.
            plan: the plan that each member follows afterwards, if the saved one differs.
                ``"code"``: the one in the code, with a warning. ``"saved"``: the saved one.
                ``"same"``: it must not differ. The plan of a torch scheduler is its settings. A
                scheduler of another author takes its whole state, because only its author knows
                which part is the plan.

        Raises:
            KeyError: a member's state is missing, or there is one that no member has.
            TypeError, ValueError: a member's state does not fit.
            ValueError: a saved plan differs and ``plan`` is ``"same"``; or it is code, not data,
                and ``plan`` is ``"saved"``.

        If it raises, nothing has moved.

        Warns:
            UserWarning: a saved plan differs and ``plan`` is ``"code"``.
        """
        if not isinstance(state_dict, Mapping):
            raise TypeError(f"state_dict: expected a dict, got {type(state_dict).__name__}")
        checked_policy(plan)
        missing = [name for name in self._members if name not in state_dict]
        unknown = [name for name in state_dict if name not in self._members]
        if missing or unknown:
            raise KeyError(
                f"state_dict: expected the states of {self.schedule_names}; missing {missing}, "
                f"unknown {unknown}"
            )
        for name, member in self._members.items():
            member.check(state_dict[name], plan)
        with self._put_back_on_error(self._members.values()):
            for name, member in self._members.items():
                member.load(state_dict[name], plan)  # may fail, or warn and the warning may raise
        self._note_positions()

    def __repr__(self) -> str:
        present = {
            name: member.target.read_or_none(member.optimizer.param_groups)
            for name, member in self._members.items()
        }
        optimizers = [type(optimizer).__name__ for optimizer, _ in self._targets_by_optimizer()]
        return (
            f"<{type(self).__name__} on {', '.join(optimizers)}, at step {self.last_epoch}: "
            f"{present}>"
        )
