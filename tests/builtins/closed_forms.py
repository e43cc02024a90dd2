"""The closed form of every built-in: λ(t) in the symbols W, A, L, D, M, R and P.

A new built-in is entered here once, and every test over all built-ins then includes it.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import tsa_builtins


@dataclass(frozen=True)
class Plan:
    W: float = 1.5
    A: float = 0.25
    L: float = 4
    M: float = 12
    R: float = 20.0
    P: float = 2.0
    skip_zero: bool = False  # if the warmup rises

    @property
    def D(self) -> float:
        """A decay as long as the plateau before it."""
        return (self.M - self.L) / 2


def rising(t: float, plan: Plan) -> float:
    return plan.W * (t + plan.skip_zero) / (plan.L + plan.skip_zero)


def falling(t: float, plan: Plan) -> float:
    return plan.W * (plan.R - (plan.R - 1) * t / plan.L)


Form = Callable[[float, Plan], float]

# The share of W − A that is left at progress p; None for a built-in that stays at W.
BOTH_WAYS: dict[str, Form | None] = {
    "cosine_annealing": lambda p, plan: math.cos(math.pi / 2 * p),
    "polynomial_schedule": lambda p, plan: (1 - p) ** plan.P,
    "linear_schedule": lambda p, plan: 1 - p,
    "quadratic_schedule": lambda p, plan: (1 - p) ** 2,
    "sqrt_schedule": lambda p, plan: (1 - p) ** 0.5,
    "constant": None,
}
FOREVER = "inverse_sqrt_with_warmup"  # falls without an end, and needs a warmup

# The warmup, or None, and the share.
FORMS: dict[str, tuple[Form | None, Form | None]] = {
    **{f"{name}_with_warmup": (rising, share) for name, share in BOTH_WAYS.items()},
    **{f"{name}_with_inverse_warmup": (falling, share) for name, share in BOTH_WAYS.items()},
    "half_cosine_annealing_with_warmup": (rising, lambda p, plan: math.cos(math.pi / 2 * p) ** 2),
    "warmup_stable_decay": (rising, lambda p, plan: 1 - p**0.5),
    FOREVER: (rising, None),
    "constant_schedule": (None, None),
}

NAMES = tuple(FORMS)
ANNEALING = tuple(name for name, (_, share_left) in FORMS.items() if share_left)
RISING = tuple(name for name, (warmup, _) in FORMS.items() if warmup is rising)
INVERSE = tuple(name for name, (warmup, _) in FORMS.items() if warmup is falling)


def fitted(name: str, plan: Plan) -> Plan:
    """The plan that stands for ``plan`` where a built-in cannot take it."""
    return replace(plan, L=plan.M) if name == FOREVER and plan.L == 0 else plan


def closed_form(name: str, plan: Plan, t: float) -> float:
    plan = fitted(name, plan)
    warmup, share_left = FORMS[name]
    if warmup is not None and plan.L > 0 and t <= plan.L:
        return warmup(t, plan)
    if name == FOREVER:
        return plan.W * math.sqrt(plan.L / t)
    if share_left is None or t <= plan.L:  # the second: L = 0 and t = 0, where λ is W
        return plan.W
    if t > plan.M:
        return plan.A
    start = plan.M - plan.D if name == "warmup_stable_decay" else plan.L
    if t <= start:
        return plan.W
    p = (t - start) / (plan.M - start)
    return plan.A + (plan.W - plan.A) * share_left(p, plan)


# Every parameter that is a number, and its symbol.
SYMBOLS = {
    "value": "W",
    "warmup_to_value": "W",
    "anneal_to_value": "A",
    "num_warmup_steps": "L",
    "num_decay_steps": "D",
    "num_training_steps": "M",
    "warmup_multiplier": "R",
    "polynomial_exponent": "P",
}
# By parameter, real numbers that a built-in refuses.
OUT_OF_RANGE: dict[str, list[Any]] = {
    "num_warmup_steps": [-1, -0.5, -1e-9],
    "num_decay_steps": [-1, -0.5, -1e-9],
    "num_training_steps": [0, 0.0, -1, -12.5],
    "polynomial_exponent": [0, 0.0, -1, -0.5],
}


def arguments(name: str, plan: Plan) -> dict[str, float]:
    taken = inspect.signature(getattr(tsa_builtins, name)).parameters
    return {
        parameter: getattr(fitted(name, plan), SYMBOLS[parameter])
        for parameter in taken
        if parameter in SYMBOLS
    }


def build(name: str, optimizer: Any, plan: Plan, target: str = "lr", **changed: Any) -> Any:
    given = {**arguments(name, plan), **changed}
    if plan.skip_zero and name in RISING:
        given["skip_zero"] = True
    return getattr(tsa_builtins, name)(optimizer, **given, schedule_target=target)
