"""What a ``SynchronousSchedule`` needs of a member, whoever wrote the schedule."""

from __future__ import annotations

import copy
import math
import numbers
from collections.abc import Mapping
from typing import Any

from torch import Tensor
from torch.optim.lr_scheduler import ReduceLROnPlateau, SequentialLR

from ._checks import present_values
from ._numbers import real_number
from ._proxy import ProxyOptimizer, behind_proxy
from ._target import Target
from ._target_schedule import TargetSchedule, overrides
from ._torch import (
    PER_GROUP_KEYS,
    VERSION_DEPENDENT_KEYS,
    StepArguments,
    is_torchs_own,
    metrics_must_be_numbers,
    parts_of,
    position_of,
    progress_under_new_settings,
    same_setting,
    settings_of,
)
from ._warn import warn_user

_LR = Target.parse("lr")


def member_of(schedule: Any) -> Member:
    """Return the member that stands for ``schedule``."""
    if isinstance(schedule, TargetSchedule):
        if overrides(schedule, "state_dict", "load_state_dict"):
            return Member(schedule)
        return SteppedOwnMember(schedule) if overrides(schedule, "step") else OwnMember(schedule)
    return TorchMember(schedule) if is_torchs_own(schedule) else Member(schedule)


class Member:
    """One schedule, stepped, saved and loaded by its own methods.

    A step has three phases. ``prepare`` raises what can be known before anything moves. ``move``
    calls the schedule's own ``step``, which computes and writes in one. ``commit`` writes what
    ``prepare`` computed. A member uses ``move``, or ``commit``.
    """

    moves = True
    """True if the member uses ``move``."""
    is_pure = False
    """True if :meth:`values_at` can tell the value at any step."""

    def __init__(self, schedule: Any) -> None:
        self.schedule = schedule
        self.optimizer, target = behind_proxy(schedule.optimizer, _LR)
        if isinstance(schedule, TargetSchedule):
            target = Target.parse(schedule.schedule_target)
        self.target: Target = target
        self.name = target.name
        self.arguments = StepArguments.of(schedule)
        self.parts = [member_of(part) for part in parts_of(schedule)]

    # -- stepping --------------------------------------------------------------------------------

    @property
    def position(self) -> Any:
        """The step at which the schedule stands, or None if it does not count."""
        return position_of(self.schedule)

    def check_arguments(self, given: Mapping[str, Any]) -> None:
        """Raise unless the schedule's ``step`` can be called with what is given."""
        arguments, what = self.arguments, f"the schedule of {self.name!r}"
        kind = type(self.schedule).__name__
        missing = sorted(arguments.required - given.keys())
        if "metrics" in missing:
            raise TypeError(f"step: {what} ({kind}) takes metrics: call step(metrics)")
        if missing:
            raise TypeError(f"step: {what} ({kind}) demands {missing}: pass them by name")
        if "epoch" in given and not arguments.take("epoch"):
            raise TypeError(
                f"step: {what} ({kind}) cannot go to epoch {given['epoch']!r}: call step()"
            )
        if metrics_must_be_numbers(self.schedule):
            try:
                float(given["metrics"])
            except (TypeError, ValueError, OverflowError, RuntimeError) as error:
                raise TypeError(
                    f"metrics: expected a number, got {given['metrics']!r}: {error}"
                ) from None

    def prepare(self, given: Mapping[str, Any]) -> None:
        """Raise what can be known before anything moves."""
        if isinstance(self.schedule.optimizer, ProxyOptimizer):
            self.schedule.optimizer.check_groups()

    def move(self, given: Mapping[str, Any]) -> None:
        """Step the schedule with those of the given arguments that it takes."""
        arguments = self.arguments
        if not given:
            self.schedule.step()
        elif arguments.any_position and not arguments.any_keyword:
            self.schedule.step(*given.values())
        else:
            self.schedule.step(**{key: given[key] for key in given if arguments.take(key)})

    def commit(self) -> None:
        """Write what :meth:`prepare` computed."""

    # -- values to come --------------------------------------------------------------------------

    def values_at(self, t: float) -> list[float]:
        """Return the target's value in each group at step ``t``, if the member ``is_pure``."""
        raise NotImplementedError

    @property
    def boundaries(self) -> tuple[float, ...]:
        """The steps at which one curve hands over to the next, if the curve knows them."""
        boundaries = getattr(getattr(self.schedule, "curve", None), "boundaries", ())
        if isinstance(boundaries, (tuple, list)) and all(map(_is_number, boundaries)):
            return tuple(boundaries)
        return ()  # somebody's callable with an attribute of the same name

    # -- state -----------------------------------------------------------------------------------

    @property
    def _what(self) -> str:
        return f"state of the schedule of {self.name!r} ({type(self.schedule).__name__})"

    def save(self) -> dict[str, Any]:
        """Return the state; torch's ``_last_lr`` is what the groups hold now."""
        # torch has the values that it wrote last, and somebody may have set others since. In torch
        # < 2.9 they are the very tensors that the groups hold. A plateau has none in torch < 2.3.
        state: dict[str, Any] = self.schedule.state_dict()
        if not isinstance(self.schedule, TargetSchedule) and (
            "_last_lr" in state or isinstance(self.schedule, ReduceLROnPlateau)
        ):
            groups = self.schedule.optimizer.param_groups
            state = {**state, "_last_lr": present_values(_LR, groups)}
        if self.parts:
            state = {**state, "_schedulers": [part.save() for part in self.parts]}
        return state

    def check(self, state: Any, may_wait: bool = False) -> None:
        """Raise unless ``state`` can be loaded; nothing is touched.

        ``may_wait``: the schedule is part of a compound and may stand before its first step.
        """
        what = self._what
        if not isinstance(state, Mapping):
            raise TypeError(f"{what}: expected a dict, got {type(state).__name__}")
        own = self.schedule.state_dict()
        strange = {
            key
            for key in set(own) ^ set(state)
            if not str(key).startswith("_") and key not in VERSION_DEPENDENT_KEYS
        }
        demanded = {"_schedulers", "_step_count", "_last_lr"}
        if isinstance(self.schedule, ReduceLROnPlateau):  # saved by itself, it has no _last_lr
            demanded.remove("_last_lr")
        missing = sorted(strange & set(own)) + sorted(demanded & set(own) - set(state))
        if strange or missing:
            raise ValueError(
                f"{what}: missing {missing}, unknown {sorted(strange - set(own), key=str)}"
            )
        self._check_values(own, state, may_wait)
        try:
            for number in state.get("_last_lr", ()):
                real_number(number)
        except (TypeError, ValueError) as error:
            raise type(error)(f"{what}: {error}") from None
        if self.parts:
            states = state["_schedulers"]
            if not isinstance(states, (list, tuple)) or len(states) != len(self.parts):
                raise ValueError(
                    f"{what}: expected {len(self.parts)} schedulers' states, got {states!r}"
                )
            for part, its_state in zip(self.parts, states):
                part.check(its_state, may_wait=True)

    def _check_values(
        self, own: Mapping[str, Any], state: Mapping[str, Any], may_wait: bool
    ) -> None:
        num_groups = len(self.schedule.optimizer.param_groups)
        for key in PER_GROUP_KEYS:
            if key not in state:
                continue
            values = state[key]
            lengths = {num_groups, len(own[key]) if key in own else num_groups}
            # torch repeats a single min_lr for groups that joined, but only when it reduces.
            may_lag = key == "min_lrs" and own.get("default_min_lr") is not None
            if not isinstance(values, (list, tuple)) or (
                len(values) not in lengths and not (may_lag and values)
            ):
                raise ValueError(
                    f"{self._what}: {key!r} is {values!r}, the optimizer has {num_groups} param "
                    "groups"
                )

    def load(self, state: Mapping[str, Any]) -> None:
        """Load a checked state, and write the values that it reports into the optimizer."""
        # A copy, because torch keeps the lists that it is given and takes entries out of the dict.
        own_copy = copy.deepcopy(dict(state))
        self.keep_settings(own_copy)
        self.schedule.load_state_dict(own_copy)
        if isinstance(self.schedule, TargetSchedule):
            return
        # torch leaves the optimizer as it is, and its recurrences would go on from there.
        for group, value in zip(self.schedule.optimizer.param_groups, state.get("_last_lr", ())):
            _LR.write(group, real_number(value))

    def keep_settings(self, state: dict[str, Any]) -> None:
        """Put the settings of the code into ``state`` if the saved ones differ.

        Nothing to do for most schedules: only their author knows what is a setting.
        """

    def look_anew(self) -> None:
        """Have the next step take in all groups again."""
        if isinstance(self.schedule, TargetSchedule):
            self.schedule.look_anew()


