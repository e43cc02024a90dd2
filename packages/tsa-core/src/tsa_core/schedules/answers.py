"""The answers of an ``LRScheduler``, for one target, wherever its values come from."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from typing import Any

from ..targets.checks import present_values
from ..targets.moves import describe, told_again
from ..targets.target import ParamGroup, Value
from .initials import InitialValues


class TargetAnswers(InitialValues):
    """The present values of one target too, under the names of an ``LRScheduler``."""

    optimizer: Any
    """The optimizer that was passed."""
    last_epoch: int
    """The step t at which the schedule stands."""
    label: str
    """Its name in messages: the target, or ``"muon/lr"`` beside other optimizers."""
    where: Callable[[ParamGroup], bool] | None
    """Says which groups are driven; None: all, or those that have a curve."""

    @abstractmethod
    def values_at(self, t: float) -> list[float]:
        """Compute the value of each group at step ``t``, and move nothing."""

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
