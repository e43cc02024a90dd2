"""Which of several curves drives which param group."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

from .checks import did_you_mean
from .moves import Numbers, given_by
from .objects import ObjectGroups
from .target import ParamGroup, Target

Curve: TypeAlias = Callable[[float], float]
CurvePerGroup: TypeAlias = Sequence[Curve | None] | Mapping[str, Curve | None]

# In a mapping from names to curves, the key of all groups that no other key names.
OTHERS = "*"


class SeveralCurves:
    """Curves for the groups of an optimizer: one per group in order, or by their names.

    A curve of several groups stands once in ``distinct``, so that it is called once per step.
    The names of groups are read at each step.
    """

    curves: tuple[Curve | None, ...] | dict[str, Curve | None]
    """A copy of the caller's container, which may change."""
    distinct: list[Curve]

    def __init__(self, curves: CurvePerGroup) -> None:
        _check_curves(curves)
        self.curves = dict(curves) if isinstance(curves, Mapping) else tuple(curves)
        each = [*(curves.values() if isinstance(curves, Mapping) else curves)]
        self.distinct = [*{id(curve): curve for curve in each if curve is not None}.values()]
        index_of = {id(curve): i for i, curve in enumerate(self.distinct)}
        # Which of the distinct curves it is, in order and by name; None to leave a group alone.
        self._indices = [index_of.get(id(curve)) for curve in each]
        names = self.curves if isinstance(self.curves, dict) else ()
        self._index_of: dict[Any, int | None] = dict(zip(names, self._indices))
        self._leaves_out = None in self._indices

    def at(self, t: float) -> list[float]:
        """Return λ(t) of each distinct curve."""
        return [curve(t) for curve in self.distinct]

    def times_initial(
        self, given: Sequence[float], groups: Sequence[ParamGroup], target: Target
    ) -> list[float]:
        """Return given λ × initial value of each group; fewer if one needs a closer look.

        It is :func:`move_to` for the common case, in one look at each group. ``LookupError`` or
        ``TypeError`` if a group needs a closer look.
        """
        key, initial = target.key, target.initial_key
        if isinstance(self.curves, dict):
            index_of: Any = self._index_of
            return [
                group[initial] * given[index_of[group["name"]]]
                for group in groups
                if type(group[key]) is float
            ]
        if len(self._indices) != len(groups):
            return []
        pairs: Any = zip(groups, self._indices)
        return [group[initial] * given[i] for group, i in pairs if type(group[key]) is float]

    def numbers(
        self, given: Sequence[float], position: float, groups: Sequence[ParamGroup]
    ) -> Numbers:
        """Return the λ of each driven group, of those that the distinct curves have given."""
        driven, indices = self.driven(groups)
        each = [given[index] for index in indices]

        def giver(i: int) -> str:
            return given_by(self.distinct[indices[i]])

        return Numbers(position, driven, each, {*map(type, given)}, giver)

    def driven(self, groups: Sequence[ParamGroup]) -> tuple[Sequence[ParamGroup], list[Any]]:
        """Return the groups that a curve drives, and the index of each one's curve.

        Raises:
            ValueError: there are more or fewer curves than groups, or a group has no curve.
        """
        indices = self._indices
        if isinstance(self.curves, dict):
            index_of = self._index_of
            try:
                if isinstance(groups, ObjectGroups):  # to ask each group takes longer
                    indices = [index_of[name] for name in groups.columns["name"]]
                else:
                    indices = [index_of[group["name"]] for group in groups]
            except (KeyError, TypeError):  # one of the others; TypeError: the name is a list
                indices = self._indices_by_name(groups)
        elif len(indices) != len(groups):
            raise ValueError(
                f"curve: got {len(indices)} curves for {len(groups)} param groups; "
                "give one per group, None for a group to leave alone"
            )
        if not self._leaves_out:
            return groups, indices
        pairs = [pair for pair in zip(groups, indices) if pair[1] is not None]
        return [group for group, _ in pairs], [index for _, index in pairs]

    def driven_by(self, groups: Sequence[ParamGroup]) -> list[tuple[Curve, list[ParamGroup]]]:
        """Return each distinct curve with the groups that it drives."""
        driven, indices = self.driven(groups)
        pairs = [*zip(driven, indices)]
        return [
            (curve, [group for group, index in pairs if index == i])
            for i, curve in enumerate(self.distinct)
        ]

    def _indices_by_name(self, groups: Sequence[ParamGroup]) -> list[int | None]:
        names = [group.get("name") for group in groups]
        keys = [name if isinstance(name, str) and name in self.curves else OTHERS for name in names]
        if OTHERS in keys and OTHERS not in self.curves:
            i = keys.index(OTHERS)
            if not any(isinstance(name, str) for name in names):
                raise ValueError(
                    "curve: the keys of a mapping are names of param groups, and none has "
                    "a name. Give each one: "
                    f"{{'params': ..., 'name': {next(iter(self.curves), 'a name')!r}}}"
                )
            raise ValueError(
                f"curve: param group {i} has no curve (its 'name': {names[i]!r}); add "
                + (f"{names[i]!r}, or " if isinstance(names[i], str) else "")
                + f"{OTHERS!r} for all others, with None to leave it alone"
            )
        # A name has the same curve forever, so it is looked up once.
        indices = [self._index_of[key] for key in keys]
        self._index_of.update(pair for pair in zip(names, indices) if isinstance(pair[0], str))
        return indices

    def check_names(self, groups: Sequence[ParamGroup]) -> None:
        """Raise if the mapping names a group that does not exist."""
        names = [group.get("name") for group in groups]
        for name in self.curves if isinstance(self.curves, dict) else ():
            if name == OTHERS or name in names:
                continue
            raise ValueError(
                f"curve: the mapping names a param group that does not exist, {name!r}. A group "
                f"that joins later gets the curve of {OTHERS!r}. The 'name' entries of the groups "
                f"are {names}{did_you_mean(name, names)}"
            )


def _check_curves(curves: object) -> None:
    if not isinstance(curves, (Mapping, Sequence)) or isinstance(curves, str):
        raise TypeError(
            "curve: expected a callable t -> multiple, a sequence of them, or a mapping from the "
            f"names of param groups to them, got {curves!r} ({type(curves).__name__})"
        )
    for curve in curves.values() if isinstance(curves, Mapping) else curves:
        if curve is not None and not callable(curve):
            raise TypeError(f"curve: expected callables t -> multiple or None, got {curve!r}")
    seen = set()
    for name in curves if isinstance(curves, Mapping) else ():
        if not isinstance(name, str):
            raise TypeError(
                f"curve: expected the names of param groups as keys, or {OTHERS!r} for the others, "
                f"got {name!r} ({type(name).__name__})"
            )
        if name in seen:  # a mapping that is not a dict can list a key twice
            raise ValueError(f"curve: got two curves for the param group {name!r}")
        seen.add(name)
