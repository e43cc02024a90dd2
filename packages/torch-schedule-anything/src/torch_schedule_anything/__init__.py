"""Schedule any hyperparameter of a PyTorch optimizer: ``tsa_core`` and ``tsa_builtins`` in one.

Import it as ``tsa``::

    import torch_schedule_anything as tsa
"""

from typing import TYPE_CHECKING

import tsa_builtins
import tsa_core
from tsa_builtins import *  # noqa: F403  # every public name of both packages
from tsa_core import *  # noqa: F403

__version__ = "2.0.0"

# Type checkers take the names from the star imports. mypy follows no __all__ that is computed.
if not TYPE_CHECKING:
    __all__ = sorted({*tsa_builtins.__all__, *tsa_core.__all__})
