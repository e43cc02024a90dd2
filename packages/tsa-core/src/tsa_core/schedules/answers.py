"""The answers of an ``LRScheduler``, for one target, wherever its values come from."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from ..messages import describe, told_again
from ..targets.checks import present_numbers, present_values
from ..targets.moves import Move
from ..targets.target import ParamGroup, Value
from .initials import InitialValues

# All that a step will write, computed and checked: the position, all groups, and the move.
Prepared: TypeAlias = tuple[float, Sequence[ParamGroup], Move]


class TargetAnswers(InitialValues):
    """The values of one target too, present and to come, under the names of an ``LRScheduler``."""

    optimizer: Any
    """The optimizer that was passed."""
    last_epoch: int
    """The step t at which the schedule stands."""
    label: str
    """Its name in messages: the target, or ``"muon/lr"`` beside other optimizers."""
    where: Callable[[ParamGroup], bool] | None
    """Says which groups are driven; None: all, or those that have a curve."""

    @abstractmethod
    def prepare(
        self, epoch: float | None = None, source_values: list[float] | None = None
    ) -> Prepared:
        """Compute everything that a step to ``epoch`` will write; None is the next step."""

    def values_at(self, t: float) -> list[float]:
        """Compute the target's value in each param group at step ``t``, and move nothing.

        Args:
            t: the step, ≥ 0.

        Returns:
            The value that each group would get. For a group that is left alone, its present value,
            or None if the group has no such entry. A tensor will hold the value rounded to the
            precision of the tensor. A derived schedule uses the present value of its source, at any
            step.

        Raises:
            TypeError, ValueError, KeyError: as :meth:`step`.

        Example:
            >>> import torch
            >>> from tsa_core import CurveSchedule
            >>> optimizer = torch.optim.SGD([torch.nn.Parameter(torch.ones(2))], lr=0.1)
            >>> CurveSchedule(optimizer, lambda t: 0.5**t).values_at(2)
            [0.025]
        """
        return self.values_of(self.prepare(t))

    def values_of(self, prepared: Prepared) -> list[float]:
        """Return the value that each group will hold; one that is left alone keeps its own."""
        _, groups, (driven, values, *_) = prepared
        if len(driven) == len(groups):  # all of them, or the dicts that hold their values
            return values
        value_of = {id(group): value for group, value in zip(driven, values)}
        present = present_numbers(self.target, groups, driven)
        return [value_of.get(id(group), own) for group, own in zip(groups, present)]

    @property
    def schedule_target(self) -> str:
        """The name of the entry that this schedule drives."""
        return self.target.name

    def chosen(self, groups: Sequence[ParamGroup]) -> Sequence[ParamGroup]:
        """Return those of ``groups`` for which ``where`` is true."""
        if self.where is None:
            return groups
        try:
            chosen = [*filter(self.where, groups)]
            return groups if len(chosen) == len(groups) else chosen
        except Exception as error:
            what = f"where: {describe(self.where)}, of the schedule of {self.label!r}"
            raise told_again(error, f"{what}, raised an error: {error}") from error

    @property
    def _last_lr(self) -> list[Value]:
        return self.get_last_lr()

    @_last_lr.setter
    def _last_lr(self, values: object) -> None:
        """Ignore the assignment: torch keeps a copy of the values, and here they are read.

        torchtitan's container of schedulers assigns it when it loads.
        """

    def get_last_lr(self) -> list[Value]:
        """Return the target's present value in each param group, a copy if it is a tensor.

        The value is None for a group that is left alone and has no such entry.
        """
        groups = self.real_optimizer.param_groups
        return present_values(self.target, groups, self.driven_groups())

    def get_lr(self) -> list[Value]:
        """Return :meth:`values_at` the present step, computed anew.

        This is for code that counts ``last_epoch`` and sets learning rates itself, as Ignite's
        ``LRScheduler`` does. Use :meth:`get_last_lr` everywhere else.

        Raises:
            RuntimeError: the schedule drives a target other than ``lr`` and is not on a proxy, so
                such code would set learning rates from it.
        """
        if self.schedule_target != "lr" and self.real_optimizer is self.optimizer:
            raise RuntimeError(
                "get_lr: code that calls it sets learning rates, and this schedule drives "
                f"{self.schedule_target!r}. Call get_last_lr(), or build the schedule on the "
                "optimizer that arbitrary_schedule_factory hands to its factory"
            )
        return [*self.values_at(self.last_epoch)]
