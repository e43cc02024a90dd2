"""Random programs of multipliers, values and derived targets give the values of arithmetic.

Two optimizers are scheduled together, scheduled anew, replanned, saved, and loaded under each
policy. Groups join, leave, change places and are replaced. The oracle keeps one number per group
and target, one initial value where one was recorded, the plan and the position; it knows nothing
of the library. ``test_clocks.py`` has random programs of clocks.
"""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import pytest
import torch
from cases import EXHAUSTIVE
from helpers import Failing, floats, halving, put, through_pickle
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from torch.nn import Parameter
from torch.optim.lr_scheduler import ExponentialLR, LambdaLR

from tsa_core import (
    CurveSchedule,
    DerivedSchedule,
    SynchronousSchedule,
    extend_optimizer,
    preview,
    register_curves,
)

TARGETS = ("lr", "weight_decay", "clip", "betas[0]", "x")
VALUES = st.sampled_from([0.25, 0.5, 0.0625, 0.75, 0.3, 0.9])


def decline(t: float) -> float:
    return 0.7 / (1 + t)


def squash(x: float) -> float:
    return x / (1 + x)


def square(x: float) -> float:
    return x * x


class Function(Failing):
    """A curve or a rule that pickle can copy, and that can be told to fail."""

    def __init__(self, compute: Callable[[float], float]) -> None:
        super().__init__(ZeroDivisionError(), compute)

    def __repr__(self) -> str:
        return self.compute.__name__


def to_dict(curve: object) -> dict[str, Any]:
    if not isinstance(curve, Function):
        raise TypeError(curve)
    return {"kind": "Function", "name": repr(curve)}


def from_dict(record: Any) -> Function:
    return Function({"halving": halving, "decline": decline}[record["name"]])


register_curves(to_dict, from_dict)


# How a target can be driven: the kind, the function, and the source if it is derived. A later
# target can be derived from an earlier one, and "x" is set by hand alone.
PLANS: dict[str, list[tuple[str, Any, str | None]]] = {
    "lr": [
        ("multiplier", halving, None),
        ("value", decline, None),
        ("ExponentialLR", halving, None),
        ("LambdaLR", halving, None),
        ("multiple", square, "x"),
    ],
    "weight_decay": [
        ("multiplier", decline, None),
        ("multiple", square, "lr"),
        ("derived value", squash, "x"),
    ],
    "clip": [
        ("value", decline, None),
        ("ExponentialLR", halving, None),
        ("multiple", squash, "weight_decay"),
    ],
    "betas[0]": [
        ("multiplier", halving, None),
        ("derived value", squash, "clip"),
        ("derived value", squash, "lr"),
    ],
}
TORCH_KINDS = ("ExponentialLR", "LambdaLR")
SET_BY_HAND = ("x", "x", "lr", "weight_decay", "clip")

PLAN = st.fixed_dictionaries(
    {name: st.sampled_from([None, *plans]) for name, plans in PLANS.items()}
)
NUMBERS = st.tuples(*(VALUES,) * len(TARGETS))
GROUPS = st.lists(NUMBERS, min_size=1, max_size=3)
DTYPE = st.sampled_from([None, torch.float64, torch.float32, torch.float16])
INDEX = st.integers(0, 1)  # of the optimizer


