"""Schedules of any hyperparameter of a PyTorch optimizer, and the curves they are made of."""

from typing import TYPE_CHECKING

from tsa_core import register_curves

from . import curves
from .plans import plan
from .plans.plan import *
from .schedules.cosines import *
from .schedules.plateaus import *
from .schedules.powers import *
from .schedules.registry import BUILT_INS

__version__ = "2.0.0"

# Type checkers take the names from the star imports. mypy follows no __all__ that is computed.
if not TYPE_CHECKING:
    __all__ = sorted([*BUILT_INS, *plan.__all__, "__version__", "curves"])

# The states of schedules then hold these curves as data.
register_curves(curves.to_dict, curves.from_dict)
