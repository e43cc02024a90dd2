"""The values that members of this library would write at given positions; nothing moves."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from torch import Tensor

from ..schedules.answers import Prepared
from ..targets.tensors import as_held
from .member import Member, OwnMember
from .membership import sources_first


def prepare_each(
    members: Iterable[OwnMember],
    positions: Mapping[Member, float | None],
    prepared: dict[Member, Prepared],
) -> None:
    """Add what each of ``members`` would write at its position; None is one step further.

    A source comes before what derives from it. A member without a position is left out.
    """
    for member in members:
        if member in positions:
            prepared[member] = member.prepare(positions[member], prepared)


def values_ahead(
    members: Sequence[Member], each_positions: Iterable[Mapping[Member, float]]
) -> dict[str, list[list[float]]]:
    """Return by name the values of all groups, for each mapping from members to positions.

    ``members`` are schedules of this library, and a tensor will hold its value rounded.
    """
    ordered = [each for each in sources_first(members) if isinstance(each, OwnMember)]
    values: dict[str, list[list[float]]] = {member.name: [] for member in members}
    for positions in each_positions:
        prepared: dict[Member, Prepared] = {}
        prepare_each(ordered, positions, prepared)
        for member in members:
            values[member.name].append(member.schedule.values_of(prepared[member]))
    return values


def held_ahead(
    members: Sequence[Member], each_positions: Iterable[Mapping[Member, float]]
) -> dict[str, list[list[float]]]:
    """Return :func:`values_ahead` as the groups will hold the values: a tensor rounds them."""
    values = values_ahead(members, each_positions)
    for member in members:
        rows = values[member.name]
        for g, held in enumerate(member.target.read_or_none(member.optimizer.param_groups)):
            if isinstance(held, Tensor):
                for row, value in zip(rows, as_held([row[g] for row in rows], held)):
                    row[g] = value
    return values