class OwnMember(Member):
    """A schedule of this library: it computes first and writes later, and checks its own state."""

    moves = False
    is_pure = True

    def __init__(self, schedule: Any) -> None:
        super().__init__(schedule)
        self._prepared: Any = None

    @property
    def position(self) -> Any:
        return self.schedule.last_epoch

    def prepare(self, given: Mapping[str, Any]) -> None:
        self._prepared = self.schedule.prepare(given.get("epoch"))

    def commit(self) -> None:
        self.schedule.commit(self._prepared)
        self._prepared = None

    def values_at(self, t: float) -> list[float]:
        values: list[float] = self.schedule.values_at(t)
        return values

    def save(self) -> dict[str, Any]:
        state: dict[str, Any] = self.schedule.state_dict()
        return state

    def check(self, state: Any, may_wait: bool = False) -> None:
        self.schedule.check_state(state)

    def load(self, state: Mapping[str, Any]) -> None:
        self.schedule.restore(state)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_prepared": None}


class SteppedOwnMember(OwnMember):
    """A schedule of this library with a ``step`` of its own, which is used."""

    moves = True
    is_pure = False

    def prepare(self, given: Mapping[str, Any]) -> None:
        Member.prepare(self, given)

    def commit(self) -> None:
        """Nothing: ``step`` has written."""


