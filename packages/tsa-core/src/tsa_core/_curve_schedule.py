"""A schedule that drives its target along λ(t)."""

from __future__ import annotations

import inspect
import sys
import weakref
from collections.abc import Container, Iterable, Mapping, Sequence
from types import FunctionType, MappingProxyType, MethodType
from typing import Any, TypeAlias

from ._checks import check_target, warn_if_all_zero
from ._groups import Curve, CurvePerGroup, KnownGroups, groups_driven_by
from ._numbers import real_number, step_number
from ._plans import Plan, curve_of, describe, plan_of
from ._target import OptimizerLike, ParamGroup, Target, groups_of
from ._target_schedule import TargetSchedule
from ._tensors import give_each_group_its_own_tensor, warn_if_captured_step_ignores
from ._torch_compile import uncompiled
from ._torch_steps import watch_steps
from ._undo import undone_on_error


class Part:
    """One curve, the groups that it drives, and the λ that surely fit all of them."""

    __slots__ = ("call", "curve", "first_initial", "groups", "high", "low")

    def __init__(
        self, curve: Curve, target: Target, groups: Sequence[ParamGroup], absolute: bool
    ) -> None:
        self.curve = curve
        # The method that a call of the object runs: to call it directly takes less time.
        method = inspect.getattr_static(type(curve), "__call__")  # a static method takes no self
        self.call = MethodType(method, curve) if isinstance(method, FunctionType) else curve
        self.groups = groups
        self.low, self.high = _range_that_fits(target, groups, absolute)
        # To notice a new initial value, which extend_optimizer sets in all groups.
        self.first_initial = groups[0].get(target.initial_key)


# The position to go to, the optimizer's groups, the parts, and the groups and the λ of each part.
Prepared: TypeAlias = tuple[
    float, Sequence[ParamGroup], list[Part], list[tuple[Sequence[ParamGroup], float]]
]


