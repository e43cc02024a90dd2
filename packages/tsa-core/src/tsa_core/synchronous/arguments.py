"""The arguments of a ``SynchronousSchedule``'s step, by the names that its members use."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .member import Member


def named_arguments(
    members: Sequence[Member], args: Sequence[Any], kwargs: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the arguments by name, without those that are None; raise if no member takes one.

    ``members`` are those without a clock. By position, metrics come first if a member takes them,
    then the epoch.
    """
    takers = [member.name for member in members if member.arguments.take("metrics")]
    names = ("metrics", "epoch") if takers else ("epoch",)
    usage = "call step() or step(epoch)" + (
        f", with the metrics of {takers} before it" if takers else ": none takes metrics"
    )
    if not members:
        usage = "the clock says the position; call step()"
    if len(args) > len(names):
        raise TypeError(f"step: too many positional arguments; {usage}")
    given = dict(zip(names, args))
    for name, value in kwargs.items():
        if name in given:
            raise TypeError(f"step: got multiple values for argument {name!r}; {usage}")
        if name not in names and not any(member.arguments.take(name) for member in members):
            raise TypeError(f"step: got an unexpected keyword argument {name!r}; {usage}")
        given[name] = value
    given = {name: value for name, value in given.items() if value is not None}
    if given and not members:
        raise TypeError(f"step: got {[*given]}, and {usage}")
    return given
