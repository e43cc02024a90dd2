"""A schedule that drives its target along λ(t)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isfinite
from types import MappingProxyType

from ..targets.checks import warn_if_all_zero
from ..targets.driven import Curve, CurvePerGroup, groups_driven_by
from ..targets.numbers_ import real_number
from .records import Plan, curve_of, describe, plan_of
from ..targets.target import OptimizerLike, ParamGroup
from .base import Move, TargetSchedule
from ..targets.tensors import warn_if_captured_step_ignores
from ..torch_.compile import uncompiled
from ..torch_.steps import watch_steps
from ..targets.undo import undo_of, undone_on_error


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

    def moves_to(
        self, position: float, groups: Sequence[ParamGroup], source_values: object = None
    ) -> list[Move]:
        curves, t = self._curve, position - self._origin
        if not callable(curves):
            return [
                self.move(driven, [curve(t)] * len(driven), position, lambda _, c=curve: _credit(c))
                for curve, driven in groups_driven_by(curves, groups)
            ]
        number, target = curves(t), self._target
        if type(number) is float and not self.absolute and target.index is None:
            key, initial = target.key, target.initial_key
            try:  # the common case in line, as one look into each group
                values = [group[initial] * number for group in groups if type(group[key]) is float]
                total = sum(values)
                if len(values) == len(groups) and type(total) is float and isfinite(total):
                    return [(groups, values, True)]
            except (LookupError, TypeError):
                pass
        return [self.move(groups, [number] * len(groups), position, lambda _: _credit(curves))]

    def driven_groups(self) -> list[ParamGroup]:
        groups = self._real_optimizer.param_groups
        return [group for _, driven in groups_driven_by(self._curve, groups) for group in driven]

    @uncompiled
    def replan(self, curve: Curve | CurvePerGroup) -> None:
        """Follow ``curve`` from the present position on: its step 0 is now.

        The value is written at once; what derives from it follows at the next step, or at once
        with :meth:`SynchronousSchedule.replan`. The position stays: members stay in lock-step.
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
        with undone_on_error([self._real_optimizer], [undo_of(self)]):
            groups_driven_by(curve, self._real_optimizer.param_groups)
            self._curve, self._origin = _own_copy(curve), self.last_epoch
            self.rewrite()

    def plan(self) -> dict[str, Plan]:
        curve = plan_of(self._curve)
        return {"curve": curve, "absolute": self.absolute, "origin": self._origin}

    def take_plan(self, plan: Mapping[str, Plan]) -> None:
        curve = curve_of(plan["curve"])
        groups_driven_by(curve, self._real_optimizer.param_groups)
        self._curve, self._origin = _own_copy(curve), real_number(plan["origin"])
        self.absolute: bool = plan["absolute"] is True


def _own_copy(curve: Curve | CurvePerGroup) -> Curve | CurvePerGroup:
    """Return several curves in a container of our own, because the caller's may change."""
    if callable(curve):
        return curve
    return dict(curve) if isinstance(curve, Mapping) else tuple(curve)


def _credit(curve: Curve) -> str:
    return f"as {describe(curve)} gave it"
