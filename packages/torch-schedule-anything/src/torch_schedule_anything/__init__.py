"""Schedule any hyperparameter of a PyTorch optimizer: ``tsa_core`` and ``tsa_builtins`` in one.

Import it as ``tsa``::

    import torch_schedule_anything as tsa
"""

from importlib.metadata import version

from tsa_builtins import (
    constant_schedule,
    constant_with_inverse_warmup,
    constant_with_warmup,
    cosine_annealing_with_inverse_warmup,
    cosine_annealing_with_warmup,
    linear_schedule_with_inverse_warmup,
    linear_schedule_with_warmup,
    polynomial_schedule_with_inverse_warmup,
    polynomial_schedule_with_warmup,
    quadratic_schedule_with_inverse_warmup,
    quadratic_schedule_with_warmup,
    sqrt_schedule_with_inverse_warmup,
    sqrt_schedule_with_warmup,
)
from tsa_core import (
    CurveSchedule,
    OptimizerLike,
    Preview,
    ProxyOptimizer,
    SynchronousSchedule,
    arbitrary_schedule_factory,
    extend_optimizer,
    get_param_groups_regrouped_by_key,
    preview,
)

from . import curves

__all__ = [
    "CurveSchedule",
    "OptimizerLike",
    "Preview",
    "ProxyOptimizer",
    "SynchronousSchedule",
    "__version__",
    "arbitrary_schedule_factory",
    "constant_schedule",
    "constant_with_inverse_warmup",
    "constant_with_warmup",
    "cosine_annealing_with_inverse_warmup",
    "cosine_annealing_with_warmup",
    "curves",
    "extend_optimizer",
    "get_param_groups_regrouped_by_key",
    "linear_schedule_with_inverse_warmup",
    "linear_schedule_with_warmup",
    "polynomial_schedule_with_inverse_warmup",
    "polynomial_schedule_with_warmup",
    "preview",
    "quadratic_schedule_with_inverse_warmup",
    "quadratic_schedule_with_warmup",
    "sqrt_schedule_with_inverse_warmup",
    "sqrt_schedule_with_warmup",
]

__version__ = version("torch-schedule-anything")
