"""The built-ins by name, and the arguments that a plan can give them."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

BuiltIn = TypeVar("BuiltIn", bound=Callable[..., Any])

BUILT_INS: dict[str, Callable[..., Any]] = {}
"""Every built-in by its name. The decorator enters it where it is defined."""

STEP_ARGUMENTS = frozenset({"num_warmup_steps", "num_decay_steps", "num_training_steps"})
"""The arguments that are steps, in the unit of ``step()``. Stretching a plan multiplies them."""


def built_in(function: BuiltIn) -> BuiltIn:
    """Enter ``function`` among the built-ins, and describe its arguments before its example."""
    BUILT_INS[function.__name__] = function
    if function.__doc__:  # None under python -OO
        # Python >= 3.13 takes the margin off docstrings by itself.
        text, example = inspect.cleandoc(function.__doc__).split("Example:")
        names = list(inspect.signature(function).parameters)
        anneals, decays = "num_training_steps" in names, "num_decay_steps" in names
        texts = _ANNEALING if anneals else _HOLDING
        texts = {**texts, **_OWN.get(function.__name__, {})}
        described = "".join(f"        {name}: {texts[name]}\n" for name in names)
        letter = "V" if "value" in names else "W"
        steps = _STEPS_WARNING.format(" < M" * anneals) if "num_warmup_steps" in names else ""
        steps += _STEPS_WARNING.format(" < M").replace("L", "D") * decays
        sections = _SECTIONS.format(described=described, letter=letter, steps=steps)
        function.__doc__ = f"{text}{inspect.cleandoc(sections)}\n\nExample:{example}"
    return function


_ANNEALING = {
    "optimizer": "a ``torch.optim.Optimizer``, or any object with ``param_groups`` like one.",
    "warmup_to_value": "W, λ at the end of the warmup.",
    "anneal_to_value": "A, λ at step M and after.",
    "num_warmup_steps": "L, the length of the warmup in steps, 0 ≤ L ≤ M; need not be whole.",
    "num_training_steps": "M, the step at which the annealing ends, > 0; includes the warmup.",
    "polynomial_exponent": "P, the power, > 0.",
    "warmup_multiplier": "R, the start of the warmup as a multiple of W.",
    "schedule_target": 'the param-group entry to drive: ``"weight_decay"``, ``"betas[0]"``, …',
    "absolute": "if true, λ(t) is the value itself, and the initial value is not used.",
    "where": "a function of a param group that says if it is driven; None drives all of them.",
    "skip_zero": "if true, the warmup starts above 0, so that the first step is not wasted.",
}
_HOLDING = {
    **_ANNEALING,
    "value": "V, λ at every step.",
    "warmup_to_value": "W, λ at the end of the warmup and after.",
    "num_warmup_steps": "L, the length of the warmup in steps, ≥ 0; need not be whole.",
}
_OWN = {
    "warmup_stable_decay": {
        "anneal_to_value": "A, λ at step M and after.",
        "num_warmup_steps": "L, the length of the warmup in steps, 0 ≤ L ≤ M; need not be whole.",
        "num_decay_steps": "D, the length of the decay in steps, 0 ≤ D ≤ M − L; need not be whole.",
        "num_training_steps": "M, the step at which the decay ends, > 0; includes the warmup.",
        "decay": 'the shape of the decay: ``"Linear"``, ``"Cosine"``, ``"QuarterCosine"``,\n'
        '            ``"OneMinusSqrt"``, ``"Exponential"`` or ``("Polynomial", exponent)``.',
    },
    "inverse_sqrt_with_warmup": {
        "warmup_to_value": "W, λ at the end of the warmup.",
        "num_warmup_steps": "L, the length of the warmup in steps, > 0; need not be whole.",
    },
}
_STEPS_WARNING = """\
        UserWarning: 0 < L < 1{}. L counts steps, and is not a fraction of the run.
"""
_SECTIONS = """\
    Args:
{described}
    Returns:
        A :class:`tsa_core.CurveSchedule`, which states the errors and warnings about the target.

    Raises:
        TypeError: a numeric argument is not a real number, or a flag is not a bool.
        ValueError: a numeric argument is NaN, infinite or out of its range.

    Warns:
        UserWarning: {letter} is a group's initial value other than 1, and ``absolute`` is false:
            it was probably meant as a value.
{steps}
"""


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
