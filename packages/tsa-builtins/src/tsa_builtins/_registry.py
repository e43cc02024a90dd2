"""The built-ins by name, and the arguments that a plan can give them."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, TypeVar

BuiltIn = TypeVar("BuiltIn", bound=Callable[..., Any])

BUILT_INS: dict[str, Callable[..., Any]] = {}
"""Every built-in by its name. The decorator enters it where it is defined."""

STEP_ARGUMENTS = frozenset({"num_warmup_steps", "num_training_steps"})
"""The arguments that are steps, in the unit of ``step()``. Stretching a plan multiplies them."""


def built_in(function: BuiltIn) -> BuiltIn:
    """Enter ``function`` among the built-ins."""
    BUILT_INS[function.__name__] = function
    return function


def number_arguments(built_in: Callable[..., Any]) -> dict[str, bool]:
    """Return the numeric arguments of a built-in, and whether it needs them."""
    parameters = inspect.signature(built_in).parameters.values()
    return {
        parameter.name: parameter.default is inspect.Parameter.empty
        for parameter in parameters
        if parameter.annotation == "float"
    }
