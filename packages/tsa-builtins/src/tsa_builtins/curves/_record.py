"""Curves as plain dicts, and back: for the record of a run, and for JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ._curve import Curve, CurveLike
from ._value import KINDS, Value, argument_names, arguments


def to_dict(curve: CurveLike) -> dict[str, Any]:
    """``curve`` as a dict of strings, numbers and lists, which JSON and any other format can hold.

    ``"kind"`` says which kind of curve it is. The other entries are the arguments that it was made
    from. Curves among them are such dicts again.

    Args:
        curve: a curve of this package, made of curves of this package.

    Raises:
        TypeError: ``curve`` is or contains any other callable. That is code, and not data.

    Example:
        >>> from tsa_builtins.curves import Linear, to_dict
        >>> to_dict(Linear(0.0, 1.0, 10))
        {'kind': 'Linear', 'start': 0.0, 'end': 1.0, 'steps': 10}
    """
    name = type(curve).__name__
    if not isinstance(curve, Value):
        raise TypeError(
            f"{curve!r} ({name}) is not a curve of tsa_builtins.curves, so it cannot be written "
            "as data. Combine the curves there instead, or record it under a name of your own."
        )
    return {"kind": name, **{key: _plain(value) for key, value in arguments(curve).items()}}


def from_dict(record: Mapping[str, Any]) -> Curve:
    """The curve that :func:`to_dict` made ``record`` from.

    Args:
        record: ``"kind"``, and exactly the entries of that kind.

    Raises:
        TypeError: ``record`` is not a mapping, or an entry has the wrong type.
        ValueError: the kind is missing or unknown, or an entry is.
        ValueError: a value is out of its range.

    Example:
        >>> from tsa_builtins.curves import from_dict
        >>> from_dict({"kind": "Linear", "start": 0.0, "end": 1.0, "steps": 10})
        Linear(start=0.0, end=1.0, steps=10)
    """
    if not isinstance(record, Mapping):
        raise TypeError(
            f"record: expected a dict such as to_dict makes, got {record!r} "
            f"({type(record).__name__})"
        )
    name = record.get("kind")
    if not isinstance(name, str) or name not in KINDS:
        raise ValueError(f"record: expected a kind among {sorted(KINDS)}, got {name!r}")
    expected, given = set(argument_names(KINDS[name])), set(record) - {"kind"}
    if given != expected:
        raise ValueError(
            f"record of a {name}: missing {sorted(expected - given)}, "
            f"unknown {sorted(map(str, given - expected))}"
        )
    make: Any = KINDS[name]
    curve: Curve = make(**{key: _curves(record[key]) for key in expected})
    return curve


def _plain(value: Any) -> Any:
    if callable(value):
        return to_dict(value)
    return [_plain(element) for element in value] if isinstance(value, tuple) else value


def _curves(value: Any) -> Any:
    if isinstance(value, Mapping):
        return from_dict(value)
    return [_curves(element) for element in value] if isinstance(value, list) else value
