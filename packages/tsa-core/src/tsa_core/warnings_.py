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


def warn_if_metric(step: float, position: float) -> None:
    """Warn of a step from ``position`` back to a fraction: it is probably a metric."""
    if step < position and step != step // 1:
        warn_user(
            f"step: {step!r} goes back from step {position!r} to a fraction of a step. If it is a "
            "metric, call step(): only schedulers such as ReduceLROnPlateau take metrics. If it "
            "is a position, ignore this warning"
        )
