"""The members of a SynchronousSchedule by name, and what their targets hold."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from torch.optim.lr_scheduler import LRScheduler

from ..targets.checks import check_present, did_you_mean, present_values
from ..targets.numbers_ import step_number
from ..targets.target import ParamGroup, Value, groups_of
from .ahead import values_ahead
from .member import LR, Member
from .membership import check_can_be_sent
from .positions import Positions


class ByName(dict[str, Any]):
    """What belongs to each member, by its name; an unknown name is answered with help."""

    def __missing__(self, name: str) -> Any:
        hint = did_you_mean(name, self)
        raise KeyError(f"no schedule of {name!r} here, only of {[*self]}{hint}")


class MembersByName(LRScheduler):
    """Answers by name: the schedules, the optimizers, and the present values of the targets."""

    _members: ByName
    _positions: Positions

    @property
    def optimizer(self) -> Any:  # type: ignore[override]  # from the members, so read-only
        """The optimizer of all members."""
        first = self.members[0]
        if first.optimizer_name:
            raise AttributeError(
                f"optimizer: the optimizers of this SynchronousSchedule have names: "
                f"{list(self.optimizers)}; use .optimizers[{first.optimizer_name!r}]"
            )
        return first.optimizer

    @property
    def optimizers(self) -> Mapping[str, Any]:
        """The optimizers by the names that you gave them; read-only."""
        if not self.members[0].optimizer_name:
            raise AttributeError("optimizers: the only one has no name; use .optimizer")
        return MappingProxyType({each.optimizer_name: each.optimizer for each in self.members})

    @property
    def schedules(self) -> Mapping[str, Any]:
        """The members by name, in the order in which they were given; read-only."""
        schedules = {name: member.schedule for name, member in self._members.items()}
        return MappingProxyType(ByName(schedules))

    @property
    def members(self) -> list[Member]:
        """The objects that step, save and load the schedules here, in their order."""
        return list(self._members.values())

    @property
    def schedule_names(self) -> list[str]:
        """The members' names, in order."""
        return list(self._members)

    @property
    def last_epoch(self) -> int:  # type: ignore[override]
        """The step at which the first member stands."""
        return next(iter(self._positions.left_at.values()))  # type: ignore[no-any-return]

    def get_last_schedule(self, name: str) -> list[Value]:
        """Return the present values of a member's target, one per param group.

        The value is None for a group that the member leaves alone and that has no such entry.

        Args:
            name: a member's name, such as ``"weight_decay"``.

        Raises:
            KeyError: no member has that name.
        """
        return self.member(name).present_values()

    def member(self, name: str) -> Member:
        return self._members[name]  # type: ignore[no-any-return]

    def get_last_schedules(self) -> dict[str, list[Value]]:
        """Return the present values of every member's target: by name, one per param group."""
        return {name: self.get_last_schedule(name) for name in self._members}

    def values_at(self, t: float) -> dict[str, list[float]]:
        """Compute the values of every member's target at the position ``t``, and move nothing.

        A derived member uses the future value of its source. If the source is not a member, the
        derived member uses the present value.

        Args:
            t: the position, ≥ 0, in the unit in which the members count: steps, or what their
                clocks count.

        Returns:
            By name, what :meth:`CurveSchedule.values_at` returns: one value per param group.

        Raises:
            TypeError: a member is not a schedule of this library, so it cannot be sent to ``t``.
            TypeError, ValueError, KeyError: as :meth:`step`, and if ``t`` is not a real number ≥ 0.

        Example:
            >>> import torch
            >>> from tsa_core import CurveSchedule, DerivedSchedule, SynchronousSchedule
            >>> optimizer = torch.optim.AdamW([torch.nn.Parameter(torch.ones(2))], lr=0.1)
            >>> sync = SynchronousSchedule([
            ...     CurveSchedule(optimizer, lambda t: 0.5**t),
            ...     DerivedSchedule(optimizer, lambda lr: lr, "weight_decay"),
            ... ])
            >>> sync.values_at(2)
            {'lr': [0.025], 'weight_decay': [0.0025]}
        """
        check_can_be_sent(
            self.members, "values_at", "ask another one alone: schedules[name].values_at(t)"
        )
        position = step_number(t, "t")
        rows = values_ahead(self.members, [dict.fromkeys(self.members, position)])
        return {name: row for name, (row,) in rows.items()}

    def get_last_lr(self) -> list[Value]:
        """Return the present learning rates, one per param group, scheduled or not.

        With several optimizers, the list has the groups of all of them in order. An optimizer
        without an ``lr``, such as the attributes of an object, is left out.

        Raises:
            KeyError: no optimizer has an ``lr``, or some of its groups have none.
        """
        groups = self._groups()
        if not all(map(LR.is_in, groups)):
            raise KeyError(
                "a param group has no 'lr'. For the values of a schedule, call "
                f"get_last_schedule(name) with one of {self.schedule_names}"
            )
        return present_values(LR, groups)

    get_lr = get_last_lr

    def get_last_scalars(self) -> dict[str, float]:
        """Return all present values in one flat dict of floats, for a logger.

        The keys are ``"lr/0"``, ``"lr/1"``, … by the group's position, or ``"lr/backbone"`` if
        every group has its own ``"name"``. With several optimizers: ``"muon/lr/0"``. A group
        without such an entry is left out.
        """
        scalars: dict[str, float] = {}
        for name, member in self._members.items():
            groups = groups_of(member.optimizer)
            names = [group.get("name") for group in groups]
            named = all(isinstance(each, str) for each in names) and len({*names}) == len(names)
            keys = [f"{name}/{each if named else i}" for i, each in enumerate(names)]
            # Not apart are such as a group "b/c" of "a", and a group "c" of "a/b".
            if not scalars.keys().isdisjoint(keys):
                keys = [f"{name}/{i}" for i in range(len(groups))]
            pairs = zip(keys, member.present_numbers())
            scalars.update((key, float(value)) for key, value in pairs if value is not None)
        return scalars

    @property
    def base_lrs(self) -> list[Value]:  # type: ignore[override]
        """The initial learning rates, one per param group.

        Raises:
            KeyError: the optimizer has no ``lr``.
        """
        groups = self._groups()
        check_present(LR, groups)
        return [LR.initial_or_present(group) for group in groups]

    @property
    def _last_lr(self) -> list[Value]:
        return self.get_last_lr()

    @_last_lr.setter
    def _last_lr(self, values: object) -> None:
        """Ignore the assignment, as :class:`CurveSchedule` does."""

    def _groups(self) -> list[ParamGroup]:
        """Return the groups of all optimizers that have an ``lr``, or of all if none has one."""
        each = [groups_of(optimizer) for optimizer in self.distinct_optimizers()]
        having = [groups for groups in each if any(map(LR.is_in, groups))]
        return [group for groups in having or each for group in groups]

    def distinct_optimizers(self) -> list[Any]:
        return [*{id(each.optimizer): each.optimizer for each in self.members}.values()]

    def __repr__(self) -> str:
        present = {
            name: member.target.read_or_none(member.optimizer.param_groups)
            for name, member in self._members.items()
        }
        optimizers = [type(optimizer).__name__ for optimizer in self.distinct_optimizers()]
        left_at = self._positions.left_at
        are_apart = any(position != self.last_epoch for position in left_at.values())
        place = f"at steps {left_at}" if are_apart else f"at step {self.last_epoch}"
        return f"<{type(self).__name__} on {', '.join(optimizers)}, {place}: {present}>"
