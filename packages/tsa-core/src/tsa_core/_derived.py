"""A schedule whose value is computed from the present value of another target."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from ._checks import check_target, present_numbers, warn_if_all_zero
from ._numbers import real_number, step_number
from ._one_pass import OnePass, Rule, Upcoming
from ._plans import Plan, describe
from ._proxy import refuse_proxy
from ._target import OptimizerLike, ParamGroup, Target, groups_of
from ._target_schedule import TargetSchedule
from ._tensors import give_each_group_its_own_tensor, warn_if_captured_step_ignores
from ._torch_steps import watch_steps

# The position to go to, the optimizer's groups, and the value of each group.
Prepared: TypeAlias = tuple[float, Sequence[ParamGroup], list[float]]


class DerivedSchedule(TargetSchedule):
    """A schedule that computes one hyperparameter from another one of the same param group.

    In each group, multiple of the target = ``rule(multiple of the source)``, where a multiple is
    value / initial value. It follows whatever moved the source: a curve, a torch scheduler, a
    plateau, or your own assignment. In a :class:`SynchronousSchedule` it moves after its source,
    whatever their order; alone, ``step()`` computes anew from what the groups hold.

    Args:
        optimizer: a ``torch.optim.Optimizer``, or any object with such ``param_groups``.
        rule: takes a number of the source and returns the number of the target, a finite real
            number. It is called once per step and group, and must depend on its argument alone.
        schedule_target: the entry to drive, such as ``"weight_decay"`` or ``"betas[1]"``.
        of: the source, another entry of the same groups. A tensor on an accelerator that no curve
            of the same ``SynchronousSchedule`` drives is read at each step, which waits for it.
        absolute: if true, value of the target = ``rule(value of the source)``. No initial value
            is used.

    Raises:
        TypeError: ``rule`` is not a callable or does not return a real number.
        TypeError: ``absolute`` is not a bool, or the target or the source is not a real number.
        KeyError: a param group lacks the target or the source.
        ValueError: the target is the source, or ``optimizer`` is a proxy.
        ValueError: a value is NaN, infinite or out of the target's range.
        ValueError: an initial value of the source is 0, so that there are no multiples of it.

    If it raises, nothing has been touched.

    Warns:
        UserWarning: as :class:`CurveSchedule`: every initial value is 0, a captured step ignores
            the target, or the optimizer has not stepped yet at the first ``step()``.

    Example:
        >>> import torch
        >>> from tsa_core import CurveSchedule, SynchronousSchedule
        >>> optimizer = torch.optim.AdamW([torch.nn.Parameter(torch.ones(2))], lr=0.1)
        >>> sync = SynchronousSchedule([
        ...     DerivedSchedule(optimizer, lambda lr: lr, "weight_decay"),  # in proportion to lr
        ...     CurveSchedule(optimizer, lambda t: 0.5**t),
        ... ])
        >>> optimizer.step()
        >>> sync.step()
        >>> sync.get_last_schedules()
        {'weight_decay': [0.005], 'lr': [0.05]}
    """

    source_target: Target
    _one_pass: OnePass | None  # None: the groups have to be taken in again

    def __init__(
        self,
        optimizer: OptimizerLike,
        rule: Rule,
        schedule_target: str,
        *,
        of: str = "lr",
        absolute: bool = False,
    ) -> None:
        super().__init__(optimizer, schedule_target, absolute)
        refuse_proxy(optimizer)
        if not callable(rule):
            raise TypeError(f"rule: expected a callable, got {rule!r} ({type(rule).__name__})")
        source = Target.parse(of, "of")
        if source == self._target:
            raise ValueError(f"of: {of!r} is the target itself; name a different entry")
        groups = optimizer.param_groups
        check_target(source, groups)
        self.source_target = source
        self._rule = rule
        self._source_key = source.source_key(self._target)
        first = self.prepare(0)
        if not absolute:
            warn_if_all_zero(self._target, groups)
        warn_if_captured_step_ignores(self._target, optimizer, groups)
        watch_steps(optimizer)
        self.commit(first)

    @property
    def source(self) -> str:
        """The name of the entry from which the values are computed."""
        return self.source_target.name

    @property
    def rule(self) -> Rule:
        """The rule as it was passed."""
        return self._rule

    def prepare(self, epoch: float | None = None, upcoming: Upcoming | None = None) -> Prepared:
        """Compute the values from those that the source has, or is about to have."""
        position: float
        if epoch is None:
            if self._step_count and not self._order_was_checked:
                self._check_order_once()
            position = self.last_epoch + 1
        else:
            position = step_number(epoch)
        groups = self._real_optimizer.param_groups
        if self._one_pass is not None and self._one_pass.fits(groups):
            try:
                return position, groups, self._one_pass.values(groups, upcoming)
            # RuntimeError: torch adds no tensors of two accelerators.
            except (ArithmeticError, LookupError, RuntimeError, TypeError, ValueError):
                pass  # computed again, for an error with its cause
        self.look_anew()
        check_target(self._target, groups_of(self._real_optimizer))
        check_target(self.source_target, groups)
        pairs = zip(
            groups,
            upcoming.upcoming_values() if upcoming else present_numbers(self.source_target, groups),
        )
        return position, groups, [self._value(*pair, position) for pair in pairs]

    def _value(self, group: ParamGroup, source_value: float, position: float) -> float:
        target, given = self._target, source_value
        if not self.absolute:
            initial = self._initial_of_source(group)
            if initial == 0:
                raise ValueError(
                    f"the initial value of {self.source!r} is 0, so there are no multiples of it "
                    f"to compute {self.label!r} from; write absolute=True"
                )
            given = source_value / initial
        result = self._rule(given)
        try:
            number = real_number(result)
            value = number if self.absolute else target.initial_or_present(group) * number
            if type(target.read(group)) is float:
                value = float(value)  # the entry stays a float
            low, high = target.range_in(group)
            if not low <= value <= high:
                raise ValueError(f"makes the value {value!r}; it must be from {low!r} to {high!r}")
        except (TypeError, ValueError) as error:
            raise type(error)(
                f"the {'value' if self.absolute else 'multiplier'} of {self.label!r} at step "
                f"{position}: {result!r}, which {self._text} gave for {given!r}: {error}"
            ) from None
        return value

    def commit(self, prepared: Prepared) -> None:
        position, groups, values = prepared
        if self._one_pass is None:
            self.take_in(groups)
        try:
            self._target.write_each(groups, values)
        except (LookupError, TypeError):
            check_target(self._target, groups)  # names the groups that have lost the target
            raise
        self.last_epoch = position  # type: ignore[assignment]  # torch declares int, takes floats
        self._step_count += 1

    def take_in_new(self, groups: Sequence[ParamGroup]) -> None:
        """Check the groups and take them in, if others are here than at the last step."""
        if self._one_pass is None or not self._one_pass.fits(groups):
            check_target(self._target, groups)
            check_target(self.source_target, groups)
            self.take_in(groups)

    def take_in(self, groups: Sequence[ParamGroup]) -> None:
        """Take in groups that are new here, with their own initial values."""
        target = self._target
        give_each_group_its_own_tensor(target, self._real_optimizer, groups)
        for group in groups:
            group[target.initial_key] = target.initial_or_present(group)
            group.setdefault(self._source_key, self._initial_of_source(group))
        self._one_pass = OnePass(self._rule, target, self.source_target, self.absolute, groups)

    def _initial_of_source(self, group: ParamGroup) -> float:
        if self._source_key in group and not self.source_target.has_initial(group):
            return real_number(group[self._source_key])
        return self.source_target.initial_or_present(group)

    def values_of(self, prepared: Prepared) -> list[float]:
        return prepared[2]

    def driven_groups(self) -> list[ParamGroup]:
        return [*self._real_optimizer.param_groups]

    def plan(self) -> dict[str, Plan]:
        return {"curve": self._text, "absolute": self.absolute}

    def take_plan(self, plan: Mapping[str, Plan]) -> None:
        raise ValueError(
            f"its rule was {plan['curve']}, which is code, and a state holds only its text; write "
            "plan='code'"
        )

    @property
    def _text(self) -> str:
        return f"{describe(self._rule)} of {self.source!r}"

    def look_anew(self) -> None:
        self._one_pass = None

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "_one_pass"}
