"""A schedule that drives its target along λ(t), on the user's own optimizer."""

from __future__ import annotations

import operator
import re
from collections.abc import Mapping, Sequence
from math import isfinite
from types import MappingProxyType
from typing import Any, TypeAlias

from torch.optim.lr_scheduler import LRScheduler

from ._group_curves import Curve, CurvePerGroup, shares
from ._proxy import ProxyOptimizer, refuse_proxy
from ._step_order import has_stepped, watch_steps
from ._target import OptimizerLike, ParamGroup, Target, Value, groups_of, real_number
from ._warn import warn_user

_Shares: TypeAlias = Sequence[tuple[Curve, Sequence[ParamGroup]]]
# The groups that are about to move, and the multiplier that they get.
_Moves: TypeAlias = list[tuple[Sequence[ParamGroup], float]]
# The optimizer's list of groups as last seen, how many were in it, and which curve drives which.
_Adopted: TypeAlias = tuple[Sequence[ParamGroup], int, _Shares]


class CurveSchedule(LRScheduler):
    """Drive one hyperparameter along a curve: value(t) = initial value × λ(t).

    An ``LRScheduler`` in full standing that works on your optimizer itself: ``optimizer`` is the
    object you passed, its ``step`` is not patched, and no base constructor touches it. The initial
    value of each param group is taken once, the first time that a schedule is put on the target,
    and kept in the group under ``"initial_<target>"``; building the schedule again starts from it.

    Args:
        optimizer: a ``torch.optim.Optimizer``, or anything that keeps ``param_groups`` as one does.
        curve: λ, a callable that takes the step t (0, 1, 2, …) and returns the multiplier, a
            finite real number; asked once a step. Or one a param group: a sequence of them in
            the optimizer's order, or a mapping from the groups' ``"name"`` entries to them, in
            which ``"*"`` stands for all other groups. ``None`` leaves a group alone. A group
            that joins later finds its curve by the same rule.
        schedule_target: the param-group entry to drive, such as ``"weight_decay"``, or
            ``"betas[0]"`` for an element of a tuple.

    Raises:
        TypeError: ``optimizer`` has no param groups, ``curve`` is no callable, λ is no real
            number, or the target is none (``bool``, ``None``, ``params``, a whole tuple, …).
        KeyError: a param group lacks the target.
        ValueError: λ or an initial value is NaN or infinite, the number of curves is not the
            number of param groups, a name in the mapping is no group's, one group is given two
            curves or none there, the target is a tensor that is learned (``requires_grad``), or
            ``optimizer`` is a proxy and the target not its ``"lr"``. Nothing has been touched.

    Warns:
        UserWarning: every initial value is 0, which no multiplier moves; or the target is a float
            of a group with ``capturable=True`` (or a tensor on the CPU beside parameters on an
            accelerator), whose captured step would not see it move; or, at the first ``step()``,
            the optimizer has not stepped yet.

    Example:
        >>> import torch
        >>> optimizer = torch.optim.SGD([torch.nn.Parameter(torch.ones(2))], lr=0.1, momentum=0.8)
        >>> schedule = CurveSchedule(optimizer, lambda t: 1 - 0.1 * t, "momentum")
        >>> optimizer.step()
        >>> schedule.step()
        >>> round(optimizer.param_groups[0]["momentum"], 6)
        0.72
    """

    optimizer: Any
    """The optimizer that was passed."""
    last_epoch: int
    """The step t at which the schedule stands."""

    # The base constructor never runs: it would replace optimizer.step, and call ours.
    def __init__(
        self,
        optimizer: OptimizerLike,
        curve: Curve | CurvePerGroup,
        schedule_target: str = "lr",
    ) -> None:
        target = Target.parse(schedule_target)
        groups = groups_of(optimizer)
        if target.name != "lr":
            refuse_proxy(optimizer)
        target.check(groups)
        self._target = target
        shared = shares(curve, groups)
        if not callable(curve):  # the caller's may change
            curve = dict(curve) if isinstance(curve, Mapping) else tuple(curve)
        self._curve = curve
        self.optimizer = optimizer
        moves = [(driven, self._multiplier(each, 0)) for each, driven in shared]
        if not isinstance(optimizer, ProxyOptimizer):  # the factory warns, by the target's name
            target.warn_of_dead_schedule(optimizer, [group for _, some in shared for group in some])
        self._adopted: _Adopted = ((), 0, [])
        self._step_count = 0
        # Whether it went on by a step, which says that the value before was used; being sent to
        # one says nothing.
        self._advanced = False
        watch_steps(optimizer)
        self._apply(0, groups, shared, moves)

    # -- stepping ----------------------------------------------------------------------------

    def step(self, epoch: float | None = None) -> None:
        """Advance by one step, or to the step ``epoch``, and write the values.

        Args:
            epoch: the step to go to, ≥ 0; any, in any order. ``None`` is the next one.

        Raises:
            ValueError: λ(t) is NaN or infinite, or ``epoch`` is negative.
            TypeError: λ(t) or ``epoch`` is not a real number.
            KeyError: a param group has lost the target. In each case nothing has moved; only
                what was taken from a group's dict, or is not in one that was put in its place in
                the list, is found out while writing.
        """
        t, groups, shared, moves = self._prepare(epoch)  # a starred call would cost more
        self._apply(t, groups, shared, moves)

    # SequentialLR starts its schedulers with these two, the second since torch 2.9.
    def _initial_step(self) -> None:
        self._step_count = 0
        self.step()

    def _update_lr(self, epoch: float | None = None) -> None:
        self.step(epoch)

    def _prepare(
        self, epoch: float | None = None
    ) -> tuple[float, Sequence[ParamGroup], _Shares, _Moves]:
        """The step to go to and λ there. All that can fail in a step fails here."""
        if epoch is None and self._step_count and not self._advanced:
            self._advanced = True
            self._check_order()
        t = self.last_epoch + 1 if epoch is None else checked_epoch(epoch)
        groups = self.optimizer.param_groups
        known, num_groups, shared = self._adopted
        # As in ProxyOptimizer.param_groups, and as there in line: it is asked at every step.
        if len(groups) != num_groups or not (
            groups is known or all(map(operator.is_, groups, known))
        ):
            self._target.check(groups)
            shared = shares(self._curve, groups)
        moves = []  # not a comprehension, a call of its own before Python 3.12
        for curve, driven in shared:
            moves.append((driven, self._multiplier(curve, t)))
        return t, groups, shared, moves

    def _check_order(self) -> None:
        if not has_stepped(self.optimizer):
            # Opens with torch's words: people filter this warning by them.
            warn_user(
                "Detected call of `lr_scheduler.step()` before `optimizer.step()`. The optimizer "
                f"has not used the first value of this schedule of {self._what!r} and "
                "never will: call optimizer.step() first, then step the schedule"
            )

    def _apply(
        self, t: float, groups: Sequence[ParamGroup], shared: _Shares, moves: _Moves
    ) -> None:
        if shared is not self._adopted[2]:
            self._adopt(groups, shared)
        for driven, multiplier in moves:
            try:
                self._target.scale(driven, multiplier)
            except (LookupError, TypeError):
                # A dict that came into the list and has no initial value yet (or one from which it
                # was taken, which looks the same), or one without the target: for that, the check
                # has the words.
                self._target.check(groups)
                self._adopt(groups, shared)
                self._target.scale(driven, multiplier)
        self.last_epoch = t  # type: ignore[assignment]  # torch declares int and takes floats too
        self._step_count += 1

    def _adopt(self, groups: Sequence[ParamGroup], shared: _Shares) -> None:
        """Take in groups that are new here: joined since, or put there by load_state_dict."""
        target = self._target
        target.unshare(self.optimizer, groups)
        for _, driven in shared:
            for group in driven:
                group[target.initial_key] = target.initial_or_present(group)
        # One curve drives whatever stands in the list; several are bound to the dicts in it, which
        # the next step compares.
        known = groups if callable(self._curve) else list(groups)
        self._adopted = (known, len(groups), shared)

    def _look_anew(self) -> None:
        """Have the next step take in all groups again."""
        self._adopted = ((), 0, [])

    def _multiplier(self, curve: Curve, t: float) -> float:
        multiplier = curve(t)
        if type(multiplier) is float and isfinite(multiplier):
            return multiplier
        try:
            return real_number(multiplier)
        except (TypeError, ValueError) as error:
            raise type(error)(
                f"the multiplier of {self._what!r} at step {t}: {error}, "
                f"as {describe(curve)} gave it; return a finite real number"
            ) from None

    # -- what an LRScheduler is asked ----------------------------------------------------------

    @property
    def schedule_target(self) -> str:
        """The name of the entry that this schedule drives."""
        return self._target.name

    @property
    def curve(self) -> Curve | CurvePerGroup:
        """λ, as it was passed; of several, a tuple, or a mapping that cannot be changed.

        For another curve, build the schedule anew, and go to the step that it is to begin at.
        """
        curve = self._curve
        return curve if callable(curve) or isinstance(curve, tuple) else MappingProxyType(curve)

    @property
    def _what(self) -> str:
        """What the user calls the target: on a proxy it is not ``lr``."""
        proxied = isinstance(self.optimizer, ProxyOptimizer)
        return self.optimizer.schedule_target if proxied else self.schedule_target

    @property  # type: ignore[override]  # torch keeps a copy, of tensors too; we read
    def base_lrs(self) -> list[float]:
        """The initial value of each param group.

        A list of as many numbers sets them anew, as wrappers do that have scaled the learning rate
        themselves; the next step counts from them.
        """
        return [self._target.initial_or_present(group) for group in self.optimizer.param_groups]

    @base_lrs.setter  # type: ignore[override]  # and takes no tensor for an initial value
    def base_lrs(self, values: Sequence[float]) -> None:
        groups = self.optimizer.param_groups
        try:
            numbers = [real_number(value) for value in values]
        except (TypeError, ValueError) as error:
            raise type(error)(f"base_lrs: {error}") from None
        if len(numbers) != len(groups):
            raise ValueError(f"base_lrs: got {len(numbers)} for {len(groups)} param groups")
        number_of = {id(group): number for group, number in zip(groups, numbers)}
        for _, driven in shares(self._curve, groups):
            for group in driven:
                group[self._target.initial_key] = number_of[id(group)]

    @property
    def _last_lr(self) -> list[Value]:  # type: ignore[override]
        return self.get_last_lr()

    def get_last_lr(self) -> list[Value]:
        """The target's present value in each param group (a copy, where it is a tensor)."""
        return self._target.read_all(self.optimizer.param_groups)

    def get_lr(self) -> list[Value]:
        """Initial value × λ(t), one a param group, computed anew at t = ``last_epoch``.

        For code that counts ``last_epoch`` and sets the learning rates itself, as Ignite's
        ``LRScheduler`` does. Everything else wants :meth:`get_last_lr`.

        Raises:
            RuntimeError: the target is not ``"lr"``, which such code would set.
        """
        target = self._target
        if target.name != "lr":
            raise RuntimeError(
                f"get_lr: whoever calls it sets learning rates, and this schedule is of "
                f"{target.name!r}: call get_last_lr(), or build the schedule on the optimizer "
                "that arbitrary_schedule_factory hands to its factory"
            )
        values = self.get_last_lr()
        _, groups, _, moves = self._prepare(self.last_epoch)
        moved = {
            id(group): target.initial_or_present(group) * multiplier
            for driven, multiplier in moves
            for group in driven
        }
        return [moved.get(id(group), value) for group, value in zip(groups, values)]

    # -- state ---------------------------------------------------------------------------------

    def state_dict(self) -> dict[str, Any]:
        """Where the schedule stands, in numbers, strings, lists and dicts: any format can hold it.

        ``"curve"`` names the plan, for comparison; a curve itself is code and is not saved.
        """
        return {
            "schedule_target": self.schedule_target,
            "curve": self._plan(),
            "last_epoch": self.last_epoch,
            "_step_count": self._step_count,
            "base_lrs": self.base_lrs,
            "_last_lr": [real_number(value) for value in self.get_last_lr()],
        }

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Take up a saved state, and write its values into the optimizer at once.

        Also takes the state of a built-in of torch-schedule-anything 1.x.

        Args:
            state_dict: what :meth:`state_dict` returned.

        Raises:
            TypeError, ValueError: it is not the state of such a schedule (missing or unknown
                entries, another target, another number of param groups). Nothing has moved.

        Warns:
            UserWarning: it was saved under another curve. The curve in the code goes on.
        """
        self._take(self._checked_state(state_dict))

    def _checked_state(self, state: Mapping[str, Any]) -> Mapping[str, Any]:
        """``state`` if it can be taken up here; raises otherwise."""
        what = f"state of the schedule of {self._what!r}"
        if not isinstance(state, Mapping):
            raise TypeError(f"{what}: expected a dict, got {type(state).__name__}")
        self._target.check(self.optimizer.param_groups)
        if "lr_lambdas" in state:  # 1.x, whose built-ins were LambdaLRs
            own = {"last_epoch", "_step_count", "base_lrs", "_last_lr"}
            expected, given = own, own & set(state)
        else:
            expected, given = set(CurveSchedule.state_dict(self)), set(state)
        if given != expected:
            raise ValueError(
                f"{what}: missing {sorted(expected - given)}, "
                f"unknown {sorted(given - expected, key=str)}"
            )
        if state.get("schedule_target", self.schedule_target) != self.schedule_target:
            raise ValueError(f"{what}: it was saved for {state['schedule_target']!r}")
        num_groups = len(groups_of(self.optimizer))
        try:
            checked_epoch(state["_step_count"], "_step_count")
            # SequentialLR has it wait for its turn one step before 0, nested ones have it further.
            waits = state["_step_count"] == 1 and type(state["last_epoch"]) is int
            if not waits:
                checked_epoch(state["last_epoch"], "last_epoch")
            for key in ("base_lrs", "_last_lr"):
                values = state[key]
                if not isinstance(values, (list, tuple)) or len(values) != num_groups:
                    raise ValueError(f"{key!r} is {values!r}; there are {num_groups} param groups")
                for value in values:
                    real_number(value)
        except (TypeError, ValueError) as error:
            raise type(error)(f"{what}: {error}") from None
        shares(self._curve, self.optimizer.param_groups)
        return state

    def _take(self, state: Mapping[str, Any]) -> None:
        if not _same_plan(state.get("curve", self._plan()), self._plan()):
            warn_user(
                f"the schedule of {self._what!r} was saved under {state['curve']} and "
                f"goes on under {self._plan()}, from the step after {state['last_epoch']}"
            )
        target, groups = self._target, self.optimizer.param_groups
        shared = shares(self._curve, groups)
        self._adopt(groups, shared)
        driven = {id(group) for _, some in shared for group in some}
        for group, initial, value in zip(groups, state["base_lrs"], state["_last_lr"]):
            if id(group) in driven:
                group[target.initial_key] = real_number(initial)
                target.write(group, real_number(value))
        self.last_epoch = real_number(state["last_epoch"])  # type: ignore[assignment]  # as above
        self._step_count = int(real_number(state["_step_count"]))
        self._advanced = self._step_count > 1

    def _plan(self) -> str | list[str | None] | dict[str, str | None]:
        curve = self._curve
        if callable(curve):
            return describe(curve)
        if isinstance(curve, Mapping):
            return {name: None if each is None else describe(each) for name, each in curve.items()}
        return [None if each is None else describe(each) for each in curve]

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_adopted": ((), 0, [])}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        watch_steps(self.optimizer)  # hooks do not survive a copy of the optimizer

    def __repr__(self) -> str:
        present = self._target.read_or_none(self.optimizer.param_groups)
        return (
            f"<{type(self).__name__} of {self.schedule_target!r} on "
            f"{type(self.optimizer).__name__} along {self._plan()}, at step {self.last_epoch}: "
            f"{present}>"
        )


def describe(curve: Curve) -> str:
    """``repr`` without memory addresses: the same for the same curve in another process."""
    return re.sub(r" at 0x[0-9a-fA-F]+", "", repr(curve))


def inherits(schedule: object, *methods: str) -> bool:
    """Whether it is a ``CurveSchedule`` that has these methods as they are here."""
    return isinstance(schedule, CurveSchedule) and all(
        getattr(getattr(schedule, method), "__func__", None) is getattr(CurveSchedule, method)
        for method in methods
    )


def _same_plan(one: object, other: object) -> bool:
    """Whether they are the same but for 1 in place of 1.0, as curves that are equal may be."""
    return one == other or _without_zeros(one) == _without_zeros(other)


def _without_zeros(plan: object) -> str:
    return re.sub(r"(?<![\w.])(\d+)\.0(?![\w.])", r"\1", repr(plan))


def checked_epoch(epoch: object, name: str = "epoch") -> float:
    """``epoch`` as a Python number, if there is such a step; errors call it ``name``."""
    try:
        t = real_number(epoch)
    except (TypeError, ValueError) as error:
        raise type(error)(f"{name}: {error}; expected a step, 0 or later") from None
    if t < 0:
        raise ValueError(f"{name}: expected a step, 0 or later, got {epoch!r}")
    return t