class Oracle:
    """The values that the groups of one optimizer hold, in plain Python numbers."""

    def __init__(self, dtype: torch.dtype | None) -> None:
        self.dtype = dtype
        self.held: list[dict[str, float]] = []
        self.initial: list[dict[str, float]] = []

    def start(self, plan: dict[str, Any]) -> None:
        self.plan = plan
        self.origin = dict.fromkeys(plan, 0.0)

    def rounded(self, target: str, value: float) -> float:
        """The value as the group holds it: ``clip`` may be a tensor of some precision."""
        if target != "clip" or self.dtype is None:
            return value
        return torch.zeros((), dtype=self.dtype).fill_(value).item()

    def is_behind_torch(self, target: str | None) -> bool:
        """True if a torch scheduler drives ``target``, or what that is derived from."""
        if target not in self.plan:
            return False
        kind, _, source = self.plan[target]
        return kind in TORCH_KINDS or self.is_behind_torch(source)

    def join(self, values: dict[str, float]) -> None:
        self.held.append({name: self.rounded(name, value) for name, value in values.items()})
        self.initial.append({})

    def move_to(self, t: float) -> None:
        for target in self.plan:  # a source stands before its targets
            self._move(target, t)

    def _move(self, target: str, t: float) -> None:
        for now, initial in zip(self.held, self.initial):
            self._record(target, now, initial)
            now[target] = self.rounded(target, self._value(target, now, initial, t))

    def _record(self, target: str, now: dict[str, float], initial: dict[str, float]) -> None:
        initial.setdefault(target, now[target])
        _, _, source = self.plan[target]
        if source is not None:  # a source that nobody has scheduled has a record of its own
            initial.setdefault(f"{source}[of {target}]", initial.get(source, now[source]))

    def _value(
        self, target: str, now: dict[str, float], initial: dict[str, float], t: float
    ) -> float:
        kind, function, source = self.plan[target]
        if kind == "ExponentialLR":
            return now[target] if t == 0 else now[target] * 0.5
        since = t - self.origin[target]
        if kind in ("multiplier", "LambdaLR"):
            return initial[target] * function(since)
        if kind == "value":
            return function(since)
        if kind == "multiple":
            first = initial.get(source, initial[f"{source}[of {target}]"])
            return initial[target] * function(now[source] / first)
        return function(now[source])

    def replan(self, target: str, function: Any, t: float) -> None:
        kind, _, source = self.plan[target]
        self.plan[target], self.origin[target] = (kind, function, source), t
        moved = []
        for each, (_, _, its_source) in self.plan.items():  # a source stands before its targets
            if each == target or its_source in moved:
                moved.append(each)
                self._move(each, t)

    def state_of_schedules(self) -> list[dict[str, tuple[float, float]]]:
        return [
            {target: (initial.get(target, now[target]), now[target]) for target in self.plan}
            for now, initial in zip(self.held, self.initial)
        ]

    def load_schedules(self, state: list[dict[str, tuple[float, float]]]) -> None:
        for now, initial, saved in zip(self.held, self.initial, state):
            for target, (first, value) in saved.items():
                initial[target], now[target] = first, value
            for target in saved:
                self._record(target, now, initial)


