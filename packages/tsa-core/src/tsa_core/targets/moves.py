"""The values that the groups of one target are about to get: computed and checked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from math import isfinite
from operator import mul
from typing import NamedTuple, TypeAlias

from ..messages import describe
from .checks import check_target
from .numbers_ import real_number
from .objects import ObjectGroups
from .target import ParamGroup, Target, range_in_words
from .tensors import are_of_one_kind, share_a_tensor

# A curve or a rule may return these without a closer look. A bool is an int, and is refused.
_PLAIN_NUMBERS = {float, int}

END = 10**18
"""A step at which every curve has long reached its end."""

# A value for each of some param groups, and two facts. A plain tuple, because one of a class takes
# a third of the time of a step. First fact: each group holds a float, which is replaced without
# another look. Second: a group may lack its initial value, or share its tensor with another one.
Move: TypeAlias = tuple[Sequence[ParamGroup], list[float], bool, bool]


def given_by(curve: object) -> str:
    """Return who gave a number, for an error."""
    return f"as {describe(curve)} gave it"


class Numbers(NamedTuple):
    """A number for each group that a schedule drives, at one position."""

    position: float
    groups: Sequence[ParamGroup]
    each: Sequence[float]
    """Multiples of the initial value, or values: one per group."""
    types: set[type]
    """The types of these numbers."""
    giver: Callable[[int], str]
    """Says in an error who gave the i-th number."""

    @classmethod
    def of_one(
        cls, number: float, position: float, groups: Sequence[ParamGroup], curve: object
    ) -> Numbers:
        """Return the same number for all groups, which ``curve`` gave."""
        each = [number] * len(groups)
        return cls(position, groups, each, {type(number)}, lambda _: given_by(curve))


def move_to(
    numbers: Numbers,
    target: Target,
    all_groups: Sequence[ParamGroup],
    absolute: bool,
    label: str,
    initials_of: Callable[[Sequence[ParamGroup]], list[float]],
) -> Move:
    """Return the move that gives each group its number; an error calls the target ``label``.

    ``initials_of`` returns the initial values of groups that may not have recorded them yet.
    """
    groups, each, move = numbers.groups, numbers.each, None
    if type(groups) is ObjectGroups and numbers.types == {float}:
        move = over_objects(groups, each, min(each), target, absolute)
    if move is None:
        # An error: a group joined or has lost the target, or a number is not one.
        with suppress(ArithmeticError, AttributeError, LookupError, TypeError):
            move = _over_floats_or_alike(numbers, target, all_groups, absolute)
    if move is not None:
        return move
    check_target(target, all_groups, numbers.groups)
    initials = initials_of(numbers.groups)
    return _looked_at_one_by_one(numbers, target, initials, absolute, label)


def over_objects(
    groups: ObjectGroups,
    each: Sequence[float] | float,
    least: float,
    target: Target,
    absolute: bool,
) -> Move | None:
    """Return the move that gives each object its number, if all are known and hold plain floats.

    ``each`` is one number for all objects, or one per object; ``least`` is the least of them. It is
    :func:`move_to` for floats. It writes into the dicts that hold the floats, because a group of an
    object takes several times as long as a dict.
    """
    if least < 0 and target.is_never_negative:
        return None
    try:
        holders = groups.holders(target.key)
        if holders is None:
            return None
        initials = groups.columns[target.initial_key]
        if isinstance(each, float):
            values = [initial * each for initial in initials]  # TypeError for a new group
        else:
            values = [*map(mul, initials, each)]
        total = sum(values)
    except (LookupError, TypeError):
        return None
    if type(total) is not float or not isfinite(total):
        return None
    if absolute:
        values = [each] * len(values) if isinstance(each, float) else [*each]
    return holders, values, True, False


def _over_floats_or_alike(
    numbers: Numbers, target: Target, all_groups: Sequence[ParamGroup], absolute: bool
) -> Move | None:
    """Return the move if all groups are known, and hold floats or tensors of one kind."""
    groups, each = numbers.groups, numbers.each
    key, initial, index = target.key, target.initial_key, target.index
    if not groups or not numbers.types <= _PLAIN_NUMBERS:
        return None
    if index is None:
        pairs = zip(groups, each)
        if absolute:
            values = [n for group, n in pairs if type(group[key]) is float and initial in group]
        else:
            values = [group[initial] * n for group, n in pairs if type(group[key]) is float]
        total = sum(values)  # no finite float if a value is NaN, infinite or a tensor
        if len(values) == len(groups) and type(total) is float and isfinite(total):
            if not target.is_never_negative or min(values) >= 0:
                return groups, values, True, False
            return None
    held = [group[key] if index is None else group[key][index] for group in groups]
    values = [group[initial] * n for group, n in zip(groups, each)]  # KeyError for a new group
    if absolute:
        values = [*each]
    if {*map(type, values)} != {float} or not isfinite(sum(values)):
        return None
    are_floats = {*map(type, held)} == {float}
    if not are_floats and (not are_of_one_kind(held) or share_a_tensor(target, all_groups)):
        return None
    low, high = target.range_of(held[0])
    fits = low <= min(values) and max(values) <= high
    return (groups, values, False, False) if fits else None


def _looked_at_one_by_one(
    numbers: Numbers, target: Target, initials: list[float], absolute: bool, label: str
) -> Move:
    """Return the move to values of any kind, also of new groups; or say which one is wrong."""
    groups = numbers.groups
    place = f"step {numbers.position}" if numbers.position < END else "its end"
    what = f"the {'value' if absolute else 'multiple'} of {label!r} at {place}"
    values = []
    for i, (group, number) in enumerate(zip(groups, numbers.each)):
        held = target.read(group)
        try:
            number = real_number(number)
        except (TypeError, ValueError) as error:
            raise type(error)(
                f"{what}: {error}, {numbers.giver(i)}; return a finite real number"
            ) from None
        if not absolute:
            value = initials[i] * number
        else:  # an entry that is a float stays one
            value = float(number) if type(held) is float else number
        low, high = target.range_of(held)
        if not low <= value <= high:
            raise ValueError(
                f"{what}: {number!r}, {numbers.giver(i)}, makes the value {value!r}; it must be "
                + range_in_words(value, low, high)
            )
        values.append(value)
    return groups, values, False, True
