"""Schedules of any hyperparameter of a PyTorch optimizer, and the curves they are made of."""

from tsa_core import register_curves

from . import curves
from .plans.plan import Plan, from_plan, to_plan
from .schedules.built_ins import (
    constant_schedule,
    constant_with_inverse_warmup,
    constant_with_warmup,
    cosine_annealing_with_inverse_warmup,
    cosine_annealing_with_warmup,
    half_cosine_annealing_with_warmup,
    inverse_sqrt_with_warmup,
    linear_schedule_with_inverse_warmup,
    linear_schedule_with_warmup,
    polynomial_schedule_with_inverse_warmup,
    polynomial_schedule_with_warmup,
    quadratic_schedule_with_inverse_warmup,
    quadratic_schedule_with_warmup,
    sqrt_schedule_with_inverse_warmup,
    sqrt_schedule_with_warmup,
    warmup_stable_decay,
)

__all__ = [
    "Plan",
    "__version__",
    "constant_schedule",
    "constant_with_inverse_warmup",
    "constant_with_warmup",
    "cosine_annealing_with_inverse_warmup",
    "cosine_annealing_with_warmup",
    "curves",
    "from_plan",
    "half_cosine_annealing_with_warmup",
    "inverse_sqrt_with_warmup",
    "linear_schedule_with_inverse_warmup",
    "linear_schedule_with_warmup",
    "polynomial_schedule_with_inverse_warmup",
    "polynomial_schedule_with_warmup",
    "quadratic_schedule_with_inverse_warmup",
    "quadratic_schedule_with_warmup",
    "sqrt_schedule_with_inverse_warmup",
    "sqrt_schedule_with_warmup",
    "to_plan",
    "warmup_stable_decay",
]

__version__ = "2.0.0"

# The states of schedules then hold these curves as data.
register_curves(curves.to_dict, curves.from_dict)
