"""A schedule that drives its target along λ(t)."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from math import isclose, isfinite
from types import FunctionType, MappingProxyType, MethodType
from typing import Any

from ..messages import warn_user
from ..targets.checks import check_target, warn_if_momentum_grows
from ..targets.driven import Curve, CurvePerGroup, SeveralCurves
from ..targets.moves import END, Move, Numbers, move_to, over_objects
from ..targets.numbers_ import real_number
from ..targets.objects import ObjectGroups
from ..targets.target import OptimizerLike, ParamGroup
from ..targets.tensors import as_held
from ..targets.undo import undone_on_error
from ..torch_.compile import uncompiled
from .base import TargetSchedule
from .records import Record, curve_of, knows_its_end, record_of, turns_of


class CurveSchedule(TargetSchedule):
    """A schedule that drives one hyperparameter along a curve: value(t) = initial value × λ(t).

    The schedule is an ``LRScheduler`` on your optimizer itself: its ``optimizer`` is the object
    that you passed, and ``optimizer.step`` is not patched. The first schedule on a target records
    the initial value of each param group as ``"initial_<target>"`` in the group. A schedule that
    is built again starts from this value.

    Args:
        optimizer: a ``torch.optim.Optimizer``, or any object with such ``param_groups``.
        curve: λ, a callable that takes the step t (0, 1, 2, …) and returns the multiple, a
            finite real number. λ is called once per step. Or one curve per param group: a
            sequence in the optimizer's order, or a mapping from the groups' ``"name"`` entries.
            In a mapping, ``"*"`` stands for all other groups. ``None`` leaves a group alone; such
            a group need not have the entry. The same rule finds the curve of a group that joins
            later.
        schedule_target: the param-group entry to drive, such as ``"weight_decay"``, or
            ``"betas[0]"`` for an element of a tuple.
        absolute: if true, λ(t) is the value itself: value(t) = λ(t) in every group that the curve
            drives. The initial value is recorded and not used.
        where: a function of a param group, ``lambda group: group["weight_decay"] > 0``. The groups
            for which it returns true are driven, also those that join later; the others are left
            alone. The function is called at each step. It cannot go with several curves.

    Raises:
        TypeError: ``optimizer`` has no param groups, or ``curve`` is not a callable.
        TypeError: λ(0) is not a real number, or ``absolute`` is not a bool.
        TypeError: the target is not a real number (``bool``, ``None``, ``params``, a whole tuple).
        KeyError: a param group lacks the target.
        ValueError: λ(0), a value or an initial value is NaN, infinite or out of the target's range.
        ValueError: the curves do not fit the param groups: their number, or a name.
        ValueError: the target is a tensor that requires a gradient.
        ValueError: ``optimizer`` is a proxy and the target is not its ``"lr"``.

    If the call raises, nothing has changed.

    Warns:
        UserWarning: every initial value is 0, which no multiple moves.
        UserWarning: with ``absolute``, some of the driven groups held 0 and others did not.
        UserWarning: the curve leads a ``momentum`` to 1 or more.
        UserWarning: in a group with ``capturable=True``, the target is a float, or a tensor on
            the CPU beside parameters on an accelerator. A captured step ignores such a value.
        UserWarning: at the first ``step()``, the optimizer has not stepped yet. An optimizer is
            taken to have stepped if its ``step`` does not lead to torch's step hooks.
        UserWarning: at the first ``step()``, only the optimizer was loaded; see :meth:`step`.

    Example:
        >>> import torch
        >>> optimizer = torch.optim.SGD([torch.nn.Parameter(torch.ones(2))], lr=0.1, momentum=0.8)
        >>> schedule = CurveSchedule(optimizer, lambda t: 1 - 0.1 * t, "momentum")
        >>> optimizer.step()
        >>> schedule.step()
        >>> round(optimizer.param_groups[0]["momentum"], 6)
        0.72
    """

    def __init__(
        self,
        optimizer: OptimizerLike,
        curve: Curve | CurvePerGroup,
        schedule_target: str = "lr",
        *,
        absolute: bool = False,
        where: Callable[[ParamGroup], bool] | None = None,
    ) -> None:
        super().__init__(optimizer, schedule_target, absolute, where)
        self._start(curve, 0)
        check_target(self.target, self.real_optimizer.param_groups, self.driven_groups())
        first = self.prepare(0)
        self.check_ahead()
        self.begin(first)

    def _start(self, curve: Curve | CurvePerGroup, origin: float) -> None:
        """Follow ``curve``, whose step 0 is at the position ``origin``."""
        several = None if callable(curve) else SeveralCurves(curve)
        if several is not None:
            if self.where is not None:
                raise TypeError(
                    "where: expected one curve, got several; give None to a group to leave it alone"
                )
            several.driven(self.real_optimizer.param_groups)
            several.check_names(self.real_optimizer.param_groups)
        self._curve: Any = curve
        self._several = several
        # The method that a call of the object runs: to call it directly takes less time.
        method = inspect.getattr_static(type(curve), "__call__", None)
        is_plain = isinstance(method, FunctionType)  # a static method takes no self
        self._ask: Any = MethodType(method, curve) if is_plain else curve
        self._origin = origin

    def check_ahead(self) -> None:
        """Raise if the curve will lead out of the range where it turns, or at its end.

        A function knows neither, and is checked at each step.
        """
        groups, target = self.real_optimizer.param_groups, self.target
        one = [(self._curve, self.chosen(groups))]
        furthest: list[float] = []
        driven_by: Any = one if self._several is None else self._several.driven_by(groups)
        for curve, driven in driven_by:
            if not knows_its_end(curve):
                continue
            turns = turns_of(curve)
            before = [turn - 1 for turn in turns if turn >= 1]  # the next part may jump
            at = {t: curve(t) for t in (0, *turns, *before, END)}
            # Of all values, those of the least and of the greatest λ are the furthest.
            for t in {min(at, key=at.__getitem__), max(at, key=at.__getitem__)}:
                numbers = Numbers.of_one(at[t], self._origin + t, driven, curve)
                move = move_to(numbers, target, groups, self.absolute, self.label, self.initials_of)
                furthest += move[1]
        if not isinstance(groups, ObjectGroups):  # the momentum of an average may end at 1
            warn_if_momentum_grows(target, furthest)

    def check_position(self) -> None:
        """Warn if the optimizer was loaded, and holds the values of another position."""
        changed, target = self.changed_by_a_load(), self.target
        if not changed:
            return
        values, said = self.values_at(max(self.last_epoch, 0)), []
        for i, (before, now) in changed.items():
            (here,) = as_held([values[i]], target.read(self.real_optimizer.param_groups[i]))
            if not isclose(now, here, rel_tol=1e-6):
                said.append(f"from {before} to {now}")
        if said:
            warn_user(
                f"the optimizer was loaded, {target.name!r} went {', '.join(said)}, and the "
                f"schedule of {self.label!r} goes on from step {self.last_epoch}. To resume a run, "
                "load the state of the schedule too, or call step(epoch) with the step of the "
                "checkpoint. If the schedule is meant to go on from there, ignore this warning"
            )

    @property
    def curve(self) -> Curve | CurvePerGroup:
        """λ as it was passed; several curves as a tuple, or as a mapping that is read-only.

        To follow a different curve, call :meth:`replan`.
        """
        if self._several is None:
            one: Curve = self._curve
            return one
        curves = self._several.curves
        return MappingProxyType(curves) if isinstance(curves, dict) else curves

    def moves_to(
        self, position: float, groups: Sequence[ParamGroup], source_values: object = None
    ) -> Move:
        target, t = self.target, position - self._origin
        if t < 0:  # before the origin, the beginning of the curve holds, as delay has it
            t = 0
        if self._several is not None:
            return self._several_move_to(self._several, position, t, groups)
        if self.where is not None:
            groups = self.chosen(groups)
        number = self._ask(t)
        if type(groups) is ObjectGroups and type(number) is float:
            move = over_objects(groups, number, number, target, self.absolute)
            if move is not None:
                return move
        elif type(number) is float and number >= 0 and target.index is None:
            # The common case in line and in one look at each group: a call takes longer. It is the
            # first case of move_to, which says why it needs no closer look.
            key, initial = target.key, target.initial_key
            values: list[float] = []
            try:
                for group in groups:
                    if type(group[key]) is not float:
                        break
                    values.append(group[initial] * number)
                else:
                    total = sum(values)
                    if type(total) is float and isfinite(total):
                        if self.absolute:
                            values = [number] * len(values)
                        return groups, values, True, False
            except (LookupError, TypeError):
                pass
        numbers = Numbers.of_one(number, position, groups, self._curve)
        every = self.real_optimizer.param_groups
        return move_to(numbers, target, every, self.absolute, self.label, self.initials_of)

    def _several_move_to(
        self, several: SeveralCurves, position: float, t: float, groups: Sequence[ParamGroup]
    ) -> Move:
        given, target = several.at(t), self.target
        are_multiples = {*map(type, given)} == {float} and min(given) >= 0 and not self.absolute
        if are_multiples and type(groups) is not ObjectGroups:
            with suppress(LookupError, TypeError):
                values = several.times_initial(given, groups, target)
                total = sum(values)
                if len(values) == len(groups) and type(total) is float and isfinite(total):
                    return groups, values, True, False
        numbers = several.numbers(given, position, groups)
        return move_to(numbers, target, groups, self.absolute, self.label, self.initials_of)

    def driven_groups(self) -> list[ParamGroup]:
        groups = self.real_optimizer.param_groups
        return [
            *(self.chosen(groups) if self._several is None else self._several.driven(groups)[0])
        ]

    @uncompiled
    def replan(self, curve: Curve | CurvePerGroup) -> None:
        """Follow ``curve`` from the present position on: its step 0 is now.

        The value is written at once, and the position stays. Derived schedules follow at the next
        step, or at once with :meth:`SynchronousSchedule.replan`. ``curve``, ``repr``, the state and
        previews show the new curve. To resume, load with ``plan="saved"``.

        Args:
            curve: λ in every form that the constructor takes. A group that is left alone keeps
                its present value.

        Raises:
            TypeError, ValueError, KeyError: as the constructor and :meth:`step`. Then nothing has
                moved, and the schedule follows its old curve.
            RuntimeError: the schedule is a part of a ``SequentialLR`` that has not started.

        Example:
            >>> import torch
            >>> optimizer = torch.optim.SGD([torch.nn.Parameter(torch.ones(2))], lr=0.1)
            >>> schedule = CurveSchedule(optimizer, lambda t: 1.0)
            >>> schedule.step(100)
            >>> schedule.replan(lambda t: 0.5**t)  # cool down from here
            >>> schedule.values_at(102)
            [0.025]
        """
        if self.last_epoch < 0:
            raise RuntimeError("replan: this part of a SequentialLR has not started yet")
        with undone_on_error([self.real_optimizer], [self]):
            self._start(curve, self.last_epoch)
            self.check_ahead()
            self.rewrite()

    def follows(self) -> dict[str, Record]:
        curve = record_of(self.curve)
        return {"curve": curve, "absolute": self.absolute, "origin": self._origin}

    def follow(self, saved: Mapping[str, Record]) -> None:
        self._start(curve_of(saved["curve"]), real_number(saved["origin"]))
        self.absolute: bool = saved["absolute"] is True
