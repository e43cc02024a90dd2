"""Curves as plain dicts, and back: for the record of a run, and for JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ._combinations import Clip, Delay, Join, Repeat
from ._curve import Constant, Curve, CurveLike, Product
from ._piecewise import PiecewiseConstant, PiecewiseLinear
from ._primitives import (
    Cosine,
    Exponential,
    InverseSqrt,
    Linear,
    OneMinusSqrt,
    Polynomial,
    QuarterCosine,
)

_KINDS: dict[str, Any] = {
    kind.__name__: kind
    for kind in (
        Clip,
        Constant,
        Cosine,
        Delay,
        Exponential,
        InverseSqrt,
        Join,
        Linear,
        OneMinusSqrt,
        PiecewiseConstant,
        PiecewiseLinear,
        Polynomial,
        Product,
        QuarterCosine,
        Repeat,
    )
}


def to_dict(curve: CurveLike) -> dict[str, Any]:
    """``curve`` as a dict of strings, numbers and lists, which JSON and any other format can hold.

    ``"kind"`` is the name of its class, and the other entries are what it was made from, curves
    within it as such dicts again.

    Args:
        curve: one of the curves here, made of curves from here.

    Raises:
        TypeError: it is, or has within it, another callable, which is code and not data.

    Example:
        >>> from tsa_builtins.curves import Linear, to_dict
        >>> to_dict(Linear(0.0, 1.0, 10))
        {'kind': 'Linear', 'start': 0.0, 'end': 1.0, 'steps': 10}
    """
    kind = type(curve)
    if _KINDS.get(kind.__name__) is not kind:
        raise TypeError(
            f"{curve!r} ({kind.__name__}) is no curve of tsa_builtins.curves, and cannot be "
            "written as data; put the parts there together instead, or record it by a name of yours"
        )
    entries = {name: _plain(getattr(curve, name)) for name in kind._made_from}
    return {"kind": kind.__name__, **entries}


def from_dict(record: Mapping[str, Any]) -> Curve:
    """The curve that :func:`to_dict` made ``record`` from, or JSON gave back.

    Args:
        record: ``"kind"``, and exactly the entries of that kind.

    Raises:
        TypeError: it is no mapping, or an entry is of a wrong type.
        ValueError: it has no kind or an unknown one, an entry is missing or unknown, or a value is
            out of its range.

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
    if not isinstance(name, str) or name not in _KINDS:
        raise ValueError(f"record: expected a kind among {sorted(_KINDS)}, got {name!r}")
    expected, given = set(_KINDS[name]._made_from), set(record) - {"kind"}
    if given != expected:
        raise ValueError(
            f"record of a {name}: missing {sorted(expected - given)}, "
            f"unknown {sorted(map(str, given - expected))}"
        )
    curve: Curve = _KINDS[name](**{key: _curves(record[key]) for key in expected})
    return curve


def _plain(value: Any) -> Any:
    if callable(value):
        return to_dict(value)
    return [_plain(element) for element in value] if isinstance(value, tuple) else value


def _curves(value: Any) -> Any:
    if isinstance(value, Mapping):
        return from_dict(value)
    return [_curves(element) for element in value] if isinstance(value, list) else value
