"""Schedule any hyperparameter of a PyTorch optimizer: what users need of all packages, in one.

Import it as ``tsa``::

    import torch_schedule_anything as tsa

The names that only authors of frameworks and of other schedules need are in ``tsa_core``.
"""

from typing import TYPE_CHECKING as _TYPE_CHECKING

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

__version__ = "2.0.0"

# Type checkers take the names from the imports, and follow no __all__ that is computed.
if not _TYPE_CHECKING:
    __all__ = ["__version__", *(name for name in [*vars()] if name[0] != "_")]
