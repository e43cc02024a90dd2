"""Schedule any hyperparameter of a PyTorch optimizer: the infrastructure, on torch alone."""

from ._clock import OptimizerSteps
from ._curve_schedule import CurveSchedule
from ._derived import DerivedSchedule
from ._extension import extend_optimizer, get_param_groups_regrouped_by_key
from ._factory import arbitrary_schedule_factory
from ._plans import register_curves
from ._preview import Preview, preview
from ._proxy import ProxyOptimizer
from ._synchronous import SynchronousSchedule
from ._target import OptimizerLike
from ._torch_settings import SchedulerForm, torch_schedulers

__all__ = [
    "CurveSchedule",
    "DerivedSchedule",
    "OptimizerLike",
    "OptimizerSteps",
    "Preview",
    "ProxyOptimizer",
    "SchedulerForm",
    "SynchronousSchedule",
    "__version__",
    "arbitrary_schedule_factory",
    "extend_optimizer",
    "get_param_groups_regrouped_by_key",
    "preview",
    "register_curves",
    "torch_schedulers",
]

__version__ = "2.0.0"