class CurveSchedule(TargetSchedule):
    """A schedule that drives one hyperparameter along a curve: value(t) = initial value × λ(t).

    It is an ``LRScheduler`` that works on your optimizer itself. ``optimizer`` is the object that
    you passed, and its ``step`` is not patched. The initial value of each param group is recorded
    once, when the first schedule is put on the target. The group keeps it as
    ``"initial_<target>"``, and a schedule that is built again starts from it.

    Args:
        optimizer: a ``torch.optim.Optimizer``, or any object with such ``param_groups``.
        curve: λ, a callable that takes the step t (0, 1, 2, …) and returns the multiplier, a
            finite real number. It is called once per step. Or one curve per param group: a
            sequence in the optimizer's order, or a mapping from the groups' ``"name"`` entries.
            In a mapping, ``"*"`` stands for all other groups. ``None`` leaves a group alone. A
            group that joins later finds its curve by the same rule.
        schedule_target: the param-group entry to drive, such as ``"weight_decay"``, or
            ``"betas[0]"`` for an element of a tuple.
        absolute: if true, λ(t) is the value itself: value(t) = λ(t) in every group that the curve
            drives. The initial value is recorded and not used.

    Raises:
        TypeError: ``optimizer`` has no param groups, or ``curve`` is not a callable.
        TypeError: λ(0) is not a real number, or ``absolute`` is not a bool.
        TypeError: the target is not a real number (``bool``, ``None``, ``params``, a whole tuple).
        KeyError: a param group lacks the target.
        ValueError: λ(0), a value or an initial value is NaN, infinite or out of the target's range.
        ValueError: the curves do not fit the param groups: their number, or a name.
        ValueError: the target is a tensor that requires a gradient.
        ValueError: ``optimizer`` is a proxy and the target is not its ``"lr"``.

    If it raises, nothing has been touched.

    Warns:
        UserWarning: every initial value is 0, which no multiplier moves.
        UserWarning: in a group with ``capturable=True``, the target is a float, or a tensor on
            the CPU beside parameters on an accelerator. A captured step ignores it.
        UserWarning: at the first ``step()``, the optimizer has not stepped yet. An optimizer is
            taken to have stepped if its ``step`` does not lead to torch's step hooks.

    Example:
        >>> import torch
        >>> optimizer = torch.optim.SGD([torch.nn.Parameter(torch.ones(2))], lr=0.1, momentum=0.8)
        >>> schedule = CurveSchedule(optimizer, lambda t: 1 - 0.1 * t, "momentum")
        >>> optimizer.step()
        >>> schedule.step()
        >>> round(optimizer.param_groups[0]["momentum"], 6)
        0.72
    """

    _followers: Sequence[weakref.ref[TargetSchedule]] = ()  # a copy has none

    def __init__(
        self,
        optimizer: OptimizerLike,
        curve: Curve | CurvePerGroup,
        schedule_target: str = "lr",
        *,
        absolute: bool = False,
    ) -> None:
        super().__init__(optimizer, schedule_target, absolute)
        target, groups = self._target, self._real_optimizer.param_groups
        groups_driven_by(curve, groups)
        self._curve = _own_copy(curve)
        self._origin: float = 0  # the position of the curve's step 0
        first = self.prepare(0)
        if self._real_optimizer is optimizer:  # on a proxy, arbitrary_schedule_factory warns
            driven = self.driven_groups()
            if not absolute:
                warn_if_all_zero(target, driven)
            warn_if_captured_step_ignores(target, optimizer, driven)
        watch_steps(optimizer)
        self.commit(first)

    @property
    def curve(self) -> Curve | CurvePerGroup:
        """λ as it was passed; several curves as a tuple, or as a mapping that is read-only.

        To follow a different curve, call :meth:`replan`.
        """
        curve = self._curve
        return MappingProxyType(curve) if isinstance(curve, Mapping) else curve

    def prepare(self, epoch: float | None = None) -> Prepared:
        if epoch is None:
            if not self._order_was_checked and self._step_count:
                self._check_order_once()
            position: float = self.last_epoch + 1
        else:
            position = step_number(epoch)
        if self.optimizer is not self._real_optimizer:
            self.optimizer.check_groups()  # parts of a compound on a proxy follow it
        groups, initial_key = self._real_optimizer.param_groups, self._target.initial_key
        parts, known, origin = self._parts, self._known, self._origin
        if len(groups) != known.count or groups[-1] is not known.last or groups is not known.list:
            if not known.are(groups):
                parts = self._new_parts(groups)
            elif known.list is not None:
                known.look_into(groups)
                parts[0].groups = groups
        moves = []
        for part in parts:
            if part.groups[0].get(initial_key) is not part.first_initial:
                self.look_anew()
                return self.prepare(position)
            multiplier = part.call(position - origin)
            if not (type(multiplier) is float and part.low <= multiplier <= part.high):
                multiplier = self._checked(multiplier, part, position)
            moves.append((part.groups, multiplier))
        return position, groups, parts, moves

    def commit(self, prepared: Prepared) -> None:
        position, groups, parts, moves = prepared
        are_new = parts is not self._parts
        if are_new:
            self._adopt(groups, parts)
        target = self._target
        filled = target.tensors_in(self._left_alone) if self._left_alone else {}
        for driven, multiplier in moves:
            try:
                if self.absolute:
                    target.fill(driven, multiplier, filled)
                else:
                    target.scale(driven, multiplier, filled)
            except (LookupError, TypeError, ValueError):
                if are_new:
                    raise
                # A dict that was put into the list has no initial value yet, or lacks the target.
                # A tensor that was put into a dict cannot hold the value.
                self.look_anew()
                self.commit(self.prepare(position))
                return
        self.last_epoch = position  # type: ignore[assignment]  # torch declares int, takes floats
        self._step_count += 1

    def _new_parts(self, groups: Sequence[ParamGroup]) -> list[Part]:
        check_target(self._target, groups_of(self._real_optimizer))
        return [
            Part(curve, self._target, driven, self.absolute)
            for curve, driven in groups_driven_by(self._curve, groups)
        ]

    def _adopt(self, groups: Sequence[ParamGroup], parts: list[Part]) -> None:
        """Take in groups that are new here: joined since, or put there by load_state_dict."""
        target = self._target
        give_each_group_its_own_tensor(target, self._real_optimizer, groups)
        for part in parts:
            for group in part.groups:
                group[target.initial_key] = target.initial_or_present(group)
            part.first_initial = part.groups[0][target.initial_key]
        # One curve looks into the list each time; several are bound to the dicts in it.
        self._known = KnownGroups(groups, by_dict=not callable(self._curve))
        self._parts = parts
        driven_ids = {id(group) for part in parts for group in part.groups}
        self._left_alone = [group for group in groups if id(group) not in driven_ids]

    def look_anew(self) -> None:
        self._known, self._parts, self._left_alone = KnownGroups([]), [], []

    def driven_groups(self) -> list[ParamGroup]:
        groups = self._real_optimizer.param_groups
        return [group for _, driven in groups_driven_by(self._curve, groups) for group in driven]

    def _checked(self, multiplier: object, part: Part, t: float) -> float:
        """Return λ as a number; raise if it is not one, or gives a value that does not fit."""
        target = self._target
        what = "value" if self.absolute else "multiplier"
        try:
            number = real_number(multiplier)
        except (TypeError, ValueError) as error:
            raise type(error)(
                f"the {what} of {self.label!r} at step {t}: {error}, as {describe(part.curve)} "
                "gave it; return a finite real number"
            ) from None
        if part.low <= number <= part.high:
            return number
        for group in part.groups:
            low, high = target.range_in(group)
            (value,) = target.scaled([group], number, self.absolute)
            if not low <= value <= high:
                raise ValueError(
                    f"the {what} of {self.label!r} at step {t}: {number!r}, as "
                    f"{describe(part.curve)} gave it, makes the value {value!r}; it must be from "
                    f"{low!r} to {high!r}"
                )
        return number

    def values_of(self, prepared: Prepared) -> list[float]:
        _, groups, _, moves = prepared
        target = self._target
        values: dict[int, float] = {}
        for driven, multiplier in moves:
            scaled = target.scaled(driven, multiplier, self.absolute)
            if driven is groups:
                return scaled
            values.update(zip(map(id, driven), scaled))
        return [
            values[id(group)] if id(group) in values else real_number(target.read(group))
            for group in groups
        ]

    def multiplier_of(self, prepared: Prepared) -> float | None:
        """Return the multiplier from which ``commit`` will set all groups, if it is one."""
        _, groups, _, moves = prepared
        gives_all = len(moves) == 1 and moves[0][0] is groups and not self.absolute
        return moves[0][1] if gives_all else None

    def introduce(
        self, label: str, followers: Iterable[TargetSchedule], targets: Container[str]
    ) -> None:
        super().introduce(label, followers, targets)
        # Another SynchronousSchedule, of other targets, may know more of them.
        others = [each for each in self._live_followers() if each.schedule_target not in targets]
        self._followers = [weakref.ref(each) for each in (*others, *followers)]

    def _live_followers(self) -> list[TargetSchedule]:
        return [each for follower in self._followers if (each := follower()) is not None]

    @uncompiled
    def replan(self, curve: Curve | CurvePerGroup) -> None:
        """Follow ``curve`` from the present position on: its step 0 is now.

        The value is written at once, and so is what derives from it in a
        :class:`SynchronousSchedule`. The position stays, so that members stay in lock-step.
        ``curve``, ``repr``, the state and previews follow. To resume, load with ``plan="saved"``.

        Args:
            curve: λ in every form that the constructor takes. A group that it leaves alone keeps
                its present value.

        Raises:
            TypeError, ValueError, KeyError: as the constructor and :meth:`step`, also of a derived
                schedule. The schedule then follows its old curve, and nothing has moved.
            RuntimeError: the schedule waits for its turn in a ``SequentialLR``.

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
            raise RuntimeError("replan: the schedule waits for its turn in a SequentialLR")
        before = self._curve, self._origin
        followers = self._live_followers()
        targets = [Target.parse(each.schedule_target) for each in (self, *followers)]
        with undone_on_error(self._real_optimizer, targets):
            try:
                groups_driven_by(curve, self._real_optimizer.param_groups)
                self._curve, self._origin = _own_copy(curve), self.last_epoch
                self.look_anew()
                self.rewrite()
                for follower in followers:
                    follower.rewrite()
            except BaseException:
                self._curve, self._origin = before
                self.look_anew()
                raise

    def plan(self) -> dict[str, Plan]:
        curve = plan_of(self._curve)
        return {"curve": curve, "absolute": self.absolute, "origin": self._origin}

    def take_plan(self, plan: Mapping[str, Plan]) -> None:
        curve = curve_of(plan["curve"])
        groups_driven_by(curve, self._real_optimizer.param_groups)
        self._curve, self._origin = _own_copy(curve), real_number(plan["origin"])
        self.absolute: bool = plan["absolute"] is True
        self.look_anew()

    def __getstate__(self) -> dict[str, Any]:
        derived = ("_known", "_parts", "_left_alone", "_followers")
        return {name: value for name, value in self.__dict__.items() if name not in derived}


def _own_copy(curve: Curve | CurvePerGroup) -> Curve | CurvePerGroup:
    """Return several curves in a container of our own, because the caller's may change."""
    if callable(curve):
        return curve
    return dict(curve) if isinstance(curve, Mapping) else tuple(curve)


def _range_that_fits(
    target: Target, groups: Sequence[ParamGroup], absolute: bool
) -> tuple[float, float]:
    """Return a range of λ in which every value fits into every group.

    The range is a little too narrow, so that rounding cannot matter. A λ outside may fit too, and
    the values themselves have to be checked.
    """
    least, greatest = -sys.float_info.max, sys.float_info.max
    for group in groups:
        low, high = target.range_in(group)
        initial = 1.0 if absolute else float(target.initial_or_present(group))
        if initial < 0:
            low, high, initial = -high, -low, -initial
        # Below 1, the division could overflow, and a λ beyond the value's range is useless.
        scale = max(initial, 1.0) if low < -1 else initial
        if scale:
            least, greatest = max(least, low / scale), min(greatest, high / scale)
    return least * (1 - 1e-9), greatest * (1 - 1e-9)
