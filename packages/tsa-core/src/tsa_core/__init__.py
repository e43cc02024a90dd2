"""Schedule any hyperparameter of a PyTorch optimizer: the infrastructure, on torch alone."""

from .attributes import attributes
from .extension import extend_optimizer, get_param_groups_regrouped_by_key
from .previews import Preview, preview
from .proxies.factory import arbitrary_schedule_factory
from .proxies.proxy import ProxyOptimizer
from .schedules.curve import CurveSchedule
from .schedules.derived import DerivedSchedule
from .schedules.records import register_curves
from .synchronous.clock import OptimizerSteps
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
    "attributes",
    "extend_optimizer",
    "get_param_groups_regrouped_by_key",
    "preview",
    "register_curves",
    "torch_schedulers",
]

__version__ = "2.0.0"
