"""The base of every schedule of this library: an ``LRScheduler`` of one target."""

from __future__ import annotations

import copy
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from math import isfinite
from typing import Any, TypeAlias

from torch import Tensor
from torch.optim.lr_scheduler import LRScheduler

from ..targets.checks import (
    check_present,
    check_target,
    check_value,
    check_values_fit,
    present_numbers,
    present_values,
)
from ..targets.numbers_ import real_number, step_number, step_of_user
from .records import Plan, Policy, checked_policy, plans_differ, sentence_of
from ..proxies.proxy import behind_proxy
from .states import as_saved_today, check_fits
from ..targets.target import OptimizerLike, ParamGroup, Target, Value, groups_of
from ..targets.tensors import give_each_group_its_own_tensor, share_a_tensor
from ..torch_.compile import uncompiled
from ..torch_.steps import has_stepped, watch_steps
from ..warnings_ import warn_if_metric, warn_user

# Some groups, the value of each, and whether they hold floats and get floats.
Move: TypeAlias = tuple[Sequence[ParamGroup], list[float], bool]
# The position to go to, the optimizer's groups, and the moves.
Prepared: TypeAlias = tuple[float, Sequence[ParamGroup], list[Move]]


class TargetSchedule(LRScheduler):
    """A schedule of one target: it counts steps, answers as an ``LRScheduler``, and has a state.

    A subclass says what is written at a step (``moves_to``), to which groups (``driven_groups``),
    and how its plan reads (``plan``).
    """

    optimizer: Any
    """The optimizer that was passed."""
    last_epoch: int
    """The step t at which the schedule stands."""
    absolute: bool
    """True if the schedule gives the value itself, not a multiple of the initial value."""
    label: str
    """Its name in messages: the target, or ``"muon/lr"`` beside other optimizers."""
    takes_new_groups = True
    """A group that joins the optimizer later is driven from its own initial value."""

    # The base constructor never runs: it would replace optimizer.step, and call ours.
    def __init__(self, optimizer: OptimizerLike, schedule_target: str, absolute: bool) -> None:
        target = Target.parse(schedule_target)
        groups_of(optimizer)
        if not isinstance(absolute, bool):
            raise TypeError(f"absolute: expected True or False, got {absolute!r}")
        # On a proxy, the schedule works on the real optimizer's target without the detour.
        self._real_optimizer, self._target = behind_proxy(optimizer, target)
        check_target(self._target, groups_of(self._real_optimizer))
        self.optimizer = optimizer
        self.label = self._target.name
        self.absolute = absolute
        self.last_epoch = -1
        self._step_count = 0
        # Set by the first step() without an argument: only that says that the optimizer should
        # have used the value before.
        self._order_was_checked = False

    @abstractmethod
    def moves_to(
        self, position: float, groups: Sequence[ParamGroup], source_values: list[float] | None
    ) -> list[Move]:
        """Return what to write at ``position``, and raise if a value does not fit."""

    @abstractmethod
    def driven_groups(self) -> list[ParamGroup]:
        """Return the param groups that the schedule writes to."""

    @abstractmethod
    def plan(self) -> dict[str, Plan]:
        """Return the entries of the state that say what the schedule follows."""

    @abstractmethod
    def take_plan(self, plan: Mapping[str, Plan]) -> None:
        """Follow a saved plan from now on; raise ``ValueError`` if it is code."""

    @uncompiled
    def step(self, epoch: float | None = None) -> None:
        """Advance by one step, or go to the step ``epoch``, and write the values.

        Args:
            epoch: the step to go to, ≥ 0; any, in any order. ``None`` is the next one.

        Raises:
            TypeError: λ(t) or ``epoch`` is not a real number.
            ValueError: ``epoch`` is negative, or a value is NaN, infinite or out of its range.
            KeyError: a param group has lost the target.

        Warns:
            UserWarning: ``epoch`` goes back to a fraction, and is probably a metric.

        If it raises, nothing has moved.
        """
        if epoch is not None:
            warn_if_metric(epoch := step_of_user(epoch), self.last_epoch)
        self.commit(self.prepare(epoch))

    def prepare(
        self, epoch: float | None = None, source_values: list[float] | None = None
    ) -> Prepared:
        """Compute everything that :meth:`step` will write, and raise where it would.

        ``commit(prepare(epoch))`` is ``step(epoch)``: for code that steps several schedules and
        wants all of them to move, or none.
        """
        if epoch is None:
            if self._step_count and not self._order_was_checked:
                self._check_order_once()
            position: float = self.last_epoch + 1
        else:
            position = step_number(epoch)
        if self.optimizer is not self._real_optimizer:
            self.optimizer.check_groups()  # parts of a compound on a proxy follow it
        groups = self._real_optimizer.param_groups
        return position, groups, self.moves_to(position, groups, source_values)

    def commit(self, prepared: Prepared) -> None:
        """Write what :meth:`prepare` returned."""
        position, groups, moves = prepared
        target, key = self._target, self._target.key
        for driven, values, are_floats in moves:
            if are_floats:  # in line, because a call per group costs more than the write itself
                for group, value in zip(driven, values):
                    group[key] = value
            else:
                self.take_in(groups, driven)
                for group, value in zip(driven, values):
                    target.write(group, value)
        self.last_epoch = position  # type: ignore[assignment]  # torch declares int, takes floats
        self._step_count += 1

    def move(
        self,
        groups: Sequence[ParamGroup],
        numbers: Sequence[float],
        position: float,
        origin_of: Callable[[int], str],
    ) -> Move:
        """Return the move that gives each group its value of ``numbers``; raise if one cannot be.

        ``numbers`` are multipliers, or values; ``origin_of(i)`` says in an error who gave the i-th.
        """
        target = self._target
        try:
            values = target.values_of_floats(groups, numbers, self.absolute)
            total = sum(values)  # no finite float if a value is NaN, infinite or a tensor
            if len(values) == len(groups) and type(total) is float and isfinite(total):
                return groups, values, True
        except (LookupError, TypeError):  # a group joined, or has lost the target
            pass
        if not groups or not all(target.initial_key in group for group in groups):
            check_target(target, groups_of(self._real_optimizer))
        check_present(target, groups)
        return (
            groups,
            [
                self._value(i, group, number, position, origin_of)
                for i, (group, number) in enumerate(zip(groups, numbers))
            ],
            False,
        )

    def _value(
        self,
        i: int,
        group: ParamGroup,
        number: float,
        position: float,
        origin_of: Callable[[int], str],
    ) -> float:
        target = self._target
        held = target.read(group)
        if isinstance(held, Tensor) and not held.is_floating_point():
            check_value(target, held, i)
        try:
            number = real_number(number)
        except (TypeError, ValueError) as error:
            raise type(error)(
                f"{self._what} at step {position}: {error}, {origin_of(i)}; "
                "return a finite real number"
            ) from None
        if not self.absolute:
            value = target.initial_or_present(group) * number
        else:  # an entry that is a float stays one
            value = float(number) if type(held) is float else number
        low, high = target.range_of(held)
        if not low <= value <= high:
            raise ValueError(
                f"{self._what} at step {position}: {number!r}, {origin_of(i)}, makes the value "
                f"{value!r}; it must be from {low!r} to {high!r}"
            )
        return value

    @property
    def _what(self) -> str:
        return f"the {'value' if self.absolute else 'multiplier'} of {self.label!r}"

    def take_in(self, groups: Sequence[ParamGroup], driven: Sequence[ParamGroup]) -> None:
        """Record the initial values of ``driven`` groups that joined, or were put into the list."""
        target = self._target
        new = [group for group in driven if target.initial_key not in group]
        if new or not self._step_count or share_a_tensor(target, groups):
            give_each_group_its_own_tensor(target, self._real_optimizer, groups)
        for group in new:
            group[target.initial_key] = target.initial_or_present(group)

    def values_of(self, prepared: Prepared) -> list[float]:
        """Return the value of each param group that :meth:`commit` will write."""
        _, groups, moves = prepared
        if len(moves) == 1 and moves[0][0] is groups:
            return moves[0][1]
        values = {
            id(group): value for driven, some, _ in moves for group, value in zip(driven, some)
        }
        return [
            values[id(group)] if id(group) in values else real_number(self._target.read(group))
            for group in groups
        ]

    def rewrite(self) -> None:
        """Compute the values of the present step anew, and write them."""
        position = self.last_epoch
        self.commit(self.prepare(max(position, 0)))
        self.last_epoch = position  # a part of a SequentialLR may wait before its first step
        self._step_count -= 1

    # SequentialLR starts its schedulers with these two, the second since torch 2.9.
    def _initial_step(self) -> None:
        self._step_count = 0
        self.step()

    def _update_lr(self, epoch: float | None = None) -> None:
        self.step(epoch)

    def _check_order_once(self) -> None:
        self._order_was_checked = True
        if not has_stepped(self._real_optimizer):
            # torch's own words and link, because people filter its warning by them.
            warn_user(
                "Detected call of `lr_scheduler.step()` before `optimizer.step()`. The optimizer "
                f"has not used the first value of this schedule of {self.label!r} and "
                "never will: call optimizer.step() first, then step the schedule. See more details "
                "at https://pytorch.org/docs/stable/optim.html#how-to-adjust-learning-rate"
            )

    # -- what an LRScheduler answers -------------------------------------------------------------

    @property
    def schedule_target(self) -> str:
        """The name of the entry that this schedule drives."""
        return self._target.name

    def values_at(self, t: float) -> list[float]:
        """Compute the target's value in each param group at step ``t``, and move nothing.

        Args:
            t: the step, ≥ 0.

        Returns:
            The value that each group would get. For a group that the schedule leaves alone, its
            present value. A tensor will hold the value rounded to its precision. A derived
            schedule computes from what its source holds now, at any step.

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

    @property  # type: ignore[override]  # torch keeps a list, of tensors too
    def base_lrs(self) -> list[float]:
        """The initial value of each param group.

        Assign a list with one number per group to set them; the next step counts from them. Some
        wrappers do so after they have scaled the learning rate themselves.
        """
        groups = self._real_optimizer.param_groups
        check_present(self._target, groups)
        return [self._target.initial_or_present(group) for group in groups]

    @base_lrs.setter  # type: ignore[override]  # takes no tensor as an initial value
    def base_lrs(self, values: Sequence[float]) -> None:
        groups = self._real_optimizer.param_groups
        try:
            numbers = [real_number(value) for value in values]
        except (TypeError, ValueError) as error:
            raise type(error)(f"base_lrs: {error}") from None
        if len(numbers) != len(groups):
            raise ValueError(f"base_lrs: got {len(numbers)} for {len(groups)} param groups")
        number_of = {id(group): number for group, number in zip(groups, numbers)}
        for group in self.driven_groups():
            group[self._target.initial_key] = number_of[id(group)]

    @property
    def _last_lr(self) -> list[Value]:
        return self.get_last_lr()

    @_last_lr.setter
    def _last_lr(self, values: object) -> None:
        """Ignore the assignment: torch keeps a copy of the values, and here they are read.

        torchtitan's container of schedulers assigns it when it loads.
        """

    def get_last_lr(self) -> list[Value]:
        """Return the target's present value in each param group, a copy if it is a tensor."""
        return present_values(self._target, self._real_optimizer.param_groups)

    def get_lr(self) -> list[Value]:
        """Return :meth:`values_at` the present step, computed anew.

        For code that counts ``last_epoch`` and sets learning rates itself, as Ignite's
        ``LRScheduler`` does. All other code wants :meth:`get_last_lr`.

        Raises:
            RuntimeError: the schedule drives a target other than ``lr`` and is not on a proxy, so
                such code would set learning rates from it.
        """
        if self.schedule_target != "lr" and self._real_optimizer is self.optimizer:
            raise RuntimeError(
                "get_lr: code that calls it sets learning rates, and this schedule drives "
                f"{self.schedule_target!r}. Call get_last_lr(), or build the schedule on the "
                "optimizer that arbitrary_schedule_factory hands to its factory"
            )
        return [*self.values_at(self.last_epoch)]

    # -- state -----------------------------------------------------------------------------------

    def state_dict(self) -> dict[str, Any]:
        """Return where the schedule stands, in numbers, strings, lists and dicts.

        The plan is in it too. A curve of ``tsa_builtins``, or of a kind of yours that
        :func:`register_curves` knows, is in it as data. Any other is in it as its ``repr``.
        """
        return {
            "schedule_target": self.schedule_target,
            **self.plan(),
            "last_epoch": self.last_epoch,
            "_step_count": self._step_count,
            "base_lrs": self.base_lrs,
            "_last_lr": present_numbers(self._target, self._real_optimizer.param_groups),
        }

    def load_state_dict(self, state_dict: Mapping[str, Any], *, plan: Policy = "code") -> None:
        """Restore a saved state, and write its values into the optimizer at once.

        Also takes the state of a built-in of torch-schedule-anything 1.x.

        Args:
            state_dict: the dict that :meth:`state_dict` returned.
            plan: the plan that the schedule follows afterwards, if the saved one differs.
                ``"code"``: the one in the code, with a warning. ``"saved"``: the saved one.
                ``"same"``: it must not differ.

        Raises:
            TypeError, ValueError: it is not the state of such a schedule. An entry is missing,
                unknown or of a wrong kind, or the target or the number of param groups differs.
            ValueError: the saved plan differs and ``plan`` is ``"same"``; or it is code, not data,
                and ``plan`` is ``"saved"``.

        If it raises, nothing has moved.

        Warns:
            UserWarning: the saved plan differs and ``plan`` is ``"code"``.
        """
        self.check_state(state_dict, plan)
        self.restore(state_dict, plan)

    def check_state(self, state: Any, plan: Policy) -> None:
        """Raise unless ``state`` can be loaded; nothing is touched."""
        what = f"state of the schedule of {self.label!r}"
        checked_policy(plan)
        own = TargetSchedule.state_dict(self)
        saved = self._today(state) if isinstance(state, Mapping) else state
        check_fits(
            own,
            saved,
            what,
            len(own["base_lrs"]),
            checked=own.keys() - {"curve"},
            settings={"base_lrs", "_last_lr"},
            may_wait=True,
        )
        if saved["schedule_target"] != self.schedule_target:
            raise ValueError(f"{what}: it was saved for {saved['schedule_target']!r}")
        groups = groups_of(self._real_optimizer)
        check_target(self._target, groups)
        check_values_fit(self._target, groups, saved["_last_lr"], what)
        self.driven_groups()
        if plans_differ(saved, self.plan()):
            if plan == "same":
                plans = f"{sentence_of(saved)}, and the code has {sentence_of(self.plan())}"
                raise ValueError(f"{what}: it was saved under {plans}; expected the same plan")
            if plan == "saved":
                try:
                    copy.copy(self).take_plan(saved)
                except (KeyError, TypeError, ValueError) as error:
                    raise type(error)(f"{what}: {error.args[0]}") from None

    def restore(self, state: Mapping[str, Any], plan: Policy) -> None:
        """Load a state that :meth:`check_state` accepted."""
        state = self._today(state)
        driven = {id(group) for group in self.driven_groups()}
        if plans_differ(state, self.plan()):
            if plan == "saved":
                self.take_plan(state)
            else:
                warn_user(
                    f"the schedule of {self.label!r} was saved under {sentence_of(state)} "
                    f"and goes on under {sentence_of(self.plan())}, from the step after "
                    f"{state['last_epoch']}"
                )
        target, groups = self._target, self._real_optimizer.param_groups
        # Building wrote into the groups that the plan in the code drives, loading sets them all.
        driven |= {id(group) for group in self.driven_groups()}
        give_each_group_its_own_tensor(target, self._real_optimizer, groups)
        for group, initial, value in zip(groups, state["base_lrs"], state["_last_lr"]):
            if id(group) in driven:
                group[target.initial_key] = real_number(initial)
                target.write(group, real_number(value))
        self.last_epoch = real_number(state["last_epoch"])  # type: ignore[assignment]  # see commit
        self._step_count = int(real_number(state["_step_count"]))
        self._order_was_checked = self._step_count > 1

    def _today(self, state: Mapping[str, Any]) -> Mapping[str, Any]:
        return as_saved_today(state, self.schedule_target, self.plan())

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        watch_steps(self.optimizer)  # hooks do not survive a copy of the optimizer

    def __repr__(self) -> str:
        present = self._target.read_or_none(self._real_optimizer.param_groups)
        return (
            f"<{type(self).__name__} of {self.schedule_target!r} on "
            f"{type(self._real_optimizer).__name__} along {sentence_of(self.plan())}, at step "
            f"{self.last_epoch}: {present}>"
        )
