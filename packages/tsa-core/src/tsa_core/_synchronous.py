"""Many schedules of one optimizer, stepped in lock-step and asked by name."""

from __future__ import annotations

import copy
import difflib
import inspect
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from torch.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau

from ._curve_schedule import CurveSchedule, checked_epoch, inherits
from ._member_state import check_state, load_state, saved_state
from ._proxy import ProxyOptimizer
from ._scheduler import (
    arguments_of_step,
    cycles_momentum,
    is_schedule,
    parts_of,
    passes_on_by_position,
    position_of,
)
from ._target import Target, Value, defaults_of, groups_of
from ._undo import undone_on_error

# What ``step`` hands on to the members that take it, in the order that torch has for it.
_HANDED_ON = ("metrics", "epoch")


class SynchronousSchedule(LRScheduler):
    """Step many schedules of one optimizer together, and ask for values by name.

    A member's name is its target (``"weight_decay"``), and ``"lr"`` for a plain torch scheduler on
    the optimizer itself. A ``SynchronousSchedule`` among the members contributes its members.

    Args:
        schedules: the members: at least one, all of one optimizer, each target once.

    Raises:
        TypeError: ``schedules`` is not iterable, or one of them is no scheduler.
        ValueError: there is none, they are not all of one optimizer, or a compound scheduler of
            the learning rate has a schedule of another target in it.
        RuntimeError: two of them have the same target, or one has the momentum that another, of
            the learning rate, cycles (``OneCycleLR``, ``CyclicLR``).

    Example:
        >>> import torch
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
    schedules: dict[str, Any]
    """The members by name, in the order they were given."""

    # The base constructor never runs: it would patch the optimizer and step.
    def __init__(self, schedules: Iterable[Any]) -> None:
        members = list(_flattened(schedules))
        if not members:
            raise ValueError("schedules: expected at least one schedule, got none")
        by_name: dict[str, Any] = {}
        optimizer = _real_optimizer(members[0])
        for member in members:
            _check_parts(member)
            name = _name(member)
            if _real_optimizer(member) is not optimizer:
                raise ValueError(
                    f"schedules: that of {name!r} is on another optimizer than that of "
                    f"{_name(members[0])!r}; make one SynchronousSchedule for each optimizer"
                )
            if name in by_name:
                raise RuntimeError(
                    f"schedules: two of them schedule {name!r}; a target takes one. To play "
                    "several one after the other, join their curves, or build a SequentialLR "
                    "inside one arbitrary_schedule_factory call; to give param groups different "
                    "ones, make one CurveSchedule with a curve for each"
                )
            by_name[name] = member
        momentum = "betas[0]" if "betas" in defaults_of(optimizer) else "momentum"
        if momentum in by_name and "lr" in by_name and cycles_momentum(by_name["lr"]):
            raise RuntimeError(
                f"schedules: that of 'lr', a {type(by_name['lr']).__name__}, moves {momentum!r} "
                "too, and may have set what the schedule of that took for its initial value: make "
                "the optimizer and both again, with cycle_momentum=False"
            )
        self.optimizer = optimizer
        self.schedules = by_name
        self._members = [*by_name.values()]
        self._proxies = [m.optimizer for m in members if isinstance(m.optimizer, ProxyOptimizer)]
        # Asked for λ before anything moves; all other members step as they define it.
        self._curves = [member for member in members if inherits(member, "step")]
        self._others = {name: m for name, m in by_name.items() if not inherits(m, "step")}
        # What each member's step takes, and whether it demands it; looked up once, since asking
        # takes longer than stepping.
        self._arguments = {name: arguments_of_step(member) for name, member in by_name.items()}
        self._by_position = {name for name, m in by_name.items() if passes_on_by_position(m)}
        self._takes_metrics = any("metrics" in taken for taken in self._arguments.values())
        self._signature = inspect.Signature(
            [
                inspect.Parameter(name, inspect.Parameter.POSITIONAL_OR_KEYWORD, default=None)
                for name in (_HANDED_ON if self._takes_metrics else ("epoch",))
            ]
        )
        self._step_count = 1
        self._note_positions()

    @property
    def schedule_names(self) -> list[str]:
        """The members' names, in order."""
        return list(self.schedules)

    # -- stepping ----------------------------------------------------------------------------

    def step(self, *args: Any, **kwargs: Any) -> None:
        """Step every member once.

        Call it as ``step()``; as ``step(epoch)`` to go to that step; and where a member takes
        metrics (``ReduceLROnPlateau``), as ``step(metrics)`` or ``step(metrics, epoch)``, by
        position or by keyword. ``metrics`` reaches only the members that take it.

        Raises:
            TypeError: a member demands metrics and none came, or metrics came and no member takes
                them; an epoch came and a member takes none; an epoch that is no real number, or
                metrics that are none beside a ``ReduceLROnPlateau``; an unknown argument.
            ValueError: the epoch is negative, NaN or infinite.
            RuntimeError: a member was stepped from outside since the last step, or replaced.
            Exception: whatever a member's own step raises. Then no :class:`CurveSchedule` has
                moved (but one with a ``step`` of its own is as a torch scheduler here), and no
                torch scheduler after the one that raised; those before it have, and that one may
                have moved some groups. The next step raises ``RuntimeError``.
        """
        # Most steps come without, and binding nothing would take longer than stepping a member.
        given = self._bound(args, kwargs) if args or kwargs else {}
        if given or self._takes_metrics:
            self._check_arguments(given)
        if "epoch" in given:
            given["epoch"] = checked_epoch(given["epoch"])
        self._check_positions()
        for proxy in self._proxies:
            proxy._check_groups()
        epoch = given.get("epoch")
        moves = [(curve, curve._prepare(epoch)) for curve in self._curves]
        # The others first: they may raise, and a curve whose λ is known cannot any more.
        for name, member in self._others.items():
            arguments = self._arguments[name]
            if given and name in self._by_position:
                member.step(*[given.get(key) for key in _HANDED_ON if key in arguments])
            else:
                member.step(**{key: given[key] for key in given if key in arguments})
        for curve, move in moves:
            curve._apply(*move)
        self._step_count += 1
        self._note_positions()

    def _bound(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
        try:
            bound = self._signature.bind(*args, **kwargs).arguments
        except TypeError as error:
            takers = [name for name, arguments in self._arguments.items() if "metrics" in arguments]
            metrics = (
                f", with the metrics of {takers} before it" if takers else ": none takes metrics"
            )
            raise TypeError(f"step: {error}; call step() or step(epoch){metrics}") from None
        return {name: value for name, value in bound.items() if value is not None}

    def _check_arguments(self, given: Mapping[str, Any]) -> None:
        for name, arguments in self._arguments.items():
            if arguments.get("metrics") and "metrics" not in given:
                raise TypeError(f"{self._step_of(name)} takes metrics: call step(metrics)")
            if "epoch" in given and "epoch" not in arguments:
                raise TypeError(
                    f"{self._step_of(name)} cannot go to epoch {given['epoch']!r}: call step()"
                )
        # Torch's own would meet what is no number only after others have stepped.
        if any(type(member).step is ReduceLROnPlateau.step for member in self._members):
            metrics = given["metrics"]
            try:
                float(metrics)
            except (TypeError, ValueError, OverflowError, RuntimeError) as error:
                raise TypeError(f"metrics: expected a number, got {metrics!r}: {error}") from None

    def _step_of(self, name: str) -> str:
        return f"step: the schedule of {name!r} ({type(self.schedules[name]).__name__})"

    def _check_positions(self) -> None:
        if [*self.schedules.values()] != self._members:
            raise RuntimeError(
                f"schedules: the members, now {self.schedule_names}, are others than it was built "
                "of; build a new SynchronousSchedule"
            )
        for name, member in self.schedules.items():
            position = position_of(member)
            if position != self._positions[name]:
                raise RuntimeError(
                    f"the schedule of {name!r} stands at step {position}, and was left at "
                    f"step {self._positions[name]} here: something else stepped or loaded it, or "
                    "an earlier step failed after it. Step and load only the SynchronousSchedule, "
                    "or build it anew from where its members stand"
                )

    def _note_positions(self) -> None:
        self._positions = {name: position_of(member) for name, member in self.schedules.items()}

    # -- values by name ------------------------------------------------------------------------

    def get_last_schedule(self, name: str) -> list[Value]:
        """The present values of a member's target, one a param group.

        Args:
            name: a member's name, such as ``"weight_decay"``.

        Raises:
            KeyError: no member has that name.
        """
        if name not in self.schedules:
            close = difflib.get_close_matches(str(name), self.schedules, n=1)
            hint = f"; did you mean {close[0]!r}?" if close else ""
            raise KeyError(f"no schedule of {name!r} here, only of {self.schedule_names}{hint}")
        return Target.parse(name).read_all(groups_of(self.optimizer))

    def get_last_schedules(self) -> dict[str, list[Value]]:
        """The present values of every member's target: by name, one a param group."""
        return {name: self.get_last_schedule(name) for name in self.schedules}

    def get_last_lr(self) -> list[Value]:
        """The optimizer's present learning rates, one a param group, scheduled here or not.

        Raises:
            KeyError: the optimizer has no ``lr``.
        """
        return Target.parse("lr").read_all(groups_of(self.optimizer))

    def get_lr(self) -> list[Value]:
        """The same as :meth:`get_last_lr`."""
        return self.get_last_lr()

    # -- what else frameworks read on a scheduler ------------------------------------------------

    @property
    def last_epoch(self) -> int:  # type: ignore[override]
        """The step at which the first member stands."""
        position: int = next(iter(self._positions.values()))
        return position

    @property
    def base_lrs(self) -> list[Value]:  # type: ignore[override]
        """The initial learning rates, one a param group.

        Raises:
            KeyError: the optimizer has no ``lr``.
        """
        lr, groups = Target.parse("lr"), groups_of(self.optimizer)
        lr.check_present(groups)
        return [lr.initial_or_present(group) for group in groups]

    @property
    def _last_lr(self) -> list[Value]:  # type: ignore[override]
        return self.get_last_lr()

    # -- state ---------------------------------------------------------------------------------

    def state_dict(self) -> dict[str, Any]:
        """``{name: state of that member}``."""
        return {name: saved_state(member) for name, member in self.schedules.items()}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Load every member's state, and write the values into the optimizer at once.

        Takes the state of a ``SynchronousSchedule`` of torch-schedule-anything 1.x too.

        Args:
            state_dict: what :meth:`state_dict` returned, of members with the same names.

        Raises:
            KeyError: a member's state is missing, or there is one that no member has.
            TypeError, ValueError: a member's state does not fit. Nothing has moved.

        Warns:
            UserWarning: a member was saved under another plan. The plan in the code goes on. A
                scheduler that is neither torch's nor ours takes over the saved plan, unwarned:
                nobody else knows which part of its state that is.
        """
        if not isinstance(state_dict, Mapping):
            raise TypeError(f"state_dict: expected a dict, got {type(state_dict).__name__}")
        missing = [name for name in self.schedules if name not in state_dict]
        unknown = [name for name in state_dict if name not in self.schedules]
        if missing or unknown:
            raise KeyError(
                f"state_dict: expected the states of {self.schedule_names}; missing {missing}, "
                f"unknown {unknown}"
            )
        for name, member in self.schedules.items():
            check_state(member, state_dict[name], name)
        before = copy.deepcopy(self.state_dict())
        with undone_on_error(self.optimizer, [*map(Target.parse, self.schedules)]):
            try:
                self._load(state_dict)
            except BaseException:  # a scheduler with a load of its own, or a warning made an error
                self._load(before)
                for member in self.schedules.values():
                    if isinstance(member, CurveSchedule):
                        member._look_anew()  # at the groups that are put back
                raise
        self._note_positions()

    def _load(self, states: Mapping[str, Any]) -> None:
        for name, member in self.schedules.items():
            load_state(member, states[name], name)

    def __repr__(self) -> str:
        groups = self.optimizer.param_groups
        present = {name: Target.parse(name).read_or_none(groups) for name in self.schedules}
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


def _check_parts(schedule: Any) -> None:
    """Raise where a compound scheduler of the learning rate has a curve of something else in it."""
    for part in parts_of(schedule):
        if isinstance(part, CurveSchedule) and part.schedule_target != "lr":
            raise ValueError(
                f"schedules: a {type(schedule).__name__} on the optimizer itself is of 'lr', and "
                f"has a schedule of {part.schedule_target!r} in it. Build all of it on the "
                "optimizer that the factory of one arbitrary_schedule_factory call is given, with "
                f"schedule_target={part.schedule_target!r}; or join the curves"
            )
        _check_parts(part)


def _name(schedule: Any) -> str:
    if isinstance(schedule.optimizer, ProxyOptimizer):
        return schedule.optimizer.schedule_target
    return schedule.schedule_target if isinstance(schedule, CurveSchedule) else "lr"


def _real_optimizer(schedule: Any) -> Any:
    optimizer = schedule.optimizer
    return optimizer.optimizer if isinstance(optimizer, ProxyOptimizer) else optimizer
