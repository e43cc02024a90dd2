"""Many schedules that step together and are looked up by name."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from types import MappingProxyType
from typing import Any

from ..messages import told_again
from ..schedules.answers import Prepared
from ..schedules.curve import CurveSchedule
from ..schedules.derived import DerivedSchedule
from ..schedules.states import Choice, check_choices
from ..targets.numbers_ import step_of_user
from ..targets.undo import undone_on_error
from ..torch_.compile import uncompiled
from ..torch_.schedulers import with_parts
from .ahead import prepare_each
from .by_name import ByName, MembersByName
from .member import Chosen, Member, OwnMember
from .membership import (
    follows_a_step,
    members_of,
    named_arguments,
    sources_first,
    warn_if_unit_is_arbitrary,
)
from .positions import Clock, Positions


class SynchronousSchedule(MembersByName):
    """A schedule of many schedules: it steps them together, and answers by name.

    A member's name is its target (``"weight_decay"``), and ``"lr"`` for a plain torch scheduler on
    the optimizer itself. With several optimizers, the name begins with that of the optimizer
    (``"muon/lr"``). A ``SynchronousSchedule`` in the list adds its members.

    Args:
        schedules: the members: a list of at least one schedule, all of one optimizer, each target
            once. For several optimizers, a mapping from a name of yours to such a list.
        clock: a function without arguments that returns the position, a real number ≥ 0: tokens
            seen, ``lambda: trainer.global_step``, an :class:`OptimizerSteps`. ``step()`` then goes
            to that position, and does nothing if the position is the same as before. Or a mapping
            from names of members to such functions, ``{"lr": seconds, "weight_decay": tokens}``. A
            member without a clock goes one step per call, and a derived member follows its source.
            A function that several members share is called once per step.

    Raises:
        TypeError: ``schedules`` is not iterable, or one of them is not a scheduler.
        TypeError: a clock is not callable, or its member is derived or not of this library.
        KeyError: ``clock`` names a member that does not exist.
        ValueError: there are no members, or a list has schedules of several optimizers.
        ValueError: some schedules are on an optimizer and others on a wrapper of it.
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
        clock: Callable[[], float] | Mapping[str, Callable[[], float]] | None = None,
    ) -> None:
        members = members_of(schedules)
        self._stand_for(members, clock)
        warn_if_unit_is_arbitrary(members)
        # Not of the schedules: CPython 3.11 then reads their attributes more slowly at each step.
        with undone_on_error(self.distinct_optimizers()):
            self._derive_again(members)  # a source may have been built later
        for member in members:
            member.tell_name()

    @classmethod
    def without_effect(cls, schedules: Any) -> SynchronousSchedule:
        """Return a ``SynchronousSchedule`` of which the schedules and their groups know nothing."""
        synchronous = cls.__new__(cls)
        synchronous._stand_for(members_of(schedules), None)  # noqa: SLF001  # of this class
        return synchronous

    def _stand_for(self, members: list[Member], clock: Clock | Mapping[str, Clock] | None) -> None:
        self._members = ByName({member.name: member for member in members})
        self._positions = Positions(self._members, clock)
        ordered = sources_first(members)
        self._foreign = [member for member in ordered if not member.is_own]
        own = [member for member in ordered if isinstance(member, OwnMember)]
        self._late = [member for member in own if follows_a_step(member, members)]
        self._early = [member for member in own if member not in self._late]
        self._step_count = 1

    def _derive_again(self, sources: Iterable[Member]) -> None:
        """Compute what derives from ``sources`` anew, at the present step."""
        for member in sources_first(self.members):
            is_derived = isinstance(member.schedule, DerivedSchedule)
            if is_derived and not {*sources}.isdisjoint(member.sources()):
                member.schedule.rewrite()

    @uncompiled
    def replan(self, curves: Mapping[str, Any]) -> None:
        """Let members follow other curves from now on. Derived members follow at once.

        Args:
            curves: a mapping from names of members, such as ``"weight_decay"``, to what
                :meth:`CurveSchedule.replan` takes.

        Raises:
            KeyError: no member has that name.
            TypeError: the member has no curve, or ``curves`` is not a mapping.
            TypeError, ValueError: as :meth:`CurveSchedule.replan`, also of a derived schedule.

        If the call raises, nothing has moved.

        Example:
            >>> import torch
            >>> from tsa_core import CurveSchedule
            >>> optimizer = torch.optim.SGD([torch.nn.Parameter(torch.ones(2))], lr=0.1)
            >>> sync = SynchronousSchedule([CurveSchedule(optimizer, lambda t: 1.0)])
            >>> sync.replan({"lr": lambda t: 0.5**t})
            >>> optimizer.step()
            >>> sync.step()
            >>> sync.get_last_lr()
            [0.05]
        """
        if not isinstance(curves, Mapping):
            raise TypeError(f"curves: expected a dict {{name: curve}}, got {curves!r}")
        members = {name: self.member(name) for name in curves}
        for name, member in members.items():
            if not isinstance(member.schedule, CurveSchedule):
                raise TypeError(f"curves: the schedule of {name!r} has no curve to replace")
        with self._undone_on_error():
            for name, member in members.items():
                try:
                    member.schedule.replan(curves[name])
                except (TypeError, ValueError) as error:
                    argument, colon, what = str(error).partition(": ")
                    if argument != "curve":  # the message names the member
                        raise
                    raise told_again(error, f"curves[{name!r}]{colon}{what}") from error
            self._derive_again(members.values())

    def _undone_on_error(self) -> AbstractContextManager[None]:
        schedules = [each for member in self.members for each in with_parts(member.schedule)]
        return undone_on_error(self.distinct_optimizers(), schedules)

    @property
    def clock(self) -> Callable[[], float] | Mapping[str, Callable[[], float]] | None:
        """The clock, or the clocks by the names of members, read-only; or None."""
        clock = self._positions.clock
        return MappingProxyType(clock) if isinstance(clock, dict) else clock

    @uncompiled
    def step(self, *args: Any, **kwargs: Any) -> None:
        """Step every member once.

        Call ``step()``, or ``step(epoch)`` to go to that step. If a member takes metrics
        (``ReduceLROnPlateau``), call ``step(metrics)`` or ``step(metrics, epoch)``. An argument
        by name reaches the members whose ``step`` takes that name. A member that takes ``*args`` or
        ``**kwargs`` gets all arguments. With a ``clock``, call ``step()``. If only some members
        have a clock, the arguments are for the other members.

        Raises:
            TypeError: a member needs metrics and gets none, or no member takes the metrics.
            TypeError: an epoch is given and a member does not take one.
            TypeError: an argument is unknown.
            TypeError: the epoch, or the metrics of a ``ReduceLROnPlateau``, is not a real number.
            ValueError: the epoch is negative, NaN or infinite.
            RuntimeError: a member was stepped from outside since the last step.
            RuntimeError: a clock went back.
            Exception: whatever a member's own step raises. Then no schedule of this library has
                moved. Torch schedulers before the failed one have moved, and the failed one may
                have moved. If one has, the next step raises ``RuntimeError``. A subclass with its
                own ``step`` counts as a torch scheduler here.

        Warns:
            UserWarning: the epoch goes back to a fraction, and is probably a metric.
            UserWarning: the optimizer was loaded alone; see :meth:`CurveSchedule.step`.
        """
        positions = self._positions
        # Most steps have no arguments, and to look at none takes longer than to step a member.
        given = named_arguments(positions.without_clock, args, kwargs) if args or kwargs else {}
        for member in self._foreign:
            member.check_call(given)
        if "epoch" in given:
            given["epoch"] = step_of_user(given["epoch"], positions.without_clock[0].position)
        positions.check()
        sent_to = positions.sent_to(given.get("epoch"))
        if not sent_to and not self._foreign:
            return  # every clock stands still
        # All that can fail comes first. Our values are computed. The other schedulers step and may
        # raise. Then come the values that derive from theirs, and only then ours are written.
        prepared: dict[Member, Prepared] = {}
        prepare_each(self._early, sent_to, prepared)
        if self._foreign:  # else none is late
            for late in self._late:
                late.schedule.take_in_new()  # type: ignore[attr-defined]  # it is derived
            for member in self._foreign:
                member.step(given)
            prepare_each(self._late, sent_to, prepared)
        for member, values in prepared.items():
            member.schedule.commit(values)
        self._step_count += 1
        positions.note()

    def state_dict(self) -> dict[str, Any]:
        """Return ``{name: state of that member}``."""
        return {name: member.save() for name, member in self._members.items()}

    def load_state_dict(
        self,
        state_dict: Mapping[str, Any],
        *,
        plan: Choice = "code",
        initial: Choice | None = None,
    ) -> None:
        """Load every member's state, and write the values into the optimizer at once.

        The state of a ``SynchronousSchedule`` of torch-schedule-anything 1.x loads too.

        Args:
            state_dict: the dict that :meth:`state_dict` returned, of members with the same names.
            plan: the plan to follow if the saved plan of a member differs from the plan in the
                code. ``"code"``: the plan in the code, with a warning. ``"saved"``: the saved plan.
                ``"same"``: a difference is an error. The plan of a torch scheduler is its settings.
                A scheduler of another author loads its whole state, because only its author knows
                which part is the plan.
            initial: the initial values to use if the saved ones differ; see
                :meth:`CurveSchedule.load_state_dict`. Among torch's schedulers, only a ``LambdaLR``
                or a ``CosineAnnealingWarmRestarts`` that is not in a compound takes ``"code"``,
                because these compute each value from the initial one. A ``ReduceLROnPlateau`` keeps
                no initial values, so ``initial`` does not change it.

        Raises:
            KeyError: a member's state is missing, or there is one that no member has.
            TypeError, ValueError: a member's state does not fit.
            ValueError: a saved plan differs and ``plan`` is ``"same"``.
            ValueError: a saved plan is code, not data, and ``plan`` is ``"saved"``.

        If the call raises, nothing has moved.

        Warns:
            UserWarning: a saved plan differs and ``plan`` is ``"code"``.
            UserWarning: saved initial values differ, and ``initial`` is not given.
        """
        if not isinstance(state_dict, Mapping):
            raise TypeError(f"state_dict: expected a dict, got {type(state_dict).__name__}")
        check_choices(plan, initial)
        chosen = Chosen(plan, initial)
        missing = [name for name in self._members if name not in state_dict]
        unknown = [name for name in state_dict if name not in self._members]
        if missing or unknown:
            raise KeyError(
                f"state_dict: expected the states of {self.schedule_names}; missing {missing}, "
                f"unknown {unknown}"
            )
        for name, member in self._members.items():
            member.check(state_dict[name], chosen)
        with self._undone_on_error():
            for name, member in self._members.items():
                member.load(state_dict[name], chosen)  # may fail, or warn and that may raise
            if initial == "code":
                self._derive_again(self.members)
        self._positions.note()