class Interleavings(RuleBasedStateMachine):
    @initialize(
        plans=st.tuples(PLAN, PLAN),
        groups=st.tuples(GROUPS, GROUPS),
        dtypes=st.tuples(DTYPE, DTYPE),
        data=st.data(),
    )
    def start(self, plans: Any, groups: Any, dtypes: Any, data: Any) -> None:
        self.oracles = [Oracle(dtype) for dtype in dtypes]
        self.optimizers = []
        for oracle, values in zip(self.oracles, groups):
            optimizer = torch.optim.AdamW([self.group(oracle, values[0])])
            for each in values[1:]:
                optimizer.add_param_group(self.group(oracle, each))
            self.optimizers.append(optimizer)
        self.schedule_anew(plans, data)

    @rule(plans=st.tuples(PLAN, PLAN), data=st.data())
    def schedule_anew(self, plans: Any, data: Any) -> None:
        """New schedules start from the initial values that earlier ones have recorded."""
        self.position: float = 0
        self.saved: Any = None
        self.optimizer_was_loaded_last = False
        lists = []
        for plan, oracle, optimizer in zip(plans, self.oracles, self.optimizers):
            chosen = {name: plan[name] for name in PLANS if plan[name]}
            oracle.start(chosen or {"lr": ("multiplier", halving, None)})
            build = data.draw(st.sampled_from([self.build, self.build_on_a_proxy]))
            in_some_order = data.draw(st.permutations([*oracle.plan.items()]))
            lists.append([build(optimizer, name, *each) for name, each in in_some_order])
            oracle.move_to(0)
            optimizer.step()
        self.has_torch = any(
            kind in TORCH_KINDS for oracle in self.oracles for kind, _, _ in oracle.plan.values()
        )
        with self.warned_of_arbitrary_units():
            self.sync = SynchronousSchedule(dict(zip("ab", lists)))

    def warned_of_arbitrary_units(self) -> Any:
        """Multiples of values: what a multiple of 1 stands for says only the optimizer."""
        values = ("value", "derived value")
        for oracle in self.oracles:
            for kind, _, source in oracle.plan.values():
                if kind == "multiple" and oracle.plan.get(source, ("", None))[0] in values:
                    return pytest.warns(UserWarning, match="derives from multiples of")
        return nullcontext()

    def group(self, oracle: Oracle, numbers: tuple[float, ...]) -> dict[str, Any]:
        values = dict(zip(TARGETS, numbers))
        oracle.join(values)
        clip = values["clip"]
        return {
            "params": [Parameter(torch.ones(1))],
            "lr": values["lr"],
            "weight_decay": values["weight_decay"],
            "clip": clip if oracle.dtype is None else torch.tensor(clip, dtype=oracle.dtype),
            "betas": (values["betas[0]"], 0.999),
            "x": values["x"],
        }

    def build(self, optimizer: Any, name: str, kind: str, compute: Any, source: Any) -> Any:
        function = Function(compute)
        if kind == "ExponentialLR":
            return put(optimizer, name, lambda proxy: ExponentialLR(proxy, 0.5))
        if kind == "LambdaLR":
            return put(optimizer, name, lambda proxy: LambdaLR(proxy, compute))
        if source is None:
            return CurveSchedule(optimizer, function, name, absolute=kind == "value")
        absolute = kind == "derived value"
        return DerivedSchedule(optimizer, function, name, of=source, absolute=absolute)

    def build_on_a_proxy(self, optimizer: Any, name: str, kind: str, *how: Any) -> Any:
        if kind not in ("multiplier", "value"):
            return self.build(optimizer, name, kind, *how)
        return put(optimizer, name, lambda proxy: self.build(proxy, "lr", kind, *how))

    def move_to(self, t: float) -> None:
        self.position = t
        for oracle in self.oracles:
            oracle.move_to(t)

    # -- steps ---------------------------------------------------------------------------------

    @rule()
    def step(self) -> None:
        self.step_all()
        self.move_to(self.position + 1)

    def step_all(self) -> None:
        with warnings.catch_warnings():
            if self.optimizer_was_loaded_last:
                warnings.filterwarnings("ignore", "the optimizer was loaded")
            self.sync.step()
        self.optimizer_was_loaded_last = False

    @precondition(lambda self: not self.has_torch)
    @rule(t=st.sampled_from([0, 1, 4, 2.5]))
    def go(self, t: float) -> None:
        if t < max(start for oracle in self.oracles for start in oracle.origin.values()):
            return  # before the step 0 of a curve
        self.sync.step(t)
        self.move_to(t)

    @rule(i=INDEX, function=st.sampled_from([halving, decline]), data=st.data())
    def replan(self, i: int, function: Any, data: st.DataObject) -> None:
        oracle = self.oracles[i]
        curves = [name for name, each in oracle.plan.items() if each[0] in ("multiplier", "value")]
        if not curves:
            return
        name = data.draw(st.sampled_from(curves))
        self.sync.replan({f"{'ab'[i]}/{name}": Function(function)})
        oracle.replan(name, function, self.position)

    @rule(data=st.data())
    def fail(self, data: st.DataObject) -> None:
        # Behind a torch scheduler, a step that fails has moved that scheduler.
        names = [
            f"{name}/{target}"
            for name, oracle in zip("ab", self.oracles)
            for target in oracle.plan
            if not oracle.is_behind_torch(target)
        ]
        if not names:
            return
        schedule = self.sync.schedules[data.draw(st.sampled_from(names))]
        function = schedule.rule if isinstance(schedule, DerivedSchedule) else schedule.curve
        function.fails = True
        with pytest.raises(ZeroDivisionError):
            self.step_all()
        function.fails = False

    # -- saving, loading and copying -----------------------------------------------------------

    @rule()
    def save(self) -> None:
        self.saved = copy.deepcopy(
            (
                [optimizer.state_dict() for optimizer in self.optimizers],
                self.sync.state_dict(),
                [(oracle.held, oracle.initial) for oracle in self.oracles],
                [oracle.state_of_schedules() for oracle in self.oracles],
                [(oracle.plan, oracle.origin) for oracle in self.oracles],
                self.position,
            )
        )

    @precondition(lambda self: self.saved is not None)
    @rule(
        order=st.sampled_from(["sync a b", "a sync b", "b a sync", "sync", "a", "b sync"]),
        policy=st.sampled_from(["code", "saved", "same"]),
    )
    def load(self, order: str, policy: Any) -> None:
        optimizer_states, sync_state, values, schedules, plans, position = copy.deepcopy(self.saved)
        if any(len(now) != len(oracle.held) for (now, _), oracle in zip(values, self.oracles)):
            return
        differs = plans != [(oracle.plan, oracle.origin) for oracle in self.oracles]
        origins = [start for oracle in self.oracles for start in oracle.origin.values()]
        if policy == "code" and max(origins) > position:
            policy = "saved"  # the plan in the code would be asked for a step before its first
        if policy == "same" and differs and "sync" in order:
            with pytest.raises(ValueError, match="expected the same plan"):
                self.sync.load_state_dict(sync_state, plan=policy, initial="saved")
            return
        # A value that is then set by hand looks as if the schedule had not been loaded.
        self.optimizer_was_loaded_last = not order.endswith("sync")
        for what in order.split():
            if what == "sync":
                expected: Any = nullcontext()
                if policy == "code" and differs:
                    expected = pytest.warns(UserWarning, match="was saved under .* and goes on")
                with expected:
                    self.sync.load_state_dict(sync_state, plan=policy, initial="saved")
                self.position = position
                for oracle, state, plan in zip(self.oracles, schedules, plans):
                    oracle.load_schedules(state)
                    if policy == "saved":
                        oracle.plan, oracle.origin = plan
            else:
                i = "ab".index(what)
                self.optimizers[i].load_state_dict(optimizer_states[i])
                self.oracles[i].held, self.oracles[i].initial = copy.deepcopy(values[i])

    @rule(pickled=st.booleans())
    def duplicate(self, pickled: bool) -> None:
        parts = (self.optimizers, self.sync)
        self.optimizers, self.sync = through_pickle(parts) if pickled else copy.deepcopy(parts)
        for optimizer in self.optimizers:
            optimizer.step()  # a copy of an optimizer, in torch too, does not know that it stepped

    # -- values and groups that change ---------------------------------------------------------

    # "target" is a keyword of Hypothesis's rule, so the rules take a target_name.
    @rule(i=INDEX, target_name=st.sampled_from(SET_BY_HAND), value=VALUES, data=st.data())
    def set_by_hand(self, i: int, target_name: str, value: float, data: st.DataObject) -> None:
        groups, oracle = self.optimizers[i].param_groups, self.oracles[i]
        g = data.draw(st.integers(0, len(groups) - 1))
        if isinstance(groups[g][target_name], torch.Tensor):
            groups[g][target_name].fill_(value)
        else:
            groups[g][target_name] = value
        oracle.held[g][target_name] = oracle.rounded(target_name, value)

    @rule(i=INDEX, target_name=st.sampled_from(TARGETS), value=VALUES)
    def set_a_new_initial_value(self, i: int, target_name: str, value: float) -> None:
        oracle = self.oracles[i]
        if oracle.plan.get(target_name, ("",))[0] in TORCH_KINDS:
            return  # torch's schedulers keep the first initial value
        extend_optimizer(self.optimizers[i], target_name, value, overwrite_values=True)
        for now, initial in zip(oracle.held, oracle.initial):
            now[target_name] = oracle.rounded(target_name, value)
            for name in initial:
                if name == target_name or name.startswith(f"{target_name}[of"):
                    initial[name] = value

    @precondition(lambda self: not self.has_torch)
    @rule(i=INDEX, numbers=NUMBERS)
    def join(self, i: int, numbers: tuple[float, ...]) -> None:
        if len(self.optimizers[i].param_groups) < 4:
            self.optimizers[i].add_param_group(self.group(self.oracles[i], numbers))

    @precondition(lambda self: not self.has_torch)
    @rule(i=INDEX, in_place=st.booleans(), data=st.data())
    def leave(self, i: int, in_place: bool, data: st.DataObject) -> None:
        optimizer, oracle = self.optimizers[i], self.oracles[i]
        groups = optimizer.param_groups if in_place else [*optimizer.param_groups]
        if len(groups) > 1:
            g = data.draw(st.integers(0, len(groups) - 1))
            del groups[g], oracle.held[g], oracle.initial[g]
            optimizer.param_groups = groups

    @precondition(lambda self: not self.has_torch)
    @rule(i=INDEX, in_place=st.booleans())
    def reverse(self, i: int, in_place: bool) -> None:
        optimizer, oracle = self.optimizers[i], self.oracles[i]
        if in_place:
            optimizer.param_groups.reverse()
        else:
            optimizer.param_groups = optimizer.param_groups[::-1]
        oracle.held.reverse()
        oracle.initial.reverse()
        self.saved = None  # a state is loaded by position, and has the old order

    @rule(i=INDEX, g=st.integers(0, 3))
    def replace_a_dict(self, i: int, g: int) -> None:
        groups = self.optimizers[i].param_groups
        if g < len(groups):
            groups[g] = dict(groups[g])

    # -- what has to hold ----------------------------------------------------------------------

    @rule()
    def look_ahead(self) -> None:
        ahead = copy.deepcopy(self.oracles)
        steps = [self.position + i for i in range(4)]
        seen = preview(self.sync, 4)
        assert list(seen.steps) == steps
        for i, step in enumerate(steps):
            for name, oracle in zip("ab", ahead):
                if step != self.position:
                    oracle.move_to(step)
                for target in oracle.plan:
                    row = seen.values[f"{name}/{target}"][i]
                    assert row == [now[target] for now in oracle.held]

    @invariant()
    def groups_and_schedules_give_the_expected_values(self) -> None:
        if not hasattr(self, "sync"):
            return
        assert self.sync.last_epoch == self.position
        values = self.sync.get_last_schedules()
        for name, oracle, optimizer in zip("ab", self.oracles, self.optimizers):
            assert self.sync.optimizers[name] is optimizer
            for target in TARGETS:
                expected = [now[target] for now in oracle.held]
                assert floats(optimizer, target) == expected
                if target in oracle.plan:
                    assert [float(value) for value in values[f"{name}/{target}"]] == expected
                recorded = [group.get(f"initial_{target}") for group in optimizer.param_groups]
                assert recorded == [initial.get(target) for initial in oracle.initial]
            for target in oracle.plan:
                schedule = self.sync.schedules[f"{name}/{target}"]
                assert schedule.last_epoch == self.position


class TestInterleavings(Interleavings.TestCase):  # type: ignore[name-defined,misc]
    """Groups and schedules hold the expected values after any program."""

    settings = settings(max_examples=600 if EXHAUSTIVE else 60, stateful_step_count=30)
