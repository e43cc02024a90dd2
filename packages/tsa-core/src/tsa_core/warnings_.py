"""Warnings that point at the user's own line."""

from __future__ import annotations

import inspect
import warnings

# torch too, because its compound schedulers step ours.
_PASSED_OVER = ("tsa_core", "tsa_builtins", "torch_schedule_anything", "torch")


def warn_user(message: str) -> None:
    """Warn with a ``UserWarning`` at the line that called into the library."""
    stacklevel, frame = 1, inspect.currentframe()
    while frame and frame.f_globals.get("__name__", "").partition(".")[0] in _PASSED_OVER:
        stacklevel, frame = stacklevel + 1, frame.f_back
    warnings.warn(message, UserWarning, stacklevel=stacklevel)
