"""Schedule any hyperparameter of a PyTorch optimizer: the infrastructure, on torch alone."""

from typing import TYPE_CHECKING

from .attributes_ import attributes as attributes
from .extension import extend_optimizer as extend_optimizer
from .extension import get_param_groups_regrouped_by_key as get_param_groups_regrouped_by_key
from .previews import Preview as Preview
from .previews import preview as preview
from .proxies.factory import arbitrary_schedule_factory as arbitrary_schedule_factory
from .proxies.proxy import ProxyOptimizer as ProxyOptimizer
from .schedules.curve import CurveSchedule as CurveSchedule
from .schedules.derived import DerivedSchedule as DerivedSchedule
from .schedules.records import register_curves as register_curves
from .synchronous.clock import OptimizerSteps as OptimizerSteps
from .synchronous.schedule import SynchronousSchedule as SynchronousSchedule
from .targets.target import OptimizerLike as OptimizerLike
from .torch_.settings import SchedulerForm as SchedulerForm
from .torch_.settings import torch_schedulers as torch_schedulers

__version__ = "2.0.0"

# Type checkers take the names from the imports, and follow no __all__ that is computed. A room is
# a module, and not a name.
if not TYPE_CHECKING:
    _public = [name for name, each in vars().items() if hasattr(each, "__module__")]
    __all__ = sorted({"__version__", *(name for name in _public if name[0] != "_")})
