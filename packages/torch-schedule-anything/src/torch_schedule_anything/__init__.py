"""Schedule any hyperparameter of a PyTorch optimizer: what users need of all packages, in one.

Import it as ``tsa``::

    import torch_schedule_anything as tsa

The names that only authors of frameworks and of other schedules need are in ``tsa_core``.
"""

from typing import TYPE_CHECKING

from tsa_core.lazily import names_from as _names_from

__version__ = "2.0.0"

# Type checkers take the names from the imports; a program imports a name when it asks for it.
if TYPE_CHECKING:
    from tsa_builtins import *  # noqa: F403  # every public name
    from tsa_core import CurveSchedule as CurveSchedule
    from tsa_core import DerivedSchedule as DerivedSchedule
    from tsa_core import OptimizerSteps as OptimizerSteps
    from tsa_core import Preview as Preview
    from tsa_core import SynchronousSchedule as SynchronousSchedule
    from tsa_core import arbitrary_schedule_factory as arbitrary_schedule_factory
    from tsa_core import attributes as attributes
    from tsa_core import extend_optimizer as extend_optimizer
    from tsa_core import get_param_groups_regrouped_by_key as get_param_groups_regrouped_by_key
    from tsa_core import preview as preview
else:
    import tsa_builtins as _builtins

    del TYPE_CHECKING  # it is not a name for users

    _OF_CORE = (
        "CurveSchedule",
        "DerivedSchedule",
        "OptimizerSteps",
        "Preview",
        "SynchronousSchedule",
        "arbitrary_schedule_factory",
        "attributes",
        "extend_optimizer",
        "get_param_groups_regrouped_by_key",
        "preview",
    )
    _MODULES = dict.fromkeys(_builtins.__all__, "tsa_builtins") | dict.fromkeys(
        _OF_CORE, "tsa_core"
    )
    __all__ = sorted(_MODULES)
    __getattr__ = _names_from(__name__, _MODULES)

    def __dir__():
        return __all__
