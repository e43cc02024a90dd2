"""Stand-ins for an optimizer: they present one target as ``lr`` to schedulers that know only it."""

from __future__ import annotations

from typing import Any

from .target import Target


class StandIn:
    """The base of :class:`ProxyOptimizer`, for rooms that only have to look behind it."""

    optimizer: Any
    """The real optimizer."""
    target: Target
    """The entry that is presented as ``lr``."""

    def check_groups(self) -> None:
        """Raise now if the groups changed in a way that the next step cannot follow.

        A torch scheduler advances its position before it looks at the groups.
        """


def behind(optimizer: Any, target: Target) -> tuple[Any, Target]:
    """Return the real optimizer and the real target of a schedule that was put on ``optimizer``."""
    if not isinstance(optimizer, StandIn):
        return optimizer, target
    if target.name != "lr":
        refuse_stand_in(optimizer)
    return optimizer.optimizer, optimizer.target


def refuse_stand_in(optimizer: object) -> None:
    """Raise if ``optimizer`` is a proxy: it presents one entry, and has no others to schedule."""
    if isinstance(optimizer, StandIn):
        raise ValueError(
            f"optimizer: {optimizer!r} is a proxy already; build the scheduler on it directly, or "
            "schedule another entry on the optimizer behind it"
        )
