"""Keep torch.compile out of the step of a schedule.

Both decorators set marks that the compiler looks for. ``torch.compiler.disable`` sets them too, but
it imports the compiler, which takes longer than to import torch, and it slows every call.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, TypeVar

import torch

Decorated = TypeVar("Decorated", bound=Callable[..., Any])

_eval_frame: Any = torch._C._dynamo.eval_frame  # the part of the compiler that torch itself imports


def uncompiled(function: Decorated) -> Decorated:
    """Keep torch.compile out of ``function`` and of every function that it calls.

    The call breaks the graph, as the ``step`` of torch's own schedulers does: the compiler skips
    their file (``FORCE_SKIP_FILES`` in ``torch/_dynamo/trace_rules.py``).
    """
    marked: Any = function
    if hasattr(_eval_frame, "skip_code"):
        # torch < 2.7 cannot mark what a function calls, so the compiler is switched off for a
        # while. torch 2.0 ignores the mark on a function, but cannot trace set_eval_frame.
        set_eval_frame = _eval_frame.set_eval_frame

        @functools.wraps(function)
        def marked(*args: Any, **kwargs: Any) -> Any:
            callback = set_eval_frame(None)
            try:
                return function(*args, **kwargs)
            finally:
                set_eval_frame(callback)

    # Read by InliningInstructionTranslator.check_inlineable, torch/_dynamo/symbolic_convert.py.
    marked._torchdynamo_disable = True
    marked._torchdynamo_disable_msg = "a schedule steps outside of the graph"
    skip_frames(marked)
    return marked  # type: ignore[no-any-return]


def skip_frames(item: Decorated) -> Decorated:
    """Have torch.compile run a function, or each method of a class, as it is.

    For code that torch's schedulers call in their ``step``: the compiler skips that ``step``, but
    not what it calls. Since torch 2.7, what the decorated code calls runs as it is too.
    """
    for member in vars(item).values() if isinstance(item, type) else [item]:
        if not inspect.isfunction(member):
            continue
        if hasattr(_eval_frame, "skip_code"):  # torch < 2.7
            _eval_frame.skip_code(member.__code__)
        elif hasattr(_eval_frame, "set_code_exec_strategy"):
            skip = _eval_frame._FrameAction.SKIP
            strategy = _eval_frame._FrameExecStrategy(skip, skip)  # the code, and what it calls
            _eval_frame.set_code_exec_strategy(member.__code__, strategy)
    return item
