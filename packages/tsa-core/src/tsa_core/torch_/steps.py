"""The steps of optimizers in torch: their hooks, and whether a step was made.

Sources are in ``torch/optim/optimizer.py`` and ``torch/optim/lr_scheduler.py``; "torch" without a
number means every version from 2.0 to 2.15.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Mapping
from types import CodeType, FrameType
from typing import Any

import torch

from ..messages import warn_user
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
    """Counts the steps of an optimizer, and writes the count into each of its param groups.

    The optimizer saves its groups, and any of them may be removed, moved or replaced. The counter
    keeps the count too, for groups that come from a checkpoint without one.
    """

    def __init__(self, key: str, count: int, may_nest: bool) -> None:
        self.key: str = key
        self.count: int = count
        self._may_nest = may_nest
        self._awaited: _LateFlag | None = None  # of the last step
        self._saves_the_awaited = False

    def step_ended(self, optimizer: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
        """The step post-hook: a method, because calling an object takes longer."""
        if self._may_nest and _is_within_another_step(optimizer):
            return
        if (
            (kwargs or len(args) > 1)  # hardly any step has arguments
            and (args[1:] == (None,) or kwargs.get("closure", args) is None)
            and _only_makes_state(optimizer, self.count_in(optimizer))
        ):
            return
        count = self.count_in(optimizer)
        # GradScaler sets found_inf for the time of a step that skips its update by itself.
        flag = getattr(optimizer, "found_inf", None)
        if flag is None and self._awaited is None:
            count += 1
        else:
            count += self._steps_now_known(optimizer, flag, count)
        self.write(optimizer, count)

    def count_in(self, optimizer: Any) -> int:
        """Return the number of steps; the groups say it, because a load replaces them."""
        held = optimizer.param_groups[0].get(self.key)
        return self.count if held == self.count else self._largest_in(optimizer)

    def count_to_save(self, optimizer: Any) -> int:
        """Return the count with the last step, even if the host has to wait for its flag."""
        count = self.count_in(optimizer)
        return count + self._last_one_was_made(count)

    def write(self, optimizer: Any, count: int) -> None:
        """Set the count."""
        self.count = count
        for group in optimizer.param_groups:
            group[self.key] = count

    def _largest_in(self, optimizer: Any) -> int:
        # A group that was away for some steps holds an old count.
        held = [group.get(self.key) for group in optimizer.param_groups]
        return max((int(each) for each in held if each is not None), default=self.count)

    @uncompiled  # reading a flag breaks the graph anyway
    def _steps_now_known(self, optimizer: Any, flag: Any, count: int) -> int:
        """Return how many steps have turned out to be made: this one, and the one before it.

        A flag on the CPU is read at once. A flag on an accelerator is copied, and read when the
        next step ends. By then the accelerator has that step to work on, so it does not wait, and
        the count does not depend on how fast it is.
        """
        made = int(self._last_one_was_made(count))
        self._awaited = None
        if not isinstance(flag, torch.Tensor) or flag.device.type == "cpu":
            return made + (not flag)
        if flag.is_cuda and torch.cuda.is_current_stream_capturing():
            return made + 1  # a step that is captured reads no flag, and none can be copied
        self._awaited = _LateFlag(flag)
        if not self._saves_the_awaited and hasattr(optimizer, "register_state_dict_post_hook"):
            self._saves_the_awaited = True  # torch 2.0 has no such hooks: a step may be missing
            optimizer.register_state_dict_post_hook(self._save_the_awaited)
            optimizer.register_load_state_dict_pre_hook(self._forget_the_awaited)
        return made

    def _last_one_was_made(self, count: int) -> bool:
        """True if the awaited flag tells of an update, unless another count was loaded since."""
        awaited = self._awaited
        return awaited is not None and count == self.count and awaited.tells_of_an_update()

    def _save_the_awaited(self, optimizer: Any, state: dict[str, Any]) -> None:
        count = self.count_to_save(optimizer)
        for group in state["param_groups"]:
            group[self.key] = count

    def _forget_the_awaited(self, optimizer: Any, state: dict[str, Any]) -> None:
        self._awaited = None


class _LateFlag:
    """The flag of a step that may have skipped its update, on its way from an accelerator."""

    def __init__(self, flag: torch.Tensor) -> None:
        device: Any = getattr(torch, flag.device.type, None)  # torch.cuda, torch.xpu, …
        self._flag, self._arrived = flag, None
        if hasattr(device, "Event") and hasattr(device, "current_stream"):
            self._flag = flag.to("cpu", non_blocking=True)
            self._arrived = device.Event()
            self._arrived.record(device.current_stream(flag.device))

    def tells_of_an_update(self) -> bool:
        """True if the step was made; the host waits until the flag has arrived."""
        if self._arrived is not None:
            self._arrived.synchronize()
        return not self._flag


def _step_may_nest(optimizer_class: type) -> bool:
    """True if a step of the class may call that of another class.

    torch wraps the step of each class that has instances, so a step that calls super().step() can
    run the hooks several times, depending on which classes have instances.
    """
    own = [vars(each)["step"] for each in optimizer_class.__mro__ if "step" in vars(each)]
    functions = {id(each): each for each in map(inspect.unwrap, own)}
    functions.pop(id(inspect.unwrap(torch.optim.Optimizer.step)), None)
    calls_a_step = (
        "step" in each.__code__.co_names for each in functions.values() if inspect.isfunction(each)
    )
    return len(functions) > 1 or any(calls_a_step)


@uncompiled  # the compiler cannot trace frames
def _is_within_another_step(optimizer: Any) -> bool:
    """True if the step whose hooks run now was called by another step of ``optimizer``."""
    # A count of open steps would be wrong after a step that raised. torch.compile runs a changed
    # copy of the wrapper's code, from the same place, whose locals may lack "self".
    wrapper = _place_of(_CODE_THAT_RUNS_HOOKS)
    frame: FrameType | None = sys._getframe()
    running = 0
    while frame is not None and running < 2:
        if _place_of(frame.f_code) == wrapper:
            variables = frame.f_locals
            running += optimizer is variables.get("self", variables["args"][0])
        frame = frame.f_back
    return running == 2


def _place_of(code: CodeType) -> tuple[str, int, str]:
    return code.co_filename, code.co_firstlineno, code.co_name


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


def count_steps(optimizer: Any, key: str, count: int | None = None) -> StepCounter:
    """Have ``optimizer`` count its steps under ``key`` in its groups; one counter serves all.

    A new counter begins at ``count``, or else at the count that the groups hold.
    """
    for hook in optimizer._optimizer_step_post_hooks.values():
        counter = getattr(hook, "__self__", None)
        if isinstance(counter, StepCounter):
            count = counter.count_in(optimizer)
            break
    else:
        counter = StepCounter(key, 0, _step_may_nest(type(optimizer)))
        optimizer.register_step_post_hook(counter.step_ended)
    counter.write(optimizer, counter.count_in(optimizer) if count is None else count)
    return counter


def step_runs_hooks(optimizer: Any) -> bool:
    """True if ``optimizer`` has step hooks, and its ``step`` leads to them."""
    hooks = getattr(with_hooks(optimizer), "_optimizer_step_pre_hooks", None)
    return hooks is not None and _leads_to_hooks(optimizer.step, hooks)


def with_hooks(optimizer: Any) -> Any:
    """Return the optimizer that has step hooks, or None: this one, or the one that it wraps."""
    seen: list[Any] = []
    while optimizer is not None and not hasattr(optimizer, "_optimizer_step_post_hooks"):
        if len(seen) == 100 or any(optimizer is each for each in seen):
            raise ValueError(
                f"optimizer: the wrapper {type(seen[0]).__name__} leads to no torch optimizer: "
                "following its attribute `optimizer` never ends. Set the attribute to the "
                "optimizer that it wraps"
            )
        seen.append(optimizer)
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


def warn_if_not_stepped(optimizer: Any, label: str) -> None:
    """Warn that the schedule called ``label`` takes its first step before ``optimizer`` has."""
    if not has_stepped(optimizer):
        # torch's own words and link, because people filter its warning by them.
        warn_user(
            "Detected call of `lr_scheduler.step()` before `optimizer.step()`. The optimizer has "
            f"not used the first value of this schedule of {label!r} and never will: call "
            "optimizer.step() first, then step the schedule. See more details at "
            "https://pytorch.org/docs/stable/optim.html#how-to-adjust-learning-rate"
        )


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
        held += getattr(function, "__defaults__", None) or ()
        held += (getattr(function, "__kwdefaults__", None) or {}).values()
        held += [getattr(function, name, None) for name in ("__wrapped__", "func")]  # func: partial
        for holder in (owner, None if inspect.isroutine(each) else each):
            held += getattr(holder, "__dict__", {}).values()
        steps = [one if inspect.isroutine(one) else getattr(one, "step", one) for one in held]
        to_see += [one for one in steps if callable(one) and not isinstance(one, type)]
    return False
