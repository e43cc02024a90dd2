"""The built-ins by name, how they are put on an optimizer, and what a plan can give them."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, ParamSpec

from tsa_core import CurveSchedule
from tsa_core.messages import warn_user

from ..curves import Curve
from .described import described
from .doubts import doubts_about

P = ParamSpec("P")

BUILT_INS: dict[str, Callable[..., Any]] = {}
"""Every built-in by its name. The decorator enters it where it is defined."""

STEP_ARGUMENTS = frozenset({"num_warmup_steps", "num_decay_steps", "num_training_steps"})
"""The arguments that are steps, in the unit of ``step()``. Stretching a plan multiplies them."""


def built_in(curve_of: Callable[P, Curve]) -> Callable[P, CurveSchedule]:
    """Make a built-in of a function from its arguments to a curve: it puts the curve on a target.

    It takes the arguments of :class:`tsa_core.CurveSchedule` too, and describes all of them.
    """
    name = curve_of.__name__

    @functools.wraps(curve_of)
    def put(*args: P.args, **kwargs: P.kwargs) -> CurveSchedule:
        curve = curve_of(*args, **kwargs)
        given = inspect.signature(curve_of).bind(*args, **kwargs)
        given.apply_defaults()
        # A warning may raise, so it comes first: then nothing has moved.
        for doubt in doubts_about(given.arguments):
            warn_user(f"{name}: {doubt}")
        optimizer, target, absolute, where = map(given.arguments.get, _OF_EVERY_SCHEDULE)
        return CurveSchedule(optimizer, curve, target, absolute=absolute, where=where)  # type: ignore[arg-type]  # it checks them

    # inspect.signature follows put to curve_of, and shows what put returns.
    curve_of.__annotations__["return"] = CurveSchedule
    put.__annotations__ = curve_of.__annotations__
    if curve_of.__doc__:  # None under python -OO
        put.__doc__ = described(name, curve_of.__doc__, curve_of.__annotations__)
    BUILT_INS[name] = put
    return put


_OF_EVERY_SCHEDULE = ("optimizer", "schedule_target", "absolute", "where")


def plan_arguments(built_in: Callable[..., Any]) -> dict[str, inspect.Parameter]:
    """Return the arguments that a plan can give: those that are data, without the target."""
    return {
        name: parameter
        for name, parameter in inspect.signature(built_in).parameters.items()
        if name not in ("optimizer", "schedule_target", "where")
    }
