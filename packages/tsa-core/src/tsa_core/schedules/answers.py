"""The answers of an ``LRScheduler``, for one target, wherever its values come from."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

from torch.optim.lr_scheduler import LRScheduler

from ..targets.checks import check_present, check_values_fit, present_values
from ..targets.numbers_ import real_number
from ..targets.target import ParamGroup, Target, Value


class TargetAnswers(LRScheduler):
    """The present and initial values of one target, under the names of an ``LRScheduler``."""

    optimizer: Any
    """The optimizer that was passed."""
    real_optimizer: Any
    """The optimizer whose groups hold the target: the one behind it, if a proxy was passed."""
    target: Target
    """The entry of the real optimizer's groups that is driven."""
    last_epoch: int
    """The step t at which the schedule stands."""

    @abstractmethod
    def driven_groups(self) -> list[ParamGroup]:
        """Return the param groups that the schedule writes to."""

    @abstractmethod
    def initials_of(self, groups: Sequence[ParamGroup]) -> list[float]:
        """Return the initial value of each group."""

    @abstractmethod
    def values_at(self, t: float) -> list[float]:
        """Compute the value of each group at step ``t``, and move nothing."""

    @property
    def schedule_target(self) -> str:
        """The name of the entry that this schedule drives."""
        return self.target.name

    @property  # type: ignore[override]  # torch keeps a list, of tensors too
    def base_lrs(self) -> list[float | None]:
        """The initial value of each param group; None where there is no such entry.

        Assign a list with one number per group to set them; the next step counts from them. Some
        wrappers do so after they have scaled the learning rate themselves.
        """
        groups = self.real_optimizer.param_groups
        driven = self.driven_groups()
        check_present(self.target, groups, driven)
        having = [group for group in groups if self.target.is_in(group)]
        initial_of = {id(g): initial for g, initial in zip(having, self.initials_of(having))}
        return [initial_of.get(id(group)) for group in groups]

    @base_lrs.setter  # type: ignore[override]  # takes no tensor as an initial value
    def base_lrs(self, values: Sequence[float]) -> None:
        groups = self.real_optimizer.param_groups
        try:
            numbers = [real_number(value) for value in values]
        except (TypeError, ValueError) as error:
            raise type(error)(f"base_lrs: {error}") from None
        if len(numbers) != len(groups):
            raise ValueError(f"base_lrs: got {len(numbers)} for {len(groups)} param groups")
        check_values_fit(self.target, groups, numbers, "base_lrs")
        number_of = {id(group): number for group, number in zip(groups, numbers)}
        for group in self.driven_groups():
            group[self.target.initial_key] = number_of[id(group)]

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

        It is None in a group that is left alone and has no such entry.
        """
        groups = self.real_optimizer.param_groups
        return present_values(self.target, groups, self.driven_groups())

    def get_lr(self) -> list[Value]:
        """Return :meth:`values_at` the present step, computed anew.

        For code that counts ``last_epoch`` and sets learning rates itself, as Ignite's
        ``LRScheduler`` does. All other code wants :meth:`get_last_lr`.

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
