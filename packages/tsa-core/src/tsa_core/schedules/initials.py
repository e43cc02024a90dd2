"""The initial values of one target: recorded in the groups, and kept through loads."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from itertools import compress
from math import isclose
from operator import is_
from typing import Any

from torch.optim.lr_scheduler import LRScheduler

from ..targets.checks import check_present, check_values_fit, present_numbers
from ..targets.numbers_ import real_number
from ..targets.target import ParamGroup, Target
from ..targets.tensors import give_each_group_its_own_tensor


class InitialValues(LRScheduler):
    """The initial values of one target, as the groups record them and as the code has them.

    A load may replace a group by one without a record, or a record by another value. So the
    schedule remembers the groups that it took in, and what the code said.
    """

    real_optimizer: Any
    """The optimizer whose groups hold the target: the one behind it, if a proxy was passed."""
    target: Target
    """The entry of the real optimizer's groups that is driven."""
    seen: tuple[Sequence[ParamGroup], list[ParamGroup]]
    """The optimizer's list, and its dicts, when a group was last taken in."""
    from_code: list[tuple[ParamGroup, float, float]]
    """The groups whose initial value in the code is known, because they had none when the schedule
    took them in; what was recorded then or by a load, and the code's. Also dicts that a load has
    replaced."""

    counts_from_code: bool
    """True if the last load chose the initial values in the code, where the state had others."""

    # The constructor in torch never runs: it would replace optimizer.step, and call ours.
    def __init__(self, real_optimizer: Any, target: Target) -> None:
        self.real_optimizer, self.target = real_optimizer, target
        self.seen, self.from_code = ((), []), []
        self.counts_from_code = False

    @abstractmethod
    def driven_groups(self) -> list[ParamGroup]:
        """Return the param groups that the schedule writes to."""

    def take_in(self, groups: Sequence[ParamGroup], driven: Sequence[ParamGroup]) -> None:
        """Record the initial values of ``driven`` groups that joined, or were put into the list."""
        target = self.target
        give_each_group_its_own_tensor(target, self.real_optimizer, groups)
        here = {_place(group) for group in groups}
        restored = {}
        for group, its in zip(groups, self.having(target.has_initial, groups)):
            if its is not group:  # also where it is left alone now: it may be driven later
                group[target.initial_key] = target.initial_or_present(its)
                restored[id(its)] = group
        known = [each for each in self.from_code if _place(each[0]) in here]
        self.from_code = [(restored.get(id(g), g), recorded, own) for g, recorded, own in known]
        for group in driven:
            initial = target.initial_or_present(group)
            if not target.has_initial(group):
                self.from_code.append((group, initial, initial))
            group.setdefault(target.initial_key, initial)
        self.seen = groups, [*groups]

    def has_seen(self, groups: Sequence[ParamGroup]) -> bool:
        """True if these are the groups of that time, also if a wrapper lists them anew."""
        _, seen = self.seen
        return len(groups) == len(seen) and all(map(is_, groups, seen))

    def initials_of(self, groups: Sequence[ParamGroup]) -> list[float]:
        """Return the initial value of each group, also if it has not recorded one yet.

        A group that replaced another one in a load, and brings no record, keeps that one's initial
        value. The schedulers in torch keep ``base_lrs`` in the same way.
        """
        return [
            self.target.initial_or_present(each)
            for each in self.having(self.target.has_initial, groups)
        ]

    def having(
        self, has_record: Callable[[ParamGroup], bool], groups: Sequence[ParamGroup]
    ) -> list[ParamGroup]:
        """Return for each group the dict that has a record: it, or the one that it replaced.

        A group is returned itself if neither has one.
        """
        seen_in, seen = self.seen
        if self.real_optimizer.param_groups is seen_in:
            return [*groups]
        before = {_place(each): each for each in seen if has_record(each)}
        return [
            group if has_record(group) else before.get(_place(group), group) for group in groups
        ]

    @property
    def initials_in_code(self) -> list[float | None]:
        """The initial value of each group when the schedule was built.

        None if the group had recorded one before: the code that made the optimizer may say another.
        """
        value_at = {}
        for group, recorded, in_code in self.from_code:
            present = self.target.initial_or_present(group)  # somebody may have set a new one
            value_at[_place(group)] = in_code if present == recorded else present
        return [value_at.get(_place(group)) for group in self.real_optimizer.param_groups]

    @initials_in_code.setter
    def initials_in_code(self, values: Sequence[float | None]) -> None:
        """Keep the ``values``, which a load has replaced in the groups by those that they hold."""
        self.from_code = [
            (group, self.target.initial_or_present(group), value)
            for group, value in zip(self.real_optimizer.param_groups, values)
            if value is not None
        ]

    def changed_by_a_load(self) -> dict[int, tuple[float, float]]:
        """Return by position the values of driven groups that a load has changed, before and now.

        A checkpoint may hold a float where the code has a tensor, which rounds it: that is the same
        value here.
        """
        groups, target, driven = self.real_optimizer.param_groups, self.target, self.driven_groups()
        seen_in, seen = self.seen
        by_place = {_place(each): each for each in seen}
        before = [by_place.get(_place(group), group) for group in groups]
        if groups is seen_in or all(map(is_, before, groups)):  # a load brings a list of new dicts
            return {}
        now = present_numbers(target, groups, driven)
        held = present_numbers(target, before, [])
        ids = {*map(id, driven)}
        return {
            i: (held[i], now[i])
            for i, group in enumerate(groups)
            if id(group) in ids and held[i] is not None
            if not isclose(held[i], now[i], rel_tol=1e-6)
        }

    def check_code_holds(self, groups: Sequence[ParamGroup]) -> None:
        """Raise if the optimizer was loaded after the code's initial values had been chosen.

        Groups of the last step are left out: somebody may have set a new initial value there.
        """
        seen = {*map(id, self.seen[1])}
        chosen = {_place(group): value for group, _, value in self.from_code}
        for group in filter(self.target.has_initial, groups):
            value, recorded = chosen.get(_place(group)), self.target.initial_or_present(group)
            if id(group) not in seen and value not in (None, recorded):
                raise RuntimeError(
                    f"the optimizer was loaded after the schedule of {self.target.name!r}, and its "
                    f"state has the initial value {recorded!r} again, where initial='code' chose "
                    f"{value!r}. Load the optimizer first, then the schedules"
                )

    @property  # type: ignore[override]  # torch keeps a list, of tensors too
    def base_lrs(self) -> list[float | None]:
        """The initial value of each param group; None in one that is left alone and has no number.

        Assign a list with one number per group to set them; the next step counts from them. Some
        wrappers do so after they have scaled the learning rate themselves.
        """
        groups, driven = self.real_optimizer.param_groups, self.driven_groups()
        check_present(self.target, groups, driven)
        ids, numbers = {*map(id, driven)}, present_numbers(self.target, groups, [])
        has_one = [id(g) in ids or number is not None for g, number in zip(groups, numbers)]
        initials = iter(self.initials_of([*compress(groups, has_one)]))
        return [next(initials) if has else None for has in has_one]

    @base_lrs.setter  # type: ignore[override]  # takes no tensor as an initial value
    def base_lrs(self, values: Sequence[float]) -> None:
        groups = self.real_optimizer.param_groups
        numbers = [real_number(value, "base_lrs: ") for value in values]
        if len(numbers) != len(groups):
            raise ValueError(f"base_lrs: got {len(numbers)} for {len(groups)} param groups")
        check_values_fit(self.target, groups, numbers, "base_lrs")
        number_of = {id(group): number for group, number in zip(groups, numbers)}
        for group in self.driven_groups():
            group[self.target.initial_key] = number_of[id(group)]


def _place(group: ParamGroup) -> int:
    """Return what a group has in common with the one that replaces it in a load: its ``params``."""
    return id(group.get("params", group))
