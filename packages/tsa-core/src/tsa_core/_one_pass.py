"""The values of a derived schedule in one pass over the groups, where all numbers are floats."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from math import isfinite
from operator import countOf, itemgetter
from typing import Protocol, TypeAlias

from ._groups import KnownGroups
from ._target import ParamGroup, Target

Rule: TypeAlias = Callable[[float], float]

_ALL_FLOATS = (-sys.float_info.max, sys.float_info.max)


class Upcoming(Protocol):
    """The member that is about to move the source."""

    def upcoming_values(self) -> list[float]:
        """Return the values that the groups are going to hold, as a tensor rounds them."""

    def upcoming_multiplier(self) -> float | None:
        """Return the multiplier of all groups, if their values are initial value × multiplier."""


class OnePass:
    """A rule on the param groups as a schedule last saw them.

    It takes time to look into a group's dict, and to call a function per group. So a pass looks as
    seldom as it can, and calls the rule alone. It raises if any number needs a closer look: it is
    not a float, or does not fit.
    """

    __slots__ = (
        "_absolute",
        "_first_initial",
        "_known",
        "_nobody_schedules_source",
        "_range",
        "_rule",
        "_source",
        "_source_is_float",
        "_source_key",
        "_target",
    )

    def __init__(
        self,
        rule: Rule,
        target: Target,
        source: Target,
        absolute: bool,
        groups: Sequence[ParamGroup],
    ) -> None:
        self._rule, self._target, self._source, self._absolute = rule, target, source, absolute
        self._known = KnownGroups(groups)
        # To notice a new initial value, which extend_optimizer sets in all groups.
        self._first_initial = groups[0][target.initial_key]
        self._source_key = source.source_key(target)
        self._nobody_schedules_source = not any(source.initial_key in group for group in groups)
        self._source_is_float = source.index is None and all(
            type(group[source.key]) is float for group in groups
        )
        lows, highs = zip(*{target.range_in(group) for group in groups})
        self._range = max(lows), min(highs)  # fits in every group

    def fits(self, groups: Sequence[ParamGroup]) -> bool:
        """True if the groups are those that were seen."""
        return (
            self._known.are(groups)
            and groups[0].get(self._target.initial_key) is self._first_initial
        )

    def values(self, groups: Sequence[ParamGroup], upcoming: Upcoming | None) -> list[float]:
        """Return the value of each group, computed from what its source has, or will have."""
        multiplier = upcoming.upcoming_multiplier() if upcoming else None
        if multiplier is not None and self._source_is_float and not self._absolute:
            values = self._scaled_with_source(groups, multiplier)
        else:
            source_values = upcoming.upcoming_values() if upcoming else self._floats(groups)
            if not isfinite(sum(source_values)):
                raise ValueError(source_values)
            if self._absolute:
                rule = self._rule
                values = [value for each in source_values if type(value := rule(each)) is float]
            else:
                values = self._scaled(groups, source_values)
        total = sum(values)  # no finite float if a value is NaN, infinite or a tensor
        if len(values) < len(groups) or type(total) is not float or not isfinite(total):
            raise ValueError(values)
        if self._range != _ALL_FLOATS:
            low, high = self._range
            if not (low <= min(values) and max(values) <= high):
                raise ValueError(values)
        return values

    def _floats(self, groups: Sequence[ParamGroup]) -> list[float]:
        source = self._source
        read = itemgetter(source.key) if source.index is None else source.read
        values = [*map(read, groups)]
        if countOf(map(type, values), float) < len(values):
            raise TypeError(values)
        return values

    # Both methods below leave out a group where a number is not a float. If a rate is a tensor,
    # torch records a tensor as its initial value, and a rule must not be given one.

    def _scaled(self, groups: Sequence[ParamGroup], source_values: Sequence[float]) -> list[float]:
        """Return initial value × multiplier."""
        rule, initial = self._rule, self._target.initial_key
        key, own_key = self._source.initial_key, self._source_key
        if self._nobody_schedules_source:  # own_key holds numbers of ours
            return [
                group[initial] * multiplier
                for group, value in zip(groups, source_values)
                if key not in group and type(multiplier := rule(value / group[own_key])) is float
            ]
        return [
            group[initial] * multiplier
            for group, value in zip(groups, source_values)
            if type(multiple := value / group[key if key in group else own_key]) is float
            and type(multiplier := rule(multiple)) is float
        ]

    def _scaled_with_source(
        self, groups: Sequence[ParamGroup], multiplier_of_source: float
    ) -> list[float]:
        """Return the same where the source gets initial value × ``multiplier_of_source``."""
        rule, initial = self._rule, self._target.initial_key
        key, initial_of_source = self._source.key, self._source.initial_key
        return [
            group[initial] * multiplier
            for group in groups
            if type(group[key]) is float  # a tensor rounds what it gets
            and type(multiple := (first := group[initial_of_source]) * multiplier_of_source / first)
            is float
            and type(multiplier := rule(multiple)) is float
        ]
