"""Schedules of any hyperparameter of a PyTorch optimizer, and the curves they are made of."""

from typing import TYPE_CHECKING

from tsa_core import register_curves

from . import curves
from .schedules.cosines import *
from .schedules.plateaus import *
from .schedules.powers import *
from .schedules.registry import BUILT_INS

__version__ = "2.0.0"

# Type checkers take the names from the star imports. mypy follows no __all__ that is computed.
if TYPE_CHECKING:
    from .plans.plan import *
else:
    from tsa_core.lazily import names_from

    _PLANS = dict.fromkeys(("Plan", "from_plan", "to_plan"), "tsa_builtins.plans.plan")
    __all__ = sorted([*BUILT_INS, *_PLANS, "__version__", "curves"])
    __getattr__ = names_from(__name__, _PLANS)

    def __dir__():
        return __all__


# The states of schedules then hold these curves as data.
register_curves(curves.to_dict, curves.from_dict)
