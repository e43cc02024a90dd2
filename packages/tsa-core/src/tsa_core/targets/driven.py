"""Which curve drives which param group."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

from .target import ParamGroup

Curve: TypeAlias = Callable[[float], float]
CurvePerGroup: TypeAlias = Sequence[Curve | None] | Mapping[str, Curve | None]

# In a mapping from names to curves, the key of all groups that no other key names.
OTHERS = "*"


def groups_driven_by(
    curve: Curve | CurvePerGroup, groups: Sequence[ParamGroup]
) -> list[tuple[Curve, Sequence[ParamGroup]]]:
    """Pair each distinct curve with the groups that it drives; raise if they do not fit.

    A curve of several groups stands once, so that it is called once per step. A group that is left
    alone is in no pair.
    """
    if callable(curve):
        return [(curve, groups)]
    by_curve: dict[int, tuple[Curve, list[ParamGroup]]] = {}
    for each, group in zip(_curve_of_each_group(curve, groups), groups):
        if each is not None:
            by_curve.setdefault(id(each), (each, []))[1].append(group)
    return [*by_curve.values()]


def _curve_of_each_group(curves: CurvePerGroup, groups: Sequence[ParamGroup]) -> list[Curve | None]:
    if not isinstance(curves, (Mapping, Sequence)) or isinstance(curves, str):
        raise TypeError(
            "curve: expected a callable t -> multiplier, a sequence of them, or a mapping from the "
            f"names of param groups to them, got {curves!r} ({type(curves).__name__})"
        )
    for curve in curves.values() if isinstance(curves, Mapping) else curves:
        if curve is not None and not callable(curve):
            raise TypeError(f"curve: expected callables t -> multiplier or None, got {curve!r}")
    if isinstance(curves, Mapping):
        return _curves_by_name(curves, groups)
    if len(curves) != len(groups):
        raise ValueError(
            f"curve: got {len(curves)} curves for {len(groups)} param groups; "
            "give one per group, None for a group to leave alone"
        )
    return list(curves)


def _curves_by_name(
    curves: Mapping[str, Curve | None], groups: Sequence[ParamGroup]
) -> list[Curve | None]:
    names = [group.get("name") for group in groups]
    seen = set()
    for name in curves:
        if not isinstance(name, str):
            raise TypeError(
                f"curve: expected the names of param groups as keys, or {OTHERS!r} for the others, "
                f"got {name!r} ({type(name).__name__})"
            )
        if name in seen:  # a mapping that is not a dict can list a key twice
            raise ValueError(f"curve: got two curves for the param group {name!r}")
        seen.add(name)
        if name != OTHERS and name not in names:
            texts = [each for each in names if isinstance(each, str)]
            close = difflib.get_close_matches(name, texts, n=1)
            hint = f"; did you mean {close[0]!r}?" if close else ""
            raise ValueError(
                f"curve: the mapping names a param group that does not exist, {name!r}; the "
                f"'name' entries of the groups are {names}{hint}"
            )
    keys = [name if isinstance(name, str) and name in seen else OTHERS for name in names]
    if OTHERS in keys and OTHERS not in seen:
        i = keys.index(OTHERS)
        raise ValueError(
            f"curve: param group {i} has no curve (its 'name': {names[i]!r}); add "
            + (f"{names[i]!r}, or " if isinstance(names[i], str) else "")
            + f"{OTHERS!r} for all others, with None to leave it alone"
        )
    return [curves[key] for key in keys]
