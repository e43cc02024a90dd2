"""A curve of any kind in words, from its arguments."""

from __future__ import annotations

import re
from typing import Any

from ..curves.curve import Product, Sum, flat
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
        isinstance(each, tuple) and any(map(callable, flat(each)))
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
