"""Numbers and data, checked, with the name or path of what is wrong."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from numbers import Integral, Real
from typing import Any

MOST_LEVELS = 200
"""How deep dicts and lists may be nested. Python ends a recursion at some 1000 calls."""
MOST_VALUES = 1_000_000
"""How many values data may have, if each alias of YAML counts each time that it appears."""
MOST_DICTS = 20_000
"""How many of them may be dicts, each of which is a curve or a schedule to make."""

# The attribute of an error that says that its message begins with a path already.
_HAS_PATH = "_has_path"


def entry(path: str, key: object) -> str:
    """Return the path of an entry: ``lr`` and ``curve`` give ``lr.curve``."""
    return f"{path}.{key}" if path else str(key)


def item(path: str, i: int) -> str:
    """Return the path of an element: ``lr.curves[0]``."""
    return f"{path}[{i}]"


def shown(value: object) -> str:
    """Return ``value`` and its type as an error shows them, cut short if it is long."""
    text = repr(value)
    return f"{text if len(text) <= 80 else text[:77] + '...'} ({type(value).__name__})"


def closest(name: object, names: Iterable[str]) -> str | None:
    """Return the name that was probably meant, or None."""
    import difflib  # no other import needs it, and most plans have no misspelt name

    lowered = {each.lower(): each for each in names}
    found = difflib.get_close_matches(str(name).lower(), lowered, n=1)
    return lowered[found[0]] if found else None


def instead(name: object, names: Collection[str]) -> str:
    """Return the end of an error about ``name``: the close match, or the list of names."""
    match = closest(name, names)
    return f"did you mean {match!r}?" if match else f"expected one of {sorted(names)}"


def check_name(path: str, name: object, names: Collection[str], what: str) -> str:
    """Return ``name``, if it is among ``names``; an error calls it ``what``."""
    if not isinstance(name, str):
        raise TypeError(f"{path}: expected the name of {what}, got {shown(name)}")
    if name not in names:
        raise ValueError(f"{path}: {name!r} is not {what}; {instead(name, names)}")
    return str.__str__(name)


def check_entries(
    path: str, given: Iterable[object], allowed: Collection[str], needed: Iterable[str], what: str
) -> None:
    """Raise unless ``given`` are among ``allowed``, and have all that are ``needed``."""
    given = [*given]
    free = [name for name in allowed if name not in given]
    for key in given:
        if key not in allowed:
            match = closest(key, free)
            hint = f"did you mean {match!r}?" if match else f"it has {_listed(allowed)}"
            raise ValueError(f"{entry(path, key)}: {what} has no such entry; {hint}")
    missing = [name for name in needed if name not in given]
    if missing:
        raise ValueError(f"{path or 'record'}: {what} needs {_listed(missing)}")


def _listed(names: Iterable[str]) -> str:
    return ", ".join(map(repr, names)) or "no entries"


def mapping(path: str, value: object, what: str, remedy: str = "") -> dict[Any, Any]:
    """Return the entries of ``value`` in a dict of our own; ``remedy`` ends the error."""
    if not isinstance(value, Mapping):
        raise TypeError(f"{path}: expected {what}, got {shown(value)}{remedy}")
    entries = {}
    for key in value:  # OmegaConf lists an entry that is not set, ???, and raises when it is read
        with errors_at(entry(path, key)):
            entries[key] = value[key]
    return entries


def sequence(path: str, value: object, what: str) -> Sequence[Any]:
    """Return ``value``, if it is a list of ``what``."""
    if isinstance(value, (str, bytes)) or not isinstance(value, Sequence):
        raise TypeError(f"{path}: expected a list of {what}, got {shown(value)}")
    return value


def check_size(path: str, value: object, levels_around: int = 0) -> None:
    """Raise if data is nested too deep, even in itself, or has too many values.

    Each object is looked at once, however often it stands there. ``levels_around`` more levels are
    allowed.
    """
    sizes: dict[int, tuple[int, int, int, object]] = {}  # with the object, to keep it alive

    def size_of(value: Any, level: int) -> tuple[int, int, int, object]:
        """Return the number of values, of dicts and of levels in ``value``."""
        is_dict = isinstance(value, Mapping)
        if not is_dict and (isinstance(value, (str, bytes)) or not isinstance(value, Sequence)):
            return 1, 0, 0, None
        if id(value) not in sizes:
            check_level(path, level - levels_around)
            values, dicts, levels = 1, int(is_dict), 0
            for key in value if is_dict else range(len(value)):
                try:
                    each = value[key]
                except Exception:  # OmegaConf's ???: the reader says so, with the path
                    continue
                more_values, more_dicts, levels_inside, _ = size_of(each, level + 1)
                values, dicts = values + more_values, dicts + more_dicts
                levels = max(levels, levels_inside)
            sizes[id(value)] = (values, dicts, levels + 1, value)
        values, dicts, levels, _ = sizes[id(value)]
        check_level(path, level + levels - 1 - levels_around)
        for count, most, what in (values, MOST_VALUES, "values"), (dicts, MOST_DICTS, "dicts"):
            if count > most:
                raise ValueError(
                    f"{path}: expected at most {most:,} {what}, got {count:,}. Each alias counts "
                    "each time that it appears"
                )
        return sizes[id(value)]

    size_of(value, 1)


def check_level(path: str, level: int) -> None:
    """Raise if ``level`` is too deep."""
    if level > MOST_LEVELS:
        raise ValueError(
            f"{path}: nested more than {MOST_LEVELS} deep; write curves side by side, such as "
            "join([a, b, c], [10, 20]) in place of join([join([a, b], [10]), c], [20])"
        )


def flag(path: str, value: object) -> bool:
    """Return ``value``, if it is a bool."""
    if not isinstance(value, bool):
        raise TypeError(f"{path}: expected true or false, got {shown(value)}")
    return value


def number(path: str, value: object) -> float:
    """Return ``value``, if it is a finite number; a number that came as text gets a hint."""
    if isinstance(value, str):
        written = as_yaml_number(value)
        hint = f"; write {written} without quotes" if written else ""
        if written and "e" in written and written != value:
            hint = f". YAML reads {value} as text; write {written}"
        raise TypeError(f"{path}: expected a number, got the text {value!r}{hint}")
    return finite(path, value)


def numbers(path: str, value: object) -> list[float]:
    """Return ``value``, if it is a list of numbers."""
    return [number(item(path, i), each) for i, each in enumerate(sequence(path, value, "numbers"))]


def as_yaml_number(text: str) -> str | None:
    """Return the number in ``text`` as every YAML parser reads it; None if it is not one.

    YAML 1.1 demands a point and a sign: ``1e3`` is text, ``1.0e+3`` is a number.
    """
    found = re.fullmatch(r"\s*([-+]?)(\d+)(\.\d*)?(?:[eE]([-+]?)(\d+))?\s*", text)
    if found is None:
        return None
    sign, whole, fraction, sign_of_power, power = found.groups()
    if power is None:
        return f"{sign}{whole}{fraction or ''}"
    if fraction in (None, "."):
        fraction = ".0"
    return f"{sign}{whole}{fraction}e{sign_of_power or '+'}{power}"


@contextmanager
def errors_at(path: str, arguments: Collection[str] = ()) -> Iterator[None]:
    """Put ``path`` before the message of an error of the body.

    If the message begins with the name of one of the ``arguments``, it is the path's last part.
    """
    try:
        yield
    except Warning:  # a warning that a filter made an error is not about the data
        raise
    except Exception as error:
        if getattr(error, _HAS_PATH, False):
            raise
        message = str(error.args[0] if error.args else error)
        names_argument = message.partition(":")[0] in arguments
        if path:
            message = entry(path, message) if names_argument else f"{path}: {message}"
        kinds = (TypeError, KeyError, RuntimeError, ValueError)
        kind = next((kind for kind in kinds if isinstance(error, kind)), ValueError)
        raise with_path(kind(message)) from error


def with_path(error: Exception) -> Exception:
    """Return ``error``, whose message begins with a path: :func:`errors_at` adds no other."""
    setattr(error, _HAS_PATH, True)
    return error


# -- numbers of curves and built-ins ---------------------------------------------------------------


def finite(name: str, value: object) -> float:
    """``value`` as a Python number if it is real and finite; else an error with ``name``."""
    if isinstance(value, bool) or not isinstance(value, Real):
        raise TypeError(
            f"{name}: expected a finite real number, got {value!r} ({type(value).__name__})"
        )
    try:
        number = float(value)
    except OverflowError:  # an int or a fraction beyond every float
        number = math.inf
    if not math.isfinite(number):
        raise ValueError(f"{name}: expected a finite real number, got {value!r}")
    return int(value) if isinstance(value, Integral) else number


def at_least_zero(name: str, value: object) -> float:
    """Return ``value`` as :func:`finite` does, if it is 0 or more."""
    number = finite(name, value)
    if number < 0:
        raise ValueError(f"{name}: expected 0 or more, got {value!r}")
    return number


def positive(name: str, value: object) -> float:
    """Return ``value`` as :func:`finite` does, if it is above 0."""
    number = finite(name, value)
    if number <= 0:
        raise ValueError(f"{name}: expected more than 0, got {value!r}")
    return number


def within_reach(name: str, value: float, other_name: str, other: float) -> None:
    """Raise if the way from ``other`` to ``value`` is longer than any float."""
    if abs(float(value) - float(other)) == math.inf:
        raise ValueError(
            f"{name}: expected a number less than 1.8e308 away from {other_name} = {other!r}, "
            f"got {value!r}"
        )
