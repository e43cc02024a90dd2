"""Whether the optimizer has stepped: all that the warning about the order of steps needs.

torch's schedulers find this out by replacing ``optimizer.step``. A post-hook tells the same,
also where the step was compiled or patched, and leaves the optimizer's methods alone.
"""

from __future__ import annotations

from typing import Any

import torch


class _Noted:
    """The hook. It keeps what it sees: torch 2.9 cannot compile one that sets an attribute of
    the optimizer.
    """

    stepped = False

    def __call__(self, optimizer: object, args: object, kwargs: object) -> None:
        self.stepped = True


def watch_steps(optimizer: Any) -> None:
    """Have ``optimizer`` remember that it stepped; once, however often this is called."""
    hooks = getattr(optimizer, "_optimizer_step_post_hooks", None)
    if hooks is not None and not any(isinstance(hook, _Noted) for hook in hooks.values()):
        optimizer.register_step_post_hook(_Noted())


def has_stepped(optimizer: Any) -> bool:
    """Whether ``optimizer`` stepped since it is watched; ``True`` where that cannot be known."""
    hooks = getattr(optimizer, "_optimizer_step_post_hooks", None)
    if hooks is None or _hooks_are_stripped():
        return True
    if getattr(optimizer, "_opt_called", False):  # what torch's own schedulers note, since 2.4
        return True
    return any(isinstance(hook, _Noted) and hook.stepped for hook in hooks.values())


def _hooks_are_stripped() -> bool:
    """Whether step hooks are off for good: in torch < 2.4, from the first ``torch.compile`` on.

    What runs the hooks is a wrapper around each class's ``step``, marked ``hooked``; there the
    compiler takes the wrapper off every class and leaves the mark.
    """
    step: Any = torch.optim.SGD.step
    runs_hooks: Any = torch.optim.Optimizer.profile_hook_step(step)
    return getattr(step, "hooked", False) and step.__code__ is not runs_hooks.__code__
