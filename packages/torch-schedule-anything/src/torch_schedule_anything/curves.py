"""``tsa_builtins.curves`` under the name of the whole: curves λ(t) as values."""

import sys

import tsa_builtins.curves
from tsa_builtins.curves import *  # noqa: F403  # for type checkers, which do not see the next line

# One module under two names: an import from either gives the same objects, and the same module.
sys.modules[__name__] = tsa_builtins.curves
