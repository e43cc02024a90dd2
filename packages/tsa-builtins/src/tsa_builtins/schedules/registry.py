"""The built-ins by name, how they are put on an optimizer, and what a plan can give them."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, NamedTuple, ParamSpec

from tsa_core import CurveSchedule
from tsa_core.warnings_ import warn_user

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
    name, signature = curve_of.__name__, inspect.signature(curve_of)

    @functools.wraps(curve_of)
    def put(*args: P.args, **kwargs: P.kwargs) -> CurveSchedule:
        curve = curve_of(*args, **kwargs)
        given = signature.bind(*args, **kwargs)
        given.apply_defaults()
        # A warning may raise, so it comes first: then nothing has moved.
        for doubt in doubts_about(given.arguments):
            warn_user(f"{name}: {doubt}")
        optimizer, target, absolute, where = map(given.arguments.get, _OF_EVERY_SCHEDULE)
        return CurveSchedule(optimizer, curve, target, absolute=absolute, where=where)  # type: ignore[arg-type]  # it checks them

    made: Any = put
    made.__signature__ = signature.replace(return_annotation=CurveSchedule)
    made.__annotations__ = {**curve_of.__annotations__, "return": CurveSchedule}
    if curve_of.__doc__:  # None under python -OO
        put.__doc__ = described(name, curve_of.__doc__, [*signature.parameters])
    BUILT_INS[name] = put
    return put


_OF_EVERY_SCHEDULE = ("optimizer", "schedule_target", "absolute", "where")


class Argument(NamedTuple):
    """An argument of a built-in: its type as it is declared, and whether it is needed."""

    type: str
    is_needed: bool


def plan_arguments(built_in: Callable[..., Any]) -> dict[str, Argument]:
    """Return the arguments that a plan can give: those that are data, without the target."""
    return {
        parameter.name: Argument(parameter.annotation, parameter.default is inspect.Parameter.empty)
        for parameter in inspect.signature(built_in).parameters.values()
        if parameter.name not in ("optimizer", "schedule_target", "where")
    }
