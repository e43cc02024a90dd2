"""The base of every schedule of this library: an ``LRScheduler`` of one target."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ..targets.checks import present_numbers, warn_if_all_zero, warn_if_some_zero
from ..targets.moves import Move
from ..targets.numbers_ import step_number, step_of_user
from ..targets.objects import ObjectGroups
from ..targets.stand_ins import behind
from ..targets.target import OptimizerLike, ParamGroup, Target, groups_of
from ..targets.tensors import warn_if_captured_step_ignores
from ..targets.undo import undone_on_error
from ..torch_.compile import uncompiled
from ..torch_.steps import warn_if_not_stepped, watch_steps
from .answers import Prepared, TargetAnswers
from .records import Record, sentence_of
from .states import Choice, check_state, load_state, positions_driven


class TargetSchedule(TargetAnswers):
    """A schedule of one target: it counts steps, answers as an ``LRScheduler``, and has a state.

    A subclass says which values the groups get at a position (``moves_to``), which groups they are
    (``driven_groups``), and what it follows, as entries of its state (``follows``, ``follow``).
    """

    last_epoch: int
    absolute: bool
    """True if the schedule gives the value itself, not a multiple of the initial value."""
    takes_new_groups = True
    """A group that joins the optimizer later is driven from its own initial value."""

    def __init__(
        self,
        optimizer: OptimizerLike,
        schedule_target: str,
        absolute: bool,
        where: Callable[[ParamGroup], bool] | None,
    ) -> None:
        target = Target.parse(schedule_target)
        groups_of(optimizer)
        if not isinstance(absolute, bool):
            raise TypeError(f"absolute: expected True or False, got {absolute!r}")
        # On a proxy, the schedule works on the real optimizer's target without the detour.
        super().__init__(*behind(optimizer, target))
        if where is not None and not callable(where):
            raise TypeError(f"where: expected a function of a param group, got {where!r}")
        self.where = where
        self.optimizer = optimizer
        self.label: str = self.target.name
        self.absolute = absolute
        self.last_epoch = -1
        self._step_count = 0
        # Set by the first step() without an argument: only that says that the optimizer should
        # have used the value before, and that the schedule goes on from where it stands.
        self._first_step_was_checked = False

    def begin(self, first: Prepared) -> None:
        """Write the ``first`` values; warn if the schedule cannot take effect."""
        groups, driven = self.real_optimizer.param_groups, self.driven_groups()
        if self.real_optimizer is self.optimizer:  # on a proxy, arbitrary_schedule_factory warns
            if self.absolute:
                warn_if_some_zero(self.target, driven, groups)
            else:
                warn_if_all_zero(self.target, driven)
            warn_if_captured_step_ignores(self.target, self.optimizer, driven)
        watch_steps(self.optimizer)
        self.commit(first)

    @abstractmethod
    def moves_to(
        self, position: float, groups: Sequence[ParamGroup], source_values: list[float] | None
    ) -> Move:
        """Return the values of the driven ``groups`` at ``position``; raise if one does not fit.

        ``source_values`` are those that the source of a derived schedule is about to have, one per
        group; if None, the source has them already.
        """

    @abstractmethod
    def follows(self) -> dict[str, Record]:
        """Return what the schedule follows, as entries of its state."""

    @abstractmethod
    def follow(self, saved: Mapping[str, Record]) -> None:
        """Follow from now on what a state says; raise ``ValueError`` if that is code."""

    def check_ahead(self) -> None:
        """Raise if what is followed will lead out of the range; a rule does not know."""

    def check_position(self) -> None:
        """Warn if the optimizer was loaded and the schedule was not; a rule has no position."""

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
            UserWarning: at the first ``step()``, the optimizer was loaded and holds other values,
                and the state of the schedule was not loaded. A derived schedule needs no state.

        If the call raises, nothing has moved.
        """
        if epoch is not None:
            epoch = step_of_user(epoch, self.last_epoch)
        self.commit(self.prepare(epoch))

    def prepare(
        self, epoch: float | None = None, source_values: list[float] | None = None
    ) -> Prepared:
        """Compute everything that :meth:`step` will write, and raise where it would.

        ``commit(prepare(epoch))`` is ``step(epoch)``: for code that steps several schedules and
        wants all of them to move, or none.
        """
        if epoch is None:
            if not self._first_step_was_checked and self._step_count:
                self._check_first_step()
            position: float = self.last_epoch + 1
        else:
            position = step_number(epoch)
        if self.optimizer is not self.real_optimizer:
            self.optimizer.check_groups()  # parts of a compound on a proxy follow it
        groups = self.real_optimizer.param_groups or groups_of(self.real_optimizer)
        if self.counts_from_code and not self.has_seen(groups):
            self.check_code_holds(groups)
        return position, groups, self.moves_to(position, groups, source_values)

    def commit(self, prepared: Prepared) -> None:
        """Write what :meth:`prepare` returned."""
        position, groups, (driven, values, over_floats, may_be_new) = prepared
        is_known = groups is self.seen[0] or self.has_seen(groups)
        if over_floats and is_known:
            key = self.target.key  # in line, because a call per group takes longer than the write
            for group, value in zip(driven, values):
                group[key] = value
        else:
            if may_be_new or not is_known:
                # The move of objects is in their dicts, and the records are in the groups.
                are_dicts = over_floats and type(groups) is ObjectGroups
                self.take_in(groups, groups if are_dicts else driven)
            for group, value in zip(driven, values):
                self.target.write(group, value)
        self.last_epoch = position  # type: ignore[assignment]  # torch declares int, takes floats
        self._step_count += 1

    def rewrite(self) -> None:
        """Compute the values of the present step anew, and write them."""
        position, step_count = self.last_epoch, self._step_count
        self.commit(self.prepare(max(position, 0)))
        # A part of a SequentialLR may wait before its first step.
        self.last_epoch, self._step_count = position, step_count

    # SequentialLR starts its schedulers with these two, the second since torch 2.9.
    def _initial_step(self) -> None:
        self._step_count = 0
        self.step()

    def _update_lr(self, epoch: float | None = None) -> None:
        self.step(epoch)

    def _check_first_step(self) -> None:
        warn_if_not_stepped(self.real_optimizer, self.label)
        self.check_position()
        self._first_step_was_checked = True  # not before, because a warning may raise

    def state_dict(self) -> dict[str, Any]:
        """Return where the schedule stands, in numbers, strings, lists and dicts.

        The state has the curve or the rule too. A curve of ``tsa_builtins``, or of a kind that you
        registered with :func:`tsa_core.register_curves`, is saved as data. Of any other, the state
        has the ``repr``.
        """
        return {
            "schedule_target": self.schedule_target,
            **self.follows(),
            "driven": positions_driven(self),
            "last_epoch": self.last_epoch,
            "_step_count": self._step_count,
            "base_lrs": self.base_lrs,
            "_last_lr": present_numbers(
                self.target, self.real_optimizer.param_groups, self.driven_groups()
            ),
        }

    def load_state_dict(
        self,
        state_dict: Mapping[str, Any],
        *,
        plan: Choice = "code",
        initial: Choice | None = None,
    ) -> None:
        """Restore a saved state, and write its values into the optimizer at once.

        The state of a built-in of torch-schedule-anything 1.x loads too.

        Args:
            state_dict: the dict that :meth:`state_dict` returned.
            plan: the plan to follow if the saved plan differs from the plan in the code.
                ``"code"``: the plan in the code, with a warning. ``"saved"``: the saved plan.
                ``"same"``: a difference is an error.
            initial: the initial values to use if the saved ones differ from those that the groups
                had when the schedule was built. ``"saved"``: the saved ones. This is also the
                default, with a warning. ``"code"``: those in the code; the present values are
                computed from them, if the optimizer was loaded first. ``"same"``: a difference is
                an error. If the optimizer was loaded before the schedule was built, the values in
                the code are unknown.

        Raises:
            TypeError, ValueError: ``state_dict`` is not the state of such a schedule. An entry is
                missing, unknown or of a wrong kind, or the target or the number of param groups
                differs.
            ValueError: the saved plan differs and ``plan`` is ``"same"``.
            ValueError: the saved plan is code, not data, and ``plan`` is ``"saved"``.
            ValueError: the saved initial values differ, and ``initial`` is ``"same"``.
            ValueError: the saved plan or initial values would leave the target's range later.
            ValueError: other param groups were driven, and ``plan`` is not ``"code"``. A state does
                not hold ``where``.

        If the call raises, nothing has moved.

        Warns:
            UserWarning: the saved plan differs and ``plan`` is ``"code"``.
            UserWarning: the saved initial values differ, and ``initial`` is not given.
            UserWarning: other param groups were driven, and ``plan`` is ``"code"``.
        """
        check_state(self, TargetSchedule.state_dict(self), state_dict, plan, initial)
        with undone_on_error([self.real_optimizer], [self]):
            load_state(self, state_dict, plan, initial)

    def stand_at(self, position: float, step_count: int) -> None:
        """Stand at a loaded position, after so many steps."""
        self.last_epoch = position  # type: ignore[assignment]  # see commit
        self._step_count = step_count
        self._first_step_was_checked = step_count > 1

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        watch_steps(self.optimizer)  # hooks do not survive a copy of the optimizer

    def __repr__(self) -> str:
        present = self.target.read_or_none(self.real_optimizer.param_groups)
        return (
            f"<{type(self).__name__} of {self.schedule_target!r} on "
            f"{type(self.real_optimizer).__name__} along {sentence_of(self.follows())}, at step "
            f"{self.last_epoch}: {present}>"
        )
