"""The steps at which a curve turns: where its pieces meet, and where they come to rest."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from .value import Value, arguments

LENGTHS = ("steps", "timescale")
"""The arguments at whose step a shape has come to its end, or is well under way."""


def turns_of(curve: object) -> tuple[float, ...]:
    """The steps > 0 at which ``curve``, or one in it, takes another formula or comes to rest.

    Of a ``Repeat``, which turns forever, they are those of the first cycle.
    """
    return tuple(sorted({t for t in _turns(curve) if 0 < t < math.inf}))


def flat(values: Any) -> Iterator[Any]:
    for each in values:
        yield from flat(each) if isinstance(each, tuple) else (each,)


def _turns(curve: object) -> Iterator[float]:
    if not isinstance(curve, Value):  # somebody's callable may know its boundaries
        known = getattr(curve, "boundaries", ())
        if isinstance(known, tuple):
            yield from (t for t in known if isinstance(t, (int, float)))
        return
    given = arguments(curve)
    own = TURNS.get(type(curve).__name__)
    if own is not None:
        yield from own(given)
        return
    yield from getattr(curve, "boundaries", ())
    yield from (given[name] for name in LENGTHS if name in given)
    for each in flat(given.values()):
        yield from _turns(each)


def _turns_of_parts(parts: Any, from_its_own_0: bool) -> Iterator[float]:
    pairs = [*parts]
    ends = [start for start, _ in pairs[1:]] + [math.inf]
    for (start, part), end in zip(pairs, ends):
        yield start
        origin = start if from_its_own_0 else 0
        yield from (t for t in (origin + t for t in _turns(part)) if start < t <= end)


def next_stair(t: float, every: float) -> float:
    """The first step ≥ t at which a stair of ``every`` steps begins."""
    # The number of the stair is infinite if ``every`` is too short for any float.
    return math.ceil(t / every) * every if t / every < math.inf else t


TURNS: Mapping[str, Callable[[Mapping[str, Any]], Iterator[float]]] = {
    "Join": lambda a: _turns_of_parts(zip((0, *a["boundaries"]), a["curves"]), True),
    "Switch": lambda a: _turns_of_parts(a["curves"], False),
    "Delay": lambda a: iter([a["steps"], *(t + a["steps"] for t in _turns(a["curve"]))]),
    "Stretch": lambda a: (t * a["factor"] for t in _turns(a["curve"])),
    "Staircase": lambda a: (next_stair(t, a["every"]) for t in _turns(a["curve"])),
    "Repeat": lambda a: iter([a["steps"], *(t for t in _turns(a["curve"]) if t < a["steps"])]),
}
"""The curves that move the steps of others, by kind. Any other has its own and theirs."""
