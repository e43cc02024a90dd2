"""Curves as plain dicts, and back: for plans, for the record of a run, and for JSON."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ..checks import (
    check_entries,
    check_level,
    check_name,
    check_size,
    entry,
    errors_at,
    flag,
    item,
    mapping,
    number,
    numbers,
    sequence,
    shown,
)
from .curve import Curve, CurveLike
from .value import KINDS, Value, argument_names, argument_types, arguments, needed_arguments

__all__ = ["from_dict", "to_dict"]


def to_dict(curve: CurveLike) -> dict[str, Any]:
    """``curve`` as a dict of strings, numbers and lists, which JSON and any other format can hold.

    ``"kind"`` is the kind of the curve. The other entries are its arguments. Curves among these
    arguments are such dicts again.

    Args:
        curve: a curve of this package, made of curves of this package.

    Raises:
        TypeError: ``curve`` is or contains any other callable, which is code and not data.
        ValueError: the dict would be nested more than 200 deep, which ``from_dict`` refuses.

    Example:
        >>> from tsa_builtins.curves import Linear, to_dict
        >>> to_dict(Linear(0.0, 1.0, 10))
        {'kind': 'Linear', 'start': 0.0, 'end': 1.0, 'steps': 10}
    """
    return record_of(curve)


def record_of(curve: CurveLike, by_step: bool = False, level: int = 1) -> dict[str, Any]:
    """``curve`` as a dict, as :func:`to_dict` makes it.

    With ``by_step``, values at steps are a mapping from the steps, which a person reads with more
    ease. Its keys are strings, as in JSON.
    """
    name = type(curve).__name__
    if not isinstance(curve, Value):
        raise TypeError(
            f"{curve!r} ({name}) is not a curve of tsa_builtins.curves, so it cannot be written "
            "as data. Combine the curves there instead, or record it under a name of your own."
        )
    check_level(f"a {name}", level)
    types = argument_types(type(curve))
    record: dict[str, Any] = {"kind": name}
    for key, value in arguments(curve).items():
        if by_step and types[key] in BY_STEP:
            record[key] = {repr(step): _plain(each, by_step, level + 1) for step, each in value}
        else:
            record[key] = _plain(value, by_step, level)
    return record


def _plain(value: Any, by_step: bool, level: int) -> Any:
    if callable(value):
        return record_of(value, by_step, level + 1)
    if isinstance(value, tuple):
        return [_plain(element, by_step, level + 1) for element in value]
    return value


def from_dict(record: Mapping[str, Any]) -> Curve:
    """The curve that :func:`to_dict` made ``record`` from.

    A record can be written by hand, or come from any parser. ``points``, and the ``curves`` of a
    ``Switch``, are a mapping from steps, or a list of pairs. In a mapping a step may be a string,
    as in JSON.

    Args:
        record: ``"kind"``, and the entries of that kind. An argument with a default, such as
            ``growth`` of a ``Repeat``, may be left out.

    Raises:
        TypeError: ``record`` is not a mapping, or an entry has the wrong type.
        ValueError: the kind is missing or unknown, or an entry is.
        ValueError: a value is out of its range.
        ValueError: ``record`` is nested more than 200 deep, or has more than a million values.

    The message begins with the path of the wrong entry, such as ``curves[1].steps``.

    Example:
        >>> from tsa_builtins.curves import from_dict
        >>> from_dict({"kind": "Linear", "start": 0.0, "end": 1.0, "steps": 10})
        Linear(start=0.0, end=1.0, steps=10)
        >>> from_dict({"kind": "Piecewise", "points": {"0": 1.0, "30": [0.1, "Cosine"]}})
        Piecewise({0: 1.0, 30: (0.1, 'Cosine')})
    """
    check_size("record", record)
    return CurveReader().curve_at("", record)


class CurveReader:
    """Makes curves of records; a record that stands at several places is read once.

    YAML has aliases. A few lines of them, each with two of the line before, are millions of curves
    if each place is read by itself.
    """

    def __init__(self) -> None:
        # By the identity of the record, which is kept alive.
        self._made: dict[int, tuple[object, Curve]] = {}
        self._readers: Mapping[str, Callable[[str, object], Any]] = {
            **READERS,
            "CurveLike": self.curve_at,
            "Iterable[CurveLike]": _list_of(self.curve_at, "curves"),
            "Iterable[CurveLike | float]": _list_of(self._curve_or_number, "curves and numbers"),
            "CurveByStep": _by_step(self.curve_at),
        }

    def curve_at(self, path: str, record: object) -> Curve:
        """The curve of ``record``; errors begin with ``path``."""
        if id(record) not in self._made:
            self._made[id(record)] = (record, self._read(path, record))
        return self._made[id(record)][1]

    def _read(self, path: str, record: Any) -> Curve:
        if callable(record):
            raise TypeError(
                f"{path or 'record'}: expected data, got {shown(record)}; write a dict such as "
                "curves.to_dict makes of a curve"
            )
        what = "a dict such as {'kind': 'Linear', 'start': 1, ...}"
        record = mapping(path or "record", record, what)
        if "kind" not in record:
            raise ValueError(f"{path or 'record'}: a curve needs 'kind', one of {sorted(KINDS)}")
        at_kind = entry(path, "kind")
        name = check_name(at_kind, record["kind"], KINDS, "a kind of curve")
        kind = KINDS[name]
        names = argument_names(kind)
        given = [key for key in record if key != "kind"]
        check_entries(path, given, names, needed_arguments(kind), f"a {name}")
        types = argument_types(kind)
        taken = {key: self._readers[types[key]](entry(path, key), record[key]) for key in given}
        make: Any = kind
        with errors_at(path, names):
            curve: Curve = make(**taken)
        return curve

    def _curve_or_number(self, path: str, value: object) -> Any:
        return self.curve_at(path, value) if isinstance(value, Mapping) else number(path, value)


def _list_of(read: Callable[[str, object], Any], what: str) -> Callable[[str, object], list[Any]]:
    def read_list(path: str, value: object) -> list[Any]:
        return [read(item(path, i), each) for i, each in enumerate(sequence(path, value, what))]

    return read_list


def _by_step(read: Callable[[str, object], Any]) -> Callable[[str, object], list[Any]]:
    """Read a mapping from steps, or a list of pairs, each value by ``read``."""

    def read_pairs(path: str, value: object) -> list[tuple[float, Any]]:
        if isinstance(value, Mapping):
            return [
                (_step(entry(path, key), key), read(entry(path, key), each))
                for key, each in value.items()
            ]
        pairs = []
        for i, pair in enumerate(sequence(path, value, "[step, value] pairs, or a dict")):
            at_pair = item(path, i)
            if len(sequence(at_pair, pair, "a step and a value")) != 2:
                raise TypeError(f"{at_pair}: expected a pair [step, value], got {shown(pair)}")
            pairs.append((number(item(at_pair, 0), pair[0]), read(item(at_pair, 1), pair[1])))
        return pairs

    return read_pairs


def shape(path: str, value: object) -> Any:
    """Read the name of a shape, alone or in a list with its own numbers."""
    if isinstance(value, str) or not isinstance(value, Sequence):
        return value
    return tuple(number(item(path, i), each) if i else each for i, each in enumerate(value))


def _point(path: str, value: object) -> Any:
    """Read a value, alone or with a shape: ``[value, "Polynomial", exponent]``."""
    if isinstance(value, str) or not isinstance(value, Sequence):
        return number(path, value)
    return tuple(each if i == 1 else number(item(path, i), each) for i, each in enumerate(value))


def _step(path: str, key: object) -> float:
    """Return the key of a point as a number: JSON and TOML have strings as keys."""
    if isinstance(key, str):
        with contextlib.suppress(ValueError):
            return int(key)
        with contextlib.suppress(ValueError):
            key = float(key)
    return number(path, key)


BY_STEP = {"CurveByStep", "Levels", "Points"}
"""The types of arguments that are values at steps."""

READERS: Mapping[str, Callable[[str, object], Any]] = {
    "float": number,
    "bool": flag,
    "Iterable[float]": numbers,
    "Levels": _by_step(number),
    "Points": _by_step(_point),
}
"""How an argument is read, by the type that the constructor declares.

The arguments that are curves are in :class:`CurveReader`.
"""
