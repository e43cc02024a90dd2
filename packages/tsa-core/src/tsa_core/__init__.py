"""Schedule any hyperparameter of a PyTorch optimizer: the infrastructure, on torch alone."""

from typing import TYPE_CHECKING

__version__ = "2.0.0"

# Type checkers take the names from the imports; a program imports a name when it asks for it.
if TYPE_CHECKING:
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
else:
    from .lazily import names_from

    _MODULES = {
        "CurveSchedule": "tsa_core.schedules.curve",
        "DerivedSchedule": "tsa_core.schedules.derived",
        "OptimizerLike": "tsa_core.targets.target",
        "OptimizerSteps": "tsa_core.synchronous.clock",
        "Preview": "tsa_core.previews",
        "ProxyOptimizer": "tsa_core.proxies.proxy",
        "SchedulerForm": "tsa_core.torch_.settings",
        "SynchronousSchedule": "tsa_core.synchronous.schedule",
        "arbitrary_schedule_factory": "tsa_core.proxies.factory",
        "attributes": "tsa_core.attributes_",
        "extend_optimizer": "tsa_core.extension",
        "get_param_groups_regrouped_by_key": "tsa_core.extension",
        "preview": "tsa_core.previews",
        "register_curves": "tsa_core.schedules.records",
        "torch_schedulers": "tsa_core.torch_.settings",
    }
    __all__ = ["__version__", *_MODULES]
    __getattr__ = names_from(__name__, _MODULES)

    def __dir__():
        return __all__
