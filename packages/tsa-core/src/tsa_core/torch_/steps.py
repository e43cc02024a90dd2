"""The steps of optimizers in torch: their hooks, and whether a step was made.

Sources are in ``torch/optim/optimizer.py`` and ``torch/optim/lr_scheduler.py``; "torch" without a
number means every version from 2.0 to 2.15.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Mapping
from typing import Any

import torch

from .compile import uncompiled

# torch's schedulers look for these marks on optimizer.step: LRScheduler.__init__.
STEP_MARKS = ("_wrapped_by_lr_sched", "_with_counter")  # torch >= 2.4, torch < 2.4

# Optimizer.profile_hook_step wraps the step of each class and runs the hooks.
_step_that_runs_hooks: Any = torch.optim.Optimizer.profile_hook_step(lambda _: None)  # type: ignore[misc]
_CODE_THAT_RUNS_HOOKS = _step_that_runs_hooks.__code__


class _StepMark:
    """A step pre-hook that remembers that the optimizer has begun a step.

    It keeps the mark itself: torch 2.9 cannot compile a hook that sets an attribute of the
    optimizer.
    """

    stepped = False

    def __call__(self, optimizer: object, args: object, kwargs: object) -> None:
        self.stepped = True


class StepCounter:
    """Counts steps in the first param group, where the optimizer saves the number."""

    def __init__(self, key: str) -> None:
        self.key = key
        self.last = 0  # for a group that takes the place of the first one

    def count(self, optimizer: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
        """The step post-hook: a method, because calling an object takes longer."""
        group = optimizer.param_groups[0]
        if (
            (kwargs or len(args) > 1)  # hardly any step has arguments
            and (args[1:] == (None,) or kwargs.get("closure", args) is None)
            and _only_makes_state(optimizer, group.get(self.key))
        ):
            return
        group[self.key] = self.last = group.get(self.key, self.last) + 1


@uncompiled  # the compiler cannot trace frames
def _only_makes_state(optimizer: Any, count: int | None) -> bool:
    """True in the step that torch.distributed.checkpoint makes of a fresh optimizer.

    It calls step(closure=None), with gradients of 0, to have the tensors into which it loads:
    _init_optim_state in state_dict.py. A training loop may call that too, and has to be counted.
    """
    if count and optimizer.state:  # it was not fresh
        return False
    module = sys.modules.get("torch.distributed.checkpoint.state_dict")
    frame = sys._getframe() if module is not None else None
    while frame is not None and frame.f_globals is not vars(module):
        frame = frame.f_back
    return frame is not None


def count_steps(optimizer: Any, key: str) -> StepCounter:
    """Have ``optimizer`` count its steps in ``param_groups[0][key]``; once, like watching."""
    optimizer = _with_hooks(optimizer)
    for hook in optimizer._optimizer_step_post_hooks.values():
        counter = getattr(hook, "__self__", None)
        if isinstance(counter, StepCounter):
            return counter
    counter = StepCounter(key)
    optimizer.register_step_post_hook(counter.count)
    return counter


def step_runs_hooks(optimizer: Any) -> bool:
    """True if ``optimizer`` has step hooks, and its ``step`` leads to them."""
    hooks = getattr(_with_hooks(optimizer), "_optimizer_step_pre_hooks", None)
    return hooks is not None and _leads_to_hooks(optimizer.step, hooks)


def _with_hooks(optimizer: Any) -> Any:
    """Return the optimizer that has step hooks: this one, or the one that it wraps."""
    while optimizer is not None and not hasattr(optimizer, "_optimizer_step_post_hooks"):
        optimizer = getattr(optimizer, "optimizer", None)  # Accelerate's wrapper, and others
    return optimizer


def watch_steps(optimizer: Any) -> None:
    """Have ``optimizer`` remember that it stepped; one hook serves any number of schedules.

    It is a pre-hook, because torch's schedulers set their mark before the step too. A schedule that
    is stepped from within the optimizer's step is in the right order.
    """
    hooks = getattr(optimizer, "_optimizer_step_pre_hooks", None)
    if hooks is not None and not any(isinstance(hook, _StepMark) for hook in hooks.values()):
        optimizer.register_step_pre_hook(_StepMark())


def has_stepped(optimizer: Any) -> bool:
    """True if ``optimizer`` has stepped since it is watched, or if that cannot be known."""
    hooks = getattr(optimizer, "_optimizer_step_pre_hooks", None)
    if hooks is None or getattr(optimizer, "_opt_called", False):  # torch's own mark, since 2.4
        return True
    marks = [hook.stepped for hook in hooks.values() if isinstance(hook, _StepMark)]
    return any(marks) or not _leads_to_hooks(optimizer.step, hooks)


def _leads_to_hooks(step: Any, hooks: object) -> bool:
    """True if ``step`` is, wraps or holds the step of the optimizer that runs ``hooks``.

    A step that somebody put on an instance may not lead there. torch < 2.4 takes the wrapper off
    every class at the first torch.compile.
    """
    to_see = [step]
    seen: dict[int, Any] = {}  # the objects too, so that no id is used again
    while to_see and len(seen) < 1000:  # a step that is deeper hidden counts as one without hooks
        each = to_see.pop()
        if id(each) in seen:
            continue
        seen[id(each)] = each
        function, owner = getattr(each, "__func__", each), getattr(each, "__self__", None)
        if getattr(function, "__code__", None) is _CODE_THAT_RUNS_HOOKS:
            # torch's schedulers keep the function without its owner: it is the owner of `step`.
            if owner is None or getattr(owner, "_optimizer_step_pre_hooks", None) is hooks:
                return True
            continue
        held = [cell.cell_contents for cell in getattr(function, "__closure__", None) or ()]
        held += [*(getattr(function, "__defaults__", None) or ())]
        held += [getattr(function, name, None) for name in ("__wrapped__", "func")]  # func: partial
        for holder in (owner, None if inspect.isroutine(each) else each):
            held += getattr(holder, "__dict__", {}).values()
        steps = [one if inspect.isroutine(one) else getattr(one, "step", one) for one in held]
        to_see += [one for one in steps if callable(one) and not isinstance(one, type)]
    return False
