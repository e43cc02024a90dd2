"""The curve or rule of a schedule as a record in its state: data, or the text of code."""

from __future__ import annotations

import numbers
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

from ..messages import describe

if TYPE_CHECKING:
    from ..targets.driven import Curve, CurvePerGroup

# One curve is a dict (data) or a string (the text of code); several are a list or a dict of them.
Record: TypeAlias = Any

MOST_SHOWN = 600
"""The characters of a record that a message shows: a curve may have 100,000 points."""

_formats: list[tuple[Callable[[Any], dict[str, Any]], Callable[[Mapping[str, Any]], Curve]]] = []


def register_curves(
    to_dict: Callable[[Any], dict[str, Any]], from_dict: Callable[[Mapping[str, Any]], Curve]
) -> None:
    """Let the states of schedules hold a kind of curves as data.

    ``tsa_builtins`` registers its curves. A package with curves of its own can register them.

    Args:
        to_dict: takes a curve and returns a dict with a string under ``"kind"``, of numbers,
            strings, lists and dicts; raises ``TypeError`` for any other curve.
        from_dict: takes such a dict and returns the curve; raises ``TypeError``, ``ValueError`` or
            ``KeyError`` for any other dict.
    """
    _formats.append((to_dict, from_dict))


def record_of(curve: Curve | CurvePerGroup) -> Record:
    """Return ``curve`` as data, or as text if it is code."""
    return _of_each(_record_of_one, curve)


def curve_of(record: Record) -> Curve | CurvePerGroup:
    """Return the curve of a record that is data; raise ``ValueError`` if it is text."""
    curve: Curve | CurvePerGroup = _of_each(_curve_of_one, record)
    return curve


def _of_each(function: Callable[[Any], Any], given: Any) -> Any:
    """Return ``function`` of one curve or record, or of each of several; None stays None."""
    if callable(given) or _is_data(given) or not isinstance(given, (list, tuple, Mapping)):
        return None if given is None else function(given)
    if isinstance(given, Mapping):
        return {key: _of_each(function, each) for key, each in given.items()}
    return [_of_each(function, each) for each in given]


def knows_its_end(curve: Curve) -> bool:
    """True if ``curve`` is data and has turns: it can be asked there, and at any later step."""
    return hasattr(type(curve), "turns") and _is_data(_record_of_one(curve))


def curves_of(schedule: object) -> list[Any]:
    """Return the curves that ``schedule`` follows, or None for each that it has not."""
    curve = getattr(schedule, "curve", None)
    if callable(curve) or not isinstance(curve, (tuple, Mapping)):
        return [curve]
    return [*(curve.values() if isinstance(curve, Mapping) else curve)]


def turns_of(curve: object) -> tuple[float, ...]:
    """Return the steps at which ``curve`` turns, or else its boundaries, if it knows them."""
    found = getattr(curve, "turns", getattr(curve, "boundaries", ()))  # another's may be others
    if not isinstance(found, tuple) or not all(isinstance(b, numbers.Real) for b in found):
        return ()
    return found


def _record_of_one(curve: Curve) -> Record:
    for to_dict, _ in _formats:
        try:
            return to_dict(curve)
        except (TypeError, ValueError):  # not of this kind, made of a function, or too deep
            continue
    return describe(curve)


def _curve_of_one(record: Record) -> Curve:
    if not _is_data(record):
        raise ValueError(
            f"the saved curve is {record}, which is code, and a state holds only its text. Write "
            "plan='code'; if the run was replanned, call replan with that function"
        )
    reasons = []
    for _, from_dict in _formats:
        try:
            return from_dict(record)
        except (TypeError, ValueError, KeyError) as error:
            reasons.append(str(error.args[0] if error.args else error))
    raise ValueError(
        f"the saved curve {_short(record)} cannot be read: "
        f"{'; '.join(reasons) or 'import tsa_builtins, or what registers such curves'}"
    )


def _is_data(record: Record) -> bool:
    return isinstance(record, Mapping) and isinstance(record.get("kind"), str)


def has_code(record: Record) -> bool:
    """True if a record is text, or one of several is."""
    if record is None or _is_data(record):
        return False
    if isinstance(record, str):
        return True
    return any(map(has_code, record.values() if isinstance(record, Mapping) else record))


def sentence_of(entries: Mapping[str, Record]) -> str:
    """Return what a schedule follows as a reader wants to see it."""
    kind = " as absolute values" if entries["absolute"] else ""
    origin = f" from step {entries['origin']}" if entries.get("origin") else ""
    return f"{_short(_of_each(_as_text, entries['curve']))}{kind}{origin}"


def _as_text(record: Record) -> Any:
    try:
        return describe(_curve_of_one(record))
    except ValueError:  # it is text already, or not known here
        return record


def _short(record: Record) -> str:
    text = str(record)
    return text if len(text) <= MOST_SHOWN else f"{text[:MOST_SHOWN]}…"


def differ(saved: Mapping[str, Any], own: Mapping[str, Record]) -> bool:
    """True if a state follows something else than the code does."""
    return any(saved[key] != value for key, value in own.items())
