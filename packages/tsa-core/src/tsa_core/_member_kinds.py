"""The kinds of members: schedules of this library, torch's own, and those of other authors."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from ._curve_schedule import CurveSchedule
from ._derived import DerivedSchedule
from ._member import Member
from ._plans import Policy
from ._target_schedule import TargetSchedule
from ._tensors import as_held
from ._torch import VERSION_DEPENDENT_KEYS, is_torchs_own, parts_of, settings_of


def member_of(schedule: Any) -> Member:
    """Return the member that stands for ``schedule``."""
    parts = [member_of(part) for part in parts_of(schedule)]
    if is_torchs_own(schedule):
        return TorchMember(schedule, parts)
    if not isinstance(schedule, TargetSchedule):
        return Member(schedule, parts)
    return DerivedMember(schedule) if isinstance(schedule, DerivedSchedule) else OwnMember(schedule)


class OwnMember(Member):
    """A schedule of this library: it computes first and writes later, and checks its own state.

    If a subclass overrides ``step``, or how a state is made or loaded, that is used.
    """

    def __init__(self, schedule: Any) -> None:
        super().__init__(schedule)
        self.moves = self.steps_itself = _overrides(schedule, TargetSchedule, "step")
        self.is_pure = not self.moves
        # A subclass may write other values than the products.
        self._gives_products = isinstance(schedule, CurveSchedule) and not _overrides(
            schedule, CurveSchedule, "step", "prepare", "commit", "values_of"
        )
        self._has_own_state = _overrides(schedule, TargetSchedule, "state_dict", "load_state_dict")
        self._prepared: Any = None

    @property
    def position(self) -> Any:
        return self.schedule.last_epoch

    def prepare(self, given: Mapping[str, Any]) -> None:
        if self.moves:
            super().prepare(given)
        else:
            self._prepared = self.schedule.prepare(given.get("epoch"))

    def commit(self) -> None:
        self.schedule.commit(self._prepared)
        self._prepared = None

    @property
    def boundaries(self) -> tuple[float, ...]:
        origin = self.schedule.plan().get("origin", 0)  # since replan
        return tuple(boundary + origin for boundary in super().boundaries)

    def upcoming_values(self) -> list[float]:
        if self.moves:
            return super().upcoming_values()
        values = self.schedule.values_of(self._prepared)
        return as_held(self.target, self.optimizer.param_groups, values)

    def upcoming_multiplier(self) -> float | None:
        return self.schedule.multiplier_of(self._prepared) if self._gives_products else None

    def values_at(self, t: float) -> list[float]:
        values: list[float] = self.schedule.values_at(t)
        return values

    def save(self) -> dict[str, Any]:
        state: dict[str, Any] = self.schedule.state_dict()
        return state

    def check(self, state: Any, plan: Policy, may_wait: bool = False) -> None:
        if self._has_own_state:
            super().check(state, plan, may_wait)
        else:
            self.schedule.check_state(state, plan)

    def load(self, state: Mapping[str, Any], plan: Policy = "code") -> None:
        if self._has_own_state:
            self.schedule.load_state_dict(copy.deepcopy(dict(state)))
        else:
            self.schedule.restore(state, plan)

    def remember(self) -> Any:
        return dict(vars(self.schedule))  # with the curve itself, which may be code

    def put_back(self, memory: Any) -> None:
        vars(self.schedule).update(memory)
        self.schedule.look_anew()

    def apply_policy(self, state: dict[str, Any], plan: Policy) -> None:
        state.clear()  # torch's compound loads the present state, load_own_parts the saved one
        state.update(self.save())

    def load_own_parts(self, state: Mapping[str, Any], plan: Policy) -> None:
        self.load(state, plan)


class DerivedMember(OwnMember):
    """A derived schedule: it computes from the values that its source is going to have.

    If a subclass overrides ``step``, that is called when its source has moved.
    """

    def __init__(self, schedule: Any) -> None:
        super().__init__(schedule)
        self.moves = self.is_pure = False
        self.source_target = schedule.source_target
        self._given: Mapping[str, Any] = {}

    def prepare(self, given: Mapping[str, Any]) -> None:
        self._given = given
        if not self.steps_last:
            self._prepared = self.schedule.prepare(given.get("epoch"), self.source)

    def commit(self) -> None:
        if self.steps_last:
            self.move(self._given)
        else:
            super().commit()

    def derive_now(self) -> None:
        if self.source is not None:
            self.schedule.rewrite()

    def take_in_groups(self) -> None:
        self.schedule.take_in_new(self.optimizer.param_groups)


class TorchMember(Member):
    """A scheduler of torch: settings come from the code, everything else from the state."""

    def prepare(self, given: Mapping[str, Any]) -> None:
        super().prepare(given)
        bases = getattr(self.schedule, "base_lrs", None)
        if "epoch" in given and bases and len(bases) != len(self.optimizer.param_groups):
            raise RuntimeError(
                f"step: the schedule of {self.name!r} ({type(self.schedule).__name__}) cannot go "
                f"to epoch {given['epoch']!r}, because groups have joined or left. torch computes "
                f"a given epoch for the {len(bases)} groups of the beginning; call step()"
            )

    def entries_to_check(self, own: Mapping[str, Any]) -> tuple[set[str], set[str]]:
        # Of other private entries, and of those that come with a newer torch, only torch knows.
        known = {key for key in own.keys() - VERSION_DEPENDENT_KEYS if not key.startswith("_")}
        settings = {*settings_of(self.schedule), "base_lrs", "_last_lr"}
        return known | {"_step_count", "_last_lr"}, settings

    def settings(self, state: Mapping[str, Any]) -> list[tuple[str, Any, Any]]:
        own, settings = self.schedule.state_dict(), settings_of(self.schedule)
        return [(key, own[key], state[key]) for key in own if key in settings and key in state]


def _overrides(schedule: TargetSchedule, base: type[Any], *methods: str) -> bool:
    """True if one of these methods of the schedule is not that of ``base``, a class of ours."""
    return any(
        getattr(getattr(schedule, method), "__func__", None) is not getattr(base, method)
        for method in methods
    )