class TorchMember(Member):
    """A scheduler of torch: settings come from the code, everything else from the state."""

    def _check_values(
        self, own: Mapping[str, Any], state: Mapping[str, Any], may_wait: bool
    ) -> None:
        super()._check_values(own, state, may_wait)
        settings = settings_of(self.schedule) | VERSION_DEPENDENT_KEYS | {"_schedulers"}
        for key in sorted(own.keys() & state.keys() - {"_schedulers"}):
            try:
                _check_kind(own[key], state[key])
                # SequentialLR has its parts wait for their turn one step before 0.
                if key not in settings and not (may_wait and key == "last_epoch"):
                    _check_sign(key, own[key], state[key])
            except (TypeError, ValueError) as error:
                raise type(error)(f"{self._what}: {key!r} is {state[key]!r}: {error}") from None
        if isinstance(self.schedule, SequentialLR) and "_milestones" in state:
            self._check_milestones(own["_milestones"], state["_milestones"], state["last_epoch"])

    def _check_milestones(self, own: Any, saved: Any, t: float) -> None:
        """Raise unless the milestones up to step ``t`` agree: they say where each part stands."""
        try:
            then, now = ([m for m in milestones if m <= t] for milestones in (saved, own))
        except TypeError:
            raise TypeError(
                f"{self._what}: '_milestones' is {saved!r}; expected a list of steps"
            ) from None
        if then != now:
            raise ValueError(
                f"{self._what}: up to step {t}, where it was saved, the milestones were {then} and "
                f"are {now} now: milestones in the past have to stay"
            )

    def keep_settings(self, state: dict[str, Any]) -> None:
        own = self.schedule.state_dict()
        settings = [key for key in own if key in state and key in settings_of(self.schedule)]
        changed = [key for key in settings if not same_setting(key, own[key], state[key])]
        if changed:
            warn_user(
                f"the schedule of {self.name!r} ({type(self.schedule).__name__}) was saved under "
                f"{ {key: state[key] for key in changed} } and goes on under "
                f"{ {key: own[key] for key in changed} }"
            )
        state.update(progress_under_new_settings(self.schedule, changed, state))
        state.update((key, own[key]) for key in settings)
        for part, its_state in zip(self.parts, state.get("_schedulers", ())):
            part.keep_settings(its_state)


def _is_number(value: object) -> bool:
    return isinstance(value, numbers.Real)


def _check_kind(own: Any, saved: Any) -> None:
    """Raise unless ``saved`` is the kind of value that the scheduler holds there."""
    if isinstance(own, bool):
        if not isinstance(saved, bool):
            raise TypeError("expected True or False")
    elif isinstance(own, numbers.Real) or (isinstance(own, Tensor) and own.ndim == 0):
        if saved not in (math.inf, -math.inf):  # a plateau's best, before its first metrics
            real_number(saved)
    elif isinstance(own, str):
        if not isinstance(saved, str):
            raise TypeError("expected a string")
    elif isinstance(own, Mapping):
        if not isinstance(saved, Mapping):
            raise TypeError("expected a dict")
    elif isinstance(own, (list, tuple)):
        if not isinstance(saved, (list, tuple)):
            raise TypeError("expected a list")
        for element in saved if own else ():
            _check_kind(own[0], element)


def _check_sign(key: str, own: Any, saved: Any) -> None:
    """Raise if a counter is negative: an int of progress, all of which count from 0."""
    is_counter = isinstance(own, int) and not isinstance(own, bool)
    if is_counter and (saved < 0 or (key == "T_i" and saved == 0)):  # T_i: length of a cycle
        raise ValueError("expected a number of steps, 0 or more")
