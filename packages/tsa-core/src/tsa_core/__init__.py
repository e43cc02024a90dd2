"""Schedule any hyperparameter of a PyTorch optimizer: the infrastructure, on torch alone."""

from .synchronous.clock import OptimizerSteps
from .schedules.curve import CurveSchedule
from .schedules.derived import DerivedSchedule
from .extension import extend_optimizer, get_param_groups_regrouped_by_key
from .proxies.factory import arbitrary_schedule_factory
from .schedules.records import register_curves
from .previews import Preview, preview
from .proxies.proxy import ProxyOptimizer
from .synchronous.schedule import SynchronousSchedule
from .targets.target import OptimizerLike
from .torch_.settings import SchedulerForm, torch_schedulers

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
