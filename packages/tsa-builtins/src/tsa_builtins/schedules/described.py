"""The arguments of the built-ins, described once for all docstrings."""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Iterable

from ..curves.transitions import shown_shapes


def described(name: str, docstring: str, annotations: Iterable[str]) -> str:
    """Return the docstring of a built-in with its arguments, errors and warnings."""
    *arguments, _ = annotations  # the last is what it returns
    text, example = inspect.cleandoc(docstring).split("Example:")
    anneals = "num_training_steps" in arguments
    texts = {**(_ANNEALING if anneals else _HOLDING), **_OWN.get(name, {})}
    steps = [letter for each, letter in _STEPS.items() if each in arguments]
    return _DOCSTRING.format(
        text=text,
        arguments="\n".join(f"    {each}: {texts[each]}" for each in arguments),
        letter="V" if "value" in arguments else "W",
        steps="".join(_STEPS_WARNING.format(each, " < M" * anneals) for each in steps),
        example=example,
    )


_STEPS = {"num_warmup_steps": "L", "num_decay_steps": "D"}
_ANNEALING = {
    "optimizer": "a ``torch.optim.Optimizer``, or any object with such ``param_groups``.",
    "warmup_to_value": "W, λ at the end of the warmup.",
    "anneal_to_value": "A, λ at step M and after.",
    "num_warmup_steps": "L, the length of the warmup in steps, 0 ≤ L ≤ M; need not be whole.",
    "num_training_steps": "M, the step at which the annealing ends, > 0; includes the warmup.",
    "polynomial_exponent": "P, the power, > 0.",
    "warmup_multiplier": "R, the start of the warmup as a multiple of W.",
    "schedule_target": 'the param-group entry to drive: ``"weight_decay"``, ``"betas[0]"``, …',
    "absolute": "if true, value(t) = λ(t): the numbers are values, not multiples.",
    "where": "a function of a param group that returns true for the groups to drive; None: all.",
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
        "num_decay_steps": "D, the length of the decay in steps, 0 ≤ D ≤ M − L; need not be whole.",
        "num_training_steps": "M, the step at which the decay ends, > 0; includes the warmup.",
        "decay": textwrap.fill(
            f"the shape of the decay: {shown_shapes()}.", 88, subsequent_indent=" " * 8
        ),
    },
    "inverse_sqrt_with_warmup": {
        "warmup_to_value": "W, λ at the end of the warmup.",
        "num_warmup_steps": "L, the length of the warmup in steps, > 0; need not be whole.",
    },
}
_STEPS_WARNING = """
    UserWarning: 0 < {0} < 1{1}. {0} counts steps, and is not a fraction of the run."""
_DOCSTRING = """\
{text}Args:
{arguments}

Returns:
    A :class:`tsa_core.CurveSchedule`, which states the errors and warnings about the target.

Raises:
    TypeError: a numeric argument is not a real number, or a flag is not a bool.
    ValueError: a numeric argument is NaN, infinite or out of its range.

Warns:
    UserWarning: {letter} is a group's initial value other than 1, and ``absolute`` is false:
        it was probably meant as a value.{steps}

Example:
    >>> import torch
    >>> optimizer = torch.optim.SGD([torch.nn.Parameter(torch.ones(2))], lr=0.1){example}
"""
