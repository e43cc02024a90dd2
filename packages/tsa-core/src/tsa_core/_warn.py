"""Warnings that point at the user's own line."""

from __future__ import annotations

import sys
import warnings

# torch too: its compound schedulers step ours.
_PASSED_OVER = ("tsa_core", "tsa_builtins", "torch_schedule_anything", "torch")


def warn_user(message: str) -> None:
    """A ``UserWarning`` at the line that called into the library, however deep it arose."""
    stacklevel, frame = 2, sys._getframe(1)
    while frame.f_back and frame.f_globals.get("__name__", "").partition(".")[0] in _PASSED_OVER:
        stacklevel, frame = stacklevel + 1, frame.f_back
    warnings.warn(message, UserWarning, stacklevel=stacklevel)
