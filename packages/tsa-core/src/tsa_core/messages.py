"""What we say: functions as messages name them, errors told again, warnings at the user's line."""

from __future__ import annotations

import inspect
import re
import warnings

# torch too, because its compound schedulers step ours.
_PASSED_OVER = ("tsa_core", "tsa_builtins", "torch_schedule_anything", "torch")


def describe(function: object) -> str:
    """Return ``repr`` without memory addresses: the same in another process."""
    return re.sub(r" at 0x[0-9a-fA-F]+", "", repr(function))


def told_again(error: Exception, message: str) -> Exception:
    """Return an error of the same kind, or a ``RuntimeError``, with a message that says more."""
    known = (ArithmeticError, LookupError, TypeError, ValueError)
    kind: type[Exception] = type(error) if isinstance(error, known) else RuntimeError
    try:
        return kind(message)
    except TypeError:  # its constructor takes something else
        return RuntimeError(message)


def warn_user(message: str) -> None:
    """Warn with a ``UserWarning`` at the line that called into the library."""
    stacklevel, frame = 1, inspect.currentframe()
    while frame and frame.f_globals.get("__name__", "").partition(".")[0] in _PASSED_OVER:
        stacklevel, frame = stacklevel + 1, frame.f_back
    warnings.warn(message, UserWarning, stacklevel=stacklevel)
