"""A curve of any kind in words, and the steps at which it turns: both from its arguments."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from ..curves.curve import Product, Sum, boundaries_of
from ..curves.value import Value, argument_names, arguments

PHRASES = {
    "start": "from {}",
    "end": "to {}",
    "value": "at {}",
    "steps": "over {} steps",
    "Clip.low": "at least {}",
    "Clip.high": "at most {}",
    "Delay.steps": "{} steps later",
    "Repeat.steps": "again every {} steps",
    "Staircase.every": "in stairs of {} steps",
    "Stretch.factor": "{} times as slow",
}
"""The words for arguments of curves. Any other has its name: ``exponent 2``."""

LENGTHS = ("steps", "timescale")
"""The arguments at whose step a shape has come to its end, or is well under way."""


def number(value: float) -> str:
    """Return ``value`` as people write it, to six digits."""
    return f"{value + 0.0:.6g}"  # 0.0 for -0.0


def step_number(t: float) -> str:
    """Return a step in full, however large."""
    return str(int(t)) if t == int(t) else f"{t:.12g}"


def spaced(name: str) -> str:
    """Return the name of a kind or an argument as words: ``one minus sqrt``."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])|_", " ", name).lower()


def in_words(curve: Any) -> str:
    """Return ``curve`` in words: ``linear from 0 to 1 over 20 steps``."""
    if not isinstance(curve, Value):
        return number(curve) if isinstance(curve, (int, float)) else repr(curve)
    kind, given = type(curve).__name__, arguments(curve)
    if isinstance(curve, (Product, Sum)):
        word = " times " if isinstance(curve, Product) else " plus "
        return word.join(map(_in_brackets, *given.values()))
    if kind == "Join":
        return _one_after_the_other(zip((0, *given["boundaries"]), given["curves"]))
    if kind == "Switch":
        return f"on the clock of the run, {_one_after_the_other(given['curves'])}"
    names, values = argument_names(type(curve)), type(curve).__init__.__defaults__ or ()
    defaults = dict(zip(reversed(names), reversed(values)))
    inner, phrases, others = "", [], []
    for name, value in given.items():
        phrase = PHRASES.get(f"{kind}.{name}", PHRASES.get(name))
        if callable(value):
            inner = _in_brackets(value)
        elif name in defaults and value == defaults[name]:
            continue
        elif isinstance(value, tuple):  # points: a value at each step, perhaps with a shape
            phrases.append("through " + ", ".join(_point(step, point) for step, point in value))
        elif phrase is not None:
            phrases.append(phrase.format(number(value)))
        else:
            others.append(spaced(name) if value is True else f"{spaced(name)} {number(value)}")
    if not inner:
        return ", ".join([" ".join([spaced(kind), *phrases]), *others])
    is_known = any(name.startswith(f"{kind}.") for name in PHRASES)
    return ", ".join([inner if is_known else f"{spaced(kind)} of {inner}", *phrases, *others])


def _in_brackets(curve: Any) -> str:
    """Return the words of a curve inside another, in brackets if it is made of several."""
    several = isinstance(curve, Value) and any(
        isinstance(each, tuple) and any(map(callable, _flat(each)))
        for each in arguments(curve).values()
    )
    return f"({in_words(curve)})" if several else in_words(curve)


def _one_after_the_other(parts: Any) -> str:
    first, *others = ((start, in_words(part)) for start, part in parts)
    return "; ".join([first[1], *(f"from step {step_number(t)}: {text}" for t, text in others)])


def _point(step: float, point: Any) -> str:
    value, *shape = point if isinstance(point, tuple) else (point,)
    by = [f" by {spaced(name)}" for name in shape[:1]] + [f" {number(each)}" for each in shape[1:]]
    return f"{number(value)} at step {step_number(step)}{''.join(by)}"


def _flat(values: Any) -> Iterator[Any]:
    for each in values:
        yield from _flat(each) if isinstance(each, tuple) else (each,)


# -- the steps at which a curve turns --------------------------------------------------------------


def turns(curve: Any) -> list[float]:
    """Return the steps > 0 at which ``curve`` goes on along another formula, or has come to rest.

    Of a ``Repeat``, which turns forever, they are those of the first cycle.
    """
    return sorted({t for t in _turns(curve) if 0 < t < math.inf})


def _turns(curve: Any) -> Iterator[float]:
    if not isinstance(curve, Value):
        return
    given = arguments(curve)
    own = TURNS.get(type(curve).__name__)
    if own is not None:
        yield from own(given)
        return
    yield from boundaries_of(curve)  # type: ignore[arg-type]  # a value that is a curve
    yield from (given[name] for name in LENGTHS if name in given)
    for each in _flat(given.values()):
        yield from _turns(each)


def _turns_of_parts(parts: Any, from_its_own_0: bool) -> Iterator[float]:
    pairs = [*parts]
    ends = [start for start, _ in pairs[1:]] + [math.inf]
    for (start, part), end in zip(pairs, ends):
        yield start
        origin = start if from_its_own_0 else 0
        yield from (t for t in (origin + t for t in _turns(part)) if start < t <= end)


TURNS: Mapping[str, Callable[[Mapping[str, Any]], Iterator[float]]] = {
    "Join": lambda a: _turns_of_parts(zip((0, *a["boundaries"]), a["curves"]), True),
    "Switch": lambda a: _turns_of_parts(a["curves"], False),
    "Delay": lambda a: iter([a["steps"], *(t + a["steps"] for t in _turns(a["curve"]))]),
    "Stretch": lambda a: (t * a["factor"] for t in _turns(a["curve"])),
    "Staircase": lambda a: (math.ceil(t / a["every"]) * a["every"] for t in _turns(a["curve"])),
    "Repeat": lambda a: iter([a["steps"], *(t for t in _turns(a["curve"]) if t < a["steps"])]),
}
"""The curves that move the steps of others, by kind. Any other has its own and theirs."""
