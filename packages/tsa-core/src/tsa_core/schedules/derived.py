"""A schedule whose value is computed from the present value of another target."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import isfinite
from typing import TypeAlias

from ..messages import describe, told_again
from ..targets.checks import check_target, present_numbers
from ..targets.moves import Move, Numbers, move_to
from ..targets.numbers_ import real_number
from ..targets.objects import ObjectGroups
from ..targets.stand_ins import refuse_stand_in
from ..targets.target import OptimizerLike, ParamGroup, Target
from .base import TargetSchedule
from .records import Record, curve_of, record_of

Rule: TypeAlias = Callable[[float], float]


class DerivedSchedule(TargetSchedule):
    """A schedule that computes one hyperparameter from another one of the same param group.

    In each group, multiple of the target = ``rule(multiple of the source)``, where a multiple is
    value / initial value. The target follows whatever moved the source: a curve, a torch scheduler,
    a plateau, or your own assignment. In a :class:`SynchronousSchedule` a derived schedule moves
    after its source, in any order of the members. Alone, ``step()`` computes from the present value
    of the source.

    Args:
        optimizer: a ``torch.optim.Optimizer``, or any object with such ``param_groups``.
        rule: takes the multiple of the source and returns the multiple of the target, a finite
            real number. The rule is called once per step and group, and must depend on its argument
            alone. A curve of ``tsa_builtins``, such as ``Power(-0.5)``, can be saved in states and
            plans.
        schedule_target: the entry to drive, such as ``"weight_decay"`` or ``"betas[1]"``.
        of: the source, another entry of the same groups. If the source is a tensor on an
            accelerator, and no curve of the same ``SynchronousSchedule`` drives it, each step waits
            to read it.
        absolute: if true, value of the target = ``rule(value of the source)``. No initial value
            is used.
        where: a function of a param group that returns true for the groups to drive, as in
            :class:`CurveSchedule`.

    Raises:
        TypeError: ``rule`` is not a callable or does not return a real number.
        TypeError: ``absolute`` is not a bool, or the target or the source is not a real number.
        KeyError: a param group lacks the target or the source.
        ValueError: the target is the source, or ``optimizer`` is a proxy.
        ValueError: a value is NaN, infinite or out of the target's range.
        ValueError: an initial value of the source is 0, so the source has no multiples.

    If the call raises, nothing has changed.

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

    def __init__(
        self,
        optimizer: OptimizerLike,
        rule: Rule,
        schedule_target: str,
        *,
        of: str = "lr",
        absolute: bool = False,
        where: Callable[[ParamGroup], bool] | None = None,
    ) -> None:
        super().__init__(optimizer, schedule_target, absolute, where)
        refuse_stand_in(optimizer)
        if not callable(rule):
            raise TypeError(f"rule: expected a callable, got {rule!r} ({type(rule).__name__})")
        source = Target.parse(of, "of")
        if source == self.target:
            raise ValueError(f"of: {of!r} is the target itself; name a different entry")
        groups, driven = optimizer.param_groups, self.driven_groups()
        check_target(self.target, groups, driven)
        check_target(source, groups, driven)
        self.source_target = source
        self._rule = rule
        self._source_key = source.source_key(self.target)
        self.begin(self.prepare(0))

    @property
    def source(self) -> str:
        """The name of the entry from which the values are computed."""
        return self.source_target.name

    @property
    def rule(self) -> Rule:
        """The rule as it was passed."""
        return self._rule

    def moves_to(
        self,
        position: float,
        groups: Sequence[ParamGroup],
        source_values: list[float] | None = None,
    ) -> Move:
        """Compute the values from those that the source has, or is about to have."""
        if self.where is not None:
            chosen = self.chosen(groups)
            if source_values is not None:
                value_of = {id(group): value for group, value in zip(groups, source_values)}
                source_values = [value_of[id(group)] for group in chosen]
            groups = chosen
        given = None if self.absolute else self._multiples_of_known(groups, source_values)
        is_closer_look = given is None
        if given is None:
            values = source_values or present_numbers(self.source_target, groups)
            given = values if self.absolute else self._multiples(groups, values)
        inputs = given
        results = self._results(inputs, position)

        def giver(i: int) -> str:
            return f"which {self._text} gave for {inputs[i]!r}"

        numbers = Numbers(position, groups, results, {*map(type, results)}, giver)
        every, label = self.real_optimizer.param_groups, self.label
        move = move_to(numbers, self.target, every, self.absolute, label, self.initials_of)
        # A group that joined has no record of its source yet.
        return (groups, move[1], False, True) if is_closer_look and not self.absolute else move

    def _results(self, inputs: list[float], position: float) -> list[float]:
        results: list[float] = []
        try:
            results.extend(map(self._rule, inputs))  # those before a failure are in it
        except Exception as error:
            raise told_again(
                error,
                f"the rule of {self.label!r}, {describe(self._rule)}, raised an error for "
                f"{inputs[len(results)]!r} at step {position}: {error}",
            ) from error
        return results

    def _multiples_of_known(
        self, groups: Sequence[ParamGroup], values: list[float] | None
    ) -> list[float] | None:
        """Return value / initial value of each group, or None if one needs a closer look."""
        source, own = self.source_target, self._source_key
        key, record = source.key, source.initial_key
        try:
            if type(groups) is ObjectGroups:
                values = values or present_numbers(source, groups)
                records = groups.columns[record]
                multiples = [value / initial for value, initial in zip(values, records)]
            elif values is not None or source.index is not None:
                pairs = zip(groups, values or present_numbers(source, groups))
                multiples = [value / group[record] for group, value in pairs]
            elif record in groups[0]:
                multiples = [group[key] / group[record] for group in groups]
            else:
                multiples = [g[key] / g[record if record in g else own] for g in groups]
        except (LookupError, TypeError, ZeroDivisionError):  # it joined, or 0 is recorded
            return None
        total = sum(multiples)  # a tensor if the source or its record is one
        return multiples if type(total) is float and isfinite(total) else None

    def _multiples(self, groups: Sequence[ParamGroup], values: list[float]) -> list[float]:
        initials = self._initials_of_source(groups)
        if 0 in initials:
            raise ValueError(
                f"the initial value of {self.source!r} is 0, so there are no multiples of it "
                f"to compute {self.label!r} from; write absolute=True"
            )
        return [value / initial for value, initial in zip(values, initials)]

    def take_in(self, groups: Sequence[ParamGroup], driven: Sequence[ParamGroup]) -> None:
        initials = self._initials_of_source(driven)
        super().take_in(groups, driven)
        for group, initial in zip(driven, initials):
            group.setdefault(self._source_key, initial)

    def take_in_new(self) -> None:
        """Take in groups that joined, before their source moves: it holds its initial value now."""
        groups, driven = self.real_optimizer.param_groups, self.driven_groups()
        if not all(self._source_key in group for group in driven):
            check_target(self.target, groups, driven)
            check_target(self.source_target, groups, driven)
            self.take_in(groups, driven)

    def _initials_of_source(self, groups: Sequence[ParamGroup]) -> list[float]:
        source, own = self.source_target, self._source_key
        return [
            source.initial_or_present(each)
            if source.has_initial(each) or own not in each
            else real_number(each[own])
            for each in self.having(lambda g: source.has_initial(g) or own in g, groups)
        ]

    def driven_groups(self) -> list[ParamGroup]:
        return [*self.chosen(self.real_optimizer.param_groups)]

    def follows(self) -> dict[str, Record]:
        (rule,) = record_of({self.source: self._rule}).values()
        curve = self._text if isinstance(rule, str) else {self.source: rule}
        return {"curve": curve, "absolute": self.absolute, "origin": 0}

    def follow(self, saved: Mapping[str, Record]) -> None:
        record = saved["curve"]
        if isinstance(record, str):
            raise ValueError(
                f"its rule was {record}, which is code, and a state holds only its text; write "
                "plan='code'"
            )
        if not isinstance(record, Mapping) or [*record] != [self.source]:
            raise ValueError(
                f"it was saved under {record}, which is not a rule of {self.source!r}; build the "
                "schedule that was saved, or write plan='code'"
            )
        rule = curve_of(record[self.source])
        if not callable(rule):
            raise ValueError(f"it was saved under {record}; expected one rule of {self.source!r}")
        self._rule = rule
        self.absolute: bool = saved["absolute"] is True

    @property
    def _text(self) -> str:
        return f"{describe(self._rule)} of {self.source!r}"
