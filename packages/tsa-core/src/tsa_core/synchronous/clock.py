"""A clock that counts the steps of an optimizer."""

from __future__ import annotations

from typing import Any

from ..targets.stand_ins import behind
from ..targets.target import OptimizerLike, Target, groups_of
from ..torch_.steps import count_steps, step_runs_hooks, with_hooks

# The entry of each param group that holds the count, so that the optimizer saves it.
KEY = "optimizer_steps"


class OptimizerSteps:
    """A clock for :class:`SynchronousSchedule` that counts how often ``optimizer.step()`` has run.

    With this clock, you can step the schedule more often than the optimizer: for every micro-batch
    of gradient accumulation, or several times by a framework. A step counts once, also if it calls
    ``super().step()``. The optimizer saves the count, because each of its param groups holds the
    count as ``"optimizer_steps"``.

    A step that a ``GradScaler`` skips is not counted. With ``fused=True`` the optimizer itself
    skips the step, and sets a flag on its device. On the CPU the flag is read at once. On an
    accelerator the flag is read when the next step ends, so that the accelerator does not wait.
    There the clock and its schedule are one step late. A saved state is not late.

    Args:
        optimizer: a ``torch.optim.Optimizer``, or a wrapper that holds one as ``optimizer``.

    Raises:
        TypeError: ``optimizer`` has no step hooks, or its ``step`` does not run them, so its steps
            cannot be counted.
        ValueError: ``optimizer`` is a wrapper that wraps itself.

    Example:
        >>> import torch
        >>> from tsa_core import CurveSchedule, SynchronousSchedule
        >>> optimizer = torch.optim.SGD([torch.nn.Parameter(torch.ones(2))], lr=0.1)
        >>> clock = OptimizerSteps(optimizer)
        >>> sync = SynchronousSchedule([CurveSchedule(optimizer, lambda t: 0.5**t)], clock=clock)
        >>> for batch in range(4):
        ...     if batch % 2:  # accumulate two batches
        ...         optimizer.step()
        ...     sync.step()
        >>> clock(), sync.get_last_lr()
        (2, [0.025])
    """

    optimizer: Any
    """The optimizer whose steps are counted."""
    _checked_step: object
    """The ``step`` that ran hooks when it was last looked at."""

    def __init__(self, optimizer: OptimizerLike) -> None:
        self.optimizer, _ = behind(optimizer, Target.parse("lr"))
        groups_of(self.optimizer)  # raises if there are none
        self._start_counting(None)

    def __call__(self) -> int:
        """Return the number of steps.

        Raises:
            RuntimeError: torch has stopped running step hooks (torch < 2.4, at the first
                ``torch.compile``).
        """
        step = self.optimizer.step
        function = getattr(step, "__func__", step)
        # Looking takes longer than a step, and the step is hardly ever replaced.
        if function is not self._checked_step and not step_runs_hooks(self.optimizer):
            raise RuntimeError(
                "OptimizerSteps: the optimizer no longer runs step hooks, so its steps are not "
                "counted. torch < 2.4 removes them at the first torch.compile. Use a newer torch, "
                "or count in your loop and pass clock=lambda: steps"
            )
        self._checked_step = function
        return self._counter.count_in(self._counted)

    def _start_counting(self, count: int | None) -> None:
        if not step_runs_hooks(self.optimizer):
            has_step = hasattr(self.optimizer, "step")
            why = "its step does not run torch's step hooks" if has_step else "nothing steps it"
            raise TypeError(
                f"optimizer: the steps of {type(self.optimizer).__name__} cannot be counted, "
                f"because {why}. Count in your loop and pass clock=lambda: steps"
            )
        self._counted = with_hooks(self.optimizer)
        self._counter = count_steps(self._counted, KEY, count)
        self._checked_step = None

    def __getstate__(self) -> dict[str, Any]:
        count = self._counter.count_to_save(self._counted)
        return {"optimizer": self.optimizer, "count": count}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.optimizer = state["optimizer"]
        self._start_counting(state["count"])  # hooks do not survive a copy of the optimizer

    def __repr__(self) -> str:
        count = self._counter.count_in(self._counted)
        return f"<OptimizerSteps of {type(self.optimizer).__name__}: {count}>"
