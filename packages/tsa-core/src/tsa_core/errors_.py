"""Errors: functions as they are named in them, and errors told again that say more."""

from __future__ import annotations

import re


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
