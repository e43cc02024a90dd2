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

    @property
    def D(self) -> float:
        """A decay as long as the plateau before it."""
        return (self.M - self.L) / 2


def rising(t: float, plan: Plan) -> float:
    return plan.W * t / plan.L


def falling(t: float, plan: Plan) -> float:
    return plan.W * (plan.R - (plan.R - 1) * t / plan.L)


def quarter_wave(p: float, plan: Plan) -> float:
    return math.cos(math.pi / 2 * p)


def half_wave(p: float, plan: Plan) -> float:
    return math.cos(math.pi / 2 * p) ** 2


def root_gone(p: float, plan: Plan) -> float:
    return 1 - p**0.5


def straight(p: float, plan: Plan) -> float:
    return 1 - p


def square(p: float, plan: Plan) -> float:
    return (1 - p) ** 2


def root(p: float, plan: Plan) -> float:
    return (1 - p) ** 0.5


def power(p: float, plan: Plan) -> float:
    return (1 - p) ** plan.P


Warmup = Callable[[float, Plan], float]

# The warmup, and the share of W − A that is left at progress p. None stands for a built-in without
# a warmup, or for one that stays at W.
FORMS: dict[str, tuple[Warmup | None, Callable[[float, Plan], float] | None]] = {
    "cosine_annealing_with_warmup": (rising, quarter_wave),
    "cosine_annealing_with_inverse_warmup": (falling, quarter_wave),
    "half_cosine_annealing_with_warmup": (rising, half_wave),
    "polynomial_schedule_with_warmup": (rising, power),
    "polynomial_schedule_with_inverse_warmup": (falling, power),
    "linear_schedule_with_warmup": (rising, straight),
    "linear_schedule_with_inverse_warmup": (falling, straight),
    "quadratic_schedule_with_warmup": (rising, square),
    "quadratic_schedule_with_inverse_warmup": (falling, square),
    "sqrt_schedule_with_warmup": (rising, root),
    "sqrt_schedule_with_inverse_warmup": (falling, root),
    "warmup_stable_decay": (rising, root_gone),
    "inverse_sqrt_with_warmup": (rising, None),
    "constant_with_warmup": (rising, None),
    "constant_with_inverse_warmup": (falling, None),
    "constant_schedule": (None, None),
}

NAMES = tuple(FORMS)
ANNEALING = tuple(name for name, (_, share_left) in FORMS.items() if share_left)
RISING = tuple(name for name, (warmup, _) in FORMS.items() if warmup is rising)
INVERSE = tuple(name for name, (warmup, _) in FORMS.items() if warmup is falling)


FOREVER = "inverse_sqrt_with_warmup"  # falls without an end, and needs a warmup


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
    return getattr(tsa_builtins, name)(optimizer, **given, schedule_target=target)
